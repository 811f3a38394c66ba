//! From a document to the questions about what it refers to.

use super::{MAX_DEPTH, Question, Walk, new_node, unasked};
use crate::digest;
use crate::graph::{Key, NodeId};
use crate::image::{Child, Descriptor, Kind};
use crate::settings::Concern;
use crate::source::{Blob, Body, CONFIG_LIMIT, Manifest};
use crate::verdict::{Outcome, Promise, Verdict, judge_blob};

impl Walk<'_> {
    pub(super) fn follow(&mut self, parent: NodeId, child: Child) {
        match child {
            Child::Readable(descriptor) => self.follow_descriptor(parent, *descriptor),
            Child::Unreadable { written, kind, platform, verdict, why } => {
                let mut node = new_node(None, kind, "");
                node.written = (!written.is_empty()).then(|| written.into());
                node.platform.clone_from(&platform);
                node.outcome = Outcome::unasked(verdict, why);
                let to = self.insert(None, node, self.depth_below(parent));
                self.settled += 1;
                self.connect(parent, to, platform, self.care(kind));
            }
        }
    }

    fn follow_descriptor(&mut self, parent: NodeId, descriptor: Descriptor) {
        let (kind, platform) = (descriptor.kind, descriptor.platform.clone());
        let care = self.care(kind);
        let depth = self.depth_below(parent);
        let whole = kind == Kind::Config && descriptor.promise.size <= CONFIG_LIMIT;
        let Promise { digest, size } = descriptor.promise.clone();
        let key = Key { manifest: kind.is_manifest(), whole, digest, size: Some(size) };
        let fetched_whole = Key { whole: true, ..key.clone() };
        let known = self.graph.find(&key).or_else(|| self.graph.find(&fetched_whole));
        if let Some(known) = known.filter(|_| descriptor.inline.is_none()) {
            if kind == Kind::Config
                && let Some(platform) = self.graph.node(known).platform.clone()
                && self.graph.node(parent).platform.is_none()
            {
                self.graph.node_mut(parent).platform = Some(platform);
            }
            self.connect(parent, known, platform, care);
            return;
        }
        let mut node = new_node(Some(key.digest.clone()), kind, &descriptor.media_type);
        node.size = Some(size);
        node.platform.clone_from(&platform);
        let refused = if kind == Kind::Attestation && self.rules.attestations == Concern::Ignore {
            Some((Verdict::Skipped, "attestations are ignored".to_owned()))
        } else if descriptor.foreign {
            Some((Verdict::Skipped, "foreign: its data is not kept in the registry".to_owned()))
        } else if kind.is_manifest() && depth > MAX_DEPTH {
            Some((Verdict::Malformed, format!("nested more than {MAX_DEPTH} manifests deep")))
        } else {
            None
        };
        if let Some((verdict, detail)) = refused {
            node.outcome = Outcome::unasked(verdict, detail);
            let to = self.insert(None, node, depth);
            self.settled += 1;
            self.connect(parent, to, platform, care);
            return;
        }
        if let Some(bytes) = descriptor.inline {
            let to = self.insert(None, node, depth);
            self.connect(parent, to, platform, care);
            self.take_inline(to, bytes);
            return;
        }
        let to = self.insert(Some(key), node, depth);
        self.connect(parent, to, platform.clone(), care);
        if platform.is_some_and(|platform| self.rules.allow_missing.iter().any(|wanted| platform.satisfies(wanted))) {
            self.allowed.insert(to);
        }
        match kind {
            Kind::Config if whole => self.blobs.push_back(Question::Config(to)),
            Kind::Config | Kind::Layer => self.blobs.push_back(Question::Blob(to)),
            _ => self.manifests.push_back(Question::Manifest(to)),
        }
    }

    /// Content that stands in its descriptor is checked without a request.
    fn take_inline(&mut self, node: NodeId, bytes: Vec<u8>) {
        let promise = self.promise(node);
        let length = bytes.len() as u64;
        let actual = digest::of_bytes(&bytes, &promise.digest).unwrap_or_else(|| digest::sha256(&bytes));
        let (verdict, detail) = judge_blob(&promise, &Blob::Whole { length, digest: actual, bytes: None });
        if verdict == Verdict::Ok && self.graph.node(node).kind.is_manifest() {
            let manifest = Manifest { body: Body::Whole(bytes), content_type: None, claimed: None };
            self.settle_manifest(node, (verdict, detail), &unasked(Ok(manifest)));
            return;
        }
        let (verdict, detail) = match verdict {
            Verdict::Ok => {
                self.learn_platform(node, &bytes);
                (Verdict::Skipped, "its data stands in the descriptor and is right".to_owned())
            }
            wrong => (wrong, format!("the data in the descriptor is wrong: {detail}")),
        };
        self.settle(node, verdict, detail, &unasked(Ok(())));
    }
}
