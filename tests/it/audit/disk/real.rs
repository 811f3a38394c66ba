//! The tree of a real registry: the disk predicts what it answers once it is restarted.

use std::collections::BTreeMap;

use super::recipe;
use crate::support::command::{Report, pullproof};
use crate::support::distribution::{Damage, Distribution};

fn audit(target: &str) -> Report {
    let run = pullproof().arguments(["audit", target, "--format", "json", "--backoff", "10ms"]);
    run.run().report()
}

/// The verdicts on all digests that are not fine.
fn faults(report: &Report) -> BTreeMap<String, String> {
    report.faults()
}

#[test]
fn the_disk_and_the_restarted_registry_agree_on_every_damage() {
    let mut registry = Distribution::open();
    let images: Vec<_> = (0..4).map(|seed| recipe(seed).make()).collect();
    for (tag, image) in images.iter().enumerate() {
        registry.push(&format!("team/app:v{tag}"), image);
    }
    let root = registry.root().display().to_string();
    let (disk, api) = (audit(&root), audit(&registry.host()));
    assert_eq!((disk.result(), api.result()), ("passed", "passed"));
    let parts = |image: usize| &images[image].images[0];
    registry
        .damage("team/app", parts(0).layers[0].digest(), Damage::Deleted)
        .damage("team/app", parts(0).layers[1].digest(), Damage::Unlinked)
        .damage("team/app", parts(1).manifest.digest(), Damage::Unlinked)
        .damage("team/app", parts(2).manifest.digest(), Damage::Deleted)
        .damage("team/app", parts(3).config.digest(), Damage::Unlinked)
        .damage(
            "team/app",
            images[3].images[1].layers[0].digest(),
            Damage::Truncated,
        );
    registry.restart();
    let (disk, api) = (audit(&root), audit(&registry.host()));
    assert_eq!(faults(&disk), faults(&api));
    assert_eq!(faults(&disk).len(), 6, "{:#}", disk.0);
}

#[test]
fn a_dry_collection_frees_what_the_audit_says() {
    let mut registry = Distribution::open();
    registry.push("team/app:1", &recipe(1).make());
    let lost = recipe(2).make();
    registry.push("team/app:2", &lost);
    registry.unlink_tag("team/app", "2");
    registry.damage(
        "team/app",
        lost.images[0].manifest.digest(),
        Damage::Unlinked,
    );
    registry.damage("team/app", lost.root(), Damage::Unlinked);
    let root = registry.root().display().to_string();
    let count = || {
        let found = std::process::Command::new("find")
            .args([&root, "-path", "*/blobs/*", "-name", "data"])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        found.lines().count() as u64
    };
    let (report, before) = (audit(&root), count());
    let freed = &report.0["disk"]["freed_by_garbage_collection"]["files"];
    registry.stop().garbage_collect();
    assert_eq!(
        freed.as_u64(),
        Some(before - count()),
        "{:#}",
        report.0["disk"]
    );
    assert!(freed.as_u64() > Some(0));
}
