//! Numbers as people read them.

use std::borrow::Borrow;
use std::time::Duration;

/// `1 layer`, `12 layers`.
#[must_use]
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {}", plural(noun))
    }
}

fn plural(noun: &str) -> String {
    match noun {
        "index" => "indexes".to_owned(),
        "repository" => "repositories".to_owned(),
        _ => format!("{noun}s"),
    }
}

/// `214 MB`: decimal units, at most three digits that matter.
#[must_use]
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let number = u128::from(number);
    let mut unit = 0;
    let mut size = 1000;
    // What would round up to 1000 moves on to the next unit.
    while (number + size / 2) / size >= 1000 {
        size *= 1000;
        unit += 1;
    }
    let tenths = (number * 10 + size / 2) / size;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {}", UNITS[unit]),
        (whole, tenth) if whole < 100 => format!("{whole}.{tenth} {}", UNITS[unit]),
        _ => format!("{} {}", (number + size / 2) / size, UNITS[unit]),
    }
}

/// `350 ms`, `2.1 s`, `3 min 20 s`.
#[must_use]
pub(crate) fn duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let seconds = duration.as_secs();
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else if seconds < 60 {
        format!("{seconds}.{} s", milliseconds % 1000 / 100)
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

/// `40 s`, `12 min`, `6 h`, `5 days`: in whole units, rounded down.
#[must_use]
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 60, seconds / 3600, seconds / 86_400) {
        (0, ..) => format!("{seconds} s"),
        (minutes, 0, _) => format!("{minutes} min"),
        (_, hours, 0 | 1) => format!("{hours} h"),
        (_, _, days) => format!("{days} days"),
    }
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub(crate) fn list<T: Borrow<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.borrow().to_owned(),
        [most @ .., last] => format!("{} and {}", most.join(", "), last.borrow()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_with_three_digits_at_most() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1234, "1.2 kB"),
            (48_200, "48.2 kB"),
            (214_499_999, "214 MB"),
            (214_500_000, "215 MB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (1_000_000, "1 MB"),
            (3_000_705, "3 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn durations_name_the_unit_that_matters() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (2149, "2.1 s"),
            (59_999, "59.9 s"),
            (200_000, "3 min 20 s"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn an_age_is_in_the_largest_unit_that_fits_twice_or_more() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (21_600, "6 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(count(1, "layer"), "1 layer");
        assert_eq!(count(0, "layer"), "0 layers");
        assert_eq!(count(2, "index"), "2 indexes");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a", "b"]), "a and b");
    }
}
