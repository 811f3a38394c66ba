//! Following a pipeline: every status, every broken answer, named workflows, the logs at the end.

use base64::Engine as _;
use pullproof::rebuild::plan::workflow_name;
use pullproof::rebuild::{Ending, NotStarted, Notice};
use serde_json::{Value, json};

use super::*;

/// Scripts the looks at pipeline #12.
fn looks(fake: &Fake, looks: impl IntoIterator<Item = Value>) {
    fake.on(PIPELINE, looks.into_iter().map(|look| Reply::json(&look)));
}

/// Pipeline #12 with workflows, each with one step of the same state, which has run; step numbers
/// count from 1.
fn flows(status: &str, workflows: &[(&str, &str)]) -> Value {
    let workflows: Vec<Value> = workflows
        .iter()
        .zip(1..)
        .map(|((name, state), id)| {
            let step = json!({"id": id, "name": format!("{name}-step"), "state": state, "exit_code": 1, "started": 5});
            json!({"name": name, "state": state, "children": [step]})
        })
        .collect();
    with(pipeline(status), json!({"workflows": workflows}))
}

/// A log of these lines, as the server sends it.
pub(super) fn log(lines: &[&str]) -> Reply {
    let entry = |line: &&str| json!({"type": 0, "data": base64::engine::general_purpose::STANDARD.encode(line)});
    Reply::json(&lines.iter().map(entry).collect())
}

#[tokio::test]
async fn every_end_but_success_is_a_failure() {
    for status in [
        "failure", "error", "killed", "canceled", "declined", "skipped",
    ] {
        let fake = server();
        looks(&fake, [pipeline("running"), pipeline(status)]);
        let ran = Case::new(&fake).run().await;
        assert_eq!(
            (ran.rebuilt().ending, &*ran.rebuilt().pipeline.status),
            (Ending::Failed, status)
        );
        assert_contains(
            &ran.rebuilt().to_string(),
            &format!("pipeline #12 ended with {status}"),
        );
    }
}

#[tokio::test]
async fn every_status_on_the_way_is_reported_once() {
    let fake = server();
    let way = [
        "created", "pending", "pending", "running", "running", "paused", "running", "success",
    ];
    looks(&fake, way.map(pipeline));
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    let shown: Vec<&str> = ran
        .notices
        .iter()
        .filter_map(|notice| notice.strip_prefix("pipeline #12 is ")?.split(' ').next())
        .collect();
    assert_eq!(
        shown,
        ["created", "pending", "running", "paused", "running"]
    );
}

#[tokio::test]
async fn an_unknown_status_is_an_end_when_an_end_time_is_stated() {
    for field in ["finished", "finished_at"] {
        let fake = server();
        looks(
            &fake,
            [
                pipeline("exploded"),
                with(pipeline("exploded"), json!({field: 1_700_000_000})),
            ],
        );
        let ran = Case::new(&fake).run().await;
        assert_eq!(
            (ran.rebuilt().ending, &*ran.rebuilt().pipeline.status),
            (Ending::Failed, "exploded")
        );
        assert_eq!(fake.requests_to(PIPELINE).len(), 2, "{field}");
    }
}

#[tokio::test]
async fn broken_answers_are_survived_and_reported_once_in_a_row() {
    let fake = server();
    let broken = [
        Reply::status(200),
        Reply::status(500),
        Reply::status(502).body("<html>bad gateway</html>"),
        Reply::json(&Value::Null),
        Reply::status(200).body(r#"{"number": 12, "status""#),
        Reply::CutShort(pipeline("success").to_string()),
        Reply::json(&with(pipeline("success"), json!({"number": 13}))),
        Reply::status(429).header("retry-after", "0"),
        Reply::Close,
        Reply::web_page(),
        Reply::status(404),
        Reply::json(&pipeline("success")),
    ];
    fake.on(PIPELINE, broken);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    assert_eq!(
        ran.notices
            .iter()
            .filter(|notice| notice.contains("asking again"))
            .count(),
        1,
        "{:?}",
        ran.notices
    );
    assert_eq!(fake.requests_to(PIPELINE).len(), 12);
}

#[tokio::test]
async fn a_pipeline_that_the_server_hides_for_good_is_out_of_sight() {
    let fake = server();
    fake.on(
        PIPELINE,
        [Reply::json(&pipeline("running")), Reply::status(404)],
    );
    let ran = Case::new(&fake).run().await;
    let rebuilt = ran.rebuilt();
    assert_eq!(
        (rebuilt.ending, &*rebuilt.pipeline.status),
        (Ending::OutOfSight, "running")
    );
    assert_contains(&rebuilt.problems[0], "read pipeline #12: not found (404)");
}

#[tokio::test]
async fn a_pipeline_that_takes_too_long_is_still_running() {
    let fake = server();
    looks(&fake, [pipeline("running")]);
    let case = Case::new(&fake).set(|plan| plan.wait_timeout = Duration::from_millis(50));
    let ran = case.run().await;
    assert_eq!(ran.rebuilt().ending, Ending::StillRunning);
    assert_contains(
        &ran.rebuilt().to_string(),
        "pipeline #12 is still running after",
    );
    assert!(ran.rebuilt().duration >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_pipeline_that_waits_for_approval_says_where() {
    let fake = server();
    looks(
        &fake,
        ["blocked", "blocked", "blocked", "running", "success"].map(pipeline),
    );
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
    let page = fake.url("/repos/7/pipeline/12");
    let approval =
        format!("waits until someone with push access to the repository approves it: {page}");
    assert_eq!(
        ran.notices
            .iter()
            .filter(|notice| notice.contains(&approval))
            .count(),
        1,
        "{:?}",
        ran.notices
    );
}

#[tokio::test]
async fn a_named_workflow_decides_before_the_pipeline_is_over() {
    let fake = server();
    looks(
        &fake,
        [
            flows("pending", &[]),
            flows("running", &[("build", "running"), ("lint", "failure")]),
            flows("running", &[("build", "success"), ("lint", "failure")]),
        ],
    );
    let ran = Case::new(&fake)
        .set(|plan| plan.workflows = vec!["build".into()])
        .run()
        .await;
    assert_eq!(
        (ran.rebuilt().ending, &*ran.rebuilt().pipeline.status),
        (Ending::Succeeded, "success")
    );
    assert_eq!(ran.rebuilt().logs, []);
}

#[tokio::test]
async fn a_named_workflow_fails_whatever_the_pipeline_says() {
    let fake = server();
    looks(
        &fake,
        [flows(
            "running",
            &[("build", "failure"), ("lint", "running")],
        )],
    );
    fake.on("GET /api/repos/7/logs/12/1", [log(&["boom"])]);
    let ran = Case::new(&fake)
        .set(|plan| plan.workflows = vec![workflow_name(".woodpecker/build.yaml").unwrap()])
        .run()
        .await;
    assert_eq!(
        (ran.rebuilt().ending, &*ran.rebuilt().pipeline.status),
        (Ending::Failed, "failure")
    );
    assert_eq!(ran.rebuilt().logs.len(), 1);
}

#[tokio::test]
async fn a_missing_workflow_is_an_error_that_lists_what_there_is() {
    let fake = server();
    looks(
        &fake,
        [
            flows("pending", &[]),
            flows("running", &[("build", "running"), ("lint", "running")]),
        ],
    );
    let ran = Case::new(&fake)
        .set(|plan| plan.workflows = vec!["push".into()])
        .run()
        .await;
    assert!(
        matches!(&ran.result, Err(NotStarted::NoSuchWorkflow { .. })),
        "{ran:?}"
    );
    assert_eq!(
        ran.refusal().0,
        "pipeline #12 has no workflow push: it has build, lint"
    );
    assert_eq!(
        ran.result
            .unwrap_err()
            .pipeline()
            .map(|pipeline| pipeline.number),
        Some(12)
    );
}

#[tokio::test]
async fn a_workflow_that_is_listed_late_is_not_missing() {
    let fake = server();
    let early = flows("pending", &[("build", "pending")]);
    looks(
        &fake,
        [
            early,
            flows("success", &[("build", "success"), ("push", "success")]),
        ],
    );
    let ran = Case::new(&fake)
        .set(|plan| plan.workflows = vec!["push".into()])
        .run()
        .await;
    assert_eq!(ran.rebuilt().ending, Ending::Succeeded);
}

#[tokio::test]
async fn an_interruption_leaves_the_pipeline_running_and_says_so() {
    let fake = server();
    looks(&fake, [pipeline("running")]);
    let ran = Case::new(&fake)
        .run_until(|notice| matches!(notice, Notice::Now { .. }), pending())
        .await;
    let rebuilt = ran.rebuilt();
    assert_eq!(rebuilt.ending, Ending::Interrupted);
    let page = fake.url("/repos/7/pipeline/12");
    assert_eq!(rebuilt.to_string(), "pipeline #12 (running) keeps running");
    assert_eq!(rebuilt.pipeline.url, page.as_str());
}

#[tokio::test]
async fn the_failing_steps_last_lines_are_kept() {
    let fake = server();
    looks(
        &fake,
        [flows(
            "failure",
            &[("build", "failure"), ("lint", "success")],
        )],
    );
    let lines: Vec<String> = (0..100).map(|number| format!("line {number}\n")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    fake.on("GET /api/repos/7/logs/12/1", [log(&lines)]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Failed);
    let [log] = &ran.rebuilt().logs[..] else {
        panic!("{ran:?}")
    };
    assert_eq!(
        (&*log.workflow, &*log.step, &*log.state, log.exit_code),
        ("build", "build-step", "failure", Some(1))
    );
    let kept = log.lines.as_ref().unwrap();
    assert_eq!(
        (kept.len(), &*kept[0], &*kept[29]),
        (30, "line 70", "line 99")
    );
}

#[tokio::test]
async fn logs_none_reads_no_log_and_all_reads_every_log() {
    let fake = server();
    fake.on("GET /api/repos/7/logs/12/1", [log(&["built"])])
        .on("GET /api/repos/7/logs/12/2", [log(&["linted"])]);
    looks(
        &fake,
        [flows(
            "failure",
            &[("build", "success"), ("lint", "failure")],
        )],
    );
    let ran = Case::new(&fake)
        .set(|plan| plan.logs = Logs::None)
        .run()
        .await;
    assert_eq!(
        (ran.rebuilt().ending, ran.rebuilt().logs.len()),
        (Ending::Failed, 0)
    );
    assert_eq!(fake.requests_to("GET /api/repos/7/logs/12/2").len(), 0);

    looks(
        &fake,
        [flows(
            "success",
            &[("build", "success"), ("lint", "success")],
        )],
    );
    let ran = Case::new(&fake)
        .set(|plan| plan.logs = Logs::All)
        .run()
        .await;
    let lines: Vec<_> = ran
        .rebuilt()
        .logs
        .iter()
        .map(|log| log.lines.clone().unwrap())
        .collect();
    assert_eq!(lines, [["built"], ["linted"]]);
}

#[tokio::test]
async fn an_ignored_failed_step_is_not_shown_when_all_is_green() {
    let fake = server();
    let mut green = flows("success", &[("build", "success")]);
    green["workflows"][0]["children"][0]["state"] = json!("failure");
    looks(&fake, [green]);
    assert_eq!(Case::new(&fake).run().await.rebuilt().logs, []);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_does_not_hide_the_verdict() {
    let answers = [
        Reply::status(404),
        Reply::status(500),
        Reply::web_page(),
        Reply::Close,
    ];
    for reply in answers {
        let fake = server();
        looks(&fake, [flows("failure", &[("build", "failure")])]);
        fake.on("GET /api/repos/7/logs/12/1", [reply.clone()]);
        let ran = Case::new(&fake).run().await;
        assert_eq!(ran.rebuilt().ending, Ending::Failed);
        let unread = ran.rebuilt().logs[0].lines.as_ref().unwrap_err();
        assert_contains(unread, "read the log of the step build-step");
    }
}

#[tokio::test]
async fn a_log_that_comes_later_than_the_end_is_waited_for() {
    for empty in [json!([]), Value::Null] {
        let fake = server();
        looks(&fake, [flows("failure", &[("build", "failure")])]);
        let empty = Reply::json(&empty);
        fake.on(
            "GET /api/repos/7/logs/12/1",
            [empty.clone(), empty.clone(), empty, log(&["boom"])],
        );
        let ran = Case::new(&fake)
            .logs_come_after(Duration::from_millis(500))
            .run()
            .await;
        assert_eq!(ran.rebuilt().logs[0].lines, Ok(vec!["boom".to_owned()]));
    }
}

#[tokio::test]
async fn a_wait_for_a_silent_steps_log_is_limited() {
    let fake = server();
    looks(
        &fake,
        [flows(
            "failure",
            &[("build", "failure"), ("lint", "failure")],
        )],
    );
    fake.on("GET /api/repos/7/logs/12/1", [log(&[])])
        .on("GET /api/repos/7/logs/12/2", [log(&[])]);
    let ran = Case::new(&fake)
        .logs_come_after(Duration::from_millis(20))
        .run()
        .await;
    assert!(
        ran.rebuilt().logs.iter().all(|log| log.lines == Ok(vec![])),
        "{ran:?}"
    );
    assert_eq!(
        fake.requests_to("GET /api/repos/7/logs/12/2").len(),
        1,
        "all share one wait"
    );
}

#[tokio::test]
async fn a_missing_program_has_an_error_and_no_exit_code() {
    let fake = server();
    let mut ended = flows("failure", &[("build", "failure")]);
    let error = r#"exec: "/nowhere": executable file not found in $PATH"#;
    ended["workflows"][0]["error"] = json!(error);
    ended["workflows"][0]["children"][0]["error"] = json!(error);
    ended["workflows"][0]["children"][0]["exit_code"] = json!(0);
    looks(&fake, [ended]);
    fake.on("GET /api/repos/7/logs/12/1", [log(&[])]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(
        ran.rebuilt().problems,
        [format!("step build-step: {error}")]
    );
    assert_eq!(ran.rebuilt().logs[0].exit_code, None);
}

#[tokio::test]
async fn the_user_that_canceled_a_pipeline_is_named() {
    let fake = server();
    looks(
        &fake,
        [with(
            pipeline("killed"),
            json!({"cancel_info": {"canceled_by_user": "dev"}}),
        )],
    );
    let ran = Case::new(&fake).run().await;
    assert_eq!(
        (ran.rebuilt().ending, &*ran.rebuilt().problems),
        (Ending::Failed, &["canceled by dev".to_owned()][..])
    );
}

#[tokio::test]
async fn an_empty_log_is_not_an_error() {
    let fake = server();
    looks(&fake, [flows("failure", &[("build", "failure")])]);
    fake.on("GET /api/repos/7/logs/12/1", [Reply::json(&Value::Null)]);
    assert_eq!(
        Case::new(&fake).run().await.rebuilt().logs[0].lines,
        Ok(vec![])
    );
}

#[tokio::test]
async fn the_number_of_fetched_logs_is_limited() {
    let fake = server();
    let names: Vec<String> = (0..25).map(|number| format!("flow{number}")).collect();
    let workflows: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "failure")).collect();
    looks(&fake, [flows("failure", &workflows)]);
    for step in 1..=20 {
        fake.on(&format!("GET /api/repos/7/logs/12/{step}"), [log(&["x"])]);
    }
    let ran = Case::new(&fake).run().await;
    assert_eq!(
        (ran.rebuilt().logs.len(), ran.rebuilt().logs_left_out),
        (20, 5)
    );
}

#[tokio::test]
async fn the_servers_objections_are_quoted() {
    let fake = server();
    let ended = with(
        flows("error", &[("build", "error")]),
        json!({
            "errors": [{"message": "bad habit", "is_warning": true}, {"message": "no agent", "is_warning": false}],
        }),
    );
    let mut ended = ended;
    ended["workflows"][0]["error"] = json!("volumes not trusted");
    ended["workflows"][0]["children"][0]["error"] = json!("image not found");
    looks(&fake, [ended]);
    fake.on("GET /api/repos/7/logs/12/1", [log(&[])]);
    let expected = [
        "no agent",
        "workflow build: volumes not trusted",
        "step build-step: image not found",
    ];
    assert_eq!(Case::new(&fake).run().await.rebuilt().problems, expected);
}

#[tokio::test]
async fn a_server_of_2_is_followed_by_its_own_field_names() {
    let fake = server();
    let step = json!({"id": 1, "pid": 2, "name": "push", "state": "failure", "exit_code": 1, "start_time": 4, "end_time": 5});
    let workflow = json!({"pid": 1, "name": "build", "state": "failure", "start_time": 4, "end_time": 5, "children": [step]});
    let ended = json!({
        "id": 112, "number": 12, "event": "manual", "status": "failure", "workflows": [workflow],
        "created_at": 3, "started_at": 4, "finished_at": 5, "reviewed_at": 0,
    });
    looks(&fake, [ended]);
    fake.on("GET /api/repos/7/logs/12/1", [log(&["denied"])]);
    let ran = Case::new(&fake).run().await;
    assert_eq!(ran.rebuilt().ending, Ending::Failed);
    assert_eq!(ran.rebuilt().logs[0].lines, Ok(vec!["denied".to_owned()]));
}
