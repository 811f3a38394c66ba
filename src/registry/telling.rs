//! How much is said of repeated requests: enough to see what goes on, and not a line for each of hundreds.

use std::time::Duration;

use tokio::time::Instant;

/// How many lines in a row are told.
const LINES: u32 = 8;

/// After which time as many may be told again.
const WINDOW: Duration = Duration::from_secs(10);

/// What to do with one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    /// It is told.
    Line,
    /// It is told, and that others like it are not.
    LastLine,
    /// It is for those who want to know everything.
    Quietly,
}

/// Counts the lines of one run.
#[derive(Debug, Default)]
pub(super) struct Telling {
    since: Option<Instant>,
    lines: u32,
}

impl Telling {
    /// Whether a line at `now` is told.
    pub(super) fn next(&mut self, now: Instant) -> Tell {
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= WINDOW)
        {
            *self = Self {
                since: Some(now),
                lines: 0,
            };
        }
        self.lines = self.lines.saturating_add(1);
        match self.lines {
            ..LINES => Tell::Line,
            LINES => Tell::LastLine,
            _ => Tell::Quietly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_at_once_become_a_few_and_later_ones_are_told_again() {
        let (mut telling, start) = (Telling::default(), Instant::now());
        let mut told = |seconds, number| {
            let now = start + Duration::from_secs(seconds);
            let told: Vec<_> = (0..number).map(|_| telling.next(now)).collect();
            let of = |tell| told.iter().filter(|one| **one == tell).count();
            (of(Tell::Line), of(Tell::LastLine), of(Tell::Quietly))
        };
        assert_eq!(told(0, 3), (3, 0, 0));
        assert_eq!(told(9, 100), (4, 1, 95));
        assert_eq!(told(10, 100), (7, 1, 92));
    }
}
