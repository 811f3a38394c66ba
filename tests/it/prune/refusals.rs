//! What is refused, and what holds a run back.

use super::{prune, tags};
use crate::support::command::verify;
use crate::support::distribution::Distribution;
use crate::support::recipe::{platforms, single};

#[test]
fn a_run_without_a_rule_or_without_a_backup_is_refused() {
    for (flags, error) in [
        (&[][..], "there is no rule that keeps anything"),
        (&["--keep", "v*", "--apply"], "apply needs backup"),
        (
            &["--keep-newest", "0"],
            "--keep-newest: \"0\" is not a whole number from 1 to 1000000",
        ),
        (
            &["--max-deleted", "101%", "--keep", "a"],
            "--max-deleted: \"101%\" is not a percentage",
        ),
        (
            &["--policy", "a: {keep: [b]}", "--keep", "a"],
            "--policy: keep, keep_newest and keep_younger stand in it, not beside it",
        ),
        (
            &["--policy", "a: {kep: [b]}"],
            "--policy: \"a\": \"kep\" is no rule, did you mean keep?",
        ),
        (
            &["--keep", "a", "--packages-api", "http://git.example/api/v1"],
            "--packages-api: the login would be sent over plain HTTP to http://git.example/api/v1",
        ),
        (
            &[
                "r.example",
                "--keep",
                "a",
                "--packages-api",
                "https://git.example/api/v1",
            ],
            "--packages-api: it is for one registry, and several are to be pruned",
        ),
    ] {
        let finished = prune("127.0.0.1:1/team/app")
            .arguments(flags.iter().copied())
            .run();
        let report = finished.exits(2).report();
        assert!(report.error().starts_with(error), "{}", report.error());
    }
}

#[test]
fn too_many_deletions_and_the_last_tag_are_refused() {
    let registry = Distribution::open();
    for seed in 1..=4 {
        registry.image(&format!("app:{seed}"), &single().seed(seed));
    }
    let target = registry.reference("app");
    let apply = ["--apply", "--backup", "none"];
    let refused = prune(&target)
        .arguments(["--keep", "1"])
        .arguments(apply)
        .run()
        .exits(2);
    assert!(
        tags(&refused).values().all(|(_, is_done)| !is_done),
        "{refused}"
    );
    let why = "3 of 4 tags would go, more than max_deleted allows";
    assert!(refused.report().error().ends_with(why), "{refused}");
    prune(&target).arguments(["--keep", "1"]).run().exits(0);
    let nothing = prune(&target)
        .arguments(["--keep", "x*"])
        .arguments(apply)
        .run()
        .exits(0);
    assert!(
        nothing.stderr.contains("keep: no tag matches 'x*'"),
        "{nothing}"
    );
    for seed in 1..=4 {
        verify(&registry.reference(&format!("app:{seed}")))
            .run()
            .passes();
    }
}

#[test]
fn nothing_goes_where_a_kept_image_cannot_be_read() {
    let registry = Distribution::open();
    let kept = registry.image("app:kept", &platforms(2).seed(1));
    registry.image("app:old", &platforms(2).seed(2));
    registry.delete("app", kept.child(0));
    let target = registry.reference("app");
    let arguments = ["--keep", "kept", "--apply", "--backup", "none"];
    let refused = prune(&target).arguments(arguments).run().exits(1);
    assert_eq!(tags(&refused)["old"], ("keep".to_owned(), false));
    verify(&registry.reference("app:old")).run().passes();
    // The sweep takes what is broken, and nothing else.
    let swept = prune(&target)
        .arguments(["--delete-broken", "--apply", "--backup", "none"])
        .run()
        .exits(0);
    assert_eq!(tags(&swept)["kept"], ("delete".to_owned(), true));
    verify(&registry.reference("app:old")).run().passes();
}
