//! How far a walk has come: a bar on a terminal, a plain line now and then in a log, nothing for
//! short work.

use std::io::Write;
use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text::human;

/// Between two lines in a log, and before the first.
const EVERY: Duration = Duration::from_secs(10);

/// Before a bar appears.
const PATIENCE: Duration = Duration::from_millis(400);

/// Between two drawings of the bar, at most.
const DRAWINGS_PER_SECOND: u8 = 10;

/// Between two updates while no answer comes.
const TICK: Duration = Duration::from_secs(1);

/// Does the work, and calls `update` every second, even while no answer comes.
pub(crate) async fn with_updates<T>(work: impl Future<Output = T>, mut update: impl FnMut()) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(TICK) => update(),
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Digests, of which more are found on the way.
    Digest,
    /// Repositories, whose number is known once they are listed.
    Repository,
}

/// What a run has found and settled until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many were found.
    pub found: usize,
    /// Of those, the ones with a verdict.
    pub settled: usize,
    /// Body bytes received.
    pub bytes: u64,
}

/// Shows how far a walk has come.
pub(crate) struct Progress {
    unit: Unit,
    started: Instant,
    show: Show,
}

enum Show {
    Bar {
        bar: ProgressBar,
        seen: bool,
    },
    Lines {
        next: Instant,
        out: Box<dyn Write + Send>,
    },
}

impl Progress {
    /// A bar on standard error, which must be a terminal; it appears when the work takes a moment.
    ///
    /// [`Progress::handle`] must be used for everything else that is written there.
    #[must_use]
    pub(crate) fn bar(unit: Unit, started: Instant) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        Self {
            unit,
            started,
            show: Show::Bar { bar, seen: false },
        }
    }

    /// Plain lines for a log, one every 10 seconds at most.
    #[must_use]
    pub(crate) fn lines(unit: Unit, started: Instant, out: Box<dyn Write + Send>) -> Self {
        Self {
            unit,
            started,
            show: Show::Lines {
                next: started + EVERY,
                out,
            },
        }
    }

    /// The bar, so that lines can be written above it; hidden when there is none.
    #[must_use]
    pub(crate) fn handle(&self) -> ProgressBar {
        match &self.show {
            Show::Bar { bar, .. } => bar.clone(),
            Show::Lines { .. } => ProgressBar::hidden(),
        }
    }

    /// Notes how far the walk is at `now`. Cheap enough to be called for every answer.
    pub(crate) fn update(&mut self, standing: Standing, now: Instant) {
        match &mut self.show {
            Show::Bar { bar, seen } => {
                if !*seen && now.duration_since(self.started) >= PATIENCE {
                    *seen = true;
                    bar.set_style(style(self.unit));
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWINGS_PER_SECOND));
                }
                bar.set_length(standing.found as u64);
                if bar.position() != standing.settled as u64 {
                    // What was sent again is answered.
                    bar.set_message("");
                }
                bar.set_position(standing.settled as u64);
                if *seen {
                    bar.set_prefix(human::bytes(standing.bytes));
                }
            }
            Show::Lines { next, out } => {
                if now >= *next {
                    *next = now + EVERY;
                    let line = line(self.unit, standing, now.duration_since(self.started));
                    // A reader that closed the log needs no progress.
                    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
                }
            }
        }
    }

    /// Begins anew, for the next of several runs.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.started = now;
        match &mut self.show {
            Show::Bar { bar, seen } => {
                *seen = false;
                bar.set_draw_target(ProgressDrawTarget::hidden());
                bar.reset();
            }
            Show::Lines { next, .. } => *next = now + EVERY,
        }
    }

    /// Takes the bar away; what was written as lines stays.
    pub(crate) fn finish(&mut self) {
        if let Show::Bar { bar, .. } = &self.show {
            bar.finish_and_clear();
        }
    }
}

fn line(unit: Unit, standing: Standing, elapsed: Duration) -> String {
    let Standing {
        found,
        settled,
        bytes,
    } = standing;
    if found == 0 {
        return format!("waiting for the first answer, {}", human::duration(elapsed));
    }
    let took = format!("{} in {}", human::bytes(bytes), human::duration(elapsed));
    match unit {
        Unit::Digest => {
            let found = human::count(found, "digest");
            format!("checked {settled} of {found} found so far, {took}")
        }
        Unit::Repository => {
            let all = human::count(found, "repository");
            format!(
                "audited {settled} of {all}, {took}{}",
                left(standing, elapsed)
            )
        }
    }
}

/// How long the rest will take, if it goes on like this.
fn left(standing: Standing, elapsed: Duration) -> String {
    if standing.settled == 0 {
        return String::new();
    }
    let rest = standing.found.saturating_sub(standing.settled);
    let left = elapsed.as_millis() * rest as u128 / standing.settled as u128;
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
    format!(", about {} left", human::duration(left))
}

fn style(unit: Unit) -> ProgressStyle {
    let template = match unit {
        Unit::Digest => "{bar:30} {pos}/{len} digests, {prefix}, {elapsed} {wide_msg}",
        Unit::Repository => {
            "{bar:30} {pos}/{len} repositories, {prefix}, {elapsed}, {eta} left {wide_msg}"
        }
    };
    ProgressStyle::with_template(template).expect("the template is a valid one")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// What a log shows of a walk that settles one digest per second.
    fn log_after(seconds: u32) -> String {
        let (log, started) = (Log::default(), Instant::now());
        let mut progress = Progress::lines(Unit::Digest, started, Box::new(log.clone()));
        for second in 0..=seconds {
            let standing = Standing {
                found: 161,
                settled: second as usize,
                bytes: 1000 * u64::from(second),
            };
            progress.update(standing, started + Duration::from_secs(second.into()));
        }
        progress.finish();
        log.text()
    }

    #[test]
    fn short_work_is_silent_in_a_log() {
        assert_eq!(log_after(9), "");
    }

    #[test]
    fn long_work_logs_a_line_every_ten_seconds() {
        let expected = "checked 10 of 161 digests found so far, 10 kB in 10.0 s\n\
                        checked 20 of 161 digests found so far, 20 kB in 20.0 s\n";
        assert_eq!(log_after(29), expected);
    }

    #[test]
    fn an_audit_says_how_much_is_left() {
        let standing = Standing {
            found: 400,
            settled: 100,
            bytes: 2_100_000,
        };
        assert_eq!(
            line(Unit::Repository, standing, Duration::from_secs(30)),
            "audited 100 of 400 repositories, 2.1 MB in 30.0 s, about 1 min 30 s left"
        );
        let begun = Standing {
            settled: 0,
            ..standing
        };
        assert_eq!(
            line(Unit::Repository, begun, Duration::from_secs(30)),
            "audited 0 of 400 repositories, 2.1 MB in 30.0 s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_keeps_us_waiting_does_not_silence_the_log() {
        let now = || tokio::time::Instant::now().into_std();
        let (log, started) = (Log::default(), now());
        let mut progress = Progress::lines(Unit::Digest, started, Box::new(log.clone()));
        let (mut found, mut bytes) = (0, 0);
        let stalled = tokio::time::sleep(Duration::from_millis(35_500));
        with_updates(stalled, || {
            bytes += 1000;
            found = if bytes > 15_000 { 31 } else { 0 };
            progress.update(
                Standing {
                    found,
                    settled: 0,
                    bytes,
                },
                now(),
            );
        })
        .await;
        let expected = "waiting for the first answer, 10.0 s\n\
                        checked 0 of 31 digests found so far, 20 kB in 20.0 s\n\
                        checked 0 of 31 digests found so far, 30 kB in 30.0 s\n";
        assert_eq!(log.text(), expected);
    }

    #[test]
    fn the_next_walk_has_a_clock_of_its_own() {
        let (log, started) = (Log::default(), Instant::now());
        let mut progress = Progress::lines(Unit::Digest, started, Box::new(log.clone()));
        let standing = Standing {
            found: 4,
            settled: 2,
            bytes: 1000,
        };
        progress.begin(started + Duration::from_secs(600));
        for second in [601, 609, 610] {
            progress.update(standing, started + Duration::from_secs(second));
        }
        let expected = "checked 2 of 4 digests found so far, 1 kB in 10.0 s\n";
        assert_eq!(log.text(), expected);
    }

    #[test]
    fn a_bar_follows_the_walk() {
        let started = Instant::now();
        let mut progress = Progress::bar(Unit::Digest, started);
        let bar = progress.handle();
        progress.update(
            Standing {
                found: 10,
                settled: 4,
                bytes: 1000,
            },
            started,
        );
        assert_eq!((bar.length(), bar.position()), (Some(10), 4));
        assert!(
            bar.prefix().is_empty() && bar.is_hidden(),
            "short work shows no bar"
        );
        progress.update(
            Standing {
                found: 12,
                settled: 9,
                bytes: 2000,
            },
            started + PATIENCE,
        );
        assert_eq!(
            (bar.length(), bar.position(), bar.prefix()),
            (Some(12), 9, "2 kB".to_owned())
        );
        bar.set_message("retrying");
        let standing = |settled| Standing {
            found: 12,
            settled,
            bytes: 2000,
        };
        progress.update(standing(9), started + PATIENCE);
        assert_eq!(bar.message(), "retrying");
        progress.update(standing(10), started + PATIENCE);
        assert_eq!(bar.message(), "", "it was answered");
        progress.finish();
        assert!(bar.is_finished());
    }
}
