//! Puts back what is missing.

pub(crate) mod writer;
