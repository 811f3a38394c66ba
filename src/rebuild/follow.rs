//! Follows a pipeline to its end, through failures of the server.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::waiting::Waiting;
use super::{Ending, LONGEST_WAIT, Notice, Run};
use crate::rebuild::decision::{Decision, decide, pause};
use crate::rebuild::woodpecker::{ApiError, Pipeline, Status};

/// How many definite refusals (404, 401) in a row mean that the pipeline can no longer be read.
const REFUSALS: u32 = 3;

/// How long a running pipeline may go without a line in the log.
const SILENCE: Duration = Duration::from_secs(30);

/// How long to wait for the queue, which only explains.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);

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
    still: Option<Still>,
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
            still: None,
        }
    }

    /// Whether no agent has taken it. A workflow that waits for another one of its pipeline is
    /// pending as well, but the pipeline is not.
    pub(super) fn is_pending(&self) -> bool {
        self.status == Status::Pending && self.pipeline.status == Status::Pending
    }

    /// Takes note of how it stands still, if it does.
    fn note_standstill(&mut self) {
        let kind = if self.pipeline.is_unborn() {
            Some(Standstill::Unborn)
        } else {
            self.is_pending().then_some(Standstill::Pending)
        };
        if self.still.map(|still| still.kind) != kind {
            self.still = kind.map(|kind| Still {
                kind,
                since: Instant::now(),
                is_reported: false,
            });
        }
    }

    fn was_silent(&self) -> bool {
        self.notified.is_none_or(|last| last.elapsed() >= SILENCE)
    }
}

/// How a pipeline stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standstill {
    /// It has no workflows.
    Unborn,
    /// No agent has taken it.
    Pending,
}

/// Since when it does.
#[derive(Clone, Copy, Debug)]
struct Still {
    kind: Standstill,
    since: Instant,
    is_reported: bool,
}

/// Why a pipeline that the server has is none to follow.
pub(super) enum Dead {
    /// Workflows that should decide are not in it.
    Absent {
        missing: Vec<String>,
        present: Vec<String>,
    },
    /// The server never put it together.
    Stuck {
        after: Duration,
        kept: Option<Box<ApiError>>,
    },
}

impl Run<'_> {
    /// Looks again and again until the pipeline is decided or `wait_timeout` is over.
    pub(super) async fn follow(
        &mut self,
        repository: u64,
        seen: &mut Seen,
    ) -> Result<Ending, Dead> {
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
                Ok(pipeline) => {
                    if let Some(ending) = self.judge(repository, seen, pipeline)? {
                        return Ok(ending);
                    }
                    self.mind_the_time(repository, seen).await?;
                    Duration::ZERO
                }
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
            let next = now + own.max(asked_to_wait);
            let due = self.due(seen).filter(|due| *due > now);
            sleep_until(deadline.min(due.map_or(next, |due| due.min(next)))).await;
        }
    }

    /// When there is something to say, or to do, about a pipeline that does not move.
    fn due(&self, seen: &Seen) -> Option<Instant> {
        let still = seen.still?;
        match (still.kind, still.is_reported) {
            (_, false) => Some(still.since + self.plan.hint_delay),
            (Standstill::Unborn, true) => Some(still.since + self.plan.stuck_delay),
            (Standstill::Pending, true) => None,
        }
    }

    /// Says after a while why nothing happens, and gives up what never will.
    async fn mind_the_time(&mut self, repository: u64, seen: &mut Seen) -> Result<(), Dead> {
        seen.note_standstill();
        let is_due = self.due(seen).is_some_and(|due| due <= Instant::now());
        let Some(still) = seen.still.as_mut().filter(|_| is_due) else {
            return Ok(());
        };
        let (number, elapsed) = (seen.pipeline.number, still.since.elapsed());
        match (still.kind, std::mem::replace(&mut still.is_reported, true)) {
            (Standstill::Unborn, false) => (self.notify)(Notice::Unborn {
                number,
                status: seen.pipeline.status.clone(),
                elapsed,
                until: self.plan.stuck_delay,
            }),
            (Standstill::Unborn, true) => return self.give_up(repository, seen, elapsed).await,
            (Standstill::Pending, _) => {
                let waiting = self.waiting(repository, number).await;
                (self.notify)(Notice::Waiting {
                    number,
                    elapsed,
                    waiting,
                });
            }
        }
        Ok(())
    }

    /// Cancels a pipeline that has no workflows; it may have got some in this very moment.
    async fn give_up(
        &mut self,
        repository: u64,
        seen: &mut Seen,
        after: Duration,
    ) -> Result<(), Dead> {
        let (client, number) = (self.client, seen.pipeline.number);
        let canceled = self.persist(|| client.cancel(repository, number)).await;
        if let Ok(pipeline) = client.pipeline(repository, number).await {
            let lives = canceled.is_err() && !pipeline.is_unborn();
            seen.status = pipeline.status.clone();
            seen.pipeline = pipeline;
            if lives {
                return Ok(());
            }
        }
        let kept = canceled.err().map(Box::new);
        Err(Dead::Stuck { after, kept })
    }

    /// What a pipeline that no agent has taken waits for.
    pub(super) async fn waiting(&self, repository: u64, number: u64) -> Waiting {
        let queue = timeout(QUEUE_PATIENCE, self.client.queue()).await;
        let queue = queue.ok().and_then(Result::ok);
        Waiting::read(queue.as_ref(), (repository, number), self.plan.own())
    }

    /// Takes note of a look, and reports what is new.
    fn judge(
        &mut self,
        repository: u64,
        seen: &mut Seen,
        pipeline: Pipeline,
    ) -> Result<Option<Ending>, Dead> {
        seen.pipeline = pipeline;
        (seen.trouble, seen.failures, seen.refusals) = (None, 0, 0);
        let (status, ending) = match decide(&seen.pipeline, &self.plan.workflows) {
            Decision::Succeeded => (Status::Success, Some(Ending::Succeeded)),
            Decision::Failed(status) => (status, Some(Ending::Failed)),
            Decision::Undecided(status) => (status, None),
            // Believed when seen twice, so that a list that is being written is not taken for the
            // whole.
            Decision::Absent { missing, present } if seen.incomplete || seen.pipeline.is_over() => {
                return Err(Dead::Absent { missing, present });
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
