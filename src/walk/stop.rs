//! Why a run ends early.

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stop {
    /// `timeout` was over.
    Timeout,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}
