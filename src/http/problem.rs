//! Why a request brought no answer, told without its URL.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use super::addresses::Forbidden;

const WITHOUT_TLS: &str = "the peer does not speak TLS";

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
        Self { kind, text: text.into() }
    }

    /// Whether the peer answered a TLS handshake with something else.
    #[must_use]
    pub fn is_without_tls(&self) -> bool {
        self.kind == ProblemKind::Tls && self.text == WITHOUT_TLS
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
            next = match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => link.source(),
            };
        }
        let text = chain.last().map_or_else(String::new, ToString::to_string);
        if let Some(forbidden) = chain.iter().find_map(|link| find_forbidden(*link)) {
            return Self::new(ProblemKind::Refused, forbidden);
        }
        // Once the connection is made, a fault of TLS is one of this connection and not of who it was made to.
        if let Some(tls) = chain.iter().find_map(|link| link.downcast_ref::<rustls::Error>()).filter(|_| connecting) {
            return Self::new(ProblemKind::Tls, explain_tls(tls));
        }
        let io_kinds: Vec<io::ErrorKind> =
            chain.iter().filter_map(|link| link.downcast_ref::<io::Error>()).map(io::Error::kind).collect();
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
        } else if !connecting && !in_body && says("stream error detected: unspecific protocol error") {
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
        Self::new(kind, text)
    }
}

fn find_forbidden(link: &(dyn StdError + 'static)) -> Option<String> {
    // `anyhow` hands its error over as the innermost link of the chain.
    link.downcast_ref::<Forbidden>().map(ToString::to_string)
}

fn explain_tls(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate is signed by an unknown authority (UnknownIssuer)".to_owned()
        }
        // An authority of a name that we know, and with another key: made anew, or an impostor.
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the certificate is signed by an unknown authority of a known name (BadSignature)".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is for another name".to_owned(),
        Error::InvalidMessage(_) => WITHOUT_TLS.to_owned(),
        other => format!("the TLS handshake failed: {other}"),
    }
}
