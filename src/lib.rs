//! Proves that the container image that was just pushed can be pulled.

pub mod digest;
pub mod graph;
pub mod http;
pub mod image;
pub mod log_lines;
pub mod platform;
pub mod progress;
pub mod rebuild;
pub mod reference;
pub mod registry;
pub mod report;
pub mod settings;
pub mod source;
pub mod target;
pub mod verdict;
pub mod walk;
pub mod woodpecker;
