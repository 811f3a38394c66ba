//! The message of a panic: one line that says where, and shows nothing of what was being read.

use std::panic::PanicHookInfo;

use crate::text::escape;

/// The line for standard error.
#[must_use]
pub fn panic_message(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    line(
        said.unwrap_or_default(),
        &panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default(),
    )
}

/// Cut before the first sign of data: a panic's message may quote the text or value that caused it.
fn line(said: &str, place: &str) -> String {
    let words = said
        .split([':', '`', '"', '\n'])
        .next()
        .unwrap_or_default()
        .trim();
    let words = if words.is_empty() {
        String::new()
    } else {
        format!(": {}", escape::line(words))
    };
    format!(
        "pullproof: bug, please report it: {}{words}",
        escape::line(place)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_message_names_the_place_and_no_data() {
        for (said, shown) in [
            (
                "the invariant does not hold",
                ": the invariant does not hold",
            ),
            (
                "index out of bounds: the len is 3 but the index is 7",
                ": index out of bounds",
            ),
            (
                "the header fits: InvalidHeaderValue(\"hunter2\")",
                ": the header fits",
            ),
            (
                "start byte index 1 is not a char boundary; it is inside 'é' of `hunter2`",
                ": start byte index 1 is not a char boundary; it is inside 'é' of",
            ),
            ("\n::error::hunter2", ""),
            ("", ""),
        ] {
            assert_eq!(
                line(said, "src/a.rs:1:2"),
                format!("pullproof: bug, please report it: src/a.rs:1:2{shown}")
            );
        }
    }
}
