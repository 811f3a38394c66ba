//! Words for people: escaping, numbers, quoting, and what must never be shown.

pub mod escape;
pub mod human;
pub mod quote;
pub mod redaction;
pub mod secret;
