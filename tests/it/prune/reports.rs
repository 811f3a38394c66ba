//! What people and programs read of a prune.

use super::prune;
use crate::support::command::pullproof;
use crate::support::fake::Registry;
use crate::support::recipe::platforms;
use crate::support::schema::assert_follows_the_schema;

fn registry() -> Registry {
    let registry = Registry::start();
    registry.writable();
    for seed in 1..=3 {
        let recipe = platforms(2).attested().seed(seed);
        registry.image(&format!("team/app:v{seed}"), &recipe);
    }
    registry
}

const APPLY: [&str; 6] = [
    "--apply",
    "--backup",
    "none",
    "--max-deleted",
    "80%",
    "--keep=v3",
];

#[test]
fn plans_and_prunes_follow_the_schema() {
    let registry = registry();
    let target = registry.reference("team/app");
    let planned = prune(&target).arguments(["--keep", "v3"]).run().exits(0);
    assert_follows_the_schema(&planned);
    assert_eq!(planned.report().0["kind"], "prune");
    assert_follows_the_schema(&prune(&target).arguments(APPLY).run().exits(0));
}

#[test]
fn the_last_line_says_what_went_and_that_the_rest_is_whole() {
    let registry = registry();
    let target = registry.reference("team/app");
    let told = |arguments: &[&str]| {
        let run = pullproof().arguments(["prune", &target, "--min-age=0s", "--settle=0s"]);
        run.arguments(arguments.iter().copied())
            .run()
            .exits(0)
            .stdout
    };
    let last = |text: String| text.lines().last().unwrap_or_default().to_owned();
    let plan = ["--keep", "v3", "--max-deleted", "80%"];
    assert_eq!(
        last(told(&plan)),
        "pullproof: PASSED: 2 of 3 tags would go, 1 tag stays and can be pulled (exit code 0)"
    );
    let text = told(&plan[..2]);
    let refused = "2 of 3 tags would go, more than max_deleted allows";
    assert!(
        text.contains(&format!("plan: nothing would go: {refused}")),
        "{text}"
    );
    let nothing = "pullproof: PASSED: 0 of 3 tags would go, 1 tag stays and can be pulled";
    assert!(last(text).starts_with(nothing));
    let text = told(&APPLY);
    assert!(
        text.contains("prune: 2 tags deleted; a garbage-collect (without -m) frees"),
        "{text}"
    );
    assert_eq!(
        last(text),
        "pullproof: PASSED: 2 of 3 tags deleted, 1 tag stays and can be pulled (exit code 0)"
    );
}

#[test]
fn the_step_summary_has_a_table() {
    let registry = registry();
    let summary = |most: &str| {
        let run = pullproof()
            .variable("GITHUB_ACTIONS", "true")
            .file("summary.md", "")
            .arguments([
                "prune",
                &registry.reference("team/app"),
                "--min-age=0s",
                "--keep=v3",
                "--max-deleted",
                most,
            ]);
        let summary = run.path("summary.md").display().to_string();
        let finished = run.variable("GITHUB_STEP_SUMMARY", summary).run().exits(0);
        finished.read("summary.md")
    };
    let refused = summary("50%");
    assert!(
        refused.contains("app</code> | 1 | 2 | 2 of 3 tags would go"),
        "{refused}"
    );
    let summary = summary("80%");
    assert!(summary.contains("app</code> | 1 | 2 |  |"), "{summary}");
    assert!(
        summary.contains("nothing was deleted. 2 tags would go"),
        "{summary}"
    );
}
