//! The incident: what a collection of garbage took, and links that are lost.

use super::{Said, audit, repair};
use crate::support::distribution::{Damage, Distribution, without_collections};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::skopeo;

const NAMES: [&str; 2] = ["team/app:1", "team/app:2"];

/// What `garbage-collect -m` takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Collected {
    /// The children of every index, which have no tags of their own.
    Children,
    /// Nothing that a tag reaches.
    Nothing,
}

/// Which lost links a registry hides that still remembers them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hides {
    /// Those of configs and layers.
    Some,
    /// All but the one that its tag leads to.
    All,
}

/// Pushes two images, by a program that this project did not write.
fn pushed(registries: &[&Distribution]) -> [Image; 2] {
    let images = [1, 2].map(|seed| platforms(2).attested().seed(seed).make());
    for registry in registries {
        for (name, image) in NAMES.iter().zip(&images) {
            skopeo::push(&registry.host(), name, image);
        }
    }
    images
}

fn storage(registry: &Distribution) -> String {
    registry.storage().display().to_string()
}

#[track_caller]
fn assert_pulls(registry: &Distribution, expected: bool) {
    for name in NAMES {
        let (pulls, printed) = skopeo::pulls(&registry.reference(name));
        assert_eq!(pulls, expected, "{name}: {printed}");
    }
}

/// What the disk and the API say at every depth, which has to be the same.
#[track_caller]
fn agreed(registry: &Distribution) -> Said {
    let disk = storage(registry);
    for depth in ["head", "tail"] {
        let said = [&disk, &registry.host()].map(|target| {
            let report = audit(target, depth).report();
            Said::of(&report, target)
        });
        assert_eq!(said[0].verdicts(), said[1].verdicts(), "{depth}");
        assert_eq!(said[0].images, said[1].images, "{depth}");
    }
    let [disk, api] = [disk, registry.host()].map(|target| {
        let report = audit(&target, "full").report();
        Said::of(&report, &target)
    });
    assert_eq!(disk.verdicts(), api.verdicts());
    assert_eq!(disk.images, api.images);
    assert_eq!(disk.images.len(), NAMES.len());
    disk
}

/// Collects garbage, and puts back what it took from a mirror.
pub(super) fn collected(start: fn() -> Distribution, takes: Collected) {
    let (mut registry, mirror) = (start(), start());
    let images = pushed(&[&registry, &mirror]);
    assert!(agreed(&registry).faults.is_empty());
    registry.stop().garbage_collect_untagged().start();
    let mut lost: Vec<&str> = Vec::new();
    if takes == Collected::Children {
        let children = images.iter().flat_map(|image| {
            let places = 0..image.images.len();
            places.flat_map(move |place| [image.child(place), image.attestation(place)])
        });
        lost.extend(children);
    }
    lost.sort_unstable();
    let said = agreed(&registry);
    let found: Vec<&str> = said.faults.keys().map(|(_, digest)| &**digest).collect();
    assert_eq!(found, lost);
    assert!(said.verdicts().values().all(|verdict| verdict == "missing"));
    assert_pulls(&registry, takes == Collected::Nothing);
    let done = repair(&registry.host())
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(0);
    // Each child with its config and its layers.
    let steps = done.report().0["plan"].as_array().map_or(0, Vec::len);
    assert_eq!(steps > lost.len(), takes == Collected::Children, "{done}");
    // Without a build, and without a restart.
    assert_pulls(&registry, true);
    assert!(agreed(&registry).faults.is_empty());
    registry.restart();
    assert!(agreed(&registry).faults.is_empty());
    assert_pulls(&registry, true);
}

/// Removes links, whose content stays, and writes them again.
pub(super) fn unlinked(start: fn() -> Distribution, hides: Hides) {
    let mut registry = start();
    let images = pushed(&[&registry]);
    // Afterwards it remembers everything.
    assert_pulls(&registry, true);
    let mut lost = Vec::new();
    for image in &images {
        let manifests = [image.child(0), image.attestation(1)];
        lost.extend(manifests.map(|digest| (digest, true)));
        let blobs = [image.config(1), image.layer(1, 0), image.layer(1, 2)];
        lost.extend(blobs.map(|digest| (digest, false)));
    }
    for (digest, _) in &lost {
        registry.damage("team/app", digest, Damage::Unlinked);
    }
    let disk = storage(&registry);
    let said = Said::of(&audit(&disk, "full").report(), &disk);
    let all: Vec<&str> = said.faults.keys().map(|(_, digest)| &**digest).collect();
    let mut expected: Vec<&str> = lost.iter().map(|(digest, _)| *digest).collect();
    expected.sort_unstable();
    assert_eq!(all, expected, "the disk hides nothing");
    let host = registry.host();
    let said = Said::of(&audit(&host, "full").report(), &host);
    let shown: Vec<&str> = said.faults.keys().map(|(_, digest)| &**digest).collect();
    let mut expected: Vec<&str> = lost
        .iter()
        .filter(|(_, is_manifest)| hides == Hides::Some && *is_manifest)
        .map(|(digest, _)| *digest)
        .collect();
    expected.sort_unstable();
    assert_eq!(shown, expected, "what its memory hides");
    registry.restart();
    assert_eq!(agreed(&registry).faults.len(), lost.len());
    assert_pulls(&registry, false);
    let _quiet = without_collections();
    let done = repair(&disk)
        .arguments(["--gc-stopped", "--apply"])
        .run()
        .exits(0);
    let report = done.report();
    let steps = report.0["plan"].as_array().expect("there is a plan");
    assert_eq!(steps.len(), lost.len(), "{done}");
    let is_linked = |step: &serde_json::Value| step["action"] == "link" && step["done"] == true;
    assert!(steps.iter().all(is_linked), "{done}");
    // Without a mirror, and without a restart.
    assert_pulls(&registry, true);
    assert!(agreed(&registry).faults.is_empty());
}
