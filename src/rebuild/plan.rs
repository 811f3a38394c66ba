//! A rebuild as the settings describe it: read and checked before anything is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::guard::Loop;
use super::woodpecker::{Client, Token};
use crate::http::Lanes;

/// The variable that finds our pipeline again after a lost answer.
pub const RUN_VARIABLE: &str = "PULLPROOF_RUN";

/// The variable that counts how many rebuilds led to a pipeline; absent from those that a person
/// or a push started.
pub const COUNT_VARIABLE: &str = "PULLPROOF_REBUILD";

/// How long after its step a log may be incomplete: an agent sends what it has when nothing new
/// came for a second.
pub const LOG_DELAY: Duration = Duration::from_millis(1500);

/// How long a pipeline may stay pending, or without workflows, before the log says why.
pub const HINT_DELAY: Duration = Duration::from_secs(30);

/// How long a pipeline may stay without workflows before it is given up.
pub const STUCK_DELAY: Duration = Duration::from_secs(120);

/// Query parameters that mean something else to a restart than a variable.
const RESERVED: [&str; 5] = ["access_token", "deploy_task", "deploy_to", "event", "fork"];

/// Which pipeline to start, where, and how to follow it.
#[derive(Clone)]
pub struct Plan {
    /// `woodpecker_url`, else `CI_SYSTEM_URL` inside Woodpecker; may have a path.
    pub server: Url,
    /// `woodpecker_token`.
    pub token: Token,
    /// `woodpecker_repo`, else the repository the pipeline runs for.
    pub repository: RepositoryName,
    /// `branch`, else `@branch` of `woodpecker_repo`; `None` is the default branch.
    pub branch: Option<String>,
    /// `variables`; their values may be secret.
    pub variables: BTreeMap<String, String>,
    /// `method` and `pipeline`.
    pub method: Method,
    /// `workflow`: the names of the workflows whose state decides, as the server has them; empty
    /// is the whole pipeline.
    pub workflows: Vec<String>,
    /// `wait`.
    pub wait: bool,
    /// `wait_timeout`.
    pub wait_timeout: Duration,
    /// `poll_interval`.
    pub poll_interval: Duration,
    /// `logs`.
    pub logs: Logs,
    /// How long after a step's end its log is complete; [`LOG_DELAY`] but in tests.
    pub log_delay: Duration,
    /// [`HINT_DELAY`] but in tests.
    pub hint_delay: Duration,
    /// [`STUCK_DELAY`] but in tests.
    pub stuck_delay: Duration,
    /// `max_rebuilds`.
    pub max_rebuilds: u32,
    /// What the pipeline we run in says of itself, for the loop guard.
    pub own: OwnPipeline,
}

impl std::fmt::Debug for Plan {
    /// Without the values of variables, which may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("server", &self.server.as_str())
            .field("token", &self.token)
            .field("repository", &self.repository)
            .field("branch", &self.branch)
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("method", &self.method)
            .field("workflows", &self.workflows)
            .field("wait", &self.wait)
            .field("wait_timeout", &self.wait_timeout)
            .field("poll_interval", &self.poll_interval)
            .field("logs", &self.logs)
            .field("log_delay", &self.log_delay)
            .field("hint_delay", &self.hint_delay)
            .field("stuck_delay", &self.stuck_delay)
            .field("max_rebuilds", &self.max_rebuilds)
            .field("own", &self.own)
            .finish()
    }
}

impl Plan {
    /// A client for the server, over lanes to its origin; `patience` is as for [`Client::new`].
    #[must_use]
    pub fn client(&self, lanes: Arc<Lanes>, patience: Duration) -> Client {
        Client::new(lanes, self.server.clone(), &self.token, patience)
    }

    /// The host of the server, with its port if it has one of its own.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.server.host_str().unwrap_or_default();
        match self.server.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The pipeline that this program runs in, if it can be read from the server of the plan.
    #[must_use]
    pub fn own(&self) -> Option<(u64, u64)> {
        self.own.runs_on(&self.server).then_some(())?;
        Some((self.own.repository?, self.own.number?))
    }

    /// Why the pipeline that this program runs in cannot be read.
    #[must_use]
    pub fn elsewhere(&self) -> Loop {
        match &self.own.server {
            Some(own) if !self.own.runs_on(&self.server) => Loop::Elsewhere {
                own: own.to_string(),
                server: self.server.to_string(),
            },
            _ => Loop::Unknown("it does not say which pipeline it is".to_owned()),
        }
    }

    /// The variables to send: the user's and our two, which win.
    #[must_use]
    pub fn variables(&self, run: &str, count: u32) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.insert(RUN_VARIABLE.to_owned(), run.to_owned());
        variables.insert(COUNT_VARIABLE.to_owned(), count.to_string());
        variables
    }
}

/// The repository on the Woodpecker server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryName {
    /// Its number there.
    Number(u64),
    /// `owner/name`, to be looked up.
    Path(String),
}

impl RepositoryName {
    /// Reads `owner/name` or a number; GitLab's groups may be nested.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u64>() {
            return (number != 0).then_some(Self::Number(number));
        }
        let is_name = |part: &str| {
            !matches!(part, "" | "." | "..")
                && !part.contains(|character: char| character == ':' || character.is_whitespace())
        };
        let is_path = text.contains('/') && text.split('/').all(is_name);
        is_path.then(|| Self::Path(text.to_owned()))
    }
}

/// `method` with what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A new manual pipeline.
    Create,
    /// The same again.
    Restart(Restart),
}

/// `pipeline`: which one to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// This one.
    Number(u64),
    /// The newest of the branch.
    Latest,
}

/// `logs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// None.
    None,
    /// The failing steps'.
    Failed,
    /// Every step's.
    All,
}

/// What the Woodpecker pipeline that runs this program says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnPipeline {
    /// `CI_PIPELINE_EVENT`.
    pub event: Option<String>,
    /// `CI_PIPELINE_NUMBER`.
    pub number: Option<u64>,
    /// `CI_PIPELINE_PARENT`, when it is not 0.
    pub parent: Option<u64>,
    /// The repository's number, from `CI_PIPELINE_URL`.
    pub repository: Option<u64>,
    /// `CI_REPO`.
    pub repository_name: Option<String>,
    /// `CI_COMMIT_BRANCH`.
    pub branch: Option<String>,
    /// `CI_SYSTEM_URL`.
    pub server: Option<Url>,
}

impl OwnPipeline {
    /// Whether `server` is the server that runs it, by host, port and path.
    #[must_use]
    pub fn runs_on(&self, server: &Url) -> bool {
        let place = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            (
                host,
                url.port_or_known_default(),
                url.path().trim_end_matches('/').to_owned(),
            )
        };
        self.server
            .as_ref()
            .is_some_and(|own| place(own) == place(server))
    }
}

/// The server's name for a workflow that may be given as its file: without folder, extension and
/// leading dot.
#[must_use]
pub fn workflow_name(given: &str) -> Option<String> {
    let file = given.rsplit('/').next().unwrap_or_default();
    let stem = file
        .strip_suffix(".yaml")
        .or_else(|| file.strip_suffix(".yml"))
        .unwrap_or(file);
    let name = stem.trim_start_matches('.');
    (!name.is_empty()).then(|| name.to_owned())
}

/// What is wrong with the names of variables, if anything is.
#[must_use]
pub fn variables_problem(variables: &BTreeMap<String, String>, method: Method) -> Option<String> {
    let is_bad = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
    if let Some(name) = variables.keys().find(is_bad) {
        return Some(format!("{name:?} cannot be the name of a variable"));
    }
    let is_reserved = |name: &&String| RESERVED.contains(&name.as_str());
    let reserved = variables.keys().find(is_reserved)?;
    matches!(method, Method::Restart(_)).then(|| {
        format!("`{reserved}` has another meaning for `method: restart`; rename the variable")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::secret::Secret;

    #[test]
    fn a_path_that_would_lead_elsewhere_is_not_a_repository() {
        for path in ["app", "", "me/", "/app", "me/../../user", "me/.", "0"] {
            assert_eq!(RepositoryName::read(path), None, "{path:?}");
        }
        assert_eq!(RepositoryName::read("7"), Some(RepositoryName::Number(7)));
        assert_eq!(
            RepositoryName::read("group/sub/app"),
            Some(RepositoryName::Path("group/sub/app".into()))
        );
    }

    #[test]
    fn a_workflow_may_be_given_as_its_file() {
        let names = [
            "build",
            "build.yaml",
            ".woodpecker/build.yml",
            ".woodpecker.yml",
        ]
        .map(|given| workflow_name(given).unwrap());
        assert_eq!(names, ["build", "build", "build", "woodpecker"]);
        assert_eq!(workflow_name(".yml"), None);
    }

    #[test]
    fn a_variable_that_would_change_the_restart_itself_is_refused() {
        let variables = BTreeMap::from([("event".to_owned(), "deployment".to_owned())]);
        assert!(variables_problem(&variables, Method::Restart(Restart::Latest)).is_some());
        assert_eq!(variables_problem(&variables, Method::Create), None);
        for name in ["", "a=b", "a\0"] {
            let variables = BTreeMap::from([(name.to_owned(), String::new())]);
            assert!(
                variables_problem(&variables, Method::Create).is_some(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_users_variables_cannot_replace_the_count() {
        let given = [
            ("DEPTH", "full"),
            (COUNT_VARIABLE, "0"),
            (RUN_VARIABLE, "x"),
        ];
        let plan = Plan {
            server: "https://ci.example/wood/".parse().unwrap(),
            token: Token::new(&Secret::new("t0ken")).unwrap(),
            repository: RepositoryName::Number(7),
            branch: None,
            variables: given
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            method: Method::Create,
            workflows: Vec::new(),
            wait: true,
            wait_timeout: Duration::from_secs(60),
            poll_interval: Duration::from_secs(5),
            logs: Logs::Failed,
            log_delay: LOG_DELAY,
            hint_delay: HINT_DELAY,
            stuck_delay: STUCK_DELAY,
            max_rebuilds: 1,
            own: OwnPipeline::default(),
        };
        let variables = plan.variables("abc", 2);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            variables,
            ["DEPTH=full", "PULLPROOF_REBUILD=2", "PULLPROOF_RUN=abc"]
        );
    }
}
