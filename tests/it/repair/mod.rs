//! What is lost is put back: planned first, done with `--apply`, and verified again.

mod registry;

use crate::support::command::{Pullproof, pullproof};

/// `pullproof repair OPERAND`, with waits as short as a test wants them and the JSON report on
/// standard output.
fn repair(operand: &str) -> Pullproof {
    pullproof().arguments([
        "repair",
        operand,
        "--format",
        "json",
        "--settle",
        "0s",
        "--backoff",
        "10ms",
    ])
}
