//! Each hint is followed on a real registry and fixes the image; other steps do not.

use crate::support::command::{Finished, pullproof};
use crate::support::distribution::{Damage, Distribution};
use crate::support::image::Image;
use crate::support::recipe::platforms;

const NAME: &str = "team/app:1";
const REPOSITORY: &str = "team/app";

const RESTART_THEN_PUSH: &str = "Restart the registry, then push again";
const REMOVE_THEN_PUSH: &str = "Stop the registry, remove `docker/";
const RESTART_THEN_BUILD: &str = "restart the registry, then build and push";

/// An image that was served once, so that the registry remembers it.
fn served() -> (Distribution, Image) {
    let registry = Distribution::open();
    let image = platforms(2).attested().make();
    registry.push_by_skopeo(NAME, &image);
    look(&registry, "full").exits(0);
    (registry, image)
}

fn look(registry: &Distribution, depth: &str) -> Finished {
    let reference = registry.reference(NAME);
    let arguments = [
        "verify",
        &reference,
        "--depth",
        depth,
        "--settle",
        "0s",
        "--attempts",
        "2",
        "--backoff",
        "1ms",
    ];
    pullproof().arguments(arguments).run()
}

/// Looks at a broken image, and gives its hints.
#[track_caller]
fn hints(registry: &Distribution, depth: &str) -> Vec<String> {
    let finished = look(registry, depth).exits(1);
    finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("hint"))
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn assert_advised(registry: &Distribution, depth: &str, words: &str) {
    let hints = hints(registry, depth);
    assert_eq!(hints.len(), 1, "{hints:#?}");
    assert!(hints[0].contains(words), "{hints:#?}");
}

/// The path that a hint names; it is the one of the digest.
#[track_caller]
fn path(hint: &str, digest: &str) -> String {
    let path = hint.split('`').find(|part| part.starts_with("docker/"));
    let path = path.expect("the hint has a path").to_owned();
    let (_, hash) = digest.split_once(':').expect("a digest has an algorithm");
    assert!(path.contains(hash), "{hint}");
    path
}

/// Stops it, removes the file that the hint names, starts it, pushes: then the image is whole.
#[track_caller]
fn assert_fixed_by_removing(registry: &mut Distribution, image: &Image, digest: &str) {
    let file = path(&hints(registry, "full")[0], digest);
    registry.stop().remove_file(&file);
    registry.start().push_by_skopeo(NAME, image);
    look(registry, "full").exits(0);
}

#[test]
fn a_deleted_layer_is_fixed_by_a_restart_and_a_push() {
    let (mut registry, image) = served();
    registry.damage(REPOSITORY, image.layer(1, 0), Damage::Deleted);
    registry.push_by_skopeo(NAME, &image);
    assert_advised(&registry, "tail", RESTART_THEN_PUSH);
    registry.restart().push_by_skopeo(NAME, &image);
    look(&registry, "full").exits(0);
}

#[test]
fn a_damaged_file_has_to_go_before_a_push_helps() {
    for (damage, depth) in [
        (Damage::Emptied, "head"),
        (Damage::Truncated, "tail"),
        (Damage::Emptied, "full"),
    ] {
        let (mut registry, image) = served();
        let layer = image.layer(1, 0);
        registry.damage(REPOSITORY, layer, damage);
        if depth != "head" {
            assert_advised(&registry, depth, RESTART_THEN_PUSH);
        }
        registry.restart().push_by_skopeo(NAME, &image);
        assert_advised(&registry, depth, REMOVE_THEN_PUSH);
        assert_fixed_by_removing(&mut registry, &image, layer);
    }
}

#[test]
fn changed_bytes_stay_until_they_are_removed_or_collected() {
    let (mut registry, image) = served();
    let layer = image.layer(1, 0);
    registry.damage(REPOSITORY, layer, Damage::Flipped);
    assert_advised(&registry, "full", REMOVE_THEN_PUSH);
    let children = [
        image.child(0),
        image.child(1),
        image.attestation(0),
        image.attestation(1),
    ];
    let delete = |registry: &Distribution| {
        registry.delete(REPOSITORY, image.root());
        for child in children {
            registry.delete(REPOSITORY, child);
        }
    };
    delete(&registry);
    registry.push_by_skopeo(NAME, &image);
    assert_advised(&registry, "full", REMOVE_THEN_PUSH);
    delete(&registry);
    registry
        .stop()
        .garbage_collect()
        .start()
        .push_by_skopeo(NAME, &image);
    look(&registry, "full").exits(0);
    registry.damage(REPOSITORY, layer, Damage::Flipped);
    assert_fixed_by_removing(&mut registry, &image, layer);
}

#[test]
fn a_manifest_that_the_registry_cannot_read_stays_until_it_is_removed() {
    for damage in [Damage::Emptied, Damage::Truncated] {
        let (mut registry, image) = served();
        let child = image.child(1);
        registry.damage(REPOSITORY, child, damage);
        assert_advised(&registry, "tail", REMOVE_THEN_PUSH);
        registry
            .delete(REPOSITORY, image.root())
            .delete(REPOSITORY, child)
            .push_by_skopeo(NAME, &image);
        assert_advised(&registry, "tail", REMOVE_THEN_PUSH);
        assert_fixed_by_removing(&mut registry, &image, child);
    }
}

#[test]
fn what_a_garbage_collection_took_comes_back_after_a_restart_alone() {
    let (mut registry, image) = served();
    registry.garbage_collect_untagged();
    let hints = hints(&registry, "tail");
    assert!(hints[0].contains(RESTART_THEN_BUILD), "{hints:#?}");
    let link = path(&hints[0], image.child(0));
    assert!(
        link.contains("repositories/team/app/_manifests/revisions/"),
        "{link}"
    );
    assert!(!registry.has_file(&link), "{link} is what was lost");
    registry.push_by_skopeo(NAME, &image);
    assert_advised(&registry, "tail", RESTART_THEN_PUSH);
    registry.restart().push_by_skopeo(NAME, &image);
    look(&registry, "full").exits(0);
}
