//! Over the API of real registries: what is deleted is put back, from wherever it still is.

use super::{act, actions, repair};
use crate::support::command::{pullproof, verify};
use crate::support::distribution::Damage;
use crate::support::distribution::{Distribution, write_layout};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;
use crate::support::skopeo;

const NAME: &str = "team/app:1";

/// A registry that an image was pushed to, and one that has a copy of it.
fn pair() -> (Distribution, Distribution, Image) {
    let (registry, mirror) = (Distribution::open(), Distribution::open());
    let image = registry.image(NAME, &platforms(2).attested());
    mirror.push(NAME, &image);
    // Served once, so that the registry remembers what it has.
    verify(&registry.reference(NAME)).run().passes();
    (registry, mirror, image)
}

#[test]
fn a_plan_changes_nothing_and_says_how_to_do_it() {
    let (registry, mirror, image) = pair();
    registry.delete("team/app", image.child(1));
    let reference = registry.reference(NAME);
    let planned = repair(&reference)
        .arguments(["--from", &mirror.host()])
        .run()
        .exits(1);
    assert_eq!(actions(&planned), [act("put", image.child(1), false)]);
    verify(&reference).run().exits(1);
    let text = pullproof()
        .arguments(["repair", &reference, "--settle", "0s", "--backoff", "10ms"])
        .arguments(["--from", &mirror.host()])
        .run()
        .exits(1);
    let hex = &image.child(1)["sha256:".len()..][..12];
    let line = text.stdout.lines().find(|line| line.contains("put "));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for words in [
        hex,
        "manifest",
        "linux/arm64",
        &format!("from {}/team/app", mirror.host()),
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    let closing = "plan: nothing was changed. 1 digest can be put back with --apply";
    assert!(text.stdout.contains(closing), "{text}");
}

#[test]
fn manifests_and_blobs_come_back_from_a_mirror_without_a_restart() {
    let (mut registry, mirror, image) = pair();
    let lost = [image.child(0), image.child(1), image.attestation(0)];
    for digest in lost {
        registry.delete("team/app", digest);
    }
    for digest in [image.layer(0, 0), image.config(1)] {
        registry.damage("team/app", digest, Damage::Deleted);
    }
    registry.damage("team/app", image.layer(1, 1), Damage::Unlinked);
    // The lost link would be hidden by its memory.
    registry.restart();
    let reference = registry.reference(NAME);
    assert!(!skopeo::pulls(&reference).0);
    let done = repair(&reference)
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(0);
    let mut expected: Vec<_> = lost.map(|digest| act("put", digest, true)).into();
    let blobs = [image.layer(0, 0), image.config(1), image.layer(1, 1)];
    expected.extend(blobs.map(|digest| act("upload", digest, true)));
    let mut actions = actions(&done);
    // Blobs come first.
    assert!(actions[..3].iter().all(|(action, ..)| action == "upload"));
    actions.sort();
    expected.sort();
    assert_eq!(actions, expected);
    let report = done.report();
    assert_eq!(report.0["before"]["exit_code"], 1);
    assert_eq!(report.0["kind"], "repair");
    let (pulls, why) = skopeo::pulls(&reference);
    assert!(pulls, "{why}");
}

#[test]
fn a_blob_is_mounted_from_a_repository_that_is_named_and_from_no_other() {
    let mut registry = Distribution::open();
    let image = registry.image(NAME, &platforms(1));
    registry.push("other/copy:1", &image);
    registry.damage("team/app", image.layer(0, 0), Damage::Unlinked);
    registry.restart();
    let reference = registry.reference(NAME);
    let nowhere = repair(&reference).arguments(["--apply"]).run().exits(1);
    assert_eq!(actions(&nowhere), [act("lost", image.layer(0, 0), false)]);
    let from = format!("{}/other/copy", registry.host());
    let done = repair(&reference)
        .arguments(["--from", &from, "--apply"])
        .run()
        .exits(0);
    assert_eq!(actions(&done), [act("mount", image.layer(0, 0), true)]);
    verify(&reference).run().passes();
}

#[test]
fn what_an_audit_remembers_is_put_back_with_no_other_source() {
    let registry = Distribution::open();
    let image = registry.image(NAME, &platforms(2).attested());
    let state = Scratch::new("state");
    let state = state.path().display().to_string();
    let audit = ["audit", &registry.host(), "--state", &state];
    pullproof().arguments(audit).run().exits(0);
    for digest in [image.child(0), image.attestation(1), image.root()] {
        registry.delete("team/app", digest);
    }
    // The tag goes with its digest.
    let reference = registry.reference(NAME);
    verify(&reference).run().exits(1);
    let done = repair(&reference)
        .arguments(["--state", &state, "--apply"])
        .run()
        .exits(0);
    assert_eq!(
        actions(&done).last().unwrap(),
        &act("tag", image.root(), true)
    );
    assert_eq!(actions(&done).len(), 4);
    assert!(skopeo::pulls(&reference).0);
}

#[test]
fn a_manifest_comes_back_only_with_everything_below_it() {
    let (mut registry, mut mirror, image) = pair();
    registry.delete("team/app", image.child(0));
    registry.damage("team/app", image.layer(0, 0), Damage::Unlinked);
    mirror.damage("team/app", image.layer(0, 0), Damage::Unlinked);
    registry.damage("team/app", image.layer(0, 1), Damage::Unlinked);
    registry.delete("team/app", image.child(1));
    registry.restart();
    mirror.restart();
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(1);
    // Nor are the other layers of such a manifest uploaded.
    let mut found = actions(&done);
    found.sort();
    let mut expected = vec![
        act("lost", image.child(0), false),
        act("lost", image.layer(0, 0), false),
        act("put", image.child(1), true),
    ];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn an_image_layout_and_archives_are_sources() {
    let recipe = platforms(2);
    for kind in ["oci", "oci-archive"] {
        let registry = Distribution::open();
        let image = registry.image(NAME, &recipe);
        let layout = Scratch::new("layout");
        write_layout(&layout, &image);
        let path = layout.path().display().to_string();
        let archive = Scratch::new("archive");
        let file = archive.path().join("image.tar").display().to_string();
        let from = if kind == "oci" {
            format!("oci:{path}")
        } else {
            let tar = std::process::Command::new("tar")
                .args(["-cf", &file, "-C", &path, "."])
                .status();
            assert!(tar.unwrap().success());
            format!("oci-archive:{file}")
        };
        registry.delete("team/app", image.child(1));
        registry.damage("team/app", image.layer(1, 0), Damage::Deleted);
        let reference = registry.reference(NAME);
        let done = repair(&reference)
            .arguments(["--from", &from, "--apply"])
            .run()
            .exits(0);
        assert_eq!(
            actions(&done),
            [
                act("upload", image.layer(1, 0), true),
                act("put", image.child(1), true),
            ],
            "{kind}"
        );
    }
}

#[test]
fn a_plan_in_a_file_is_narrowed_and_never_widened() {
    let (registry, mirror, image) = pair();
    registry.delete("team/app", image.child(0));
    let reference = registry.reference(NAME);
    let folder = Scratch::new("plan");
    let plan = folder.path().join("plan.json").display().to_string();
    let run = |apply: &[&str]| {
        repair(&reference)
            .arguments(["--from", &mirror.host(), "--plan", &plan])
            .arguments(apply.iter().copied())
            .run()
    };
    run(&[]).exits(1);
    // What went after the plan was made is not in it.
    registry.delete("team/app", image.child(1));
    let done = run(&["--apply"]).exits(1);
    assert_eq!(
        actions(&done),
        [
            act("put", image.child(0), true),
            act("lost", image.child(1), false),
        ]
    );
    std::fs::write(&plan, "{}").unwrap();
    let refused = run(&["--apply"]).exits(2);
    assert!(refused.stderr.contains("cannot be used"), "{refused}");
}

#[test]
fn what_is_whole_is_left_alone() {
    let (registry, mirror, _) = pair();
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(0);
    assert_eq!(actions(&done), []);
}

#[test]
fn a_file_that_is_damaged_is_not_replaced_over_the_api_and_that_is_said() {
    let (registry, mirror, image) = pair();
    registry.damage("team/app", image.layer(0, 0), Damage::Truncated);
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(1);
    assert_eq!(actions(&done), [act("upload", image.layer(0, 0), false)]);
    let hints = done.report().0["hints"].to_string();
    assert!(hints.contains("--storage"), "{hints}");
}
