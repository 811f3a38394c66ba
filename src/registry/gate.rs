//! One registry's limits: permits, and a time before which no request is sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The right to send requests, on a lane of its own.
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    lane: usize,
    _held: SemaphorePermit<'a>,
}

impl Permit<'_> {
    /// The lane, counted from 0; there are never more lanes than permits.
    pub(super) fn lane(&self) -> usize {
        self.lane
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.gate.lanes().back.push(self.lane);
    }
}

/// The free lanes: those that were used, the last one first because its connection is open, and all
/// from `fresh` on.
#[derive(Default)]
struct Free {
    back: Vec<usize>,
    fresh: usize,
}

impl Free {
    fn take(&mut self) -> usize {
        self.back.pop().unwrap_or_else(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}

/// The limits of one host.
pub(super) struct Gate {
    permits: Semaphore,
    /// One permit to hold a large body in memory.
    large: Semaphore,
    lanes: Mutex<Free>,
    closed_until: Mutex<Option<Instant>>,
    pace: Option<Pace>,
}

/// At most so many requests a second, evenly spread.
struct Pace {
    between: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self {
            between: Duration::from_secs(1) / rate,
            next: Mutex::new(None),
        }
    }

    /// Waits for the next turn.
    async fn turn(&self) {
        let now = Instant::now();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.between);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

impl Gate {
    /// Limits of `concurrency` requests at a time, and of `rate` requests a second.
    pub(super) fn new(concurrency: usize, rate: Option<u32>) -> Self {
        let (permits, large) = (Semaphore::new(concurrency), Semaphore::new(1));
        Self {
            permits,
            large,
            lanes: Mutex::default(),
            closed_until: Mutex::new(None),
            pace: rate.map(Pace::new),
        }
    }

    /// Waits until the gate is open and a permit is free; the permit lasts until it is dropped.
    pub(super) async fn pass(&self) -> Permit<'_> {
        loop {
            self.open().await;
            let permit = self
                .permits
                .acquire()
                .await
                .expect("the semaphore is never closed");
            if let Some(pace) = &self.pace {
                pace.turn().await;
            }
            if self.closed().is_none() {
                let lane = self.lanes().take();
                return Permit {
                    gate: self,
                    lane,
                    _held: permit,
                };
            }
        }
    }

    /// Waits until no other large body from this host is held in memory.
    pub(super) async fn hold(&self) -> SemaphorePermit<'_> {
        self.large
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }

    fn lanes(&self) -> MutexGuard<'_, Free> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open.
    pub(super) async fn open(&self) {
        while let Some(until) = self.closed() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Sends no request to this host for `wait`.
    pub(super) fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |before| before.max(until)));
    }

    fn closed(&self) -> Option<Instant> {
        let until = *self
            .closed_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_all_back_and_the_longest_wait_counts() {
        let gate = Gate::new(2, None);
        let start = Instant::now();
        gate.close_for(Duration::from_secs(60));
        gate.close_for(Duration::from_secs(5));
        let _first = gate.pass().await;
        let _second = gate.pass().await;
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test]
    async fn a_lane_that_was_used_is_used_again_before_a_new_one() {
        let gate = Gate::new(3, None);
        let (first, second) = (gate.pass().await, gate.pass().await);
        assert_eq!((first.lane(), second.lane()), (0, 1));
        drop(first);
        let (third, fourth) = (gate.pass().await, gate.pass().await);
        assert_eq!((third.lane(), fourth.lane()), (0, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_pass_than_there_are_permits() {
        let gate = Gate::new(1, None);
        let held = gate.pass().await;
        assert!(
            tokio::time::timeout(Duration::from_secs(1), gate.pass())
                .await
                .is_err()
        );
        drop(held);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), gate.pass())
                .await
                .is_ok()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn requests_keep_their_pace() {
        let gate = Gate::new(10, Some(4));
        let start = Instant::now();
        for _ in 0..9 {
            gate.pass().await;
        }
        assert_eq!(start.elapsed().as_secs(), 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..5 {
            gate.pass().await;
        }
        assert_eq!(start.elapsed().as_secs(), 1, "a pause is not made up for");
    }
}
