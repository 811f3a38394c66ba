//! A real Woodpecker: the server with a database of its own, an agent with the local backend, and a
//! fake forge below.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::forge::Forge;
use crate::support::http::client::{Answer, ask};
use crate::support::scratch::Scratch;
use crate::until;

/// A server and an agent; gone, and their files with them, when this value is.
pub(crate) struct Woodpecker {
    /// The server's address, `http://127.0.0.1:port`.
    pub(crate) url: String,
    /// A personal access token of the repository's owner.
    pub(crate) token: String,
    /// The number of the one repository that is activated.
    pub(crate) repository: u64,
    /// The forge it runs for.
    pub(crate) forge: Forge,
    // Ended before their files are removed: fields are dropped in this order.
    _processes: [Process; 2],
    scratch: Scratch,
}

/// A process that is ended with this value.
struct Process(Child);

impl Process {
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("the child is ours").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a program of Woodpecker's is, by its name.
pub(crate) fn program(name: &str) -> PathBuf {
    let directory =
        std::env::var("E2E_WOODPECKER").expect("`make e2e` says where Woodpecker's programs are");
    Path::new(&directory).join(name)
}

impl Woodpecker {
    /// Starts server and agent, logs in, and activates the repository.
    pub(crate) fn start() -> Self {
        Self::start_for("nobody")
    }

    /// The same, where the token's owner is an administrator of the server.
    pub(crate) fn for_an_administrator() -> Self {
        Self::start_for("dev")
    }

    fn start_for(administrator: &str) -> Self {
        let scratch = Scratch::new("woodpecker");
        let forge = Forge::start();
        let (url, internal, server) = start_server(&scratch, &forge, administrator);
        let agent = start(
            &scratch,
            "woodpecker-agent",
            &[
                ("WOODPECKER_SERVER", &internal),
                ("WOODPECKER_AGENT_SECRET", "agents only"),
                ("WOODPECKER_AGENT_CONFIG_FILE", "agent.conf"),
                ("WOODPECKER_BACKEND", "local"),
                (
                    "WOODPECKER_BACKEND_LOCAL_TEMP_DIR",
                    &scratch.path().display().to_string(),
                ),
                ("WOODPECKER_HEALTHCHECK", "false"),
                ("WOODPECKER_MAX_WORKFLOWS", "4"),
            ],
        );
        let token = log_in(&url);
        let mut own = Self {
            url,
            token,
            repository: 0,
            forge,
            _processes: [agent, server],
            scratch,
        };
        let activated = own.call("POST", "/api/repos?forge_remote_id=1", "");
        assert_eq!(
            activated.status,
            200,
            "{activated:?}; unknown to the forge: {:?}",
            own.forge.unknown()
        );
        own.repository = json(&activated)["id"]
            .as_u64()
            .expect("a repository has a number");
        own
    }

    /// Asks the server for something, with the token.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_as(&self.token, method, path, body)
    }

    /// Asks the server for something, with another token.
    pub(crate) fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        must(method, &format!("{}{path}", self.url), &headers, body)
    }

    /// Asks for a manual pipeline of a branch, with variables.
    pub(crate) fn trigger(&self, branch: &str, variables: &Value) -> Answer {
        let body = json!({"branch": branch, "variables": variables}).to_string();
        self.call(
            "POST",
            &format!("/api/repos/{}/pipelines", self.repository),
            &body,
        )
    }

    /// Makes a push, and gives the number of the pipeline that this starts.
    #[track_caller]
    pub(crate) fn push(&self) -> u64 {
        number(&self.forge.push())
    }

    /// Notes a schedule, runs it at once, and gives the number of the pipeline that this starts.
    #[track_caller]
    pub(crate) fn run_cron(&self, name: &str) -> u64 {
        let path = format!("/api/repos/{}/cron", self.repository);
        let noted = self.call(
            "POST",
            &path,
            &json!({"name": name, "schedule": "@daily", "enabled": true}).to_string(),
        );
        assert_eq!(noted.status, 200, "{}", noted.text());
        number(&self.call("POST", &format!("{path}/{}", json(&noted)["id"]), ""))
    }

    /// Ends a pipeline.
    #[track_caller]
    pub(crate) fn cancel(&self, number: u64) {
        let path = format!("/api/repos/{}/pipelines/{number}/cancel", self.repository);
        assert_eq!(self.call("POST", &path, "").status, 204);
    }

    /// From now on, a person has to approve every push.
    #[track_caller]
    pub(crate) fn wants_approval(&self) {
        let body = json!({"require_approval": "all_events"}).to_string();
        let path = format!("/api/repos/{}", self.repository);
        assert_eq!(self.call("PATCH", &path, &body).status, 200);
    }

    /// Declines a pipeline.
    #[track_caller]
    pub(crate) fn decline(&self, number: u64) {
        let path = format!("/api/repos/{}/pipelines/{number}/decline", self.repository);
        assert_eq!(self.call("POST", &path, "").status, 200);
    }

    /// Says pipelines of which events end older ones that still run; at first it is pushes and pull
    /// requests.
    #[track_caller]
    pub(crate) fn cancels_previous(&self, events: &[&str]) {
        let body = json!({"cancel_previous_pipeline_events": events}).to_string();
        assert_eq!(
            self.call("PATCH", &format!("/api/repos/{}", self.repository), &body)
                .status,
            200
        );
    }

    /// Switches the repository off.
    #[track_caller]
    pub(crate) fn deactivate(&self) {
        let path = format!("/api/repos/{}?remove=false", self.repository);
        assert_eq!(self.call("DELETE", &path, "").status, 200);
    }

    /// Gives the repository a secret for these events.
    pub(crate) fn secret(&self, name: &str, value: &str, events: &[&str]) {
        let body = json!({"name": name, "value": value, "events": events}).to_string();
        let answer = self.call(
            "POST",
            &format!("/api/repos/{}/secrets", self.repository),
            &body,
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A pipeline as the server describes it now.
    pub(crate) fn pipeline(&self, number: u64) -> Value {
        json(&self.call(
            "GET",
            &format!("/api/repos/{}/pipelines/{number}", self.repository),
            "",
        ))
    }

    /// A command that does not end by itself, but with this server.
    pub(crate) fn endless(&self) -> String {
        format!(
            "while [ -d '{}' ]; do sleep 0.2; done",
            self.scratch.path().display()
        )
    }

    /// The numbers of all pipelines there are, newest first.
    pub(crate) fn pipelines(&self) -> Vec<u64> {
        let list = json(&self.call(
            "GET",
            &format!("/api/repos/{}/pipelines", self.repository),
            "",
        ));
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(|pipeline| pipeline["number"].as_u64())
            .collect()
    }

    /// Waits until a pipeline is over and gives it.
    #[track_caller]
    pub(crate) fn finished(&self, number: u64) -> Value {
        let over = |pipeline: &Value| pipeline["finished"].as_u64().is_some_and(|time| time > 0);
        until(&format!("pipeline {number} is over"), || {
            over(&self.pipeline(number))
        });
        self.pipeline(number)
    }

    /// What a step in a pipeline has logged that is this program; waits for the verdict, its last
    /// line.
    #[track_caller]
    pub(crate) fn log_to_the_verdict(&self, pipeline: &Value, step: &str) -> String {
        let mut log = String::new();
        until("the log has a verdict", || {
            log = self.log(pipeline, step);
            log.lines().any(|line| line.starts_with("pullproof: "))
        });
        log
    }

    /// What the step of that name in a pipeline has logged; waits for it, as logs come after the
    /// end they report.
    ///
    /// A long log comes in pieces, and this may be the first of them.
    #[track_caller]
    pub(crate) fn log(&self, pipeline: &Value, step: &str) -> String {
        let steps = pipeline["workflows"].as_array().into_iter().flatten();
        let mut steps =
            steps.flat_map(|workflow| workflow["children"].as_array().into_iter().flatten());
        let step = steps
            .find(|child| child["name"] == step)
            .unwrap_or_else(|| panic!("no {step} in {pipeline:#}"));
        let path = format!(
            "/api/repos/{}/logs/{}/{}",
            self.repository, pipeline["number"], step["id"]
        );
        let mut log = String::new();
        until("there is a log", || {
            let entries = json(&self.call("GET", &path, ""));
            let lines = entries
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|entry| entry["data"].as_str());
            let lines = lines.map(|data| STANDARD.decode(data).expect("a line of a log is base64"));
            log = lines
                .map(|line| {
                    without_colours(&String::from_utf8_lossy(&line))
                        .trim_end()
                        .to_owned()
                        + "\n"
                })
                .collect();
            !log.is_empty()
        });
        log
    }
}

/// A workflow of one step, `work`, which is a command of bash.
pub(crate) fn workflow(when: &Value, command: &str) -> String {
    let step = json!({"name": "work", "image": "bash", "commands": [command]});
    json!({"when": when, "skip_clone": true, "steps": [step]}).to_string()
}

/// Starts the server; gives its address, the one for agents, and its process.
fn start_server(
    scratch: &Scratch,
    forge: &Forge,
    administrator: &str,
) -> (String, String, Process) {
    for _ in 0..20 {
        let [web, internal] = free_addresses();
        let url = format!("http://{web}");
        let environment = [
            ("WOODPECKER_HOST", url.as_str()),
            ("WOODPECKER_SERVER_ADDR", &web),
            ("WOODPECKER_GRPC_ADDR", &internal),
            ("WOODPECKER_AGENT_SECRET", "agents only"),
            ("WOODPECKER_OPEN", "true"),
            ("WOODPECKER_ADMIN", administrator),
            ("WOODPECKER_GITEA", "true"),
            ("WOODPECKER_GITEA_URL", &forge.url()),
            ("WOODPECKER_GITEA_CLIENT", "client"),
            ("WOODPECKER_GITEA_SECRET", "of the client"),
            ("WOODPECKER_DATABASE_DRIVER", "sqlite3"),
            // A transaction that only reads at first cannot wait for its turn to write: it gets
            // "locked".
            (
                "WOODPECKER_DATABASE_DATASOURCE",
                "woodpecker.sqlite?_busy_timeout=30000&_journal_mode=WAL&_txlock=immediate",
            ),
        ];
        let mut server = start(scratch, "woodpecker-server", &environment);
        let answers = || {
            ask("GET", &format!("{url}/healthz"), &[], &[]).is_ok()
                && TcpStream::connect(&internal).is_ok()
        };
        until("the server answers, or ends", || {
            server.has_ended() || answers()
        });
        // Another process may have taken one of the two in the meantime.
        if !server.has_ended() {
            return (url, internal, server);
        }
    }
    panic!(
        "the server does not start, see {}",
        scratch.path().display()
    );
}

/// Two addresses of the loopback on which nothing listens.
fn free_addresses() -> [String; 2] {
    let listeners =
        [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port"));
    listeners.map(|listener| {
        listener
            .local_addr()
            .expect("a bound socket has an address")
            .to_string()
    })
}

/// Starts a program of Woodpecker's with this environment; what it says goes to a file beside its
/// data.
fn start(scratch: &Scratch, name: &str, environment: &[(&str, &str)]) -> Process {
    let log = std::fs::File::create(scratch.path().join(name).with_extension("log"))
        .expect("the directory is ours");
    let child = Command::new(program(name))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scratch.path())
        .env("WOODPECKER_LOG_LEVEL", "debug")
        .envs(environment.iter().copied())
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be had twice"))
        .stderr(log)
        .spawn();
    Process(
        child.unwrap_or_else(|error| panic!("cannot start {}: {error}", program(name).display())),
    )
}

/// Logs in as the forge's user, as a browser does, and gives a personal access token.
fn log_in(url: &str) -> String {
    let asked = must("GET", &format!("{url}/authorize"), &[], "");
    let redirect = asked.header("Location").unwrap_or_default();
    let state = redirect
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("state="))
        .unwrap_or_default();
    let entered = must(
        "GET",
        &format!("{url}/authorize?code=1&state={state}"),
        &[],
        "",
    );
    let cookie = entered
        .header("Set-Cookie")
        .and_then(|cookie| cookie.split(';').next())
        .unwrap_or_default();
    assert!(
        cookie.starts_with("user_sess="),
        "not logged in: {asked:?} {entered:?}"
    );
    let page = must(
        "GET",
        &format!("{url}/web-config.js"),
        &[("Cookie", cookie)],
        "",
    )
    .text();
    let csrf = page
        .split("WOODPECKER_CSRF = \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default();
    let headers = [("Cookie", cookie), ("X-CSRF-TOKEN", csrf)];
    let token = must("POST", &format!("{url}/api/user/token"), &headers, "");
    assert_eq!(token.status, 200, "{}", token.text());
    token.text()
}

/// Asks something that must be answered.
#[track_caller]
fn must(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let answer = ask(method, url, headers, body.as_bytes());
    answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

/// A line as a person sees it.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |seen, part| {
        seen + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

/// The number of the pipeline that an answer is about.
#[track_caller]
pub(crate) fn number(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 200, "{answer:?}");
    json(answer)["number"]
        .as_u64()
        .expect("a pipeline has a number")
}

/// The body of an answer, as JSON.
#[track_caller]
pub(crate) fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}: {}", answer.status, answer.text()))
}
