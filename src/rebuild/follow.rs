//! Follows a pipeline to its end, through failures of the server.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Ending, LONGEST_WAIT, Notice, Run};
use crate::rebuild::decision::{Decision, decide, pause};
use crate::rebuild::woodpecker::{ApiError, Pipeline, Status};

/// How many definite refusals (404, 401) in a row mean that the pipeline can no longer be read.
const REFUSALS: u32 = 3;

/// How long a running pipeline may go without a line in the log.
const SILENCE: Duration = Duration::from_secs(30);

/// What was seen of the pipeline.
pub(super) struct Seen {
    /// The last look that succeeded.
    pub(super) pipeline: Pipeline,
    /// The status that decides.
    pub(super) status: Status,
    /// Why the last look failed, if it did.
    pub(super) trouble: Option<String>,
    begun: Instant,
    notified: Option<Instant>,
    unchanged: u32,
    failures: u32,
    refusals: u32,
    incomplete: bool,
}

impl Seen {
    pub(super) fn new(pipeline: Pipeline, begun: Instant) -> Self {
        Self {
            status: pipeline.status.clone(),
            pipeline,
            trouble: None,
            begun,
            notified: None,
            unchanged: 0,
            failures: 0,
            refusals: 0,
            incomplete: false,
        }
    }

    fn was_silent(&self) -> bool {
        self.notified.is_none_or(|last| last.elapsed() >= SILENCE)
    }
}

/// Workflows that should decide are not in the pipeline.
pub(super) struct Absent {
    pub(super) missing: Vec<String>,
    pub(super) present: Vec<String>,
}

impl Run<'_> {
    /// Looks again and again until the pipeline is decided or `wait_timeout` is over.
    pub(super) async fn follow(
        &mut self,
        repository: u64,
        seen: &mut Seen,
    ) -> Result<Ending, Absent> {
        let client = self.client;
        let number = seen.pipeline.number;
        let deadline = seen.begun + self.plan.wait_timeout;
        loop {
            // A look that starts just before the end still gets its answer.
            let Ok(look) = timeout_at(
                deadline + client.patience(),
                client.pipeline(repository, number),
            )
            .await
            else {
                return Ok(Ending::StillRunning);
            };
            let asked_to_wait = match look {
                Ok(pipeline) => match self.judge(repository, seen, pipeline)? {
                    Some(ending) => return Ok(ending),
                    None => Duration::ZERO,
                },
                Err(error) => {
                    let asked_to_wait = error.retry_after().unwrap_or_default().min(LONGEST_WAIT);
                    if self.is_lost(seen, error) {
                        return Ok(Ending::OutOfSight);
                    }
                    asked_to_wait
                }
            };
            let now = Instant::now();
            if now >= deadline {
                return Ok(Ending::StillRunning);
            }
            let own = pause(self.plan.poll_interval, seen.unchanged, seen.failures);
            sleep_until(deadline.min(now + own.max(asked_to_wait))).await;
        }
    }

    /// Takes note of a look, and reports what is new.
    fn judge(
        &mut self,
        repository: u64,
        seen: &mut Seen,
        pipeline: Pipeline,
    ) -> Result<Option<Ending>, Absent> {
        seen.pipeline = pipeline;
        (seen.trouble, seen.failures, seen.refusals) = (None, 0, 0);
        let (status, ending) = match decide(&seen.pipeline, &self.plan.workflows) {
            Decision::Succeeded => (Status::Success, Some(Ending::Succeeded)),
            Decision::Failed(status) => (status, Some(Ending::Failed)),
            Decision::Undecided(status) => (status, None),
            // Believed when seen twice, so that a list that is being written is not taken for the
            // whole.
            Decision::Absent { missing, present } if seen.incomplete || seen.pipeline.is_over() => {
                return Err(Absent { missing, present });
            }
            Decision::Absent { .. } => {
                seen.incomplete = true;
                return Ok(None);
            }
        };
        if ending.is_none() {
            self.notify_status(repository, seen, &status);
        }
        seen.status = status;
        Ok(ending)
    }

    fn notify_status(&mut self, repository: u64, seen: &mut Seen, status: &Status) {
        let changed = seen.notified.is_none() || seen.status != *status;
        seen.unchanged = if changed {
            0
        } else {
            seen.unchanged.saturating_add(1)
        };
        if !changed && !seen.was_silent() {
            return;
        }
        let number = seen.pipeline.number;
        (self.notify)(Notice::Now {
            number,
            status: status.clone(),
            elapsed: seen.begun.elapsed(),
        });
        if *status == Status::Blocked {
            (self.notify)(Notice::Blocked {
                url: self.client.page(repository, number),
            });
        }
        seen.notified = Some(Instant::now());
    }

    /// Takes note of a look that failed; whether it is time to give up.
    fn is_lost(&mut self, seen: &mut Seen, error: ApiError) -> bool {
        seen.failures = seen.failures.saturating_add(1);
        seen.refusals = if error.is_transient() {
            0
        } else {
            seen.refusals + 1
        };
        seen.trouble = Some(error.to_string());
        if seen.failures == 1 || seen.was_silent() {
            (self.notify)(Notice::Trouble { error });
            seen.notified = Some(Instant::now());
        }
        seen.refusals == REFUSALS
    }
}
