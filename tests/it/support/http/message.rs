//! Requests as they came, and replies as they are to be sent.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `HEAD`, `POST`.
    pub(crate) method: String,
    /// The path without the query.
    pub(crate) path: String,
    /// What follows the question mark, as it came; empty without one.
    pub(crate) query: String,
    /// Names as they came, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// What came with it.
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
}

impl Request {
    /// The value of the first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The value of a query parameter, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.query, name)
    }

    /// The value of a field of a form in the body, decoded.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        parameter(&String::from_utf8_lossy(&self.body), name)
    }
}

fn parameter(encoded: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(encoded.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// What a body consists of.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// So many zeros, never held in memory.
    Zeros(u64),
}

impl Body {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(length) => *length,
        }
    }

    /// The bytes from `start` up to, and without, `end`.
    pub(crate) fn slice(&self, start: u64, end: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                let place = |at| usize::try_from(at).expect("it is inside the body");
                Self::Bytes(bytes[place(start)..place(end)].into())
            }
            Self::Zeros(_) => Self::Zeros(end - start),
        }
    }

    pub(super) fn reader(&self) -> Box<dyn Read + '_> {
        match self {
            Self::Bytes(bytes) => Box::new(&bytes[..]),
            Self::Zeros(length) => Box::new(std::io::repeat(0).take(*length)),
        }
    }
}

/// How an answer ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    /// The connection is closed in good order.
    Close,
    /// The connection is reset.
    Reset,
    /// Nothing more comes, and the connection stays open.
    Stall,
}

/// What a server answers: correct, unless a test changes it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) raw: Option<Vec<u8>>,
    pub(super) chunked: bool,
    pub(super) unframed: bool,
    pub(super) delay: Duration,
    pub(super) drip: Option<(usize, Duration)>,
    pub(super) broken: Option<(Break, Place)>,
}

/// Where an answer breaks off.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// After so many bytes of everything.
    Message(usize),
    /// After the headers and so many bytes of the body.
    Body(usize),
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Arc::new([])),
            raw: None,
            chunked: false,
            unframed: false,
            delay: Duration::ZERO,
            drip: None,
            broken: None,
        }
    }

    /// 200 with a body of a type.
    pub(crate) fn ok(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::status(200)
            .header("Content-Type", content_type)
            .body(body)
    }

    /// 200 with JSON.
    pub(crate) fn json(json: &serde_json::Value) -> Self {
        Self::ok("application/json", json.to_string())
    }

    /// An error in the form of
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let json = serde_json::json!({"errors": [{"code": code, "message": message}]});
        Self {
            status,
            ..Self::json(&json)
        }
    }

    /// These bytes, whatever they are, and then the end of the connection.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            raw: Some(bytes.into()),
            ..Self::status(200)
        }
    }

    /// With another status.
    pub(crate) fn but_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With one more header; `Content-Length` is added by itself unless it is given.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With another value for a header, or with it, if it was not there.
    pub(crate) fn but_header(self, name: &str, value: impl Into<String>) -> Self {
        self.without(name).header(name, value)
    }

    /// Without a header; without `Content-Length` the body ends with the connection.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.unframed |= name.eq_ignore_ascii_case("Content-Length");
        self
    }

    /// With this body.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.content(Body::Bytes(body.into().into()))
    }

    /// With this body.
    pub(crate) fn content(self, body: Body) -> Self {
        Self { body, ..self }
    }

    /// With the length it has now, and no byte of it; then the connection is closed.
    pub(crate) fn emptied(self) -> Self {
        self.breaks_in_body(Break::Close, 0)
    }

    /// In chunks rather than with a length.
    pub(crate) fn chunked(self) -> Self {
        Self {
            chunked: true,
            ..self
        }
    }

    /// Only after a time.
    pub(crate) fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// In pieces of so many bytes, with a pause before each.
    pub(crate) fn dripping(self, piece: usize, pause: Duration) -> Self {
        Self {
            drip: Some((piece, pause)),
            ..self
        }
    }

    /// Breaks off after so many bytes of everything, the status line's first byte included.
    pub(crate) fn breaks(self, how: Break, after: usize) -> Self {
        Self {
            broken: Some((how, Place::Message(after))),
            ..self
        }
    }

    /// Breaks off after the headers and so many bytes of the body.
    pub(crate) fn breaks_in_body(self, how: Break, after: usize) -> Self {
        Self {
            broken: Some((how, Place::Body(after))),
            ..self
        }
    }

    /// The same to `method` as some servers write it: lines that end without a carriage return.
    pub(crate) fn with_bare_line_feeds(&self, method: &str) -> Self {
        let head = String::from_utf8(self.head())
            .expect("tests write headers that are text")
            .replace("\r\n", "\n");
        let body = if method == "HEAD" {
            Vec::new()
        } else {
            self.body_bytes()
        };
        Self::raw([head.into_bytes(), body].concat())
    }

    /// The same in one chunk, and the connection ends where the last, empty chunk belongs.
    pub(crate) fn without_the_last_chunk(&self) -> Self {
        let (head, body) = (self.clone().chunked().head(), self.body_bytes());
        let size = format!("{:x}\r\n", body.len());
        Self::raw([&head[..], size.as_bytes(), &body[..], b"\r\n"].concat())
    }

    /// Its whole body.
    pub(crate) fn body_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.body
            .reader()
            .read_to_end(&mut bytes)
            .expect("memory can be read");
        bytes
    }

    /// Its length in bytes, headers included, as it goes over the wire in answer to `method`.
    pub(crate) fn wire_length(&self, method: &str) -> usize {
        let body = if method == "HEAD" {
            0
        } else {
            usize::try_from(self.body.len()).expect("it fits into memory")
        };
        self.head().len() + body
    }

    /// The first header of that name, in any case.
    pub(crate) fn get_header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Every header, the length among them.
    pub(super) fn all_headers(&self) -> Vec<(String, String)> {
        let length = self
            .framed_by_length()
            .then(|| ("Content-Length".to_owned(), self.body.len().to_string()));
        self.headers.iter().cloned().chain(length).collect()
    }

    /// Everything before the body.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in self.all_headers() {
            head.extend([&name, ": ", &value, "\r\n"]);
        }
        if self.chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn framed_by_length(&self) -> bool {
        !self.unframed
            && !self.chunked
            && find(&self.headers, "Content-Length").is_none()
            && !matches!(self.status, 204 | 304)
    }

    /// Whether the client sees where it ends without the end of the connection.
    pub(super) fn ends_by_itself(&self) -> bool {
        let stated = find(&self.headers, "Content-Length");
        let honest = stated.is_none_or(|length| length.parse() == Ok(self.body.len()));
        self.raw.is_none()
            && self.broken.is_none()
            && honest
            && (self.chunked || !self.unframed || stated.is_some())
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        307 => "Temporary Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        _ => "Answer",
    }
}
