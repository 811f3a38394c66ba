//! Follows descriptors until no question is open; asks for each digest once per repository.

mod artifact;
pub(crate) mod cause;
pub(crate) mod checked;
mod config;
mod control;
mod follow;
pub(crate) mod graph;
mod head;
pub(crate) mod isolated;
pub(crate) mod known;
pub(crate) mod product;
mod referrers;
pub mod rules;
mod select;
pub(crate) mod source;
pub mod stop;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::num::NonZero;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use oci_spec::image::{Digest, DigestAlgorithm};
use tokio::time::Instant;

use self::cause::{Bound, Cause};
use self::checked::{Checked, Finding, Subject};
use self::control::{Control, Stage};
use self::graph::{Care, Found, Graph, Key, Node, NodeId};
use self::head::Delivered;
use self::known::Known;
use self::rules::{AllowMissing, Concern, Rules};
use self::source::{Asked, Blob, Body, FaultKind, Head, Look, Manifest, Referring, Source};
use self::verdict::{
    Outcome, Verdict, VerdictAndCause, judge_blob, judge_fault, judge_flaw, judge_manifest,
};
use crate::oci::config::Config;
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::kind::Kind;
use crate::oci::manifest::{self, Children};
use crate::oci::reference::{Reference, Repository};
use crate::oci::refusal::{self, Refusal};
use crate::text::lossy::lossy;

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
        began: Instant::now(),
        graph: Graph::for_images(references.len()),
        roots: vec![None; references.len()],
        also: vec![None; references.len()],
        delivered: vec![None; references.len()],
        findings: vec![Vec::new(); references.len()],
        suspected: HashMap::new(),
        doubted: HashMap::new(),
        artifacts: HashMap::new(),
        configs: HashMap::new(),
        stated: HashMap::new(),
        notes: Vec::new(),
        manifests: (0..)
            .take(references.len())
            .map(|at| Query::Resolve(at, Look::First))
            .collect(),
        blobs: VecDeque::new(),
        settled: 0,
        stage: Stage::default(),
        failures_are_losses: false,
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
            Either::Right((None, _)) => {
                walk.next_stage();
                if walk.manifests.is_empty() && walk.stage == Stage::Over {
                    break;
                }
            }
            Either::Right((Some(answer), _)) => {
                walk.take(references, answer);
                seen(walk.graph.len(), walk.settled);
            }
        }
    }
    walk.judge_configs();
    walk.judge_artifacts();
    walk.judge_selection();
    let subject =
        |(((reference, root), also), findings): (((&Reference, Option<_>), _), _)| Subject {
            reference: reference.clone(),
            root: root.expect("every reference was resolved or given up"),
            also,
            findings,
        };
    let found = references
        .iter()
        .zip(walk.roots)
        .zip(walk.also)
        .zip(walk.findings);
    Checked {
        repository: repository.clone(),
        product: source.product(),
        subjects: found.map(subject).collect(),
        graph: walk.graph,
        known: Known::default(),
    }
}

/// The digest that a tag is answered with, if it is answered with a manifest that came whole.
#[must_use]
pub fn resolved(asked: &Asked<Manifest>) -> Option<Digest> {
    let manifest = asked.answer.as_ref().ok()?;
    let (verdict, _) = judge_manifest(None, None, manifest);
    (verdict == Verdict::Ok).then(|| true_digest(manifest))?
}

/// Something to ask the source.
#[derive(Clone, Copy)]
enum Query {
    /// The reference in this place.
    Resolve(u32, Look),
    /// The same by `HEAD`.
    Head(u32, Look),
    Manifest(NodeId),
    Config(NodeId),
    Blob(NodeId),
    Referrers(NodeId, Look),
    Control(Control),
}

impl Query {
    fn node(self) -> Option<NodeId> {
        match self {
            Self::Manifest(node) | Self::Config(node) | Self::Blob(node) => Some(node),
            Self::Resolve(..) | Self::Head(..) | Self::Referrers(..) | Self::Control(_) => None,
        }
    }
}

enum QueryResult {
    Resolved(u32, Look, Asked<Manifest>),
    Head(u32, Head),
    Manifest(NodeId, Look, Asked<Manifest>),
    Blob(NodeId, Asked<Blob>),
    Referrers(NodeId, Look, Asked<Vec<Referring>>),
    Control(Control, bool),
}

type Asking<'a> = Pin<Box<dyn Future<Output = QueryResult> + 'a>>;

/// A node as the walk sees it.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and there may be a hundred thousand nodes"
)]
struct Note {
    /// How deep it is below its image.
    depth: u8,
    /// It may be absent.
    allowed: bool,
    /// It was asked for.
    asked: bool,
    /// It is asked for once more, because the answer of that time was definitely wrong.
    again: Option<Since>,
    /// Its references are followed already, because a tag or its descriptor delivered it.
    followed: bool,
    /// Its descriptor carries it.
    inline: bool,
}

/// A time of the walk, in milliseconds and one more.
#[derive(Clone, Copy)]
struct Since(NonZero<u32>);

impl Since {
    fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0.get() - 1))
    }
}

struct Walk<'a> {
    rules: &'a Rules,
    began: Instant,
    graph: Graph,
    roots: Vec<Option<NodeId>>,
    also: Vec<Option<Digest>>,
    /// What each reference was answered with, until `HEAD` is answered as well.
    delivered: Vec<Option<Delivered>>,
    /// What is wrong with how each reference is answered.
    findings: Vec<Vec<Finding>>,
    /// What the answers to `HEAD` and `GET` of a reference showed to be wrong at first.
    suspected: HashMap<u32, Vec<&'static str>>,
    /// Why a reference's first answer was definitely wrong.
    doubted: HashMap<u32, Cause>,
    /// The type of each artifact and typed index.
    artifacts: HashMap<NodeId, Box<str>>,
    /// What each config that was read says.
    configs: HashMap<NodeId, Config>,
    /// The `mediaType` of what a tag delivered.
    stated: HashMap<NodeId, String>,
    /// What only the walk needs to know of each node, by its place.
    notes: Vec<Note>,
    manifests: VecDeque<Query>,
    blobs: VecDeque<Query>,
    settled: usize,
    stage: Stage,
    /// Whether what the registry fails on is lost.
    failures_are_losses: bool,
}

impl Walk<'_> {
    fn ask<'s, S: Source>(
        &self,
        source: &'s S,
        references: &'s [Reference],
        question: Query,
    ) -> Asking<'s> {
        let look = question.node().map_or(Look::First, |node| self.look(node));
        match question {
            Query::Resolve(at, look) => Box::pin(async move {
                let asked = source.resolve(&references[at as usize], look).await;
                QueryResult::Resolved(at, look, asked)
            }),
            Query::Head(at, look) => Box::pin(async move {
                let head = source.head(&references[at as usize], look).await;
                QueryResult::Head(at, head)
            }),
            Query::Manifest(node) => {
                let digest = self.digest(node);
                Box::pin(async move {
                    QueryResult::Manifest(node, look, source.manifest(&digest, look).await)
                })
            }
            Query::Config(node) => {
                let promise = self.promise(node);
                Box::pin(
                    async move { QueryResult::Blob(node, source.config(&promise, look).await) },
                )
            }
            Query::Blob(node) => {
                let promise = self.promise(node);
                Box::pin(async move { QueryResult::Blob(node, source.blob(&promise, look).await) })
            }
            Query::Referrers(node, look) => {
                let digest = self.digest(node);
                Box::pin(async move {
                    QueryResult::Referrers(node, look, source.referrers(&digest, look).await)
                })
            }
            Query::Control(control) => self.ask_control(source, control),
        }
    }

    /// How a node is asked for.
    fn look(&self, node: NodeId) -> Look {
        match self.notes[node.place()] {
            Note {
                again: Some(at), ..
            } => Look::Again(self.began + at.duration()),
            Note { allowed: true, .. } => Look::MayBeAbsent,
            _ => Look::First,
        }
    }

    fn now(&self) -> Since {
        let passed = u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX - 1);
        Since(NonZero::<u32>::MIN.saturating_add(passed))
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
            QueryResult::Resolved(at, look, asked) => {
                self.take_root(at, look, &references[at as usize], &asked);
            }
            QueryResult::Head(at, head) => self.take_head(at, &head),
            QueryResult::Manifest(node, look, asked) => self.take_manifest(node, look, &asked),
            QueryResult::Control(control, answer) => self.take_control(control, answer),
            QueryResult::Blob(node, asked) => self.take_blob(node, &asked),
            QueryResult::Referrers(node, look, asked) => self.take_referrers(node, look, asked),
        }
    }

    fn take_root(&mut self, at: u32, look: Look, reference: &Reference, asked: &Asked<Manifest>) {
        let promised = reference.digest.as_ref();
        let judgement = match &asked.answer {
            Ok(manifest) => judge_manifest(promised, None, manifest),
            Err(fault) => judge_fault(fault),
        };
        let wrong = match &judgement {
            (Verdict::Ok, _) => unreadable(asked),
            (verdict, cause) => verdict.is_definite().then(|| cause.clone()),
        };
        if let Some(wrong) = wrong.filter(|_| !look.is_again()) {
            self.doubted.insert(at, wrong);
            self.manifests.push_back(Query::Resolve(at, Look::again()));
            return;
        }
        let root = self.add_delivered(
            Kind::Manifest,
            promised,
            judgement,
            asked,
            0,
            promised.is_none(),
        );
        self.require(root);
        let place = at as usize;
        self.roots[place] = Some(root);
        let node = self.graph.node(root);
        self.also[place] = node
            .digest()
            .and_then(|digest| other_digest(&digest, asked));
        let stated = self
            .stated
            .get(&root)
            .map_or(node.media_type(), String::as_str);
        self.delivered[place] = delivered(&node, stated, self.also[place].as_ref(), asked);
        if self.delivered[place].is_some() {
            self.manifests.push_back(Query::Head(at, look));
        }
        if let Some(wrong) = self.doubted.remove(&at) {
            self.note_doubt(root, wrong);
        }
    }

    /// Compares the answers to `HEAD` and `GET`. Where they are not what a client needs, both are
    /// asked again: a tag may move.
    fn take_head(&mut self, at: u32, head: &Head) {
        let delivered = self.delivered[at as usize].take();
        let mut findings = delivered.map_or_else(Vec::new, |it| head::findings(&it, head));
        let definite = findings.iter().filter(|finding| finding.is_definite());
        let definite: Vec<_> = definite.map(Finding::as_str).collect();
        match self.suspected.get(&at) {
            None if !definite.is_empty() => {
                self.suspected.insert(at, definite);
                self.manifests.push_back(Query::Resolve(at, Look::again()));
                return;
            }
            // What only one of the two looks showed was right in the other.
            Some(before) => {
                findings.retain(|one| !one.is_definite() || before.contains(&one.as_str()));
            }
            None => {}
        }
        self.findings[at as usize] = findings;
    }

    /// Notes that a reference was answered wrongly once.
    fn note_doubt(&mut self, root: NodeId, wrong: Cause) {
        let node = self.graph.node(root);
        if !matches!(node.verdict(), Verdict::Ok | Verdict::NotChecked) {
            return;
        }
        let outcome = Outcome {
            verdict: node.verdict(),
            cause: Cause::WrongOnce(Box::new(wrong)),
            status: node.status(),
            attempts: node.attempts(),
            duration: node.duration(),
        };
        self.graph.set_outcome(root, &outcome);
    }

    fn take_manifest(&mut self, node: NodeId, look: Look, asked: &Asked<Manifest>) {
        let (digest, size) = (self.digest(node), self.graph.node(node).size());
        let Note {
            allowed,
            followed,
            inline,
            ..
        } = self.notes[node.place()];
        let judgement = match &asked.answer {
            Ok(manifest) => judge_manifest(Some(&digest), size, manifest),
            Err(fault) if fault.kind == FaultKind::NotFound && allowed => {
                (Verdict::Skipped, Cause::AllowedMissing)
            }
            // A parent needs it by now: a first 404 is not enough.
            Err(fault) if fault.kind == FaultKind::NotFound && look == Look::MayBeAbsent => {
                self.manifests.push_back(Query::Manifest(node));
                return;
            }
            Err(fault) => judge_fault(fault),
        };
        if self.doubts(node, &judgement, asked) || self.doubts_delivery(node, &judgement, asked) {
            self.manifests.push_back(Query::Manifest(node));
            return;
        }
        match judgement {
            judgement if inline => self.settle_inline(node, judgement, asked),
            (Verdict::Ok, _) if followed => {
                let stated = self.stated.get(&node).cloned().unwrap_or_default();
                self.refuse_delivery(node, &stated, asked);
                self.settle(node, judgement, asked);
            }
            (verdict, cause) if followed => {
                let cause = Cause::OnlyByTag(Box::new(cause));
                self.settle(node, (verdict, cause), asked);
            }
            judgement => self.settle_manifest(node, judgement, asked),
        }
    }

    /// Whether an answer is definitely wrong and was given once only: then it is asked for once more.
    fn doubts<T>(&mut self, node: NodeId, judged: &VerdictAndCause, asked: &Asked<T>) -> bool {
        let (verdict, cause) = judged;
        let now = self.now();
        let Note {
            again, asked: open, ..
        } = &mut self.notes[node.place()];
        if !verdict.is_definite() || again.replace(now).is_some() {
            return false;
        }
        *open = false;
        self.note_so_far(node, cause.clone(), asked);
        true
    }

    /// The same for right bytes that are delivered as a type that some client refuses.
    fn doubts_delivery(
        &mut self,
        node: NodeId,
        judged: &VerdictAndCause,
        asked: &Asked<Manifest>,
    ) -> bool {
        let known = self.graph.node(node);
        let is_image = matches!(known.kind(), Kind::Index | Kind::Manifest);
        if judged.0 != Verdict::Ok || !is_image {
            return false;
        }
        let (text, content_type) = readable(asked);
        if content_type == Some(known.media_type()) {
            return false;
        }
        let Ok(document) = manifest::read(&text, content_type, Some(known.media_type())) else {
            return false;
        };
        let refusals =
            self.refusals_of_delivery(node, document.kind, &document.stated, content_type);
        refusals.into_iter().next().is_some_and(|refusal| {
            let refused = (Verdict::Unsupported, Cause::Unusable(refusal.flaw));
            self.doubts(node, &refused, asked)
        })
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
        let (text, content_type) = readable(asked);
        match self.read(node, (&text, content_type)) {
            Ok((children, stated)) => {
                self.stated.insert(node, stated);
                let cause = asked.appeared_after.map(Cause::AppearedAfter);
                self.note_so_far(node, cause.unwrap_or_default(), asked);
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
        let (text, content_type) = readable(asked);
        match self.read(node, (&text, content_type)) {
            Ok((children, stated)) => {
                self.refuse_delivery(node, &stated, asked);
                self.settle(node, judged, asked);
                self.follow_all(node, children);
            }
            Err(judged) => self.settle(node, judged, asked),
        }
    }

    /// Notes who refuses the type that a manifest is delivered as by its digest.
    fn refuse_delivery(&mut self, node: NodeId, stated: &str, asked: &Asked<Manifest>) {
        if let Ok(manifest) = &asked.answer {
            let kind = self.graph.node(node).kind();
            let content_type = manifest.content_type.as_deref();
            let refusals = self.refusals_of_delivery(node, kind, stated, content_type);
            self.refuse_all(node, refusals);
        }
    }

    /// Who refuses the type that an image's manifest is delivered as by its digest: docker, and
    /// podman but for what a tag stands for, which it fetches by the tag. containerd goes by
    /// descriptors.
    fn refusals_of_delivery(
        &self,
        node: NodeId,
        kind: Kind,
        stated: &str,
        content_type: Option<&str>,
    ) -> Vec<Refusal> {
        if !matches!(kind, Kind::Index | Kind::Manifest) {
            return Vec::new();
        }
        let readers = if self.notes[node.place()].followed {
            head::DOCKER
        } else {
            head::DOCKER.and(head::PODMAN)
        };
        refusal::of_delivery(kind, stated, content_type, readers)
    }

    /// Reads a manifest and notes its kind; returns its references and its own `mediaType`, or why it
    /// cannot be used.
    fn read<'d>(
        &mut self,
        node: NodeId,
        (text, content_type): (&'d [u8], Option<&str>),
    ) -> Result<(Children<'d>, String), VerdictAndCause> {
        let known = self.graph.node(node);
        let promised = Some(known.media_type()).filter(|text| !text.is_empty());
        let document = manifest::read(text, content_type, promised).map_err(judge_flaw)?;
        if let Some(bound) = self.graph.has_no_room_for(document.children.len()) {
            return Err(too_much(bound));
        }
        let stays = matches!(known.kind(), Kind::Attestation | Kind::Referrer);
        let kind = if stays { known.kind() } else { document.kind };
        self.graph.set_document(node, kind, &document.media_type);
        if let Some(subject) = &document.subject {
            self.graph.set_subject(node, subject);
        }
        if let Some(artifact) = document.artifact {
            self.artifacts.insert(node, artifact.into_boxed_str());
        }
        if matches!(kind, Kind::Index | Kind::Manifest) {
            self.refuse_all(node, document.refusals);
        }
        Ok((document.children, document.stated))
    }

    fn follow_all(&mut self, node: NodeId, children: Children<'_>) {
        for child in children {
            self.follow(node, child);
        }
        let referred = matches!(self.graph.node(node).kind(), Kind::Index | Kind::Manifest);
        if referred && self.rules.referrers != Concern::Ignore {
            self.manifests
                .push_back(Query::Referrers(node, Look::First));
        }
    }

    fn take_blob(&mut self, node: NodeId, asked: &Asked<Blob>) {
        let is_fetched = self.rules.allow_missing == AllowMissing::Fetched;
        let judged = match &asked.answer {
            Ok(blob) => judge_blob(&self.promise(node), blob),
            Err(fault) if is_fetched && fault.kind == FaultKind::NotFound => {
                (Verdict::Skipped, Cause::AllowedMissing)
            }
            Err(fault) => judge_fault(fault),
        };
        if self.doubts(node, &judged, asked) {
            let is_whole = self.graph.is_whole(node);
            self.blobs.push_back(if is_whole {
                Query::Config(node)
            } else {
                Query::Blob(node)
            });
            return;
        }
        if let (Verdict::Ok | Verdict::SizeMismatch, Ok(Blob::Whole { bytes, .. })) =
            (judged.0, &asked.answer)
            && let Some(bytes) = bytes
        {
            self.read_config(node, bytes);
        }
        if let Ok(Blob::Proven {
            facts: Some(facts), ..
        }) = &asked.answer
        {
            self.take_facts(node, (**facts).clone());
        }
        if self.notes[node.place()].inline {
            self.settle_inline(node, judged, asked);
        } else {
            self.settle(node, judged, asked);
        }
    }

    fn settle<T>(&mut self, node: NodeId, (verdict, cause): VerdictAndCause, asked: &Asked<T>) {
        self.settled += 1;
        // What it took before: a tag's answer is a question of its own.
        let before = self.graph.node(node);
        let was_wrong = self.notes[node.place()].again.is_some();
        let cause = match (verdict, cause, asked.appeared_after) {
            (Verdict::Ok, _, _) if was_wrong => Cause::WrongOnce(Box::new(before.cause().clone())),
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

    /// Notes the cost of an answer after which the verdict is not known yet, and its cause so far.
    fn note_so_far<T>(&mut self, node: NodeId, cause: Cause, asked: &Asked<T>) {
        let before = self.graph.node(node);
        let so_far = Outcome {
            attempts: before.attempts() + asked.attempts,
            duration: before.duration() + asked.duration,
            ..Outcome::unasked(Verdict::NotChecked, cause)
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
            again: None,
            followed: false,
            inline: false,
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
        for (delivered, findings) in self.delivered.iter_mut().zip(&mut self.findings) {
            if delivered.take().is_some() {
                findings.push(Finding::HeadUnanswered(Box::new(cause.clone())));
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

/// What `HEAD` is compared with: an image's manifest that came whole.
fn delivered(
    node: &Node<'_>,
    stated: &str,
    also: Option<&Digest>,
    asked: &Asked<Manifest>,
) -> Option<Delivered> {
    let (Ok(manifest), Kind::Index | Kind::Manifest) = (&asked.answer, node.kind()) else {
        return None;
    };
    let Body::Whole(bytes) = &manifest.body else {
        return None;
    };
    Some(Delivered {
        content_type: manifest.content_type.clone(),
        digests: node.digest().into_iter().chain(also.cloned()).collect(),
        claimed: manifest.claimed.clone(),
        length: bytes.len() as u64,
        kind: node.kind(),
        stated: stated.to_owned(),
    })
}

/// Why a manifest that came whole cannot be used, if it cannot.
fn unreadable(asked: &Asked<Manifest>) -> Option<Cause> {
    let (text, content_type) = readable(asked);
    let flaw = manifest::read(&text, content_type, None).err()?;
    Some(Cause::Unusable(flaw))
}

/// The text of a manifest that came whole, and what it is delivered as. What is not UTF-8 in it is
/// replaced, as clients do it.
fn readable(asked: &Asked<Manifest>) -> (Cow<'_, [u8]>, Option<&str>) {
    let Ok(Manifest {
        body: Body::Whole(bytes),
        content_type,
        ..
    }) = &asked.answer
    else {
        unreachable!("only a manifest that came whole is judged to be ok");
    };
    let text = match lossy(bytes) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    (text, content_type.as_deref())
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
