//! Where the result of a run goes, and in which form.

use std::path::PathBuf;

/// Where the result goes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting or a fact of its own"
)]
#[derive(Clone, Debug)]
pub struct Output {
    /// `report`.
    pub report: Option<PathBuf>,
    /// `junit`.
    pub junit: Option<PathBuf>,
    /// `format`, with `auto` resolved.
    pub format: Format,
    /// `summary`.
    pub summary: bool,
    /// `log_level`.
    pub log_level: log::LevelFilter,
    /// `fail_on: never`.
    pub never_fail: bool,
    /// Whether the text may carry ANSI colours.
    pub colour: bool,
    /// Whether standard error is a terminal, for a progress bar.
    pub terminal: bool,
    /// `GITHUB_OUTPUT`.
    pub step_outputs: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
}

/// `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// Schema 1.
    Json,
    /// Text with workflow commands.
    Github,
}
