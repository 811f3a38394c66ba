//! When what is remembered is asked for again.
//!
//! Every digest has moments of its own, one an interval apart, by its hash. It is due when such a
//! moment has passed since it was last proven. So no proof gets older than the interval, and what
//! was proven together is not due together.

use std::time::Duration;

use super::key::Key;
use super::moment::Moment;
use crate::walk::rules::Depth;

/// How long a proof counts, by its depth; without a duration it counts for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    /// `recheck_manifests`.
    pub manifests: Option<Duration>,
    /// `recheck_blobs`.
    pub blobs: Option<Duration>,
    /// `recheck_tail`.
    pub tail: Option<Duration>,
    /// `recheck_full`.
    pub full: Option<Duration>,
}

impl Tiers {
    /// How long a proof of a blob at this depth counts.
    pub(super) fn of(&self, depth: Depth) -> Option<Duration> {
        match depth {
            Depth::Manifests => None,
            Depth::Head => self.blobs,
            Depth::Tail => self.tail,
            Depth::Full => self.full,
        }
    }
}

/// Whether what was proven `last` is due again.
pub(super) fn is_due(key: Key, last: Moment, interval: Option<Duration>, now: Moment) -> bool {
    let Some(interval) = interval else {
        return false;
    };
    let interval = interval.as_secs();
    // A proof from the future: a clock was wrong.
    if interval == 0 || last > now {
        return true;
    }
    let (last, now) = (u64::from(last.0), u64::from(now.0));
    let phase = key.spread() % interval;
    let since_own = (last + interval - phase) % interval;
    now >= last + interval - since_own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::sha256;

    const HOUR: u32 = 3600;
    const START: u32 = 1_800_000_000;

    fn keys() -> impl Iterator<Item = Key> {
        (0..4000_u32).map(|number| Key::of(&sha256(&number.to_be_bytes())))
    }

    fn is_due_after(key: Key, seconds: u32, interval: Option<u64>) -> bool {
        let interval = interval.map(Duration::from_secs);
        is_due(key, Moment(START), interval, Moment(START + seconds))
    }

    #[test]
    fn what_was_just_proven_is_not_due_and_what_is_old_is() {
        for key in keys() {
            assert!(!is_due_after(key, 0, Some(HOUR.into())));
            assert!(is_due_after(key, HOUR, Some(HOUR.into())));
            assert!(!is_due_after(key, u32::MAX - START, None));
            assert!(is_due_after(key, 0, Some(0)));
        }
        let (key, before) = (keys().next().unwrap(), Moment(START - 1));
        let interval = Some(Duration::from_secs(HOUR.into()));
        assert!(is_due(key, Moment(START), interval, before));
    }

    #[test]
    fn what_is_due_is_spread_evenly() {
        for quarter in 1..=4 {
            let interval = Some(HOUR.into());
            let is_new = |key: &Key| {
                is_due_after(*key, quarter * HOUR / 4, interval)
                    && !is_due_after(*key, (quarter - 1) * HOUR / 4, interval)
            };
            let due = keys().filter(is_new).count();
            assert!((900..1100).contains(&due), "{due} in quarter {quarter}");
        }
    }

    #[test]
    fn in_a_day_of_runs_each_digest_is_asked_once_an_interval() {
        let interval = Some(Duration::from_secs(HOUR.into()));
        for key in keys().take(200) {
            let (mut last, mut asked) = (START, 0);
            for now in (START..=START + 24 * HOUR).step_by(900) {
                assert!(now - last <= HOUR, "{} s old", now - last);
                if is_due(key, Moment(last), interval, Moment(now)) {
                    (last, asked) = (now, asked + 1);
                }
            }
            assert!((24..=25).contains(&asked), "{asked}");
        }
    }
}
