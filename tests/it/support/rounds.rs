//! How often random tests run, how long, and from which seed.

use std::ops::Range;
use std::time::Duration;

/// The seeds of as many rounds as `PULLPROOF_ROUNDS` says, or else `otherwise`, from the one that
/// `PULLPROOF_SEED` names.
pub(crate) fn seeds(otherwise: u64) -> Range<u64> {
    let first = number("PULLPROOF_SEED", 1);
    first..first + number("PULLPROOF_ROUNDS", otherwise)
}

/// How many random histories are pruned: as many as `PULLPROOF_HISTORIES` says, or else
/// `otherwise`.
pub(crate) fn histories(otherwise: u64) -> u64 {
    number("PULLPROOF_HISTORIES", otherwise)
}

/// How long tests of a registry in use go on: as many seconds as `PULLPROOF_LIVING_SECONDS` says, or
/// else a minute.
pub(crate) fn living() -> Duration {
    Duration::from_secs(number("PULLPROOF_LIVING_SECONDS", 60))
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("it is a number"))
}
