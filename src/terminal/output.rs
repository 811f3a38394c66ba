//! Where the result of a run goes, and in which form.

use std::path::PathBuf;

use crate::report::exit::FailOn;

/// Where the result goes.
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
    /// `fail_on`.
    pub fail_on: FailOn,
    /// How standard output shows text.
    pub stdout: Screen,
    /// How standard error shows text.
    pub stderr: Screen,
    /// Whether standard error is a terminal, for a progress bar.
    pub terminal: bool,
    /// `GITHUB_OUTPUT`.
    pub step_outputs: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
}

/// How one of the standard streams shows text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Whether it shows ANSI colours.
    pub colour: bool,
    /// How wide the terminal is, in characters; `None` where there is none, as in a log.
    pub columns: Option<usize>,
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
