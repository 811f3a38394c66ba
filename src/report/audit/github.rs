//! The audit for GitHub Actions: annotations, the step summary and the step's outputs, each of a
//! size that does not grow with the registry.

use std::io::{self, Write};

use super::super::exit::Exit;
use super::super::github::{Extras, write_value};
use super::super::text::Style;
use super::text::{headline, name, oldest_check};
use super::{Audit, Fault, text};
use crate::text::escape::{command_message, command_property, line, markdown};
use crate::text::human::{self, count};

/// The runner shows ten annotations of one type per step; the tenth is the sum of the rest.
const ANNOTATIONS: usize = 9;

/// GitHub drops a summary of more than 1 MiB as a whole.
const SUMMARY: usize = 800_000;

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
        let message = command_message(&lines.join("\n"));
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
    text::write(audit, style, out)
}

/// Writes the step summary as markdown, less than 1 MiB.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_summary(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### pullproof: {}\n", markdown(&headline(audit)))?;
    if !audit.faults.is_empty() {
        writeln!(out, "| | tag | what |\n|:-:|---|---|")?;
        let mut room = SUMMARY;
        for (written, fault) in audit.faults.iter().enumerate() {
            let row = row(audit, fault);
            if row.len() > room {
                let rest = count(audit.faults.len() - written, "more row");
                writeln!(
                    out,
                    "| | {rest} | left out because a summary has limited room |"
                )?;
                break;
            }
            room -= row.len();
            writeln!(out, "{row}")?;
        }
        let all = audit.tags.broken + audit.tags.undecided;
        if all > audit.faults.len() {
            let rest = count(all - audit.faults.len(), "more tag");
            writeln!(out, "| | {rest} | in the JSON report |")?;
        }
        writeln!(out)?;
    }
    for advice in &audit.advice {
        let names = advice.addressees();
        let names = names.map(|names| format!(" ({})", markdown(&names)));
        let names = names.unwrap_or_default();
        writeln!(out, "> **Hint{names}:** {}\n", advice.text())?;
    }
    writeln!(
        out,
        "{} in {}, {} in {}{}",
        count(audit.tags.all, "tag"),
        human::list(
            &audit
                .registries
                .iter()
                .map(|host| markdown(host))
                .collect::<Vec<_>>()
        ),
        count(
            usize::try_from(audit.requests).unwrap_or(usize::MAX),
            "request"
        ),
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
        Exit::Broken => "❌",
        _ => "⚠️",
    };
    format!(
        "| {mark} | {} | {} |",
        markdown(&name(audit, fault)),
        markdown(&summary(fault))
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
    let images: Vec<String> = broken
        .map(|fault| format!("{}/{}", fault.repository.registry, fault.full_name()))
        .collect();
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
