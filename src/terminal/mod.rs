//! Everything that touches the process: the log, progress, delivery, signals, the panic message.

pub(crate) mod deliver;
pub(crate) mod log_lines;
pub(crate) mod metrics_file;
pub(crate) mod output;
pub mod panic;
pub(crate) mod progress;
pub(crate) mod signals;
pub(crate) mod streams;
pub(crate) mod wrapping;
