//! From a document to the requests for its references.

use super::{MAX_DEPTH, Query, Walk, found, select};
use crate::oci::client::Clients;
use crate::oci::descriptor::{Child, Descriptor, Promise, Unreadable};
use crate::oci::digest;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::oci::refusal;
use crate::walk::cause::Cause;
use crate::walk::graph::{Found, Key, NodeId};
use crate::walk::rules::{Concern, Depth};
use crate::walk::source::{Asked, Blob, CONFIG_LIMIT};
use crate::walk::verdict::{Outcome, Verdict, VerdictAndCause, judge_blob, judge_flaw};

pub(super) const TOO_DEEP: VerdictAndCause = (Verdict::Malformed, Cause::TooDeep);

/// How a new child is checked.
enum Way {
    /// It needs no question: this is its outcome.
    Known(VerdictAndCause),
    /// It is requested, whole or at the depth of the run.
    Ask { whole: bool },
}

impl Walk<'_> {
    pub(super) fn follow(&mut self, parent: NodeId, child: Child) {
        match child {
            Child::Readable(descriptor) => self.follow_descriptor(parent, *descriptor),
            Child::Unreadable(unreadable) => self.add_unreadable(parent, *unreadable),
        }
    }

    fn add_unreadable(&mut self, parent: NodeId, unreadable: Unreadable) {
        let Unreadable {
            written,
            kind,
            platform,
            flaw,
        } = unreadable;
        let (verdict, cause) = if self.is_left_out(kind, platform.as_ref()) {
            (Verdict::Skipped, Cause::LeftOut)
        } else {
            judge_flaw(flaw)
        };
        let child = Found {
            written: Some(written),
            platform,
            outcome: Outcome::unasked(verdict, cause),
            ..found(None, kind, "")
        };
        self.add_settled(parent, &child);
    }

    fn follow_descriptor(&mut self, parent: NodeId, descriptor: Descriptor) {
        let (kind, size) = (descriptor.kind, descriptor.promise.size);
        if self.is_left_out(kind, descriptor.platform.as_ref()) {
            let way = Way::Known((Verdict::Skipped, Cause::LeftOut));
            self.add_child(parent, descriptor, way);
            return;
        }
        let whole = kind == Kind::Config && size <= CONFIG_LIMIT;
        let key = Key {
            manifest: kind.is_manifest(),
            whole,
            digest: &descriptor.promise.digest,
            size: Some(size),
        };
        let fetched_whole = Key { whole: true, ..key };
        let find = |key| self.graph.find(key);
        // Data of another length than was promised is ignored: a client asks for it, and so do we.
        let inline = (descriptor.inline.as_ref()).filter(|data| data.len() as u64 == size);
        let known = find(&key).or_else(|| find(&fetched_whole));
        if let Some(known) = known {
            self.notes[known.place()].inline &= inline.is_some();
            self.refuse_descriptor(parent, known, &descriptor);
            return self.share(parent, known, kind, descriptor.platform.as_ref());
        }
        let way = match inline {
            _ if self.ignores(kind) => Way::Known((Verdict::Skipped, Cause::AttestationsIgnored)),
            _ if descriptor.foreign => Way::Known((Verdict::Skipped, Cause::Foreign)),
            _ if self.rules.depth == Depth::Manifests && !kind.is_manifest() => {
                Way::Known((Verdict::Skipped, Cause::BlobsLeftOut))
            }
            _ if kind.is_manifest() && self.depth_below(parent) > MAX_DEPTH => Way::Known(TOO_DEEP),
            _ => Way::Ask { whole },
        };
        self.add_child(parent, descriptor, way);
    }

    /// Whether `only_platforms` leaves out a child of an index.
    fn is_left_out(&self, kind: Kind, platform: Option<&Platform>) -> bool {
        let only = &self.rules.only_platforms;
        match platform {
            _ if only.is_empty() || !kind.is_manifest() => false,
            Some(platform) => !only
                .iter()
                .any(|wanted| select::may_select(platform, wanted)),
            None => kind == Kind::Attestation,
        }
    }

    /// Notes who refuses a child for its descriptor, where it is read at all: below an image.
    fn refuse_descriptor(&mut self, parent: NodeId, to: NodeId, descriptor: &Descriptor) {
        let is_read = match self.graph.node(parent).kind() {
            Kind::Index => descriptor.kind.is_manifest(),
            Kind::Manifest => true,
            _ => false,
        };
        if is_read {
            self.refuse_all(to, descriptor.refusals.iter().cloned());
        }
    }

    fn ignores(&self, kind: Kind) -> bool {
        kind == Kind::Attestation && self.rules.attestations == Concern::Ignore
    }

    /// Another parent refers to a node that is known.
    fn share(&mut self, parent: NodeId, known: NodeId, kind: Kind, platform: Option<&Platform>) {
        if kind == Kind::Config
            && let Some(platform) = self.graph.node(known).platform().cloned()
            && self.graph.node(parent).platform().is_none()
        {
            self.graph.set_platform(parent, Some(&platform));
        }
        let is_attestation = self.graph.node(known).kind() == Kind::Attestation;
        if is_attestation && matches!(kind, Kind::Manifest | Kind::Index) {
            self.promote(known, kind, platform);
        }
        let care = self.care(kind);
        self.graph.connect(parent, known, platform, care);
        if !self.rules.allow_missing.allows(platform) {
            self.require(known);
        }
    }

    fn add_child(&mut self, parent: NodeId, descriptor: Descriptor, way: Way) {
        let kind = descriptor.kind;
        let Promise { digest, size } = descriptor.promise.clone();
        let mut child = Found {
            size: Some(size),
            platform: descriptor.platform.clone(),
            ..found(Some(digest), kind, &descriptor.media_type)
        };
        match way {
            Way::Known((verdict, cause)) => {
                child.outcome = Outcome::unasked(verdict, cause);
                self.add_settled(parent, &child);
            }
            Way::Ask { whole } => {
                let endpoint = Some((kind.is_manifest(), whole));
                let to = self.add_below(parent, endpoint, &child);
                self.notes[to.place()].allowed =
                    self.rules.allow_missing.allows(child.platform.as_ref());
                self.refuse_descriptor(parent, to, &descriptor);
                if let Some(data) = descriptor.inline.filter(|data| data.len() as u64 == size) {
                    self.take_inline(to, &data);
                }
                match kind {
                    Kind::Config if whole => self.blobs.push_back(Query::Config(to)),
                    Kind::Config | Kind::Layer => self.blobs.push_back(Query::Blob(to)),
                    _ => self.manifests.push_back(Query::Manifest(to)),
                }
            }
        }
    }

    /// Adds a child that is not requested.
    fn add_settled(&mut self, parent: NodeId, child: &Found) {
        self.add_below(parent, None, child);
        self.settled += 1;
    }

    fn add_below(
        &mut self,
        parent: NodeId,
        endpoint: Option<(bool, bool)>,
        child: &Found,
    ) -> NodeId {
        let to = self.insert(endpoint, child, self.depth_below(parent));
        let care = self.care(child.kind);
        self.graph
            .connect(parent, to, child.platform.as_ref(), care);
        to
    }

    /// An attestation that another index lists for a platform is an image.
    fn promote(&mut self, node: NodeId, kind: Kind, platform: Option<&Platform>) {
        let media_type = self.graph.node(node).media_type().to_owned();
        self.graph.set_document(node, kind, &media_type);
        self.graph.set_platform(node, platform);
    }

    /// Uses content that is embedded in its descriptor. It is asked for all the same, because only
    /// containerd uses it, too.
    fn take_inline(&mut self, node: NodeId, bytes: &[u8]) {
        let promise = self.promise(node);
        let length = bytes.len() as u64;
        let digest = digest::of_bytes(bytes, &promise.digest);
        let whole = Blob::Whole {
            length,
            digest: digest.unwrap_or_else(|| digest::sha256(bytes)),
            bytes: None,
        };
        let (verdict, cause) = judge_blob(&promise, &whole);
        if verdict != Verdict::Ok {
            let cause = Cause::InlineWrong(Box::new(cause));
            let stops = cause.stops(self.graph.node(node).kind());
            self.graph.refuse(node, &cause, stops, self.rules.clients);
            return;
        }
        self.notes[node.place()].inline = true;
        let kind = self.graph.node(node).kind();
        if kind == Kind::Config {
            self.read_config(node, bytes);
        }
        if !kind.is_manifest() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        if let Ok((children, _)) = self.read(node, (text.as_bytes(), None)) {
            self.notes[node.place()].followed = true;
            self.follow_all(node, children);
        }
    }

    /// Writes the outcome of content that its descriptor carries: containerd has it whatever the
    /// registry says.
    pub(super) fn settle_inline<T>(
        &mut self,
        node: NodeId,
        judged: VerdictAndCause,
        asked: &Asked<T>,
    ) {
        match judged.0 {
            Verdict::Ok => self.settle(node, judged, asked),
            verdict if verdict.is_definite() => {
                self.notes[node.place()].again = None;
                self.settle(node, (Verdict::Ok, Cause::Inline), asked);
                self.refuse_all(node, [refusal::of_inline_alone()]);
            }
            _ if self.rules.clients == Clients::CONTAINERD => {
                self.settle(node, (Verdict::Skipped, Cause::Inline), asked);
            }
            _ => self.settle(node, judged, asked),
        }
    }
}
