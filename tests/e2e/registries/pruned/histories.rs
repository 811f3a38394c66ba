//! Random histories: images are pushed, tags move, prunes by random rules, and collections. After each
//! prune exactly that is gone which only deleted tags led to, and after each collection the bytes are
//! free that the plan named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::ops::AddAssign;

use super::state::{State, Stock};
use super::{collected, command, deleted, files, frees, prune, restore};
use crate::registries::TEAM;
use crate::registries::gitea::Gitea;
use crate::registries::real::{Olareg, Registry};
use crate::registries::server::Server;
use crate::support::digest::Random;
use crate::support::distribution::{Distribution, push};
use crate::support::image::{DOCKER_LIST, Descriptor, INDEX, Image, Parts, index_of};
use crate::support::recipe::{any, artifact};
use crate::support::rounds::{histories, seeds};
use crate::support::scratch::Scratch;

/// Of how many histories `make e2e` runs, and `PULLPROOF_HISTORIES` counts, the shares are parts.
const PARTS: u64 = 100;

/// So many histories are on a registry at a time, each in a repository of its own.
const AT_A_TIME: usize = 10;

/// A registry that is pruned.
pub(super) trait Pruned: Registry {
    /// Collects garbage, and gives what is left with its sizes; none where nobody can say when.
    fn collect(&mut self) -> Option<BTreeMap<String, u64>> {
        None
    }
    /// Takes everything away.
    fn empty(&mut self) {}
    /// Whether a manifest goes only when it is deleted. zot deletes what a tag led to when it moves,
    /// even where another image lists it.
    fn keeps_what_is_untagged(&self) -> bool {
        false
    }
    /// Whether what was deleted comes back without its blobs being sent again.
    fn keeps_blobs(&self) -> bool {
        true
    }
    /// Whether it takes an index of indexes.
    fn nests_indexes(&self) -> bool {
        true
    }
}

impl Pruned for Distribution {
    fn collect(&mut self) -> Option<BTreeMap<String, u64>> {
        collected(self);
        let blobs = files(&self.root().join("blobs"));
        let sizes = blobs.into_iter().map(|path| {
            let digest = path.parent().and_then(|parent| parent.file_name());
            let hash = digest.expect("it is below its digest").to_string_lossy();
            let size = fs::metadata(&path).expect("it is there").len();
            (format!("sha256:{hash}"), size)
        });
        Some(sizes.collect())
    }

    fn empty(&mut self) {
        self.stop();
        fs::remove_dir_all(self.storage()).expect("the directory is ours");
        self.start();
    }

    fn keeps_what_is_untagged(&self) -> bool {
        true
    }
}

impl Pruned for Server {
    fn empty(&mut self) {
        self.stop();
        fs::remove_dir_all(self.path().join("store")).expect("the directory is ours");
        self.start();
    }
}

impl Pruned for Olareg {
    fn empty(&mut self) {
        self.0.empty();
    }
}

/// Each tag is a version there, and so is each digest that was pushed without one.
impl Pruned for Gitea {
    /// A blob is there as long as a version of the package has it.
    fn keeps_blobs(&self) -> bool {
        false
    }

    fn nests_indexes(&self) -> bool {
        false
    }

    fn empty(&mut self) {
        loop {
            let all = self.versions();
            if all.is_empty() {
                return;
            }
            for one in all {
                let text = |key: &str| one[key].as_str().expect("it is text").to_owned();
                let (name, version) = (text("name"), text("version"));
                let path = format!("/api/v1/packages/{TEAM}/container/{name}/{version}");
                let answer = self.api().ask("DELETE", &path, &[], &[]).expect("it runs");
                assert_eq!(answer.status, 204, "{path}: {}", answer.text());
            }
        }
    }
}

/// What the histories came to.
#[derive(Default)]
pub(super) struct Tally {
    first: u64,
    histories: u64,
    writes: usize,
    prunes: usize,
    refused: usize,
    tags: usize,
    manifests: usize,
    shared: usize,
    restored: usize,
    collections: usize,
    exact: usize,
    held: usize,
    bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.histories += other.histories;
        self.writes += other.writes;
        self.prunes += other.prunes;
        self.refused += other.refused;
        self.tags += other.tags;
        self.manifests += other.manifests;
        self.shared += other.shared;
        self.restored += other.restored;
        self.collections += other.collections;
        self.exact += other.exact;
        self.held += other.held;
        self.bytes += other.bytes;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} histories from seed {}, {} pushes and moves, {} prunes and {} refused: {} tags and {} manifests \
             deleted, {} tags stay with their digests, {} prunes taken back; {} collections freed {} \
             bytes, {} times what was said, {} times less by what manifests without a tag, or other repositories, have",
            self.histories,
            self.first,
            self.writes,
            self.prunes,
            self.refused,
            self.tags,
            self.manifests,
            self.shared,
            self.restored,
            self.collections,
            self.bytes,
            self.exact,
            self.held
        )
    }
}

/// Runs this share of the histories, in per cent.
pub(super) fn run<P: Pruned>(mut registry: P, share: u64) -> Tally {
    let number = histories(200) * share / PARTS;
    let first = seeds(number).start;
    let mut tally = Tally {
        first,
        ..Tally::default()
    };
    let all: Vec<u64> = (first..first + number).collect();
    for seeds in all.chunks(AT_A_TIME) {
        let mut batch: Vec<History> = seeds.iter().copied().map(History::new).collect();
        for _ in 0..3 {
            side_by_side(&mut batch, |history| history.act(&registry));
            let left = registry.collect();
            let all: BTreeSet<String> = batch.iter().flat_map(History::content).collect();
            side_by_side(&mut batch, |history| {
                history.look(&registry, left.as_ref(), &all);
            });
            audit(&registry, &batch);
        }
        for history in batch {
            tally += history.tally;
            tally.histories += 1;
        }
        registry.empty();
    }
    tally
}

fn side_by_side(batch: &mut [History], work: impl Fn(&mut History) + Sync) {
    std::thread::scope(|scope| {
        for history in batch {
            scope.spawn(|| work(history));
        }
    });
}

/// Every tag of every history is whole.
fn audit(registry: &impl Pruned, batch: &[History]) {
    let host = registry.door().host;
    let expected: usize = batch.iter().map(|history| history.state.tags.len()).sum();
    // olareg has no list of all.
    let target = |history: &History| format!("{host}/{}", history.repository());
    let targets: Vec<String> = batch.iter().map(target).collect();
    let finished = command(&["audit"], registry.login().as_deref())
        .arguments(targets.iter().map(String::as_str))
        .argument("--allow-empty")
        .run()
        .exits(0);
    let report = finished.report();
    let images = report.images();
    assert_eq!(images.len(), expected, "{finished}");
    assert!(
        images.iter().all(|image| image["result"] == "passed"),
        "{finished}"
    );
}

/// One repository, and what was done to it.
struct History {
    seed: u64,
    random: Random,
    /// The seed of the next image, which no other history uses.
    next: u64,
    stock: Stock,
    images: Vec<Image>,
    /// What is listed as referring to each digest.
    listings: BTreeMap<String, Vec<(Descriptor, Image)>>,
    state: State,
    /// What the last prune said that a collection frees.
    said: BTreeSet<String>,
    /// What there was before it.
    had: BTreeSet<String>,
    done: Vec<String>,
    tally: Tally,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random::seeded(seed),
            next: (seed + 1) << 20,
            stock: Stock::default(),
            images: Vec::new(),
            listings: BTreeMap::new(),
            state: State::default(),
            said: BTreeSet::new(),
            had: BTreeSet::new(),
            done: Vec::new(),
            tally: Tally::default(),
        }
    }

    fn repository(&self) -> String {
        format!("{TEAM}/history-{}", self.seed)
    }

    /// What was done, for a test that fails.
    fn told(&self) -> String {
        format!("seed {}:\n{}", self.seed, self.done.join("\n"))
    }

    fn look_now(&mut self, registry: &impl Pruned) -> State {
        State::of(&registry.door(), &self.repository(), &self.stock)
    }

    /// A few writes, and mostly a prune.
    fn act<P: Pruned>(&mut self, registry: &P) {
        for _ in 0..=self.random.below(4) {
            self.write(registry);
        }
        self.state = self.look_now(registry);
        self.had = self.content();
        self.said.clear();
        if self.random.below(6) > 0 {
            self.prune(registry);
        }
    }

    /// What its manifests need to be there, also those without a tag.
    fn content(&self) -> BTreeSet<String> {
        self.stock.content_of(&self.state.manifests)
    }

    fn tag(&mut self) -> String {
        let tags = [
            "v1", "v2", "v3", "v4", "v5", "v6", "latest", "dev-1", "dev-2",
        ];
        (*self.random.pick(&tags)).to_owned()
    }

    fn push(&mut self, registry: &impl Pruned, tag: &str, image: Image) {
        self.put(registry, tag, &image);
        self.images.push(image);
    }

    fn put(&mut self, registry: &impl Pruned, tag: &str, image: &Image) {
        let root = image.root().to_owned();
        let moved = self.state.tags.get(tag).filter(|old| **old != root);
        if moved.is_some() && !registry.keeps_what_is_untagged() {
            return;
        }
        self.done.push(format!("push {tag} {root}"));
        let tagged = format!("{}:{tag}", self.repository());
        push(&registry.door(), &tagged, image);
        self.stock.add(image);
        self.state.tags.insert(tag.to_owned(), root);
        self.tally.writes += 1;
    }

    /// Pushes something: to a new tag, or to one that is there and moves.
    fn write(&mut self, registry: &impl Pruned) {
        let tag = self.tag();
        if self.images.is_empty() {
            let image = self.fresh();
            return self.push(registry, &tag, image);
        }
        match self.random.below(12) {
            0..=4 => {
                let image = self.fresh();
                self.push(registry, &tag, image);
            }
            5..=6 => {
                let image = self.random.pick(&self.images).clone();
                self.push(registry, &tag, image);
            }
            7 => {
                let image = self.part();
                self.push(registry, &tag, image);
            }
            8..=9 => {
                let image = self.joined(registry.nests_indexes());
                self.push(registry, &tag, image);
            }
            10 => self.sign(registry),
            _ => self.refer(registry),
        }
    }

    /// A new image, which shares layers with others of this history.
    fn fresh(&mut self) -> Image {
        self.next += 1;
        let day = format!("2024-03-{:02}T00:00:00Z", 1 + self.random.below(28));
        let recipe = any(&mut self.random, self.next).layer_size(1 + self.random.below(2000));
        let recipe = recipe.shared(1).base(self.seed).created(&day);
        recipe.make()
    }

    /// A child of an image, as an image of its own.
    fn part(&mut self) -> Image {
        let image = self.random.pick(&self.images).clone();
        let child = self.random.pick(&image.images).manifest.clone();
        below(&image, &child)
    }

    /// A new index of children that other images have, with their attestations; or of one index.
    fn joined(&mut self, may_nest: bool) -> Image {
        let first = self.random.pick(&self.images).clone();
        let family = first.root_descriptor().media_type().to_owned();
        let mut joined = Image::empty();
        if is_index(&first) && self.random.below(3) == 0 && may_nest {
            take(&mut joined, &first);
            joined.images.clone_from(&first.images);
            joined.attestations.clone_from(&first.attestations);
            let root = joined.document(&index_of(&[first.root_descriptor().clone()]));
            return joined.begins_with(&root);
        }
        let mut sources = vec![first];
        for _ in 0..self.random.below(3) {
            let other = self.random.pick(&self.images).clone();
            if is_index(&other) && other.root_descriptor().media_type() == family {
                sources.push(other);
            }
        }
        if !sources.iter().all(is_index) {
            return self.fresh();
        }
        for source in &sources {
            take(&mut joined, source);
            let place = self.random.below(source.images.len());
            joined.images.push(source.images[place].clone());
            joined
                .attestations
                .extend(source.attestations.get(place).cloned());
        }
        let children = joined.images.iter().chain(&joined.attestations);
        let children: Vec<_> = children.map(|parts| parts.manifest.clone()).collect();
        let root = joined.document(&index_of(&children));
        below(&joined, &root)
    }

    /// Something that is there, of which a tag can be made.
    fn subject(&mut self) -> Image {
        if self.random.below(3) == 0 {
            return self.part();
        }
        self.random.pick(&self.images).clone()
    }

    /// As cosign does.
    fn sign(&mut self, registry: &impl Pruned) {
        let subject = self.subject();
        let bytes = self.random.bytes(40);
        let image = artifact(
            "application/vnd.dev.cosign.simplesigning.v1+json",
            &[&bytes],
        );
        let end = *self.random.pick(&["sig", "att", "sbom"]);
        let tag = format!("{}.{end}", subject.root().replace(':', "-"));
        self.push(registry, &tag, image);
    }

    /// As a client does where there is no Referrers API.
    fn refer(&mut self, registry: &impl Pruned) {
        let subject = self.subject();
        let statement = self.random.bytes(40);
        let mut with = subject.clone();
        let parts = with.referrer("application/vnd.example.sbom", statement);
        let own = below(&with, &parts.manifest);
        let tag = subject.root().replace(':', "-");
        let known = self.listings.entry(subject.root().to_owned()).or_default();
        known.push((parts.manifest, own));
        let mut listing = Image::empty();
        for (_, image) in known.iter() {
            take(&mut listing, image);
        }
        let children: Vec<_> = known.iter().map(|(child, _)| child.clone()).collect();
        let root = listing.document(&index_of(&children));
        let listing = listing.begins_with(&root);
        // It is no image that others are made of.
        self.put(registry, &tag, &listing);
    }

    /// Rules, and how far they may go.
    fn rules(&mut self) -> Vec<String> {
        let mut rules: Vec<&str> = Vec::new();
        let patterns = [
            "v1,v2",
            "v*",
            "latest",
            "dev-*,v3",
            "v?,latest",
            "none-such",
        ];
        let numbers = ["1", "2", "3"];
        let (pattern, number) = (self.random.pick(&patterns), self.random.pick(&numbers));
        match self.random.below(4) {
            0 => rules.extend(["--keep", pattern]),
            1 => rules.extend(["--keep", pattern, "--keep-newest", number]),
            _ => rules.extend(["--keep-newest", number]),
        }
        match self.random.below(8) {
            0 => rules.extend(["--tags", "v*"]),
            1 => rules.extend(["--exclude", "*:dev-*"]),
            _ => {}
        }
        if self.random.below(8) > 0 {
            rules.extend(["--max-deleted", "100%"]);
        }
        rules.into_iter().map(str::to_owned).collect()
    }

    fn prune<P: Pruned>(&mut self, registry: &P) {
        let (login, host) = (registry.login(), registry.door().host);
        let target = format!("{host}/{}", self.repository());
        let backup = Scratch::new("backup");
        let folder = backup.path().join("layout").display().to_string();
        let with_backup = self.random.below(2) == 0;
        let rules = self.rules();
        self.done.push(format!("prune {}", rules.join(" ")));
        let finished = prune(&target, login.as_deref())
            .arguments(rules)
            .arguments(["--backup", if with_backup { &folder } else { "none" }])
            .run();
        let before = self.state.clone();
        let after = self.look_now(registry);
        let context = || format!("{}\n{finished}", self.told());
        assert!(matches!(finished.code, Some(0 | 2)), "{}", context());
        let report = finished.report();
        if finished.code == Some(2) {
            assert_eq!(before, after, "{}", context());
            self.tally.refused += 1;
            return;
        }
        let plan = deleted(&report);
        let mut tags = before.tags.clone();
        tags.retain(|tag, _| plan.get(tag) != Some(&true));
        assert_eq!(after.tags, tags, "{}", context());
        let reached = before.tags.values();
        let reached = self.stock.reached(reached, &before.manifests, false);
        // What has no tag, and a signature that stays.
        let signed = after.tags.keys().filter_map(|tag| signed_by(tag));
        let signed: Vec<String> = signed.filter(|digest| !reached.contains(digest)).collect();
        let needed = after.tags.values().chain(&signed);
        let needed = self.stock.reached(needed, &before.manifests, true);
        let goes: BTreeSet<String> = reached.difference(&needed).cloned().collect();
        let mut manifests = before.manifests.clone();
        manifests.retain(|digest| !goes.contains(digest));
        if registry.keeps_what_is_untagged() {
            assert_eq!(after.manifests, manifests, "{}", context());
        }
        assert!(after.manifests.is_superset(&needed), "{}", context());
        assert!(after.manifests.is_disjoint(&goes), "{}", context());
        let mut freed = self.stock.content_of(&goes);
        freed.retain({
            let needed = self.stock.content_of(&needed);
            move |digest| !needed.contains(digest)
        });
        let said = frees(&report);
        assert_eq!(said, self.stock.size(&freed), "{}", context());
        self.tally.prunes += 1;
        self.tally.tags += plan.values().filter(|done| **done).count();
        self.tally.shared += plan.values().filter(|done| !**done).count();
        self.tally.manifests += goes.len();
        self.said = freed;
        self.state = after;
        if with_backup && self.random.below(2) == 0 && registry.keeps_blobs() {
            self.done.push("restore".to_owned());
            let finished = restore(&target, &folder, login.as_deref()).run();
            let restored = self.look_now(registry);
            let context = || format!("{}\n{finished}", self.told());
            assert_eq!(finished.code, Some(0), "{}", context());
            assert_eq!(restored, before, "{}", context());
            self.state = restored;
            self.said.clear();
            self.tally.restored += 1;
        }
    }

    /// Looks at what a collection left; the repositories of all histories need `all`.
    fn look(
        &mut self,
        registry: &impl Pruned,
        left: Option<&BTreeMap<String, u64>>,
        all: &BTreeSet<String>,
    ) {
        let now = self.look_now(registry);
        assert_eq!(now, self.state, "{}", self.told());
        let Some(left) = left else {
            return;
        };
        let own = self.stock.sizes();
        let mut expected = own.clone();
        expected.retain(|digest, _| all.contains(digest));
        let mut found = left.clone();
        found.retain(|digest, _| own.contains_key(digest));
        assert_eq!(found, expected, "{}", self.told());
        let gone = self.had.iter().filter(|digest| !left.contains_key(*digest));
        let gone: BTreeSet<String> = gone.cloned().collect();
        let held: BTreeSet<String> = self.said.intersection(all).cloned().collect();
        let freed: BTreeSet<String> = self.said.difference(&held).cloned().collect();
        assert_eq!(gone, freed, "{}", self.told());
        self.tally.collections += 1;
        self.tally.bytes += self.stock.size(&freed);
        self.tally.exact += usize::from(held.is_empty() && !freed.is_empty());
        self.tally.held += usize::from(!held.is_empty());
    }
}

/// Puts everything of an image into another.
fn take(into: &mut Image, from: &Image) {
    for (digest, content) in from.contents() {
        let bytes = content.bytes.to_vec();
        into.put(
            content.manifest,
            &content.media_type,
            digest.to_owned(),
            bytes,
        );
    }
}

/// What a part of an image leads to, as an image of its own.
fn below(image: &Image, root: &Descriptor) -> Image {
    let whole = image.clone().begins_with(root);
    let reached = whole.reachable();
    let mut part = Image::empty();
    for (digest, content) in whole.contents() {
        if reached.contains(digest) {
            let bytes = content.bytes.to_vec();
            part.put(
                content.manifest,
                &content.media_type,
                digest.to_owned(),
                bytes,
            );
        }
    }
    let is_below = |parts: &&Parts| reached.contains(parts.manifest.digest());
    part.images = image.images.iter().filter(is_below).cloned().collect();
    let attestations = image.attestations.iter().filter(is_below);
    part.attestations = attestations.cloned().collect();
    part.begins_with(root)
}

/// The digest that a tag is made of.
fn signed_by(tag: &str) -> Option<String> {
    let hash = tag.strip_prefix("sha256-")?.split('.').next();
    hash.map(|hash| format!("sha256:{hash}"))
}

fn is_index(image: &Image) -> bool {
    [INDEX, DOCKER_LIST].contains(&image.root_descriptor().media_type())
}
