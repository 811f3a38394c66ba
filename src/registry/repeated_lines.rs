//! Which of many similar log lines are logged: a few of hundreds.

use std::time::Duration;

use tokio::time::Instant;

/// How many lines in a row are logged.
const LINES: u32 = 8;

/// After which time as many may be logged again.
const WINDOW: Duration = Duration::from_secs(10);

/// How one line is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// As it is.
    Yes,
    /// As it is, and with a note that others like it follow at level debug only.
    AsTheLast,
    /// At level debug.
    InDebug,
}

/// Counts the similar lines of one run.
#[derive(Debug, Default)]
pub(super) struct RepeatedLines {
    since: Option<Instant>,
    count: u32,
}

impl RepeatedLines {
    /// How a line at `now` is logged.
    pub(super) fn next(&mut self, now: Instant) -> Shown {
        let is_over = |since: Instant| now.duration_since(since) >= WINDOW;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        match self.count {
            ..LINES => Shown::Yes,
            LINES => Shown::AsTheLast,
            _ => Shown::InDebug,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_at_once_become_a_few_in_each_window() {
        let (mut lines, start) = (RepeatedLines::default(), Instant::now());
        let mut logged = |seconds, number| {
            let now = start + Duration::from_secs(seconds);
            let all: Vec<_> = (0..number).map(|_| lines.next(now)).collect();
            let count = |shown| all.iter().filter(|one| **one == shown).count();
            (
                count(Shown::Yes),
                count(Shown::AsTheLast),
                count(Shown::InDebug),
            )
        };
        assert_eq!(logged(0, 3), (3, 0, 0));
        assert_eq!(logged(9, 100), (4, 1, 95));
        assert_eq!(logged(10, 100), (7, 1, 92));
    }
}
