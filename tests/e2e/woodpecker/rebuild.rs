//! `pullproof rebuild` against the real server: every way that a pipeline can end.

use serde_json::json;

use super::server::{Woodpecker, workflow};
use crate::support::command::{Finished, Pullproof, pullproof};
use crate::until;

/// `pullproof rebuild` of the one repository that is activated.
pub(super) fn rebuild(woodpecker: &Woodpecker) -> Pullproof {
    rebuild_of("infra/image", woodpecker)
}

/// `pullproof rebuild` of this repository.
pub(super) fn rebuild_of(repository: &str, woodpecker: &Woodpecker) -> Pullproof {
    rebuild_at(&woodpecker.url, repository, woodpecker)
}

/// `pullproof rebuild` with this address, and with looks as often as a test wants them.
pub(super) fn rebuild_at(url: &str, repository: &str, woodpecker: &Woodpecker) -> Pullproof {
    pullproof()
        .arguments([
            "rebuild",
            "--woodpecker-repo",
            repository,
            "--poll-interval",
            "100ms",
            "--backoff",
            "10ms",
        ])
        .arguments(["--woodpecker-url", url])
        .variable("PLUGIN_WOODPECKER_TOKEN", &woodpecker.token)
}

/// A server whose repository has these workflows, each of one command, all of which accept manual
/// pipelines.
pub(super) fn with(workflows: &[(&str, &str)]) -> Woodpecker {
    let woodpecker = Woodpecker::start();
    for (name, command) in workflows {
        woodpecker
            .forge
            .workflow(name, &workflow(&json!({"event": "manual"}), command));
    }
    woodpecker
}

/// One whose only workflow does not end.
fn endless() -> Woodpecker {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow(
        "work",
        &workflow(&json!({"event": "manual"}), &woodpecker.endless()),
    );
    woodpecker
}

/// Fails unless standard output is one line, the verdict, with the link to a pipeline at its end.
#[track_caller]
fn assert_ends(finished: &Finished, woodpecker: &Woodpecker, number: u64, word: &str, code: i32) {
    let link = format!(
        ", exit code {code}: {}/repos/1/pipeline/{number}\n",
        woodpecker.url
    );
    let out = &finished.stdout;
    assert!(
        out.lines().count() == 1 && out.starts_with(&format!("pullproof: {word}: ")),
        "{finished}"
    );
    assert!(out.ends_with(&link), "{finished}");
}

#[test]
fn a_pipeline_is_started_with_variables_and_followed_to_success() {
    let woodpecker = with(&[("work", "echo a $FRUIT")]);
    let finished = rebuild(&woodpecker)
        .arguments(["--variables", r#"{"FRUIT": "pear"}"#])
        .run()
        .exits(0);
    assert_ends(&finished, &woodpecker, 1, "PASSED", 0);
    assert!(
        finished.stdout.contains("pipeline #1 succeeded after "),
        "{finished}"
    );
    assert_eq!(woodpecker.pipelines(), [1]);
    let pipeline = woodpecker.pipeline(1);
    assert_eq!(
        (&pipeline["event"], &pipeline["branch"]),
        (&json!("manual"), &json!("main"))
    );
    assert!(woodpecker.log(&pipeline, "work").contains("a pear\n"));
    assert!(
        !finished.to_string().contains(&woodpecker.token),
        "{finished}"
    );
}

#[test]
fn the_report_and_githubs_outputs_hold_the_pipeline() {
    let woodpecker = with(&[("work", "true")]);
    let run = rebuild(&woodpecker).arguments(["--format", "json"]);
    let run = run
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_OUTPUT", "outputs");
    let finished = run
        .variable("INPUT_WOODPECKER-TOKEN", &woodpecker.token)
        .run()
        .exits(0);
    let url = format!("{}/repos/1/pipeline/1", woodpecker.url);
    let report = finished.report();
    assert_eq!(
        report.0["pipeline"],
        json!({"number": 1, "url": url, "status": "success"})
    );
    assert!(
        report.0["duration_ms"].as_u64() > Some(0) && report.0.get("error").is_none(),
        "{:#}",
        report.0
    );
    let outputs = finished.read("outputs");
    for (name, value) in [
        ("pipeline-number", "1"),
        ("pipeline-url", &url),
        ("pipeline-status", "success"),
    ] {
        let said = outputs
            .split(&format!("{name}<<"))
            .nth(1)
            .and_then(|rest| rest.lines().nth(1));
        assert_eq!(said, Some(value), "{name} in {outputs}");
    }
}

#[test]
fn a_failed_pipeline_is_exit_6_with_its_log() {
    let lines =
        "for number in $(seq 60); do echo piece $number; done; echo the oven is cold; exit 3";
    let woodpecker = with(&[("work", lines)]);
    let finished = rebuild(&woodpecker).run().exits(6);
    assert_ends(&finished, &woodpecker, 1, "FAILED", 6);
    let said = "step work of workflow work: failure, exit code 3; its log ends with:\n";
    let tail: Vec<&str> = finished
        .stderr
        .split(said)
        .nth(1)
        .into_iter()
        .flat_map(str::lines)
        .take(30)
        .collect();
    assert_eq!(
        (tail.first(), tail.last()),
        (Some(&"  | piece 32"), Some(&"  | the oven is cold")),
        "{finished}"
    );
}

#[test]
fn a_missing_program_is_reported_once_in_the_servers_words() {
    let woodpecker = Woodpecker::start();
    let step = json!({"name": "bake", "image": "/nowhere/oven", "settings": {"heat": 200}});
    let bake = json!({"when": {"event": "manual"}, "skip_clone": true, "steps": [step]});
    woodpecker.forge.workflow("work", &bake.to_string());
    let finished = rebuild(&woodpecker).run().exits(6);
    let said = "the server's message about the pipeline: step bake: ";
    assert_eq!(finished.stderr.matches(said).count(), 1, "{finished}");
    assert_eq!(
        finished.stderr.matches("no such file or directory").count(),
        1,
        "{finished}"
    );
    assert!(!finished.stderr.contains("exit code 0"), "{finished}");
}

#[test]
fn a_canceled_pipeline_is_exit_6_and_names_the_user() {
    let woodpecker = endless();
    let running = rebuild(&woodpecker).start();
    until("the pipeline is seen to run", || {
        running.has_said("pipeline #1 is running")
    });
    woodpecker.cancel(1);
    let finished = running.wait().exits(6);
    assert!(
        finished.stdout.contains("pipeline #1 ended with killed"),
        "{finished}"
    );
    assert!(finished.stderr.contains("canceled by dev"), "{finished}");
}

#[test]
fn of_several_workflows_the_named_one_decides() {
    let woodpecker = with(&[("bake", "true"), ("fry", "exit 1")]);
    rebuild(&woodpecker)
        .arguments(["--workflow", "bake"])
        .run()
        .exits(0);
    rebuild(&woodpecker)
        .arguments(["--workflow", "fry"])
        .run()
        .exits(6);
    rebuild(&woodpecker).run().exits(6);
    let finished = rebuild(&woodpecker)
        .arguments(["--workflow", ".woodpecker/boil.yaml"])
        .run()
        .exits(5);
    assert_ends(&finished, &woodpecker, 4, "ERROR", 5);
    assert!(
        finished
            .stdout
            .contains("pipeline #4 has no workflow boil: it has bake, fry"),
        "{finished}"
    );
}

#[test]
fn a_pipeline_that_takes_too_long_is_exit_7_and_goes_on() {
    let woodpecker = endless();
    let finished = rebuild(&woodpecker)
        .arguments(["--wait-timeout", "2s"])
        .run()
        .exits(7);
    assert_ends(&finished, &woodpecker, 1, "ERROR", 7);
    assert_eq!(woodpecker.pipeline(1)["finished"], 0);
}

/// A server whose only workflow no agent can take.
fn picky(woodpecker: Woodpecker) -> Woodpecker {
    let step = json!({"name": "work", "image": "bash", "commands": ["true"]});
    let labels = json!({"oven": "large"});
    let work =
        json!({"when": {"event": "manual"}, "labels": labels, "skip_clone": true, "steps": [step]});
    woodpecker.forge.workflow("work", &work.to_string());
    woodpecker
}

#[test]
fn a_pipeline_without_an_agent_gets_its_hint() {
    for (woodpecker, reason) in [
        (
            picky(Woodpecker::start()),
            "whether one is connected and free is shown to administrators of the server alone; ",
        ),
        (
            picky(Woodpecker::for_an_administrator()),
            "the agents have 4 places free, and none takes it; its labels are oven=large; ",
        ),
    ] {
        let finished = rebuild(&woodpecker)
            .arguments(["--wait-timeout", "1s"])
            .run()
            .exits(7);
        assert!(
            finished.stdout.contains("pipeline #1 is still pending"),
            "{finished}"
        );
        let hint = format!("hint: no agent took the pipeline: {reason}");
        assert!(finished.stderr.contains(&hint), "{finished}");
    }
}

#[test]
fn a_pipeline_that_is_not_awaited_is_exit_0_with_the_link() {
    let woodpecker = endless();
    let finished = rebuild(&woodpecker)
        .arguments(["--wait", "false"])
        .run()
        .exits(0);
    assert_ends(&finished, &woodpecker, 1, "PASSED", 0);
    assert!(
        finished
            .stdout
            .contains("pipeline #1 was started, and its end is not awaited"),
        "{finished}"
    );
}

#[test]
fn interrupted_it_says_that_the_pipeline_goes_on() {
    let woodpecker = endless();
    let running = rebuild(&woodpecker).start();
    until("the pipeline is seen to run", || {
        running.has_said("pipeline #1 is running")
    });
    running.signal("TERM");
    let finished = running.wait().exits(143);
    assert_ends(&finished, &woodpecker, 1, "INTERRUPTED", 143);
    assert!(
        finished
            .stdout
            .contains("pipeline #1 (running) keeps running"),
        "{finished}"
    );
    assert_eq!(woodpecker.pipeline(1)["finished"], 0);
}
