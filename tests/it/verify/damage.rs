//! Every damage of the measured table, at every depth: what must be found, and what cannot be
//! found.
//!
//! Warm: the registry had served the content before the damage. Cold: it was restarted after it.

use std::collections::BTreeMap;

use crate::support::command::verify;
use crate::support::distribution::{Damage, Distribution};
use crate::support::image::Image;
use crate::support::recipe::platforms;

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// Damages one part of a whole image, and compares the verdict at each depth with the expected one.
#[track_caller]
fn assert_found(part: fn(&Image) -> &str, damage: Damage, warm: bool, expected: [&str; 3]) {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2).layer_size(100_000));
    let reference = registry.reference("app:1");
    if warm {
        verify(&reference)
            .arguments(["--depth", "full"])
            .run()
            .passes();
    }
    registry.damage("app", part(&image), damage);
    for (depth, verdict) in DEPTHS.into_iter().zip(expected) {
        if !warm {
            registry.restart();
        }
        let finished = verify(&reference).arguments(["--depth", depth]).run();
        let fault = (verdict != "ok").then(|| (part(&image).to_owned(), verdict.to_owned()));
        let code = i32::from(fault.is_some());
        let context = format!(
            "{damage:?}, {}, depth {depth}: {finished}",
            if warm { "warm" } else { "cold" }
        );
        assert_eq!(finished.code, Some(code), "{context}");
        // A manifest that cannot be read hides what is below it, and says so.
        let mut faults = finished.report().faults();
        faults.retain(|_, verdict| verdict != "not_checked");
        assert_eq!(faults, BTreeMap::from_iter(fault), "{context}");
    }
}

fn layer(image: &Image) -> &str {
    image.layer(1, 2)
}

fn config(image: &Image) -> &str {
    image.config(0)
}

fn child(image: &Image) -> &str {
    image.child(0)
}

#[test]
fn the_last_byte_finds_lost_data_that_head_does_not() {
    assert_found(layer, Damage::Emptied, true, ["ok", "empty", "empty"]);
    assert_found(layer, Damage::Deleted, true, ["ok", "empty", "empty"]);
}

#[test]
fn a_cold_layer_without_data_is_found_at_every_depth() {
    // HEAD states no length, or 0, for many a whole blob too: then the last byte is asked for.
    assert_found(layer, Damage::Emptied, false, ["empty"; 3]);
    assert_found(layer, Damage::Deleted, false, ["missing"; 3]);
}

#[test]
fn a_truncated_layer_is_found_by_its_last_byte() {
    assert_found(
        layer,
        Damage::Truncated,
        true,
        ["ok", "truncated", "truncated"],
    );
    assert_found(layer, Damage::Truncated, false, ["truncated"; 3]);
}

#[test]
fn a_flipped_byte_in_a_layer_is_found_by_reading_everything() {
    assert_found(
        layer,
        Damage::Flipped,
        true,
        ["ok", "ok", "digest_mismatch"],
    );
    assert_found(
        layer,
        Damage::Flipped,
        false,
        ["ok", "ok", "digest_mismatch"],
    );
}

#[test]
fn a_removed_link_to_a_layer_is_found_on_a_cold_registry() {
    assert_found(layer, Damage::Unlinked, true, ["ok"; 3]);
    assert_found(layer, Damage::Unlinked, false, ["missing"; 3]);
}

#[test]
fn configs_are_read_whole_at_every_depth() {
    for warm in [true, false] {
        assert_found(config, Damage::Emptied, warm, ["empty"; 3]);
        assert_found(config, Damage::Truncated, warm, ["truncated"; 3]);
        assert_found(config, Damage::Flipped, warm, ["digest_mismatch"; 3]);
    }
    assert_found(config, Damage::Deleted, true, ["empty"; 3]);
    assert_found(config, Damage::Deleted, false, ["missing"; 3]);
    assert_found(config, Damage::Unlinked, false, ["missing"; 3]);
}

#[test]
fn a_child_that_is_not_there_is_missing_at_every_depth() {
    for warm in [true, false] {
        assert_found(child, Damage::Deleted, warm, ["missing"; 3]);
        assert_found(child, Damage::Unlinked, warm, ["missing"; 3]);
    }
}

#[test]
fn a_child_the_registry_cannot_read_is_broken_and_not_an_outage() {
    // distribution answers 500 for a manifest that is not JSON: one digest alone, while all others
    // answer.
    for warm in [true, false] {
        assert_found(child, Damage::Emptied, warm, ["unavailable"; 3]);
        assert_found(child, Damage::Truncated, warm, ["unavailable"; 3]);
    }
}

#[test]
fn a_child_with_a_flipped_byte_is_not_what_its_digest_says() {
    for warm in [true, false] {
        assert_found(child, Damage::Flipped, warm, ["digest_mismatch"; 3]);
    }
}

#[test]
fn two_broken_parts_are_two_findings() {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2));
    registry.damage("app", image.child(0), Damage::Unlinked);
    registry.damage("app", image.layer(1, 0), Damage::Deleted);
    registry.restart();
    let faults = verify(&registry.reference("app:1"))
        .run()
        .exits(1)
        .report()
        .faults();
    let missing =
        [image.child(0), image.layer(1, 0)].map(|digest| (digest.to_owned(), "missing".to_owned()));
    assert_eq!(faults, BTreeMap::from(missing));
}

#[test]
fn a_tag_that_is_gone_is_missing() {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2));
    registry.unlink_tag("app", "1");
    registry.restart();
    let report = verify(&registry.reference("app:1")).run().exits(1).report();
    assert_eq!(report.result(), "failed");
    let root = registry.reference(&format!("app@{}", image.root()));
    verify(&root).run().passes();
}
