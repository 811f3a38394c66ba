//! The form of an answer: its stated length, an encoding, or a web page in its place.

use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::answer::Answer;
use crate::http::{Problem, ProblemKind};

pub(super) fn looks_like_page(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(100)])
        .trim_start()
        .to_ascii_lowercase();
    ["<!doctype html", "<html"]
        .iter()
        .any(|opening| start.starts_with(opening))
}

pub(super) fn page(what: &str) -> Problem {
    let text = format!("answered with a web page instead of a {what}; is this a registry?");
    Problem::new(ProblemKind::WebPage, text)
}

/// Why an answer that does not fit says nothing about the content: it is encoded, or a web page.
pub(super) fn disguise(answer: &Answer<'_>) -> Option<Problem> {
    encoding(answer)
        .map(|encoding| encoded(&encoding))
        .or_else(|| answer.is_page().then(|| page("blob")))
}

/// The stated length, from the header: the answer to a HEAD has a length and no body.
pub(super) fn content_length(answer: &Answer<'_>) -> Option<u64> {
    answer
        .header(&CONTENT_LENGTH)
        .and_then(|value| value.trim().parse().ok())
}

pub(super) fn encoding(answer: &Answer<'_>) -> Option<String> {
    let encoding = answer.header(&CONTENT_ENCODING)?.trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
        .then(|| encoding.to_owned())
}

pub(super) fn encoded(encoding: &str) -> Problem {
    Problem::new(
        ProblemKind::Refused,
        format!(
            "the answer is encoded ({encoding}) although identity was requested, \
             so it cannot be checked"
        ),
    )
}
