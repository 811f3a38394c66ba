//! The storage of a registry, read without the registry.

pub(crate) mod catalog;
pub(crate) mod census;
mod collection;
pub(crate) mod hashed;
pub(crate) mod kind;
pub(crate) mod repository;
pub(crate) mod seen;
pub(crate) mod tree;
