//! Follows descriptors until nobody is being asked; each digest once per repository.

mod follow;
mod referrers;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::pin::{Pin, pin};

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use oci_spec::image::Digest;

use crate::digest;
use crate::graph::{Care, Edge, Graph, Key, Node, NodeId};
use crate::image::{self, Kind};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::settings::{Concern, Rules};
use crate::source::{Asked, Blob, Body, FaultKind, Manifest, Referring, Source};
use crate::verdict::{Outcome, Promise, Verdict, judge_blob, judge_fault, judge_manifest};

/// The deepest nesting of indexes that is followed.
pub const MAX_DEPTH: u8 = 8;

/// The most nodes of one repository that are followed.
pub const MAX_NODES: usize = 100_000;

/// How many questions are put to the source at once: enough for its permits, few enough to hold in memory.
const WIDTH: usize = 256;

/// What a walk found.
#[derive(Debug)]
pub struct Walked {
    /// Every digest with its verdict.
    pub graph: Graph,
    /// The node of each reference, in the order of the references.
    pub roots: Vec<NodeId>,
}

/// Walks the images of one repository.
///
/// It never stops at a fault. When `stop` is ready, with the reason as a fragment, what was not answered by then stays undecided.
/// `seen` hears how many nodes are known and how many of them are settled.
///
/// # Panics
/// Never: a walk ends when every reference has its node.
pub async fn walk<S: Source>(
    source: &S,
    references: &[Reference],
    rules: &Rules,
    stop: impl Future<Output = String>,
    mut seen: impl FnMut(usize, usize),
) -> Walked {
    let mut walk = Walk {
        rules,
        graph: Graph::default(),
        roots: vec![None; references.len()],
        depths: Vec::new(),
        allowed: HashSet::new(),
        manifests: (0..references.len()).map(Question::Resolve).collect(),
        blobs: VecDeque::new(),
        settled: 0,
    };
    let mut stop = pin!(stop);
    let mut asking = FuturesUnordered::new();
    let mut asked = HashSet::new();
    loop {
        while asking.len() < WIDTH
            && let Some(question) = walk.manifests.pop_front().or_else(|| walk.blobs.pop_front())
        {
            if let Some(node) = question.node() {
                asked.insert(node);
            }
            asking.push(walk.ask(source, references, question));
        }
        match select(&mut stop, asking.next()).await {
            Either::Left((reason, _)) => {
                walk.give_up(references, &asked, &reason);
                break;
            }
            Either::Right((None, _)) => break,
            Either::Right((Some(answer), _)) => {
                walk.take(references, answer);
                seen(walk.graph.len(), walk.settled);
            }
        }
    }
    let roots = walk.roots.iter().map(|root| root.expect("every reference was resolved or given up")).collect();
    Walked { graph: walk.graph, roots }
}

/// Something to ask the source.
#[derive(Clone, Copy)]
enum Question {
    Resolve(usize),
    Manifest(NodeId),
    Config(NodeId),
    Blob(NodeId),
    Referrers(NodeId),
}

impl Question {
    fn node(self) -> Option<NodeId> {
        match self {
            Self::Manifest(node) | Self::Config(node) | Self::Blob(node) => Some(node),
            Self::Resolve(_) | Self::Referrers(_) => None,
        }
    }
}

enum Answer {
    Resolved(usize, Asked<Manifest>),
    Manifest(NodeId, Asked<Manifest>),
    Blob(NodeId, Asked<Blob>),
    Referrers(NodeId, Asked<Vec<Referring>>),
}

type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

struct Walk<'a> {
    rules: &'a Rules,
    graph: Graph,
    roots: Vec<Option<NodeId>>,
    /// How deep each node is below its image, by its place.
    depths: Vec<u8>,
    /// The nodes that may be absent.
    allowed: HashSet<NodeId>,
    manifests: VecDeque<Question>,
    blobs: VecDeque<Question>,
    settled: usize,
}

impl Walk<'_> {
    fn ask<'s, S: Source>(&self, source: &'s S, references: &'s [Reference], question: Question) -> Asking<'s> {
        match question {
            Question::Resolve(at) => {
                Box::pin(async move { Answer::Resolved(at, source.resolve(&references[at]).await) })
            }
            Question::Manifest(node) => {
                let digest = self.digest(node);
                let may_be_absent = self.allowed.contains(&node);
                Box::pin(async move { Answer::Manifest(node, source.manifest(&digest, may_be_absent).await) })
            }
            Question::Config(node) => {
                let promise = self.promise(node);
                Box::pin(async move { Answer::Blob(node, source.config(&promise).await) })
            }
            Question::Blob(node) => {
                let promise = self.promise(node);
                Box::pin(async move { Answer::Blob(node, source.blob(&promise).await) })
            }
            Question::Referrers(node) => {
                let digest = self.digest(node);
                Box::pin(async move { Answer::Referrers(node, source.referrers(&digest).await) })
            }
        }
    }

    fn digest(&self, node: NodeId) -> Digest {
        self.graph.node(node).digest.clone().expect("only nodes with a digest are asked for")
    }

    fn promise(&self, node: NodeId) -> Promise {
        let size = self.graph.node(node).size.expect("only blobs with a size are asked for");
        Promise { digest: self.digest(node), size }
    }

    fn take(&mut self, references: &[Reference], answer: Answer) {
        match answer {
            Answer::Resolved(at, asked) => {
                let root = self.take_root(references[at].digest.as_ref(), &asked);
                self.roots[at] = Some(root);
            }
            Answer::Manifest(node, asked) => {
                let (digest, size) = (self.digest(node), self.graph.node(node).size);
                let judgement = match &asked.answer {
                    Ok(manifest) => judge_manifest(Some(&digest), size, manifest),
                    Err(fault) if fault.kind == FaultKind::NotFound && self.allowed.contains(&node) => {
                        (Verdict::Skipped, "not there, as allow_missing allows".to_owned())
                    }
                    Err(fault) => judge_fault(fault),
                };
                self.settle_manifest(node, judgement, &asked);
            }
            Answer::Blob(node, asked) => self.take_blob(node, &asked),
            Answer::Referrers(node, asked) => self.take_referrers(node, asked),
        }
    }

    fn take_root(&mut self, promised: Option<&Digest>, asked: &Asked<Manifest>) -> NodeId {
        let judgement = match &asked.answer {
            Ok(manifest) => judge_manifest(promised, None, manifest),
            Err(fault) => judge_fault(fault),
        };
        self.add_delivered(Kind::Manifest, promised, judgement, asked)
    }

    /// Adds a manifest that came without a descriptor: an image's root, or what a tag made from a digest leads to.
    fn add_delivered(
        &mut self,
        kind: Kind,
        promised: Option<&Digest>,
        judgement: (Verdict, String),
        asked: &Asked<Manifest>,
    ) -> NodeId {
        let length = match asked.answer.as_ref().map(|manifest| &manifest.body) {
            Ok(Body::Whole(bytes)) => Some(bytes.len() as u64),
            _ => None,
        };
        let actual = asked.answer.as_ref().ok().filter(|_| judgement.0 == Verdict::Ok).and_then(true_digest);
        let digest = promised.cloned().or(actual);
        let key = digest.clone().map(|digest| Key { manifest: true, whole: false, digest, size: length });
        if let Some(known) = key.as_ref().and_then(|key| self.graph.find(key)) {
            return known;
        }
        let mut node = new_node(digest, kind, "");
        node.size = length;
        let node = self.insert(key, node, 0);
        self.settle_manifest(node, judgement, asked);
        node
    }

    /// Writes a manifest's outcome, and follows it when it is what its digest says.
    fn settle_manifest(&mut self, node: NodeId, (mut verdict, mut detail): (Verdict, String), asked: &Asked<Manifest>) {
        let mut children = Vec::new();
        if verdict == Verdict::Ok
            && let Ok(Manifest { body: Body::Whole(bytes), content_type, .. }) = &asked.answer
        {
            let promised = Some(&*self.graph.node(node).media_type).filter(|text| !text.is_empty());
            match image::read(bytes, content_type.as_deref(), promised) {
                Ok(document) => {
                    children = document.children;
                    let known = self.graph.node_mut(node);
                    known.size = Some(bytes.len() as u64);
                    known.media_type = document.media_type.into();
                    if !matches!(known.kind, Kind::Attestation | Kind::Referrer) {
                        known.kind = document.kind;
                    }
                }
                Err(unusable) => (verdict, detail) = unusable,
            }
        }
        if self.graph.len() + children.len() > MAX_NODES {
            children.clear();
            (verdict, detail) =
                (Verdict::Malformed, format!("with its references there are more than {MAX_NODES} nodes"));
        }
        self.settle(node, verdict, detail, asked);
        for child in children {
            self.follow(node, child);
        }
        if verdict == Verdict::Ok
            && self.rules.referrers != Concern::Ignore
            && matches!(self.graph.node(node).kind, Kind::Index | Kind::Manifest)
        {
            self.manifests.push_back(Question::Referrers(node));
        }
    }

    fn take_blob(&mut self, node: NodeId, asked: &Asked<Blob>) {
        let (verdict, detail) = match &asked.answer {
            Ok(blob) => judge_blob(&self.promise(node), blob),
            Err(fault) => judge_fault(fault),
        };
        if verdict == Verdict::Ok
            && let Ok(Blob::Whole { bytes: Some(bytes), .. }) = &asked.answer
        {
            self.learn_platform(node, bytes);
        }
        self.settle(node, verdict, detail, asked);
    }

    /// A config tells the platform of the manifests whose index did not.
    fn learn_platform(&mut self, config: NodeId, bytes: &[u8]) {
        let Some(platform) = image::config_platform(bytes) else { return };
        for parent in self.graph.node(config).parents.clone() {
            let parent = self.graph.node_mut(parent);
            if parent.kind == Kind::Manifest && parent.platform.is_none() {
                parent.platform = Some(platform.clone());
            }
        }
        self.graph.node_mut(config).platform = Some(platform);
    }

    fn settle<T>(&mut self, node: NodeId, verdict: Verdict, mut detail: String, asked: &Asked<T>) {
        if verdict == Verdict::Ok
            && let Some(after) = asked.appeared_after
        {
            detail = format!("appeared after {:.1} s", after.as_secs_f64());
        }
        self.settled += 1;
        self.graph.node_mut(node).outcome =
            Outcome { verdict, detail, status: asked.status, attempts: asked.attempts, duration: asked.duration };
    }

    fn care(&self, kind: Kind) -> Care {
        let concern = match kind {
            Kind::Attestation => self.rules.attestations,
            Kind::Referrer => self.rules.referrers,
            _ => Concern::Check,
        };
        if concern == Concern::Check { Care::Check } else { Care::Warn }
    }

    fn insert(&mut self, key: Option<Key>, node: Node, depth: u8) -> NodeId {
        self.depths.push(depth);
        match key {
            Some(key) => self.graph.insert(key, node),
            None => self.graph.add(node),
        }
    }

    fn depth_below(&self, parent: NodeId) -> u8 {
        self.depths[parent.place()] + 1
    }

    fn connect(&mut self, parent: NodeId, to: NodeId, platform: Option<Platform>, care: Care) {
        self.graph.connect(parent, Edge { to, platform, care });
    }

    /// The run ends: what was asked got no answer in time, the rest was not asked.
    fn give_up(&mut self, references: &[Reference], asked: &HashSet<NodeId>, reason: &str) {
        for (at, reference) in references.iter().enumerate() {
            if self.roots[at].is_none() {
                let mut node = new_node(reference.digest.clone(), Kind::Manifest, "");
                node.outcome = Outcome::unasked(Verdict::Unavailable, reason);
                self.roots[at] = Some(self.insert(None, node, 0));
            }
        }
        let open: Vec<NodeId> = self
            .graph
            .iter()
            .filter(|(_, node)| node.outcome.verdict == Verdict::NotChecked)
            .map(|(id, _)| id)
            .collect();
        for id in open {
            let verdict = if asked.contains(&id) { Verdict::Unavailable } else { Verdict::NotChecked };
            self.graph.node_mut(id).outcome = Outcome::unasked(verdict, reason);
        }
    }
}

fn new_node(digest: Option<Digest>, kind: Kind, media_type: &str) -> Node {
    Node {
        digest,
        written: None,
        kind,
        media_type: media_type.into(),
        size: None,
        platform: None,
        parents: Vec::new(),
        children: Vec::new(),
        outcome: Outcome::unasked(Verdict::NotChecked, ""),
    }
}

fn unasked<T>(answer: Result<T, crate::source::Fault>) -> Asked<T> {
    Asked { answer, status: None, attempts: 0, duration: std::time::Duration::ZERO, appeared_after: None }
}

/// What a tag resolves to: the digest the registry claims, when the bytes bear it out, else their SHA-256.
fn true_digest(manifest: &Manifest) -> Option<Digest> {
    let Body::Whole(bytes) = &manifest.body else { return None };
    let claimed = manifest.claimed.as_deref().and_then(|claimed| claimed.parse::<Digest>().ok());
    claimed
        .filter(|claimed| digest::of_bytes(bytes, claimed).as_ref() == Some(claimed))
        .or_else(|| Some(digest::sha256(bytes)))
}
