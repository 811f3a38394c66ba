//! Text for people: escaping, numbers, quoting, and secrets that must not be shown.

pub mod escape;
pub mod human;
pub mod quote;
pub mod redaction;
pub mod secret;
