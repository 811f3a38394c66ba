//! What a tree holds beyond its tags: what nothing reaches, what a garbage collection would free,
//! and what would stop it.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use oci_spec::image::Digest;

use super::catalog::{Kind, each};
use super::collection::references;
use super::seen::{Seen, Start, start, start_of};
use super::tree::{self, BLOBS, LAYERS, REPOSITORIES, REVISIONS, Tree, UPLOADS};
use crate::layout::root::Root;
use crate::oci::date;
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::graph::Node;
use crate::walk::source::MANIFEST_LIMIT;
use crate::walk::verdict::Verdict;

/// A tag reaches it.
const REACHED: u8 = 1;

/// A garbage collection keeps it.
const MARKED: u8 = 2;

/// It is linked, and all that was looked at of it is right.
const FINE: u8 = 4;

/// How many parts the digests of a tree are kept in, by their first byte.
const PARTS: usize = 256;

/// A number of files, and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many files.
    pub files: u64,
    /// How large they are together, in bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    fn add_all(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What stops a garbage collection, or leads it astray.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The link of a tag names no digest.
    TagLink,
    /// The link of a revision names no digest.
    RevisionLink,
    /// The link of a layer names no digest.
    LayerLink,
    /// The data of a revision is no manifest.
    Manifest,
    /// A directory among the blobs is named like none.
    OddDirectory,
}

impl Obstacle {
    /// The word for it in the JSON report.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TagLink => "tag_link",
            Self::RevisionLink => "manifest_link",
            Self::LayerLink => "layer_link",
            Self::Manifest => "manifest",
            Self::OddDirectory => "odd_directory",
        }
    }
}

/// How often something is there, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrence {
    /// How often.
    pub count: u64,
    /// The least of the places, below the tree.
    pub first: String,
}

impl Occurrence {
    fn add(&mut self, place: String) {
        if self.count == 0 || place < self.first {
            self.first = place;
        }
        self.count += 1;
    }

    fn add_all(&mut self, other: Self) {
        if other.count > 0 && (self.count == 0 || other.first < self.first) {
            self.first = other.first;
        }
        self.count += other.count;
    }
}

/// What a tree holds beyond its tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Links whose data is gone.
    pub without_data: Occurrence,
    /// Revisions that no tag of their repository reaches.
    pub revisions: u64,
    /// Those of them that are not whole.
    pub broken_revisions: u64,
    /// Blobs that no tag reaches.
    pub unreached: Amount,
    /// Those of them that a plain garbage collection frees.
    pub freed: Amount,
    /// Uploads that are not done.
    pub uploads: Amount,
    /// When the oldest of them began.
    pub oldest_upload: Option<SystemTime>,
    /// What stops a garbage collection, or leads it astray.
    pub obstacles: Vec<(Obstacle, Occurrence)>,
    /// What could not be read, so that some of this may lack.
    pub unread: Occurrence,
}

impl Beyond {
    /// Adds what another tree holds.
    pub(crate) fn add(&mut self, other: Self) {
        self.without_data.add_all(other.without_data);
        self.revisions += other.revisions;
        self.broken_revisions += other.broken_revisions;
        self.unreached.add_all(other.unreached);
        self.freed.add_all(other.freed);
        self.uploads.add_all(other.uploads);
        let oldest = self.oldest_upload.into_iter().chain(other.oldest_upload);
        self.oldest_upload = oldest.min();
        for (obstacle, occurrence) in other.obstacles {
            self.obstacle(obstacle).add_all(occurrence);
        }
        self.unread.add_all(other.unread);
    }

    fn obstacle(&mut self, obstacle: Obstacle) -> &mut Occurrence {
        let place = self.obstacles.binary_search_by_key(&obstacle, |one| one.0);
        let place = place.unwrap_or_else(|place| {
            self.obstacles
                .insert(place, (obstacle, Occurrence::default()));
            place
        });
        &mut self.obstacles[place].1
    }
}

/// What is known of the digests of one repository.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Seen>);

/// Gathers what a tree holds beyond its tags, while it is walked.
#[derive(Debug)]
pub(crate) struct Census {
    seen: Vec<Mutex<Seen>>,
    sums: Mutex<Beyond>,
}

impl Census {
    pub(crate) fn new() -> Self {
        Self {
            seen: std::iter::repeat_with(Mutex::default).take(PARTS).collect(),
            sums: Mutex::default(),
        }
    }

    /// Notes what the tags of a repository, or some of them, reach.
    pub(crate) fn note(&self, own: &Own, checked: &Checked) {
        self.note_marks(own, checked, REACHED);
        for subject in &checked.subjects {
            let root = checked.graph.node(subject.root);
            if let (true, Cause::LinkDamaged(_)) = (root.is_nameless(), root.cause()) {
                let tag = subject.reference.tag.as_deref().unwrap_or_default();
                let place = format!("{}:{tag}", checked.repository.name);
                self.sums(|sums| sums.obstacle(Obstacle::TagLink).add(place));
            }
        }
    }

    fn note_marks(&self, own: &Own, checked: &Checked, mark: u8) {
        let graph = &checked.graph;
        let mut everywhere = Vec::with_capacity(graph.len());
        let mut here = Vec::with_capacity(graph.len());
        for (_, node) in graph.iter() {
            let Some(start) = node.hash_start() else {
                continue;
            };
            let is_fine = node.verdict() == Verdict::Ok;
            here.push((start, mark | if is_fine { FINE } else { 0 }));
            let is_read = is_fine && node.kind().is_manifest();
            everywhere.push((start, mark | if is_read { MARKED } else { 0 }));
            if is_read {
                let children = node.children().map(|edge| graph.node(edge.to));
                let children = children.filter_map(Node::hash_start);
                everywhere.extend(children.map(|start| (start, MARKED)));
            }
        }
        own.seen(|seen| seen.add(&here));
        self.mark(everywhere);
    }

    /// Adds marks to digests, wherever in the tree they are.
    fn mark(&self, mut marks: Vec<(Start, u8)>) {
        marks.sort_unstable();
        for part in marks.chunk_by(|one, other| one.0[0] == other.0[0]) {
            let seen = &self.seen[usize::from(part[0].0[0])];
            seen.lock().expect("no thread panics with it").add(part);
        }
    }

    fn sums<T>(&self, take: impl FnOnce(&mut Beyond) -> T) -> T {
        take(&mut self.sums.lock().expect("no thread panics with it"))
    }

    fn note_unread(&self, place: String) {
        self.sums(|sums| sums.unread.add(place));
    }

    /// Calls `take` with the revisions of a repository that no tag reaches and that are not known
    /// to be whole yet, so many at a time.
    pub(crate) async fn untagged(
        &self,
        tree: &Tree,
        name: &str,
        own: &Own,
        most: usize,
        mut take: impl AsyncFnMut(Vec<Digest>),
    ) {
        own.seen(Seen::sort);
        let mut some = Vec::new();
        for revision in Links::of(self, tree, name, REVISIONS) {
            let marks = own.marks(&revision);
            if marks & REACHED != 0 {
                continue;
            }
            self.sums(|sums| sums.revisions += 1);
            if marks & FINE == 0 {
                some.push(revision);
            }
            if some.len() == most {
                take(std::mem::take(&mut some)).await;
            }
        }
        if !some.is_empty() {
            take(some).await;
        }
    }

    /// Notes what revisions that no tag reaches lead to, and how many of them are `broken`.
    pub(crate) fn note_untagged(&self, own: &Own, checked: &Checked, broken: u64) {
        self.note_marks(own, checked, 0);
        self.sums(|sums| sums.broken_revisions += broken);
    }

    /// Looks at what else a repository has, when all of its revisions were walked: the links that
    /// no walk found to be right, and its uploads.
    pub(crate) fn finish_repository(&self, tree: &Tree, name: &str, own: &Own) {
        own.seen(Seen::sort);
        for revision in Links::of(self, tree, name, REVISIONS) {
            if own.marks(&revision) & FINE == 0 {
                self.look_at_revision(tree, name, &revision);
            }
        }
        for layer in Links::of(self, tree, name, LAYERS) {
            if own.marks(&layer) & FINE == 0 {
                self.look_at_layer(tree, name, &layer);
            }
        }
        self.look_at_uploads(tree, name);
    }

    /// What a link of a repository names, where there is one that names something.
    fn linked(
        &self,
        tree: &Tree,
        name: &str,
        path: &str,
        obstacle: Obstacle,
    ) -> io::Result<Option<Digest>> {
        let path = format!("{REPOSITORIES}/{name}/{path}");
        Ok(match tree.link(tree.root(), &path)? {
            None => None,
            Some(Ok(digest)) => Some(digest),
            Some(Err(_)) => {
                self.sums(|sums| sums.obstacle(obstacle).add(path));
                None
            }
        })
    }

    fn look_at_revision(&self, tree: &Tree, name: &str, digest: &Digest) {
        let path = tree::revision(digest);
        let read = || -> io::Result<()> {
            let Some(named) = self.linked(tree, name, &path, Obstacle::RevisionLink)? else {
                return Ok(());
            };
            let data = tree::data(&named);
            let Some(bytes) = tree.root().read(&data, MANIFEST_LIMIT as u64)? else {
                self.note_without_data(name, &path);
                return Ok(());
            };
            let Some(references) = references(&bytes) else {
                self.sums(|sums| sums.obstacle(Obstacle::Manifest).add(data));
                return Ok(());
            };
            let all = start(&named).into_iter().chain(references);
            self.mark(all.map(|start| (start, MARKED)).collect());
            Ok(())
        };
        if read().is_err() {
            self.note_unread(format!("{REPOSITORIES}/{name}/{path}"));
        }
    }

    fn look_at_layer(&self, tree: &Tree, name: &str, digest: &Digest) {
        let path = tree::layer(digest);
        let read = || -> io::Result<()> {
            if let Some(named) = self.linked(tree, name, &path, Obstacle::LayerLink)?
                && tree.data(&named)?.is_none()
            {
                self.note_without_data(name, &path);
            }
            Ok(())
        };
        if read().is_err() {
            self.note_unread(format!("{REPOSITORIES}/{name}/{path}"));
        }
    }

    fn note_without_data(&self, name: &str, path: &str) {
        let place = format!("{REPOSITORIES}/{name}/{path}");
        self.sums(|sums| sums.without_data.add(place));
    }

    /// Counts the uploads of a repository that are not done.
    pub(crate) fn look_at_uploads(&self, tree: &Tree, name: &str) {
        let path = format!("{REPOSITORIES}/{name}/{UPLOADS}");
        let read = || -> io::Result<()> {
            let Some(uploads) = tree.root().below(&path)? else {
                return Ok(());
            };
            let mut names = Vec::new();
            if let Some(entries) = uploads.entries(".")? {
                each(entries, |kind, name| {
                    names.extend(name.filter(|_| kind == Kind::Directory));
                })?;
            }
            for upload in names {
                let length = uploads.sized(format!("{upload}/data"))?;
                let began = began(&uploads, &upload)?;
                self.sums(|sums| {
                    sums.uploads.add(length.map_or(0, |(_, length)| length));
                    sums.oldest_upload = sums.oldest_upload.into_iter().chain(began).min();
                });
            }
            Ok(())
        };
        if read().is_err() {
            self.note_unread(path.clone());
        }
    }

    /// Looks through all blobs, with so many threads, and gives all that was found.
    pub(crate) fn finish(&self, tree: &Tree, threads: usize) -> Beyond {
        for seen in &self.seen {
            seen.lock().expect("no thread panics with it").sort();
        }
        let directories = self.blob_directories(tree);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(directories.len()) {
                scope.spawn(|| {
                    while let Some(directory) =
                        directories.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if self.look_through(tree, directory).is_err() {
                            self.note_unread(directory.clone());
                        }
                    }
                });
            }
        });
        self.sums(std::mem::take)
    }

    /// The directories that blobs are in: `blobs/sha256/0a`.
    fn blob_directories(&self, tree: &Tree) -> Vec<String> {
        let mut found = Vec::new();
        let algorithms = self.directories(tree, BLOBS);
        for path in algorithms.iter().map(|name| format!("{BLOBS}/{name}")) {
            for name in self.directories(tree, &path) {
                let path = format!("{path}/{name}");
                if name.len() == 2 && name.bytes().all(is_hex) {
                    found.push(path);
                } else {
                    self.sums(|sums| sums.obstacle(Obstacle::OddDirectory).add(path));
                }
            }
        }
        found
    }

    fn directories(&self, tree: &Tree, path: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut read = || -> io::Result<()> {
            let Some(entries) = tree.root().entries(path)? else {
                return Ok(());
            };
            each(entries, |kind, name| {
                names.extend(name.filter(|_| kind == Kind::Directory));
            })
        };
        if read().is_err() {
            self.note_unread(path.to_owned());
        }
        names
    }

    /// Looks through the blobs of a directory.
    fn look_through(&self, tree: &Tree, path: &str) -> io::Result<()> {
        let Some(directory) = tree.root().below(path)? else {
            return Ok(());
        };
        let (mut unreached, mut freed) = (Amount::default(), Amount::default());
        let mut odd = Vec::new();
        let digits = path.rsplit('/').next().unwrap_or_default();
        let algorithm = path.split('/').nth(1).unwrap_or_default();
        let Some(entries) = directory.entries(".")? else {
            return Ok(());
        };
        let mut unmarked = Vec::new();
        each(entries, |kind, name| {
            let Some(name) = name.filter(|_| kind == Kind::Directory) else {
                return;
            };
            let is_named = name.starts_with(digits) && is_hash(algorithm, &name);
            match start_of(&name).filter(|_| is_named) {
                None => odd.push(format!("{path}/{name}")),
                Some(start) => {
                    let marks = self.marks(&start);
                    if marks & REACHED == 0 || marks & MARKED == 0 {
                        unmarked.push((name, marks));
                    }
                }
            }
        })?;
        for (name, marks) in unmarked {
            let Some((_, length)) = directory.sized(format!("{name}/data"))? else {
                continue;
            };
            if marks & REACHED == 0 {
                unreached.add(length);
            }
            if marks & MARKED == 0 {
                freed.add(length);
            }
        }
        self.sums(|sums| {
            sums.unreached.add_all(unreached);
            sums.freed.add_all(freed);
            for place in odd {
                sums.obstacle(Obstacle::OddDirectory).add(place);
            }
        });
        Ok(())
    }

    fn marks(&self, start: &Start) -> u8 {
        let seen = &self.seen[usize::from(start[0])];
        seen.lock().expect("no thread panics with it").marks(start)
    }
}

impl Own {
    fn seen<T>(&self, take: impl FnOnce(&mut Seen) -> T) -> T {
        take(&mut self.0.lock().expect("no thread panics with it"))
    }

    /// The marks of a digest, as far as they are in order.
    fn marks(&self, digest: &Digest) -> u8 {
        start(digest).map_or(0, |start| self.seen(|seen| seen.marks(&start)))
    }
}

/// When an upload began: what it notes itself.
fn began(uploads: &Root, upload: &str) -> io::Result<Option<SystemTime>> {
    /// The longest date that is read, in bytes.
    const DATE: u64 = 64;
    let noted = uploads.read(format!("{upload}/startedat"), DATE)?;
    let noted = noted.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(noted.and_then(|text| date::read(text.trim())))
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Whether this is a hash of that algorithm.
fn is_hash(algorithm: &str, name: &str) -> bool {
    name.bytes().all(is_hex) && format!("{algorithm}:{name}").parse::<Digest>().is_ok()
}

/// The digests that a repository has links of, one after the other; those that have another name
/// are passed over.
struct Links<'a> {
    census: &'a Census,
    tree: &'a Tree,
    path: String,
    algorithms: Vec<String>,
    current: Option<(String, cap_std::fs::ReadDir)>,
}

impl<'a> Links<'a> {
    fn of(census: &'a Census, tree: &'a Tree, name: &str, links: &str) -> Self {
        let path = format!("{REPOSITORIES}/{name}/{links}");
        Self {
            census,
            tree,
            algorithms: census.directories(tree, &path),
            path,
            current: None,
        }
    }

    fn open_next(&mut self) -> Option<()> {
        let algorithm = self.algorithms.pop()?;
        let path = format!("{}/{algorithm}", self.path);
        match self.tree.root().entries(&path) {
            Ok(entries) => self.current = entries.map(|entries| (algorithm, entries)),
            Err(_) => self.census.note_unread(path),
        }
        Some(())
    }
}

impl Iterator for Links<'_> {
    type Item = Digest;

    fn next(&mut self) -> Option<Digest> {
        loop {
            let Some((algorithm, entries)) = &mut self.current else {
                self.open_next()?;
                continue;
            };
            match entries.next() {
                None => self.current = None,
                Some(Err(_)) => {
                    self.current = None;
                    self.census.note_unread(self.path.clone());
                }
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    let digest = name.to_str().map(|name| format!("{algorithm}:{name}"));
                    if let Some(Ok(digest)) = digest.map(|digest| digest.parse()) {
                        return Some(digest);
                    }
                }
            }
        }
    }
}
