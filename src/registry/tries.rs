//! Counts the tries of one question, decides on the next, and logs why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::failed::{Failed, Unread};
use super::quirks;
use super::repeats::Repeats;
use super::retry::{self, Next, State};
use crate::http::patience::Patience;
use crate::text::log_target::{REPEATED, REPEATING};
use crate::text::{escape, human};
use crate::walk::cause::Cause;
use crate::walk::source::{Asked, Fault};

/// A cause in words.
pub(super) type Describe = fn(&Cause) -> String;

/// What the tries of all questions of a run share.
pub(super) struct SharedTries {
    patience: Patience,
    /// How a cause reads in a log line.
    describe: Describe,
    started: Instant,
    repeats: Mutex<Repeats>,
    has_logged_absence: AtomicBool,
}

impl SharedTries {
    /// The settle window and the time limit begin now.
    pub(super) fn new(patience: Patience, describe: Describe) -> Self {
        Self {
            patience,
            describe,
            started: Instant::now(),
            repeats: Mutex::default(),
            has_logged_absence: AtomicBool::new(false),
        }
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    /// How much is left of the settle window.
    pub(super) fn settle_left(&self) -> Duration {
        let Patience {
            settle, timeout, ..
        } = self.patience;
        settle.min(timeout).saturating_sub(self.started.elapsed())
    }

    fn log_absence(&self, line: &str, wait: Duration) {
        if !self.has_logged_absence.swap(true, Ordering::Relaxed) {
            let window = human::duration(self.patience.settle);
            log::info!("{line}; waiting up to {window} for it to appear (`settle`)");
        }
        log::debug!("{line}; retrying in {}", human::duration(wait));
    }

    /// Logs one try of many: at level debug each one, in a log a few of those that fail alike, and
    /// on a terminal how many of them there are now.
    fn log_repeat(&self, repeat: &Repeat<'_>, redact: &dyn Fn(&str) -> String) {
        log::debug!("{}", repeat.line(self.describe, redact, 1));
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(count) = repeats.next(repeat.host, repeat.cause, repeat.what, now) {
            let line = repeat.line(self.describe, redact, count);
            log::info!(target: REPEATED, "{line}");
        }
        let count = repeats.count(repeat.host, repeat.cause);
        let line = repeat.line(self.describe, redact, count);
        log::info!(target: REPEATING, "{line}");
    }
}

/// A request that is sent again.
struct Repeat<'a> {
    host: &'a str,
    what: &'a str,
    cause: &'a Cause,
    /// When, and for which time.
    when: String,
}

impl Repeat<'_> {
    /// `registry.example: blobs/sha256:0123456789ab…: answered 503; retrying in 1.0 s`, or of
    /// several `registry.example: 13 requests: answered 503; retrying in 1.0 s`.
    fn line(&self, describe: Describe, redact: &dyn Fn(&str) -> String, count: usize) -> String {
        let detail = describe(self.cause);
        let line = match count {
            0 | 1 => line(self.host, self.what, &detail, redact),
            _ => line(self.host, &human::count(count, "request"), &detail, redact),
        };
        format!("{line}; {}", self.when)
    }
}

/// Counts the tries of one question and decides on the next.
pub(super) struct Tries<'a> {
    shared: &'a SharedTries,
    may_be_absent: bool,
    began: Instant,
    sent: u32,
    counted: u32,
    absences: u32,
    first_absence: Option<Instant>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(shared: &'a SharedTries, may_be_absent: bool) -> Self {
        Self {
            shared,
            may_be_absent,
            began: Instant::now(),
            sent: 0,
            counted: 0,
            absences: 0,
            first_absence: None,
        }
    }

    pub(super) fn begin(&mut self) {
        if self.sent == 0 {
            self.began = Instant::now();
        }
        self.sent += 1;
    }

    /// Counts tries that were made before.
    pub(super) fn count(&mut self, before: u32) {
        self.counted += before;
    }

    /// Forgets the tries so far, because the last one got further than the one before.
    pub(super) fn reset(&mut self) {
        self.counted = 0;
    }

    /// How long to wait before the next try, and whether every question to this host should; `None`
    /// when there is no other try.
    pub(super) fn again(
        &mut self,
        failed: &Failed,
        host: &str,
        what: &str,
        redact: &dyn Fn(&str) -> String,
    ) -> Option<(Duration, bool)> {
        let patience = &self.shared.patience;
        let is_absent = failed
            .ended
            .status()
            .is_some_and(quirks::ghcr_and_docker_hub_answer_404_right_after_a_push);
        if !is_absent {
            self.counted += 1;
        }
        let Next::Again { wait, whole_host } = retry::next(&failed.ended, self.state(), patience)
        else {
            return None;
        };
        if is_absent {
            let detail = (self.shared.describe)(&failed.fault.cause);
            let line = line(host, what, &detail, redact);
            self.absences += 1;
            self.first_absence.get_or_insert_with(Instant::now);
            self.shared.log_absence(&line, wait);
        } else {
            let (again, tries, attempts) = (human::duration(wait), self.counted, patience.attempts);
            let repeat = Repeat {
                host,
                what,
                cause: &failed.fault.cause,
                when: if failed.ended.asks_to_wait() {
                    format!("waiting {again}, as the server asks (attempt {tries} of {attempts})")
                } else {
                    format!("retrying in {again} (attempt {tries} of {attempts})")
                },
            };
            self.shared.log_repeat(&repeat, redact);
        }
        Some((wait, whole_host))
    }

    fn state(&self) -> State {
        let patience = &self.shared.patience;
        let since = self.shared.started.elapsed();
        let settle_left = if self.may_be_absent {
            Duration::ZERO
        } else {
            self.shared.settle_left()
        };
        State {
            tries: self.counted.max(1),
            absences: self.absences,
            settle_left,
            run_left: patience.timeout.saturating_sub(since),
            jitter: chance(),
        }
    }

    pub(super) fn end<T>(self, answer: Result<T, Fault>, status: Option<u16>) -> Asked<T> {
        let appeared_after = self
            .first_absence
            .filter(|_| answer.is_ok())
            .map(|first| first.elapsed());
        Asked {
            answer,
            status,
            attempts: self.sent,
            duration: self.began.elapsed(),
            appeared_after,
        }
    }
}

/// `registry.example: blobs/sha256:0123456789ab…: answered 503`.
fn line(host: &str, what: &str, detail: &str, redact: &dyn Fn(&str) -> String) -> String {
    // Redacted before it is cut: a part of a secret would not be recognised.
    let detail = escape::shortened(&redact(detail));
    format!("{}: {}: {detail}", redact(host), in_short(&redact(what)))
}

/// `blobs/sha256:0123456789ab…`: as much of a digest as people need to find it in the report.
fn in_short(what: &str) -> String {
    const DIGITS: usize = 12;
    match what
        .rsplit_once(':')
        .and_then(|(before, hash)| Some((before, hash.get(..DIGITS)?)))
    {
        Some((before, hash)) => format!("{before}:{hash}…"),
        None => what.to_owned(),
    }
}

/// Where consecutive answers to one question ended too early.
#[derive(Default)]
pub(super) struct EarlyEnds {
    at: u64,
    count: u32,
}

impl EarlyEnds {
    /// So many ends at the same byte prove that the content ends there: a proxy that cuts answers
    /// off does so anywhere.
    const PROOF: u32 = 3;

    /// Notes where an answer ended.
    pub(super) fn note<T>(&mut self, unread: &Unread<T>) {
        *self = match &unread.otherwise {
            None => Self::default(),
            Some((at, _)) => {
                let is_same = self.at == *at && !unread.farther;
                Self {
                    at: *at,
                    count: if is_same { self.count + 1 } else { 1 },
                }
            }
        };
    }

    /// Notes that no answer came.
    pub(super) fn note_failure(&mut self, failed: &Failed) {
        // "Not yet" and "too many requests" say nothing about the connection.
        if !matches!(failed.ended.status(), Some(404 | 429)) {
            *self = Self::default();
        }
    }

    /// Whether it is the content that ends there. Fewer ends are enough where `attempts` are fewer.
    pub(super) fn prove(&self, attempts: u32) -> bool {
        self.count >= Self::PROOF.min(attempts)
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 2];
    // Without random numbers the waits are only less spread.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Problem, ProblemKind};
    use crate::text::redaction::Secrets;

    #[test]
    fn a_log_line_is_redacted_before_it_is_cut() {
        let mut secrets = Secrets::default();
        secrets.add("hunter2-hunter2");
        for length in 0..1_000 {
            let detail = format!("{}hunter2-hunter2 and more", "x".repeat(length));
            let line = line("host", "token", &detail, &|text| secrets.redacted(text));
            assert!(!line.contains("hunter"), "{line}");
        }
        for (host, what) in [
            ("https://hunter2-hunter2.example", "token"),
            ("host", "blobs/sha256:hunter2-hunter2"),
        ] {
            let line = line(host, what, "answered 503", &|text| secrets.redacted(text));
            assert!(!line.contains("hunter"), "{line}");
        }
    }

    #[test]
    fn a_digest_is_shortened_in_a_log_line() {
        let what = format!("blobs/sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(
            line("host", &what, "answered 503", &str::to_owned),
            "host: blobs/sha256:0123456789ab…: answered 503"
        );
    }

    #[test]
    fn only_ends_at_the_same_byte_prove_that_content_ends_there() {
        let cut = || Problem::new(ProblemKind::Cut, "cut");
        let proves = |ends: &[(Option<u64>, bool)], attempts| {
            let mut early = EarlyEnds::default();
            for (at, farther) in ends {
                early.note(&Unread {
                    problem: cut(),
                    otherwise: at.map(|at| (at, ())),
                    farther: *farther,
                });
            }
            early.prove(attempts)
        };
        let at = |at| (Some(at), false);
        assert!(proves(&[at(5), at(5), at(5)], 5));
        assert!(proves(&[at(0), at(0), at(0)], 5));
        assert!(proves(&[at(5), at(5)], 2));
        assert!(!proves(&[at(5), at(5)], 5));
        assert!(!proves(&[at(5), at(6), at(5)], 5));
        assert!(!proves(&[at(5), (None, false), at(5), at(5)], 5));
        assert!(!proves(&[at(5), at(5), (Some(5), true)], 5));
    }
}
