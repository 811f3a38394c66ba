//! The program as a CI system runs it: its outputs, and wrong settings before any request.

use crate::support::command::{Pullproof, pullproof};

use super::*;

const LOG: &str = "GET /api/repos/7/logs/12/1";

/// `pullproof rebuild` of repository 7, with looks as often as a test wants them.
fn rebuild(fake: &Fake) -> Pullproof {
    pullproof()
        .arguments([
            "rebuild",
            "--woodpecker-url",
            fake.url("").as_str(),
            "--woodpecker-repo",
            "7",
        ])
        .arguments([
            "--poll-interval",
            "100ms",
            "--backoff",
            "1ms",
            "--report",
            "report.json",
        ])
        .variable("PLUGIN_WOODPECKER_TOKEN", TOKEN)
}

/// Pipeline #12 after its one step failed with this log.
fn fails(fake: &Fake, lines: &[&str]) {
    let step = json!({"id": 1, "name": "push", "state": "failure", "exit_code": 3, "started": 5});
    let workflow = json!({"name": "build", "state": "failure", "children": [step]});
    fake.on(
        PIPELINE,
        [Reply::json(&with(
            pipeline("failure"),
            json!({"workflows": [workflow]}),
        ))],
    );
    fake.on(LOG, [follow::log(lines)]);
}

/// The value of one of GitHub's outputs.
fn output<'a>(outputs: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = outputs.lines();
    lines.find(|line| line.split_once("<<").is_some_and(|(said, _)| said == name))?;
    lines.next()
}

#[test]
fn success_is_one_line_on_standard_output_that_ends_with_the_link() {
    let fake = server();
    let finished = rebuild(&fake).run().exits(0);
    let link = fake.url("/repos/7/pipeline/12");
    let (begin, end) = (
        "pullproof: PASSED: pipeline #12 succeeded after ",
        format!(", exit code 0: {link}\n"),
    );
    assert!(
        finished.stdout.starts_with(begin) && finished.stdout.ends_with(&end),
        "{finished}"
    );
    assert_eq!(finished.stdout.lines().count(), 1, "{finished}");
    assert_eq!(
        finished.stderr,
        format!("pipeline #12 was started: {link}\n")
    );
    assert!(!finished.to_string().contains(TOKEN), "{finished}");
}

#[test]
fn inside_a_pipeline_its_own_repository_is_rebuilt() {
    let fake = server();
    let server = fake.url("");
    pullproof()
        .argument("rebuild")
        .variable("CI", "woodpecker")
        .variable("CI_SYSTEM_URL", server.as_str())
        .variable("CI_PIPELINE_URL", fake.url("/repos/7/pipeline/11").as_str())
        .variable("CI_PIPELINE_NUMBER", "11")
        .variable("CI_PIPELINE_EVENT", "push")
        .variable("PLUGIN_WOODPECKER_TOKEN", TOKEN)
        .variable("PLUGIN_POLL_INTERVAL", "100ms")
        .run()
        .exits(0);
    assert_eq!(fake.requests_to(CREATE).len(), 1);
}

#[test]
fn failure_shows_the_end_of_the_log_first_and_the_verdict_last() {
    let fake = server();
    fails(&fake, &["::error::not ours", "\u{1b}[31mboom\n"]);
    let finished = rebuild(&fake).run().exits(6);
    let link = fake.url("/repos/7/pipeline/12");
    assert!(
        finished
            .stdout
            .starts_with("pullproof: FAILED: pipeline #12 ended with failure after "),
        "{finished}"
    );
    assert!(
        finished
            .stdout
            .ends_with(&format!(", exit code 6: {link}\n")),
        "{finished}"
    );
    let tail = "step push of workflow build: failure, exit code 3; its log ends with:\n  | ::error::not ours\n  | \\u{1b}[31mboom\n";
    assert!(finished.stderr.ends_with(tail), "{finished}");
}

#[test]
fn what_was_not_started_is_one_line_below_its_hint() {
    let fake = server();
    fake.on(
        CREATE,
        [Reply::status(204).header("pipeline-filtered", "true")],
    );
    let finished = rebuild(&fake).run().exits(5);
    let verdict = "pullproof: ERROR: no workflow on the branch trunk accepts the event `manual` (204, filtered): no \
                   pipeline was started, exit code 5\n";
    assert_eq!(finished.stdout, verdict);
    assert!(
        finished
            .stderr
            .starts_with("hint: add to a workflow on trunk: "),
        "{finished}"
    );
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
}

#[test]
fn the_report_has_an_error_only_when_there_is_one() {
    let fake = server();
    let link = fake.url("/repos/7/pipeline/12");
    let good = rebuild(&fake)
        .arguments(["--format", "json"])
        .run()
        .exits(0);
    for report in [good.report(), good.report_in("report.json")] {
        assert_eq!(
            report.0["pipeline"],
            json!({"number": 12, "url": link.as_str(), "status": "success"})
        );
        assert_eq!(
            (
                report.result(),
                &report.0["exit_code"],
                report.0.get("error")
            ),
            ("passed", &json!(0), None)
        );
        assert_eq!(report.0["repositories"], json!([]));
    }
    fails(&fake, &["boom"]);
    let bad = rebuild(&fake).run().exits(6).report_in("report.json");
    assert_eq!(
        bad.0["pipeline"],
        json!({"number": 12, "url": link.as_str(), "status": "failure"})
    );
    assert_eq!((bad.result(), &bad.0["exit_code"]), ("failed", &json!(6)));
    assert_contains(
        bad.0["error"].as_str().unwrap(),
        "pipeline #12 ended with failure after ",
    );
    fake.on(CREATE, [Reply::status(401)]);
    let none = rebuild(&fake).run().exits(5).report_in("report.json");
    assert_eq!((none.result(), none.0.get("pipeline")), ("error", None));
    assert_contains(
        none.0["error"].as_str().unwrap(),
        "does not accept the token (401)",
    );
    assert_eq!(none.0["hints"][0]["id"], "woodpecker-token");
    assert_eq!(
        (&good.report().0["kind"], &none.0["kind"]),
        (&json!("rebuild"), &json!("rebuild"))
    );
}

#[test]
fn github_gets_the_pipeline_as_outputs_and_one_annotation_for_a_failure() {
    let fake = server();
    let run = || {
        let names = [
            "woodpecker-url",
            "woodpecker-repo",
            "woodpecker-token",
            "poll-interval",
            "mode",
        ];
        let url = fake.url("");
        let values = [url.as_str(), "7", TOKEN, "100ms", "rebuild"];
        let action = pullproof()
            .variable("GITHUB_ACTIONS", "true")
            .variable("GITHUB_OUTPUT", "outputs");
        let action = action.variable("GITHUB_STEP_SUMMARY", "summary");
        names
            .into_iter()
            .zip(values)
            .fold(action, |action, (name, value)| {
                action.variable(&format!("INPUT_{}", name.to_uppercase()), value)
            })
    };
    let link = fake.url("/repos/7/pipeline/12");
    let expect = |outputs: &str, values: [&str; 5]| {
        let names = [
            "result",
            "exit-code",
            "pipeline-number",
            "pipeline-url",
            "pipeline-status",
        ];
        assert_eq!(
            names.map(|name| output(outputs, name)),
            values.map(Some),
            "{outputs}"
        );
    };
    let good = run().run().exits(0);
    expect(
        &good.read("outputs"),
        ["passed", "0", "12", link.as_str(), "success"],
    );
    assert!(
        !good.stdout.contains("::") && !good.stderr.contains("::"),
        "{good}"
    );
    assert_contains(&good.read("summary"), "succeeded after ");

    fails(&fake, &["boom"]);
    let bad = run().run().exits(6);
    expect(
        &bad.read("outputs"),
        ["failed", "6", "12", link.as_str(), "failure"],
    );
    assert_eq!(bad.to_string().matches("::error").count(), 1, "{bad}");

    fake.on(CREATE, [Reply::status(401)]);
    let none = run().run().exits(5);
    expect(&none.read("outputs"), ["error", "5", "", "", ""]);
}

#[test]
fn a_wrong_setting_is_named_before_any_request() {
    let fake = server();
    let url = fake.url("");
    let complete = [
        ("mode", "rebuild"),
        ("woodpecker_url", url.as_str()),
        ("woodpecker_repo", "7"),
        ("woodpecker_token", TOKEN),
    ];
    let cases: [(&str, &str, &str); 20] = [
        (
            "woodpecker_url",
            "",
            "a rebuild needs the setting woodpecker_url",
        ),
        (
            "woodpecker_repo",
            "",
            "a rebuild needs the setting woodpecker_repo",
        ),
        (
            "woodpecker_token",
            "",
            "a rebuild needs the setting woodpecker_token",
        ),
        ("woodpecker_url", "ci.example", "woodpecker_url: "),
        ("woodpecker_url", "http://ci.example", "woodpecker_url: "),
        (
            "woodpecker_url",
            "https://me:secret@ci.example",
            "woodpecker_url: ",
        ),
        ("woodpecker_repo", "app", "woodpecker_repo: "),
        ("woodpecker_repo", "me/../app", "woodpecker_repo: "),
        ("woodpecker_token", "two\nlines", "woodpecker_token: "),
        ("variables", "REBUILD", "variables: "),
        ("method", "repeat", "method: "),
        (
            "method",
            "restart",
            "pipeline: there is no current pipeline outside Woodpecker",
        ),
        ("pipeline", "newest", "pipeline: "),
        ("workflow", ".yaml", "workflow: "),
        ("wait", "perhaps", "wait: "),
        ("wait_timeout", "long", "wait_timeout: "),
        ("poll_interval", "1ms", "poll_interval: "),
        ("poll_interval", "often", "poll_interval: "),
        ("logs", "some", "logs: "),
        ("max_rebuilds", "0", "max_rebuilds: "),
    ];
    for mode in [("mode", "rebuild"), ("on_broken", "rebuild")] {
        for (name, value, said) in cases {
            let given = complete
                .into_iter()
                .skip(1)
                .chain([mode])
                .filter(|(other, _)| *other != name);
            let image = (mode.0 == "on_broken").then_some(("images", "127.0.0.1:1/app:1"));
            let settings = given
                .chain(image)
                .chain([(name, value), ("report", "report.json")]);
            let plugin = pullproof()
                .variable("CI", "woodpecker")
                .variable("NO_COLOR", "1");
            let run = settings.fold(plugin, |run, (name, value)| {
                run.variable(&format!("PLUGIN_{}", name.to_uppercase()), value)
            });
            let finished = run.run().exits(2);
            let last = finished.stdout.lines().last().unwrap();
            assert!(
                last.starts_with("pullproof: ERROR: ") && last.ends_with(", exit code 2"),
                "{finished}"
            );
            let error = finished
                .stderr
                .lines()
                .find(|line| line.starts_with("error: "))
                .unwrap_or_default();
            assert!(
                error.contains(said),
                "{mode:?} {name}={value}: {said:?} is not said: {finished}"
            );
            assert_eq!(finished.stdout.lines().count(), 1, "{finished}");
            let report = finished.report_in("report.json");
            assert_eq!((report.result(), report.0.get("pipeline")), ("error", None));
            assert!(
                !finished.to_string().contains(TOKEN) && !finished.to_string().contains("secret@"),
                "{finished}"
            );
        }
    }
    assert_eq!(fake.requests().len(), 0, "{:?}", fake.requests());
}
