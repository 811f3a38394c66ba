//! The effects of a rebuild: start one pipeline, follow it to its end, fetch what its failing steps said.

pub mod decision;
mod evidence;
mod follow;
pub mod guard;
mod notice;
pub mod plan;
pub mod settings;
mod start;
pub mod woodpecker;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::Instant;

pub use self::notice::Notice;
use crate::http::patience::Patience;
use crate::rebuild::guard::Loop;
use crate::rebuild::plan::Plan;
use crate::rebuild::woodpecker::{Client, Pipeline};
use crate::report;

/// A rebuild that was started.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    /// The pipeline, with the status that decided.
    pub pipeline: report::Pipeline,
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
}

/// How following a pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is green (exit 0).
    Succeeded,
    /// It is over and not green (exit 6).
    Failed,
    /// It was still running at `wait_timeout` (exit 7).
    StillRunning,
    /// The server does not let us see it any more (exit 4).
    OutOfSight,
    /// `wait: false` (exit 0).
    NotAwaited,
    /// `stop` fired: the pipeline goes on without us (exit 130 or 143).
    Interrupted,
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report::Pipeline { number, status, .. } = &self.pipeline;
        let after = notice::in_words(self.duration);
        match self.ending {
            Ending::Succeeded => write!(f, "pipeline #{number} succeeded after {after}"),
            Ending::Failed => write!(f, "pipeline #{number} ended with {status} after {after}"),
            Ending::StillRunning => write!(
                f,
                "pipeline #{number} is still {status} after {after} (wait_timeout)"
            ),
            Ending::OutOfSight => {
                write!(
                    f,
                    "pipeline #{number} cannot be read any more; it was {status} after {after}"
                )
            }
            Ending::NotAwaited => write!(f, "pipeline #{number} was started and is not waited for"),
            Ending::Interrupted => write!(f, "pipeline #{number} ({status}) goes on without us"),
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
    /// The exit code of its process; `None` when the server has an error instead, which is among the problems.
    pub exit_code: Option<i64>,
    /// The last lines, or why there are none.
    pub lines: Result<Vec<String>, String>,
}

/// Why no rebuild was started (exit 5).
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotStarted {
    /// The server's answer.
    #[error(transparent)]
    Server(#[from] woodpecker::Error),
    /// It would be one rebuild too many.
    #[error(transparent)]
    Loop(#[from] Loop),
    /// There is no branch to start a pipeline on.
    #[error("failed to start a pipeline: the server names no default branch for {0}")]
    NoBranch(String),
    /// There is a pipeline without the workflow that should decide.
    #[error("pipeline #{} has no workflow {}: it has {}", pipeline.number, missing.join(", "), listed(present))]
    NoSuchWorkflow {
        /// The pipeline, which goes on.
        pipeline: report::Pipeline,
        /// The names that were asked for and are not in it.
        missing: Vec<String>,
        /// The names that are in it.
        present: Vec<String>,
    },
    /// The answer was lost, and whether a pipeline was started could not be found out.
    #[error("{error}; whether a pipeline was started could not be found out")]
    Unknown {
        /// What happened to the request.
        error: Box<woodpecker::Error>,
        /// The variable that our pipeline would have, as `NAME=value`; none for a restart.
        mark: Option<String>,
        /// Where a person can look.
        page: String,
    },
    /// The server did not answer to the end in all that time.
    #[error("the server did not answer to the end within {} s (wait_timeout and some more)", .0.as_secs())]
    TooSlow(Duration),
    /// `stop` fired before there was an answer (exit 130 or 143).
    #[error("interrupted before a pipeline was seen to start")]
    Interrupted,
}

impl NotStarted {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Server(error) => error.hint(),
            Self::Loop(refused) => Some(refused.hint().to_owned()),
            Self::NoBranch(_) => Some("set `branch`".to_owned()),
            Self::NoSuchWorkflow { .. } => Some(
                "`workflow` is the name of a file without its extension; a workflow whose `when` does not hold for this \
                 pipeline is not in it"
                    .to_owned(),
            ),
            Self::Unknown { mark: Some(mark), page, .. } => {
                Some(format!("look for the newest manual pipeline, with the variable {mark}, on {page}"))
            }
            Self::Unknown { mark: None, page, .. } => Some(format!("look at the newest pipelines on {page}")),
            Self::TooSlow(_) | Self::Interrupted => Some("a request may have been under way: look at the newest pipelines".to_owned()),
        }
    }

    /// The pipeline that the server keeps all the same, for the report.
    #[must_use]
    pub fn pipeline(&self) -> Option<&report::Pipeline> {
        match self {
            Self::Server(woodpecker::Error::Rejected { pipeline, .. })
            | Self::NoSuchWorkflow { pipeline, .. } => Some(pipeline),
            _ => None,
        }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// A mark that no other run has.
///
/// # Panics
/// When the system has no random numbers.
#[must_use]
pub fn fresh_mark() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random numbers");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// What the steps of a rebuild share.
struct Run<'a> {
    plan: &'a Plan<'a>,
    client: &'a Client,
    patience: &'a Patience,
    mark: &'a str,
    tell: &'a mut dyn FnMut(Notice),
}

/// Starts one pipeline and follows it until it is over, `wait_timeout` is, or `stop` fires.
///
/// `mark` is a [`fresh_mark`]; `tell` hears of progress while it happens. Nothing is undone when the future is dropped: the
/// pipeline goes on.
///
/// # Errors
/// When no pipeline was started, or not the one that was asked for.
pub async fn rebuild(
    plan: &Plan<'_>,
    client: &Client,
    patience: &Patience,
    mark: &str,
    tell: &mut dyn FnMut(Notice),
    stop: impl Future<Output = ()>,
) -> Result<Rebuilt, NotStarted> {
    let mut stop = pin!(stop);
    let mut run = Run {
        plan,
        client,
        patience,
        mark,
        tell,
    };
    // Every answer has its time, but between two of its bytes: one that drips would never end.
    let longest = plan.settings.wait_timeout + 2 * client.patience();
    let (repository, started) = tokio::select! {
        biased;
        () = &mut stop => return Err(NotStarted::Interrupted),
        started = tokio::time::timeout(longest, run.start()) => started.map_err(|_| NotStarted::TooSlow(longest))??,
    };
    let begun = Instant::now();
    let pipeline = client.summary(repository, &started);
    (run.tell)(Notice::Started {
        pipeline: pipeline.clone(),
    });
    let rebuilt = |ending, pipeline| Rebuilt {
        pipeline,
        duration: begun.elapsed(),
        ending,
        problems: Vec::new(),
        logs: Vec::new(),
        logs_left_out: 0,
    };
    if !plan.settings.wait {
        return Ok(rebuilt(Ending::NotAwaited, pipeline));
    }
    let mut seen = follow::Seen::new(started, begun);
    let ending = tokio::select! {
        biased;
        () = &mut stop => Ok(Ending::Interrupted),
        ending = run.follow(repository, &mut seen) => ending,
    };
    let pipeline = report::Pipeline {
        status: seen.status.to_string(),
        ..pipeline
    };
    let mut rebuilt = match ending {
        Ok(ending) => rebuilt(ending, pipeline),
        Err(absent) => {
            return Err(NotStarted::NoSuchWorkflow {
                pipeline,
                missing: absent.missing,
                present: absent.present,
            });
        }
    };
    rebuilt.problems.extend(seen.trouble.take());
    if rebuilt.ending == Ending::Interrupted {
        return Ok(rebuilt);
    }
    tokio::select! {
        biased;
        () = &mut stop => {}
        () = run.gather(repository, &seen.pipeline, &mut rebuilt) => {}
        () = tokio::time::sleep(LONGEST_GATHERING) => {}
    }
    Ok(rebuilt)
}

impl Run<'_> {
    /// Asks again, as often and as patiently as the settings say, while that may help.
    async fn persist<T, F: Future<Output = Result<T, woodpecker::Error>>>(
        &mut self,
        ask: impl Fn() -> F,
    ) -> Result<T, woodpecker::Error> {
        let mut attempt = 1;
        loop {
            match ask().await {
                Err(error) if error.is_transient() && attempt < self.patience.attempts => {
                    let wait = self.wait(attempt, &error);
                    (self.tell)(Notice::Again { error, wait });
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// How long to wait after the failed attempt of this number, counted from 1.
    fn wait(&self, attempt: u32, error: &woodpecker::Error) -> Duration {
        let own = self
            .patience
            .backoff
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.patience.max_backoff);
        own.max(error.retry_after().unwrap_or_default().min(LONGEST_WAIT))
    }

    fn summary(&self, repository: u64, pipeline: &Pipeline) -> report::Pipeline {
        self.client.summary(repository, pipeline)
    }
}

/// How long the logs of a pipeline that is over are waited for.
const LONGEST_GATHERING: Duration = Duration::from_secs(300);

/// The longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_marks_are_the_same() {
        let (one, other) = (fresh_mark(), fresh_mark());
        assert_ne!(one, other);
        assert!(
            one.len() == 32 && one.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{one}"
        );
    }
}
