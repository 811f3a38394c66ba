//! A point in time as it is remembered: whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 stands for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(super) u32);

impl Moment {
    pub(super) const NEVER: Self = Self(0);

    /// The moment of a time; a clock before 1970 or after 2106 is taken for these.
    pub(crate) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
    }

    /// The time; none for never.
    pub(crate) fn time(self) -> Option<SystemTime> {
        let since = Duration::from_secs(self.0.into());
        (self != Self::NEVER).then(|| UNIX_EPOCH + since)
    }
}
