//! The verdict that follows from a registry's answer.

use std::time::Duration;

use oci_spec::image::Digest;

use super::cause::Cause;
use super::source::{Blob, Body, Fault, FaultKind, Manifest};
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::flaw::Flaw;

/// The verdict on one digest. The words of [`Verdict::as_str`] are the values in the JSON report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything that was asked for is there, and is what its digest says.
    Ok,
    /// The registry answers 404, and still does after the settle window.
    Missing,
    /// The registry says that it has the content, but sends no bytes.
    Empty,
    /// The content ends before the size that was promised.
    Truncated,
    /// The content does not have the promised size.
    SizeMismatch,
    /// The bytes hash to another digest.
    DigestMismatch,
    /// Not a valid manifest, or one whose types contradict each other.
    Malformed,
    /// A form that no current tool can pull or check: schema 1, an unknown digest algorithm.
    Unsupported,
    /// 401 or 403: the credentials are refused or missing.
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

    /// Whether this is a definite fault of the content: asking again, or with another login, would
    /// not help.
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

    /// Whether the content was asked for without a usable answer.
    #[must_use]
    pub fn is_undecided(self) -> bool {
        matches!(
            self,
            Self::Denied | Self::RateLimited | Self::Unavailable | Self::NotChecked
        )
    }
}

/// A verdict with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Why.
    pub cause: Cause,
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
    pub fn unasked(verdict: Verdict, cause: Cause) -> Self {
        Self {
            verdict,
            cause,
            status: None,
            attempts: 0,
            duration: Duration::ZERO,
        }
    }
}

/// A verdict with its cause.
pub type VerdictAndCause = (Verdict, Cause);

const OK: VerdictAndCause = (Verdict::Ok, Cause::Plain);

/// Judges a question without content in its answer.
#[must_use]
pub fn judge_fault(fault: &Fault) -> VerdictAndCause {
    let verdict = match fault.kind {
        FaultKind::NotFound => Verdict::Missing,
        FaultKind::Denied => Verdict::Denied,
        FaultKind::RateLimited => Verdict::RateLimited,
        FaultKind::Unavailable => Verdict::Unavailable,
    };
    (verdict, fault.cause.clone())
}

/// The verdict on content that can be used, but not by every client.
#[must_use]
pub fn judge_refusal(cause: &Cause) -> Verdict {
    match cause {
        Cause::Unusable(flaw) if flaw.is_unsupported() => Verdict::Unsupported,
        Cause::InlineWrong(_) => Verdict::DigestMismatch,
        _ => Verdict::Malformed,
    }
}

/// Judges a document or descriptor that cannot be used.
#[must_use]
pub fn judge_flaw(flaw: Flaw) -> VerdictAndCause {
    let verdict = if flaw.is_unsupported() {
        Verdict::Unsupported
    } else {
        Verdict::Malformed
    };
    (verdict, Cause::Unusable(flaw))
}

/// Judges a manifest against the digest and the size it was promised with, as far as there was a
/// promise.
///
/// Content alone is judged here; whether the bytes are a manifest is for
/// `oci::manifest::read` to say.
#[must_use]
pub fn judge_manifest(
    digest: Option<&Digest>,
    size: Option<u64>,
    delivered: &Manifest,
) -> VerdictAndCause {
    let none = (Verdict::Empty, Cause::NoBytes { expected: None });
    let bytes = match &delivered.body {
        Body::Whole(bytes) if bytes.is_empty() && size != Some(0) => return none,
        Body::Whole(bytes) => bytes,
        Body::TooLarge => return (Verdict::Malformed, Cause::ManifestTooLarge),
        Body::Cut { received: 0 } => return none,
        Body::Cut { received } => {
            let (expected, received) = (None, Some(*received));
            return (Verdict::Truncated, Cause::EndsEarly { expected, received });
        }
    };
    let actual = bytes.len() as u64;
    if let Some(expected) = size.filter(|size| *size != actual) {
        let is_right = digest.is_some_and(|digest| matches(bytes, digest));
        return match is_right {
            true => (
                Verdict::SizeMismatch,
                Cause::MisstatedSize { expected, actual },
            ),
            false if actual < expected => {
                (Verdict::Truncated, Cause::OtherSize { expected, actual })
            }
            false => (Verdict::SizeMismatch, Cause::OtherSize { expected, actual }),
        };
    }
    match digest {
        Some(digest) => judge_digest(digest, bytes),
        None => OK,
    }
}

fn judge_digest(digest: &Digest, bytes: &[u8]) -> VerdictAndCause {
    match digest::of_bytes(bytes, digest) {
        None => judge_flaw(Flaw::UnknownAlgorithm(digest.as_ref().into())),
        Some(actual) if actual == *digest => OK,
        Some(actual) => {
            let (size, actual) = (None, Some(Box::new(actual)));
            (Verdict::DigestMismatch, Cause::OtherDigest { size, actual })
        }
    }
}

fn matches(bytes: &[u8], digest: &Digest) -> bool {
    digest::of_bytes(bytes, digest).is_some_and(|actual| actual == *digest)
}

/// Judges a look at a blob against its descriptor.
#[must_use]
pub fn judge_blob(promise: &Promise, delivered: &Blob) -> VerdictAndCause {
    let size = promise.size;
    let expected = Some(size);
    match delivered {
        Blob::Stated { length }
        | Blob::LastByte {
            length: Some(length),
        } if *length != size => other_size(size, *length, false),
        Blob::Whole { length, digest, .. } if *length != size && *digest == promise.digest => {
            let (expected, actual) = (size, *length);
            (
                Verdict::SizeMismatch,
                Cause::MisstatedSize { expected, actual },
            )
        }
        Blob::OtherLength { length } | Blob::Begun { length } | Blob::Whole { length, .. }
            if *length != size =>
        {
            other_size(size, *length, true)
        }
        Blob::Cut { received: Some(0) } => (Verdict::Empty, Cause::NoBytes { expected }),
        Blob::Cut { received } => {
            let received = *received;
            (Verdict::Truncated, Cause::EndsEarly { expected, received })
        }
        Blob::Whole { digest, .. } if *digest != promise.digest => {
            let actual = Some(Box::new(digest.clone()));
            let cause = Cause::OtherDigest {
                size: expected,
                actual,
            };
            (Verdict::DigestMismatch, cause)
        }
        Blob::Begun { .. } | Blob::Proven { is_begun: true, .. } => {
            (Verdict::Ok, Cause::LastByteUnchecked)
        }
        Blob::Encoded(encoding) => judge_flaw(Flaw::Encoded(encoding.as_str().into())),
        Blob::Stated { .. }
        | Blob::Proven { .. }
        | Blob::OtherLength { .. }
        | Blob::LastByte { .. }
        | Blob::Whole { .. } => OK,
    }
}

/// A length other than the promised one; if the bytes were really served (`served`), a short one
/// means that data is lost.
fn other_size(expected: u64, actual: u64, served: bool) -> VerdictAndCause {
    let verdict = match actual {
        0 if served => Verdict::Empty,
        _ if served && actual < expected => Verdict::Truncated,
        _ => Verdict::SizeMismatch,
    };
    (verdict, Cause::OtherSize { expected, actual })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8] = b"{\"schemaVersion\":2}";

    fn promise(size: u64) -> Promise {
        Promise {
            digest: digest::sha256(BYTES),
            size,
        }
    }

    fn manifest(bytes: &[u8]) -> Manifest {
        Manifest {
            body: Body::Whole(bytes.to_vec()),
            content_type: None,
            claimed: None,
        }
    }

    fn judged(bytes: &[u8], digest: Option<&Digest>, size: Option<u64>) -> Verdict {
        judge_manifest(digest, size, &manifest(bytes)).0
    }

    #[test]
    fn every_verdict_has_its_own_word_and_at_most_one_side() {
        let words: std::collections::BTreeSet<&str> = Verdict::ALL
            .iter()
            .map(|verdict| verdict.as_str())
            .collect();
        assert_eq!(words.len(), Verdict::ALL.len());
        let sides = |verdict: Verdict| (verdict.is_definite(), verdict.is_undecided());
        for verdict in Verdict::ALL {
            let expected = match verdict {
                Verdict::Ok | Verdict::Skipped => (false, false),
                Verdict::Denied
                | Verdict::RateLimited
                | Verdict::Unavailable
                | Verdict::NotChecked => (false, true),
                _ => (true, false),
            };
            assert_eq!(sides(verdict), expected, "{verdict:?}");
        }
    }

    #[test]
    fn each_fault_has_its_verdict_and_keeps_its_cause() {
        for (kind, verdict) in [
            (FaultKind::NotFound, Verdict::Missing),
            (FaultKind::Denied, Verdict::Denied),
            (FaultKind::RateLimited, Verdict::RateLimited),
            (FaultKind::Unavailable, Verdict::Unavailable),
        ] {
            assert_eq!(
                judge_fault(&Fault {
                    kind,
                    cause: Cause::TooDeep,
                }),
                (verdict, Cause::TooDeep)
            );
        }
    }

    #[test]
    fn a_manifest_is_judged_by_its_digest_and_size() {
        let right = digest::sha256(BYTES);
        let length = BYTES.len() as u64;
        assert_eq!(judged(BYTES, Some(&right), Some(length)), Verdict::Ok);
        assert_eq!(judged(BYTES, Some(&right), None), Verdict::Ok);
        assert_eq!(judged(BYTES, None, None), Verdict::Ok);
        assert_eq!(
            judged(BYTES, Some(&digest::sha256(b"other")), Some(length)),
            Verdict::DigestMismatch
        );
        assert_eq!(
            judged(BYTES, Some(&right), Some(length + 1)),
            Verdict::SizeMismatch
        );
        assert_eq!(
            judged(BYTES, Some(&right), Some(length - 1)),
            Verdict::SizeMismatch
        );
        assert_eq!(
            judged(&BYTES[1..], Some(&right), Some(length)),
            Verdict::Truncated
        );
        assert_eq!(
            judged(
                b"longer than it should be by far",
                Some(&right),
                Some(length)
            ),
            Verdict::SizeMismatch
        );
        assert_eq!(judged(b"", Some(&right), Some(length)), Verdict::Empty);
        assert_eq!(judged(b"", None, None), Verdict::Empty);
        assert_eq!(
            judged(b"", Some(&digest::sha256(b"")), Some(0)),
            Verdict::Ok
        );
    }

    #[test]
    fn a_manifest_by_an_unknown_algorithm_is_unsupported() {
        let unknown: Digest = "md5:d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
        assert_eq!(judged(BYTES, Some(&unknown), None), Verdict::Unsupported);
    }

    #[test]
    fn a_manifest_that_does_not_come_whole_is_recognised() {
        let cut = |received| Manifest {
            body: Body::Cut { received },
            ..manifest(b"")
        };
        assert_eq!(judge_manifest(None, None, &cut(0)).0, Verdict::Empty);
        assert_eq!(judge_manifest(None, None, &cut(1)).0, Verdict::Truncated);
        let large = Manifest {
            body: Body::TooLarge,
            ..manifest(b"")
        };
        assert_eq!(judge_manifest(None, None, &large).0, Verdict::Malformed);
    }

    #[test]
    fn every_look_at_a_blob_has_its_verdict() {
        let right = promise(10).digest;
        let whole = |length, digest: &Digest| Blob::Whole {
            length,
            digest: digest.clone(),
            bytes: None,
        };
        let other = digest::sha256(b"other");
        for (blob, verdict) in [
            (Blob::Stated { length: 10 }, Verdict::Ok),
            (Blob::Stated { length: 9 }, Verdict::SizeMismatch),
            (Blob::Stated { length: 11 }, Verdict::SizeMismatch),
            (Blob::Stated { length: 0 }, Verdict::SizeMismatch),
            (Blob::LastByte { length: Some(10) }, Verdict::Ok),
            (Blob::LastByte { length: None }, Verdict::Ok),
            (Blob::LastByte { length: Some(11) }, Verdict::SizeMismatch),
            (Blob::OtherLength { length: 10 }, Verdict::Ok),
            (Blob::OtherLength { length: 11 }, Verdict::SizeMismatch),
            (Blob::OtherLength { length: 9 }, Verdict::Truncated),
            (Blob::OtherLength { length: 0 }, Verdict::Empty),
            (Blob::Cut { received: Some(0) }, Verdict::Empty),
            (Blob::Cut { received: Some(4) }, Verdict::Truncated),
            (Blob::Cut { received: None }, Verdict::Truncated),
            (whole(10, &right), Verdict::Ok),
            (whole(10, &other), Verdict::DigestMismatch),
            (whole(9, &other), Verdict::Truncated),
            (whole(0, &other), Verdict::Empty),
            (whole(11, &other), Verdict::SizeMismatch),
            (whole(11, &right), Verdict::SizeMismatch),
        ] {
            let (judged, cause) = judge_blob(&promise(10), &blob);
            assert_eq!(judged, verdict, "{blob:?}");
            assert_eq!(
                cause == Cause::Plain,
                verdict == Verdict::Ok,
                "{blob:?}: {cause:?}"
            );
        }
    }

    #[test]
    fn causes_hold_what_was_expected_and_what_came() {
        let cause = |size, blob| judge_blob(&promise(size), &blob).1;
        let (expected, actual) = (1, 2);
        assert_eq!(
            cause(1, Blob::Stated { length: 2 }),
            Cause::OtherSize { expected, actual }
        );
        let (expected, received) = (Some(10), Some(4));
        assert_eq!(
            cause(10, Blob::Cut { received }),
            Cause::EndsEarly { expected, received }
        );
    }
}
