//! Proves that the container image that was just pushed can be pulled.

pub mod graph;
pub mod image;
pub mod platform;
pub mod reference;
pub mod report;
pub mod settings;
pub mod target;
pub mod verdict;
