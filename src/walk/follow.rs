//! From a document to the requests for its references.

use super::{MAX_DEPTH, Query, Walk, found, unasked};
use crate::oci::descriptor::{Child, Descriptor, Promise, Unreadable};
use crate::oci::digest;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::walk::cause::Cause;
use crate::walk::graph::{Found, Key, NodeId};
use crate::walk::rules::Concern;
use crate::walk::source::{Blob, Body, CONFIG_LIMIT, Manifest};
use crate::walk::verdict::{Outcome, Verdict, VerdictAndCause, judge_blob, judge_flaw};

pub(super) const TOO_DEEP: VerdictAndCause = (Verdict::Malformed, Cause::TooDeep);

/// How a new child is checked.
enum Way {
    /// It needs no question: this is its outcome.
    Known(VerdictAndCause),
    /// Its content is embedded in the descriptor.
    Inline(Vec<u8>),
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
        let (verdict, cause) = judge_flaw(flaw);
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
        if let Some(known) = known.filter(|_| inline.is_none()) {
            return self.share(parent, known, kind, descriptor.platform.as_ref());
        }
        let way = match inline {
            _ if self.ignores(kind) => Way::Known((Verdict::Skipped, Cause::AttestationsIgnored)),
            _ if descriptor.foreign => Way::Known((Verdict::Skipped, Cause::Foreign)),
            _ if kind.is_manifest() && self.depth_below(parent) > MAX_DEPTH => Way::Known(TOO_DEEP),
            Some(bytes) => Way::Inline(bytes.clone()),
            None => Way::Ask { whole },
        };
        self.add_child(parent, descriptor, way);
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
        if !self.may_be_absent(platform) {
            self.require(known);
        }
    }

    fn add_child(&mut self, parent: NodeId, descriptor: Descriptor, way: Way) {
        let kind = descriptor.kind;
        let Promise { digest, size } = descriptor.promise;
        let mut child = Found {
            size: Some(size),
            platform: descriptor.platform,
            ..found(Some(digest), kind, &descriptor.media_type)
        };
        match way {
            Way::Known((verdict, cause)) => {
                child.outcome = Outcome::unasked(verdict, cause);
                self.add_settled(parent, &child);
            }
            Way::Inline(bytes) => {
                let to = self.add_below(parent, None, &child);
                self.take_inline(to, bytes);
            }
            Way::Ask { whole } => {
                let endpoint = Some((kind.is_manifest(), whole));
                let to = self.add_below(parent, endpoint, &child);
                self.notes[to.place()].allowed = self.may_be_absent(child.platform.as_ref());
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

    /// Whether the user allows content for this platform to be absent.
    fn may_be_absent(&self, platform: Option<&Platform>) -> bool {
        let allowed = &self.rules.allow_missing;
        platform.is_some_and(|platform| allowed.iter().any(|allowed| platform.satisfies(allowed)))
    }

    /// An attestation that another index lists for a platform is an image.
    fn promote(&mut self, node: NodeId, kind: Kind, platform: Option<&Platform>) {
        let media_type = self.graph.node(node).media_type().to_owned();
        self.graph.set_document(node, kind, &media_type);
        self.graph.set_platform(node, platform);
    }

    /// Content embedded in its descriptor is checked without a request.
    fn take_inline(&mut self, node: NodeId, bytes: Vec<u8>) {
        let promise = self.promise(node);
        let length = bytes.len() as u64;
        let digest = digest::of_bytes(&bytes, &promise.digest);
        let whole = Blob::Whole {
            length,
            digest: digest.unwrap_or_else(|| digest::sha256(&bytes)),
            bytes: None,
        };
        match judge_blob(&promise, &whole) {
            (Verdict::Ok, cause) if self.graph.node(node).kind().is_manifest() => {
                let manifest = Manifest {
                    body: Body::Whole(bytes),
                    content_type: None,
                    claimed: None,
                };
                self.settle_manifest(node, (Verdict::Ok, cause), &unasked(Ok(manifest)));
            }
            (Verdict::Ok, _) => {
                self.learn_platform(node, &bytes);
                self.settle(node, (Verdict::Skipped, Cause::Inline), &unasked(Ok(())));
            }
            (verdict, cause) => {
                let cause = Cause::InlineWrong(Box::new(cause));
                self.settle(node, (verdict, cause), &unasked(Ok(())));
            }
        }
    }
}
