//! The program among real components: a Docker engine, other registries, Woodpecker.
//!
//! `make e2e` prepares them and sets variables that say where they are; without one, its tests
//! fail. Those in `emulated` belong to `make arm64` and `make armv7`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[allow(
    dead_code,
    unused_imports,
    reason = "shared helpers: not every test binary uses all of them"
)]
#[path = "../it/support/mod.rs"]
mod support;

mod act;
mod chromium;
mod clients;
mod container;
mod emulated;
mod metrics;
mod registries;
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
