//! `pullproof rebuild` against the real server: every way not to begin is exit 5 with the reason
//! and what to do.

use serde_json::{Value, json};

use super::rebuild::{rebuild, rebuild_at, rebuild_of, with};
use super::server::{Woodpecker, workflow};
use crate::support::command::Pullproof;

/// A server whose one workflow is this text.
fn with_text(text: &str) -> Woodpecker {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.workflow("work", text);
    woodpecker
}

/// A manual workflow with one step of these fields.
fn with_step(fields: &Value) -> Woodpecker {
    let mut step = json!({"name": "work", "image": "bash"});
    step.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    with_text(
        &json!({"when": {"event": "manual"}, "skip_clone": true, "steps": [step]}).to_string(),
    )
}

/// Fails unless it is exit 5, and says all of this.
#[track_caller]
fn refuses(run: Pullproof, said: &[&str]) {
    let finished = run.run().exits(5);
    assert!(
        finished.stdout.starts_with("pullproof: ERROR: "),
        "{finished}"
    );
    for words in said {
        assert!(
            finished.to_string().contains(words),
            "{words:?} is not said: {finished}"
        );
    }
}

#[test]
fn a_branch_where_nothing_accepts_manual() {
    let woodpecker = with_text(&workflow(&json!({"event": "push"}), "true"));
    refuses(
        rebuild(&woodpecker),
        &[
            "no workflow on the branch main accepts the event `manual`",
            "event: manual",
        ],
    );
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn a_repository_without_workflows_is_answered_as_filtered() {
    let woodpecker = Woodpecker::start();
    refuses(
        rebuild(&woodpecker),
        &[
            "accepts the event `manual`",
            "there is no workflow file on that branch at all",
        ],
    );
}

#[test]
fn a_variable_that_does_not_hold() {
    let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
    let woodpecker = with_text(&workflow(&when, "true"));
    refuses(
        rebuild(&woodpecker).arguments(["--variables", "REBUILD=other"]),
        &["accepts the event", "`evaluate`"],
    );
    rebuild(&woodpecker)
        .arguments(["--variables", "REBUILD=app"])
        .run()
        .exits(0);
}

#[test]
fn a_token_a_repository_or_a_branch_that_is_wrong() {
    let woodpecker = with(&[("work", "true")]);
    let token = &woodpecker.token;
    for (repository, branch, token, said) in [
        (
            "infra/image",
            "main",
            "wrong",
            [
                "does not accept the token (401)",
                "woodpecker_token must be",
            ],
        ),
        (
            "infra/other",
            "main",
            "wrong",
            [
                "does not accept the token (401)",
                "woodpecker_token must be",
            ],
        ),
        (
            "infra/other",
            "main",
            token,
            [
                "find the repository infra/other: not found (404)",
                "check the name",
            ],
        ),
        (
            "99",
            "main",
            token,
            [
                "find the repository number 99: not found (404)",
                "check the name or number",
            ],
        ),
        (
            "infra/image",
            "missing",
            token,
            [
                "the branch missing: http://127.0.0.1:",
                "check that the branch missing exists",
            ],
        ),
    ] {
        let run = rebuild_of(repository, &woodpecker).arguments(["--branch", branch]);
        refuses(run.variable("PLUGIN_WOODPECKER_TOKEN", token), &said);
    }
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
    let missing = rebuild(&woodpecker).arguments(["--branch", "missing"]);
    let finished = missing.arguments(["--attempts", "3"]).run().exits(5);
    let tries = format!("{} answered 500; retrying in", woodpecker.url);
    assert_eq!(finished.stderr.matches(&tries).count(), 2, "{finished}");
}

#[test]
fn an_address_that_is_the_web_interfaces() {
    let woodpecker = with(&[("work", "true")]);
    for path in ["/repos/1", "/infra/image"] {
        let url = format!("{}{path}", woodpecker.url);
        let said = [
            "is a web page, not Woodpecker's API",
            "without /api, /repos or a repository's name",
            &url,
        ];
        refuses(rebuild_at(&url, "infra/image", &woodpecker), &said);
    }
    assert_eq!(woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn a_repository_that_is_switched_off() {
    let woodpecker = with(&[("work", "true")]);
    woodpecker.deactivate();
    for repository in ["infra/image", "1"] {
        let said = [
            "the repository infra/image is not active on the server",
            "activate it",
        ];
        refuses(rebuild_of(repository, &woodpecker), &said);
    }
}

#[test]
fn files_that_the_forge_does_not_give() {
    let woodpecker = Woodpecker::start();
    woodpecker.forge.loses_its_files();
    let link = format!("exit code 5: {}/repos/1/pipeline/1\n", woodpecker.url);
    refuses(
        rebuild(&woodpecker),
        &[
            "pipeline #1 was not started: could not load config from forge",
            &link,
        ],
    );
}

#[test]
fn a_secret_that_does_not_allow_manual() {
    let woodpecker =
        with_step(&json!({"commands": ["true"], "environment": {"S": {"from_secret": "s"}}}));
    woodpecker.secret("s", "hush", &["push"]);
    let said = [
        r#"secret "s" is not allowed to be used with pipeline event "manual""#,
        "allow the event `manual`",
    ];
    refuses(rebuild(&woodpecker), &said);
}

#[test]
fn a_missing_secret() {
    let woodpecker =
        with_step(&json!({"commands": ["true"], "environment": {"S": {"from_secret": "s"}}}));
    refuses(
        rebuild(&woodpecker),
        &[r#"pipeline #1 was not started: secret "s" not found"#],
    );
}

#[test]
fn a_workflow_that_is_not_yaml() {
    refuses(
        rebuild(&with_text("when: {event: manual}\nsteps: [")),
        &["pipeline #1 was not started: "],
    );
}

#[test]
fn a_contradictory_step_is_reported_without_the_servers_warnings() {
    let woodpecker = with_step(&json!({"commands": ["true"], "settings": {"heat": 200}}));
    let objections = woodpecker.trigger("main", &json!({}));
    let objections = super::server::json(&objections)["errors"].clone();
    let of = |warning: bool| {
        let all = objections.as_array().into_iter().flatten();
        all.filter(move |one| one["is_warning"] == warning)
            .filter_map(|one| one["message"].as_str())
    };
    let errors: Vec<&str> = of(false).collect();
    assert!(!errors.is_empty(), "{objections:#}");
    let finished = rebuild(&woodpecker).run().exits(5);
    assert!(
        errors.iter().all(|error| finished.stdout.contains(error)),
        "{finished}"
    );
    assert!(
        of(true).all(|advice| !finished.stdout.contains(advice)),
        "{finished}"
    );
}
