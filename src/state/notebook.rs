//! What is remembered of a repository while it is audited: what need not be asked, and what is
//! learned.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use oci_spec::image::Digest;

use super::due::{Tiers, is_due};
use super::keep::{Needed, keep};
use super::key::Key;
use super::memory::{BlobRecord, ConfigRecord, ManifestRecord, Tag};
use super::moment::Moment;
use super::store::{Loaded, Store};
use crate::oci::client::Clients;
use crate::oci::config::{self, Config, Facts};
use crate::oci::descriptor::Promise;
use crate::oci::reference::Reference;
use crate::walk::checked::{Checked, Subject};
use crate::walk::graph::{Node, NodeId};
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, Body, Head, Manifest};
use crate::walk::verdict::{Verdict, judge_blob, judge_manifest};

/// The largest config of an odd form that is kept, in bytes.
const LARGEST_CONFIG: usize = 64 * 1024;

/// How many times in `recheck_manifests` at least one digest of every repository is asked for.
const PROBES: u32 = 4;

/// What is remembered of one repository, and what a run learns of it.
#[derive(Debug)]
pub(crate) struct Notebook {
    tiers: Tiers,
    depth: Depth,
    now: Moment,
    /// Whether anything of the registry is remembered, so that what is not is new.
    is_known: bool,
    pages: RefCell<Pages>,
}

#[derive(Debug)]
struct Pages {
    loaded: Loaded,
    /// What was not whole when the run began: manifests and blobs.
    faults: HashSet<(bool, Key)>,
    /// What this run asked for.
    looked: HashMap<(bool, Key), Looked>,
    /// What is asked for although it is not due.
    wanted: Wanted,
    /// How tags were answered to `HEAD`.
    heads: HashMap<String, Head>,
    /// Where tags lead, as far as this run knows.
    tags: HashMap<String, Key>,
    is_changed: bool,
}

/// How a digest was asked for in this run.
#[derive(Clone, Copy, Debug)]
struct Looked {
    depth: Depth,
    is_right: bool,
}

#[derive(Debug)]
enum Wanted {
    These(HashSet<(bool, Key)>),
    All,
}

impl Wanted {
    fn has(&self, what: (bool, Key)) -> bool {
        match self {
            Self::These(these) => these.contains(&what),
            Self::All => true,
        }
    }
}

/// How a manifest is asked for.
#[derive(Debug)]
pub(super) enum ManifestWay {
    /// By `GET`.
    Fetch,
    /// By `HEAD`, which has to say the same as this.
    Head(Manifest),
    /// Not at all.
    Remembered(Manifest),
}

/// How a blob is asked for.
#[derive(Debug)]
pub(super) enum BlobWay {
    /// As deep as this. If that shows it to be whole, its config says this.
    At(Depth, Option<Facts>),
    /// Not at all.
    Remembered(Blob),
}

/// What a run learned of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Tags that were not remembered.
    pub(crate) new: usize,
    /// Tags that led elsewhere.
    pub(crate) moved: usize,
    /// When that was proven which was not proven for longest.
    pub(crate) oldest: Option<Moment>,
    /// The same at the depth of the run.
    pub(crate) oldest_at_depth: Option<Moment>,
}

impl Notebook {
    /// What is remembered of a repository, at the beginning of a look at it.
    pub(crate) fn open(
        store: &Store,
        repository: &str,
        tiers: Tiers,
        depth: Depth,
        now: Moment,
    ) -> Self {
        Self::of(store.load(repository), tiers, depth, now, store.tags() > 0)
    }

    /// The same of a memory that was read.
    pub(super) fn of(
        loaded: Loaded,
        tiers: Tiers,
        depth: Depth,
        now: Moment,
        is_known: bool,
    ) -> Self {
        let memory = &loaded.memory;
        let manifests = memory.manifests.iter();
        let manifests = manifests.filter(|(_, record)| record.is_failing);
        let blobs = memory.blobs.iter();
        let blobs = blobs.filter(|(_, record)| record.failed_at.is_some());
        let manifests = manifests.map(|(key, _)| (true, *key));
        let faults = manifests.chain(blobs.map(|(key, _)| (false, *key)));
        let pages = Pages {
            faults: faults.collect(),
            looked: HashMap::new(),
            wanted: Wanted::These(HashSet::new()),
            heads: HashMap::new(),
            tags: HashMap::new(),
            is_changed: false,
            loaded,
        };
        let notebook = Self {
            tiers,
            depth,
            now,
            is_known,
            pages: RefCell::new(pages),
        };
        notebook.want_a_probe();
        notebook
    }

    /// Writes what is remembered by now.
    pub(crate) async fn save(self, store: &Store, repository: &str) {
        let pages = self.pages.into_inner();
        if pages.is_changed {
            store.save(repository, pages.loaded, self.now).await;
        }
    }

    /// The tags that are remembered.
    pub(crate) fn tags(&self) -> Vec<String> {
        let pages = self.pages.borrow();
        pages.loaded.memory.tags.keys().cloned().collect()
    }

    /// A tag is not there any more.
    pub(crate) fn forget(&self, tag: &str) {
        let mut pages = self.pages.borrow_mut();
        pages.is_changed |= pages.loaded.memory.tags.remove(tag).is_some();
    }

    /// Clean-up jobs strike a repository as a whole, so each run asks for a digest of each: if none
    /// is due, for the manifest that was not proven for longest, unless that was just now.
    fn want_a_probe(&self) {
        let Some(interval) = self.tiers.manifests else {
            return;
        };
        let mut pages = self.pages.borrow_mut();
        let manifests = pages.loaded.memory.manifests.iter();
        let oldest = manifests
            .filter(|(_, record)| !record.is_failing && record.proven != Moment::NEVER)
            .min_by_key(|(key, record)| (record.proven, **key));
        let Some((key, record)) = oldest.map(|(key, record)| (*key, *record)) else {
            return;
        };
        let age = self.now.0.saturating_sub(record.proven.0);
        let is_old = u64::from(age) >= (interval / PROBES).as_secs().max(1);
        let is_due = |(key, record): (&Key, &ManifestRecord)| {
            is_due(*key, record.proven, Some(interval), self.now)
        };
        if is_old && !pages.loaded.memory.manifests.iter().any(is_due) {
            pages.wanted = Wanted::These(HashSet::from([(true, key)]));
        }
    }

    /// How a tag was answered to `HEAD` in this run.
    pub(super) fn head(&self, tag: &str) -> Option<Head> {
        self.pages.borrow().heads.get(tag).cloned()
    }

    pub(super) fn note_head(&self, tag: &str, head: Head) {
        self.pages.borrow_mut().heads.insert(tag.to_owned(), head);
    }

    /// Whether a tag is worth a `HEAD`: where it led is remembered, and it was right.
    pub(super) fn knows(&self, tag: &str) -> bool {
        let pages = self.pages.borrow();
        let is_right = |tag: &Tag| tag.key.is_some() && !tag.is_failing;
        pages.tags.contains_key(tag) || pages.loaded.memory.tags.get(tag).is_some_and(is_right)
    }

    /// What a tag leads to, if `HEAD` says what is remembered.
    pub(super) fn resolved(&self, tag: &str, head: &Head) -> Option<Manifest> {
        let pages = self.pages.borrow();
        let before = pages.loaded.memory.tags.get(tag);
        let known = pages.tags.get(tag).copied();
        let known = known.or_else(|| before?.key)?;
        let Head::Stated {
            claimed: Some(claimed),
            ..
        } = head
        else {
            return None;
        };
        let digest: Digest = claimed.parse().ok()?;
        let record = pages.loaded.memory.manifests.get(&known)?;
        let manifest = pages.manifest(&digest, record)?;
        let is_it = Key::of(&digest) == known && agrees(head, &manifest);
        is_it.then_some(manifest)
    }

    /// A tag was resolved by `GET`.
    pub(super) fn note_tag(&self, tag: &str, asked: &Asked<Manifest>, is_again: bool) {
        let mut pages = self.pages.borrow_mut();
        if is_again {
            pages.heads.remove(tag);
        }
        match crate::walk::resolved(asked) {
            Some(digest) => {
                pages.tags.insert(tag.to_owned(), Key::of(&digest));
                let first_seen = self.first_seen(&pages);
                if let Ok(manifest) = &asked.answer {
                    pages.keep_manifest(&digest, manifest, first_seen);
                }
            }
            None => {
                pages.tags.remove(tag);
            }
        }
    }

    /// What the first look at a repository finds may have been there for long.
    fn first_seen(&self, pages: &Pages) -> Moment {
        match pages.loaded.memory.last_run {
            Moment::NEVER => Moment::NEVER,
            _ => self.now,
        }
    }

    /// How a manifest is asked for.
    pub(super) fn manifest_way(&self, digest: &Digest) -> ManifestWay {
        let pages = self.pages.borrow();
        let key = Key::of(digest);
        let Some(record) = pages.loaded.memory.manifests.get(&key) else {
            return ManifestWay::Fetch;
        };
        let looked = pages.looked.get(&(true, key));
        let is_due_for = |last, interval| is_due(key, last, interval, self.now);
        let is_fetched = looked.is_some()
            || record.fetched != Moment::NEVER
                && !is_due_for(record.fetched, self.tiers.tail)
                && !is_due_for(record.fetched, self.tiers.full);
        let was_right = looked.map_or(!record.is_failing, |looked| looked.is_right);
        let manifest = (is_fetched && was_right).then(|| pages.manifest(digest, record));
        let Some(manifest) = manifest.flatten() else {
            return ManifestWay::Fetch;
        };
        let is_asked = looked.is_none()
            && (pages.wanted.has((true, key)) || is_due_for(record.proven, self.tiers.manifests));
        if is_asked {
            ManifestWay::Head(manifest)
        } else {
            ManifestWay::Remembered(manifest)
        }
    }

    /// A manifest is there: `HEAD` says so.
    pub(super) fn note_presence(&self, digest: &Digest) {
        let mut pages = self.pages.borrow_mut();
        let key = Key::of(digest);
        pages.note((true, key), Depth::Head, true);
        if let Some(record) = pages.loaded.memory.manifests.get_mut(&key) {
            record.proven = self.now;
        }
    }

    /// A manifest was asked for by `GET`.
    pub(super) fn note_manifest(&self, digest: &Digest, asked: &Asked<Manifest>) {
        let mut pages = self.pages.borrow_mut();
        let key = Key::of(digest);
        let delivered = asked.answer.as_ref().ok();
        let right = delivered
            .filter(|manifest| judge_manifest(Some(digest), None, manifest).0 == Verdict::Ok);
        pages.note((true, key), Depth::Full, right.is_some());
        let first_seen = self.first_seen(&pages);
        if let Some(manifest) = right {
            let record = pages.keep_manifest(digest, manifest, first_seen);
            record.proven = self.now;
            record.fetched = self.now;
        }
    }

    /// How a blob is asked for; `is_config` says that its content is read.
    pub(super) fn blob_way(&self, promise: &Promise, is_config: bool) -> BlobWay {
        let pages = self.pages.borrow();
        let key = Key::of(&promise.digest);
        let memory = &pages.loaded.memory;
        let record = memory.blobs.get(&key);
        let Some(record) = record.filter(|record| record.size == promise.size) else {
            return BlobWay::At(self.depth, None);
        };
        let facts = is_config.then(|| pages.facts(&promise.digest, record.config));
        let lacks_facts = facts.as_ref().is_some_and(Option::is_none);
        let facts = facts.flatten();
        let wanted = pages.wanted.has((false, key)).then_some(self.depth);
        let due = match pages.looked.get(&(false, key)) {
            Some(looked) if !looked.is_right => Some(looked.depth),
            Some(looked) => wanted.filter(|wanted| *wanted > looked.depth),
            None => {
                let failed_at = record.failed_at.map(|failed_at| failed_at.max(self.depth));
                let due = self.due(key, record, memory.last_run);
                due.max(wanted).max(failed_at)
            }
        };
        match due {
            Some(_) if record.failed_at.is_some() => BlobWay::At(due.unwrap_or(self.depth), None),
            Some(depth) => BlobWay::At(depth, facts),
            None if lacks_facts => BlobWay::At(self.depth, None),
            None => BlobWay::Remembered(Blob::Proven {
                facts: facts.map(Box::new),
                is_begun: record.is_begun && self.depth >= Depth::Tail,
            }),
        }
    }

    /// How deep a blob is due to be looked at, if it is. What is deeper than the run, and was never
    /// looked at so, begins its turns with the last run.
    fn due(&self, key: Key, record: &BlobRecord, last_run: Moment) -> Option<Depth> {
        let is_due = |depth: &Depth| {
            let last = match record.proven(*depth) {
                Moment::NEVER if *depth <= self.depth => return true,
                Moment::NEVER => last_run,
                last => last,
            };
            is_due(key, last, self.tiers.of(*depth), self.now)
        };
        [Depth::Full, Depth::Tail, Depth::Head]
            .into_iter()
            .find(is_due)
    }

    /// How deep a blob was asked for in this run.
    pub(super) fn depth_of(&self, digest: &Digest) -> Depth {
        let pages = self.pages.borrow();
        let looked = pages.looked.get(&(false, Key::of(digest)));
        looked.map_or(self.depth, |looked| looked.depth)
    }

    /// A blob was asked for at this depth.
    pub(super) fn note_blob(&self, promise: &Promise, depth: Depth, asked: &Asked<Blob>) {
        let mut pages = self.pages.borrow_mut();
        let key = Key::of(&promise.digest);
        let delivered = asked.answer.as_ref().ok();
        let right = delivered.filter(|blob| judge_blob(promise, blob).0 == Verdict::Ok);
        pages.note((false, key), depth, right.is_some());
        let first_seen = self.first_seen(&pages);
        let Some(blob) = right else {
            return;
        };
        let config = match blob {
            Blob::Whole {
                bytes: Some(bytes), ..
            } => Some(pages.config(bytes)),
            _ => None,
        };
        let fresh = BlobRecord {
            first_seen,
            size: promise.size,
            ..BlobRecord::default()
        };
        let record = pages.loaded.memory.blobs.entry(key).or_insert(fresh);
        if record.size != promise.size {
            *record = fresh;
        }
        record.config = config.unwrap_or(record.config);
        let proven = match blob {
            Blob::Stated { .. } | Blob::OtherLength { .. } => Depth::Head,
            Blob::Whole { .. } => Depth::Full,
            _ => Depth::Tail,
        };
        if proven >= Depth::Tail {
            record.is_begun = matches!(blob, Blob::Begun { .. });
        }
        record.prove(proven, self.now);
    }

    /// After a walk: whether more has to be asked in this run. What is new or has moved is asked for
    /// whole, and at the first fault the whole repository: what loses one digest loses others.
    pub(crate) fn widen(&self, checked: &Checked, clients: Clients) -> bool {
        let mut pages = self.pages.borrow_mut();
        let Wanted::These(_) = &pages.wanted else {
            return false;
        };
        let nodes = checked.graph.iter();
        let unasked: HashSet<(bool, Key)> = nodes
            .filter_map(|(_, node)| self.unasked(&pages, node))
            .collect();
        if unasked.is_empty() {
            return false;
        }
        let new_fault = checked
            .graph
            .iter()
            .any(|(_, node)| pages.is_new_fault(node, clients));
        let is_lost = |subject: &Subject| {
            let root = checked.graph.node(subject.root);
            let before = pages.loaded.memory.tags.get(tag_of(subject));
            let was_right = before.is_some_and(|tag| !tag.is_failing);
            root.is_nameless() && root.verdict().is_definite() && was_right
        };
        if new_fault || checked.subjects.iter().any(is_lost) {
            pages.wanted = Wanted::All;
            return true;
        }
        let changed = checked.subjects.iter();
        let changed = changed.filter(|subject| pages.has_changed(checked, subject));
        let reached = changed.flat_map(|subject| checked.graph.reachable(subject.root));
        let reached: HashSet<NodeId> = reached.collect();
        let reached = reached.into_iter().map(|id| checked.graph.node(id));
        let more: Vec<_> = reached
            .filter_map(|node| self.unasked(&pages, node))
            .collect();
        let Wanted::These(these) = &mut pages.wanted else {
            return false;
        };
        let before = these.len();
        these.extend(more);
        these.len() > before
    }

    /// What was not asked for in this run as deep as the run goes.
    fn unasked(&self, pages: &Pages, node: Node<'_>) -> Option<(bool, Key)> {
        let is_manifest = node.kind().is_manifest();
        let what = (is_manifest, Key::of(&node.digest()?));
        let is_asked = |looked: &Looked| is_manifest || looked.depth >= self.depth;
        let is_remembered = node.verdict() != Verdict::Skipped && !node.verdict().is_undecided();
        let is_asked = pages.looked.get(&what).is_some_and(is_asked);
        (is_remembered && !is_asked).then_some(what)
    }

    /// Whether an image is there since the last run, so that its push may not be over: its tag is
    /// new, or has moved.
    pub(crate) fn may_be_pushed(&self, checked: &Checked, subject: &Subject) -> bool {
        self.is_known && self.pages.borrow().has_changed(checked, subject)
    }

    /// Notes what a look at a repository came to.
    pub(crate) fn conclude(&self, parts: &[Checked], clients: Clients) -> Summary {
        let mut pages = self.pages.borrow_mut();
        let first_seen = self.first_seen(&pages);
        let mut summary = Summary::default();
        let mut needed = Needed::default();
        let mut seen = HashSet::new();
        for checked in parts {
            // A digest may be there twice, with another size. A fault is the last word.
            for is_failing in [false, true] {
                let fails =
                    |node: Node<'_>| node.verdict().is_undecided() || node.stops().meet(clients);
                let nodes = checked.graph.iter().map(|(_, node)| node);
                for node in nodes.filter(|node| fails(*node) == is_failing) {
                    pages.conclude_node(node, first_seen, is_failing);
                }
            }
            for (_, node) in checked.graph.iter() {
                self.age(&pages, node, &mut summary);
                need(node, &mut needed);
            }
            for subject in &checked.subjects {
                seen.insert(tag_of(subject).to_owned());
                pages.conclude_tag(checked, subject, first_seen, &mut summary);
            }
        }
        let tags = pages.loaded.memory.tags.iter();
        let others = tags.filter(|(name, tag)| !seen.contains(*name) || tag.is_failing);
        needed.unread.extend(others.filter_map(|(_, tag)| tag.key));
        let Loaded { memory, pack, .. } = &mut pages.loaded;
        needed.complete(memory, pack);
        let has_dropped = keep(memory, &needed);
        pages.is_changed |= has_dropped;
        summary
    }

    fn age(&self, pages: &Pages, node: Node<'_>, summary: &mut Summary) {
        let Some(digest) = node.digest() else {
            return;
        };
        let is_manifest = node.kind().is_manifest();
        let key = Key::of(&digest);
        let (last, at_depth) = if is_manifest {
            let Some(record) = pages.loaded.memory.manifests.get(&key) else {
                return;
            };
            let at_depth = match self.depth {
                Depth::Manifests | Depth::Head => record.proven,
                Depth::Tail | Depth::Full => record.fetched,
            };
            (record.proven, at_depth)
        } else {
            let Some(record) = pages.loaded.memory.blobs.get(&key) else {
                return;
            };
            (record.header, record.proven(self.depth))
        };
        let older = |oldest: &mut Option<Moment>, moment: Moment| {
            if moment != Moment::NEVER {
                *oldest = Some(oldest.map_or(moment, |oldest| oldest.min(moment)));
            }
        };
        older(&mut summary.oldest, last);
        if is_manifest || self.depth > Depth::Manifests {
            older(&mut summary.oldest_at_depth, at_depth);
        }
    }
}

impl Pages {
    fn note(&mut self, what: (bool, Key), depth: Depth, is_right: bool) {
        self.is_changed = true;
        self.looked.insert(what, Looked { depth, is_right });
    }

    /// A manifest from its remembered bytes, if they are still what they should be.
    fn manifest(&self, digest: &Digest, record: &ManifestRecord) -> Option<Manifest> {
        let bytes = self.loaded.pack.read(record.place?, digest)?;
        let content_type = self.loaded.memory.texts.get(record.content_type);
        Some(Manifest {
            body: Body::Whole(bytes),
            content_type: content_type.map(str::to_owned),
            claimed: Some(digest.to_string()),
        })
    }

    /// Remembers a manifest that came whole.
    fn keep_manifest(
        &mut self,
        digest: &Digest,
        manifest: &Manifest,
        first_seen: Moment,
    ) -> &mut ManifestRecord {
        self.is_changed = true;
        let Loaded { memory, pack, .. } = &mut self.loaded;
        let content_type = match &manifest.content_type {
            Some(text) => memory.texts.add(text),
            None => Some(0),
        };
        let fresh = ManifestRecord {
            first_seen,
            ..ManifestRecord::default()
        };
        let record = memory.manifests.entry(Key::of(digest)).or_insert(fresh);
        let is_kept = |place| pack.read(place, digest).is_some();
        let place = record.place.filter(|place| is_kept(*place));
        record.place = match (content_type, &manifest.body) {
            (Some(_), Body::Whole(bytes)) => place.or_else(|| pack.add(bytes)),
            _ => None,
        };
        record.content_type = content_type.unwrap_or_default();
        record
    }

    /// What is remembered of a config's content.
    fn config(&mut self, bytes: &[u8]) -> ConfigRecord {
        let Loaded { memory, pack, .. } = &mut self.loaded;
        let facts = config::facts(bytes);
        let platform = memory.texts.add_platform(facts.platform.as_ref());
        match platform {
            Some(platform) if facts.config.refusals.is_empty() => ConfigRecord::Plain {
                platform,
                diff_ids: facts.config.diff_ids as u64,
                created: facts.created.map_or(Moment::NEVER, Moment::of),
            },
            _ if bytes.len() <= LARGEST_CONFIG => {
                let place = pack.add(bytes);
                place.map_or(ConfigRecord::Unknown, ConfigRecord::Odd)
            }
            _ => ConfigRecord::Unknown,
        }
    }

    fn facts(&self, digest: &Digest, config: ConfigRecord) -> Option<Facts> {
        match config {
            ConfigRecord::Unknown => None,
            ConfigRecord::Plain {
                platform,
                diff_ids,
                created,
            } => Some(Facts {
                platform: self.loaded.memory.texts.platform(platform),
                config: Config {
                    diff_ids: usize::try_from(diff_ids).ok()?,
                    refusals: Vec::new(),
                },
                created: created.time(),
            }),
            ConfigRecord::Odd(place) => {
                let bytes = self.loaded.pack.read(place, digest)?;
                Some(config::facts(&bytes))
            }
        }
    }

    /// Whether a node is definitely wrong and was not before. A 500 says nothing where it is the
    /// only answer, so it is as good as new each time.
    fn is_new_fault(&self, node: Node<'_>, clients: Clients) -> bool {
        let Some(digest) = node.digest() else {
            return false;
        };
        let was_known = || {
            let what = (node.kind().is_manifest(), Key::of(&digest));
            self.faults.contains(&what)
        };
        let is_500 = node.verdict() == Verdict::Unavailable && node.status() == Some(500);
        is_500 || node.stops().meet(clients) && !was_known()
    }

    /// Whether a tag is new, or leads elsewhere than before.
    fn has_changed(&self, checked: &Checked, subject: &Subject) -> bool {
        let before = self.loaded.memory.tags.get(tag_of(subject));
        let digest = checked.graph.node(subject.root).digest();
        match (before, digest) {
            _ if subject.reference.tag.is_none() => false,
            (None, _) => true,
            (Some(before), Some(digest)) => before.key != Some(Key::of(&digest)),
            (Some(_), None) => false,
        }
    }

    fn conclude_node(&mut self, node: Node<'_>, first_seen: Moment, is_failing: bool) {
        let Some(digest) = node.digest() else {
            return;
        };
        let (is_manifest, key) = (node.kind().is_manifest(), Key::of(&digest));
        let Some(looked) = self.looked.get(&(is_manifest, key)).copied() else {
            return;
        };
        let memory = &mut self.loaded.memory;
        if is_manifest {
            let fresh = ManifestRecord {
                first_seen,
                ..ManifestRecord::default()
            };
            match memory.manifests.get_mut(&key) {
                Some(record) => record.is_failing = is_failing,
                None if is_failing => {
                    memory.manifests.entry(key).or_insert(fresh).is_failing = true;
                }
                None => {}
            }
        } else {
            let fresh = BlobRecord {
                first_seen,
                size: node.size().unwrap_or_default(),
                ..BlobRecord::default()
            };
            let failed_at = is_failing.then_some(looked.depth);
            match memory.blobs.get_mut(&key) {
                Some(record) => record.failed_at = failed_at,
                None if is_failing => {
                    memory.blobs.entry(key).or_insert(fresh).failed_at = failed_at;
                }
                None => {}
            }
        }
    }

    fn conclude_tag(
        &mut self,
        checked: &Checked,
        subject: &Subject,
        first_seen: Moment,
        summary: &mut Summary,
    ) {
        let name = tag_of(subject);
        let root = checked.graph.node(subject.root);
        let key = root.digest().map(|digest| Key::of(&digest));
        let before = self.loaded.memory.tags.get(name).copied();
        // A tag that never led anywhere is none to remember, and a digest is no tag.
        let is_unknown = root.is_nameless() && (before.is_none() || !root.verdict().is_definite());
        if is_unknown || subject.reference.tag.is_none() {
            return;
        }
        match before {
            None => summary.new += 1,
            Some(before) if key.is_some() && before.key != key => summary.moved += 1,
            Some(_) => {}
        }
        let tag = Tag {
            key: key.or(before.and_then(|before| before.key)),
            first_seen: before.map_or(first_seen, |before| before.first_seen),
            is_failing: root.is_nameless() || !subject.findings.is_empty(),
        };
        if before != Some(tag) {
            self.is_changed = true;
            self.loaded.memory.tags.insert(name.to_owned(), tag);
        }
    }
}

/// Adds what a node needs.
fn need(node: Node<'_>, needed: &mut Needed) {
    let Some(digest) = node.digest() else {
        return;
    };
    let key = Key::of(&digest);
    if !node.kind().is_manifest() {
        needed.blobs.insert(key);
    } else if node.verdict() == Verdict::Ok {
        needed.manifests.insert(key);
    } else {
        needed.unread.push(key);
    }
}

/// Whether the answer to `HEAD` is that of a manifest.
pub(super) fn agrees(head: &Head, manifest: &Manifest) -> bool {
    let Head::Stated {
        content_type,
        claimed,
        length,
    } = head
    else {
        return false;
    };
    let Body::Whole(bytes) = &manifest.body else {
        return false;
    };
    let is_claimed = claimed.is_none() || *claimed == manifest.claimed;
    let is_long = length.is_none_or(|length| length == bytes.len() as u64);
    let is_said = claimed.is_some() || length.is_some();
    is_said && is_claimed && is_long && *content_type == manifest.content_type
}

/// The tag of a subject of an audit.
fn tag_of(subject: &Subject) -> &str {
    let Reference { tag, .. } = &subject.reference;
    tag.as_deref().unwrap_or_default()
}
