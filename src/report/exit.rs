//! The result of a run: a word for people, an exit code for the caller.

use std::process::ExitCode;

/// The process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Every image is whole, there was nothing to do, or the rebuild succeeded.
    Verified = 0,
    /// An image definitely cannot be pulled, or is not the expected one.
    Broken = 1,
    /// The settings are wrong, or there was nothing to check.
    Configuration = 2,
    /// The registry refused access.
    Denied = 3,
    /// Undecided: network, TLS, 5xx, 429, timeout.
    Unknown = 4,
    /// The rebuild was not started.
    RebuildNotStarted = 5,
    /// The rebuild ran and failed.
    RebuildFailed = 6,
    /// The rebuild was still running at `wait_timeout`.
    RebuildRunning = 7,
    /// Some repairs failed, or did not take.
    RepairFailed = 8,
    /// A bug in this program.
    Bug = 70,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The one that counts when parts of one run end differently: 2, then 1, then 8, 3, 4.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        const ORDER: [Exit; 5] = [
            Exit::Configuration,
            Exit::Broken,
            Exit::RepairFailed,
            Exit::Denied,
            Exit::Unknown,
        ];
        ORDER
            .into_iter()
            .find(|exit| *exit == self || *exit == other)
            .unwrap_or(self)
    }

    /// Whether a signal ended the run; then nothing else counts.
    #[must_use]
    pub fn is_a_signal(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated)
    }

    /// Whether it is about images, so that `fail_on: never` turns it into 0.
    ///
    /// A configuration error, a failed rebuild, a signal and a bug are not about images and stay.
    #[must_use]
    pub fn is_verdict(self) -> bool {
        matches!(
            self,
            Self::Verified | Self::Broken | Self::Denied | Self::Unknown
        )
    }
}

/// `fail_on`: what makes a run fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailOn {
    /// Whatever is wrong.
    #[default]
    Broken,
    /// What is wrong and in use.
    InUse,
    /// Nothing: the run only reports.
    Never,
}

impl FailOn {
    /// The word for it in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::InUse => "in_use",
            Self::Never => "never",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The result of a run or of one image; the words of [`Conclusion::as_str`] are the values in the
/// JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Everything that was asked for is there.
    Passed,
    /// Something is definitely wrong.
    Failed,
    /// Undecided.
    Error,
    /// Nothing was to be checked, as requested.
    Skipped,
}

impl Conclusion {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

impl From<Exit> for Conclusion {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Verified => Self::Passed,
            Exit::Broken | Exit::RebuildFailed | Exit::RepairFailed => Self::Failed,
            _ => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_ends_come_to_two_then_one_then_eight_then_three_then_four() {
        let ranked = [
            Exit::Configuration,
            Exit::Broken,
            Exit::RepairFailed,
            Exit::Denied,
            Exit::Unknown,
            Exit::Verified,
        ];
        for (place, exit) in ranked.into_iter().enumerate() {
            for weaker in &ranked[place..] {
                assert_eq!(exit.or(*weaker), exit);
                assert_eq!(weaker.or(exit), exit);
            }
        }
    }

    #[test]
    fn codes_are_the_promised_ones() {
        let codes = [
            Exit::Verified,
            Exit::Broken,
            Exit::Configuration,
            Exit::Denied,
            Exit::Unknown,
            Exit::RebuildNotStarted,
            Exit::RebuildFailed,
            Exit::RebuildRunning,
            Exit::RepairFailed,
            Exit::Bug,
            Exit::Interrupted,
            Exit::Terminated,
        ]
        .map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 70, 130, 143]);
    }
}
