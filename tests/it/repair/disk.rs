//! On the disk of a real registry, beside it: links and files are put back, and nothing else changes.

use std::path::Path;
use std::sync::RwLockReadGuard;

use super::{act, actions, repair};
use crate::support::command::{Finished, Pullproof, pullproof, verify};
use crate::support::distribution::{Damage, Distribution, as_a_collection, without_collections};
use crate::support::image::{Image, LAYER};
use crate::support::recipe::platforms;
use crate::support::skopeo;
use crate::support::tree::Tree;

const NAME: &str = "team/app:1";

/// Meanwhile no other test collects garbage.
type Quiet = RwLockReadGuard<'static, ()>;

fn registry() -> (Distribution, Image, Quiet) {
    let quiet = without_collections();
    let registry = Distribution::open();
    let image = registry.image(NAME, &platforms(2).attested());
    verify(&registry.reference(NAME)).run().passes();
    (registry, image, quiet)
}

fn storage(registry: &Distribution) -> String {
    registry.storage().display().to_string()
}

/// `pullproof repair DIR` that may write.
fn mend(registry: &Distribution) -> Pullproof {
    repair(&storage(registry)).arguments(["--gc-stopped", "--apply"])
}

/// What is said when the links of repairs are taken back.
fn undone(registry: &Distribution) -> Finished {
    let run = pullproof().arguments(["repair", "--undo", "--gc-stopped"]);
    run.arguments(["--storage", &storage(registry)])
        .run()
        .exits(0)
}

#[test]
fn with_the_links_alone_removed_the_disk_alone_is_enough() {
    let (mut registry, image, _quiet) = registry();
    let lost = [
        image.root(),
        image.child(0),
        image.attestation(1),
        image.layer(0, 0),
        image.config(1),
    ];
    for digest in lost {
        registry.damage("team/app", digest, Damage::Unlinked);
    }
    registry.restart();
    let planned = repair(&storage(&registry)).run().exits(1);
    assert_eq!(actions(&planned).len(), lost.len());
    assert!(
        actions(&planned)
            .iter()
            .all(|(action, ..)| action == "link")
    );
    assert!(!skopeo::pulls(&registry.reference(NAME)).0);
    let done = mend(&registry).run().exits(0);
    assert!(actions(&done).iter().all(|(_, _, done)| *done));
    // Without a restart.
    let (pulls, why) = skopeo::pulls(&registry.reference(NAME));
    assert!(pulls, "{why}");
}

#[test]
fn files_that_are_damaged_or_gone_are_replaced_from_a_mirror() {
    let (mut registry, image, _quiet) = registry();
    let mirror = Distribution::open();
    mirror.push(NAME, &image);
    registry.damage("team/app", image.layer(0, 0), Damage::Emptied);
    registry.damage("team/app", image.layer(1, 0), Damage::Truncated);
    registry.damage("team/app", image.config(0), Damage::Flipped);
    registry.damage("team/app", image.child(1), Damage::Emptied);
    registry.damage("team/app", image.layer(1, 1), Damage::Deleted);
    registry.damage("team/app", image.layer(0, 1), Damage::Flipped);
    registry.restart();
    let done = mend(&registry)
        .arguments(["--from", &mirror.host(), "--depth", "full"])
        .run()
        .exits(0);
    let acts = actions(&done);
    assert_eq!(acts.len(), 6, "{acts:?}");
    for (action, digest, is_done) in &acts {
        assert_eq!((action.as_str(), *is_done), ("replace", true), "{digest}");
        let bytes = std::fs::read(registry.data(digest)).unwrap();
        assert_eq!(crate::support::digest::sha256(&bytes), *digest);
    }
    let (pulls, why) = skopeo::pulls(&registry.reference(NAME));
    assert!(pulls, "{why}");
}

#[test]
fn the_disk_helps_over_the_api_too_and_is_not_written_to_without_leave() {
    let (registry, image, _quiet) = registry();
    registry.delete("team/app", image.child(0));
    let before = names(registry.storage());
    let reference = registry.reference(NAME);
    let done = repair(&reference)
        .arguments(["--storage", &storage(&registry), "--apply"])
        .run()
        .exits(0);
    assert_eq!(actions(&done), [act("put", image.child(0), true)]);
    // The registry itself has written its link, and nobody anything else.
    let after: Vec<_> = names(registry.storage())
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    let hex = image.child(0).trim_start_matches("sha256:");
    assert!(
        after.len() == 1 && after[0].ends_with(&format!("{hex}/link")),
        "{after:?}"
    );
}

#[test]
fn a_registry_is_asked_and_its_disk_is_mended() {
    let (mut registry, image, _quiet) = registry();
    let mirror = Distribution::open();
    mirror.push(NAME, &image);
    registry.damage("team/app", image.layer(0, 0), Damage::Truncated);
    registry.damage("team/app", image.child(1), Damage::Unlinked);
    registry.restart();
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &mirror.host(), "--apply"])
        .arguments(["--storage", &storage(&registry), "--gc-stopped"])
        .run()
        .exits(1);
    // It remembers the length of the file that was cut short.
    assert_eq!(
        actions(&done),
        [
            act("replace", image.layer(0, 0), false),
            act("link", image.child(1), true),
        ]
    );
    let hints = done.report().0["hints"].to_string();
    assert!(hints.contains("restart the registry"), "{hints}");
    registry.restart();
    assert!(skopeo::pulls(&registry.reference(NAME)).0);
}

#[test]
fn a_tag_whose_manifest_is_gone_comes_back() {
    let (mut registry, image, _quiet) = registry();
    registry.delete("team/app", image.root());
    registry.push("team/app:2", &platforms(1).make());
    registry.restart();
    let from = Distribution::open();
    from.push(NAME, &image);
    // Its tag went with it, so that only a name tells what is meant.
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &from.host(), "--apply"])
        .arguments(["--storage", &storage(&registry), "--gc-stopped"])
        .run()
        .exits(0);
    assert_eq!(
        actions(&done),
        [
            act("link", image.root(), true),
            act("tag", image.root(), true),
        ]
    );
    verify(&registry.reference(NAME)).run().passes();
}

#[test]
fn links_can_be_taken_back() {
    let (registry, image, _quiet) = registry();
    let before = names(registry.storage());
    registry.damage("team/app", image.child(0), Damage::Unlinked);
    registry.damage("team/app", image.layer(0, 0), Damage::Unlinked);
    let broken = names(registry.storage());
    mend(&registry).run().exits(0);
    let whole: Vec<_> = names(registry.storage())
        .into_iter()
        .filter(|name| name != "pullproof-repair.journal")
        .collect();
    assert_eq!(whole, before);
    let undone = undone(&registry);
    assert!(
        undone.stdout.contains("2 links removed, 0 files left"),
        "{undone}"
    );
    assert_eq!(names(registry.storage()), broken);
}

/// A client does not push what is there, so that a link may be what a later image stands on.
#[test]
fn links_that_a_later_push_may_need_stay() {
    let (registry, image, _quiet) = registry();
    registry.damage("team/app", image.layer(0, 0), Damage::Unlinked);
    mend(&registry).run().exits(0);
    let later = platforms(1).make();
    registry.push("team/app:2", &later);
    let link = registry.repository("team/app");
    let link = link
        .join("_manifests/revisions")
        .join(later.root().replace(':', "/"));
    let link = std::fs::File::open(link.join("link")).unwrap();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    link.set_modified(soon).unwrap();
    let undone = undone(&registry);
    assert!(
        undone.stdout.contains("0 links removed, 1 file left"),
        "{undone}"
    );
    verify(&registry.reference(NAME)).run().passes();
}

/// What a descriptor embeds is nowhere else, and that is no collection that took it.
#[test]
fn content_that_a_descriptor_embeds_does_not_stop_a_repair() {
    let _quiet = without_collections();
    let tree = Tree::new();
    let mut image = Image::empty();
    let embedded = image.blob(LAYER, b"embedded".to_vec()).inline(b"embedded");
    let lost = image.blob(LAYER, b"lost".to_vec());
    let root = image.image_of(&[embedded.clone(), lost.clone()]);
    let image = image.begins_with(&root);
    tree.push(NAME, &image);
    std::fs::remove_file(tree.data(embedded.digest())).unwrap();
    std::fs::remove_file(tree.layer("team/app", embedded.digest())).unwrap();
    std::fs::remove_file(tree.layer("team/app", lost.digest())).unwrap();
    let path = tree.path().display().to_string();
    let done = repair(&path).arguments(["--gc-stopped", "--apply"]).run();
    assert_eq!(actions(&done), [act("link", lost.digest(), true)], "{done}");
}

/// A manifest comes back only with what is below it, so that has to be looked at.
#[test]
fn what_was_not_looked_at_is_not_there() {
    let (registry, image, _quiet) = registry();
    registry.damage("team/app", image.root(), Damage::Unlinked);
    registry.damage("team/app", image.layer(1, 0), Damage::Deleted);
    let refused = mend(&registry)
        .arguments(["--depth", "manifests"])
        .run()
        .exits(2);
    assert!(refused.stderr.contains("depth of audit alone"), "{refused}");
    let done = mend(&registry)
        .arguments(["--only-platforms", "linux/amd64"])
        .run()
        .exits(1);
    assert_eq!(actions(&done), [act("lost", image.root(), false)]);
}

#[test]
fn without_the_promise_nothing_is_written() {
    let (registry, image, _quiet) = registry();
    registry.damage("team/app", image.child(0), Damage::Unlinked);
    let refused = repair(&storage(&registry))
        .argument("--apply")
        .run()
        .exits(2);
    assert!(refused.stderr.contains("--gc-stopped"), "{refused}");
    let refused = pullproof().arguments(["repair", "--undo"]).run().exits(2);
    assert!(refused.stderr.contains("--storage DIR"), "{refused}");
}

#[test]
fn while_garbage_is_collected_nothing_is_written() {
    let (registry, image, quiet) = registry();
    registry.damage("team/app", image.child(0), Damage::Unlinked);
    // No other test mends a disk meanwhile.
    drop(quiet);
    let before = names(registry.storage());
    let done = as_a_collection(|| {
        let mut collector = std::process::Command::new("sh")
            .args(["-c", "sleep 60; true", "registry", "garbage-collect"])
            .spawn()
            .unwrap();
        let done = mend(&registry).run();
        collector.kill().unwrap();
        collector.wait().unwrap();
        done.exits(1)
    });
    assert_eq!(actions(&done), [act("link", image.child(0), false)]);
    assert!(
        done.stderr.contains("garbage collection is running"),
        "{done}"
    );
    assert_eq!(names(registry.storage()), before);
}

/// All files below a directory, by their paths there.
fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let root = directory.as_ref().to_owned();
    let mut names = Vec::new();
    let mut folders = vec![directory.as_ref().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(&root).unwrap();
                names.push(path.display().to_string());
            }
        }
    }
    names.sort();
    names
}
