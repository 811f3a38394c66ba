//! The storage of a registry, without the registry: read, and written by a repair alone.

mod beside;
mod failure;
mod gc;
mod journal;
mod owner;
mod place;
pub(crate) mod tree;
pub(crate) mod undo;
pub(crate) mod writer;

#[cfg(test)]
mod tests;
