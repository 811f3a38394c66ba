//! Random damage: at each depth, each digest is reported as a download of it ends, or as a rule in
//! `docs/how-it-works.md` says.

use super::super::TEAM;
use super::compare::{Meanwhile, differences};
use super::pull::{Pulled, Truth, everything};
use super::{Registry, Summary, harm};
use crate::support::command::verify;
use crate::support::digest::Random;
use crate::support::distribution::push;
use crate::support::image::Image;
use crate::support::recipe::any;
use crate::support::rounds::seeds;

/// How many images share a restart.
const BATCH: usize = 20;

struct Round {
    seed: u64,
    random: Random,
    warm: bool,
    repository: String,
    reference: String,
    image: Image,
    harms: Vec<String>,
}

impl Round {
    fn new(registry: &impl Registry, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let recipe = any(&mut random, seed);
        let recipe = match random.below(8) {
            // More than is read in place of a last byte.
            0 => recipe
                .layers(1)
                .layer_size(1_100_000 + random.below(500_000)),
            _ => recipe,
        };
        let image = recipe.make();
        let repository = format!("{TEAM}/app-{seed}");
        push(&registry.door(), &format!("{repository}:1"), &image);
        let by_tag = random.below(2) == 0;
        Self {
            seed,
            warm: random.below(2) == 0,
            random,
            repository,
            reference: if by_tag {
                "1".to_owned()
            } else {
                image.root().to_owned()
            },
            image,
            harms: Vec::new(),
        }
    }

    fn truth(&self, registry: &impl Registry) -> Truth {
        everything(
            &registry.door(),
            &self.repository,
            &self.reference,
            &self.image,
        )
    }

    fn harm(&mut self, registry: &impl Registry) {
        self.harms = harm::any(registry, &mut self.random, &self.repository, &self.image);
    }

    /// The differences at every depth.
    fn compare(&self, registry: &impl Registry, truth: &Truth) -> Vec<String> {
        let joint = if self.reference == "1" { ':' } else { '@' };
        let host = registry.door().host;
        let reference = format!("{host}/{}{joint}{}", self.repository, self.reference);
        let mut all = Vec::new();
        for depth in ["head", "tail", "full"] {
            let finished = verify(&reference).arguments(["--depth", depth]).run();
            let found = differences(&finished, depth, truth, &self.image, Meanwhile::Nothing);
            if !found.is_empty() {
                all.push(format!("depth {depth}: {}\n{finished}", found.join("; ")));
            }
        }
        all
    }
}

/// What the rounds found.
#[derive(Default)]
struct Tally {
    pulled: u64,
    open: u64,
    changed: u64,
    unstable: u64,
    differences: Vec<String>,
}

impl Tally {
    fn add(&mut self, registry: &impl Registry, round: &Round) {
        let mut truth = round.truth(registry);
        let mut found = round.compare(registry, &truth);
        // A registry that still tidies up what was damaged is asked once more.
        let again = round.truth(registry);
        if !found.is_empty() && again != truth {
            self.unstable += 1;
            truth = again;
            found = round.compare(registry, &truth);
        }
        let any = |is: fn(&Pulled) -> bool| u64::from(truth.digests.values().any(is));
        let whole = truth.reference == Pulled::Whole
            && truth
                .digests
                .values()
                .all(|pulled| *pulled == Pulled::Whole);
        self.pulled += u64::from(whole);
        self.open += any(|pulled| matches!(pulled, Pulled::Failing(_)));
        self.changed += any(|pulled| *pulled == Pulled::Changed);
        let context = format!(
            "seed {}, {}, {}, {:?}, {truth:?}",
            round.seed,
            if round.warm { "warm" } else { "cold" },
            round.reference,
            round.harms
        );
        self.differences
            .extend(found.iter().map(|found| format!("{context}\n{found}")));
    }
}

/// Pushes, damages, downloads and verifies one image after another.
pub(super) fn rounds(registry: &mut impl Registry) -> Summary {
    let seeds = seeds(20);
    let mut tally = Tally::default();
    for batch in seeds.clone().collect::<Vec<_>>().chunks(BATCH) {
        let rounds = batch.iter().map(|seed| Round::new(registry, *seed));
        let (mut warm, mut cold): (Vec<_>, Vec<_>) = rounds.partition(|round| round.warm);
        for round in &mut cold {
            round.harm(registry);
        }
        registry.stop();
        registry.start();
        for round in &mut warm {
            round.truth(registry);
            round.harm(registry);
        }
        for round in warm.iter().chain(&cold) {
            tally.add(registry, round);
        }
    }
    let (rounds, first) = (seeds.end - seeds.start, seeds.start);
    assert!(
        rounds < 20 || (1..rounds).contains(&tally.pulled),
        "{} of {rounds} could be downloaded: nothing was compared",
        tally.pulled
    );
    Summary {
        text: format!(
            "{rounds} images from seed {first}: {} could be downloaded, {} could not; {} with an \
             error for a digest, {} with other bytes, {} that changed meanwhile",
            tally.pulled,
            rounds - tally.pulled,
            tally.open,
            tally.changed,
            tally.unstable,
        ),
        unexplained: tally.differences,
    }
}
