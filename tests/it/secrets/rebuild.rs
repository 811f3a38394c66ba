//! The token and the variables of a rebuild: the server gets them, and no output repeats them.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::plant::{Face, Planted, run, set, shows_nothing_in};
use crate::support::command::Pullproof;
use crate::support::fake::registry::Registry;
use crate::support::http::{Reply, Request, Server};
use crate::support::recipe::single;

/// A Woodpecker that answers every request with what a function makes of it and of the route.
fn server(answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| answer(&format!("{} {}", request.method, request.path), request))
}

fn rebuild(
    face: Face,
    level: &str,
    server: &Server,
    token: &Planted,
    variable: &Planted,
) -> Pullproof {
    with_server(run("rebuild", face, level), face, server, token, variable)
}

/// A run with a Woodpecker, its token and a variable.
fn with_server(
    run: Pullproof,
    face: Face,
    server: &Server,
    token: &Planted,
    variable: &Planted,
) -> Pullproof {
    let run = run.arguments([
        "--poll-interval",
        "100ms",
        "--wait-timeout",
        "5s",
        "--request-timeout",
        "500ms",
    ]);
    let run = set(
        set(run, face, "woodpecker_url", server.url("")),
        face,
        "woodpecker_token",
        &token.value,
    );
    let run = set(
        run,
        face,
        "variables",
        json!({"KEY": variable.value}).to_string(),
    );
    set(run, face, "woodpecker_repo", "7@main")
}

/// What the request showed, as an error text.
fn echo(request: &Request) -> String {
    let header = request.header("Authorization").unwrap_or_default();
    format!(
        "no: {header} ?{} {}",
        request.query,
        String::from_utf8_lossy(&request.body)
    )
}

#[test]
fn a_refusal_of_a_token_that_is_only_tried_is_not_quoted() {
    let (token, variable) = (Planted::token("woodpecker"), Planted::token("variable"));
    let registry = Registry::start();
    registry.image("app:1", &single());
    for status in [400, 401, 403, 500] {
        let server =
            server(move |_, request| Reply::ok("text/plain", echo(request)).but_status(status));
        shows_nothing_in(&["trace"], &[&token, &variable], 0, |face, level| {
            let run = run("verify", face, level);
            let run = set(run, face, "images", registry.reference("app:1"));
            let run = set(run, face, "on_broken", "rebuild");
            with_server(run, face, &server, &token, &variable)
        });
        let asked = server.requests();
        assert!(!asked.is_empty() && asked.iter().all(|one| one.path == "/api/user"));
    }
}

fn repository() -> Value {
    json!({"id": 7, "full_name": "me/app", "default_branch": "main", "active": true})
}

#[test]
fn a_refusal_that_repeats_the_request_is_not_quoted() {
    let (token, variable) = (Planted::token("woodpecker"), Planted::token("variable"));
    let asked = |route: &'static str| [401, 404, 422, 500].map(|status| (route, status));
    for (refused, status) in asked("GET /api/repos/7")
        .into_iter()
        .chain(asked("POST /api/repos/7/pipelines"))
    {
        let server = server(move |route, request| match route {
            _ if route == refused => Reply::ok("text/plain", echo(request)).but_status(status),
            "GET /api/repos/7" => Reply::json(&repository()),
            _ => Reply::json(&json!([])),
        });
        shows_nothing_in(&["trace"], &[&token, &variable], 5, |face, level| {
            rebuild(face, level, &server, &token, &variable)
        });
    }
}

#[test]
fn a_redirect_of_the_server_takes_no_token_along() {
    let (token, variable) = (Planted::token("woodpecker"), Planted::token("variable"));
    let elsewhere = Server::start(|_| Reply::json(&json!({})));
    let target = elsewhere.url("");
    let server = server(move |_, request| {
        let key = request
            .header("Authorization")
            .unwrap_or_default()
            .replace(' ', "+");
        Reply::status(307).header("Location", format!("{target}/{key}/api/repos/7?key={key}"))
    });
    shows_nothing_in(&["trace"], &[&token, &variable], 5, |face, level| {
        rebuild(face, level, &server, &token, &variable)
    });
    assert!(
        elsewhere.requests().is_empty(),
        "it was followed: {:?}",
        elsewhere.requests()
    );
}

#[test]
fn secrets_that_a_pipeline_repeats_are_redacted() {
    let (token, variable) = (Planted::token("woodpecker"), Planted::token("variable"));
    let (said, key) = (
        format!("{} and {}", token.value, variable.value),
        variable.value.clone(),
    );
    let server = server(move |route, _| {
        let pipeline = |status: &str| {
            json!({"id": 112, "number": 12, "event": "manual", "status": status, "branch": "main",
            "errors": [{"message": said}], "variables": {"KEY": key},
            "workflows": [{"name": said, "state": status, "error": said, "children": [
                {"id": 1, "name": said, "state": status, "error": said, "exit_code": 1, "started": 5},
            ]}]})
        };
        match route {
            "GET /api/repos/7" => Reply::json(&repository()),
            "POST /api/repos/7/pipelines" => Reply::json(&pipeline("pending")),
            "GET /api/repos/7/pipelines/12" => Reply::json(&pipeline("failure")),
            _ => {
                use base64::Engine as _;
                let line = base64::engine::general_purpose::STANDARD.encode(format!("KEY={said}"));
                Reply::json(&json!([{"type": 0, "data": line}]))
            }
        }
    });
    shows_nothing_in(&["trace"], &[&token, &variable], 6, |face, level| {
        rebuild(face, level, &server, &token, &variable)
    });
    assert!(
        server
            .requests()
            .iter()
            .any(|request| request.path.contains("/logs/")),
        "no log was asked for"
    );
}

#[test]
fn variables_in_the_address_of_a_failed_restart_are_redacted() {
    let (token, variable) = (Planted::token("woodpecker"), Planted::token("variable"));
    let started = AtomicBool::new(false);
    let pipeline = |number: u64, parent: u64| json!({"id": 100 + number, "number": number, "parent": parent, "commit": "c0ffee", "status": "success"});
    let server = server(move |route, _| match route {
        "GET /api/repos/7" => Reply::json(&repository()),
        "GET /api/repos/7/pipelines/12" => Reply::json(&pipeline(12, 0)),
        "GET /api/repos/7/pipelines/13" => Reply::json(&pipeline(13, 12)),
        "POST /api/repos/7/pipelines/12" => {
            started.store(true, Ordering::SeqCst);
            Reply::raw("nonsense")
        }
        _ if started.swap(false, Ordering::SeqCst) => {
            Reply::json(&json!([pipeline(13, 12), pipeline(12, 0)]))
        }
        _ => Reply::json(&json!([pipeline(12, 0)])),
    });
    shows_nothing_in(&["trace"], &[&token, &variable], 0, |face, level| {
        rebuild(face, level, &server, &token, &variable).arguments([
            "--method",
            "restart",
            "--pipeline",
            "12",
        ])
    });
    let restart = server
        .requests()
        .into_iter()
        .find(|request| request.method == "POST")
        .unwrap();
    assert!(variable.is_in(&restart.query), "{restart:?}");
}
