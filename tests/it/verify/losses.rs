//! Every single loss and every pair of losses in an image of two platforms with attestations, at
//! every depth: what is reported is what is lost and can be known to be, no more and no less.

use std::collections::BTreeSet;

use crate::support::command::verify;
use crate::support::fake::Registry;
use crate::support::image::Image;
use crate::support::recipe::platforms;

fn assert_reported(registry: &Registry, image: &Image, lost: &[&str], depth: &str) {
    for digest in lost {
        registry.lose(digest);
    }
    // By digest: what a lost tag pointed to cannot be known.
    let reference = registry.reference(&format!("app@{}", image.root()));
    let report = verify(&reference)
        .arguments(["--depth", depth])
        .run()
        .exits(1)
        .report();
    let known = image.reachable_without(lost);
    let expected: BTreeSet<String> = lost
        .iter()
        .filter(|digest| known.contains(**digest))
        .map(|digest| (*digest).to_owned())
        .collect();
    let faults = report.faults();
    assert!(
        faults.values().all(|verdict| verdict == "missing"),
        "{lost:?} at {depth}: {faults:#?}"
    );
    assert_eq!(
        faults.into_keys().collect::<BTreeSet<_>>(),
        expected,
        "{lost:?} at {depth}"
    );
    assert_eq!(report.result(), "failed");
    for digest in lost {
        registry.find(digest);
    }
}

fn assert_every_loss_is_reported(depth: &str) {
    let registry = Registry::start();
    // One layer in common, so that it is known by one parent when the other is lost.
    let image = registry.image("app:1", &platforms(2).layers(2).shared(1).attested());
    let report = verify(&registry.reference("app:1"))
        .arguments(["--depth", depth])
        .run()
        .passes();
    let digests = image.reachable();
    assert_eq!(report.count("ok"), u64::try_from(digests.len()).unwrap());
    for first in &digests {
        assert_reported(&registry, &image, &[first], depth);
        for second in digests.iter().filter(|second| *second > first) {
            assert_reported(&registry, &image, &[first, second], depth);
        }
    }
}

#[test]
fn every_loss_and_every_pair_is_reported_at_depth_head() {
    assert_every_loss_is_reported("head");
}

#[test]
fn every_loss_and_every_pair_is_reported_at_depth_tail() {
    assert_every_loss_is_reported("tail");
}

#[test]
fn every_loss_and_every_pair_is_reported_at_depth_full() {
    assert_every_loss_is_reported("full");
}
