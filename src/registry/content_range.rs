//! `Content-Range`, see <https://www.rfc-editor.org/rfc/rfc9110#section-14.4>.

/// First and last byte, and the whole length, as far as they are stated.
pub(crate) type ContentRange = (Option<(u64, u64)>, Option<u64>);

/// Reads the header's value; `None` when it is not a valid range.
pub(crate) fn read(value: &str) -> Option<ContentRange> {
    let (part, length) = value
        .trim()
        .strip_prefix("bytes")?
        .trim_start()
        .split_once('/')?;
    let length = match length {
        "*" => None,
        length => Some(number(length)?),
    };
    let part = match part {
        "*" => None,
        part => {
            let (from, to) = part.split_once('-')?;
            Some((number(from)?, number(to)?))
        }
    };
    Some((part, length))
}

/// Digits alone: `parse` would accept a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        for (value, expected) in [
            ("bytes 9-9/10", Some((Some((9, 9)), Some(10)))),
            ("bytes 0-4/*", Some((Some((0, 4)), None))),
            ("bytes */10", Some((None, Some(10)))),
            (" bytes  9-9/10 ", Some((Some((9, 9)), Some(10)))),
            ("bytes=9-9/10", None),
            ("bytes 9/10", None),
            ("bytes 9-9", None),
            ("bytes -1-9/10", None),
            ("bytes +9-9/10", None),
            ("bytes 9-9/+10", None),
            ("items 9-9/10", None),
            ("bytes 9-9/99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(read(value), expected, "{value:?}");
        }
    }
}
