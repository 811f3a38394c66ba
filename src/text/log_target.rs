//! The targets of log records about requests that are sent again.

/// A request is sent again: the few of many that a log has room for.
pub(crate) const REPEATED: &str = "pullproof::repeated";

/// The same for a terminal, where each one replaces the one before.
pub(crate) const REPEATING: &str = "pullproof::repeating";
