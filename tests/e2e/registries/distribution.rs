//! distribution 3, like version 2, answers from its memory about blobs whose files are gone.

use super::{Case, NAME, advised, case, passes, pushed, reports};
use crate::support::distribution::{Damage, Distribution};
use crate::support::image::Image;
use crate::support::skopeo;

pub(super) fn start() -> Distribution {
    let program = std::env::var("E2E_DISTRIBUTION").expect("`make e2e` says where it is");
    Distribution::open_by(program)
}

/// Fails unless each case is reported about the digest that is chosen, with or without a restart
/// between the damage and the check.
#[track_caller]
fn each_is_reported(restarted: bool, choose: fn(&Image) -> &str, cases: &[Case]) {
    for case in cases {
        let mut registry = start();
        let image = pushed(&registry.host());
        let reference = registry.reference(NAME);
        // Afterwards it remembers every blob.
        passes(&reference);
        let digest = choose(&image);
        registry.damage("team/app", digest, case.damage);
        if restarted {
            registry.restart();
        }
        reports(&reference, digest, case);
    }
}

#[test]
fn a_whole_image_passes_at_every_depth() {
    let registry = start();
    pushed(&registry.host());
    passes(&registry.reference(NAME));
}

#[test]
fn a_damaged_child_is_reported_as_a_pull_meets_it() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Truncated, ["unavailable"; 3]),
    ];
    each_is_reported(false, |image| image.child(1), &cases);
    each_is_reported(true, |image| image.child(1), &cases);
    // While it remembers the link, it still serves the child.
    let unlinked = [case(Damage::Unlinked, ["missing"; 3])];
    each_is_reported(true, |image| image.child(1), &unlinked);
}

#[test]
fn the_last_byte_shows_what_the_registrys_memory_hides() {
    let cases = [
        case(Damage::Deleted, ["ok", "empty", "empty"]),
        case(Damage::Emptied, ["ok", "empty", "empty"]),
        case(Damage::Truncated, ["ok", "truncated", "truncated"]),
        case(Damage::Flipped, ["ok", "ok", "digest_mismatch"]),
    ];
    each_is_reported(false, |image| image.layer(1, 1), &cases);
}

#[test]
fn a_restarted_registry_answers_from_its_disk() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Unlinked, ["missing"; 3]),
        case(Damage::Emptied, ["empty"; 3]),
        case(Damage::Truncated, ["truncated"; 3]),
        case(Damage::Flipped, ["ok", "ok", "digest_mismatch"]),
    ];
    each_is_reported(true, |image| image.layer(1, 1), &cases);
}

#[test]
fn a_damaged_child_is_fixed_as_the_hint_says() {
    let mut registry = start();
    let image = pushed(&registry.host());
    let reference = registry.reference(NAME);
    registry.damage("team/app", image.child(1), Damage::Truncated);
    let file = advised(&reference);
    assert!(
        file.starts_with("docker/registry/v2/blobs/sha256/"),
        "{file}"
    );
    registry.stop().remove_file(&file);
    registry.start();
    skopeo::push(&registry.host(), NAME, &image);
    passes(&reference);
}
