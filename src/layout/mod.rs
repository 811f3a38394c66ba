//! Content in files: what a directory that somebody gave us shows of it.

pub(crate) mod content;
pub(crate) mod look;
pub(crate) mod root;
