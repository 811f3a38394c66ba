//! Random damage on disk: the audit predicts what restarted registries answer, digest by digest, and
//! what a repair calls whole is what skopeo can pull.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::answers::{self, Answers, Kind};
use super::losses::{self, Pushed};
use super::{Said, audit, repair};
use crate::registries::distribution;
use crate::support::digest::Random;
use crate::support::distribution::{Distribution, require_success, without_collections};
use crate::support::recipe::any;
use crate::support::rounds::seeds;
use crate::support::skopeo;
use crate::support::tree::{Tree, write};

/// How much is damaged in each.
const DAMAGES: usize = 15;

const REPOSITORIES: [&str; 3] = ["solo", "team/app", "team/app/deep"];

/// Two registries, one of which only reads a copy of the disk, and a mirror.
struct Site {
    registry: Distribution,
    old: Distribution,
    mirror: Distribution,
}

/// What the rounds came to.
#[derive(Default)]
pub(super) struct Tally {
    rounds: u64,
    damages: usize,
    digests: usize,
    faults: usize,
    only_old: usize,
    whole: usize,
    lost: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds, {} damages: {} digests compared, {} of them faults, {} that only version 2 \
             delivers; after the repair {} images could be pulled, {} could not",
            self.rounds,
            self.damages,
            self.digests,
            self.faults,
            self.only_old,
            self.whole,
            self.lost
        )
    }
}

/// Damages so many trees, or as many as `PULLPROOF_ROUNDS` says.
pub(super) fn compared(rounds: u64) -> Tally {
    let mut site = Site {
        registry: distribution::start(),
        old: Distribution::open(),
        mirror: distribution::start(),
    };
    let mut tally = Tally::default();
    for seed in seeds(rounds) {
        Round::new(&mut site, seed).run(&mut site, &mut tally, seed);
        tally.rounds += 1;
    }
    let is_thin = tally.only_old == 0 || tally.whole == 0 || tally.lost == 0;
    assert!(
        tally.rounds < 20 || !is_thin,
        "too little was compared: {tally}"
    );
    tally
}

struct Round {
    random: Random,
    images: Vec<Pushed>,
    done: Vec<String>,
}

impl Round {
    /// Writes a tree whose repositories share layers, manifests and an image.
    fn new(site: &mut Site, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let mut images = Vec::new();
        for (number, repository) in (0..).zip(REPOSITORIES) {
            for (own, tag) in (0..).zip(["1", "2"]) {
                let seed = seed * 100 + number * 10 + own;
                let recipe = any(&mut random, seed).layer_size(1 + random.below(3000));
                let recipe = recipe.shared(1).base(seed / 100);
                images.push((repository, tag.to_owned(), recipe.make()));
            }
        }
        let shared = images[0].2.clone();
        images.push((REPOSITORIES[1], "copy".to_owned(), shared));
        // Of each image one tag stays, so that all of it is looked at.
        let kept = images.iter();
        let kept: Vec<_> = kept
            .map(|(repository, tag, image)| (*repository, format!("{tag}-kept"), image.clone()))
            .collect();
        images.extend(kept);
        let images = images.into_iter().map(|(repository, tag, image)| Pushed {
            repository,
            tag,
            image,
        });
        let round = Self {
            images: images.collect(),
            random,
            done: Vec::new(),
        };
        for registry in [&mut site.registry, &mut site.mirror] {
            registry.stop();
            let tree = emptied(&registry.storage());
            for pushed in &round.images {
                tree.push(
                    &format!("{}:{}", pushed.repository, pushed.tag),
                    &pushed.image,
                );
            }
            registry.start();
        }
        round
    }

    fn damage(&mut self, site: &Site) {
        let tree = Tree::at(&site.registry.storage());
        // As they are where manifests were uploaded as blobs, too.
        for pushed in &self.images {
            for (digest, content) in pushed.image.contents() {
                if content.manifest && self.random.below(3) == 0 {
                    write(&tree.layer(pushed.repository, digest), digest);
                }
            }
        }
        for _ in 0..DAMAGES {
            let tagged = self.images.len() / 2;
            let pushed = &self.images[self.random.below(tagged)];
            self.done.push(losses::one(&mut self.random, &tree, pushed));
        }
        if self.random.below(3) == 0 {
            let mirror = Tree::at(&site.mirror.storage());
            for _ in 0..DAMAGES {
                let pushed = &self.images[self.random.below(self.images.len())];
                let done = losses::data(&mut self.random, &mirror, &pushed.image);
                self.done.push(format!("mirror: {done}"));
            }
        }
    }

    fn run(mut self, site: &mut Site, tally: &mut Tally, seed: u64) {
        self.damage(site);
        self.done.push(format!("seed {seed}"));
        tally.damages += DAMAGES;
        site.mirror.restart();
        site.old.stop();
        copy(&site.registry.storage(), &site.old.storage());
        site.old.start();
        let disk = site.registry.storage().display().to_string();
        let audited = audit(&disk, "full");
        let said = Said::of(&audited.report(), &disk);
        let mut found = Vec::new();
        for repository in REPOSITORIES {
            self.compare(site, repository, &said, tally, &mut found);
        }
        assert!(
            found.is_empty(),
            "{}\n{}\n{audited}",
            found.join("\n"),
            self.done.join("\n")
        );
        self.repair(site, &disk, &said, tally);
    }

    /// Compares what the audit says of a repository with what both registries answer.
    fn compare(
        &self,
        site: &mut Site,
        repository: &str,
        said: &Said,
        tally: &mut Tally,
        found: &mut Vec<String>,
    ) {
        // What one repository has under a wrong link is remembered for all of them.
        site.registry.restart();
        site.old.restart();
        let tree = Tree::at(&site.registry.storage());
        let mut leads = BTreeMap::new();
        for pushed in self
            .images
            .iter()
            .filter(|one| one.repository == repository)
        {
            let link = fs::read_to_string(tree.tag(repository, &pushed.tag));
            let digest = link.ok().filter(|text| is_digest(text));
            leads.insert(pushed.tag.clone(), digest);
        }
        let roots: Vec<String> = leads.values().flatten().cloned().collect();
        let truth = answers::below(&site.registry, repository, &roots);
        tally.digests += truth.len();
        let fault = |digest: &str| said.faults.get(&(repository.to_owned(), digest.to_owned()));
        for ((kind, digest), answer) in &truth {
            let fault = fault(digest);
            if answer.is_ok() != fault.is_none() {
                let answer = answer.as_ref().map(Vec::len);
                found.push(format!("{repository} {digest}: {answer:?}, but {fault:?}"));
            }
            tally.faults += usize::from(fault.is_some());
            let old = answers::to(&site.old, repository, *kind, digest);
            let is_promised =
                fault.is_some_and(|(_, detail)| detail.contains("distribution 2 delivers it"));
            tally.only_old += usize::from(is_promised);
            if old.is_ok() != (answer.is_ok() || is_promised) {
                let old = old.as_ref().map(Vec::len);
                found.push(format!(
                    "{repository} {digest}: 2 answers {old:?}, but {fault:?}"
                ));
            }
        }
        let asked: BTreeSet<&str> = truth.keys().map(|(_, digest)| &**digest).collect();
        for (name, digest) in said.faults.keys() {
            if name == repository && !digest.is_empty() && !asked.contains(&**digest) {
                found.push(format!("{repository} {digest}: no tag leads to it"));
            }
        }
        for (tag, root) in &leads {
            let result = said.images.get(&(repository.to_owned(), tag.clone()));
            let is_whole = root.as_ref().is_some_and(|root| is_whole(root, &truth));
            if result.map(String::as_str) != Some(if is_whole { "passed" } else { "failed" }) {
                found.push(format!("{repository}:{tag}: {root:?}, but {result:?}"));
            }
            let answer = answers::to_tag(&site.registry, repository, tag);
            let is_predicted = match root {
                None => answer.is_err(),
                Some(root) => (answer.as_ref() == Ok(root)) == fault(root).is_none(),
            };
            if !is_predicted {
                found.push(format!("{repository}:{tag}: {answer:?}, but {root:?}"));
            }
        }
    }

    /// Repairs, and pulls every image.
    fn repair(&self, site: &mut Site, disk: &str, before: &Said, tally: &mut Tally) {
        let quiet = without_collections();
        let repaired = repair(disk)
            .arguments(["--from", &site.mirror.host(), "--depth", "full"])
            .arguments(["--gc-stopped", "--apply"])
            .run();
        drop(quiet);
        assert!(matches!(repaired.code, Some(0 | 1)), "{repaired}");
        let after = Said::of(&repaired.report(), disk);
        let whole: BTreeSet<_> = before.passed().chain(after.passed()).cloned().collect();
        site.registry.restart();
        let mut pulled = BTreeMap::new();
        for Pushed {
            repository, tag, ..
        } in &self.images
        {
            let is_whole = whole.contains(&((*repository).to_owned(), tag.clone()));
            let link = Tree::at(&site.registry.storage()).tag(repository, tag);
            let link = fs::read_to_string(link).unwrap_or_default();
            let answer = answers::to_tag(&site.registry, repository, tag);
            // By its tag alone, skopeo believes whatever comes.
            let (pulls, printed) = match answer {
                Ok(digest) if digest == link => {
                    let reference = site.registry.reference(&format!("{repository}@{digest}"));
                    let once = pulled.entry(reference.clone());
                    once.or_insert_with(|| skopeo::pulls(&reference)).clone()
                }
                other => (false, format!("{link:?}: {other:?}")),
            };
            assert_eq!(
                pulls,
                is_whole,
                "{repository}:{tag}: {printed}\n{}\n{repaired}",
                self.done.join("\n")
            );
            tally.whole += usize::from(pulls);
            tally.lost += usize::from(!pulls);
        }
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:");
    hex.is_some_and(|hex| {
        hex.len() == 64
            && hex
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Whether a manifest and everything below it was delivered.
fn is_whole(root: &str, truth: &Answers) -> bool {
    let mut next = vec![(Kind::Manifest, root.to_owned())];
    while let Some(one) = next.pop() {
        match &truth[&one] {
            Ok(bytes) if one.0 == Kind::Manifest => next.extend(answers::children(bytes)),
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

/// An empty tree in the place of what is there.
fn emptied(storage: &Path) -> Tree {
    if storage.exists() {
        fs::remove_dir_all(storage).expect("the directory is ours");
    }
    Tree::at(storage)
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("the directory is ours");
    }
    let output = Command::new("cp").arg("-a").args([from, to]).output();
    require_success(&output.expect("there is cp"), "cp -a");
}
