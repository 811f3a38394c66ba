//! Woodpecker's words for the status of a pipeline, a workflow or a step.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A status of Woodpecker 2.x or 3.x.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Noted, and nothing happened yet.
    #[default]
    Created,
    /// Waits for an agent.
    Pending,
    /// Runs.
    Running,
    /// Waits until a person approves it.
    Blocked,
    /// Succeeded: the only green status.
    Success,
    /// A step failed.
    Failure,
    /// The configuration or the system failed.
    Error,
    /// A person, or a newer pipeline, ended it.
    Killed,
    /// Canceled before it ran (since 3.14).
    Canceled,
    /// A person refused to approve it.
    Declined,
    /// Left out.
    Skipped,
    /// A word that this program does not know yet.
    Unknown(Box<str>),
}

impl Status {
    /// The server's word for it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Killed => "killed",
            Self::Canceled => "canceled",
            Self::Declined => "declined",
            Self::Skipped => "skipped",
            Self::Unknown(word) => word,
        }
    }

    /// Whether it will not change any more; an unknown word is believed to be an end when an end
    /// time is stated.
    #[must_use]
    pub fn is_over(&self, finished: bool) -> bool {
        match self {
            Self::Created | Self::Pending | Self::Running | Self::Blocked => false,
            Self::Success
            | Self::Failure
            | Self::Error
            | Self::Killed
            | Self::Canceled
            | Self::Declined
            | Self::Skipped => true,
            Self::Unknown(_) => finished,
        }
    }

    /// Whether a step or workflow with this status is where to look for the reason of a failure.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        matches!(self, Self::Failure | Self::Error | Self::Killed)
    }
}

impl From<&str> for Status {
    fn from(word: &str) -> Self {
        match word {
            "created" => Self::Created,
            "pending" => Self::Pending,
            "running" => Self::Running,
            "blocked" => Self::Blocked,
            "success" => Self::Success,
            "failure" => Self::Failure,
            "error" => Self::Error,
            "killed" => Self::Killed,
            "canceled" => Self::Canceled,
            "declined" => Self::Declined,
            "skipped" => Self::Skipped,
            other => Self::Unknown(other.into()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&*String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: [&str; 4] = ["created", "pending", "running", "blocked"];
    const OVER: [&str; 7] = [
        "success", "failure", "error", "killed", "canceled", "declined", "skipped",
    ];

    #[test]
    fn every_known_word_is_open_or_over_whatever_the_end_time_says() {
        for word in OPEN {
            assert!(!Status::from(word).is_over(true), "{word}");
        }
        for word in OVER {
            assert!(Status::from(word).is_over(false), "{word}");
        }
    }

    #[test]
    fn every_known_word_is_written_as_it_was_read() {
        for word in OPEN.into_iter().chain(OVER) {
            let status = Status::from(word);
            assert_eq!(status.as_str(), word);
            assert!(!matches!(status, Status::Unknown(_)), "{word}");
        }
    }

    #[test]
    fn an_unknown_word_is_over_when_an_end_time_is_stated() {
        let status = Status::from("paused");
        assert_eq!(status.to_string(), "paused");
        assert!(!status.is_over(false));
        assert!(status.is_over(true));
    }
}
