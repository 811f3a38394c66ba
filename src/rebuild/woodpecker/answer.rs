//! One answer of the Woodpecker server, with its body in memory.

use std::time::Duration;

use reqwest::header::{HeaderName, LOCATION};

use super::ERROR_LIMIT;
use crate::http::Reply;

/// An answer and its body; of an error, only the beginning.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.reply.status()
    }

    /// Whether it is a page for people: the web interface answers every path that the API does
    /// not know.
    pub(super) fn is_html(&self) -> bool {
        self.reply.is_page() || self.body.trim_ascii_start().starts_with(b"<")
    }

    /// Whether the server says that no workflow accepted the pipeline.
    pub(super) fn is_filtered(&self) -> bool {
        self.reply
            .header(&HeaderName::from_static("pipeline-filtered"))
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The version that the server states in every answer.
    pub(super) fn version(&self) -> Option<&str> {
        self.reply
            .header(&HeaderName::from_static("x-woodpecker-version"))
            .map(str::trim)
            .filter(|version| !version.is_empty())
    }

    /// Where a redirect leads.
    pub(super) fn location(&self) -> Option<&str> {
        self.reply.header(&LOCATION)
    }

    /// How long the server, or the proxy before it, asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.reply.retry_after()
    }

    /// The body as one line of text, uncut and unredacted; empty for a page, and for a body that may
    /// be cut, because it may end within a secret.
    pub(super) fn text(&self) -> String {
        if self.is_html() || self.body.len() >= ERROR_LIMIT {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.body);
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    }
}
