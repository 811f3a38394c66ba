//! Words for people: escaping, numbers, quoting, and what must never be shown.

pub(crate) mod escape;
pub(crate) mod human;
pub(crate) mod quote;
pub(crate) mod redaction;
pub mod secret;
