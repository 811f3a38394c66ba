//! A tag that moves during the walk: what is reported is true of one of the images that it pointed
//! to, and what is reported as broken was damaged.

use std::time::{Duration, Instant};

use super::super::TEAM;
use super::compare::{is_definite, may_pass};
use super::pull::{Pulled, Truth, everything};
use super::{Registry, Summary, harm, pause};
use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::digest::Random;
use crate::support::distribution::{push, push_below_root, put_root};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::rounds::seeds;

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// What is reported that is not true.
fn differences(finished: &Finished, depth: &str, images: &[(&Image, &Truth)]) -> Vec<String> {
    let report = finished.report();
    let nodes = report.nodes();
    let broken = nodes.iter().filter(|node| is_definite(node));
    let broken: Vec<&str> = broken.filter_map(|node| node["digest"].as_str()).collect();
    // A root may be absent because the tag does not point to it; none is damaged.
    let damaged = |digest: &str| {
        images.iter().any(|(image, truth)| {
            let pulled = truth.digests.get(digest);
            digest != image.root() && pulled.is_some_and(|pulled| *pulled != Pulled::Whole)
        })
    };
    let mut found: Vec<String> = broken
        .iter()
        .filter(|digest| !damaged(digest))
        .map(|digest| format!("{digest} is whole, and reported as broken"))
        .collect();
    let shown = report.images()[0]["digest"].as_str().map(str::to_owned);
    let shown = images
        .iter()
        .find(|(image, _)| Some(image.root()) == shown.as_deref());
    match (finished.code, shown) {
        (Some(0), None) => found.push("something that was never pushed passed".to_owned()),
        (Some(0), Some((image, truth))) => {
            let below = image.reachable().into_iter();
            let below = below.filter(|digest| digest != image.root());
            let wrong = below.filter(|digest| !may_pass(depth, truth, image, digest));
            found.extend(wrong.map(|digest| format!("{digest} is damaged, and passed")));
        }
        (Some(1), _) if broken.is_empty() => {
            found.push("failed without a broken digest".to_owned());
        }
        (Some(1), _) => {}
        _ => found.push("undecided, though the registry ran all the time".to_owned()),
    }
    found
}

/// A tag, and the images that it will point to one after another.
struct Round {
    seed: u64,
    random: Random,
    depth: &'static str,
    repository: String,
    tagged: String,
    images: Vec<Image>,
    harm: String,
}

impl Round {
    /// Pushes the first image, and all of the others but their roots.
    fn new(registry: &impl Registry, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let repository = format!("{TEAM}/moved-{seed}");
        let tagged = format!("{repository}:1");
        let count = *random.pick(&[2, 2, 2, 3, 4]);
        let make = |at| {
            let recipe = platforms(1 + random.below(3)).layers(2).attested();
            let size = 1 + random.below(2000);
            recipe.layer_size(size).seed(4 * seed + at).make()
        };
        let images: Vec<Image> = (0..count).map(make).collect();
        let door = registry.door();
        for image in &images[1..] {
            push_below_root(&door, &tagged, image);
        }
        push(&door, &tagged, &images[0]);
        Self {
            seed,
            depth: *random.pick(&DEPTHS),
            random,
            repository,
            tagged,
            images,
            harm: String::new(),
        }
    }

    fn run(&self, registry: &impl Registry) -> Pullproof {
        let reference = format!("{}/{}", registry.door().host, self.tagged);
        let settle = if self.seed.is_multiple_of(4) {
            "300ms"
        } else {
            "0s"
        };
        pullproof()
            .arguments(["verify", &reference, "--format", "json"])
            .arguments(["--depth", self.depth, "--settle", settle])
            // Slowly, so that more happens meanwhile.
            .arguments(["--backoff", "10ms", "--concurrency", "1"])
    }

    /// How long an undisturbed run takes.
    fn measure(&self, registry: &impl Registry) -> Duration {
        let begun = Instant::now();
        self.run(registry).run().passes();
        begun.elapsed()
    }

    /// Damages a layer of one of the images, or none.
    fn harm(&mut self, registry: &impl Registry) {
        if self.random.below(2) == 0 {
            let parts = &self.random.pick(&self.images).images[0];
            let digest = self.random.pick(&parts.layers).digest().to_owned();
            self.harm = harm::content(registry, &mut self.random, &self.repository, &digest);
        }
    }

    /// Moves the tag while it is verified.
    fn verify(&mut self, registry: &impl Registry, whole_run: Duration) -> Finished {
        let running = self.run(registry).start();
        for image in &self.images[1..] {
            // Often while the tag is resolved, which is soon over.
            let longest = *self.random.pick(&[whole_run, whole_run / 4]);
            pause(&mut self.random, longest);
            put_root(&registry.door(), &self.tagged, image);
        }
        running.wait()
    }
}

/// Moves a tag while it is verified, once or more, with whole images and with damaged ones.
pub(super) fn rounds(registry: &impl Registry) -> Summary {
    let seeds = seeds(10);
    let mut all = Vec::new();
    let (mut old, mut new, mut failed) = (0, 0, 0);
    for seed in seeds.clone() {
        let mut round = Round::new(registry, seed);
        let whole_run = round.measure(registry);
        round.harm(registry);
        let door = registry.door();
        let truth = |image: &Image| everything(&door, &round.repository, image.root(), image);
        let truths: Vec<Truth> = round.images.iter().map(truth).collect();
        let finished = round.verify(registry, whole_run);
        let images: Vec<_> = round.images.iter().zip(&truths).collect();
        match finished.report().images()[0]["digest"].as_str() {
            _ if finished.code == Some(1) => failed += 1,
            Some(digest) if digest == round.images[0].root() => old += 1,
            _ => new += 1,
        }
        let found = differences(&finished, round.depth, &images);
        if !found.is_empty() {
            let roots: Vec<&str> = round.images.iter().map(Image::root).collect();
            all.push(format!(
                "seed {seed}, depth {}, {}, {roots:?}\n{}\n{finished}",
                round.depth,
                round.harm,
                found.join("; ")
            ));
        }
    }
    Summary {
        text: format!(
            "a tag moved {} times from seed {}: {old} passed as the old image, {new} as a new one, \
             {failed} failed",
            seeds.end - seeds.start,
            seeds.start
        ),
        unexplained: all,
    }
}
