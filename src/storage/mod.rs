//! The storage of a registry, read without the registry.

pub(crate) mod tree;
