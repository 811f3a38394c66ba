//! A registry that is killed and started again during the walk: what was not answered stays
//! undecided, and the rest is reported as a download ends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::TEAM;
use super::compare::{Meanwhile, differences};
use super::pull::{Truth, everything};
use super::{Registry, Summary, harm, pause};
use crate::support::command::{Pullproof, verify};
use crate::support::digest::Random;
use crate::support::distribution::push;
use crate::support::image::Image;
use crate::support::recipe::any;
use crate::support::rounds::seeds;

/// How many images are verified at once while the registry restarts.
const BATCH: usize = 5;

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// Few enough to give up while it is down, and enough to wait for it.
const ATTEMPTS: [&str; 3] = ["2", "5", "30"];

struct Round {
    seed: u64,
    repository: String,
    image: Image,
    depth: &'static str,
    attempts: &'static str,
    harms: Vec<String>,
}

impl Round {
    fn new(registry: &impl Registry, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let image = any(&mut random, seed).make();
        let repository = format!("{TEAM}/restarted-{seed}");
        push(&registry.door(), &format!("{repository}:1"), &image);
        let harms = match random.below(2) {
            0 => Vec::new(),
            _ => harm::any(registry, &mut random, &repository, &image),
        };
        Self {
            seed,
            repository,
            image,
            depth: *random.pick(&DEPTHS),
            attempts: *random.pick(&ATTEMPTS),
            harms,
        }
    }

    fn truth(&self, registry: &impl Registry) -> Truth {
        everything(&registry.door(), &self.repository, "1", &self.image)
    }

    fn run(&self, registry: &impl Registry) -> Pullproof {
        let reference = format!("{}/{}:1", registry.door().host, self.repository);
        let patience = ["--attempts", self.attempts, "--max-backoff", "50ms"];
        verify(&reference)
            .arguments(["--depth", self.depth, "--concurrency", "1"])
            .arguments(patience)
    }
}

/// Restarts a registry while images are verified, whole ones and damaged ones.
pub(super) fn rounds(registry: &mut impl Registry) -> Summary {
    let seeds = seeds(10);
    let mut all = Vec::new();
    let mut codes = BTreeMap::new();
    for batch in seeds.clone().collect::<Vec<_>>().chunks(BATCH) {
        let mut random = Random::seeded(batch[0]);
        let rounds: Vec<_> = batch
            .iter()
            .map(|seed| Round::new(registry, *seed))
            .collect();
        // What it remembers would be gone after the restart.
        registry.stop();
        registry.start();
        let truths: Vec<_> = rounds.iter().map(|round| round.truth(registry)).collect();
        let start = || rounds.iter().map(|round| round.run(registry).start());
        let running: Vec<_> = start().collect();
        let mut undisturbed: Vec<_> = running.into_iter().map(|run| run.wait().took).collect();
        undisturbed.sort();
        let whole_run = undisturbed[undisturbed.len() / 2];
        let running: Vec<_> = start().collect();
        pause(&mut random, whole_run);
        registry.stop();
        pause(&mut random, Duration::from_millis(100));
        registry.start();
        for ((round, truth), running) in rounds.iter().zip(&truths).zip(running) {
            let finished = running.wait();
            *codes.entry(finished.code).or_insert(0_u64) += 1;
            let meanwhile = Meanwhile::Restart;
            let found = differences(&finished, round.depth, truth, &round.image, meanwhile);
            if !found.is_empty() {
                let Round {
                    seed, depth, harms, ..
                } = round;
                all.push(format!(
                    "seed {seed} (batch from {}), depth {depth}, {harms:?}, {truth:?}\n{}\n\
                     {finished}",
                    batch[0],
                    found.join("; ")
                ));
            }
        }
    }
    let count = |code| codes.get(&Some(code)).copied().unwrap_or_default();
    Summary {
        text: format!(
            "{} images from seed {} while it restarted: {} passed, {} failed, {} undecided",
            seeds.end - seeds.start,
            seeds.start,
            count(0),
            count(1),
            count(4)
        ),
        unexplained: all,
    }
}
