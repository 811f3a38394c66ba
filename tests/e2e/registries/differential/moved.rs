//! A tag that moves during the walk: what is reported is true of one of the images that it pointed
//! to, and what is reported as broken was damaged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::compare::is_definite;
use super::{Registry, assert_explained, harm};
use crate::support::command::{Finished, pullproof};
use crate::support::digest::Random;
use crate::support::distribution::{Door, push, push_below_root, put_root};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::rounds::seeds;

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// What is reported that is not true.
fn differences(
    finished: &Finished,
    depth: &str,
    images: &[Image],
    damaged: &BTreeSet<String>,
) -> Vec<String> {
    let report = finished.report();
    let nodes = report.nodes();
    let broken = nodes.iter().filter(|node| is_definite(node));
    let broken: BTreeSet<String> = broken
        .map(|node| node["digest"].as_str().unwrap_or_default().to_owned())
        .collect();
    let mut found: Vec<String> = broken
        .difference(damaged)
        .map(|digest| format!("{digest} is whole, and reported as broken"))
        .collect();
    let shown = report.images()[0]["digest"].as_str().map(str::to_owned);
    let image = images
        .iter()
        .find(|image| Some(image.root()) == shown.as_deref());
    match finished.code {
        Some(0) => match image {
            None => found.push(format!("passed as {shown:?}, which was never pushed")),
            Some(image) if depth == "full" && !image.reachable().is_disjoint(damaged) => {
                found.push("a damaged image passed".to_owned());
            }
            Some(_) => {}
        },
        Some(1) if broken.is_empty() => found.push("failed without a broken digest".to_owned()),
        Some(1) => {}
        _ => found.push("undecided, though the registry ran all the time".to_owned()),
    }
    found
}

/// Points the tag at one image after another.
fn move_tag(door: &Door, name: &str, images: &[Image], random: &mut Random, whole_run: Duration) {
    for image in images {
        let share = random.below(1000);
        std::thread::sleep(
            whole_run.mul_f64(f64::from(u16::try_from(share).unwrap_or(0)) / 1000.0),
        );
        put_root(door, name, image);
    }
}

/// Moves a tag while it is verified, once or more, with whole images and with damaged ones.
pub(super) fn rounds(name: &str, registry: &mut impl Registry) {
    let seeds = seeds(20);
    let mut all = Vec::new();
    let (mut old, mut new, mut failed) = (0, 0, 0);
    for seed in seeds.clone() {
        let mut random = Random::seeded(seed);
        let repository = format!("{}/moved-{seed}", super::super::TEAM);
        let tagged = format!("{repository}:1");
        let mut make = |at: u64| {
            let recipe = platforms(1 + random.below(3)).layers(2).attested();
            recipe
                .layer_size(1 + random.below(2000))
                .seed(4 * seed + at)
                .make()
        };
        let images: Vec<Image> = (0..4).map(&mut make).collect();
        let door = registry.door();
        for image in &images[1..] {
            push_below_root(&door, &tagged, image);
        }
        push(&door, &tagged, &images[0]);
        let depth = *random.pick(&DEPTHS);
        let run = || {
            let reference = format!("{}/{tagged}", door.host);
            let settle = ["0s", "300ms"][usize::from(seed % 4 == 0)];
            pullproof()
                .arguments(["verify", &reference, "--format", "json", "--depth", depth])
                .arguments(["--settle", settle, "--backoff", "10ms"])
                .arguments(["--concurrency", "1"])
        };
        let begun = Instant::now();
        run().run().passes();
        let whole_run = begun.elapsed();
        let mut damaged = BTreeSet::new();
        let moves = *random.pick(&[1, 1, 1, 2, 3]);
        if random.below(2) == 0 {
            let parts = &random.pick(&images[..=moves]).images[0];
            let digest = random.pick(&parts.layers).digest().to_owned();
            harm::content(registry, &mut random, &repository, &digest);
            damaged.insert(digest);
        }
        let running = run().start();
        move_tag(&door, &tagged, &images[1..=moves], &mut random, whole_run);
        let finished = running.wait();
        let shown = finished.report().images()[0]["digest"].clone();
        match shown.as_str() {
            _ if finished.code == Some(1) => failed += 1,
            Some(digest) if digest == images[0].root() => old += 1,
            _ => new += 1,
        }
        let found = differences(&finished, depth, &images, &damaged);
        if !found.is_empty() {
            let roots: Vec<&str> = images[..=moves].iter().map(Image::root).collect();
            all.push(format!(
                "seed {seed}, depth {depth}, {moves} moves, {damaged:?} damaged, {roots:?}\n{}\n\
                 {finished}",
                found.join("; ")
            ));
        }
    }
    println!(
        "{name}: a tag moved {} times from seed {}: {old} passed as the old image, {new} as a new \
         one, {failed} failed; {} unexplained",
        seeds.end - seeds.start,
        seeds.start,
        all.len()
    );
    assert_explained(&all);
}
