//! One request to the Woodpecker server, with its whole answer in memory, or why there is none.

use std::future::Future;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::http::Problem;

/// The longest error text that is looked at, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// An answer that came whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection came about: the server has not seen the request.
    Unsent(String),
    /// The request left and the answer did not come, or not whole: the server may have acted on it.
    Lost(String),
    /// The answer is longer than anything that was asked for, in bytes.
    TooLong(usize),
}

impl Answer {
    fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it is a page for people: the web interface answers every path that the API does not know.
    pub(super) fn is_html(&self) -> bool {
        self.header(CONTENT_TYPE).is_some_and(|kind| {
            kind.trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        }) || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether the server says that no workflow wanted the pipeline.
    pub(super) fn is_filtered(&self) -> bool {
        self.header("pipeline-filtered")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The version that the server states in every answer.
    pub(super) fn version(&self) -> Option<&str> {
        self.header("x-woodpecker-version")
            .map(str::trim)
            .filter(|version| !version.is_empty())
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Option<&str> {
        self.header(LOCATION)
    }

    /// How long the server, or the proxy before it, asks to wait; a date is not understood.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER)?
            .trim()
            .parse()
            .ok()
            .map(Duration::from_secs)
    }

    /// The body as one line of text, at most 2000 characters of it; empty for a page. That is more than is ever shown, so that
    /// a secret in it is whole when it is looked for.
    pub(super) fn text(&self) -> String {
        if self.is_html() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(2000).collect()
    }
}

/// Sends `request` and reads at most `limit` bytes of the answer; `patience` is the time until the headers, and between
/// two pieces of the body.
pub(super) async fn exchange(
    request: RequestBuilder,
    limit: usize,
    patience: Duration,
) -> Result<Answer, Fault> {
    let mut response = open(request, patience).await?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(piece) = next_piece(&mut response, patience).await? {
        body.extend_from_slice(piece.as_ref());
        if !status.is_success() && body.len() >= ERROR_LIMIT {
            body.truncate(ERROR_LIMIT);
            break;
        }
        if body.len() > limit {
            return Err(Fault::TooLong(limit));
        }
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

/// Sends `request` and waits for the headers.
pub(super) async fn open(request: RequestBuilder, patience: Duration) -> Result<Response, Fault> {
    within(patience, "an answer", request.send())
        .await?
        .map_err(fault)
}

/// The next piece of a body; `None` at its end.
pub(super) async fn next_piece(
    response: &mut Response,
    patience: Duration,
) -> Result<Option<impl AsRef<[u8]> + use<>>, Fault> {
    within(patience, "more of the answer", response.chunk())
        .await?
        .map_err(fault)
}

async fn within<T>(
    patience: Duration,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, Fault> {
    tokio::time::timeout(patience, work)
        .await
        .map_err(|_| Fault::Lost(format!("{what} did not come within {patience:?}")))
}

fn fault(error: reqwest::Error) -> Fault {
    if error.is_connect() {
        return Fault::Unsent(Problem::from(error).text);
    }
    let unsent = error.is_builder();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    if unsent {
        Fault::Unsent(text)
    } else {
        Fault::Lost(text)
    }
}
