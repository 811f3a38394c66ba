//! The incident that this program was written for: `garbage-collect -m` on distribution 2.8 takes
//! what only an index refers to.

use std::collections::BTreeMap;

use crate::support::command::{pullproof, verify};
use crate::support::distribution::Distribution;
use crate::support::image::Image;
use crate::support::recipe::platforms;

/// An image of two platforms with attestations, pushed by skopeo; then the collector ran.
fn collected() -> (Distribution, Image) {
    let mut registry = Distribution::open();
    let image = platforms(2).attested().make();
    registry.push_by_skopeo("team/app:1", &image);
    verify(&registry.reference("team/app:1")).run().passes();
    registry.stop().garbage_collect_untagged().start();
    (registry, image)
}

#[test]
fn every_child_that_the_garbage_collector_took_is_named() {
    let (registry, image) = collected();
    let report = verify(&registry.reference("team/app:1"))
        .run()
        .exits(1)
        .report();
    let children = [
        image.child(0),
        image.child(1),
        image.attestation(0),
        image.attestation(1),
    ];
    let expected: BTreeMap<_, _> = children
        .iter()
        .map(|child| ((*child).to_owned(), "missing".to_owned()))
        .collect();
    assert_eq!(report.faults(), expected);
    assert_eq!(report.result(), "failed");
    assert_eq!(report.verdict(image.root()), "ok");
    assert_eq!(report.count("broken"), 4);
}

#[test]
fn the_garbage_collector_is_named_as_the_culprit() {
    let (registry, image) = collected();
    let reference = registry.reference("team/app:1");
    let finished = pullproof()
        .arguments(["verify", &reference, "--settle", "0s", "--format", "text"])
        .run()
        .exits(1);
    for child in [
        image.child(0),
        image.child(1),
        image.attestation(0),
        image.attestation(1),
    ] {
        assert!(
            finished.stdout.contains(child),
            "{child} is not named: {finished}"
        );
    }
    for words in ["linux/amd64", "linux/arm64", "404", "garbage-collect -m"] {
        assert!(
            finished.stdout.contains(words),
            "{words:?} is not said: {finished}"
        );
    }
}

#[test]
fn the_same_collector_is_harmless_to_an_image_without_an_index() {
    let mut registry = Distribution::open();
    registry.image("team/app:1", &crate::support::recipe::single());
    registry.stop().garbage_collect_untagged().start();
    verify(&registry.reference("team/app:1")).run().passes();
}
