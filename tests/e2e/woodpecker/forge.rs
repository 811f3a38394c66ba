//! A forge as far as Woodpecker asks one: it speaks the API that Gitea and Forgejo share, and
//! accepts any login.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::http::client::{Answer, ask};
use crate::support::http::{Reply, Request, Server};

/// The one repository's full name.
pub(crate) const REPOSITORY: &str = "infra/image";

/// The commit that every branch points to.
const COMMIT: &str = "1f0e3dad99908345f7439f8ffabdffc4a1f0e3da";

/// A forge that runs as long as this value lives.
pub(crate) struct Forge {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    branches: BTreeSet<String>,
    workflows: BTreeMap<String, String>,
    hook: Option<String>,
    unknown: Vec<String>,
    broken: bool,
}

impl Forge {
    /// A forge with one repository, whose only branch is `main` and which has no workflows yet.
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            branches: ["main".to_owned()].into(),
            ..State::default()
        }));
        let own = Arc::clone(&state);
        let server = Server::start(move |request| {
            answer(request, &mut own.lock().expect("no answer panics"))
        });
        Self { server, state }
    }

    /// Its address, `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        self.server.url("")
    }

    /// Puts a workflow into the repository: `.woodpecker/NAME.yaml`.
    pub(crate) fn workflow(&self, name: &str, content: &str) -> &Self {
        let mut state = self.state.lock().expect("no answer panics");
        state
            .workflows
            .insert(format!("{name}.yaml"), content.to_owned());
        self
    }

    /// Calls the registered hook: a push to `main` happened.
    pub(crate) fn push(&self) -> Answer {
        let hook = self
            .state
            .lock()
            .expect("no answer panics")
            .hook
            .clone()
            .expect("the repository is activated");
        let payload = json!({
            "ref": "refs/heads/main",
            "after": COMMIT,
            "commits": [{"id": COMMIT, "message": "more cake", "url": "http://127.0.0.1/"}],
            "repository": repository(),
            "sender": user(),
        });
        let headers = [
            ("X-Gitea-Event", "push"),
            ("Content-Type", "application/json"),
        ];
        ask("POST", &hook, &headers, payload.to_string().as_bytes()).expect("Woodpecker listens")
    }

    /// From now on, it fails whenever it is asked for a file.
    pub(crate) fn loses_its_files(&self) {
        self.state.lock().expect("no answer panics").broken = true;
    }

    /// What it was asked and does not know; for a person who looks at a failed test.
    pub(crate) fn unknown(&self) -> Vec<String> {
        self.state.lock().expect("no answer panics").unknown.clone()
    }
}

fn answer(request: &Request, state: &mut State) -> Reply {
    let path = request
        .path
        .strip_prefix("/api/v1")
        .unwrap_or(&request.path);
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let in_repository = path.strip_prefix(&format!("/repos/{REPOSITORY}"));
    let later_page = request.query.contains("page=") && !request.query.contains("page=1");
    match (request.method.as_str(), words.as_slice()) {
        ("POST", ["login", "oauth", "access_token"]) => {
            let token = json!({"access_token": "t", "token_type": "bearer", "expires_in": 86_400, "refresh_token": "r"});
            Reply::json(&token)
        }
        ("GET", ["version"]) => Reply::json(&json!({"version": "1.25.0"})),
        ("GET", ["settings", "api"]) => Reply::json(&json!({"max_response_items": 50})),
        ("GET", ["user"] | ["users", "dev"]) => Reply::json(&user()),
        ("GET", ["orgs" | "users", _]) => {
            Reply::json(&json!({"id": 2, "name": "infra", "username": "infra"}))
        }
        ("GET", ["user", "orgs"]) => Reply::json(&json!([])),
        ("GET", ["user", "repos"]) if later_page => Reply::json(&json!([])),
        ("GET", ["user", "repos"]) => Reply::json(&json!([repository()])),
        ("GET", ["repositories", "1"]) => Reply::json(&repository()),
        (_, ["repos", ..]) if in_repository.is_some() => {
            in_the_repository(request, in_repository.unwrap_or_default(), state)
        }
        _ => unknown(request, state),
    }
}

fn in_the_repository(request: &Request, path: &str, state: &mut State) -> Reply {
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (request.method.as_str(), words.as_slice()) {
        ("GET", [""]) => Reply::json(&repository()),
        ("GET", ["contents" | "raw", ..]) if state.broken => {
            Reply::status(500).body("the disk is gone")
        }
        ("GET", ["branches", branch]) if state.branches.contains(*branch) => Reply::json(
            &json!({"name": branch, "commit": {"id": COMMIT, "url": "http://127.0.0.1/"}}),
        ),
        ("GET", ["contents", ".woodpecker"]) if !state.workflows.is_empty() => {
            let entry = |name: &String| json!({"name": name, "path": format!(".woodpecker/{name}"), "type": "file"});
            Reply::json(&state.workflows.keys().map(entry).collect())
        }
        ("GET", ["raw", ".woodpecker", name]) if state.workflows.contains_key(*name) => {
            Reply::ok("text/plain", state.workflows[*name].as_str())
        }
        ("GET", ["branches" | "contents" | "raw", ..]) => absent(),
        ("POST", ["hooks"]) => {
            let hook: Value =
                serde_json::from_slice(&request.body).expect("a request for a hook is JSON");
            state.hook = hook["config"]["url"].as_str().map(str::to_owned);
            Reply::json(&json!({"id": 1})).but_status(201)
        }
        ("POST", ["statuses", _]) => Reply::json(&json!({"id": 1})).but_status(201),
        ("GET", ["hooks"]) => Reply::json(&json!([])),
        ("DELETE", ["hooks", _]) => Reply::status(204),
        _ => unknown(request, state),
    }
}

fn absent() -> Reply {
    Reply::json(&json!({"message": "object does not exist"})).but_status(404)
}

fn unknown(request: &Request, state: &mut State) -> Reply {
    state.unknown.push(format!(
        "{} {}?{}",
        request.method, request.path, request.query
    ));
    absent()
}

fn user() -> Value {
    json!({"id": 1, "login": "dev", "username": "dev", "email": "dev@localhost", "visibility": "public"})
}

fn repository() -> Value {
    json!({
        "id": 1,
        "name": "image",
        "full_name": REPOSITORY,
        "owner": {"id": 2, "login": "infra", "username": "infra", "visibility": "public"},
        "private": false,
        "html_url": format!("http://127.0.0.1/{REPOSITORY}"),
        "clone_url": format!("http://127.0.0.1/{REPOSITORY}.git"),
        "ssh_url": format!("git@127.0.0.1:{REPOSITORY}.git"),
        "default_branch": "main",
        "permissions": {"admin": true, "push": true, "pull": true},
    })
}
