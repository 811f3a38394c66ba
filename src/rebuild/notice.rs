//! What a rebuild reports while it runs, one line each.

use std::fmt;
use std::time::Duration;

use super::waiting::Waiting;
use crate::rebuild::woodpecker::{ApiError, Status, VARIABLES_UNSEEN};
use crate::report::PipelineSummary;

/// An event that a person who watches needs to see at once. Names in it are the server's: untrusted
/// text.
#[derive(Clone, Debug)]
pub enum Notice {
    /// The server is the one version that hides variables.
    VariablesUnseen,
    /// The pipeline that is restarted has variables of these names already, and the server keeps
    /// their old values.
    VariablesKept {
        /// Its number.
        number: u64,
        /// The names.
        names: Vec<String>,
    },
    /// The server will end the pipeline that we run in when the other one starts.
    EndsOurs {
        /// Their event.
        event: String,
    },
    /// A request failed and is repeated.
    Again {
        /// How it failed.
        error: ApiError,
        /// How long we wait first.
        wait: Duration,
    },
    /// The answer to the request to start was lost: the list is searched before anything else is
    /// started.
    Searching {
        /// How it was lost.
        error: ApiError,
    },
    /// The newest pipeline of the branch is not the one that is restarted, because nobody has
    /// approved it.
    PassedOver {
        /// Its number.
        number: u64,
        /// Whether it is blocked or declined.
        status: Status,
        /// The one that is restarted.
        instead: u64,
    },
    /// The pipeline was started.
    Started {
        /// That pipeline.
        pipeline: PipelineSummary,
    },
    /// Its status changed, or some time has passed.
    Now {
        /// Its number.
        number: u64,
        /// Its status, or that of the workflows that decide.
        status: Status,
        /// Since it was started.
        elapsed: Duration,
    },
    /// A person must approve it.
    Blocked {
        /// Its page.
        url: String,
    },
    /// No agent has taken the pipeline for a while.
    Waiting {
        /// Its number.
        number: u64,
        /// For how long it has been pending.
        elapsed: Duration,
        /// What it waits for, as far as the server says.
        waiting: Waiting,
    },
    /// The pipeline has no workflows, so nothing can run.
    Unborn {
        /// Its number.
        number: u64,
        /// Its status.
        status: Status,
        /// Since it was seen first.
        elapsed: Duration,
        /// When it will be given up, counted from then.
        until: Duration,
    },
    /// The server's answers are not usable; asking continues.
    Trouble {
        /// How a look failed.
        error: ApiError,
    },
}

impl Notice {
    /// Whether it deserves more attention than progress.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::Started { .. } | Self::Now { .. })
    }

    /// What a person can do about it while it lasts.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Waiting { waiting, .. } => Some(waiting.advice()),
            _ => None,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VariablesUnseen => f.write_str(VARIABLES_UNSEEN),
            Self::VariablesKept { number, names } => write!(
                f,
                "the restart keeps the values that pipeline #{number} has for {}, not those of \
                 `variables`",
                names.join(", ")
            ),
            Self::EndsOurs { event } => write!(
                f,
                "the server ends this pipeline as soon as the other one starts, because the \
                 repository has \"Cancel previous pipelines\" on for the event `{event}`: the \
                 other one will have the result"
            ),
            Self::Again { error, wait } => write!(f, "{error}; retrying in {}", in_words(*wait)),
            Self::Searching { error } => {
                write!(
                    f,
                    "{error}; checking whether a pipeline was started all the same"
                )
            }
            Self::PassedOver {
                number,
                status,
                instead,
            } => write!(
                f,
                "pipeline #{number} is {status}, so the newest approved one is restarted: \
                 #{instead}"
            ),
            Self::Started { pipeline } => write!(
                f,
                "pipeline #{} was started: {}",
                pipeline.number, pipeline.url
            ),
            Self::Now {
                number,
                status,
                elapsed,
            } => {
                write!(
                    f,
                    "pipeline #{number} is {status} after {}",
                    in_words(*elapsed)
                )
            }
            Self::Blocked { url } => {
                write!(
                    f,
                    "the pipeline waits until someone with push access to the repository approves \
                     it: {url}"
                )
            }
            Self::Waiting {
                number,
                elapsed,
                waiting,
            } => write!(
                f,
                "no agent has taken pipeline #{number} for {}: {waiting}",
                in_words(*elapsed)
            ),
            Self::Unborn {
                number,
                status,
                elapsed,
                until,
            } => write!(
                f,
                "pipeline #{number} is {status} and has no workflows after {}: the server may have \
                 died while it created it; after {} it is given up",
                in_words(*elapsed),
                in_words(*until)
            ),
            Self::Trouble { error } => write!(f, "{error}; the pipeline goes on, asking again"),
        }
    }
}

/// A duration as people write it, to the second; shorter ones to the millisecond.
pub(super) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{}ms", duration.as_millis()),
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let words = [250, 1_000, 59_999, 61_000, 3_600_000, 5_025_000]
            .map(|ms| in_words(Duration::from_millis(ms)));
        assert_eq!(
            words,
            ["250ms", "1s", "59s", "1m01s", "1h00m00s", "1h23m45s"]
        );
    }
}
