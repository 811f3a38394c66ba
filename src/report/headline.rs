//! The verdict line: the whole run in one sentence.

use super::exit::{Conclusion, Exit};
use super::judgement::Judgement;
use super::reason;
use crate::report::judged::Gravity;
use crate::text::escape;
use crate::text::human::{self, count};

/// The verdict on a whole run, with the exit code.
#[must_use]
pub(crate) fn headline(judgement: &Judgement<'_>) -> String {
    format!("{}, {}", verdict(judgement), exit_code(judgement))
}

/// The exit code in words, and why it is 0 where something is wrong.
#[must_use]
pub(crate) fn exit_code(judgement: &Judgement<'_>) -> String {
    let forgiven = judgement.cause() != judgement.exit;
    let because = if forgiven {
        " because of `fail_on: never`"
    } else {
        ""
    };
    format!("exit code {}{because}", judgement.exit.code())
}

/// The verdict on a whole run.
#[must_use]
pub(super) fn verdict(judgement: &Judgement<'_>) -> String {
    let (word, warnings) = (word(judgement), warnings(judgement));
    format!("{word}{warnings}: {}", sentence(judgement))
}

/// The verdict without the word for it and the exit code.
#[must_use]
pub(crate) fn sentence(judgement: &Judgement<'_>) -> String {
    match judgement.remark() {
        // Wrong settings: the log has named them.
        Some(_) if is_refused(judgement) => "nothing was checked".to_owned(),
        // A rebuild alone: there is nothing else to report.
        Some(remark) if judgement.counts.images == 0 => escape::line(remark),
        Some(remark) => {
            let joint = match judgement.cause() {
                Exit::Broken | Exit::Verified | Exit::Interrupted | Exit::Terminated => ';',
                _ => ':',
            };
            format!("{}{joint} {}", fact(judgement), escape::line(remark))
        }
        None => fact(judgement),
    }
}

/// What follows the verdict when it is about a pipeline: a colon and the pipeline's page.
///
/// Nothing may follow, not even the end of a colour: what turns addresses into links takes
/// everything up to a space.
#[must_use]
pub(crate) fn link(judgement: &Judgement<'_>) -> String {
    let pipeline = judgement.remark().and(judgement.report.pipeline.as_ref());
    pipeline
        .map(|pipeline| format!(": {}", escape::line(&pipeline.url)))
        .unwrap_or_default()
}

/// Whether the settings were wrong, so that nothing was asked and there is nothing to show but the
/// reason.
#[must_use]
pub(crate) fn is_refused(judgement: &Judgement<'_>) -> bool {
    judgement.cause() == Exit::Configuration
        && judgement.counts.images == 0
        && judgement.reason().is_some()
}

/// The verdict in one word.
#[must_use]
pub(crate) fn word(judgement: &Judgement<'_>) -> &'static str {
    match (judgement.conclusion(), judgement.cause()) {
        (_, Exit::Interrupted | Exit::Terminated) => "INTERRUPTED",
        (Conclusion::Skipped, _) => "SKIPPED",
        (Conclusion::Passed, _) => "PASSED",
        (Conclusion::Failed, _) => "FAILED",
        (Conclusion::Error, Exit::Denied) => "REFUSED",
        (Conclusion::Error, Exit::Unknown) => "UNDECIDED",
        (Conclusion::Error, _) => "ERROR",
    }
}

/// `, 1 warning`: faults that do not fail a run that passed.
fn warnings(judgement: &Judgement<'_>) -> String {
    let passed = judgement.conclusion() == Conclusion::Passed;
    match judgement.counts.warnings {
        number if passed && number > 0 => format!(", {}", count(number, "warning")),
        _ => String::new(),
    }
}

fn fact(judgement: &Judgement<'_>) -> String {
    let counts = &judgement.counts;
    let all = count(counts.images, "image");
    let broken = tally(judgement, Exit::Broken);
    let digests = count(counts.checked, "digest");
    match judgement.cause() {
        Exit::Interrupted | Exit::Terminated if broken > 0 => {
            format!("so far {}", failures(judgement))
        }
        Exit::Interrupted | Exit::Terminated => {
            format!(
                "{} of at least {} digests checked, nothing broken so far",
                counts.checked, counts.nodes
            )
        }
        _ if judgement.report.skipped => {
            "nothing was pushed (dry run), so nothing was checked".to_owned()
        }
        Exit::RebuildNotStarted => {
            format!("{}the rebuild was not started", before(judgement, broken))
        }
        Exit::RebuildFailed => format!("{}the rebuild ran and failed", before(judgement, broken)),
        Exit::RebuildRunning => {
            format!(
                "{}the rebuild was still running when `wait_timeout` expired",
                before(judgement, broken)
            )
        }
        Exit::RepairFailed => format!("{all} can be pulled, but not all was put back"),
        Exit::Bug => "this is a bug in pullproof, please report it".to_owned(),
        Exit::Verified if counts.images == 0 => "the rebuild succeeded".to_owned(),
        Exit::Verified => format!(
            "{all}, {digests} checked in {}",
            human::duration(judgement.report.duration)
        ),
        Exit::Configuration if counts.images == 0 => "there is no image to check".to_owned(),
        Exit::Configuration if broken == 0 => {
            format!(
                "{} of {all} had nothing to check, which is never a pass",
                tally(judgement, Exit::Configuration)
            )
        }
        Exit::Broken | Exit::Configuration => failures(judgement),
        Exit::Denied => only(judgement).unwrap_or_else(|| {
            format!(
                "access to {} of {all} was refused",
                tally(judgement, Exit::Denied)
            )
        }),
        Exit::Unknown if judgement.reason().is_some() => {
            format!(
                "{}the rebuild's result could not be read",
                before(judgement, broken)
            )
        }
        Exit::Unknown if judgement.report.stopped.is_some() => {
            format!(
                "stopped at `timeout`, {} of at least {} digests checked",
                counts.checked, counts.nodes
            )
        }
        Exit::Unknown => only(judgement).unwrap_or_else(|| {
            format!(
                "{} of {all} could not be checked, {} undecided",
                tally(judgement, Exit::Unknown),
                count(counts.undecided, "digest")
            )
        }),
    }
}

/// Why the image does not pass, where it is the only one.
fn only(judgement: &Judgement<'_>) -> Option<String> {
    let is_one = judgement.counts.images == 1;
    is_one.then(|| reason::of(judgement, 0)).flatten()
}

/// Why images do not pass, one line for each: what stands above the verdict of several.
#[must_use]
pub(crate) fn names(judgement: &Judgement<'_>) -> Vec<(Exit, String)> {
    /// How many are named before the rest is counted.
    const NAMED: usize = 20;
    if judgement.counts.images < 2 || judgement.report.skipped {
        return Vec::new();
    }
    let mut places: Vec<usize> = (0..judgement.counts.images).collect();
    places.sort_by_key(|place| judgement.image_exit(*place) != Exit::Broken);
    let reason = |place| Some((judgement.image_exit(place), reason::of(judgement, place)?));
    let mut reasons = places.into_iter().filter_map(reason);
    let mut names: Vec<(Exit, String)> = reasons.by_ref().take(NAMED).collect();
    match reasons.count() {
        0 => {}
        more => names.push((Exit::Unknown, format!("{more} more"))),
    }
    names
}

/// How many images end like this.
fn tally(judgement: &Judgement<'_>, exit: Exit) -> usize {
    judgement
        .images()
        .filter(|(image, _)| judgement.image_exit(*image) == exit)
        .count()
}

fn before(judgement: &Judgement<'_>, broken: usize) -> String {
    if broken == 0 {
        String::new()
    } else {
        format!("{}, and ", failures(judgement))
    }
}

/// `2 of 3 images cannot be pulled (5 broken digests)`; one alone is named.
fn failures(judgement: &Judgement<'_>) -> String {
    if let Some(only) = only(judgement) {
        return only;
    }
    let all = count(judgement.counts.images, "image");
    let failed = || {
        judgement
            .images()
            .filter(|(image, _)| judgement.image_exit(*image) == Exit::Broken)
    };
    let stuck = failed()
        .filter(|(image, _)| judgement.root(*image).cannot_be_pulled())
        .count();
    let other = failed().count() - stuck;
    let findings = (judgement.report.images())
        .flat_map(|image| &image.findings)
        .filter(|finding| judgement.gravity(finding) == Gravity::Broken)
        .count();
    let digests = judgement.counts.failures - findings;
    let mut facts = Vec::new();
    if stuck > 0 {
        facts.push(format!("{stuck} of {all} cannot be pulled"));
    }
    if other > 0 {
        let be = if other == 1 { "is" } else { "are" };
        facts.push(format!("{other} of {all} {be} not as expected"));
    }
    let mut reasons = Vec::new();
    if digests > 0 {
        reasons.push(count(digests, "broken digest"));
    }
    if findings > 0 {
        reasons.push(count(findings, "finding"));
    }
    format!("{} ({})", facts.join(", "), reasons.join(", "))
}
