//! Follows descriptors until no question is open; asks for each digest once per repository.

pub(crate) mod cause;
pub(crate) mod checked;
mod follow;
pub(crate) mod graph;
pub(crate) mod isolated;
pub(crate) mod product;
mod referrers;
pub mod rules;
pub(crate) mod source;
pub mod stop;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use oci_spec::image::{Digest, DigestAlgorithm};

use self::cause::{Bound, Cause};
use self::checked::{Checked, Subject};
use self::graph::{Care, Found, Graph, Key, Node, NodeId};
use self::rules::{Concern, Rules};
use self::source::{Asked, Blob, Body, FaultKind, Manifest, Referring, Source};
use self::verdict::{
    Outcome, Verdict, VerdictAndCause, judge_blob, judge_fault, judge_flaw, judge_manifest,
};
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::kind::Kind;
use crate::oci::manifest::{self, Children};
use crate::oci::reference::{Reference, Repository};

/// The deepest nesting of indexes that is followed.
pub const MAX_DEPTH: u8 = 8;

/// How many questions are put to the source at once: enough for its permits, few enough to hold in
/// memory.
const WIDTH: usize = 256;

/// Walks the images of one repository.
///
/// It never stops at a fault. When `stop` is ready, what was not answered by then stays undecided,
/// with the cause that `stop` gives. `seen` is called with how many nodes are known and how many of
/// them are settled.
///
/// # Panics
/// Never: a walk ends when every reference has its node.
pub async fn walk<S: Source>(
    source: &S,
    repository: &Repository,
    references: &[Reference],
    rules: &Rules,
    stop: impl Future<Output = Cause>,
    mut seen: impl FnMut(usize, usize),
) -> Checked {
    let mut walk = Walk {
        rules,
        graph: Graph::default(),
        roots: vec![None; references.len()],
        also: vec![None; references.len()],
        notes: Vec::new(),
        manifests: (0..).take(references.len()).map(Query::Resolve).collect(),
        blobs: VecDeque::new(),
        settled: 0,
        over: false,
    };
    let mut stop = pin!(stop);
    let mut asking = FuturesUnordered::new();
    loop {
        while asking.len() < WIDTH
            && let Some(question) = walk
                .manifests
                .pop_front()
                .or_else(|| walk.blobs.pop_front())
        {
            if let Some(node) = question.node() {
                walk.notes[node.place()].asked = true;
            }
            asking.push(walk.ask(source, references, question));
        }
        match select(&mut stop, asking.next()).await {
            Either::Left((cause, _)) => {
                walk.give_up(references, &cause);
                break;
            }
            Either::Right((None, _)) => match walk.last_question() {
                Some(question) => walk.manifests.push_back(question),
                None => break,
            },
            Either::Right((Some(answer), _)) => {
                walk.take(references, answer);
                seen(walk.graph.len(), walk.settled);
            }
        }
    }
    let subject = |((reference, root), also): ((&Reference, Option<NodeId>), _)| Subject {
        reference: reference.clone(),
        root: root.expect("every reference was resolved or given up"),
        also,
        findings: Vec::new(),
    };
    let found = references.iter().zip(walk.roots).zip(walk.also);
    Checked {
        repository: repository.clone(),
        product: source.product(),
        subjects: found.map(subject).collect(),
        graph: walk.graph,
    }
}

/// Something to ask the source.
#[derive(Clone, Copy)]
enum Query {
    /// The reference in this place.
    Resolve(u32),
    Manifest(NodeId),
    Config(NodeId),
    Blob(NodeId),
    Referrers(NodeId),
    /// The control question at the end: does the registry still answer?
    Witness(NodeId),
}

impl Query {
    fn node(self) -> Option<NodeId> {
        match self {
            Self::Manifest(node) | Self::Config(node) | Self::Blob(node) => Some(node),
            Self::Resolve(_) | Self::Referrers(_) | Self::Witness(_) => None,
        }
    }
}

enum QueryResult {
    Resolved(u32, Asked<Manifest>),
    /// And whether the question allowed it to be absent.
    Manifest(NodeId, bool, Asked<Manifest>),
    Blob(NodeId, Asked<Blob>),
    Referrers(NodeId, Asked<Vec<Referring>>),
    Witness(bool),
}

type Asking<'a> = Pin<Box<dyn Future<Output = QueryResult> + 'a>>;

/// A node as the walk sees it.
#[derive(Clone, Copy)]
struct Note {
    /// How deep it is below its image.
    depth: u8,
    /// It may be absent.
    allowed: bool,
    /// It was asked for.
    asked: bool,
    /// Its references are followed already, because a tag delivered it.
    followed: bool,
}

struct Walk<'a> {
    rules: &'a Rules,
    graph: Graph,
    roots: Vec<Option<NodeId>>,
    also: Vec<Option<Digest>>,
    /// What only the walk needs to know of each node, by its place.
    notes: Vec<Note>,
    manifests: VecDeque<Query>,
    blobs: VecDeque<Query>,
    settled: usize,
    /// Everything else was asked, and the control question is sent.
    over: bool,
}

impl Walk<'_> {
    fn ask<'s, S: Source>(
        &self,
        source: &'s S,
        references: &'s [Reference],
        question: Query,
    ) -> Asking<'s> {
        match question {
            Query::Resolve(at) => Box::pin(async move {
                QueryResult::Resolved(at, source.resolve(&references[at as usize]).await)
            }),
            Query::Manifest(node) => {
                let digest = self.digest(node);
                let may_be_absent = self.notes[node.place()].allowed;
                Box::pin(async move {
                    QueryResult::Manifest(
                        node,
                        may_be_absent,
                        source.manifest(&digest, may_be_absent).await,
                    )
                })
            }
            Query::Config(node) => {
                let promise = self.promise(node);
                Box::pin(async move { QueryResult::Blob(node, source.config(&promise).await) })
            }
            Query::Blob(node) => {
                let promise = self.promise(node);
                Box::pin(async move { QueryResult::Blob(node, source.blob(&promise).await) })
            }
            Query::Referrers(node) => {
                let digest = self.digest(node);
                Box::pin(
                    async move { QueryResult::Referrers(node, source.referrers(&digest).await) },
                )
            }
            Query::Witness(node) => {
                let digest = self.digest(node);
                Box::pin(async move {
                    QueryResult::Witness(source.manifest(&digest, true).await.answer.is_ok())
                })
            }
        }
    }

    fn digest(&self, node: NodeId) -> Digest {
        self.graph
            .node(node)
            .digest()
            .expect("only nodes with a digest are asked for")
    }

    fn promise(&self, node: NodeId) -> Promise {
        let size = self
            .graph
            .node(node)
            .size()
            .expect("only blobs with a size are asked for");
        Promise {
            digest: self.digest(node),
            size,
        }
    }

    fn take(&mut self, references: &[Reference], answer: QueryResult) {
        match answer {
            QueryResult::Resolved(at, asked) => {
                let root = self.take_root(references[at as usize].digest.as_ref(), &asked);
                self.roots[at as usize] = Some(root);
                self.also[at as usize] = self
                    .graph
                    .node(root)
                    .digest()
                    .and_then(|digest| other_digest(&digest, &asked));
            }
            QueryResult::Manifest(node, may_be_absent, asked) => {
                self.take_manifest(node, may_be_absent, &asked);
            }
            QueryResult::Witness(answers) => self.graph.set_still_answering(answers),
            QueryResult::Blob(node, asked) => self.take_blob(node, &asked),
            QueryResult::Referrers(node, asked) => self.take_referrers(node, asked),
        }
    }

    fn take_root(&mut self, promised: Option<&Digest>, asked: &Asked<Manifest>) -> NodeId {
        let judgement = match &asked.answer {
            Ok(manifest) => judge_manifest(promised, None, manifest),
            Err(fault) => judge_fault(fault),
        };
        let by_tag = promised.is_none();
        let root = self.add_delivered(Kind::Manifest, promised, judgement, asked, 0, by_tag);
        self.require(root);
        root
    }

    fn take_manifest(&mut self, node: NodeId, may_be_absent: bool, asked: &Asked<Manifest>) {
        let (digest, size) = (self.digest(node), self.graph.node(node).size());
        let Note {
            allowed, followed, ..
        } = self.notes[node.place()];
        let judgement = match &asked.answer {
            Ok(manifest) => judge_manifest(Some(&digest), size, manifest),
            Err(fault) if fault.kind == FaultKind::NotFound && allowed => {
                (Verdict::Skipped, Cause::AllowedMissing)
            }
            // A parent needs it by now: a first 404 is not enough.
            Err(fault) if fault.kind == FaultKind::NotFound && may_be_absent => {
                self.manifests.push_back(Query::Manifest(node));
                return;
            }
            Err(fault) => judge_fault(fault),
        };
        match judgement {
            (Verdict::Ok, _) if followed => self.settle(node, judgement, asked),
            (verdict, cause) if followed => {
                let cause = Cause::OnlyByTag(Box::new(cause));
                self.settle(node, (verdict, cause), asked);
            }
            judgement => self.settle_manifest(node, judgement, asked),
        }
    }

    /// A parent needs it and does not allow it to be absent.
    fn require(&mut self, node: NodeId) {
        let allowed = std::mem::take(&mut self.notes[node.place()].allowed);
        if allowed && self.graph.node(node).verdict() == Verdict::Skipped {
            self.graph
                .set_outcome(node, &Outcome::unasked(Verdict::NotChecked, Cause::Plain));
            self.settled -= 1;
            self.manifests.push_back(Query::Manifest(node));
        }
    }

    /// A question to a registry that has answered before: a single fault may be its own or the
    /// content's.
    fn last_question(&mut self) -> Option<Query> {
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        isolated::candidate(&self.graph)?;
        let answered = |node: Node<'_>| {
            node.verdict() == Verdict::Ok && node.kind().is_manifest() && node.attempts() > 0
        };
        self.graph
            .iter()
            .find(|(_, node)| answered(*node))
            .map(|(id, _)| Query::Witness(id))
    }

    /// Adds a manifest that came without a descriptor: an image's root, or what a tag made from a
    /// digest leads to.
    fn add_delivered(
        &mut self,
        kind: Kind,
        promised: Option<&Digest>,
        judgement: VerdictAndCause,
        asked: &Asked<Manifest>,
        depth: u8,
        by_tag: bool,
    ) -> NodeId {
        let length = match asked.answer.as_ref().map(|manifest| &manifest.body) {
            Ok(Body::Whole(bytes)) => Some(bytes.len() as u64),
            _ => None,
        };
        let actual = asked
            .answer
            .as_ref()
            .ok()
            .filter(|_| judgement.0 == Verdict::Ok)
            .and_then(true_digest);
        let digest = promised.cloned().or(actual);
        let key = digest.as_ref().map(|digest| Key {
            manifest: true,
            whole: false,
            digest,
            size: length,
        });
        if let Some(known) = key.as_ref().and_then(|key| self.graph.find(key)) {
            return known;
        }
        let endpoint = key.map(|key| (key.manifest, key.whole));
        let node = self.insert(
            endpoint,
            &Found {
                size: length,
                ..found(digest, kind, "")
            },
            depth,
        );
        if judgement.0 == Verdict::Ok && by_tag {
            self.follow_tag(node, asked);
        } else {
            self.settle_manifest(node, judgement, asked);
        }
        node
    }

    /// Follows what a tag delivered, and asks for it by its digest, as a pull does that has
    /// resolved the tag.
    fn follow_tag(&mut self, node: NodeId, asked: &Asked<Manifest>) {
        match self.read(node, asked) {
            Ok(children) => {
                self.note_so_far(node, asked);
                self.notes[node.place()].followed = true;
                self.manifests.push_back(Query::Manifest(node));
                self.follow_all(node, children);
            }
            Err(judged) => self.settle(node, judged, asked),
        }
    }

    /// Writes a manifest's outcome, and follows it when it is what its digest says.
    fn settle_manifest(&mut self, node: NodeId, judged: VerdictAndCause, asked: &Asked<Manifest>) {
        if judged.0 != Verdict::Ok {
            return self.settle(node, judged, asked);
        }
        match self.read(node, asked) {
            Ok(children) => {
                self.settle(node, judged, asked);
                self.follow_all(node, children);
            }
            Err(judged) => self.settle(node, judged, asked),
        }
    }

    /// Reads a manifest and notes its kind; returns its references, or why it cannot be used.
    fn read<'d>(
        &mut self,
        node: NodeId,
        asked: &'d Asked<Manifest>,
    ) -> Result<Children<'d>, VerdictAndCause> {
        let Ok(Manifest {
            body: Body::Whole(bytes),
            content_type,
            ..
        }) = &asked.answer
        else {
            unreachable!("only a manifest that came whole is judged to be ok");
        };
        let known = self.graph.node(node);
        let promised = Some(known.media_type()).filter(|text| !text.is_empty());
        let document =
            manifest::read(bytes, content_type.as_deref(), promised).map_err(judge_flaw)?;
        if let Some(bound) = self.graph.has_no_room_for(document.children.len()) {
            return Err(too_much(bound));
        }
        let stays = matches!(known.kind(), Kind::Attestation | Kind::Referrer);
        let kind = if stays { known.kind() } else { document.kind };
        self.graph.set_document(node, kind, &document.media_type);
        Ok(document.children)
    }

    fn follow_all(&mut self, node: NodeId, children: Children<'_>) {
        for child in children {
            self.follow(node, child);
        }
        let referred = matches!(self.graph.node(node).kind(), Kind::Index | Kind::Manifest);
        if referred && self.rules.referrers != Concern::Ignore {
            self.manifests.push_back(Query::Referrers(node));
        }
    }

    fn take_blob(&mut self, node: NodeId, asked: &Asked<Blob>) {
        let judged = match &asked.answer {
            Ok(blob) => judge_blob(&self.promise(node), blob),
            Err(fault) => judge_fault(fault),
        };
        if judged.0 == Verdict::Ok
            && let Ok(Blob::Whole {
                bytes: Some(bytes), ..
            }) = &asked.answer
        {
            self.learn_platform(node, bytes);
        }
        self.settle(node, judged, asked);
    }

    /// A config states the platform of the manifests whose index did not.
    fn learn_platform(&mut self, config: NodeId, bytes: &[u8]) {
        let Some(platform) = manifest::config_platform(bytes) else {
            return;
        };
        let parents: Vec<NodeId> = self.graph.node(config).parents().collect();
        for id in parents {
            let parent = self.graph.node(id);
            if parent.kind() == Kind::Manifest && parent.platform().is_none() {
                self.graph.set_platform(id, Some(&platform));
            }
        }
        self.graph.set_platform(config, Some(&platform));
    }

    fn settle<T>(&mut self, node: NodeId, (verdict, cause): VerdictAndCause, asked: &Asked<T>) {
        self.settled += 1;
        // What it took before: a tag's answer is a question of its own.
        let before = self.graph.node(node);
        let cause = match (verdict, cause, asked.appeared_after) {
            (Verdict::Ok, _, Some(after)) => Cause::AppearedAfter(after),
            (Verdict::Ok, Cause::Plain, None) => before.cause().clone(),
            (_, cause, _) => cause,
        };
        let outcome = Outcome {
            verdict,
            cause,
            status: asked.status,
            attempts: before.attempts() + asked.attempts,
            duration: before.duration() + asked.duration,
        };
        self.graph.set_outcome(node, &outcome);
    }

    /// Notes the cost of delivery by a tag; its verdict is not known yet.
    fn note_so_far(&mut self, node: NodeId, asked: &Asked<Manifest>) {
        let cause = asked.appeared_after.map(Cause::AppearedAfter);
        let (attempts, duration) = (asked.attempts, asked.duration);
        let so_far = Outcome {
            attempts,
            duration,
            ..Outcome::unasked(Verdict::NotChecked, cause.unwrap_or_default())
        };
        self.graph.set_outcome(node, &so_far);
    }

    fn care(&self, kind: Kind) -> Care {
        let concern = match kind {
            Kind::Attestation => self.rules.attestations,
            Kind::Referrer => self.rules.referrers,
            _ => Concern::Check,
        };
        if concern == Concern::Check {
            Care::Check
        } else {
            Care::Warn
        }
    }

    /// Adds a node; with an endpoint (manifests or blobs, whole or not) it is found again there.
    fn insert(&mut self, endpoint: Option<(bool, bool)>, found: &Found, depth: u8) -> NodeId {
        self.notes.push(Note {
            depth,
            allowed: false,
            asked: false,
            followed: false,
        });
        match endpoint {
            Some((manifest, whole)) => self.graph.insert(manifest, whole, found),
            None => self.graph.add(found),
        }
    }

    fn depth_below(&self, parent: NodeId) -> u8 {
        self.notes[parent.place()].depth + 1
    }

    /// The run ends: open questions had no answer in time, the rest was not asked.
    fn give_up(&mut self, references: &[Reference], cause: &Cause) {
        for (at, reference) in references.iter().enumerate() {
            if self.roots[at].is_none() {
                let root = Found {
                    outcome: Outcome::unasked(Verdict::Unavailable, cause.clone()),
                    ..found(reference.digest.clone(), Kind::Manifest, "")
                };
                self.roots[at] = Some(self.insert(None, &root, 0));
            }
        }
        for id in self.graph.ids() {
            if self.graph.node(id).verdict() == Verdict::NotChecked {
                let verdict = if self.notes[id.place()].asked {
                    Verdict::Unavailable
                } else {
                    Verdict::NotChecked
                };
                self.graph
                    .set_outcome(id, &Outcome::unasked(verdict, cause.clone()));
            }
        }
    }
}

fn found(digest: Option<Digest>, kind: Kind, media_type: &str) -> Found {
    let outcome = Outcome::unasked(Verdict::NotChecked, Cause::Plain);
    Found {
        digest,
        written: None,
        kind,
        media_type: media_type.to_owned(),
        size: None,
        platform: None,
        outcome,
    }
}

/// The same bytes by SHA-512 where the digest is by SHA-256, and the other way round.
fn other_digest(digest: &Digest, asked: &Asked<Manifest>) -> Option<Digest> {
    let Ok(Manifest {
        body: Body::Whole(bytes),
        ..
    }) = &asked.answer
    else {
        return None;
    };
    digest::of_bytes(bytes, digest).filter(|actual| actual == digest)?;
    Some(match digest.algorithm() {
        DigestAlgorithm::Sha256 => digest::sha512(bytes),
        _ => digest::sha256(bytes),
    })
}

fn too_much(bound: Bound) -> VerdictAndCause {
    (Verdict::Malformed, Cause::TooMuch(bound))
}

fn unasked<T>(answer: Result<T, source::Fault>) -> Asked<T> {
    Asked {
        answer,
        status: None,
        attempts: 0,
        duration: Duration::ZERO,
        appeared_after: None,
    }
}

/// What a tag resolves to: the digest the registry claims, when the bytes match it, else their
/// SHA-256.
fn true_digest(manifest: &Manifest) -> Option<Digest> {
    let Body::Whole(bytes) = &manifest.body else {
        return None;
    };
    let claimed = manifest
        .claimed
        .as_deref()
        .and_then(|claimed| claimed.parse::<Digest>().ok());
    claimed
        .filter(|claimed| digest::of_bytes(bytes, claimed).as_ref() == Some(claimed))
        .or_else(|| Some(digest::sha256(bytes)))
}
