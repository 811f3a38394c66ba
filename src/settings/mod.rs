//! What the user wants: every setting of the contract, read, checked against the others, and typed.

mod arguments;
mod auto_tag;
mod ci;
pub mod documentation;
mod environment;
mod error;
mod files;
mod help;
mod load;
mod logins;
mod network;
mod output;
pub(crate) mod parse;
mod raw;
mod rebuild;
mod suggest;
#[cfg(test)]
pub(crate) mod support;
pub mod table;
mod wanted;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use oci_spec::image::Digest;
use url::Url;

use crate::platform::Platform;

pub use error::Error;
pub use files::Files;
pub use load::{Command, Environment, read, read_output};
pub(crate) use parse::{digest as parse_digest, list as parse_list};
use raw::Value;
pub(crate) use raw::quoted;

/// One of these words in any case, if it was given.
fn words<'a>(value: Option<Value<'_>>, accepted: &[&'a str]) -> Result<Option<&'a str>, Error> {
    let Some(value) = value else { return Ok(None) };
    value
        .read(&format!("one of {}", accepted.join(", ")), |text| {
            accepted.iter().find(|word| word.eq_ignore_ascii_case(text)).copied()
        })
        .map(Some)
}

/// Every setting with its meaning; one part for each room that reads it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `mode`.
    pub mode: Mode,
    /// Which images, and what they should be.
    pub wanted: Wanted,
    /// What the walk follows and how much it minds.
    pub rules: Rules,
    /// How hosts are reached.
    pub network: Network,
    /// Who we are to a registry.
    pub login: Logins,
    /// How long and how often to ask.
    pub patience: Patience,
    /// Where the result goes.
    pub output: Output,
    /// How to start a rebuild.
    pub rebuild: Rebuild,
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Resolve, walk, report.
    Verify,
    /// Start a Woodpecker pipeline and follow it.
    Rebuild,
}

/// The images to verify, as they were named.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `images` and the command line's references.
    pub images: Vec<String>,
    /// `repo`.
    pub repositories: Vec<String>,
    /// The tags for `repo`, after `tags_file`, `.tags` and `auto_tag`.
    pub tags: Vec<String>,
    /// `registry`: prefixes a `repo` without a host.
    pub registry: Option<String>,
    /// `digest`: every image must resolve to it.
    pub digest: Option<Digest>,
    /// The content of `metadata_file`.
    pub metadata: Option<Metadata>,
    /// `same_digest`, when it was given.
    pub same_digest: Option<bool>,
    /// `dry_run`, or what else says that nothing was pushed.
    pub nothing_pushed: Option<NothingPushed>,
}

/// The content of `metadata_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The setting as it was spelled, and the file if it names one; for error messages.
    pub name: String,
    /// The content.
    pub text: String,
}

/// Why there is nothing to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NothingPushed {
    /// `dry_run` says so.
    DryRun,
    /// Something else does: this, as a fragment.
    Because(String),
}

/// What the walk follows and how much it minds.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `platforms`: must be present in every index.
    pub platforms: Vec<Platform>,
    /// `attestations`.
    pub attestations: Concern,
    /// `allow_missing`.
    pub allow_missing: Vec<Platform>,
    /// `referrers`.
    pub referrers: Concern,
    /// `depth`.
    pub depth: Depth,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            platforms: Vec::new(),
            attestations: Concern::Check,
            allow_missing: Vec::new(),
            referrers: Concern::Ignore,
            depth: Depth::Tail,
        }
    }
}

/// How much a kind of node matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// A fault breaks the image.
    Check,
    /// A fault is reported and breaks nothing.
    Warn,
    /// Not asked for.
    Ignore,
}

/// `depth`: what is asked of every blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// `HEAD`.
    Head,
    /// `GET` of the last byte.
    Tail,
    /// `GET` of everything, hashed.
    Full,
}

impl Depth {
    /// The word for it in settings and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Tail => "tail",
            Self::Full => "full",
        }
    }
}

/// How hosts are reached.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `ca`: more root certificates, as PEM text.
    pub ca: Vec<String>,
    /// `skip_tls_verify`.
    pub skip_tls_verify: Hosts,
    /// `insecure`: plain HTTP; loopback is always allowed.
    pub insecure: Hosts,
    /// `resolve`.
    pub resolve: Vec<Pin>,
    /// `request_timeout`: until headers, and between two pieces of a body.
    pub request_timeout: Duration,
    /// `http_proxy`, `HTTP_PROXY`; it may hold a user and a password.
    pub http_proxy: Option<Secret>,
    /// `https_proxy`, `HTTPS_PROXY`; it may hold a user and a password.
    pub https_proxy: Option<Secret>,
    /// `no_proxy`, `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `SSL_CERT_FILE`: instead of the system's roots.
    pub ssl_cert_file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: instead of the system's roots.
    pub ssl_cert_dir: Option<PathBuf>,
}

/// A boolean for all hosts or for some: `skip_tls_verify`, `insecure`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// `false`.
    #[default]
    None,
    /// `true`.
    All,
    /// These, as `host` or `host:port`, in lower case.
    Only(Vec<String>),
}

impl Hosts {
    /// Whether `host` (without brackets for IPv6) at `port` is meant.
    #[must_use]
    pub fn contain(&self, host: &str, port: u16) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(hosts) => hosts.iter().any(|entry| {
                entry.eq_ignore_ascii_case(host)
                    || entry.eq_ignore_ascii_case(&format!("{host}:{port}"))
                    || entry.eq_ignore_ascii_case(&format!("[{host}]"))
                    || entry.eq_ignore_ascii_case(&format!("[{host}]:{port}"))
            }),
        }
    }
}

/// `resolve`: dial `address` for `host:port`, keep the name for TLS and `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where to dial instead.
    pub addresses: Vec<IpAddr>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being printed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for a request's header and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Who we are to a registry.
#[derive(Clone, Default)]
pub struct Logins {
    /// `anonymous`: send no credentials at all.
    pub anonymous: bool,
    /// `username`/`password` for `registry`, then `logins`, in order; the first that matches wins.
    pub given: Vec<Login>,
    /// `docker_config` as text, read from where the user or docker keeps it.
    pub docker_config: Option<String>,
    /// `github_token` with the user it belongs to, for ghcr.io when nothing else matches.
    pub github: Option<Login>,
    /// Whether a GitHub Actions login made by `docker/login-action` may be what the user counts on.
    pub in_github_actions: bool,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins")
            .field("anonymous", &self.anonymous)
            .field("given", &self.given)
            .field("docker_config", &self.docker_config.as_deref().map(Secret::new))
            .field("github", &self.github)
            .field("in_github_actions", &self.in_github_actions)
            .finish()
    }
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The registry as it was written: a host, perhaps with a path.
    pub registry: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Secret,
}

/// How long and how often to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `attempts` per request, at least 1.
    pub attempts: u32,
    /// `backoff`: the first wait.
    pub backoff: Duration,
    /// `max_backoff`: the longest wait of our own; a server's Retry-After may be longer.
    pub max_backoff: Duration,
    /// `settle`: how long from the start of the run a 404 means "not yet".
    pub settle: Duration,
    /// `timeout`: the whole verification.
    pub timeout: Duration,
    /// `concurrency`: requests in flight per registry, at least 1.
    pub concurrency: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            settle: Duration::from_secs(15),
            timeout: Duration::from_secs(600),
            concurrency: 16,
        }
    }
}

/// Where the result goes.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting or a fact of its own")]
#[derive(Clone, Debug)]
pub struct Output {
    /// `report`.
    pub report: Option<PathBuf>,
    /// `junit`.
    pub junit: Option<PathBuf>,
    /// `format`, with `auto` resolved.
    pub format: Format,
    /// `summary`.
    pub summary: bool,
    /// `log_level`.
    pub log_level: log::LevelFilter,
    /// `fail_on: never`.
    pub never_fail: bool,
    /// `on_broken: rebuild`.
    pub rebuild_when_broken: bool,
    /// Whether the text may carry ANSI colours.
    pub colour: bool,
    /// Whether standard error is a terminal, for a progress bar.
    pub terminal: bool,
    /// `GITHUB_OUTPUT`.
    pub github_output: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub github_step_summary: Option<PathBuf>,
}

/// `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// Schema 1.
    Json,
    /// Text with workflow commands.
    Github,
}

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
            (host, url.port_or_known_default(), url.path().trim_end_matches('/').to_owned())
        };
        self.server.as_ref().is_some_and(|own| place(own) == place(server))
    }
}
