//! What a registry's answer says about the content it was asked for.

use std::time::Duration;

/// The judgement of one digest. The words of [`Verdict::as_str`] are the values in the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything that was asked for is there, and is what its digest says.
    Ok,
    /// The registry answers 404, and still does after the settle window.
    Missing,
    /// The registry says that it has the content, and gives no bytes.
    Empty,
    /// The content ends before the size that was promised.
    Truncated,
    /// The content has another size than was promised.
    SizeMismatch,
    /// The bytes hash to another digest.
    DigestMismatch,
    /// Not a valid manifest, or one whose types contradict each other.
    Malformed,
    /// A form that no current tool can pull or check: schema 1, an unknown digest algorithm.
    Unsupported,
    /// 401 or 403: the credentials are refused, or there are none.
    Denied,
    /// 429, after all attempts.
    RateLimited,
    /// 5xx, network, TLS or timeout, after all attempts.
    Unavailable,
    /// Not asked for, because its parent could not be read.
    NotChecked,
    /// Deliberately not asked for: foreign, inline, or allowed to be missing.
    Skipped,
}

impl Verdict {
    /// Every verdict, in the order of the contract.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Missing,
        Self::Empty,
        Self::Truncated,
        Self::SizeMismatch,
        Self::DigestMismatch,
        Self::Malformed,
        Self::Unsupported,
        Self::Denied,
        Self::RateLimited,
        Self::Unavailable,
        Self::NotChecked,
        Self::Skipped,
    ];

    /// The word for it in the JSON report and in text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::SizeMismatch => "size_mismatch",
            Self::DigestMismatch => "digest_mismatch",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Denied => "denied",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::NotChecked => "not_checked",
            Self::Skipped => "skipped",
        }
    }

    /// Whether this is a definite fault of the content: asking again, or as somebody else, would not help.
    #[must_use]
    pub fn is_definite(self) -> bool {
        matches!(
            self,
            Self::Missing
                | Self::Empty
                | Self::Truncated
                | Self::SizeMismatch
                | Self::DigestMismatch
                | Self::Malformed
                | Self::Unsupported
        )
    }

    /// Whether the question was put and got no answer about the content.
    #[must_use]
    pub fn is_undecided(self) -> bool {
        matches!(self, Self::Denied | Self::RateLimited | Self::Unavailable | Self::NotChecked)
    }
}

/// A verdict with what led to it: what a person needs to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// What was expected and what came, as a fragment that fits behind a colon; empty when all is well.
    pub detail: String,
    /// The HTTP status of the answer that decided, if there was one.
    pub status: Option<u16>,
    /// How many requests this one question took; 0 when none was sent.
    pub attempts: u32,
    /// From the first request to the last byte of the last answer.
    pub duration: Duration,
}

impl Outcome {
    /// An outcome that needed no request.
    #[must_use]
    pub fn unasked(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into(), status: None, attempts: 0, duration: Duration::ZERO }
    }
}
