//! `pullproof rebuild` against the real server: every end that a pipeline can have, and every way not to begin.

use serde_json::json;

use super::server::{Woodpecker, workflow};
use crate::support::command::{Pullproof, pullproof};

/// `pullproof rebuild` of the one repository that is activated.
fn rebuild(woodpecker: &Woodpecker) -> Pullproof {
    rebuild_of("infra/image", woodpecker)
}

/// `pullproof rebuild` with looks as often as a test wants them.
fn rebuild_of(repository: &str, woodpecker: &Woodpecker) -> Pullproof {
    pullproof()
        .arguments(["rebuild", "--woodpecker-repo", repository, "--poll-interval", "100ms", "--backoff", "10ms"])
        .arguments(["--woodpecker-url", &woodpecker.url])
        .variable("PLUGIN_WOODPECKER_TOKEN", &woodpecker.token)
}

fn with(workflows: &[(&str, &str)]) -> Woodpecker {
    let woodpecker = Woodpecker::start();
    for (name, command) in workflows {
        woodpecker.forge.workflow(name, &workflow(&json!({"event": "manual"}), command));
    }
    woodpecker
}

/// One whose only workflow does not end.
fn endless() -> Woodpecker {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &workflow(&json!({"event": "manual"}), &woodpecker.endless()));
    woodpecker
}

#[test]
fn a_pipeline_is_started_with_variables_and_followed_to_success() {
    let woodpecker = with(&[("work", "echo a $FRUIT")]);
    let finished = rebuild(&woodpecker).arguments(["--variables", r#"{"FRUIT": "pear"}"#]).run().exits(0);
    assert_eq!(woodpecker.pipelines(), [1]);
    let pipeline = woodpecker.pipeline(1);
    assert_eq!((&pipeline["event"], &pipeline["branch"]), (&json!("manual"), &json!("main")));
    assert!(woodpecker.log(&pipeline, "work").contains("a pear\n"));
    let link = format!("{}/repos/1/pipeline/1", woodpecker.url);
    assert!(finished.to_string().contains(&link), "the link is not shown: {finished}");
}

#[test]
fn a_pipeline_that_fails_is_exit_6_with_the_end_of_its_log() {
    let woodpecker = with(&[("work", "echo the oven is cold; exit 3")]);
    let finished = rebuild(&woodpecker).run().exits(6);
    assert!(finished.to_string().contains("the oven is cold"), "{finished}");
}

#[test]
fn a_branch_where_nothing_accepts_manual_is_exit_5_with_what_to_add() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", &workflow(&json!({"event": "push"}), "true"));
    let finished = rebuild(&woodpecker).run().exits(5);
    assert!(finished.to_string().contains("event: manual"), "{finished}");
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn of_several_workflows_the_named_one_decides() {
    let woodpecker = with(&[("bake", "true"), ("fry", "exit 1")]);
    rebuild(&woodpecker).arguments(["--workflow", "bake"]).run().exits(0);
    rebuild(&woodpecker).arguments(["--workflow", "fry"]).run().exits(6);
    rebuild(&woodpecker).run().exits(6);
    let finished = rebuild(&woodpecker).arguments(["--workflow", "boil"]).run();
    assert_ne!(finished.code, Some(0), "{finished}");
    assert!(finished.to_string().contains("bake"), "what there is instead is not said: {finished}");
}

#[test]
fn a_guarded_workflow_runs_for_its_variable_alone() {
    let woodpecker = Woodpecker::start();
    let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
    woodpecker.forge.workflow("guarded", &workflow(&when, "true"));
    rebuild(&woodpecker).arguments(["--variables", "REBUILD=other"]).run().exits(5);
    rebuild(&woodpecker).arguments(["--variables", "REBUILD=app"]).run().exits(0);
}

#[test]
fn a_pipeline_is_restarted_with_its_own_variables_and_more() {
    let woodpecker = with(&[("work", "echo a $FRUIT and a $NUT")]);
    rebuild(&woodpecker).arguments(["--variables", "FRUIT=pear"]).run().exits(0);
    let restart = ["--method", "restart", "--pipeline", "1", "--variables", "NUT=walnut"];
    rebuild(&woodpecker).arguments(restart).run().exits(0);
    let pipeline = woodpecker.pipeline(2);
    assert_eq!(pipeline["parent"], 1);
    assert!(woodpecker.log(&pipeline, "work").contains("a pear and a walnut\n"));
}

#[test]
fn nothing_is_started_and_the_reason_is_said() {
    let woodpecker = with(&[("work", "true")]);
    let cases = [
        ("infra/image", "main", "wrong", "token"),
        ("infra/other", "main", &woodpecker.token, "infra/other"),
        ("99", "main", &woodpecker.token, "99"),
        ("infra/image", "missing", &woodpecker.token, "missing"),
    ];
    for (repository, branch, token, said) in cases {
        let run = rebuild_of(repository, &woodpecker).arguments(["--branch", branch]);
        let finished = run.variable("PLUGIN_WOODPECKER_TOKEN", token).run().exits(5);
        assert!(finished.to_string().contains(said), "{said} is not said: {finished}");
    }
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn a_config_that_cannot_be_loaded_is_exit_5_in_the_servers_words() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.loses_its_files();
    let finished = rebuild(&woodpecker).run().exits(5);
    assert!(finished.to_string().contains("could not load config from forge"), "{finished}");
}

#[test]
fn a_secret_that_does_not_allow_manual_is_exit_5_with_what_to_change() {
    let woodpecker = Woodpecker::start();
    let step =
        json!({"name": "work", "image": "bash", "commands": ["true"], "environment": {"S": {"from_secret": "s"}}});
    let workflow = json!({"when": {"event": "manual"}, "skip_clone": true, "steps": [step]});
    woodpecker.forge.workflow("work", &workflow.to_string());
    woodpecker.secret("s", "hush", &["push"]);
    let finished = rebuild(&woodpecker).run().exits(5);
    for words in ["secret \"s\"", "hint", "manual"] {
        assert!(finished.to_string().contains(words), "{words} is not said: {finished}");
    }
}

#[test]
fn a_pipeline_that_takes_too_long_is_exit_7_and_goes_on() {
    let woodpecker = endless();
    let finished = rebuild(&woodpecker).arguments(["--wait-timeout", "2s"]).run().exits(7);
    assert!(finished.to_string().contains("/repos/1/pipeline/1"), "{finished}");
    assert_eq!(woodpecker.pipeline(1)["finished"], 0);
}

#[test]
fn interrupted_it_says_that_the_pipeline_goes_on() {
    let woodpecker = endless();
    let running = rebuild(&woodpecker).start();
    crate::until("the pipeline runs", || {
        woodpecker.pipelines() == [1] && woodpecker.pipeline(1)["status"] == "running"
    });
    running.signal("TERM");
    let finished = running.wait().exits(143);
    assert!(finished.to_string().contains("/repos/1/pipeline/1"), "{finished}");
    assert_eq!(woodpecker.pipeline(1)["finished"], 0);
}
