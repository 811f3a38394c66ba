//! From a document to the questions about what it refers to.

use super::{MAX_DEPTH, Question, Walk, found, unasked};
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::manifest::{Child, Descriptor, Kind};
use crate::oci::platform::Platform;
use crate::walk::graph::{Found, Key, NodeId};
use crate::walk::rules::Concern;
use crate::walk::source::{Blob, Body, CONFIG_LIMIT, Manifest};
use crate::walk::verdict::{Outcome, Verdict, judge_blob};

pub(super) fn too_deep() -> (Verdict, String) {
    (
        Verdict::Malformed,
        format!("nested more than {MAX_DEPTH} manifests deep"),
    )
}

impl Walk<'_> {
    pub(super) fn follow(&mut self, parent: NodeId, child: Child) {
        match child {
            Child::Readable(descriptor) => self.follow_descriptor(parent, *descriptor),
            Child::Unreadable {
                written,
                kind,
                platform,
                verdict,
                why,
            } => {
                let outcome = Outcome::unasked(verdict, why);
                let child = Found {
                    written: Some(written),
                    platform,
                    outcome,
                    ..found(None, kind, "")
                };
                let to = self.insert(None, &child, self.depth_below(parent));
                self.settled += 1;
                self.graph
                    .connect(parent, to, child.platform.as_ref(), self.care(kind));
            }
        }
    }

    fn follow_descriptor(&mut self, parent: NodeId, descriptor: Descriptor) {
        let (kind, platform) = (descriptor.kind, descriptor.platform);
        let care = self.care(kind);
        let depth = self.depth_below(parent);
        let whole = kind == Kind::Config && descriptor.promise.size <= CONFIG_LIMIT;
        let Promise { digest, size } = descriptor.promise;
        let key = Key {
            manifest: kind.is_manifest(),
            whole,
            digest: &digest,
            size: Some(size),
        };
        let fetched_whole = Key { whole: true, ..key };
        let known = self
            .graph
            .find(&key)
            .or_else(|| self.graph.find(&fetched_whole));
        // Data of another length than was promised is nobody's: whoever pulls asks for it, and so do we.
        let inline = descriptor.inline.filter(|data| data.len() as u64 == size);
        if let Some(known) = known.filter(|_| inline.is_none()) {
            if kind == Kind::Config
                && let Some(platform) = self.graph.node(known).platform().cloned()
                && self.graph.node(parent).platform().is_none()
            {
                self.graph.set_platform(parent, Some(&platform));
            }
            if self.graph.node(known).kind() == Kind::Attestation
                && matches!(kind, Kind::Manifest | Kind::Index)
            {
                self.promote(known, kind, platform.as_ref());
            }
            self.graph.connect(parent, known, platform.as_ref(), care);
            if !self.may_be_absent(platform.as_ref()) {
                self.require(known);
            }
            return;
        }
        let endpoint = (key.manifest, key.whole);
        let mut child = Found {
            size: Some(size),
            platform,
            ..found(Some(digest), kind, &descriptor.media_type)
        };
        let refused = if kind == Kind::Attestation && self.rules.attestations == Concern::Ignore {
            Some((Verdict::Skipped, "attestations are ignored".to_owned()))
        } else if descriptor.foreign {
            Some((
                Verdict::Skipped,
                "foreign: its data is not kept in the registry".to_owned(),
            ))
        } else if kind.is_manifest() && depth > MAX_DEPTH {
            Some(too_deep())
        } else {
            None
        };
        if let Some((verdict, detail)) = refused {
            child.outcome = Outcome::unasked(verdict, detail);
            let to = self.insert(None, &child, depth);
            self.settled += 1;
            self.graph
                .connect(parent, to, child.platform.as_ref(), care);
            return;
        }
        if let Some(bytes) = inline {
            let to = self.insert(None, &child, depth);
            self.graph
                .connect(parent, to, child.platform.as_ref(), care);
            self.take_inline(to, bytes);
            return;
        }
        let to = self.insert(Some(endpoint), &child, depth);
        self.graph
            .connect(parent, to, child.platform.as_ref(), care);
        self.notes[to.place()].allowed = self.may_be_absent(child.platform.as_ref());
        match kind {
            Kind::Config if whole => self.blobs.push_back(Question::Config(to)),
            Kind::Config | Kind::Layer => self.blobs.push_back(Question::Blob(to)),
            _ => self.manifests.push_back(Question::Manifest(to)),
        }
    }

    /// Whether the user allows content for this platform to be absent.
    fn may_be_absent(&self, platform: Option<&Platform>) -> bool {
        platform.is_some_and(|platform| {
            self.rules
                .allow_missing
                .iter()
                .any(|allowed| platform.satisfies(allowed))
        })
    }

    /// What one index lists as an attestation, another lists for a platform: then it is an image.
    fn promote(&mut self, node: NodeId, kind: Kind, platform: Option<&Platform>) {
        let media_type = self.graph.node(node).media_type().to_owned();
        self.graph.set_document(node, kind, &media_type);
        self.graph.set_platform(node, platform);
    }

    /// Content that stands in its descriptor is checked without a request.
    fn take_inline(&mut self, node: NodeId, bytes: Vec<u8>) {
        let promise = self.promise(node);
        let length = bytes.len() as u64;
        let actual =
            digest::of_bytes(&bytes, &promise.digest).unwrap_or_else(|| digest::sha256(&bytes));
        let (verdict, detail) = judge_blob(
            &promise,
            &Blob::Whole {
                length,
                digest: actual,
                bytes: None,
            },
        );
        if verdict == Verdict::Ok && self.graph.node(node).kind().is_manifest() {
            let manifest = Manifest {
                body: Body::Whole(bytes),
                content_type: None,
                claimed: None,
            };
            self.settle_manifest(node, (verdict, detail), &unasked(Ok(manifest)));
            return;
        }
        let (verdict, detail) = match verdict {
            Verdict::Ok => {
                self.learn_platform(node, &bytes);
                (
                    Verdict::Skipped,
                    "its data stands in the descriptor and is right".to_owned(),
                )
            }
            wrong => (
                wrong,
                format!("the data in the descriptor is wrong: {detail}"),
            ),
        };
        self.settle(node, verdict, detail, &unasked(Ok(())));
    }
}
