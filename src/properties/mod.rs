//! What holds for any input of a reader. Each statement is one function over bytes, and three ask
//! it: the property tests in here, the fuzz targets in `fuzz/`, and a test over the targets'
//! corpus.
//!
//! Every statement bounds what comes out by what goes in. That time is linear is shown with inputs
//! long enough that anything else would not end.
#![allow(
    clippy::missing_panics_doc,
    reason = "to panic is how a statement says that it does not hold"
)]

pub mod challenge;
pub mod docker_config;
pub mod duration;
pub mod headers;
pub mod in_use;
pub mod link;
pub mod list;
pub mod manifest;
pub mod metadata;
pub mod reference;
pub mod woodpecker;
pub mod words;

/// The text that was given; other bytes do not reach the readers of texts.
fn text(data: &[u8]) -> Option<&str> {
    str::from_utf8(data).ok()
}

#[cfg(test)]
mod tests;
