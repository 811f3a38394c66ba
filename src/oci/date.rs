//! Reads when an image was built.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::shape::is_date;

/// Reads a date as RFC 3339 writes it, to the second. Builds that leave the time out state a year
/// before any image could be built, which says nothing.
#[must_use]
pub(crate) fn read(text: &str) -> Option<SystemTime> {
    /// 2013, the year of docker's first release.
    const FIRST: u64 = 1_356_998_400;
    if !is_date(text) {
        return None;
    }
    let number = |from: usize, length: usize| text[from..from + length].parse::<i64>().ok();
    let days = days(number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let seconds = number(11, 2)? * 3600 + number(14, 2)? * 60 + number(17, 2)?;
    let since = u64::try_from(days * 86_400 + seconds - offset(text)?).ok()?;
    (since >= FIRST).then(|| UNIX_EPOCH + Duration::from_secs(since))
}

/// How many seconds a date's clock is ahead of UTC.
fn offset(text: &str) -> Option<i64> {
    if text.ends_with('Z') {
        return Some(0);
    }
    let (sign, time) = text.split_at(text.len() - 6).1.split_at(1);
    let (hours, minutes) = time.split_once(':')?;
    let seconds = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
    Some(if sign == "-" { -seconds } else { seconds })
}

/// The days from 1970-01-01 to a date, counted from the first of March so that a leap day is the
/// last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let since = read(text)?.duration_since(UNIX_EPOCH).ok()?;
        Some(since.as_secs())
    }

    #[test]
    fn dates_of_images_are_read_to_the_second() {
        for (text, expected) in [
            ("2024-03-01T14:02:33.5Z", 1_709_301_753),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
            ("2025-01-01T01:00:00+01:00", 1_735_689_600),
            ("2024-12-31T20:30:00-03:30", 1_735_689_600),
            ("2013-01-01T00:00:00Z", 1_356_998_400),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_date_that_no_build_has_says_nothing() {
        for text in [
            "",
            "yesterday",
            "1970-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "2012-12-31T23:59:59Z",
            "2024-13-01T00:00:00Z",
            "2024-03-01 14:02:33",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
