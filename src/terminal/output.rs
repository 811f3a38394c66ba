//! Where the result of a run goes, and in which form.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::wrapping::Wrapping;
use crate::report::exit::FailOn;

/// Where the result goes.
#[derive(Clone, Debug)]
pub struct Output {
    /// `report`, where it is a file.
    pub report: Option<PathBuf>,
    /// Whether `report` is `-`: the JSON report goes to standard output, and the text to standard
    /// error.
    pub prints_report: bool,
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

impl Output {
    /// Where the text goes; nowhere where standard output is for JSON alone.
    pub(crate) fn text(&self) -> Option<impl Write> {
        let out: Box<dyn Write> = match self.format {
            Format::Json => return None,
            _ if self.prints_report => Box::new(io::stderr()),
            _ => Box::new(io::stdout()),
        };
        let out = BufWriter::new(out);
        Some(Wrapping::new(out, self.text_screen().columns))
    }

    /// How the stream that the text goes to shows it.
    pub(crate) fn text_screen(&self) -> Screen {
        if self.prints_report {
            self.stderr
        } else {
            self.stdout
        }
    }

    /// Whether the JSON report goes to standard output.
    pub(crate) fn prints_json(&self) -> bool {
        self.format == Format::Json || self.prints_report
    }
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
