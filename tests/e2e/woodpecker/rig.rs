//! What the real server does, asked without the program: the facts that the program's client stands
//! on.

use serde_json::{Value, json};

use super::server::{Woodpecker, json as body, number, workflow};

fn for_push() -> String {
    workflow(&json!({"event": "push"}), "true")
}

fn manual(command: &str) -> String {
    workflow(&json!({"event": "manual"}), command)
}

#[test]
fn a_manual_pipeline_sees_its_variables_and_succeeds() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &manual("echo a $FRUIT"));
    let created = woodpecker.trigger("main", &json!({"FRUIT": "pear"}));
    assert_eq!(body(&created)["variables"], json!({"FRUIT": "pear"}));
    let pipeline = woodpecker.finished(number(&created));
    assert_eq!(
        (&pipeline["status"], &pipeline["event"]),
        (&json!("success"), &json!("manual"))
    );
    assert!(woodpecker.log(&pipeline, "work").ends_with("a pear\n"));
}

#[test]
fn a_failing_step_fails_its_pipeline_and_leaves_its_log() {
    let woodpecker = Woodpecker::start();
    woodpecker
        .forge
        .workflow("work", &manual("echo no good; exit 3"));
    let pipeline = woodpecker.finished(number(&woodpecker.trigger("main", &json!({}))));
    assert_eq!(pipeline["status"], "failure");
    assert_eq!(pipeline["workflows"][0]["name"], "work");
    assert_eq!(pipeline["workflows"][0]["children"][0]["exit_code"], 3);
    assert!(woodpecker.log(&pipeline, "work").ends_with("no good\n"));
}

#[test]
fn what_no_workflow_accepts_is_filtered_and_leaves_nothing() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &for_push());
    let answer = woodpecker.trigger("main", &json!({}));
    assert_eq!(
        (answer.status, answer.header("Pipeline-Filtered")),
        (204, Some("true"))
    );
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn an_unloadable_config_is_an_empty_answer_and_a_listed_pipeline() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.loses_its_files();
    let answer = woodpecker.trigger("main", &json!({}));
    assert_eq!(
        (answer.status, answer.header("Pipeline-Filtered")),
        (204, None)
    );
    let pipeline = woodpecker.pipeline(woodpecker.pipelines()[0]);
    assert_eq!(pipeline["status"], "error");
    let message = pipeline["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("could not load config from forge"),
        "{message}"
    );
}

#[test]
fn a_secret_refused_for_manual_gives_a_pipeline_with_an_error() {
    let woodpecker = Woodpecker::start();
    let step = json!({"name": "work", "image": "bash", "commands": ["true"], "environment": {"S": {"from_secret": "s"}}});
    woodpecker.forge.workflow(
        "work",
        &json!({"when": {"event": "manual"}, "steps": [step]}).to_string(),
    );
    woodpecker.secret("s", "hush", &["push"]);
    let pipeline = body(&woodpecker.trigger("main", &json!({})));
    assert_eq!(pipeline["status"], "error");
    let message = "secret \"s\" is not allowed to be used with pipeline event \"manual\"";
    assert_eq!(pipeline["errors"][0]["message"], message);
}

#[test]
fn a_restart_is_a_new_pipeline_with_the_old_ones_variables() {
    let woodpecker = Woodpecker::start();
    woodpecker
        .forge
        .workflow("work", &manual("echo a $FRUIT and a $NUT"));
    let first = number(&woodpecker.trigger("main", &json!({"FRUIT": "pear"})));
    woodpecker.finished(first);
    let path = format!(
        "/api/repos/{}/pipelines/{first}?NUT=walnut",
        woodpecker.repository
    );
    let pipeline = woodpecker.finished(number(&woodpecker.call("POST", &path, "")));
    assert_eq!(
        (&pipeline["parent"], &pipeline["variables"]),
        (&json!(first), &json!({"FRUIT": "pear"}))
    );
    assert!(
        woodpecker
            .log(&pipeline, "work")
            .ends_with("a pear and a walnut\n")
    );
}

#[test]
fn refusals_have_a_status_and_no_words() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &for_push());
    let request = json!({"branch": "main"}).to_string();
    let cases: [(&str, Option<&str>, &str, u16); 5] = [
        ("/api/repos/1/pipelines", Some("wrong"), &request, 401),
        ("/api/repos/99/pipelines", None, &request, 404),
        ("/api/repos/image/pipelines", None, &request, 400),
        (
            "/api/repos/1/pipelines",
            None,
            r#"{"branch": "missing"}"#,
            500,
        ),
        (
            "/api/repos/1/pipelines",
            None,
            r#"{"branch": "main", "variables": {"A": 1}}"#,
            400,
        ),
    ];
    for (path, token, body, expected) in cases {
        let answer = woodpecker.call_as(token.unwrap_or(&woodpecker.token), "POST", path, body);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (expected, ""),
            "{path} {body}"
        );
    }
    let page = woodpecker.call("POST", "/api/repos/infra/image/pipelines", &request);
    assert_eq!(
        (page.status, page.header("Content-Type")),
        (200, Some("text/html; charset=UTF-8"))
    );
}

#[test]
fn the_newest_pipeline_by_name_is_the_newest_push_alone() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &manual("true"));
    let number = number(&woodpecker.trigger("main", &json!({})));
    let path = format!("/api/repos/{}/pipelines", woodpecker.repository);
    assert_eq!(
        woodpecker.call("GET", &format!("{path}/latest"), "").status,
        404
    );
    let list: Value = body(&woodpecker.call("GET", &format!("{path}?perPage=1"), ""));
    assert_eq!(list[0]["number"], number);
}
