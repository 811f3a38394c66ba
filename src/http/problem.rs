//! Why a request brought no answer, told without its URL.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::addresses::{Forbidden, UnknownHost};

/// What stands in the way to a registry, and people can remove once they know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The name of the host leads nowhere.
    UnknownHost,
    /// The connection is refused.
    NobodyListens,
    /// The peer was asked in TLS and does not speak it.
    WithoutTls,
    /// The peer was asked in plain HTTP and does not speak it.
    WithoutPlainHttp,
    /// A web page came where a registry's answer belongs.
    WebPage,
    /// Nobody who is trusted has signed the certificate.
    UnknownIssuer,
    /// The certificate is for another name or another time, or is wrong otherwise.
    BadCertificate,
}

/// What kind of trouble it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// No connection, or it broke.
    Connection,
    /// The peer speaks no TLS, its certificate is not believed, or the handshake failed.
    Tls,
    /// The peer's answer is not HTTP.
    NotHttp,
    /// The body ended, cleanly, before its stated length.
    Cut,
    /// In HTTP/2 the answer ended with its headers, which state a body: the headers were not seen.
    Headless,
    /// Nothing came within the time limit.
    Timeout,
    /// We do not go there.
    Refused,
}

/// Why a request brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of trouble.
    pub kind: ProblemKind,
    /// For a person, as a fragment.
    pub text: String,
    /// What stands in the way, if it is something that a person can remove.
    pub obstacle: Option<Obstacle>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Problem {
    /// A problem of our own finding.
    #[must_use]
    pub fn new(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            obstacle: None,
        }
    }

    /// Whether the peer answered a TLS handshake with something else.
    #[must_use]
    pub fn is_without_tls(&self) -> bool {
        self.obstacle == Some(Obstacle::WithoutTls)
    }

    /// Whether the peer speaks TLS, although no request got through.
    #[must_use]
    pub fn shows_tls(&self) -> bool {
        self.kind == ProblemKind::Tls && !self.is_without_tls()
    }

    /// Whether another try may bring an answer.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ProblemKind::Connection
            | ProblemKind::Cut
            | ProblemKind::Headless
            | ProblemKind::Timeout
            | ProblemKind::NotHttp => true,
            ProblemKind::Tls | ProblemKind::Refused => false,
        }
    }
}

impl From<reqwest::Error> for Problem {
    fn from(error: reqwest::Error) -> Self {
        let connecting = error.is_connect();
        let in_body = error.is_body() || error.is_decode();
        let error = error.without_url();
        let mut chain: Vec<&(dyn StdError + 'static)> = Vec::new();
        let mut next: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(link) = next {
            chain.push(link);
            // An `io::Error` made from another error hides it from `source`.
            next = match link
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(inner) => Some(inner),
                None => link.source(),
            };
        }
        let text = chain.last().map_or_else(String::new, ToString::to_string);
        if let Some(forbidden) = chain
            .iter()
            .find_map(|link| link.downcast_ref::<Forbidden>())
        {
            return Self::new(ProblemKind::Refused, forbidden.to_string());
        }
        // Once the connection is made, a fault of TLS is one of this connection and not of who it was made to.
        if let Some(tls) = chain
            .iter()
            .find_map(|link| link.downcast_ref::<rustls::Error>())
            .filter(|_| connecting)
        {
            let (text, obstacle) = explain_tls(tls);
            return Self {
                obstacle,
                ..Self::new(ProblemKind::Tls, text)
            };
        }
        let io_kinds: Vec<io::ErrorKind> = chain
            .iter()
            .filter_map(|link| link.downcast_ref::<io::Error>())
            .map(io::Error::kind)
            .collect();
        let shown: Vec<String> = chain.iter().map(ToString::to_string).collect();
        let says = |words: &str| shown.iter().any(|text| text.contains(words));
        let kind = if io_kinds.contains(&io::ErrorKind::TimedOut) {
            ProblemKind::Timeout
        } else if in_body
            && (io_kinds.contains(&io::ErrorKind::UnexpectedEof)
                || says("end of file before message length")
                // In HTTP/2 a body that is too short, or that a proxy lost its source of, ends one stream and not the connection.
                || says("stream error detected")
                || says("stream error received: unexpected internal error"))
        {
            ProblemKind::Cut
        } else if !connecting
            && !in_body
            && says("stream error detected: unspecific protocol error")
        {
            ProblemKind::Headless
        } else if says("invalid HTTP") || says("error parsing") || says("invalid URI") {
            ProblemKind::NotHttp
        } else {
            ProblemKind::Connection
        };
        let text = match (kind, connecting) {
            (ProblemKind::Cut, _) => "the body ended before its stated length".to_owned(),
            (ProblemKind::Headless, _) => "the answer ended where its body should begin".to_owned(),
            (ProblemKind::NotHttp, _) => format!("the answer is not HTTP ({text})"),
            (_, true) => format!("cannot connect: {text}"),
            (_, false) => format!("the connection broke: {text}"),
        };
        let obstacle = if chain
            .iter()
            .any(|link| link.downcast_ref::<UnknownHost>().is_some())
        {
            Some(Obstacle::UnknownHost)
        } else if connecting && io_kinds.contains(&io::ErrorKind::ConnectionRefused) {
            Some(Obstacle::NobodyListens)
        } else {
            None
        };
        Self {
            obstacle,
            ..Self::new(kind, text)
        }
    }
}

fn explain_tls(error: &rustls::Error) -> (String, Option<Obstacle>) {
    use rustls::{CertificateError, Error};
    let (text, obstacle) = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "the certificate is signed by an unknown authority (UnknownIssuer)",
            Obstacle::UnknownIssuer,
        ),
        // An authority of a name that we know, and with another key: made anew, or an impostor.
        Error::InvalidCertificate(CertificateError::BadSignature) => (
            "the certificate is signed by an unknown authority of a known name (BadSignature)",
            Obstacle::UnknownIssuer,
        ),
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => ("the certificate has expired", Obstacle::BadCertificate),
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "the certificate is for another name",
            Obstacle::BadCertificate,
        ),
        Error::InvalidMessage(_) => ("the peer does not speak TLS", Obstacle::WithoutTls),
        other => {
            let bad =
                matches!(other, Error::InvalidCertificate(_)).then_some(Obstacle::BadCertificate);
            return (format!("the TLS handshake failed: {other}"), bad);
        }
    };
    (text.to_owned(), Some(obstacle))
}
