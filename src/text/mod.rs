//! Text for people: escaping, numbers, quoting, and secrets that must not be shown.

mod decoding;
pub(crate) mod escape;
pub(crate) mod human;
pub(crate) mod log_target;
pub(crate) mod lossy;
pub(crate) mod markdown;
pub(crate) mod quote;
pub(crate) mod redaction;
pub mod secret;
pub(crate) mod wrap;
