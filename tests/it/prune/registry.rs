//! Against real registries.

use super::{manifests, prune, signed_without_a_tag, tags};
use crate::support::command::{pullproof, verify};
use crate::support::distribution::Distribution;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};
use crate::support::scratch::Scratch;

/// A registry with three images that share layers, and have attestations.
fn registry() -> (Distribution, Vec<Image>) {
    let registry = Distribution::open();
    let image = |seed: u64| {
        let recipe = platforms(2).attested().shared(1).seed(seed);
        registry.image(&format!("team/app:v{seed}"), &recipe)
    };
    let images = (1..=3).map(image).collect();
    (registry, images)
}

fn deleted(done: bool) -> (String, bool) {
    ("delete".to_owned(), done)
}

fn kept() -> (String, bool) {
    ("keep".to_owned(), false)
}

#[test]
fn a_plan_deletes_nothing_and_says_how_to_do_it() {
    let (registry, images) = registry();
    let target = registry.reference("team/app");
    let planned = prune(&target).arguments(["--keep", "v3"]).run().exits(0);
    let expected = [
        ("v1", deleted(false)),
        ("v2", deleted(false)),
        ("v3", kept()),
    ];
    let expected = expected.map(|(tag, fate)| (tag.to_owned(), fate));
    assert_eq!(tags(&planned), expected.into());
    for image in &images[..2] {
        assert!(!manifests(&planned)[image.root()]);
        assert!(!manifests(&planned)[image.child(0)]);
        assert!(!manifests(&planned)[image.attestation(0)]);
    }
    assert!(!manifests(&planned).contains_key(images[2].child(0)));
    for seed in 1..=3 {
        verify(&registry.reference(&format!("team/app:v{seed}")))
            .run()
            .passes();
    }
    let text = pullproof()
        .arguments([
            "prune",
            &target,
            "--settle",
            "0s",
            "--keep",
            "v3",
            "--min-age",
            "0s",
            "--max-deleted",
            "80%",
        ])
        .run()
        .exits(0);
    for line in [
        "team/app: 3 tags",
        "  keep   1  v3      keep 'v3'",
        "  delete 2  v1, v2  nothing keeps it",
        "plan: nothing was deleted. 2 tags would go: --apply --backup DIR",
    ] {
        assert!(text.stdout.contains(line), "{line}: {text}");
    }
}

#[test]
fn what_an_audit_remembers_keeps_the_dates_of_the_images() {
    let registry = Distribution::open();
    for day in 1..=5 {
        let recipe = single()
            .created(&format!("2026-01-0{day}T12:00:00Z"))
            .seed(day);
        registry.image(&format!("team/app:v{day}"), &recipe);
    }
    let (target, state) = (registry.reference("team/app"), Scratch::new("state"));
    let folder = state.path().display().to_string();
    let with_state = ["--state", &folder, "--settle", "0s"];
    pullproof()
        .arguments(["audit", &target])
        .arguments(with_state)
        .run()
        .exits(0);
    for _ in 0..2 {
        let plan = prune(&target)
            .arguments(["--keep-newest", "2", "--max-deleted", "80%"])
            .arguments(with_state)
            .run()
            .exits(0);
        let goes = tags(&plan)
            .into_iter()
            .filter(|(_, fate)| *fate == deleted(false));
        let goes: Vec<String> = goes.map(|(tag, _)| tag).collect();
        assert_eq!(goes, ["v1", "v2", "v3"], "{plan}");
    }
}

#[test]
fn what_goes_is_gone_with_all_that_only_it_leads_to_and_comes_back_from_the_backup() {
    let (registry, images) = registry();
    let (target, backup) = (registry.reference("team/app"), Scratch::new("backup"));
    let folder = backup.path().join("layout").display().to_string();
    let done = prune(&target)
        .arguments([
            "--keep",
            "v3",
            "--apply",
            "--max-deleted",
            "80%",
            "--backup",
            &folder,
        ])
        .run()
        .exits(0);
    assert_eq!(tags(&done)["v1"], deleted(true));
    assert!(manifests(&done).values().all(|done| *done), "{done}");
    verify(&registry.reference("team/app:v3")).run().passes();
    for image in &images[..2] {
        for digest in [
            image.root(),
            image.child(0),
            image.child(1),
            image.attestation(0),
        ] {
            let reference = registry.reference(&format!("team/app@{digest}"));
            verify(&reference).run().exits(1);
        }
    }
    pullproof()
        .arguments(["repair", &target, "--settle", "0s", "--backoff", "10ms"])
        .arguments(["--from", &format!("oci:{folder}"), "--apply"])
        .run()
        .exits(0);
    for seed in 1..=3 {
        verify(&registry.reference(&format!("team/app:v{seed}")))
            .run()
            .passes();
    }
}

#[test]
fn a_tag_that_shares_its_digest_with_a_kept_one_stays_where_tags_cannot_go_alone() {
    let (registry, images) = registry();
    registry.push("team/app:latest", &images[2]);
    let target = registry.reference("team/app");
    let done = prune(&target)
        .arguments([
            "--keep",
            "v3",
            "--apply",
            "--max-deleted",
            "80%",
            "--backup",
            "none",
        ])
        .run()
        .exits(0);
    assert_eq!(tags(&done)["latest"], deleted(false));
    for tag in ["v3", "latest"] {
        verify(&registry.reference(&format!("team/app:{tag}")))
            .run()
            .passes();
    }
    let text = pullproof()
        .arguments([
            "prune",
            &target,
            "--settle",
            "0s",
            "--keep",
            "v3",
            "--min-age",
            "0s",
        ])
        .arguments(["--apply", "--backup", "none"])
        .run()
        .exits(0);
    assert!(text.stdout.contains("cannot delete a tag alone"), "{text}");
}

#[test]
fn a_plan_that_was_given_is_only_ever_narrowed() {
    let (registry, _) = registry();
    let (target, scratch) = (registry.reference("team/app"), Scratch::new("plan"));
    let plan = scratch.path().join("plan.json").display().to_string();
    prune(&target)
        .arguments(["--keep", "v3,v2", "--plan", &plan])
        .run()
        .exits(0);
    let done = prune(&target)
        .arguments([
            "--keep", "v3", "--plan", &plan, "--apply", "--backup", "none",
        ])
        .run()
        .exits(0);
    assert_eq!(tags(&done)["v1"], deleted(true));
    assert_eq!(tags(&done)["v2"], kept());
    verify(&registry.reference("team/app:v2")).run().passes();
}

#[test]
fn what_a_signature_belongs_to_stays_whole_without_a_tag() {
    let registry = Distribution::open();
    let signed = signed_without_a_tag(&registry);
    prune(&registry.reference("team/app"))
        .arguments(["--keep", "v1", "--apply", "--max-deleted", "100%"])
        .arguments(["--backup", "none"])
        .run()
        .exits(0);
    verify(&registry.reference("team/app:old")).run().exits(1);
    let reference = registry.reference(&format!("team/app@{}", signed.root()));
    verify(&reference).run().passes();
}
