//! The tries of one question: how many there were, whether there is another, and what is said of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::failed::Failed;
use super::retry::{self, Ended, Next, State};
use super::telling::{Tell, Telling};
use crate::http::patience::Patience;
use crate::report::sentence;
use crate::text::{escape, human};
use crate::walk::source::{Asked, Fault};

/// What all tries of a run have in common: how patient it is, since when, and what was said of that already.
pub(super) struct Course {
    patience: Patience,
    started: Instant,
    telling: Mutex<Telling>,
    told_of_absence: AtomicBool,
}

impl Course {
    /// A course whose settle window and time limit begin now.
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            started: Instant::now(),
            telling: Mutex::default(),
            told_of_absence: AtomicBool::new(false),
        }
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }
}

/// Counts the tries of one question and decides on the next.
pub(super) struct Tries<'a> {
    course: &'a Course,
    may_be_absent: bool,
    began: Instant,
    sent: u32,
    counted: u32,
    absences: u32,
    first_absence: Option<Instant>,
}

impl<'a> Tries<'a> {
    pub(super) fn new(course: &'a Course, may_be_absent: bool) -> Self {
        Self {
            course,
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

    /// A try that came farther than the one before does not count.
    pub(super) fn forgive(&mut self) {
        self.counted = 0;
    }

    /// How long to wait before the next try, and whether everybody should; `None` when there is none.
    pub(super) fn again(
        &mut self,
        failed: &Failed,
        host: &str,
        what: &str,
        redact: &dyn Fn(&str) -> String,
    ) -> Option<(Duration, bool)> {
        let patience = &self.course.patience;
        let absent = matches!(failed.ended, Ended::Status { status: 404, .. });
        let since = self.course.started.elapsed();
        let settle = if self.may_be_absent {
            Duration::ZERO
        } else {
            patience.settle
        };
        if !absent {
            self.counted += 1;
        }
        let state = State {
            tries: self.counted.max(1),
            absences: self.absences,
            settle_left: settle.min(patience.timeout).saturating_sub(since),
            run_left: patience.timeout.saturating_sub(since),
            jitter: chance(),
        };
        let Next::Again { wait, everybody } = retry::next(&failed.ended, state, patience) else {
            return None;
        };
        let detail = escape::shortened(&redact(&sentence::cause(&failed.fault.cause)));
        let (what, again) = (in_short(what), human::duration(wait));
        if absent {
            self.absences += 1;
            self.first_absence.get_or_insert_with(Instant::now);
            if !self.course.told_of_absence.swap(true, Ordering::Relaxed) {
                let window = human::duration(patience.settle);
                log::info!(
                    "{host}: {what}: {detail}; what is not there yet may come within {window} (`settle`)"
                );
            }
            log::debug!("{host}: {what}: not there yet, looking again in {again}");
        } else {
            let (tries, attempts) = (self.counted, patience.attempts);
            let line = format!(
                "{host}: {what}: {detail}; asking again in {again} (attempt {tries} of {attempts})"
            );
            match self
                .course
                .telling
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next(Instant::now())
            {
                Tell::Line => log::info!("{line}"),
                Tell::LastLine => log::info!("{line}; more such lines only at log level debug"),
                Tell::Quietly => log::debug!("{line}"),
            }
        }
        Some((wait, everybody))
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

/// Where the answers to one question ended too early, one after the other.
#[derive(Default)]
pub(super) struct Ends {
    at: u64,
    count: u32,
}

impl Ends {
    /// So many of them at the same place prove that the content ends there: who cuts answers off on the way does so anywhere.
    const PROOF: u32 = 3;

    pub(super) fn note(&mut self, at: u64) {
        self.count = if self.count > 0 && self.at == at {
            self.count + 1
        } else {
            1
        };
        self.at = at;
    }

    /// Whether it is the content that ends there; fewer attempts than it takes have to do.
    pub(super) fn prove(&self, attempts: u32) -> bool {
        self.count >= Self::PROOF.min(attempts)
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 2];
    // Without a source of chance the waits are only less spread.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}
