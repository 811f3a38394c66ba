//! Compares what verify reports about each digest with what a download of it gives.

use serde_json::Value;

use super::pull::{Pulled, Truth};
use crate::support::command::Finished;
use crate::support::image::Image;

/// What else may come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meanwhile {
    /// The registry runs all the time.
    Nothing,
    /// The registry is down for a while, so anything may stay undecided.
    Restart,
}

/// What may be said about a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    Pass,
    Break,
    /// The depth cannot tell, or clients differ.
    PassOrBreak,
    /// The registry answers with an error for this digest: broken if it is the only one (see "When
    /// an image passes"), else undecided.
    BreakOrOpen,
}

const DEFINITE: [&str; 7] = [
    "missing",
    "empty",
    "truncated",
    "size_mismatch",
    "digest_mismatch",
    "malformed",
    "unsupported",
];

const UNDECIDED: [&str; 4] = ["denied", "rate_limited", "unavailable", "not_checked"];

/// Whether a verdict is definite.
pub(super) fn is_definite(node: &Value) -> bool {
    DEFINITE.contains(&node["verdict"].as_str().unwrap_or_default())
}

/// Whether a digest of an image may pass at a depth.
pub(super) fn may_pass(depth: &str, truth: &Truth, image: &Image, digest: &str) -> bool {
    let pulled = truth.digests[digest];
    allows(
        may(depth, truth, image, digest, pulled),
        "ok",
        Meanwhile::Nothing,
    )
}

/// Every difference that no rule of the documents explains.
pub(super) fn differences(
    finished: &Finished,
    depth: &str,
    truth: &Truth,
    image: &Image,
    meanwhile: Meanwhile,
) -> Vec<String> {
    let report = finished.report();
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for node in report.nodes() {
        let digest = node["digest"].as_str().unwrap_or_default();
        let verdict = node["verdict"].as_str().unwrap_or_default();
        seen.push(digest.to_owned());
        match truth.digests.get(digest) {
            Some(pulled) => {
                let may = may(depth, truth, image, digest, *pulled);
                if !allows(may, verdict, meanwhile) {
                    found.push(format!("{digest}: {pulled:?}, but {verdict}"));
                }
            }
            None if verdict == "ok" => found.push(format!("{digest}: not pushed, but ok")),
            None => {}
        }
    }
    let required = required(truth, image);
    if meanwhile == Meanwhile::Nothing {
        let absent = required.iter().filter(|digest| !seen.contains(digest));
        found.extend(absent.map(|digest| format!("{digest}: not reported")));
    }
    let expected = codes(depth, truth, image, &required, meanwhile);
    if !finished.code.is_some_and(|code| expected.contains(&code)) {
        found.push(format!("exit {:?}, expected {expected:?}", finished.code));
    }
    found
}

fn may(depth: &str, truth: &Truth, image: &Image, digest: &str, pulled: Pulled) -> May {
    let configs = [&image.images, &image.attestations].into_iter().flatten();
    let read_whole = image
        .content(digest)
        .is_some_and(|content| content.manifest)
        || configs
            .into_iter()
            .any(|parts| parts.config.digest() == digest);
    match pulled {
        Pulled::Whole => May::Pass,
        // Some clients go by it, and some by the type in the parent.
        Pulled::Mistyped => May::PassOrBreak,
        // "What each depth asks": the headers, as far as the registry knows.
        _ if depth == "head" && !read_whole && truth.promised.contains(digest) => May::PassOrBreak,
        // "What each depth asks": only `full` finds every changed byte.
        Pulled::Changed if depth == "tail" && !read_whole => May::PassOrBreak,
        Pulled::Absent | Pulled::Changed | Pulled::Other => May::Break,
        Pulled::Failing(_) => May::BreakOrOpen,
    }
}

fn allows(may: May, verdict: &str, meanwhile: Meanwhile) -> bool {
    let undecided = UNDECIDED.contains(&verdict);
    match may {
        _ if undecided && meanwhile == Meanwhile::Restart => true,
        May::Pass => verdict == "ok",
        May::Break => DEFINITE.contains(&verdict),
        May::PassOrBreak => verdict == "ok" || DEFINITE.contains(&verdict),
        May::BreakOrOpen => undecided || DEFINITE.contains(&verdict),
    }
}

/// What a pull of the reference asks for.
fn required(truth: &Truth, image: &Image) -> Vec<String> {
    if truth.reference != Pulled::Whole {
        return Vec::new();
    }
    let broken = truth.digests.iter();
    let broken = broken.filter(|(_, pulled)| **pulled != Pulled::Whole);
    let broken: Vec<&str> = broken.map(|(digest, _)| digest.as_str()).collect();
    image.reachable_without(&broken).into_iter().collect()
}

/// The exit codes that are right.
fn codes(
    depth: &str,
    truth: &Truth,
    image: &Image,
    required: &[String],
    meanwhile: Meanwhile,
) -> Vec<i32> {
    let reference = match truth.reference {
        Pulled::Whole => May::Pass,
        Pulled::Mistyped | Pulled::Absent | Pulled::Changed | Pulled::Other => May::Break,
        Pulled::Failing(_) => May::BreakOrOpen,
    };
    let digests = required
        .iter()
        .map(|digest| may(depth, truth, image, digest, truth.digests[digest]));
    let all: Vec<May> = digests.chain([reference]).collect();
    let mut codes = if all.contains(&May::Break) {
        vec![1]
    } else if all.contains(&May::BreakOrOpen) {
        vec![1, 4]
    } else if all.contains(&May::PassOrBreak) {
        vec![0, 1]
    } else {
        vec![0]
    };
    if meanwhile == Meanwhile::Restart {
        codes.push(4);
    }
    codes
}
