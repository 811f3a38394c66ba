//! Bytes as text.

use std::borrow::Cow;

/// The text; what is not UTF-8 in it is replaced. Text that is whole is found to be so faster than
/// by looking for what is to be replaced.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
