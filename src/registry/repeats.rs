//! Which of many repeated requests are logged: one for each cause, and then fewer and fewer.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::walk::cause::Cause;

/// After which time others with the same cause are logged; it doubles each time.
const PAUSE: Duration = Duration::from_secs(10);

/// The longest pause between two such lines.
const LONGEST_PAUSE: Duration = Duration::from_secs(160);

/// How many causes, and how many requests with one cause, are distinguished.
const MOST: usize = 4096;

/// Counts the repeated requests of one run by host and cause.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<(String, Cause), Alike>);

/// Requests that failed on one host for one cause.
#[derive(Debug)]
struct Alike {
    next: Instant,
    pause: Duration,
    /// The distinct ones since the last line.
    since: HashSet<String>,
}

impl Repeats {
    /// How many requests failed so since the last line about it, if it is time for a line.
    pub(super) fn next(
        &mut self,
        host: &str,
        cause: &Cause,
        what: &str,
        now: Instant,
    ) -> Option<usize> {
        let key = (host.to_owned(), cause.clone().in_short());
        let Some(alike) = self.0.get_mut(&key) else {
            if self.0.len() < MOST {
                let alike = Alike {
                    next: now + PAUSE,
                    pause: PAUSE,
                    since: HashSet::new(),
                };
                self.0.insert(key, alike);
            }
            return Some(1);
        };
        if alike.since.len() < MOST {
            alike.since.insert(what.to_owned());
        }
        if now < alike.next {
            return None;
        }
        alike.pause = (2 * alike.pause).min(LONGEST_PAUSE);
        alike.next = now + alike.pause;
        Some(std::mem::take(&mut alike.since).len())
    }

    /// How many requests failed so since the last line about it.
    pub(super) fn count(&self, host: &str, cause: &Cause) -> usize {
        let key = (host.to_owned(), cause.clone().in_short());
        self.0.get(&key).map_or(1, |alike| alike.since.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::cause::Place;

    fn status(status: u16, words: &str) -> Cause {
        Cause::Status {
            status,
            place: Place::Registry,
            is_registrys: true,
            is_page: false,
            words: Some(words.into()),
        }
    }

    #[test]
    fn each_cause_is_logged_at_once_and_then_more_and_more_rarely() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let mut lines = Vec::new();
        for second in 0..600 {
            for layer in 0..13 {
                let now = start + Duration::from_secs(second);
                let cause = status(503, &format!("words of {layer}"));
                if let Some(count) = repeats.next("host", &cause, &layer.to_string(), now) {
                    lines.push((second, count));
                }
            }
        }
        assert_eq!(
            lines,
            [
                (0, 1),
                (10, 13),
                (30, 13),
                (70, 13),
                (150, 13),
                (310, 13),
                (470, 13)
            ]
        );
        let now = start + Duration::from_secs(600);
        assert_eq!(repeats.next("host", &status(429, ""), "a", now), Some(1));
        assert_eq!(repeats.next("other", &status(503, ""), "a", now), Some(1));
        assert_eq!(repeats.next("host", &status(429, ""), "b", now), None);
        assert_eq!(repeats.next("host", &status(429, ""), "c", now), None);
        assert_eq!(repeats.count("host", &status(429, "")), 2);
    }
}
