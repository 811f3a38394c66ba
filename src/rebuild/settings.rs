//! How to start a rebuild, as the settings say.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use crate::text::secret::Secret;

/// How to start a rebuild. With `mode: rebuild` or `on_broken: rebuild` the server, token and repository are there.
#[derive(Clone)]
pub struct Rebuild {
    /// `woodpecker_url`, else `CI_SYSTEM_URL` inside Woodpecker; may have a path.
    pub server: Option<Url>,
    /// `woodpecker_token`.
    pub token: Option<Secret>,
    /// `woodpecker_repo`, else the repository the pipeline runs for.
    pub repository: Option<RepositoryName>,
    /// `branch`, else `@branch` of `woodpecker_repo`; `None` is the default branch.
    pub branch: Option<String>,
    /// `variables`; their values may be secret.
    pub variables: BTreeMap<String, String>,
    /// `method` and `pipeline`.
    pub method: Method,
    /// `workflow`: whose state decides; empty is the whole pipeline.
    pub workflows: Vec<String>,
    /// `wait`.
    pub wait: bool,
    /// `wait_timeout`.
    pub wait_timeout: Duration,
    /// `poll_interval`.
    pub poll_interval: Duration,
    /// `logs`.
    pub logs: Logs,
    /// `max_rebuilds`.
    pub max_rebuilds: u32,
    /// What the pipeline we run in says of itself, for the loop guard.
    pub own: OwnPipeline,
}

impl std::fmt::Debug for Rebuild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rebuild")
            .field("server", &self.server.as_ref().map(Url::as_str))
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
            .field("max_rebuilds", &self.max_rebuilds)
            .field("own", &self.own)
            .finish()
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
