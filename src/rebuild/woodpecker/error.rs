//! What the Woodpecker server's answers mean when they are not the one that was hoped for, and what a person can do.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::exchange::{Answer, Fault};
use crate::report;

/// What a request was for; fits after "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
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
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(name) => write!(f, "find the repository {name}"),
            Self::Pipeline(number) => write!(f, "read pipeline #{number}"),
            Self::Latest(branch) => write!(f, "find the newest pipeline of the branch {branch}"),
            Self::Pipelines => f.write_str("list the pipelines"),
            Self::Create(branch) => write!(f, "start a pipeline on the branch {branch}"),
            Self::Restart(number) => write!(f, "restart pipeline #{number}"),
            Self::Log(step) => write!(f, "read the log of the step {step}"),
        }
    }
}

/// Why the server did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// 401.
    #[error("failed to {asked}: the server does not accept the token (401)")]
    Unauthorized {
        /// What was asked.
        asked: Asked,
    },
    /// 403: not Woodpecker's own way of refusing a missing right, so perhaps a proxy's.
    #[error("failed to {asked}: forbidden (403){}", behind_colon(text))]
    Forbidden {
        /// What was asked.
        asked: Asked,
        /// The server's words.
        text: String,
    },
    /// 404: the answer to everything that the token may not see or do, too.
    #[error("failed to {asked}: not found (404){}", behind_colon(text))]
    NotFound {
        /// What was asked.
        asked: Asked,
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
        "no workflow on the branch {branch} accepts the event `manual` (204, filtered): no pipeline was started"
    )]
    Filtered {
        /// The branch.
        branch: String,
        /// Whether the server is the one version that does not show variables to `evaluate`.
        variables_unseen: bool,
    },
    /// 204 without that header, or `null` before 3.14.
    #[error(
        "the server could not load the pipeline's configuration (empty answer): no pipeline was started"
    )]
    NotLoaded,
    /// A pipeline that was `error` from the start.
    #[error("pipeline #{} was not started: {}", pipeline.number, objections(problems))]
    Rejected {
        /// The pipeline as the server keeps it.
        pipeline: report::Pipeline,
        /// What the server objects to.
        problems: Vec<String>,
    },
    /// A page instead of data.
    #[error("failed to {asked}: the answer ({status}) is a web page, not Woodpecker's API")]
    WebPage {
        /// What was asked.
        asked: Asked,
        /// The status it came with.
        status: u16,
        /// The address that was taken for a Woodpecker server.
        server: String,
    },
    /// 3xx.
    #[error(
        "failed to {asked}: refused to follow a redirect ({status}), because the token must not go elsewhere"
    )]
    Redirected {
        /// What was asked.
        asked: Asked,
        /// The status.
        status: u16,
        /// The address to use instead, if the redirect names one.
        server: Option<String>,
    },
    /// 5xx and 429.
    #[error(
        "failed to {asked}: the server failed ({status}){}",
        behind_colon(text)
    )]
    Server {
        /// What was asked.
        asked: Asked,
        /// The status.
        status: u16,
        /// The server's words; Woodpecker itself has none.
        text: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// Any other status.
    #[error(
        "failed to {asked}: the server refused ({status}){}",
        behind_colon(text)
    )]
    Refused {
        /// What was asked.
        asked: Asked,
        /// The status.
        status: u16,
        /// The server's words.
        text: String,
    },
    /// A success that is not what was asked for.
    #[error("failed to {asked}: the answer could not be understood: {detail}")]
    Unreadable {
        /// What was asked.
        asked: Asked,
        /// What is wrong with it.
        detail: String,
    },
    /// There was no connection: the server has not seen the request.
    #[error("failed to {asked}: the server could not be reached: {detail}")]
    Unreachable {
        /// What was asked.
        asked: Asked,
        /// Why.
        detail: String,
    },
    /// The answer did not come, or not whole: the server may have acted on the request.
    #[error("failed to {asked}: the answer was lost: {detail}")]
    Lost {
        /// What was asked.
        asked: Asked,
        /// Why.
        detail: String,
    },
}

impl Error {
    /// The meaning of an answer that is not a success with the data that was asked for.
    pub(super) fn from_answer(asked: Asked, answer: &Answer, server: &Url) -> Self {
        let status = answer.status.as_u16();
        let text = answer.text();
        match status {
            401 => Self::Unauthorized { asked },
            403 => Self::Forbidden { asked, text },
            404 if !answer.is_html() => Self::NotFound { asked, text },
            300..=399 => {
                let server = answer
                    .location()
                    .and_then(|location| redirected_server(server, location))
                    .map(String::from);
                Self::Redirected {
                    asked,
                    status,
                    server,
                }
            }
            408 | 429 | 500..=599 => Self::Server {
                asked,
                status,
                text,
                retry_after: answer.retry_after(),
            },
            _ if answer.is_html() => Self::WebPage {
                asked,
                status,
                server: server.to_string(),
            },
            200..=299 if answer.body.trim_ascii().is_empty() => Self::Unreadable {
                asked,
                detail: format!("empty ({status})"),
            },
            200..=299 => Self::Unreadable {
                asked,
                detail: format!("not the expected JSON ({status})"),
            },
            _ => Self::Refused {
                asked,
                status,
                text,
            },
        }
    }

    pub(super) fn from_fault(asked: Asked, fault: Fault) -> Self {
        match fault {
            Fault::Unsent(detail) => Self::Unreachable { asked, detail },
            Fault::Lost(detail) => Self::Lost { asked, detail },
            Fault::TooLong(limit) => Self::Unreadable {
                asked,
                detail: format!("it is longer than {limit} bytes"),
            },
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

    /// Whether, after a request to start a pipeline, there may be one all the same.
    ///
    /// A proxy's 502, 503 and 504 say nothing about what the server behind it did.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Server { status, .. } => *status != 500,
            Self::Unreadable { .. } | Self::Unreachable { .. } | Self::Lost { .. } => true,
            _ => false,
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

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unauthorized { .. } => {
                "woodpecker_token must be a personal access token of this server (user settings, tab CLI & API), whole \
                 and not revoked"
                    .to_owned()
            }
            Self::Forbidden { .. } => {
                "Woodpecker itself answers 404 when a right is missing: look at the proxy before it".to_owned()
            }
            Self::NotFound { asked, .. } => match asked {
                Asked::Latest(_) => {
                    "`pipeline: latest` is the newest that a push started, and where there is none, the newest of any \
                     other event but a pull request's; name one by its number instead"
                        .to_owned()
                }
                Asked::Pipeline(_) | Asked::Pipelines | Asked::Log(_) => {
                    "check the number; Woodpecker says 404, too, when the token's owner may not read the repository"
                        .to_owned()
                }
                Asked::Repository(_) | Asked::Create(_) | Asked::Restart(_) => {
                    "check the name or number (Woodpecker's, not the forge's), that the repository is activated in \
                     Woodpecker, and that the token's owner may push to it: the server says 404 in all three cases"
                        .to_owned()
                }
            },
            Self::Inactive { .. } => "activate it: Woodpecker, Repositories, Add repository".to_owned(),
            Self::Filtered { branch, variables_unseen } => filtered_hint(branch, *variables_unseen),
            Self::NotLoaded => {
                "look for a workflow file with a syntax error, and whether the server may still read the repository: \
                 the access of the user who activated it may have expired (repository settings, Repair)"
                    .to_owned()
            }
            Self::Rejected { problems, .. } => return rejected_hint(problems),
            Self::WebPage { server, .. } => format!(
                "woodpecker_url is {server}: it must be the address of the server's start page, with the path if it \
                 has one (https://ci.example/woodpecker), and without /api, /repos or a repository's name"
            ),
            Self::Redirected { server: Some(server), .. } => format!("set woodpecker_url to {server}"),
            Self::Redirected { server: None, .. } => {
                "set woodpecker_url to the address that a browser ends up at; often it only lacks https".to_owned()
            }
            Self::Server { asked: Asked::Create(branch), status: 500, .. } => format!(
                "Woodpecker answers 500 when it cannot read the branch from the forge: check that {branch} exists, and \
                 that the access of the user who activated the repository has not expired (log in to Woodpecker again)"
            ),
            Self::Server { asked: Asked::Restart(_), status: 500, .. } => {
                "Woodpecker answers 500 when the stored configuration cannot be compiled any more: look at the newest \
                 pipeline's errors on its page, or start a new pipeline with `method: create`"
                    .to_owned()
            }
            Self::Unreachable { .. } => "check woodpecker_url, and `resolve`, `ca` and the proxy settings".to_owned(),
            Self::Server { .. } | Self::Refused { .. } | Self::Unreadable { .. } | Self::Lost { .. } => return None,
        };
        Some(hint)
    }
}

fn filtered_hint(branch: &str, variables_unseen: bool) -> String {
    let mut hint = format!(
        "add to a workflow on {branch}: `when: [{{event: manual}}]`; and if it has `evaluate`, `branch` or `path`, \
         see that they hold for this pipeline and stand in the same list item. The server answers the same when there \
         is no workflow file on that branch at all"
    );
    if variables_unseen {
        hint.push_str("; ");
        hint.push_str(VARIABLES_UNSEEN);
    }
    hint
}

/// What is wrong with server 3.18.0.
pub(crate) const VARIABLES_UNSEEN: &str = "server version 3.18.0 does not show `variables` to `when: evaluate` nor in ${…} \
     (woodpecker#7073, fixed by #7077): update the server, or use `method: restart`";

fn rejected_hint(problems: &[String]) -> Option<String> {
    let problem = problems
        .iter()
        .find(|problem| problem.contains("secret") && problem.contains("event"))?;
    let manual = if problem.contains("manual") {
        " `manual`"
    } else {
        ""
    };
    Some(format!(
        "allow the event{manual} for this secret (settings, Secrets; it is not among the usual events), or use \
         `method: restart`, which keeps the event of the pipeline that is restarted"
    ))
}

fn objections(problems: &[String]) -> String {
    if problems.is_empty() {
        "the server calls it `error` and gives no reason".to_owned()
    } else {
        problems.join("; ")
    }
}

fn behind_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// The server's address behind a redirect of one of its API's addresses: nothing of the path below `/api` and nothing of
/// the query, where variables stand.
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
    fn a_redirect_is_told_as_the_servers_address_alone() {
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

    #[test]
    fn only_a_secrets_event_gets_the_secrets_hint() {
        let hint = |problem: &str| rejected_hint(&[problem.to_owned()]);
        let allowed = r#"secret "token" is not allowed to be used with pipeline event "manual""#;
        assert!(hint(allowed).unwrap().contains("allow the event `manual`"));
        assert_eq!(hint(r#"secret "token" not found"#), None);
        assert_eq!(hint("image or plugin missing"), None);
    }
}
