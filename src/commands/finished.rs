//! How a command ends: with a report to deliver, or without.

use crate::report::Report;
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::settings::Error;

/// The report of a command.
pub(crate) struct Finished {
    report: Report,
    end: Option<(Exit, Option<String>)>,
    remark: Option<String>,
    hint: Option<String>,
}

impl Finished {
    /// A run whose result is that of its images.
    pub(crate) fn of(report: Report) -> Self {
        Self {
            report,
            end: None,
            remark: None,
            hint: None,
        }
    }

    /// The same, with a result of its own; see [`Judgement::ending_in`].
    pub(crate) fn ending_in(self, exit: Exit, reason: Option<String>) -> Self {
        Self {
            end: Some((exit, reason)),
            ..self
        }
    }

    /// The same, with a remark; see [`Judgement::remarking`].
    pub(crate) fn remarking(self, remark: String) -> Self {
        Self {
            remark: Some(remark),
            ..self
        }
    }

    /// The same, with what to do about it; see [`Judgement::hinting`].
    pub(crate) fn hinting(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The report alone.
    pub(super) fn into_report(self) -> Report {
        self.report
    }

    /// The judgement.
    pub(super) fn judgement(&self) -> Judgement<'_> {
        let mut judgement = Judgement::of(&self.report);
        if let Some((exit, reason)) = &self.end {
            judgement = judgement.ending_in(*exit, reason.clone());
        }
        if let Some(remark) = &self.remark {
            judgement = judgement.remarking(remark.clone());
        }
        if let Some(hint) = &self.hint {
            judgement = judgement.hinting(hint.clone());
        }
        judgement
    }
}

/// Why a command did not start.
pub(crate) enum Unfinished {
    /// The settings are wrong.
    Refused(Error),
    /// The system does not let the program start, for this reason.
    NotStarted(String),
}

impl From<Error> for Unfinished {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
