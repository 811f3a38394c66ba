//! Foreign text inside a message.

/// A text for an error message: on one line, not endless, controls escaped.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 100;
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}
