//! A plan, in words: what is put back, from where, and what is lost.

use std::io::{self, Write};
use std::time::SystemTime;

use super::sentence;
use super::text::{Paint, Style};
use crate::oci::platform::Platform;
use crate::oci::reference::Reference;
use crate::repair::{Action, Failure, Loss, Provenance, Step};
use crate::text::escape;
use crate::text::human::{self, count};

/// How many digits of a digest a person compares.
const DIGITS: usize = 12;

/// The plan of a repair.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is to be done, in this order; what is lost stands last.
    pub steps: Vec<Step>,
    /// Whether it was done, and not only made.
    pub is_applied: bool,
}

impl Plan {
    /// How many steps were done.
    #[must_use]
    pub fn done(&self) -> usize {
        let is_done = |step: &&Step| matches!(step.end, Some(Ok(())));
        self.steps.iter().filter(is_done).count()
    }

    /// How many steps failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let has_failed = |step: &&Step| matches!(step.end, Some(Err(_)));
        self.steps.iter().filter(has_failed).count()
    }

    /// How many digests stay lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        let possible = self.possible();
        self.steps.len() - possible
    }

    /// How many steps there are to do.
    #[must_use]
    pub fn possible(&self) -> usize {
        let is_possible = |step: &&Step| step.action.is_possible();
        self.steps.iter().filter(is_possible).count()
    }
}

/// Writes a plan: a line for each step below its image, and what it comes to.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(
    plan: &Plan,
    now: SystemTime,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rest: Vec<&Step> = plan.steps.iter().collect();
    while let Some(first) = rest.first() {
        let image = first.images.first().cloned();
        let (own, others): (Vec<&Step>, Vec<&Step>) = rest
            .into_iter()
            .partition(|step| image.as_ref().is_none_or(|one| step.images.contains(one)));
        rest = others;
        writeln!(out, "{}", title(image.as_ref(), own.len()))?;
        for step in own {
            write_step(step, now, style, out)?;
        }
    }
    writeln!(out, "{}", closing(plan))
}

fn title(image: Option<&Reference>, digests: usize) -> String {
    let image = image.map(ToString::to_string).unwrap_or_default();
    let digests = count(digests, "digest");
    format!("{}: {digests} missing or damaged", escape::line(&image))
}

fn write_step(step: &Step, now: SystemTime, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (mark, paint) = match (&step.action, &step.end) {
        (Action::Lost(_), _) | (_, Some(Err(_))) => ("✗", Paint::Bad),
        (_, Some(Ok(()))) => ("✓", Paint::Good),
        (_, None) => (" ", Paint::Good),
    };
    let size = step.size.map(human::bytes).unwrap_or_default();
    let platform = step.platform.as_ref().filter(|one| !one.is_unknown());
    let platform = platform.map(Platform::to_string).unwrap_or_default();
    let line = format!(
        "{mark} {:<8}{:<12}{}  {:<14}{size:>9}   {}",
        step.action.as_str(),
        step.kind.as_str(),
        short(step),
        escape::line(&platform),
        escape::line(&reason(step, now)),
    );
    let line = line.trim_end();
    match step.action {
        // What has to be looked for by hand is shown whole.
        Action::Lost(_) => writeln!(out, "{}\n      {}", style.paint(paint, line), step.digest),
        _ => writeln!(out, "{}", style.paint(paint, line)),
    }
}

fn short(step: &Step) -> String {
    let hex = step.digest.digest();
    let hex = hex.get(..DIGITS).unwrap_or(hex);
    format!("{}:{hex}", step.digest.algorithm())
}

/// Where it comes from, why it is lost, or why that failed; as a fragment without secrets.
#[must_use]
pub(crate) fn reason(step: &Step, now: SystemTime) -> String {
    let from = match &step.action {
        Action::Mount(from) => format!("from {from}"),
        Action::Upload(from) | Action::Put(from) | Action::Replace(from) => provenance(from, now),
        Action::Tag(tag) => format!("the tag {tag} is gone"),
        Action::Link => "its bytes are on the registry's disk".to_owned(),
        Action::Lost(loss) => loss_words(loss).to_owned(),
    };
    match &step.end {
        Some(Err(failure)) => format!("{from}: failed, {}", failure_words(failure)),
        _ => from,
    }
}

fn provenance(from: &Provenance, now: SystemTime) -> String {
    match from {
        Provenance::Remembered(Some(since)) => {
            let ago = now.duration_since(*since).unwrap_or_default();
            format!("remembered {} ago", human::duration(ago))
        }
        Provenance::Remembered(None) => "remembered".to_owned(),
        Provenance::Repository(repository) => format!("from {repository}"),
        Provenance::File(name) => format!("from {name}"),
        Provenance::Storage => "from the registry's disk".to_owned(),
    }
}

fn loss_words(loss: &Loss) -> &'static str {
    match loss {
        Loss::Nowhere => "found nowhere",
        Loss::BelowIt => "something below it is lost",
        Loss::NotKnown => "not known: a source could not be asked",
        Loss::NotPlanned => "not in the plan that was given",
    }
}

fn failure_words(failure: &Failure) -> String {
    match failure {
        Failure::Registry(cause) => sentence::cause(cause),
        Failure::TagIsBack => "somebody has pushed the tag meanwhile".to_owned(),
        Failure::Source(cause) => {
            let why = sentence::cause(cause);
            if why.is_empty() {
                "its source delivers something else".to_owned()
            } else {
                format!("its source does not deliver it: {why}")
            }
        }
        Failure::Disk(why) => why.clone(),
        Failure::BelowIt => "what is below it could not be put back".to_owned(),
        Failure::NotKept => "it was taken, and is as broken as before".to_owned(),
        Failure::Remembered => "it is on the disk, and the registry answers as before".to_owned(),
        Failure::Stopped => "the run ended before".to_owned(),
    }
}

/// What the plan comes to.
fn closing(plan: &Plan) -> String {
    let lost = match plan.lost() {
        0 => String::new(),
        lost => {
            let be = if lost == 1 { "is" } else { "are" };
            format!(
                "; {} {be} lost: rebuild what needs it",
                count(lost, "digest")
            )
        }
    };
    match (plan.is_applied, plan.possible()) {
        (false, 0) => format!("plan: nothing can be put back{lost}"),
        (false, possible) => format!(
            "plan: nothing was changed. {} can be put back with --apply{lost}",
            count(possible, "digest")
        ),
        (true, _) => {
            let failed = match plan.failed() {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            format!(
                "repair: {} put back{failed}{lost}",
                count(plan.done(), "digest")
            )
        }
    }
}
