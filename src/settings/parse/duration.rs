//! Durations.

use std::time::Duration;

/// The longest time that is accepted: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `30` (seconds), or numbers with the units `d`, `h`, `m`, `s`, `ms`, from the longest to the shortest;
/// a year at most.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().ok()?)).filter(|time| *time <= LONGEST);
    }
    let mut units = [
        ("d", 86_400_000_u64),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ]
    .into_iter();
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    loop {
        let digits = rest.len()
            - rest
                .trim_start_matches(|letter: char| letter.is_ascii_digit())
                .len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|letter: char| !letter.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds =
            milliseconds.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        if tail.is_empty() {
            return Some(Duration::from_millis(milliseconds)).filter(|time| *time <= LONGEST);
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_numbers_with_units() {
        for (text, milliseconds) in [
            ("0", 0),
            ("30", 30_000),
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h1m1s1ms", 3_661_001),
            ("90m", 5_400_000),
            ("8760h", 31_536_000_000),
            ("7d", 604_800_000),
            ("1d12h", 129_600_000),
            ("365d", 31_536_000_000),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "s",
            "-1",
            "-1s",
            "+1s",
            "1.5s",
            "1w",
            "12h1d",
            "366d",
            "1 m",
            "30S",
            "1m1h",
            "1m1m",
            "1s5",
            "5ms1s",
            "ten",
            "8761h",
            "31536001",
            "18446744073709551616",
            "18446744073709551615h",
            "9999999999999999999999s",
            "１s",
            "1s ",
        ] {
            assert_eq!(duration(text), None, "{text:?} was taken");
        }
    }
}
