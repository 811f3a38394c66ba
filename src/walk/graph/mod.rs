//! What a walk found: every digest of a repository that the images refer to, each once, and who refers to it.
//!
//! A hostile repository can make it large, so a node is a few numbers: 88 bytes, and 20 for each
//! reference. What is asked for as [`Node`] or [`Edge`] is a view on them.

mod name;
mod pool;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash as _, Hasher as _, RandomState};
use std::time::{Duration, SystemTime};

use hashbrown::HashTable;
use oci_spec::image::Digest;

use self::name::{Name, Names};
use self::pool::Pool;
use crate::oci::client::Clients;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::walk::cause::{Bound, Cause};
use crate::walk::verdict::{Outcome, Verdict, judge_refusal};

/// The most nodes of one image that are followed.
pub(crate) const MAX_NODES: usize = 100_000;

/// The most references between them.
pub(crate) const MAX_REFERENCES: usize = 400_000;

/// The most bytes of media types and platforms, each counted once.
pub(crate) const MAX_TEXT: usize = 4 * 1024 * 1024;

/// What each image more makes room for: ten platforms with ten layers of their own.
const NODES_MORE: usize = 200;
const REFERENCES_MORE: usize = 400;
const TEXT_MORE: usize = 16 * 1024;

/// The most room that digests and foreign texts in causes may take, in bytes; beyond it only types
/// and numbers are kept.
const MAX_CAUSES: usize = 1024 * 1024;

/// The longest media type or malformed digest that is shown, in characters: a legal media type has 255.
const LONGEST_TEXT: usize = 300;

/// The longest part of a platform that is shown, in characters.
const LONGEST_PART: usize = 100;

/// The longest foreign text in a cause that is shown, in characters.
const LONGEST_WORDS: usize = 300;

/// Of how many configs it is noted when their images were built.
const MOST_DATES: usize = 20_000;

/// No node, no reference.
const NONE: u32 = u32::MAX;

/// The place of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The place as a number, from 0 in the order of discovery.
    #[must_use]
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// How much a parent's owner cares about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Care {
    /// A broken child breaks the image.
    Check,
    /// A broken child is reported and breaks nothing.
    Warn,
}

/// A reference from a manifest to one of its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<'g> {
    /// The child.
    pub to: NodeId,
    /// The platform that an index states for this child.
    pub platform: Option<&'g Platform>,
    /// Whether the child's faults count.
    pub care: Care,
}

/// A node that is about to be added.
#[derive(Clone, Debug)]
pub struct Found {
    /// The digest; `None` for a tag that could not be resolved.
    pub digest: Option<Digest>,
    /// The digest as it was written, when it is not a digest at all.
    pub written: Option<String>,
    /// What it is for.
    pub kind: Kind,
    /// The media type that the parent states, else the one the registry answered with; empty when nobody says.
    pub media_type: String,
    /// The size in bytes that the parent promises, else the size that came.
    pub size: Option<u64>,
    /// The platform of a manifest: what its index states, else what its config states.
    pub platform: Option<Platform>,
    /// What was found; [`Verdict::NotChecked`] until the answer is there.
    pub outcome: Outcome,
}

/// What identifies a question: the same digest with another promised size, or asked for at the other endpoint, is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Asked at `/manifests/` (true) or `/blobs/` (false).
    pub manifest: bool,
    /// Fetched whole and hashed at every depth.
    pub whole: bool,
    /// The digest.
    pub digest: &'a Digest,
    /// The promised size in bytes.
    pub size: Option<u64>,
}

/// A node as it is kept. The numbers are those of values in a [`Pool`], and places of nodes and edges.
#[derive(Debug)]
struct Slot {
    name: Name,
    kind: Kind,
    verdict: Verdict,
    /// Where and how its digest is asked for, and whether it has a size; see [`asked_at`].
    asked_at: u8,
    /// The clients that refuse its form, and once it is definitely wrong, all that it stops.
    stops: Clients,
    /// 0 for none.
    status: u16,
    attempts: u32,
    milliseconds: u32,
    cause: u32,
    written: u32,
    media_type: u32,
    platform: u32,
    size: u64,
    first_child: u32,
    last_child: u32,
    first_parent: u32,
    last_parent: u32,
}

impl Slot {
    fn size(&self) -> Option<u64> {
        Some(self.size).filter(|_| self.asked_at & SIZED != 0)
    }
}

/// A reference as it is kept: a link in the list of its parent's children, and in that of its child's parents.
#[derive(Debug)]
struct Link {
    from: u32,
    to: u32,
    next_child: u32,
    next_parent: u32,
    /// The platform's number, doubled, and whether faults count.
    platform_and_care: u32,
}

/// All nodes of one repository that the images of a run refer to.
#[derive(Debug, Default)]
pub struct Graph {
    slots: Vec<Slot>,
    links: Vec<Link>,
    known: HashTable<u32>,
    state: RandomState,
    names: Names,
    texts: Pool<Box<str>>,
    platforms: Pool<Option<Platform>>,
    causes: Pool<Cause>,
    /// The room of texts and platforms, in bytes.
    text_room: usize,
    /// How many images share it.
    images: usize,
    /// The room of causes beside their own, in bytes.
    cause_room: usize,
    /// When configs say that their images were built.
    created: HashMap<NodeId, SystemTime>,
    subjects: HashMap<NodeId, Name>,
}

/// One digest of one repository.
#[derive(Clone, Copy)]
pub struct Node<'g> {
    graph: &'g Graph,
    slot: &'g Slot,
}

impl<'g> Node<'g> {
    /// The digest; `None` for a tag that could not be resolved.
    #[must_use]
    pub fn digest(self) -> Option<Digest> {
        self.graph.names.digest(self.slot.name)
    }

    /// The first bytes of its hash, which tell it from every other; `None` for a digest by an
    /// algorithm that nobody knows, too.
    #[must_use]
    pub fn hash_start(self) -> Option<[u8; 16]> {
        self.graph.names.start(self.slot.name)
    }

    /// Whether this is its digest.
    #[must_use]
    pub fn has_digest(self, digest: &Digest) -> bool {
        self.graph.names.is(self.slot.name, digest)
    }

    /// Whether it has no digest.
    #[must_use]
    pub fn is_nameless(self) -> bool {
        self.slot.name == Name::None
    }

    /// The digest as it was written, when it is not a digest at all.
    #[must_use]
    pub fn written(self) -> Option<&'g str> {
        Some(&**self.graph.texts.get(self.slot.written)).filter(|text| !text.is_empty())
    }

    /// What it is for.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.slot.kind
    }

    /// The media type that the parent states, else the one the registry answered with; empty when nobody says.
    #[must_use]
    pub fn media_type(self) -> &'g str {
        self.graph.texts.get(self.slot.media_type)
    }

    /// The size in bytes that the parent promises, else the size that came.
    #[must_use]
    pub fn size(self) -> Option<u64> {
        self.slot.size()
    }

    /// The platform of a manifest: what its index states, else what its config states.
    #[must_use]
    pub fn platform(self) -> Option<&'g Platform> {
        self.graph.platforms.get(self.slot.platform).as_ref()
    }

    /// Who refers to it, in the order of discovery.
    pub fn parents(self) -> impl Iterator<Item = NodeId> + use<'g> {
        let links = &self.graph.links;
        let mut next = self.slot.first_parent;
        let mut last = NONE;
        std::iter::from_fn(move || {
            loop {
                let link = links.get(next as usize)?;
                next = link.next_parent;
                // A parent's references are added in one go, so looking at the last one is enough.
                if std::mem::replace(&mut last, link.from) != link.from {
                    return Some(NodeId(link.from));
                }
            }
        })
    }

    /// What it refers to, in its own order.
    pub fn children(self) -> impl Iterator<Item = Edge<'g>> + Clone + use<'g> {
        let (links, platforms) = (&self.graph.links, &self.graph.platforms);
        let first = links.get(self.slot.first_child as usize);
        std::iter::successors(first, |link| links.get(link.next_child as usize)).map(|link| Edge {
            to: NodeId(link.to),
            platform: platforms.get(link.platform_and_care / 2).as_ref(),
            care: if link.platform_and_care % 2 == 0 {
                Care::Check
            } else {
                Care::Warn
            },
        })
    }

    /// Whether it refers to nothing.
    #[must_use]
    pub fn is_leaf(self) -> bool {
        self.slot.first_child == NONE
    }

    /// The judgement; [`Verdict::NotChecked`] until the answer is there.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.slot.verdict
    }

    /// The clients that it stops: none unless it is definitely wrong.
    #[must_use]
    pub fn stops(self) -> Clients {
        match self.cause() {
            Cause::FailsAlone(_) => Clients::ALL,
            _ if self.verdict().is_definite() => self.slot.stops,
            _ => Clients::NONE,
        }
    }

    /// Whether its content is definitely missing or damaged, and not only of a form that is refused.
    #[must_use]
    pub fn is_lost(self) -> bool {
        match self.cause() {
            Cause::FailsAlone(_) => true,
            Cause::MisstatedSize { .. } | Cause::InlineWrong(_) => false,
            _ => {
                let verdict = self.verdict();
                let is_refused = matches!(verdict, Verdict::Malformed | Verdict::Unsupported);
                verdict.is_definite() && !is_refused
            }
        }
    }

    /// Why the verdict is what it is.
    #[must_use]
    pub fn cause(self) -> &'g Cause {
        self.graph.causes.get(self.slot.cause)
    }

    /// The HTTP status of the answer that decided, if there was one.
    #[must_use]
    pub fn status(self) -> Option<u16> {
        Some(self.slot.status).filter(|status| *status != 0)
    }

    /// How many requests this one question took; 0 when none was sent.
    #[must_use]
    pub fn attempts(self) -> u32 {
        self.slot.attempts
    }

    /// From the first request to the last byte of the last answer, in whole milliseconds.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.slot.milliseconds.into())
    }
}

impl Graph {
    /// A graph that so many images will share, with room for each of them.
    #[must_use]
    pub fn for_images(images: usize) -> Self {
        Self {
            images,
            ..Self::default()
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing was found yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The node at `id`.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Node<'_> {
        Node {
            graph: self,
            slot: &self.slots[id.place()],
        }
    }

    /// Every node with its place, in the order of discovery.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, Node<'_>)> {
        (0..)
            .map(NodeId)
            .zip(self.slots.iter().map(|slot| Node { graph: self, slot }))
    }

    /// Every place, in the order of discovery.
    ///
    /// # Panics
    /// As [`Graph::add`].
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.slots.len()).expect("the walk stops at 100,000 nodes")).map(NodeId)
    }

    /// What there would be too much of with `more` references, if anything.
    #[must_use]
    pub fn has_no_room_for(&self, more: usize) -> Option<Bound> {
        let others = self.images.saturating_sub(1);
        if self.slots.len() + more > MAX_NODES + others * NODES_MORE {
            Some(Bound::Nodes)
        } else if self.links.len() + more > MAX_REFERENCES + others * REFERENCES_MORE {
            Some(Bound::References)
        } else {
            (self.text_room > MAX_TEXT + others * TEXT_MORE).then_some(Bound::Text)
        }
    }

    /// Whether a blob is fetched whole at every depth.
    #[must_use]
    pub fn is_whole(&self, id: NodeId) -> bool {
        self.slots[id.place()].asked_at & WHOLE != 0
    }

    /// The node that answers `key`, if one does.
    #[must_use]
    pub fn find(&self, key: &Key<'_>) -> Option<NodeId> {
        let asked_at = asked_at(key.manifest, key.whole, key.size);
        let mut hasher = self.state.build_hasher();
        (asked_at, key.size.unwrap_or_default()).hash(&mut hasher);
        name::hash(key.digest, &mut hasher);
        let is_it = |place: &u32| {
            let slot = &self.slots[*place as usize];
            (slot.asked_at, slot.size()) == (asked_at, key.size)
                && self.names.is(slot.name, key.digest)
        };
        self.known
            .find(hasher.finish(), is_it)
            .map(|place| NodeId(*place))
    }

    /// Adds a node that no key leads to: an unresolved tag, an unreadable descriptor.
    ///
    /// # Panics
    /// When there are more than `u32::MAX` nodes; the walk stops long before.
    pub fn add(&mut self, found: &Found) -> NodeId {
        let id = NodeId(u32::try_from(self.slots.len()).expect("the walk stops at 100,000 nodes"));
        let written = self.text(found.written.as_deref().unwrap_or_default());
        let media_type = self.text(&found.media_type);
        let platform = self.platform(found.platform.as_ref());
        self.slots.push(Slot {
            name: self.names.name(found.digest.as_ref()),
            kind: found.kind,
            verdict: Verdict::NotChecked,
            asked_at: asked_at(false, false, found.size),
            stops: Clients::NONE,
            status: 0,
            attempts: 0,
            milliseconds: 0,
            cause: 0,
            written,
            media_type,
            platform,
            size: found.size.unwrap_or_default(),
            first_child: NONE,
            last_child: NONE,
            first_parent: NONE,
            last_parent: NONE,
        });
        self.set_outcome(id, &found.outcome);
        id
    }

    /// Adds a node that its digest and size lead to from now on, for questions at the manifests' or the blobs' endpoint.
    pub fn insert(&mut self, manifest: bool, whole: bool, found: &Found) -> NodeId {
        let id = self.add(found);
        self.slots[id.place()].asked_at = asked_at(manifest, whole, found.size);
        let (slots, names, state) = (&self.slots, &self.names, &self.state);
        let hash = |place: &u32| {
            let slot = &slots[*place as usize];
            let mut hasher = state.build_hasher();
            (slot.asked_at, slot.size).hash(&mut hasher);
            names.hash(slot.name, &mut hasher);
            hasher.finish()
        };
        self.known.insert_unique(hash(&id.0), id.0, hash);
        id
    }

    /// Notes that `parent` refers to a child.
    ///
    /// # Panics
    /// When there are more than `u32::MAX` references; the walk stops long before.
    pub fn connect(&mut self, parent: NodeId, to: NodeId, platform: Option<&Platform>, care: Care) {
        let link = u32::try_from(self.links.len()).expect("the walk stops at 400,000 references");
        let platform = self.platform(platform);
        self.links.push(Link {
            from: parent.0,
            to: to.0,
            next_child: NONE,
            next_parent: NONE,
            platform_and_care: platform * 2 + u32::from(care == Care::Warn),
        });
        let from = &mut self.slots[parent.place()];
        match std::mem::replace(&mut from.last_child, link) {
            NONE => from.first_child = link,
            before => self.links[before as usize].next_child = link,
        }
        let child = &mut self.slots[to.place()];
        match std::mem::replace(&mut child.last_parent, link) {
            NONE => child.first_parent = link,
            before => self.links[before as usize].next_parent = link,
        }
    }

    /// Writes what was found. Content that is fine stays refused by those who refuse its form.
    pub fn set_outcome(&mut self, id: NodeId, outcome: &Outcome) {
        let cause = self.cause(&outcome.cause);
        let slot = &mut self.slots[id.place()];
        let is_refused = !slot.stops.is_empty();
        match outcome.verdict {
            Verdict::NotChecked if is_refused => slot.verdict = Verdict::NotChecked,
            Verdict::Ok | Verdict::Skipped if is_refused => {
                slot.verdict = judge_refusal(self.causes.get(slot.cause));
            }
            verdict => (slot.verdict, slot.cause) = (verdict, cause),
        }
        if outcome.verdict.is_definite() {
            slot.stops = slot.stops.and(outcome.cause.stops(slot.kind));
        }
        slot.status = outcome.status.unwrap_or_default();
        slot.attempts = outcome.attempts;
        slot.milliseconds = u32::try_from(outcome.duration.as_millis()).unwrap_or(u32::MAX);
    }

    /// Notes that these clients refuse its form; it counts unless the content itself is wrong.
    ///
    /// The reason that is kept is the first one, or the first that stops one of `counted`.
    pub fn refuse(&mut self, id: NodeId, why: &Cause, stops: Clients, counted: Clients) {
        let slot = &self.slots[id.place()];
        let is_content_wrong = match slot.verdict {
            Verdict::Ok | Verdict::Skipped | Verdict::NotChecked => false,
            verdict => verdict.is_undecided() || slot.stops == Clients::ALL,
        };
        if is_content_wrong {
            return;
        }
        let is_first = slot.stops.is_empty();
        let counts_more = stops.meet(counted) && !slot.stops.meet(counted);
        let cause = (is_first || counts_more).then(|| self.cause(why));
        let slot = &mut self.slots[id.place()];
        slot.stops = slot.stops.and(stops);
        slot.cause = cause.unwrap_or(slot.cause);
        if slot.verdict != Verdict::NotChecked {
            slot.verdict = judge_refusal(self.causes.get(slot.cause));
        }
    }

    /// Writes what a manifest turned out to be.
    pub fn set_document(&mut self, id: NodeId, kind: Kind, media_type: &str) {
        let media_type = self.text(media_type);
        let slot = &mut self.slots[id.place()];
        (slot.kind, slot.media_type) = (kind, media_type);
    }

    /// Writes for which platform it is.
    pub fn set_platform(&mut self, id: NodeId, platform: Option<&Platform>) {
        self.slots[id.place()].platform = self.platform(platform);
    }

    /// Writes when a config says that its image was built; so of the first configs alone.
    pub fn set_created(&mut self, id: NodeId, created: SystemTime) {
        if self.created.len() < MOST_DATES {
            self.created.insert(id, created);
        }
    }

    /// When an image was built: its last platform, as far as its configs say.
    #[must_use]
    pub fn created(&self, root: NodeId) -> Option<SystemTime> {
        if self.created.is_empty() {
            return None;
        }
        let below = self.reachable(root).into_iter();
        below.filter_map(|id| self.created.get(&id)).max().copied()
    }

    /// Writes which manifest this one names as its subject.
    pub fn set_subject(&mut self, id: NodeId, subject: &Digest) {
        let name = self.names.name(Some(subject));
        self.subjects.insert(id, name);
    }

    /// The manifest that this one names as its subject.
    #[must_use]
    pub fn subject(&self, id: NodeId) -> Option<Digest> {
        self.names.digest(*self.subjects.get(&id)?)
    }

    /// Ends the walk: every foreign text is redacted, and then cut to what is ever shown.
    pub fn finish(&mut self, redact: impl Fn(&str) -> String) {
        let finished = |text: &str, longest| cut(&redact(text), longest).into_boxed_str();
        for text in self.texts.change() {
            *text = finished(text, LONGEST_TEXT);
        }
        for Platform {
            os,
            architecture,
            variant,
        } in self.platforms.change().flatten()
        {
            let parts = [Some(os), Some(architecture), variant.as_mut()];
            for part in parts.into_iter().flatten() {
                *part = finished(part, LONGEST_PART);
            }
        }
        for cause in self.causes.change() {
            for text in cause.texts() {
                *text = finished(text, LONGEST_WORDS);
            }
        }
        self.hide_digests(&redact);
    }

    /// A registry can list a digest that it did not compute: sixty-four hexadecimal digits, some
    /// of which are a secret.
    fn hide_digests(&mut self, redact: &impl Fn(&str) -> String) {
        // The digits of a short secret are in many digests by chance.
        const SHORTEST: usize = 8;
        let hidden = |digest: &Digest| {
            let shown = redact(digest.as_ref());
            (shown.len() + SHORTEST <= digest.as_ref().len()).then_some(shown)
        };
        for place in 0..self.slots.len() {
            let digest = self.names.digest(self.slots[place].name);
            if let Some(shown) = digest.and_then(|digest| hidden(&digest)) {
                self.slots[place].written = self.text(&shown);
                self.slots[place].name = Name::None;
            }
        }
    }

    fn text(&mut self, text: &str) -> u32 {
        let text: Box<str> = text.into();
        self.texts.find(&text).unwrap_or_else(|| {
            self.text_room += size_of::<Box<str>>() + allocated(text.len());
            self.texts.add(text)
        })
    }

    fn platform(&mut self, platform: Option<&Platform>) -> u32 {
        let platform = platform.cloned();
        self.platforms.find(&platform).unwrap_or_else(|| {
            self.text_room += size_of::<Platform>() + platform.as_ref().map_or(0, room);
            self.platforms.add(platform)
        })
    }

    fn cause(&mut self, cause: &Cause) -> u32 {
        if let Some(known) = self.causes.find(cause) {
            return known;
        }
        let room = cause.room();
        if self.cause_room + room <= MAX_CAUSES {
            self.cause_room += room;
            return self.causes.add(cause.clone());
        }
        // A half of a text could hold half of a secret, which nothing would recognise: all or none.
        let short = cause.clone().in_short();
        (self.causes.find(&short)).unwrap_or_else(|| self.causes.add(short))
    }

    /// Every node that can be reached from `root`, itself first, depth first in the image's own order, each once.
    #[must_use]
    pub fn reachable(&self, root: NodeId) -> Vec<NodeId> {
        self.collect(root, |_| true)
    }

    /// As [`Graph::reachable`], along references whose faults count.
    #[must_use]
    pub fn required(&self, root: NodeId) -> Vec<NodeId> {
        self.collect(root, |edge| edge.care == Care::Check)
    }

    fn collect(&self, root: NodeId, follow: impl Fn(&Edge<'_>) -> bool) -> Vec<NodeId> {
        let mut seen = vec![false; self.slots.len()];
        let mut order = Vec::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.place()], true) {
                continue;
            }
            order.push(id);
            let first = stack.len();
            let unseen = self
                .node(id)
                .children()
                .filter(|edge| follow(edge) && !seen[edge.to.place()]);
            stack.extend(unseen.map(|edge| edge.to));
            stack[first..].reverse();
        }
        order
    }

    /// An order of nodes in which those of one digest are equal; those without a digest are equal to themselves alone.
    #[must_use]
    pub fn compare_digests(&self, one: NodeId, other: NodeId) -> Ordering {
        let names = [one, other].map(|id| self.slots[id.place()].name);
        let order = self.names.compare(names[0], names[1]);
        if names == [Name::None; 2] {
            one.cmp(&other)
        } else {
            order
        }
    }

    /// How many digests these nodes have; their order is lost.
    #[must_use]
    pub fn distinct_digests(&self, nodes: &mut [NodeId]) -> usize {
        nodes.sort_unstable_by(|one, other| self.compare_digests(*one, *other));
        let same = |pair: &[NodeId]| self.compare_digests(pair[0], pair[1]).is_eq();
        nodes.len() - nodes.windows(2).filter(|pair| same(pair)).count()
    }

    /// How many nodes have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.verdict == verdict)
            .count()
    }
}

/// A foreign text as it is shown: redacted, and then cut.
pub(super) fn finished(text: &str, redact: impl Fn(&str) -> String) -> Box<str> {
    cut(&redact(text), LONGEST_TEXT).into_boxed_str()
}

/// The beginning of a text.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// How much an allocator needs for so many bytes: 16 at a time, after a word of its own.
fn allocated(length: usize) -> usize {
    match length {
        0 => 0,
        _ => (length + size_of::<usize>()).next_multiple_of(16).max(32),
    }
}

fn room(platform: &Platform) -> usize {
    let parts = [
        Some(&platform.os),
        Some(&platform.architecture),
        platform.variant.as_ref(),
    ];
    parts
        .into_iter()
        .flatten()
        .map(|part| allocated(part.len()))
        .sum()
}

/// The bit of [`asked_at`] for content that is fetched whole.
const WHOLE: u8 = 2;

/// The bit of [`asked_at`] for a size.
const SIZED: u8 = 4;

/// One number for where and how a digest is asked for (at the manifests' endpoint or not, whole or not), and whether its size is
/// known.
fn asked_at(manifest: bool, whole: bool, size: Option<u64>) -> u8 {
    u8::from(manifest) + WHOLE * u8::from(whole) + if size.is_some() { SIZED } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::client::Client;
    use crate::oci::digest::sha256;
    use crate::oci::flaw::Flaw;
    use crate::walk::cause::{Place, Trouble};

    fn found(name: &str) -> Found {
        Found {
            digest: Some(sha256(name.as_bytes())),
            written: None,
            kind: Kind::Layer,
            media_type: String::new(),
            size: None,
            platform: None,
            outcome: Outcome::unasked(Verdict::Ok, Cause::Plain),
        }
    }

    /// A root with two children that share a grandchild, and a child that nobody minds with one of its own.
    fn family() -> (Graph, [NodeId; 6]) {
        let mut graph = Graph::default();
        let ids = ["root", "left", "right", "shared", "minor", "below minor"]
            .map(|name| graph.add(&found(name)));
        let [root, left, right, shared, minor, below] = ids;
        graph.connect(root, left, None, Care::Check);
        graph.connect(root, right, None, Care::Check);
        graph.connect(root, minor, None, Care::Warn);
        graph.connect(left, shared, None, Care::Check);
        graph.connect(right, shared, None, Care::Check);
        graph.connect(minor, below, None, Care::Check);
        (graph, ids)
    }

    #[test]
    fn a_node_takes_the_room_that_is_promised() {
        assert_eq!((size_of::<Slot>(), size_of::<Link>()), (88, 20));
    }

    #[test]
    fn everything_reachable_comes_once_in_the_images_own_order() {
        let (graph, [root, left, right, shared, minor, below]) = family();
        assert_eq!(
            graph.reachable(root),
            [root, left, shared, right, minor, below]
        );
        assert_eq!(graph.reachable(right), [right, shared]);
    }

    #[test]
    fn a_refused_form_stops_some_clients_and_lost_content_all() {
        let (podman, containerd) = (Clients::of(&[Client::Podman]), Clients::CONTAINERD);
        let rare = || Cause::Unusable(Flaw::RareAlgorithm("sha512".into()));
        let sizeless = || Cause::Unusable(Flaw::NoSize);
        let found = |refused_by: &[(Cause, Clients)], verdict| {
            let mut graph = Graph::default();
            let id = graph.add(&found("x"));
            graph.set_outcome(id, &Outcome::unasked(Verdict::NotChecked, Cause::Plain));
            for (why, stops) in refused_by {
                graph.refuse(id, why, *stops, containerd);
            }
            let cause = if verdict == Verdict::Missing {
                Cause::TooDeep
            } else {
                Cause::Plain
            };
            graph.set_outcome(id, &Outcome::unasked(verdict, cause));
            let node = graph.node(id);
            (node.verdict(), node.cause().clone(), node.stops())
        };
        let both = podman.and(containerd);
        let refusals = [(rare(), podman), (sizeless(), containerd)];
        assert_eq!(
            found(&[], Verdict::Ok),
            (Verdict::Ok, Cause::Plain, Clients::NONE)
        );
        assert_eq!(
            found(&refusals[..1], Verdict::Ok),
            (Verdict::Unsupported, rare(), podman)
        );
        assert_eq!(
            found(&refusals, Verdict::Ok),
            (Verdict::Malformed, sizeless(), both),
            "the reason of who counts"
        );
        assert_eq!(
            found(&refusals, Verdict::Missing),
            (Verdict::Missing, Cause::TooDeep, Clients::ALL)
        );
        assert_eq!(
            found(&refusals, Verdict::Unavailable),
            (Verdict::Unavailable, Cause::Plain, Clients::NONE)
        );
    }

    #[test]
    fn what_only_a_minor_child_needs_is_not_required() {
        let (graph, [root, left, right, shared, ..]) = family();
        assert_eq!(graph.required(root), [root, left, shared, right]);
    }

    #[test]
    fn a_child_knows_each_parent_once_and_keeps_every_place_in_its_parents_list() {
        let mut graph = Graph::default();
        let [parent, other, child] =
            ["parent", "other", "child"].map(|name| graph.add(&found(name)));
        let amd64 = "linux/amd64".parse().unwrap();
        graph.connect(parent, child, Some(&amd64), Care::Check);
        graph.connect(parent, child, None, Care::Warn);
        graph.connect(other, child, None, Care::Check);
        assert_eq!(
            graph.node(child).parents().collect::<Vec<_>>(),
            [parent, other]
        );
        let edge = |platform, care| Edge {
            to: child,
            platform,
            care,
        };
        let edges = [edge(Some(&amd64), Care::Check), edge(None, Care::Warn)];
        assert_eq!(graph.node(parent).children().collect::<Vec<_>>(), edges);
        assert!(graph.node(child).is_leaf() && !graph.node(parent).is_leaf());
    }

    #[test]
    fn what_is_written_is_read() {
        let mut graph = Graph::default();
        let amd64: Platform = "linux/amd64".parse().unwrap();
        let outcome = Outcome {
            verdict: Verdict::Missing,
            cause: words("not there"),
            status: Some(404),
            attempts: 5,
            duration: Duration::from_millis(15_100),
        };
        let written = Found {
            digest: None,
            written: Some("sha256:x".into()),
            size: Some(u64::MAX),
            ..found("")
        };
        let id = graph.add(&Found {
            platform: Some(amd64.clone()),
            media_type: "a/b".into(),
            outcome,
            ..written
        });
        let node = graph.node(id);
        assert_eq!(
            (node.digest(), node.written(), node.is_nameless()),
            (None, Some("sha256:x"), true)
        );
        assert_eq!(
            (node.kind(), node.media_type(), node.size()),
            (Kind::Layer, "a/b", Some(u64::MAX))
        );
        assert_eq!(
            (node.platform(), node.verdict(), node.cause()),
            (Some(&amd64), Verdict::Missing, &words("not there"))
        );
        assert_eq!(
            (node.status(), node.attempts(), node.duration().as_millis()),
            (Some(404), 5, 15_100)
        );
        graph.set_document(id, Kind::Index, "c/d");
        graph.set_platform(id, None);
        let node = graph.node(id);
        assert_eq!(
            (node.kind(), node.media_type(), node.platform()),
            (Kind::Index, "c/d", None)
        );
        let plain = graph.add(&found("x"));
        let node = graph.node(plain);
        assert_eq!(
            (node.digest(), node.written(), node.is_nameless()),
            (Some(sha256(b"x")), None, false)
        );
        assert_eq!(
            (node.size(), node.platform(), node.status()),
            (None, None, None)
        );
    }

    #[test]
    fn a_key_finds_its_node_and_differs_by_size_and_endpoint() {
        let mut graph = Graph::default();
        assert!(graph.is_empty());
        let digest = sha256(b"x");
        let key = Key {
            manifest: true,
            whole: false,
            digest: &digest,
            size: Some(1),
        };
        let id = graph.insert(
            true,
            false,
            &Found {
                size: Some(1),
                ..found("x")
            },
        );
        for other in 0..1000 {
            graph.insert(false, false, &found(&other.to_string()));
        }
        assert_eq!((graph.len(), graph.is_empty()), (1001, false));
        assert_eq!(graph.find(&key), Some(id));
        assert!(graph.node(id).has_digest(&digest) && !graph.node(id).has_digest(&sha256(b"y")));
        assert_eq!(
            graph.find(&Key {
                size: Some(2),
                ..key
            }),
            None
        );
        assert_eq!(
            graph.find(&Key {
                manifest: false,
                ..key
            }),
            None
        );
        assert_eq!(graph.find(&Key { whole: true, ..key }), None);
    }

    #[test]
    fn every_question_about_many_digests_finds_its_own_node() {
        let mut graph = Graph::default();
        let digests: Vec<Digest> = (0..200).map(|number: u8| sha256(&[number])).collect();
        let key = |digest, manifest, whole, size| Key {
            manifest,
            whole,
            digest,
            size,
        };
        let questions = |digest| {
            [None, Some(0), Some(1)].into_iter().flat_map(move |size| {
                [(false, false), (false, true), (true, false)]
                    .map(|(manifest, whole)| key(digest, manifest, whole, size))
            })
        };
        let keys: Vec<Key<'_>> = digests.iter().flat_map(questions).collect();
        for key in &keys {
            assert_eq!(graph.find(key), None);
            let found = Found {
                digest: Some(key.digest.clone()),
                size: key.size,
                ..found("")
            };
            graph.insert(key.manifest, key.whole, &found);
        }
        assert!(
            keys.iter()
                .map(|key| graph.find(key).unwrap())
                .eq(graph.ids())
        );
    }

    #[test]
    fn nodes_are_compared_by_digest_and_those_without_one_by_place() {
        let mut graph = Graph::default();
        let nameless = Found {
            digest: None,
            ..found("")
        };
        let [x, same, y, none, other] =
            [&found("x"), &found("x"), &found("y"), &nameless, &nameless].map(|one| graph.add(one));
        assert_eq!(graph.compare_digests(x, same), Ordering::Equal);
        assert_eq!(graph.compare_digests(none, none), Ordering::Equal);
        for (one, two) in [(x, y), (none, other), (none, x)] {
            assert_eq!(
                graph.compare_digests(one, two),
                graph.compare_digests(two, one).reverse()
            );
            assert_ne!(graph.compare_digests(one, two), Ordering::Equal);
        }
    }

    #[test]
    fn room_ends_with_nodes_references_or_words() {
        let (mut graph, [root, left, ..]) = family();
        assert_eq!(graph.has_no_room_for(MAX_NODES - 6), None);
        assert_eq!(graph.has_no_room_for(MAX_NODES - 5), Some(Bound::Nodes));
        for _ in 0..MAX_REFERENCES - 10 {
            graph.connect(root, left, None, Care::Check);
        }
        assert_eq!(graph.has_no_room_for(4), None);
        assert_eq!(graph.has_no_room_for(5), Some(Bound::References));
        let platform: Platform = "linux/amd64".parse().unwrap();
        let mut graph = Graph::default();
        graph.add(&Found {
            platform: Some(platform.clone()),
            ..found("x")
        });
        let word = size_of::<usize>();
        let left_over = MAX_TEXT - size_of::<Platform>() - 2 * 32 - size_of::<Box<str>>() - word;
        graph.add(&Found {
            media_type: "x".repeat(left_over),
            ..found("y")
        });
        assert_eq!(graph.has_no_room_for(0), None);
        graph.add(&Found {
            media_type: "y".into(),
            ..found("z")
        });
        assert_eq!(graph.has_no_room_for(0), Some(Bound::Text));
    }

    #[test]
    fn nodes_are_numbered_from_nought_and_counted_by_verdict() {
        let (mut graph, ids) = family();
        assert_eq!(ids.map(NodeId::place), [0, 1, 2, 3, 4, 5]);
        graph.set_outcome(ids[1], &Outcome::unasked(Verdict::Missing, Cause::Plain));
        assert_eq!(
            (graph.count(Verdict::Missing), graph.count(Verdict::Ok)),
            (1, 5)
        );
        assert!(graph.iter().map(|(id, _)| id).eq(ids) && graph.ids().eq(ids));
    }

    fn words(text: &str) -> Cause {
        Cause::Unreached {
            trouble: Trouble::UnknownHost,
            place: Place::Registry,
            words: text.into(),
        }
    }

    fn with_cause(graph: &mut Graph, cause: Cause) -> NodeId {
        graph.add(&Found {
            outcome: Outcome::unasked(Verdict::Unavailable, cause),
            ..found("x")
        })
    }

    #[test]
    fn texts_are_redacted_before_they_are_cut() {
        let mut graph = Graph::default();
        let long = |longest: usize| format!("{}hunter2-hunter2", "x".repeat(longest - 10));
        let platform = Platform {
            os: long(LONGEST_PART).into(),
            architecture: "hunter2-hunter2".into(),
            variant: Some("v8".into()),
        };
        let id = graph.add(&Found {
            written: Some(long(LONGEST_TEXT)),
            media_type: long(LONGEST_TEXT),
            platform: Some(platform),
            outcome: Outcome::unasked(Verdict::Unavailable, words(&long(LONGEST_WORDS))),
            ..found("x")
        });
        let inner = Cause::OnlyByTag(Box::new(words("hunter2-hunter2")));
        let nested = with_cause(&mut graph, inner);
        graph.finish(|text| text.replace("hunter2-hunter2", "[secret]"));
        let node = graph.node(id);
        let shown = |longest: usize| format!("{}[secret]", "x".repeat(longest - 10));
        assert_eq!(node.written(), Some(&*shown(LONGEST_TEXT)));
        assert_eq!(node.media_type(), shown(LONGEST_TEXT));
        assert_eq!(node.cause(), &words(&shown(LONGEST_WORDS)));
        let platform = node.platform().unwrap();
        assert_eq!(&*platform.os, shown(LONGEST_PART));
        assert_eq!(&*platform.architecture, "[secret]");
        let inner = Cause::OnlyByTag(Box::new(words("[secret]")));
        assert_eq!(graph.node(nested).cause(), &inner);
    }

    #[test]
    fn a_long_text_is_cut_when_the_walk_ends() {
        let mut graph = Graph::default();
        let id = with_cause(&mut graph, words(&"é".repeat(LONGEST_WORDS + 1)));
        graph.finish(str::to_owned);
        let cut = format!("{}…", "é".repeat(LONGEST_WORDS));
        assert_eq!(graph.node(id).cause(), &words(&cut));
    }

    #[test]
    fn causes_keep_type_and_numbers_when_their_texts_have_no_room() {
        let mut graph = Graph::default();
        let whole = |number| words(&format!("{number:512}"));
        for number in 0..2048 {
            let id = with_cause(&mut graph, whole(number));
            assert_eq!(graph.node(id).cause(), &whole(number));
        }
        let late = with_cause(&mut graph, whole(2048));
        assert_eq!(graph.node(late).cause(), &words(""));
        let (expected, actual) = (1_500_000, 7);
        let size = Cause::OtherSize { expected, actual };
        let id = with_cause(&mut graph, size.clone());
        assert_eq!(graph.node(id).cause(), &size);
        let digest = Cause::OtherDigest {
            size: Some(7),
            actual: Some(Box::new(sha256(b"y"))),
        };
        let id = with_cause(&mut graph, digest);
        let short = Cause::OtherDigest {
            size: Some(7),
            actual: None,
        };
        assert_eq!(graph.node(id).cause(), &short);
        let again = with_cause(&mut graph, whole(0));
        assert_eq!(graph.node(again).cause(), &whole(0));
    }
}
