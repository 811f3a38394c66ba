//! zot keeps each repository as an image layout.

use super::{Said, audit, repair};
use crate::registries::server::Server;
use crate::registries::zot::start;
use crate::support::distribution::Damage;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::skopeo;

const NAMES: [&str; 3] = ["team/app:1", "team/app/deep:1", "solo:1"];

/// Three repositories with nothing in common.
fn pushed(registry: &Server) -> Vec<Image> {
    let images = (1..).zip(NAMES).map(|(seed, name)| {
        let image = platforms(2).attested().seed(seed).make();
        skopeo::push(registry.host(), name, &image);
        image
    });
    images.collect()
}

fn file(registry: &Server, name: &str, digest: &str) -> std::path::PathBuf {
    let repository = name.split(':').next().unwrap_or(name);
    let blobs = registry.layout(repository).join("blobs");
    blobs.join(digest.replace(':', "/"))
}

fn restart(registry: &mut Server) {
    registry.stop();
    registry.start();
}

/// What the disk and a restarted registry say.
fn said(registry: &mut Server) -> [Said; 2] {
    restart(registry);
    let store = registry.path().join("store").display().to_string();
    [store, registry.host().to_owned()].map(|target| {
        let report = audit(&target, "full").report();
        Said::of(&report, &target)
    })
}

#[test]
fn a_layer_that_is_gone_or_empty_comes_back_from_a_mirror() {
    let (mut registry, mirror) = (start(), start());
    let images = pushed(&registry);
    pushed(&mirror);
    let damages = [Damage::Deleted, Damage::Emptied];
    for ((name, image), damage) in NAMES.iter().zip(&images).zip(damages) {
        damage.apply(&file(&registry, name, image.layer(0, 1)));
    }
    restart(&mut registry);
    assert!(!skopeo::pulls(&format!("{}/{}", registry.host(), NAMES[0])).0);
    let done = repair(registry.host())
        .arguments(["--from", mirror.host(), "--apply"])
        .run()
        .exits(0);
    let report = done.report();
    let steps = report.0["plan"].as_array().expect("there is a plan");
    assert_eq!(steps.len(), damages.len(), "{done}");
    for name in NAMES {
        let (pulls, printed) = skopeo::pulls(&format!("{}/{name}", registry.host()));
        assert!(pulls, "{name}: {printed}");
    }
}

#[test]
fn its_disk_says_what_it_answers_once_it_is_restarted() {
    let mut registry = start();
    let images = pushed(&registry);
    for scratch in [".uploads", ".sync", "_trivy"] {
        let place = registry.path().join("store").join(scratch).join("app");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("index.json"), "no index").unwrap();
    }
    let [disk, api] = said(&mut registry);
    assert_eq!(disk.images.len(), NAMES.len());
    assert_eq!(
        (&disk.images, disk.faults.len()),
        (&api.images, api.faults.len())
    );
    assert!(disk.passed().count() == NAMES.len(), "{:?}", disk.images);
    let damages = [
        (0, images[0].layer(0, 0), Damage::Deleted),
        (0, images[0].config(1), Damage::Emptied),
        (0, images[0].child(1), Damage::Deleted),
        (1, images[1].layer(1, 1), Damage::Truncated),
        (1, images[1].layer(1, 2), Damage::Flipped),
        (1, images[1].attestation(0), Damage::Emptied),
    ];
    for (place, digest, damage) in damages {
        damage.apply(&file(&registry, NAMES[place], digest));
    }
    let [disk, api] = said(&mut registry);
    assert_eq!(disk.images, api.images);
    let digests = |said: &Said| said.faults.keys().cloned().collect::<Vec<_>>();
    assert_eq!(digests(&disk), digests(&api));
    // What is below the child that is gone is not looked at.
    assert_eq!(
        disk.faults.len(),
        damages.len() - 1,
        "{:?}",
        disk.verdicts()
    );
    assert_eq!(disk.passed().count(), 1);
}
