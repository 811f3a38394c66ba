//! Proves that the container image that was just pushed can be pulled.

mod deliver;
pub mod digest;
pub mod findings;
pub mod graph;
pub mod heal;
pub mod http;
pub mod image;
pub mod last_words;
pub mod log_lines;
pub mod lonely;
mod mend;
pub mod platform;
pub mod progress;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
pub mod rebuild;
pub mod reference;
pub mod registry;
pub mod report;
mod run;
pub mod settings;
pub mod source;
pub mod stop;
pub mod target;
pub mod told;
pub mod verdict;
pub mod verify;
pub mod walk;
pub mod woodpecker;

pub use run::run;
