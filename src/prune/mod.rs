//! Deletes the tags that no rule keeps, and with them what only they lead to; never anything that a
//! tag that stays can reach.
//!
//! What goes is decided on the graph of a repository and not on names: an index, its children, their
//! attestations, and what refers to any of them.

pub(crate) mod apply;
pub(crate) mod contents;
mod images;
pub(crate) mod loose;
pub(crate) mod plan;
pub(crate) mod remover;
pub(crate) mod rules;
#[cfg(test)]
mod tests;
pub(crate) mod versions;
