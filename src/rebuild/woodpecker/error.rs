//! Why a request to the Woodpecker server failed.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::answer::Answer;
use crate::http::Problem;

/// What a request is for; fits after "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Find `owner/name`, or a number, among the server's repositories.
    Repository(String),
    /// Read one pipeline of a repository.
    Pipeline(u64),
    /// Find the newest pipeline of a branch.
    Latest(String),
    /// List a repository's pipelines.
    Pipelines,
    /// Start a manual pipeline on a branch.
    Create(String),
    /// Start a pipeline again.
    Restart(u64),
    /// Read a step's log.
    Log(String),
    /// End a pipeline that was never put together.
    Cancel(u64),
    /// Ask whose token it is.
    Token,
    /// Ask which agents there are and what they do.
    Queue,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(name) => write!(f, "find the repository {name}"),
            Self::Pipeline(number) => write!(f, "read pipeline #{number}"),
            Self::Latest(branch) => write!(f, "find the newest pipeline of the branch {branch}"),
            Self::Pipelines => f.write_str("list the pipelines"),
            Self::Create(branch) => write!(f, "start a pipeline on the branch {branch}"),
            Self::Restart(number) => write!(f, "restart pipeline #{number}"),
            Self::Log(step) => write!(f, "read the log of the step {step}"),
            Self::Cancel(number) => write!(f, "cancel pipeline #{number}"),
            Self::Token => f.write_str("try woodpecker_token"),
            Self::Queue => f.write_str("read the server's queue"),
        }
    }
}

/// Whether there may be a pipeline after a request to start one has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// There is none.
    Nothing,
    /// If there is one, the list has it.
    Settled,
    /// There may be one, or be one soon.
    Open,
}

/// A server as messages name it: the address that the settings give, without the last slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerName(Box<str>);

impl From<&Url> for ServerName {
    fn from(server: &Url) -> Self {
        Self(server.as_str().trim_end_matches('/').into())
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a request to the server failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiError {
    /// 401.
    #[error("failed to {task}: {server} does not accept the token (401)")]
    Unauthorized {
        /// What was asked for.
        task: Task,
        /// The server.
        server: ServerName,
    },
    /// 403: Woodpecker itself does not answer so when a right is missing, but a proxy may.
    #[error("failed to {task}: forbidden by {server} (403){}", behind_colon(text))]
    Forbidden {
        /// What was asked for.
        task: Task,
        /// The server.
        server: ServerName,
        /// The server's words.
        text: String,
    },
    /// 404: also the answer to everything that the token may not see or do.
    #[error("failed to {task}: not found (404){}", behind_colon(text))]
    NotFound {
        /// What was asked for.
        task: Task,
        /// The server's words.
        text: String,
    },
    /// The repository is known and switched off.
    #[error("failed to start a pipeline: the repository {name} is not active on the server")]
    Inactive {
        /// `owner/name`.
        name: String,
    },
    /// 204 with `Pipeline-Filtered`.
    #[error(
        "no workflow on the branch {branch} accepts the event `manual` (204, filtered): no \
         pipeline was started"
    )]
    Filtered {
        /// The branch.
        branch: String,
        /// Whether the server is the one version that does not show variables to `evaluate`.
        variables_unseen: bool,
    },
    /// 204 without that header, or `null` before 3.14.
    #[error(
        "the server could not load the pipeline's configuration (empty answer): no pipeline was \
         started"
    )]
    NotLoaded,
    /// A page instead of data.
    #[error("failed to {task}: the answer ({status}) is a web page, not Woodpecker's API")]
    WebPage {
        /// What was asked for.
        task: Task,
        /// The status it came with.
        status: u16,
        /// The address that was taken for a Woodpecker server.
        server: ServerName,
    },
    /// 3xx.
    #[error(
        "failed to {task}: refused to follow a redirect ({status}), because the token must not be \
         sent elsewhere"
    )]
    Redirected {
        /// What was asked for.
        task: Task,
        /// The status.
        status: u16,
        /// The address to use instead, if the redirect names one.
        server: Option<String>,
    },
    /// 5xx and 429.
    #[error("failed to {task}: {server} answered {status}{}", behind_colon(text))]
    Server {
        /// What was asked for.
        task: Task,
        /// The server.
        server: ServerName,
        /// The status.
        status: u16,
        /// The server's words; Woodpecker itself has none.
        text: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Any other status.
    #[error(
        "failed to {task}: the server refused ({status}){}",
        behind_colon(text)
    )]
    Refused {
        /// What was asked for.
        task: Task,
        /// The status.
        status: u16,
        /// The server's words.
        text: String,
    },
    /// A success that is not what was asked for.
    #[error("failed to {task}: the answer could not be understood: {detail}")]
    Unreadable {
        /// What was asked for.
        task: Task,
        /// What is wrong with it.
        detail: String,
    },
    /// There was no connection: the server has not seen the request.
    #[error("failed to {task}: {server} could not be reached: {detail}")]
    Unreachable {
        /// What was asked for.
        task: Task,
        /// The server.
        server: ServerName,
        /// Why.
        detail: String,
    },
    /// The answer did not come, or not whole: the server may have acted on the request.
    #[error("failed to {task}: the answer of {server} was lost: {detail}")]
    Lost {
        /// What was asked for.
        task: Task,
        /// The server.
        server: ServerName,
        /// Why.
        detail: String,
    },
}

impl ApiError {
    /// The meaning of an answer that is not a success with the data that was asked for.
    pub(super) fn from_answer(task: Task, answer: &Answer, server: &Url) -> Self {
        let status = answer.status();
        let text = answer.text();
        match status {
            401 => Self::Unauthorized {
                task,
                server: server.into(),
            },
            403 => Self::Forbidden {
                task,
                server: server.into(),
                text,
            },
            404 if !answer.is_html() => Self::NotFound { task, text },
            300..=399 => {
                let server = answer
                    .location()
                    .and_then(|location| redirected_server(server, location))
                    .map(String::from);
                Self::Redirected {
                    task,
                    status,
                    server,
                }
            }
            408 | 429 | 500..=599 => Self::Server {
                task,
                server: server.into(),
                status,
                text,
                retry_after: answer.retry_after(),
            },
            _ if answer.is_html() => Self::WebPage {
                task,
                status,
                server: server.into(),
            },
            200..=299 if answer.body.trim_ascii().is_empty() => Self::Unreadable {
                task,
                detail: format!("empty ({status})"),
            },
            200..=299 => Self::Unreadable {
                task,
                detail: format!("not the expected JSON ({status})"),
            },
            _ => Self::Refused { task, status, text },
        }
    }

    pub(super) fn from_problem(task: Task, problem: Problem, server: &Url) -> Self {
        let (server, detail) = (server.into(), problem.text);
        if problem.unsent {
            Self::Unreachable {
                task,
                server,
                detail,
            }
        } else {
            Self::Lost {
                task,
                server,
                detail,
            }
        }
    }

    /// Whether asking again later may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Server { .. }
                | Self::Unreadable { .. }
                | Self::Unreachable { .. }
                | Self::Lost { .. }
        )
    }

    /// What it says, after a request to start a pipeline, about whether there is one.
    #[must_use]
    pub fn aftermath(&self) -> Aftermath {
        match self {
            // Woodpecker's own answer when it gives up, which it may do with the pipeline noted
            // already.
            Self::NotLoaded | Self::Server { status: 500, .. } => Aftermath::Settled,
            // A proxy's 502, 503 and 504 say nothing about what the server behind it does.
            Self::Server { .. } | Self::Unreadable { .. } | Self::Lost { .. } => Aftermath::Open,
            _ => Aftermath::Nothing,
        }
    }

    /// How long the server asks to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn behind_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// The server's address behind a redirect of one of its API's addresses: nothing of the path below
/// `/api` and nothing of the query, where variables stand.
fn redirected_server(server: &Url, location: &str) -> Option<Url> {
    let mut target = server.join(location).ok().filter(Url::has_host)?;
    let path = target.path().to_owned();
    let end = path
        .rfind("/api/")
        .or_else(|| path.strip_suffix("/version").map(str::len))?;
    target.set_path(&path[..end]);
    target.set_query(None);
    target.set_fragment(None);
    target.set_username("").ok()?;
    target.set_password(None).ok()?;
    (target.as_str() != server.as_str()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_shown_as_the_servers_address_alone() {
        let of = |server: &str, location: &str| {
            redirected_server(&server.parse().unwrap(), location).map(|url| url.to_string())
        };
        let moved = of(
            "http://ci.example",
            "https://ci.example/api/repos/1/pipelines?branch=main",
        );
        assert_eq!(moved.as_deref(), Some("https://ci.example/"));
        let moved = of(
            "http://ci.example/wood",
            "https://me:pw@ci.example/wood/api/repos/lookup/a/b#x",
        );
        assert_eq!(moved.as_deref(), Some("https://ci.example/wood"));
        assert_eq!(
            of("http://ci.example", "https://login.example/start?rd=x"),
            None
        );
        assert_eq!(of("http://ci.example", "//"), None);
    }
}
