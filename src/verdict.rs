//! What a registry's answer says about the content it was asked for.

use std::time::Duration;

use oci_spec::image::Digest;

use crate::digest;
use crate::source::{Blob, Body, Fault, FaultKind, MANIFEST_LIMIT, Manifest};

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

/// What a descriptor promises of the content it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// What the content hashes to.
    pub digest: Digest,
    /// How long it is, in bytes.
    pub size: u64,
}

/// A verdict with its reason.
pub type Judgement = (Verdict, String);

fn ok() -> Judgement {
    (Verdict::Ok, String::new())
}

/// Judges a question that brought no content.
#[must_use]
pub fn judge_fault(fault: &Fault) -> Judgement {
    let verdict = match fault.kind {
        FaultKind::NotFound => Verdict::Missing,
        FaultKind::Denied => Verdict::Denied,
        FaultKind::RateLimited => Verdict::RateLimited,
        FaultKind::Unavailable => Verdict::Unavailable,
    };
    (verdict, fault.detail.clone())
}

/// Judges a manifest against the digest and the size it was promised with, as far as there was a promise.
///
/// Content alone is judged here; whether the bytes are a manifest is for [`crate::image::read`] to say.
#[must_use]
pub fn judge_manifest(digest: Option<&Digest>, size: Option<u64>, delivered: &Manifest) -> Judgement {
    let bytes = match &delivered.body {
        Body::Whole(bytes) => bytes,
        Body::TooLarge => {
            return (
                Verdict::Malformed,
                format!("the manifest is larger than {MANIFEST_LIMIT} bytes; no runtime pulls it"),
            );
        }
        Body::Cut { received: 0 } => {
            return (Verdict::Empty, "the registry says it is there and gives no bytes".into());
        }
        Body::Cut { received } => return (Verdict::Truncated, format!("the manifest ends after {received} bytes")),
    };
    if bytes.is_empty() && size != Some(0) {
        return (Verdict::Empty, "the registry says it is there and gives no bytes".into());
    }
    let length = bytes.len() as u64;
    if let Some(size) = size.filter(|size| *size != length) {
        let verdict = if length < size && digest.is_some_and(|digest| !matches(bytes, digest)) {
            Verdict::Truncated
        } else {
            Verdict::SizeMismatch
        };
        return (verdict, expected_size(size, length));
    }
    let claimed = delivered.claimed.as_deref().and_then(|claimed| claimed.parse::<Digest>().ok());
    match digest {
        Some(digest) => match digest::of_bytes(bytes, digest) {
            None => (Verdict::Unsupported, format!("the digest algorithm {} is not known", digest.algorithm())),
            Some(actual) if actual == *digest => ok(),
            Some(actual) => (Verdict::DigestMismatch, format!("the bytes hash to {actual}")),
        },
        // A runtime resolves a tag to the digest that the header claims, and then checks the bytes against it.
        None => match claimed {
            Some(claimed) if digest::is_supported(&claimed) && !matches(bytes, &claimed) => (
                Verdict::DigestMismatch,
                format!("the registry says {claimed}, the bytes hash to {}", digest::sha256(bytes)),
            ),
            _ => ok(),
        },
    }
}

fn matches(bytes: &[u8], digest: &Digest) -> bool {
    digest::of_bytes(bytes, digest).is_some_and(|actual| actual == *digest)
}

/// Judges a look at a blob against its descriptor.
#[must_use]
pub fn judge_blob(promise: &Promise, delivered: &Blob) -> Judgement {
    let size = promise.size;
    match delivered {
        Blob::Stated { length } | Blob::OtherLength { length } | Blob::LastByte { length: Some(length) }
            if *length != size =>
        {
            shorter_or_other(size, *length, matches!(delivered, Blob::OtherLength { .. }))
        }
        Blob::Shorter { length: Some(0) } => {
            (Verdict::Empty, format!("{}; the registry has it with no bytes", expected(size)))
        }
        Blob::Shorter { length: Some(length) } => (Verdict::Truncated, expected_size(size, *length)),
        Blob::Shorter { length: None } => {
            (Verdict::Truncated, format!("{}; the registry has no byte at that place", expected(size)))
        }
        Blob::Cut { received: Some(0) } => {
            (Verdict::Empty, format!("{}; the registry says it is there and gives no bytes", expected(size)))
        }
        Blob::Cut { received: Some(received) } => {
            (Verdict::Truncated, format!("{}; the data ends after {received}", expected(size)))
        }
        Blob::Cut { received: None } => (
            Verdict::Truncated,
            format!("{}; the registry states that size, and the data ends before it", expected(size)),
        ),
        Blob::Whole { length, .. } if *length != size => shorter_or_other(size, *length, true),
        Blob::Whole { digest, .. } if *digest != promise.digest => {
            (Verdict::DigestMismatch, format!("the {size} bytes hash to {digest}"))
        }
        Blob::Stated { .. } | Blob::OtherLength { .. } | Blob::LastByte { .. } | Blob::Whole { .. } => ok(),
    }
}

/// A length that is not the promised one: of bytes that were really served (`served`), a short one means that data is lost.
fn shorter_or_other(size: u64, length: u64, served: bool) -> Judgement {
    let verdict = match length {
        0 if served => Verdict::Empty,
        _ if served && length < size => Verdict::Truncated,
        _ => Verdict::SizeMismatch,
    };
    (verdict, expected_size(size, length))
}

fn expected(size: u64) -> String {
    format!("expected {size} {}", if size == 1 { "byte" } else { "bytes" })
}

fn expected_size(size: u64, length: u64) -> String {
    format!("{}, the registry has {length}", expected(size))
}
