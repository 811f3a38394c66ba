//! One registry's limits, shared by everybody who asks it: permits, and a time before which nobody asks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The way to one host.
pub(super) struct Gate {
    permits: Semaphore,
    closed_until: Mutex<Option<Instant>>,
}

impl Gate {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { permits: Semaphore::new(concurrency), closed_until: Mutex::new(None) }
    }

    /// Waits until the host may be asked and a permit is free; the permit lasts until it is dropped.
    pub(super) async fn pass(&self) -> SemaphorePermit<'_> {
        loop {
            self.open().await;
            let permit = self.permits.acquire().await.expect("the gate is never taken down");
            if self.closed().is_none() {
                return permit;
            }
        }
    }

    /// Waits until the host may be asked.
    pub(super) async fn open(&self) {
        while let Some(until) = self.closed() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Nobody asks this host for `wait`.
    pub(super) fn close_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |before| before.max(until)));
    }

    fn closed(&self) -> Option<Instant> {
        let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_holds_everybody_back_and_the_longest_wait_counts() {
        let gate = Gate::new(2);
        let start = Instant::now();
        gate.close_for(Duration::from_secs(60));
        gate.close_for(Duration::from_secs(5));
        let _first = gate.pass().await;
        let _second = gate.pass().await;
        assert_eq!(start.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_pass_than_there_are_permits() {
        let gate = Gate::new(1);
        let held = gate.pass().await;
        assert!(tokio::time::timeout(Duration::from_secs(1), gate.pass()).await.is_err());
        drop(held);
        assert!(tokio::time::timeout(Duration::from_secs(1), gate.pass()).await.is_ok());
    }
}
