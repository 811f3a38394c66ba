//! How long and how often to ask.

use std::time::Duration;

/// How long and how often to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// `attempts` per request, at least 1.
    pub attempts: u32,
    /// `backoff`: the first wait.
    pub backoff: Duration,
    /// `max_backoff`: the longest wait of our own; a server's Retry-After may be longer.
    pub max_backoff: Duration,
    /// `settle`: how long from the start of the run a 404 means "not yet".
    pub settle: Duration,
    /// `timeout`: the whole verification.
    pub timeout: Duration,
    /// `concurrency`: requests in flight per registry, at least 1.
    pub concurrency: usize,
    /// `rate`: requests a second per registry, at least 1.
    pub rate: Option<u32>,
}

impl Patience {
    /// A `timeout` that is never reached.
    pub const NO_TIMEOUT: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 5,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            settle: Duration::from_secs(15),
            timeout: Duration::from_secs(600),
            concurrency: 16,
            rate: None,
        }
    }
}
