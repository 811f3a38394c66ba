//! Every tag of a registry, over HTTP or on its disk.

mod cluster;
mod counted;
mod disk;
mod extent;
mod in_use;
mod layouts;
mod lists;
mod living;
mod metrics;
mod reports;
mod state;
mod tokens;

use crate::support::command::{Pullproof, pullproof};

/// `pullproof audit TARGET`, with waits as short as a test wants them and the JSON report on standard
/// output.
fn audit(target: &str) -> Pullproof {
    pullproof().arguments(["audit", target, "--format", "json", "--backoff", "10ms"])
}
