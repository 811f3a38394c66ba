//! The rebuild against a fake Woodpecker: every answer of the server, and its result.

mod fake;
mod follow;
mod guard;
mod on_broken;
mod program;
mod start;
mod still;
mod token;

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;

use pullproof::http::network::Network;
use pullproof::http::patience::Patience;
use pullproof::http::{ChosenBy, Clients, Lanes, Version};
use pullproof::rebuild::plan::{
    HINT_DELAY, Logs, Method, OwnPipeline, Plan, RepositoryName, STUCK_DELAY,
};
use pullproof::rebuild::woodpecker::Token;
use pullproof::rebuild::{NotStarted, Notice, Rebuilt};
use pullproof::text::secret::Secret;
use serde_json::{Value, json};
use url::Url;

pub(crate) use self::fake::{Fake, Reply, TOKEN};

/// The mark of every run here.
const MARK: &str = "the-mark";
pub(crate) const REPOSITORY: &str = "GET /api/repos/7";
const CREATE: &str = "POST /api/repos/7/pipelines";
const LIST: &str = "GET /api/repos/7/pipelines";
const USER: &str = "GET /api/user";
const QUEUE: &str = "GET /api/queue/info";
pub(crate) const PIPELINE: &str = "GET /api/repos/7/pipelines/12";

/// A server with the active repository `me/app`, number 7, that starts pipeline #12 and calls it a
/// success.
pub(crate) fn server() -> Fake {
    let fake = Fake::start();
    let repository =
        json!({"id": 7, "full_name": "me/app", "default_branch": "trunk", "active": true});
    fake.on(REPOSITORY, [Reply::json(&repository)])
        .on(CREATE, [Reply::json(&pipeline("pending"))])
        .on(PIPELINE, [Reply::json(&pipeline("success"))])
        .on(USER, [Reply::json(&json!({"id": 1, "login": "dev"}))]);
    fake
}

/// Pipeline #12 as the server describes it.
pub(crate) fn pipeline(status: &str) -> Value {
    json!({"id": 112, "number": 12, "event": "manual", "status": status, "branch": "trunk", "commit": "c0ffee", "errors": null})
}

/// A pipeline with other or more fields.
fn with(mut pipeline: Value, mut fields: Value) -> Value {
    pipeline
        .as_object_mut()
        .unwrap()
        .append(fields.as_object_mut().unwrap());
    pipeline
}

/// Pipeline #12 as ours, in a list.
fn ours(status: &str) -> Value {
    with(
        pipeline(status),
        json!({"variables": {"PULLPROOF_RUN": MARK, "PULLPROOF_REBUILD": "1"}}),
    )
}

/// What it takes to start a pipeline of this server and follow it, without long waits between two
/// looks.
pub(crate) fn plan(server: Url) -> Plan {
    Plan {
        server,
        token: token(TOKEN),
        repository: RepositoryName::Number(7),
        branch: None,
        variables: BTreeMap::new(),
        method: Method::Create,
        workflows: Vec::new(),
        wait: true,
        wait_timeout: Duration::from_secs(60),
        poll_interval: Duration::from_millis(2),
        logs: Logs::Failed,
        log_delay: Duration::ZERO,
        hint_delay: HINT_DELAY,
        stuck_delay: STUCK_DELAY,
        max_rebuilds: 1,
        own: OwnPipeline::default(),
    }
}

fn token(text: &str) -> Token {
    Token::new(&Secret::new(text)).unwrap()
}

/// A run of the rebuild: its plan, and how patient it is.
struct Case {
    plan: Plan,
    patience: Duration,
}

impl Case {
    fn new(fake: &Fake) -> Self {
        Self {
            plan: plan(fake.url("")),
            patience: Duration::from_secs(20),
        }
    }

    fn set(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.plan);
        self
    }

    /// Believes that an answer is lost after a moment.
    fn impatient(mut self) -> Self {
        self.patience = Duration::from_millis(250);
        self
    }

    /// Believes that logs come so much later than ends.
    fn logs_come_after(mut self, delay: Duration) -> Self {
        self.plan.log_delay = delay;
        self
    }

    async fn run(&self) -> Ran {
        self.run_until(|_| false, pending()).await
    }

    /// Runs until the end, until a notice that `stop_at` recognises, or until `stop`.
    async fn run_until(
        &self,
        stop_at: impl Fn(&Notice) -> bool,
        stop: impl Future<Output = ()>,
    ) -> Ran {
        let plan = &self.plan;
        let client = plan.client(lanes(&plan.server), self.patience);
        let patience = Patience {
            attempts: 3,
            backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(4),
            ..Patience::default()
        };
        let seen = tokio::sync::Notify::new();
        let (mut notices, mut advice) = (Vec::new(), Vec::new());
        let mut notify = |notice: Notice| {
            if stop_at(&notice) {
                seen.notify_one();
            }
            notices.push(notice.to_string());
            advice.extend(notice.advice());
        };
        let stop = async {
            tokio::select! {
                () = seen.notified() => {}
                () = stop => {}
            }
        };
        let result =
            pullproof::rebuild::rebuild(plan, &client, &patience, MARK, &mut notify, stop).await;
        let ran = Ran {
            result,
            notices,
            advice,
        };
        let everything = format!(
            "{ran:?} {client:?} {:?}",
            ran.result.as_ref().err().map(NotStarted::hint)
        );
        assert!(
            !everything.contains(TOKEN),
            "the token is shown: {everything}"
        );
        ran
    }
}

/// How a run went.
#[derive(Debug)]
struct Ran {
    result: Result<Rebuilt, NotStarted>,
    notices: Vec<String>,
    advice: Vec<&'static str>,
}

impl Ran {
    fn rebuilt(&self) -> &Rebuilt {
        self.result
            .as_ref()
            .unwrap_or_else(|error| panic!("not started: {error}"))
    }

    /// The message and the hint of a run that started nothing.
    fn refusal(&self) -> (String, String) {
        let error = self.result.as_ref().expect_err("nothing is started");
        (
            error.to_string(),
            error.hint().map(|(_, text)| text).unwrap_or_default(),
        )
    }

    fn advised(&self, part: &str) -> bool {
        self.advice.iter().any(|advice| advice.contains(part))
    }

    fn noticed(&self, part: &str) -> bool {
        self.notices.iter().any(|notice| notice.contains(part))
    }
}

#[track_caller]
fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in {text:?}");
}

/// Lanes to a server as the program makes them.
pub(crate) fn lanes(server: &Url) -> Arc<Lanes> {
    Clients::new(Network::default())
        .lanes(server, ChosenBy::User, Version::Best)
        .unwrap()
}
