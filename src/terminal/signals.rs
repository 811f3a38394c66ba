//! Why a run ends early: its time limit, or a signal.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::walk::stop::Stop;

/// A request to stop that every task can wait for.
pub(crate) type Stopping = Shared<BoxFuture<'static, Stop>>;

/// SIGINT and SIGTERM, listened for from the start: as PID 1 of a container nothing else ends the
/// process.
pub(crate) struct Signals {
    stopping: Shared<BoxFuture<'static, Stop>>,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            stopping: either(interrupt, terminate).boxed().shared(),
        })
    }

    /// Ready when a signal came.
    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Ready when a signal came or `limit` is over, counted from now.
    pub(crate) fn or_after(&self, limit: Duration) -> Stopping {
        let signals = self.stopping.clone();
        let until = tokio::time::Instant::now() + limit;
        async move {
            tokio::select! {
                stop = signals => stop,
                () = tokio::time::sleep_until(until) => Stop::Timeout,
            }
        }
        .boxed()
        .shared()
    }
}

async fn either(mut interrupt: Signal, mut terminate: Signal) -> Stop {
    tokio::select! {
        _ = interrupt.recv() => Stop::Interrupt,
        _ = terminate.recv() => Stop::Terminate,
    }
}
