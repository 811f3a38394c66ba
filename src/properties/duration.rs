//! Durations: at most a year, made of digits and units, and written in milliseconds the same.

use std::time::Duration;

use super::text;
use crate::settings::parse::duration;

/// Time is linear; a duration is a year at most.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Some(time) = duration(text) else { return };
    assert!(
        time <= Duration::from_secs(365 * 24 * 60 * 60),
        "{text:?} is {time:?}"
    );
    assert!(
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || b"dhms".contains(&byte)),
        "{text:?}"
    );
    assert_eq!(
        duration(&format!("{}ms", time.as_millis())),
        Some(time),
        "{text:?}"
    );
    assert_eq!(duration(&format!("0{text}")), Some(time), "{text:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn units_from_the_longest_to_the_shortest_add_up(
            days in proptest::option::of(0..100_u64),
            parts in (proptest::option::of(0..5000_u64), proptest::option::of(0..5000_u64), proptest::option::of(0..5000_u64), proptest::option::of(0..5000_u64)),
        ) {
            let parts = [(days, "d", 86_400_000), (parts.0, "h", 3_600_000), (parts.1, "m", 60_000), (parts.2, "s", 1000), (parts.3, "ms", 1)];
            let text: String =
                parts.iter().filter_map(|(number, unit, _)| Some(format!("{}{unit}", (*number)?))).collect();
            let sum: u64 = parts.iter().filter_map(|(number, _, factor)| Some((*number)? * factor)).sum();
            prop_assert_eq!(duration(&text), (!text.is_empty()).then(|| Duration::from_millis(sum)));
            let reversed: String =
                parts.iter().rev().filter_map(|(number, unit, _)| Some(format!("{}{unit}", (*number)?))).collect();
            prop_assert!(reversed == text || duration(&reversed).is_none(), "{}", reversed);
        }

        #[test]
        fn a_number_alone_is_seconds(seconds in 0..=365 * 24 * 60 * 60_u64) {
            prop_assert_eq!(duration(&seconds.to_string()), Some(Duration::from_secs(seconds)));
        }
    }
}
