//! Proves that the container image that was just pushed can be pulled.
//!
//! ```text
//! environment, flags ─► settings ─► commands ─┬─ verify   references ─┐
//!                                             ├─ audit    a registry ─┼─► walk ─► report ─► terminal
//!                                             ├─ repair   what is lost ┤
//!                                             ├─ prune    tags to keep ┘
//!                                             └─ rebuild  a Woodpecker pipeline
//! ```
//!
//! `walk` asks a `Source` for the content of one repository, and an audit a `Catalog` for what there
//! is; `registry` is both over HTTP.

pub(crate) mod cluster;
pub mod commands;
pub mod http;
pub(crate) mod layout;
pub(crate) mod oci;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
pub(crate) mod prune;
pub mod rebuild;
pub(crate) mod registry;
pub(crate) mod repair;
pub mod report;
pub mod settings;
pub mod state;
pub(crate) mod storage;
pub mod terminal;
pub mod text;
pub mod walk;

pub use commands::run;
