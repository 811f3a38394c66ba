//! `Content-Range` and `Retry-After`: numbers are digits, and what was read can be written and read
//! again.

use std::time::{Duration, SystemTime};

use super::text;
use crate::http::read_retry_after;
use crate::registry::content_range;

/// Time is linear; what comes out is numbers.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(range) = content_range::read(text) {
        assert_eq!(
            content_range::read(&written(range)),
            Some(range),
            "{text:?}"
        );
        assert!(!text.contains('+'), "{text:?}");
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    if let Some(wait) = read_retry_after(text, now) {
        assert_eq!(
            read_retry_after(&wait.as_secs().to_string(), now),
            Some(wait),
            "{text:?}"
        );
        let is_number = text.trim().bytes().all(|byte| byte.is_ascii_digit());
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        assert!(
            is_number || (wait <= year * 8000 && text.contains(':')),
            "{text:?} is {wait:?}"
        );
    }
}

fn written((part, length): content_range::ContentRange) -> String {
    let part = part.map_or("*".to_owned(), |(from, to)| format!("{from}-{to}"));
    let length = length.map_or("*".to_owned(), |length| length.to_string());
    format!("bytes {part}/{length}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_range_is_read(
            part in any::<Option<(u64, u64)>>(),
            length in any::<Option<u64>>(),
            blanks in " {0,3}",
        ) {
            let text = written((part, length)).replace(' ', &format!(" {blanks}"));
            prop_assert_eq!(content_range::read(&text), Some((part, length)));
            prop_assert_eq!(content_range::read(&text.replace('/', "")), None);
        }

        #[test]
        fn a_date_is_as_far_off_as_it_is(now in 0..4_000_000_000_u64, wait in 0..100_000_000_u64) {
            let [now, wait] = [now, wait].map(Duration::from_secs);
            let now = SystemTime::UNIX_EPOCH + now;
            let date = httpdate::fmt_http_date(now + wait);
            prop_assert_eq!(read_retry_after(&date, now), Some(wait));
            prop_assert_eq!(read_retry_after(&date, now + wait + wait), Some(Duration::ZERO));
            prop_assert_eq!(read_retry_after(&wait.as_secs().to_string(), now), Some(wait));
        }
    }
}
