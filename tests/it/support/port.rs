//! Ports that a server finds free again after a restart.

use std::sync::atomic::{AtomicU16, Ordering};

/// How many this process was given.
static COUNT: AtomicU16 = AtomicU16::new(0);

/// A port below the range from which the system gives ports away. Something else may listen there:
/// then the next one is to be tried.
pub(crate) fn next() -> u16 {
    let own = u16::try_from(std::process::id() % 11_000).expect("it is below 11,000");
    20_000 + (own + COUNT.fetch_add(1, Ordering::Relaxed)) % 12_000
}
