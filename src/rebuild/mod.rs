//! Rebuilding an image: start one pipeline, follow it to its end, fetch what its failing steps
//! wrote.

pub(crate) mod decision;
mod evidence;
mod follow;
pub mod guard;
mod notice;
mod outcome;
pub mod plan;
mod start;
mod waiting;
pub mod woodpecker;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::Instant;

pub use self::notice::Notice;
pub use self::outcome::{Ending, NotStarted, Rebuilt, StepLog};
pub use self::plan::Plan;
pub use self::waiting::Waiting;
use crate::http::patience::Patience;
use crate::rebuild::follow::Dead;
use crate::rebuild::woodpecker::{Client, Status};
use crate::report::PipelineSummary;

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
    plan: &'a Plan,
    client: &'a Client,
    patience: &'a Patience,
    mark: &'a str,
    notify: &'a mut dyn FnMut(Notice),
}

/// Starts one pipeline and follows it until it is over, `wait_timeout` is, or `stop` fires.
///
/// `mark` is a [`fresh_mark`]; `notify` gets the progress while it happens. Nothing is undone when
/// the future is dropped: the pipeline goes on.
///
/// # Errors
/// When no pipeline was started, or not the one that was asked for.
pub async fn rebuild(
    plan: &Plan,
    client: &Client,
    patience: &Patience,
    mark: &str,
    notify: &mut dyn FnMut(Notice),
    stop: impl Future<Output = ()>,
) -> Result<Rebuilt, NotStarted> {
    let mut stop = pin!(stop);
    let mut run = Run {
        plan,
        client,
        patience,
        mark,
        notify,
    };
    // Every answer has its time, but between two of its bytes: one that drips would never end.
    let longest = plan.wait_timeout + 2 * client.patience();
    let (repository, started) = tokio::select! {
        biased;
        () = &mut stop => return Err(NotStarted::Interrupted),
        started = tokio::time::timeout(longest, run.start()) => {
            started.map_err(|_| NotStarted::TooSlow(longest))??
        }
    };
    let begun = Instant::now();
    let pipeline = run.reported(repository, started.number, &started.status);
    (run.notify)(Notice::Started {
        pipeline: pipeline.clone(),
    });
    let rebuilt = |ending, pipeline| Rebuilt {
        pipeline,
        duration: begun.elapsed(),
        ending,
        problems: Vec::new(),
        logs: Vec::new(),
        logs_left_out: 0,
        waiting: None,
    };
    if !plan.wait {
        return Ok(rebuilt(Ending::NotAwaited, pipeline));
    }
    let mut seen = follow::Seen::new(started, begun);
    let ending = tokio::select! {
        biased;
        () = &mut stop => Ok(Ending::Interrupted),
        ending = run.follow(repository, &mut seen) => ending,
    };
    let pipeline = run.reported(repository, pipeline.number, &seen.status);
    let mut rebuilt = match ending {
        Ok(ending) => rebuilt(ending, pipeline),
        Err(Dead::Absent { missing, present }) => {
            return Err(NotStarted::NoSuchWorkflow {
                pipeline,
                missing,
                present,
            });
        }
        Err(Dead::Stuck { after, kept }) => {
            return Err(NotStarted::Stuck {
                pipeline,
                after,
                kept,
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
        () = run.gather(repository, &seen, &mut rebuilt) => {}
        () = tokio::time::sleep(LONGEST_GATHERING) => {}
    }
    Ok(rebuilt)
}

/// Asks once whether the server accepts the token, for at most `limit`.
///
/// # Errors
/// When it does not, or nothing says so.
pub async fn try_token(client: &Client, limit: Duration) -> Result<(), woodpecker::ApiError> {
    let tried = tokio::time::timeout(limit, client.try_token()).await;
    tried.unwrap_or_else(|_| Err(client.silent(woodpecker::Task::Token, limit)))
}

impl Run<'_> {
    /// Asks again, as often and as patiently as the settings say, while that may help.
    async fn persist<T, F: Future<Output = Result<T, woodpecker::ApiError>>>(
        &mut self,
        ask: impl Fn() -> F,
    ) -> Result<T, woodpecker::ApiError> {
        let mut attempt = 1;
        loop {
            match ask().await {
                Err(error) if error.is_transient() && attempt < self.patience.attempts => {
                    let wait = self.wait(attempt, &error);
                    (self.notify)(Notice::Again { error, wait });
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// How long to wait after the failed attempt of this number, counted from 1.
    fn wait(&self, attempt: u32, error: &woodpecker::ApiError) -> Duration {
        let own = self
            .patience
            .backoff
            .saturating_mul(1 << (attempt - 1).min(16))
            .min(self.patience.max_backoff);
        own.max(error.retry_after().unwrap_or_default().min(LONGEST_WAIT))
    }

    /// A pipeline as the report shows it.
    fn reported(&self, repository: u64, number: u64, status: &Status) -> PipelineSummary {
        PipelineSummary {
            number,
            url: self.client.page(repository, number),
            status: status.to_string(),
        }
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
