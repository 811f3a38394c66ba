//! Proves that the container image that was just pushed can be pulled.

pub mod graph;
pub mod heal;
pub mod image;
pub mod platform;
pub mod rebuild;
pub mod reference;
pub mod report;
pub mod settings;
pub mod target;
pub mod verdict;
pub mod woodpecker;
