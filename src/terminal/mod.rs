//! Everything that touches the process: the log, progress, delivery, signals, the panic message.

pub mod deliver;
pub mod log_lines;
pub mod output;
pub mod panic;
pub mod progress;
pub mod signals;
