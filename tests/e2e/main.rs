//! The program among real components: a Docker engine, a registry, Woodpecker's server, agent and command line.
//!
//! `make e2e` prepares them and says in the environment where they are; a test that lacks one fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(
    dead_code,
    unused_imports,
    reason = "a vocabulary is larger than what is said with it today"
)]
#[path = "../it/support/mod.rs"]
mod support;

mod act;
mod container;
mod woodpecker;

use std::time::{Duration, Instant};

/// Longer than a busy machine needs to start a server, or to run a pipeline of a few shell lines.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so; fails when it takes longer than a busy machine needs.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} until {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
