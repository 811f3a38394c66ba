//! Why a request has no answer, without its URL.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::addresses::{Forbidden, UnknownHost};

/// What kind of problem it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The name of the host does not resolve.
    UnknownHost,
    /// Nothing listens on the port.
    ConnectionRefused,
    /// There is no way to the address: no network, or none of its kind.
    Unreachable,
    /// No connection for another reason, or it broke.
    Connection,
    /// The peer was addressed in TLS and does not speak it.
    WithoutTls,
    /// The peer was addressed in plain HTTP and does not speak it.
    WithoutPlainHttp,
    /// The certificate is signed by an unknown authority.
    UnknownIssuer,
    /// The certificate is for another name or another time, or is invalid otherwise.
    BadCertificate,
    /// The TLS handshake failed for another reason.
    Handshake,
    /// The answer is not HTTP.
    NotHttp,
    /// The answer is a web page where data belongs.
    WebPage,
    /// The body ended, cleanly, before its stated length.
    Cut,
    /// In HTTP/2 the answer ended with its headers, which state a body: the headers were not seen.
    Headless,
    /// Nothing came within the time limit.
    Timeout,
    /// The address is not allowed, or the content is not read.
    Refused,
    /// What should be sent could not be read here.
    Unreadable,
}

impl ProblemKind {
    /// Whether there was no connection, or it broke.
    #[must_use]
    pub fn is_connection(self) -> bool {
        matches!(
            self,
            Self::UnknownHost | Self::ConnectionRefused | Self::Unreachable | Self::Connection
        )
    }

    /// Whether the peer speaks TLS, although no request got through.
    #[must_use]
    pub fn shows_tls(self) -> bool {
        matches!(
            self,
            Self::UnknownIssuer | Self::BadCertificate | Self::Handshake
        )
    }

    /// Whether another try may bring an answer.
    #[must_use]
    pub fn is_transient(self) -> bool {
        match self {
            Self::UnknownHost
            | Self::ConnectionRefused
            | Self::Unreachable
            | Self::Connection
            | Self::WithoutPlainHttp
            | Self::NotHttp
            | Self::WebPage
            | Self::Cut
            | Self::Headless
            | Self::Timeout => true,
            Self::WithoutTls
            | Self::UnknownIssuer
            | Self::BadCertificate
            | Self::Handshake
            | Self::Refused
            | Self::Unreadable => false,
        }
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem.
    pub kind: ProblemKind,
    /// For a person, as a fragment.
    pub text: String,
    /// Whether the server certainly has not seen the request.
    pub unsent: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Problem {
    /// A problem with an answer, or with a request that the server may have seen.
    #[must_use]
    pub fn new(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            unsent: false,
        }
    }

    /// A problem before anything was sent.
    #[must_use]
    pub fn unsent(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self {
            unsent: true,
            ..Self::new(kind, text)
        }
    }

    /// The problem of a request to an address in `https` (`encrypted`) or in `http`.
    pub(super) fn with_request(error: reqwest::Error, encrypted: bool) -> Self {
        let problem = Self::from(error);
        match problem.kind {
            ProblemKind::NotHttp if !encrypted => Self {
                kind: ProblemKind::WithoutPlainHttp,
                ..problem
            },
            _ => problem,
        }
    }
}

impl From<reqwest::Error> for Problem {
    fn from(error: reqwest::Error) -> Self {
        let stage = Stage::of(&error);
        let unsent = error.is_connect() || error.is_builder();
        let error = error.without_url();
        let causes = causes(&error);
        let kind = refused_kind(&causes)
            .or_else(|| tls_kind(first(&causes)?, stage))
            .or_else(|| io_kind(&causes, stage))
            .or_else(|| worded_kind(&causes, stage))
            .or_else(|| unreachable_kind(&causes, stage))
            .unwrap_or(ProblemKind::Connection);
        Self {
            kind,
            text: sentence(kind, stage, &causes),
            unsent,
        }
    }
}

/// How far an exchange was when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Asking,
    Reading,
}

impl Stage {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_connect() {
            Self::Connecting
        } else if error.is_body() || error.is_decode() {
            Self::Reading
        } else {
            Self::Asking
        }
    }
}

type Source<'a> = &'a (dyn StdError + 'static);

/// The error and what caused it, link by link.
fn causes(error: Source<'_>) -> Vec<Source<'_>> {
    std::iter::successors(Some(error), |link| cause(*link)).collect()
}

/// What caused an error; an `io::Error` made from another error hides it from `source`.
fn cause(error: Source<'_>) -> Option<Source<'_>> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn first<'a, T: StdError + 'static>(causes: &[Source<'a>]) -> Option<&'a T> {
    causes.iter().find_map(|link| link.downcast_ref())
}

fn refused_kind(causes: &[Source<'_>]) -> Option<ProblemKind> {
    first::<Forbidden>(causes).map(|_| ProblemKind::Refused)
}

/// Once the connection is made, a TLS error is about this connection, not about the peer.
fn tls_kind(error: &rustls::Error, stage: Stage) -> Option<ProblemKind> {
    use rustls::{CertificateError, Error};
    if stage != Stage::Connecting {
        return None;
    }
    Some(match error {
        // With a bad signature the authority has a name that we know, and another key.
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => ProblemKind::UnknownIssuer,
        Error::InvalidCertificate(_) => ProblemKind::BadCertificate,
        Error::InvalidMessage(_) => ProblemKind::WithoutTls,
        _ => ProblemKind::Handshake,
    })
}

fn io_kind(causes: &[Source<'_>], stage: Stage) -> Option<ProblemKind> {
    let has = |kind| io_kinds(causes).any(|found| found == kind);
    if has(io::ErrorKind::TimedOut) {
        Some(ProblemKind::Timeout)
    } else if stage == Stage::Reading && has(io::ErrorKind::UnexpectedEof) {
        Some(ProblemKind::Cut)
    } else {
        None
    }
}

fn io_kinds(causes: &[Source<'_>]) -> impl Iterator<Item = io::ErrorKind> {
    causes
        .iter()
        .filter_map(|link| link.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

/// Recognised only by the messages of hyper and h2, which have no public types for these.
fn worded_kind(causes: &[Source<'_>], stage: Stage) -> Option<ProblemKind> {
    /// In HTTP/2 a body that is too short, or whose source a proxy lost, ends one stream and not
    /// the connection.
    const CUT: [&str; 3] = [
        "end of file before message length",
        "stream error detected",
        "stream error received: unexpected internal error",
    ];
    const HEADLESS: [&str; 1] = ["stream error detected: unspecific protocol error"];
    const NOT_HTTP: [&str; 3] = ["invalid HTTP", "error parsing", "invalid URI"];
    let says = |words: &[&str]| {
        causes
            .iter()
            .map(ToString::to_string)
            .any(|text| words.iter().any(|words| text.contains(words)))
    };
    match stage {
        Stage::Reading if says(&CUT) => Some(ProblemKind::Cut),
        Stage::Asking if says(&HEADLESS) => Some(ProblemKind::Headless),
        _ if says(&NOT_HTTP) => Some(ProblemKind::NotHttp),
        _ => None,
    }
}

fn unreachable_kind(causes: &[Source<'_>], stage: Stage) -> Option<ProblemKind> {
    if first::<UnknownHost>(causes).is_some() {
        return Some(ProblemKind::UnknownHost);
    }
    if stage != Stage::Connecting {
        return None;
    }
    io_kinds(causes).find_map(|kind| match kind {
        io::ErrorKind::ConnectionRefused => Some(ProblemKind::ConnectionRefused),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Some(ProblemKind::Unreachable)
        }
        _ => None,
    })
}

fn sentence(kind: ProblemKind, stage: Stage, causes: &[Source<'_>]) -> String {
    let last = causes.last().map_or_else(String::new, ToString::to_string);
    // The number of an error of the system says nothing to people.
    let last = match last.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => last,
    };
    match kind {
        ProblemKind::Refused => first::<Forbidden>(causes).map_or(last, ToString::to_string),
        ProblemKind::WithoutTls => "the peer does not speak TLS".to_owned(),
        ProblemKind::UnknownIssuer | ProblemKind::BadCertificate | ProblemKind::Handshake => {
            first(causes).map_or(last, handshake_sentence)
        }
        ProblemKind::Cut => "the body ended before its stated length".to_owned(),
        ProblemKind::Headless => "the answer ended where its body should begin".to_owned(),
        ProblemKind::NotHttp => format!("the answer is not HTTP ({last})"),
        _ if stage == Stage::Connecting => format!("cannot connect: {last}"),
        _ => format!("the connection broke: {last}"),
    }
}

fn handshake_sentence(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    let text = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is signed by an unknown authority (UnknownIssuer)"
        }
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the certificate is signed by an unknown authority that uses a known name \
             (BadSignature)"
        }
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the certificate has expired",
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is for another name",
        other => return format!("the TLS handshake failed: {other}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use rustls::{CertificateError, Error as TlsError};

    use super::*;

    /// An error of a library that has only a message.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Words(&'static str);

    #[test]
    fn a_tls_error_is_classified_while_connecting_and_not_later() {
        for (error, kind) in [
            (
                TlsError::InvalidCertificate(CertificateError::UnknownIssuer),
                ProblemKind::UnknownIssuer,
            ),
            (
                TlsError::InvalidCertificate(CertificateError::BadSignature),
                ProblemKind::UnknownIssuer,
            ),
            (
                TlsError::InvalidCertificate(CertificateError::Expired),
                ProblemKind::BadCertificate,
            ),
            (
                TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                ProblemKind::WithoutTls,
            ),
            (TlsError::DecryptError, ProblemKind::Handshake),
        ] {
            assert_eq!(tls_kind(&error, Stage::Connecting), Some(kind), "{error}");
            assert_eq!(tls_kind(&error, Stage::Reading), None, "{error}");
        }
    }

    #[test]
    fn an_error_within_an_io_error_is_found() {
        let forbidden = UnknownHost::NotFound {
            name: "nowhere.example".into(),
        };
        let error = io::Error::other(io::Error::other(forbidden));
        let causes = causes(&error);
        assert_eq!(
            unreachable_kind(&causes, Stage::Connecting),
            Some(ProblemKind::UnknownHost)
        );
        assert_eq!(
            sentence(ProblemKind::UnknownHost, Stage::Connecting, &causes),
            "cannot connect: there is no host named nowhere.example"
        );
    }

    #[test]
    fn io_errors_mean_different_things_at_different_stages() {
        let kind = |kind: io::ErrorKind, stage| {
            let error = io::Error::from(kind);
            let causes = causes(&error);
            io_kind(&causes, stage).or_else(|| unreachable_kind(&causes, stage))
        };
        for (io, stage, expected) in [
            (
                io::ErrorKind::TimedOut,
                Stage::Connecting,
                Some(ProblemKind::Timeout),
            ),
            (
                io::ErrorKind::UnexpectedEof,
                Stage::Reading,
                Some(ProblemKind::Cut),
            ),
            (io::ErrorKind::UnexpectedEof, Stage::Asking, None),
            (
                io::ErrorKind::ConnectionRefused,
                Stage::Connecting,
                Some(ProblemKind::ConnectionRefused),
            ),
            (io::ErrorKind::ConnectionRefused, Stage::Reading, None),
            (
                io::ErrorKind::NetworkUnreachable,
                Stage::Connecting,
                Some(ProblemKind::Unreachable),
            ),
            (
                io::ErrorKind::HostUnreachable,
                Stage::Connecting,
                Some(ProblemKind::Unreachable),
            ),
            (io::ErrorKind::HostUnreachable, Stage::Reading, None),
            (io::ErrorKind::ConnectionReset, Stage::Connecting, None),
        ] {
            assert_eq!(kind(io, stage), expected, "{io} {stage:?}");
        }
    }

    #[test]
    fn the_words_of_libraries_are_read_at_the_stage_they_belong_to() {
        let kind = |words, stage| {
            let error = Words(words);
            worded_kind(&causes(&error), stage)
        };
        let stream = "http2 error: stream error detected: unspecific protocol error detected";
        assert_eq!(kind(stream, Stage::Asking), Some(ProblemKind::Headless));
        assert_eq!(kind(stream, Stage::Reading), Some(ProblemKind::Cut));
        let parse = "invalid HTTP version parsed";
        assert_eq!(kind(parse, Stage::Asking), Some(ProblemKind::NotHttp));
        assert_eq!(kind("connection closed", Stage::Asking), None);
    }
}
