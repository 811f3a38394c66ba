//! The storage of a registry, without the registry: read, and written by a repair or a prune alone.

mod beside;
pub(crate) mod catalog;
pub(crate) mod census;
mod collection;
mod failure;
mod gc;
pub(crate) mod hashed;
mod journal;
pub(crate) mod kind;
pub(crate) mod layouts;
mod owner;
mod place;
pub(crate) mod remover;
pub(crate) mod repository;
pub(crate) mod seen;
pub(crate) mod tree;
pub(crate) mod undo;
pub(crate) mod writer;

#[cfg(test)]
mod tests;
