//! Where the result of a run goes, and in which form.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::report::exit::FailOn;

/// Where the result goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// `report`, where it is a file.
    pub report: Option<PathBuf>,
    /// What standard output is for.
    pub stdout: Stdout,
    /// `junit`.
    pub junit: Option<PathBuf>,
    /// `format`, with `auto` resolved.
    pub format: Format,
    /// `summary`.
    pub summary: bool,
    /// `log_level`.
    pub log_level: log::LevelFilter,
    /// `quiet` and `only_failures`.
    pub detail: Detail,
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
            _ if self.stdout == Stdout::Report => Some(Box::new(io::stderr())),
            _ => Some(Box::new(io::stdout())),
        }
    }

    /// Whether the JSON report goes to standard output.
    pub(crate) fn prints_json(&self) -> bool {
        self.format == Format::Json || self.stdout == Stdout::Report
    }
}

/// What standard output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// What `format` says.
    Format,
    /// The JSON report, with `report` as `-`; the text goes to standard error.
    Report,
}

/// How much the text says of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Nothing, and of the rest only what is wrong: `quiet`.
    Quiet,
    /// How many images there are: `only_failures`.
    OnlyFailures,
    /// Everything.
    All,
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
