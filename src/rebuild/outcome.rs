//! How a rebuild ended, or why none was started, for people and for the report.

use std::fmt;
use std::time::Duration;

use super::guard::Loop;
use super::notice::in_words;
use super::waiting::Waiting;
use super::woodpecker::{About, ApiError, Objection};
use crate::report::PipelineSummary;

/// A rebuild that was started.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The pipeline, with the status that decided.
    pub pipeline: PipelineSummary,
    /// From its start, as far as we saw, to the last look at it.
    pub duration: Duration,
    /// How it ended.
    pub ending: Ending,
    /// What the server objects to in it and in its workflows, as it came: untrusted text.
    pub problems: Vec<String>,
    /// The ends of steps' logs, as they came: untrusted text.
    pub logs: Vec<StepLog>,
    /// How many more steps' logs were asked for than are shown.
    pub logs_left_out: usize,
    /// What it waits for, when no agent has taken it.
    pub waiting: Option<Waiting>,
}

/// How following a pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It succeeded (exit 0).
    Succeeded,
    /// It ended without success (exit 6).
    Failed,
    /// It was still running at `wait_timeout` (exit 7).
    StillRunning,
    /// The server no longer shows it (exit 4).
    OutOfSight,
    /// `wait: false` (exit 0).
    NotAwaited,
    /// A signal came: the pipeline keeps running (exit 130 or 143).
    Interrupted,
}

impl Rebuilt {
    /// What a person can do about it: an id that stays the same, and the advice.
    #[must_use]
    pub fn hint(&self) -> Option<(&'static str, String)> {
        let waiting = self.waiting.as_ref()?;
        let text = format!(
            "no agent took the pipeline: {waiting}; {}",
            waiting.advice()
        );
        Some(("no-free-agent", text))
    }
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PipelineSummary { number, status, .. } = &self.pipeline;
        let after = in_words(self.duration);
        match self.ending {
            Ending::Succeeded => write!(f, "pipeline #{number} succeeded after {after}"),
            Ending::Failed => write!(f, "pipeline #{number} ended with {status} after {after}"),
            Ending::StillRunning => write!(
                f,
                "pipeline #{number} is still {status} after {after} (wait_timeout)"
            ),
            Ending::OutOfSight => write!(
                f,
                "pipeline #{number} can no longer be read; it was {status} after {after}"
            ),
            Ending::NotAwaited => write!(
                f,
                "pipeline #{number} was started, and its end is not awaited"
            ),
            Ending::Interrupted => write!(f, "pipeline #{number} ({status}) keeps running"),
        }
    }
}

/// The end of a step's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLog {
    /// The step's workflow.
    pub workflow: String,
    /// The step.
    pub step: String,
    /// Its state.
    pub state: String,
    /// The exit code of its process; `None` when the server has an error instead, which is among
    /// the problems.
    pub exit_code: Option<i64>,
    /// The last lines, or why there are none.
    pub lines: Result<Vec<String>, String>,
}

/// Why no rebuild was started (exit 5).
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotStarted {
    /// The server's answer.
    #[error(transparent)]
    Server(#[from] ApiError),
    /// It would exceed `max_rebuilds`.
    #[error(transparent)]
    Loop(#[from] Loop),
    /// There is no branch to start a pipeline on.
    #[error("failed to start a pipeline: the server names no default branch for {0}")]
    NoBranch(String),
    /// The pipeline was `error` from the start.
    #[error("pipeline #{} was not started: {}", pipeline.number, in_a_line(objections))]
    Rejected {
        /// The pipeline as the server keeps it.
        pipeline: PipelineSummary,
        /// What the server objects to.
        objections: Vec<Objection>,
    },
    /// The pipeline to restart waits for approval, or was declined.
    #[error("failed to restart pipeline #{}: {}", .0.number, unapproved(&.0.status))]
    Unapproved(PipelineSummary),
    /// The server never put the pipeline together.
    #[error("pipeline #{} never began: it had no workflows after {}, and {}", pipeline.number,
            in_words(*after), removed(kept.as_deref()))]
    Stuck {
        /// The pipeline, dead.
        pipeline: PipelineSummary,
        /// How long it was watched.
        after: Duration,
        /// Why the server did not cancel it, if it did not.
        kept: Option<Box<ApiError>>,
    },
    /// There is a pipeline without the workflow that should decide.
    #[error(
        "pipeline #{} has no workflow {}: it has {}",
        pipeline.number, missing.join(", "), listed(present)
    )]
    NoSuchWorkflow {
        /// The pipeline, which goes on.
        pipeline: PipelineSummary,
        /// The names that were asked for and are not in it.
        missing: Vec<String>,
        /// The names that are in it.
        present: Vec<String>,
    },
    /// The answer was lost, and the server does not say whether it started a pipeline.
    #[error("{error}; it is unknown whether a pipeline was started")]
    Unknown {
        /// What happened to the request.
        error: Box<ApiError>,
        /// The variable that our pipeline would have, as `NAME=value`; none for a restart.
        mark: Option<String>,
        /// Where a person can look.
        page: String,
    },
    /// The server did not finish its answer in time.
    #[error(
        "the server did not finish its answer within {} s (wait_timeout and two request timeouts)",
        .0.as_secs()
    )]
    TooSlow(Duration),
    /// A signal came before there was an answer (exit 130 or 143).
    #[error("interrupted before a pipeline was seen to start")]
    Interrupted,
}

impl NotStarted {
    /// What a person can do about it: an id that stays the same, and the advice.
    #[must_use]
    pub fn hint(&self) -> Option<(&'static str, String)> {
        let (id, text) = match self {
            Self::Server(error) => return error.hint(),
            Self::Loop(refused) => {
                let (id, text) = refused.hint();
                (id, text.to_owned())
            }
            Self::NoBranch(_) => ("no-default-branch", "set `branch`".to_owned()),
            Self::Rejected { objections, .. } => ("secret-for-event", secret_hint(objections)?),
            Self::NoSuchWorkflow { .. } => (
                "no-such-workflow",
                "`workflow` is the name of a file without its extension; a workflow whose `when` \
                 does not match this pipeline is not in it"
                    .to_owned(),
            ),
            Self::Unapproved(pipeline) => ("restart-unapproved", unapproved_hint(pipeline)),
            Self::Stuck { pipeline, kept, .. } => {
                ("pipeline-stuck", stuck_hint(&pipeline.url, kept.is_some()))
            }
            Self::Unknown { mark, page, .. } => {
                ("rebuild-unknown", where_to_look(mark.as_deref(), page))
            }
            Self::TooSlow(_) | Self::Interrupted => (
                "rebuild-unknown",
                "a request may have been under way: look at the newest pipelines".to_owned(),
            ),
        };
        Some((id, text))
    }

    /// The pipeline that the server keeps all the same, for the report.
    #[must_use]
    pub fn pipeline(&self) -> Option<&PipelineSummary> {
        match self {
            Self::Rejected { pipeline, .. }
            | Self::Stuck { pipeline, .. }
            | Self::NoSuchWorkflow { pipeline, .. } => Some(pipeline),
            _ => None,
        }
    }
}

fn secret_hint(objections: &[Objection]) -> Option<String> {
    let manual = objections.iter().find_map(|one| match one.about() {
        About::SecretForEvent { manual } => Some(manual),
        About::Other => None,
    })?;
    let event = if manual { " `manual`" } else { "" };
    Some(format!(
        "allow the event{event} for this secret (settings, Secrets; it is not among the default \
         events), or use `method: restart`, which keeps the event of the pipeline that is restarted"
    ))
}

/// Why a pipeline with this status is not restarted.
fn unapproved(status: &str) -> &'static str {
    if status == "declined" {
        "a person declined it, and a restart would run it all the same"
    } else {
        "it is blocked until a person approves it"
    }
}

fn unapproved_hint(PipelineSummary { status, url, .. }: &PipelineSummary) -> String {
    if status == "declined" {
        format!(
            "a declined pipeline cannot be approved any more: name another one by its number, or \
             push again and approve that; who declined it stands on {url}"
        )
    } else {
        format!("approve it on {url}")
    }
}

fn removed(kept: Option<&ApiError>) -> String {
    match kept {
        None => "was canceled".to_owned(),
        Some(error) => format!("could not be canceled ({error})"),
    }
}

fn stuck_hint(page: &str, is_kept: bool) -> String {
    let mut hint = "start it again: most likely the server died while it created the pipeline, \
                    which it does not take up again"
        .to_owned();
    if is_kept {
        hint.push_str("; an administrator of the repository can delete the dead one on ");
        hint.push_str(page);
    }
    hint
}

fn where_to_look(mark: Option<&str>, page: &str) -> String {
    match mark {
        Some(mark) => {
            format!("look for the newest manual pipeline, with the variable {mark}, on {page}")
        }
        None => format!("look at the newest pipelines on {page}"),
    }
}

fn in_a_line(objections: &[Objection]) -> String {
    if objections.is_empty() {
        return "the server reports `error` without a reason".to_owned();
    }
    let messages: Vec<&str> = objections.iter().map(|one| &*one.message).collect();
    messages.join("; ")
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rebuild::woodpecker::Task;

    fn rejected(message: &str) -> NotStarted {
        NotStarted::Rejected {
            pipeline: PipelineSummary {
                number: 12,
                url: String::new(),
                status: "error".to_owned(),
            },
            objections: vec![Objection {
                message: message.to_owned(),
                is_warning: false,
            }],
        }
    }

    #[test]
    fn only_a_secret_refused_for_its_event_gets_the_secrets_hint() {
        let hint = |message: &str| rejected(message).hint();
        let refused = r#"secret "token" is not allowed to be used with pipeline event "manual""#;
        let (id, text) = hint(refused).unwrap();
        assert_eq!(id, "secret-for-event");
        assert!(text.contains("allow the event `manual`"), "{text}");
        assert_eq!(hint(r#"secret "token" not found"#), None);
        assert_eq!(hint("image or plugin missing"), None);
    }

    #[test]
    fn a_pipeline_that_never_began_says_how_long_it_had_and_what_became_of_it() {
        let stuck = |kept: Option<ApiError>| NotStarted::Stuck {
            pipeline: PipelineSummary {
                number: 12,
                url: "https://ci.example/repos/7/pipeline/12".to_owned(),
                status: "created".to_owned(),
            },
            after: Duration::from_secs(120),
            kept: kept.map(Box::new),
        };
        assert_eq!(
            stuck(None).to_string(),
            "pipeline #12 never began: it had no workflows after 2m00s, and was canceled"
        );
        let refused = stuck(Some(ApiError::Refused {
            task: Task::Cancel(12),
            status: 400,
            text: "Cannot cancel".to_owned(),
        }));
        assert_eq!(
            refused.to_string(),
            "pipeline #12 never began: it had no workflows after 2m00s, and could not be canceled \
             (failed to cancel pipeline #12: the server refused (400): Cannot cancel)"
        );
    }

    #[test]
    fn every_hint_has_an_id_in_kebab_case() {
        let task = || Task::Restart(7);
        let address: url::Url = "https://ci.example/".parse().unwrap();
        let pipeline = |status: &str| PipelineSummary {
            number: 12,
            url: "https://ci.example/repos/7/pipeline/12".to_owned(),
            status: status.to_owned(),
        };
        let unknown = |mark: Option<&str>| NotStarted::Unknown {
            error: Box::new(ApiError::NotLoaded),
            mark: mark.map(str::to_owned),
            page: String::new(),
        };
        let server = |error: ApiError| NotStarted::Server(error);
        let reasons = [
            server(ApiError::Unauthorized {
                task: task(),
                server: (&address).into(),
            }),
            server(ApiError::NotLoaded),
            server(ApiError::Filtered {
                branch: "main".into(),
                variables_unseen: true,
            }),
            server(ApiError::Redirected {
                task: task(),
                status: 301,
                server: None,
            }),
            server(ApiError::Unreachable {
                task: task(),
                server: (&address).into(),
                detail: String::new(),
            }),
            NotStarted::Unapproved(pipeline("blocked")),
            NotStarted::Unapproved(pipeline("declined")),
            NotStarted::Stuck {
                pipeline: pipeline("canceled"),
                after: Duration::from_secs(120),
                kept: None,
            },
            NotStarted::Loop(Loop::Exhausted { count: 1, max: 1 }),
            NotStarted::Loop(Loop::Uncounted),
            NotStarted::NoBranch("me/app".into()),
            rejected("secret, event"),
            unknown(None),
            unknown(Some("A=b")),
            NotStarted::TooSlow(Duration::ZERO),
        ];
        for reason in reasons {
            let (id, text) = reason.hint().unwrap_or_else(|| panic!("no hint: {reason}"));
            let is_kebab = id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            assert!(
                is_kebab && !id.is_empty() && !text.is_empty(),
                "{id}: {text}"
            );
        }
    }

    /// The ids in a source: texts of small letters with hyphens, in front of a comma.
    fn ids(source: &'static str) -> impl Iterator<Item = &'static str> {
        let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
        let texts = code.split('"').skip(1).step_by(2);
        let is_id = |text: &&str| {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            text.contains('-') && text.bytes().all(letters)
        };
        texts.filter(is_id)
    }

    #[test]
    fn every_hint_heads_an_entry_on_the_troubleshooting_page() {
        let page = include_str!("../../docs/troubleshooting.md");
        let (_, rebuilds) = page.split_once("\n## Rebuilds\n").unwrap();
        let (rebuilds, _) = rebuilds.split_once("\n## ").unwrap();
        let headings = rebuilds
            .lines()
            .filter_map(|line| line.strip_prefix("### "));
        let sources = [
            include_str!("outcome.rs"),
            include_str!("guard.rs"),
            include_str!("woodpecker/hint.rs"),
        ];
        let ids: BTreeSet<&str> = sources.into_iter().flat_map(ids).collect();
        assert!(ids.len() > 15, "{ids:?}");
        assert_eq!(ids, headings.collect());
    }
}
