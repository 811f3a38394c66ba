//! What people and programs read of a repair.

use super::repair;
use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::schema::assert_follows_the_schema;

const NAME: &str = "team/app:1";

/// A registry that has lost a manifest and a layer below it, and one that has both.
fn pair() -> (Registry, Registry, Image) {
    let (registry, mirror) = (Registry::start(), Registry::start());
    let image = platforms(2).attested().make();
    registry.writable().serve(NAME, &image);
    mirror.serve(NAME, &image);
    registry.lose_in("team/app", image.child(1));
    registry.lose_in("team/app", image.layer(1, 0));
    (registry, mirror, image)
}

fn short(digest: &str) -> &str {
    &digest["sha256:".len()..][..12]
}

/// The same in words.
fn told(registry: &Registry, mirror: &Registry) -> Pullproof {
    pullproof()
        .arguments(["repair", &registry.reference(NAME)])
        .arguments(["--from", &mirror.host(), "--settle=0s", "--backoff=10ms"])
}

#[test]
fn reports_of_plans_and_repairs_follow_the_schema() {
    let (registry, mirror, image) = pair();
    let reference = registry.reference(NAME);
    let run = |more: &[&str]| repair(&reference).arguments(more.iter().copied()).run();
    let lost = run(&[]).exits(1);
    assert_follows_the_schema(&lost);
    assert_eq!(lost.report().0["plan"][0]["action"], "lost");
    let planned = run(&["--from", &mirror.host()]).exits(1);
    assert_follows_the_schema(&planned);
    registry.on_uploads("PUT").times(1).keeps_nothing();
    let failed = run(&["--from", &mirror.host(), "--apply"]);
    assert_follows_the_schema(&failed);
    let done = run(&["--from", &mirror.host(), "--apply"]).exits(0);
    assert_follows_the_schema(&done);
    let report = done.report();
    assert_eq!(report.0["kind"], "repair");
    let step = &report.0["plan"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(step["digest"], image.child(1));
    assert_eq!(step["repository"], format!("{}/team/app", registry.host()));
    assert_eq!((&step["tag"], &step["done"]), (&"1".into(), &true.into()));
}

#[test]
fn the_text_of_a_repair_has_one_plan_one_verdict_and_the_hints_that_still_count() {
    let (registry, mirror, image) = pair();
    let planned = told(&registry, &mirror).run().exits(1);
    let plan = "plan: nothing was changed. 2 digests can be put back with --apply\n\n";
    assert!(planned.stdout.contains(plan), "{planned}");
    let done = told(&registry, &mirror).argument("--apply").run().exits(0);
    let text = &done.stdout;
    for line in [
        format!("✓ upload   layer     sha256:{}", short(image.layer(1, 0))),
        format!("✓ put      manifest  sha256:{}", short(image.child(1))),
    ] {
        assert_eq!(text.matches(&line).count(), 1, "{done}");
    }
    assert_eq!(text.matches("\npullproof: ").count(), 1, "{done}");
    assert!(text.contains("before the repair: FAILED: "), "{done}");
    // It is whole again, so that nothing is left to be done.
    assert!(!text.contains("hint"), "{done}");
    let end = text.lines().last().unwrap();
    assert!(end.contains("2 digests put back, exit code 0"), "{done}");
}

#[test]
fn what_a_registry_did_not_keep_is_said_with_what_helps() {
    let (registry, mirror, image) = pair();
    registry.lose_in("team/app", image.layer(0, 0));
    registry.on_uploads("PUT").keeps_nothing();
    let failed = told(&registry, &mirror).argument("--apply").run().exits(1);
    let said = &failed.stdout;
    assert!(said.contains("✗ upload"), "{failed}");
    assert!(said.contains("\nhint: a registry does not"), "{failed}");
}

#[test]
fn the_plan_is_a_table_in_the_summary_of_a_github_step() {
    let (registry, mirror, image) = pair();
    let github = |apply: &[&str]| {
        told(&registry, &mirror)
            .arguments(["--format=github"])
            .arguments(apply.iter().copied())
            .variable("GITHUB_ACTIONS", "true")
            .variable("GITHUB_STEP_SUMMARY", "summary.md")
            .variable("GITHUB_OUTPUT", "outputs")
            .run()
    };
    let planned = github(&[]).exits(1);
    let summary = planned.read("summary.md");
    let row = |mark: &str, what: &str, digest: &str| {
        format!("| {mark} | {what} | <code>{}</code> |", short(digest))
    };
    for expected in [
        "| | repair | digest | size | image | from |",
        &row("", "upload layer", image.layer(1, 0)),
        &row("", "put manifest", image.child(1)),
        "2 digests can be put back with --apply",
    ] {
        assert!(summary.contains(expected), "{expected}: {summary}");
    }
    assert!(planned.stdout.contains("::error title="), "{planned}");
    let done = github(&["--apply"]).exits(0);
    let summary = done.read("summary.md");
    assert!(summary.contains("Before the repair: "), "{summary}");
    assert!(
        summary.contains(&row("✅", "put manifest", image.child(1))),
        "{summary}"
    );
    assert!(!done.stdout.contains("::error"), "{done}");
    assert!(done.read("outputs").contains("exit-code"));
}

#[test]
fn what_a_registry_says_of_a_repair_commands_nothing() {
    let (registry, mirror, _) = pair();
    let hostile = "x\n::error::a##[group]b\u{1b}[2J";
    registry
        .on_uploads("POST")
        .answers(Reply::error(403, "DENIED", hostile));
    let done = told(&registry, &mirror)
        .arguments(["--apply", "--format=github"])
        .run();
    assert!(done.stdout.contains("DENIED"), "{done}");
    for line in done.stdout.lines() {
        assert!(!line.contains("##[") && !line.contains('\u{1b}'), "{line}");
        assert!(!line.starts_with("::error::a"), "{line}");
    }
}

#[test]
fn junit_has_the_second_look() {
    let (registry, mirror, _) = pair();
    let done = told(&registry, &mirror)
        .arguments(["--apply", "--junit=junit.xml"])
        .run()
        .exits(0);
    let junit = done.read("junit.xml");
    assert!(!junit.contains("<failure"), "{junit}");
}
