//! Where the result of a run goes, and in which form.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::report::exit::FailOn;

/// Where the result goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// `report`, where it is a file.
    pub report: Option<PathBuf>,
    /// Whether `report` is standard output; the text then goes to standard error.
    pub report_on_stdout: bool,
    /// `junit`.
    pub junit: Option<PathBuf>,
    /// `format`, with `auto` resolved.
    pub format: Format,
    /// `summary`.
    pub summary: bool,
    /// `log_level`.
    pub log_level: log::LevelFilter,
    /// `quiet`: no text about what passes.
    pub quiet: bool,
    /// `only_failures`: images that pass are left out of the text.
    pub only_failures: bool,
    /// `fail_on`.
    pub fail_on: FailOn,
    /// Whether the text may carry ANSI colours.
    pub colour: bool,
    /// Whether standard error is a terminal, for a progress bar.
    pub terminal: bool,
    /// `GITHUB_OUTPUT`.
    pub step_outputs: Option<PathBuf>,
    /// `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
}

impl Output {
    /// Where the text goes; nowhere where standard output is for JSON alone.
    pub(crate) fn text(&self) -> Option<Box<dyn Write>> {
        match self.format {
            Format::Json => None,
            _ if self.report_on_stdout => Some(Box::new(io::stderr())),
            _ => Some(Box::new(io::stdout())),
        }
    }

    /// Whether the JSON report goes to standard output.
    pub(crate) fn prints_json(&self) -> bool {
        self.format == Format::Json || self.report_on_stdout
    }
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
