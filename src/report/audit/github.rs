//! The audit for GitHub Actions: annotations, the step summary and the step's outputs, each of a
//! size that does not grow with the registry.

use std::io::{self, Write};

use super::super::exit::Exit;
use super::super::github::alert::{self, Alert, first_lines};
use super::super::github::{ANNOTATIONS, Extras, message, write_rows, write_value};
use super::super::hint::Advice;
use super::super::prune;
use super::super::text::Style;
use super::text::{cost, exit_code, fact, name, oldest_check, write};
use super::{Audit, Fault};
use crate::text::escape::{command_message, command_property, line};
use crate::text::human::{self, count};
use crate::text::markdown::{code, prose, text};

/// GitHub drops a summary of more than 1 MiB as a whole; the parts and the box together stay
/// below.
const TABLE: usize = 400_000;
const DETAILS: usize = 400_000;
const PLAN: usize = 100_000;

/// Writes the audit as text, with an annotation for each of the first tags that are not whole.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_github(audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = audit.reason() {
        let reason = command_message(&line(&reason));
        writeln!(out, "::error title=pullproof::{reason}")?;
    }
    for fault in audit.faults.iter().take(ANNOTATIONS) {
        let title = command_property(&name(audit, fault));
        let mut lines = vec![summary(fault)];
        lines.extend(fault.users_in_words());
        lines.extend(fault.lines.iter().cloned());
        let advice = (audit.advice.iter())
            .filter(|advice| advice.images.iter().any(|image| fault.is(image)));
        let message = command_message(&message(&lines, advice.map(Advice::text)));
        writeln!(out, "::error title={title}::{message}")?;
    }
    let all = audit.tags.broken + audit.tags.undecided;
    let rest = all.saturating_sub(ANNOTATIONS);
    if rest > 0 {
        let be = if rest == 1 { "is" } else { "are" };
        let more = count(rest, "more tag");
        writeln!(
            out,
            "::error title=pullproof::{more} {be} not whole, see the log of this step"
        )?;
    }
    write(audit, style, out)
}

/// Writes the step summary as markdown, less than 1 MiB.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_summary(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let alert = Alert::of(audit.conclusion(), audit.cause(), 0);
    let verdict = prose(&fact(audit));
    writeln!(out, "### {} pullproof: {verdict}\n", alert.mark())?;
    alert.write(&paragraphs(audit, alert), out)?;
    write_faults(audit, out)?;
    if let Some(plan) = &audit.prune {
        prune::write_table(plan, PLAN, out)?;
        writeln!(out, "{}\n", prose(&prune::closing(plan)))?;
    }
    write_details(audit, alert, out)?;
    if alert == Alert::Tip {
        return Ok(());
    }
    writeln!(out, "{}; {}", sums(audit), prose(&exit_code(audit)))
}

/// What stands in the box.
fn paragraphs(audit: &Audit, alert: Alert) -> Vec<String> {
    let lines = audit.faults.iter().map(|fault| {
        let used = fault.use_in_words();
        let comma = if used.is_empty() { "" } else { ", " };
        format!(
            "{}: **{}**{comma}{used}",
            code(&name(audit, fault)),
            text(&fault.summary.replace('_', " "))
        )
    });
    let all = audit.tags.broken + audit.tags.undecided;
    let mut paragraphs: Vec<String> = first_lines(lines, all, "more tag").into_iter().collect();
    paragraphs.extend(alert::hints(&audit.advice));
    if alert == Alert::Tip {
        paragraphs.push(sums(audit));
    }
    paragraphs
}

fn write_faults(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.faults.is_empty() && audit.unread.is_empty() {
        return Ok(());
    }
    writeln!(out, "| | tag | in use | what |\n|:-:|---|---|---|")?;
    let unread = audit.unread.iter().map(|unread| {
        let (name, detail) = (text(&unread.name), text(&unread.detail));
        format!("| {} | {name} | | {detail} |", Alert::Warning.mark())
    });
    let faults = audit.faults.iter().map(|fault| row(audit, fault));
    let total = audit.faults.len() + audit.unread.len();
    write_rows(faults.chain(unread), total, 4, TABLE, out)?;
    let all = audit.tags.broken + audit.tags.undecided;
    if all > audit.faults.len() {
        let rest = count(all - audit.faults.len(), "more tag");
        writeln!(out, "| | {rest} | | in the JSON report |")?;
    }
    writeln!(out)
}

/// The digests that are at fault, and the repositories that they are in.
fn write_details(audit: &Audit, alert: Alert, out: &mut dyn Write) -> io::Result<()> {
    let total = audit.faults.iter().map(|fault| fault.lines.len()).sum();
    if total > 0 {
        let title = count(total, "fault");
        writeln!(out, "<details{}><summary>{title}</summary>\n", alert.open())?;
        writeln!(out, "| tag | fault |\n|---|---|")?;
        let rows = audit.faults.iter().flat_map(|fault| {
            let name = text(&name(audit, fault));
            let row = move |line: &String| format!("| {name} | {} |", text(line));
            fault.lines.iter().map(row)
        });
        write_rows(rows, total, 2, DETAILS, out)?;
        writeln!(out, "\n</details>\n")?;
    }
    Ok(())
}

/// What was looked at, and how long it took.
fn sums(audit: &Audit) -> String {
    let registries: Vec<String> = audit.registries.iter().map(|host| text(host)).collect();
    format!(
        "{} in {}, {} in {}{}",
        count(audit.tags.all, "tag"),
        human::list(&registries),
        cost(audit),
        human::duration(audit.duration),
        oldest_check(audit)
    )
}

/// `in use by 9 workloads: linux/amd64 manifest missing (404)`.
fn summary(fault: &Fault) -> String {
    match fault.use_in_words() {
        used if used.is_empty() => fault.summary.clone(),
        used => format!("{used}: {}", fault.summary),
    }
}

fn row(audit: &Audit, fault: &Fault) -> String {
    let mark = match fault.exit {
        Exit::Broken => Alert::Caution.mark(),
        _ => Alert::Warning.mark(),
    };
    format!(
        "| {mark} | {} | {} | {} |",
        text(&name(audit, fault)),
        fault.use_in_words(),
        text(&fault.summary.replace('_', " "))
    )
}

/// Writes the step's outputs: those of a verification, where `images` are the broken tags, at most
/// 1,000.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_outputs(
    audit: &Audit,
    place: Extras<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let counts = audit.counts();
    let broken = audit
        .faults
        .iter()
        .filter(|fault| fault.exit == Exit::Broken);
    let images: Vec<String> = broken.map(Fault::reference).collect();
    for (name, value) in [
        ("result", audit.conclusion().as_str().to_owned()),
        ("exit-code", audit.exit().code().to_string()),
        ("digest", String::new()),
        ("digests", "{}".to_owned()),
        ("images", serde_json::Value::from(images).to_string()),
        ("platforms", "[]".to_owned()),
        ("checked", counts.checked.to_string()),
        ("bytes", counts.bytes.to_string()),
        ("failures", counts.failures.to_string()),
        ("duration-ms", audit.duration.as_millis().to_string()),
        ("report", place.report.unwrap_or_default().to_owned()),
        ("pipeline-number", String::new()),
        ("pipeline-url", String::new()),
        ("pipeline-status", String::new()),
    ] {
        write_value(name, &value, place.seed, out)?;
    }
    Ok(())
}
