//! The audit for people: what is broken, a table of the repositories with trouble, and the verdict
//! last.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use super::super::exit::{Conclusion, Exit};
use super::super::prune;
use super::super::text::{Paint, Style};
use super::{Audit, Fault, InUse};
use crate::text::escape;
use crate::text::human::{self, count};
use crate::walk::rules::Depth;

/// Writes what is going to be audited, and how many of its tags are remembered.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_header(
    registries: &[String],
    depth: Depth,
    remembered: Option<usize>,
    doing: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let remembered = remembered.map(|tags| format!("; {} remembered", count(tags, "tag")));
    writeln!(
        out,
        "pullproof {}: {doing} {} at depth {}{}",
        env!("CARGO_PKG_VERSION"),
        escape::line(&human::list(registries)),
        depth.as_str(),
        remembered.unwrap_or_default()
    )
}

/// Writes the audit, to follow the header; the verdict is the last line.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()> {
    write_faults(audit, style, out)?;
    write_table(audit, out)?;
    write_disk(audit, out)?;
    if let Some(plan) = &audit.prune {
        prune::write(plan, style, out)?;
    }
    write_end(audit, style, out)
}

/// What the disks hold beyond the tags.
fn write_disk(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let disk = audit.disk.as_ref();
    let lines = disk.map_or_else(Vec::new, |disk| disk.lines(audit.started_at));
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "beyond the tags:")?;
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)
}

/// What was looked at: `612 requests`, or `285,600 files`.
pub(super) fn cost(audit: &Audit) -> String {
    let requests = || usize::try_from(audit.requests).unwrap_or(usize::MAX);
    match &audit.disk {
        Some(disk) => disk.in_words(),
        None => count(requests(), "request"),
    }
}

fn write_faults(audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<String> = audit
        .faults
        .iter()
        .map(|fault| name(audit, fault))
        .collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or_default().min(50);
    let widths = audit.faults.iter().map(|fault| fault.use_in_words().len());
    let widest = widths.max().unwrap_or_default();
    writeln!(out)?;
    for (fault, name) in audit.faults.iter().zip(names) {
        let (mark, paint) = match fault.exit {
            Exit::Broken => ("✗", Paint::Bad),
            _ => ("?", Paint::Doubt),
        };
        let used = match widest {
            0 => String::new(),
            _ => format!("{:<widest$}  ", fault.use_in_words()),
        };
        let line = format!("{mark} {name:<width$}  {used}{}", fault.summary);
        writeln!(out, "{}", style.paint(paint, &line))?;
        if let Some(users) = fault.users_in_words() {
            writeln!(out, "    {users}")?;
        }
        for line in &fault.lines {
            writeln!(out, "    {line}")?;
        }
    }
    let more = (audit.tags.broken + audit.tags.undecided).saturating_sub(audit.faults.len());
    if more > 0 {
        let text = count(more, "more tag");
        writeln!(out, "and {text}; the JSON report and broken_list have all")?;
    }
    for unread in &audit.unread {
        let line = format!(
            "? {}: {}",
            escape::line(&unread.name),
            escape::line(&unread.detail)
        );
        writeln!(out, "{}", style.paint(Paint::Doubt, &line))?;
    }
    Ok(())
}

/// The name of a tag, with its registry where there are several.
pub(super) fn name(audit: &Audit, fault: &Fault) -> String {
    escape::line(&if audit.registries.len() > 1 {
        fault.reference()
    } else {
        fault.full_name()
    })
}

fn write_table(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    if audit.rows.is_empty() {
        return Ok(());
    }
    let name = |row: &super::Row| {
        escape::line(&if audit.registries.len() > 1 {
            row.repository.to_string()
        } else {
            row.repository.short().to_owned()
        })
    };
    let others = audit.counts().repositories - audit.rows.len();
    let rest = count(others, "other");
    let names: Vec<String> = audit.rows.iter().map(name).collect();
    let widest = names.iter().map(|name| name.chars().count());
    let width = widest.chain([rest.len(), 10]).max().unwrap_or_default();
    let has_undecided = audit.tags.undecided > 0;
    let line = |out: &mut dyn Write, name: &str, numbers: [&str; 3]| {
        let [tags, broken, undecided] = numbers;
        write!(out, "{name:<width$}  {tags:>6}  {broken:>6}")?;
        if has_undecided {
            write!(out, "  {undecided:>9}")?;
        }
        writeln!(out)
    };
    writeln!(out)?;
    line(out, "repository", ["tags", "broken", "undecided"])?;
    let mut rest_of = audit.tags;
    for (row, name) in audit.rows.iter().zip(&names) {
        let numbers = [row.tags.all, row.tags.broken, row.tags.undecided];
        rest_of.all -= row.tags.all;
        rest_of.broken -= row.tags.broken;
        rest_of.undecided -= row.tags.undecided;
        let numbers = numbers.map(|number| number.to_string());
        line(out, name, [&numbers[0], &numbers[1], &numbers[2]])?;
    }
    if others > 0 {
        let numbers = [rest_of.all, rest_of.broken, rest_of.undecided];
        let numbers = numbers.map(|number| number.to_string());
        line(out, &rest, [&numbers[0], &numbers[1], &numbers[2]])?;
    }
    writeln!(out)
}

fn write_end(audit: &Audit, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let counts = audit.counts();
    writeln!(
        out,
        "{}, {}{}: {}; {} in {}{}",
        count(counts.repositories, "repository"),
        count(audit.tags.all, "tag"),
        changes(audit),
        ends(audit),
        cost(audit),
        human::duration(audit.duration),
        oldest_check(audit)
    )?;
    for advice in &audit.advice {
        let names = advice.addressees();
        let names = names.map(|names| format!(" ({})", escape::line(&names)));
        let names = names.unwrap_or_default();
        let hint = style.paint(Paint::Doubt, &format!("hint{names}:"));
        writeln!(out, "{hint} {}", advice.text())?;
    }
    let paint = match audit.conclusion() {
        Conclusion::Passed => Paint::Good,
        Conclusion::Failed => Paint::Bad,
        Conclusion::Error | Conclusion::Skipped => Paint::Doubt,
    };
    let line = format!("pullproof: {}", headline(audit));
    writeln!(out, "{}", style.paint(paint, &line))
}

/// ` (2 new, 1 moved)`: what differs from what is remembered.
fn changes(audit: &Audit) -> String {
    let Some(remembered) = audit.remembered.filter(|remembered| remembered.tags > 0) else {
        return String::new();
    };
    let changes = [(remembered.new, "new"), (remembered.moved, "moved")];
    let changes = changes.iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> = changes
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

/// `; oldest check 6 h ago, at depth tail 5 days ago`: how old a pass is that rests on memory.
pub(super) fn oldest_check(audit: &Audit) -> String {
    let age = |checked: Option<SystemTime>| {
        let age = audit.started_at.duration_since(checked?).ok()?;
        (age >= Duration::from_secs(1)).then(|| human::age(age))
    };
    let Some(remembered) = audit.remembered else {
        return String::new();
    };
    let (any, at_depth) = (
        age(remembered.oldest_check),
        age(remembered.oldest_at_depth),
    );
    let at_depth = at_depth.filter(|age| any.as_ref() != Some(age));
    let at_depth = at_depth.map(|age| format!("at depth {} {age} ago", audit.depth.as_str()));
    let parts = any
        .map(|age| format!("{age} ago"))
        .into_iter()
        .chain(at_depth);
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("; oldest check {}", parts.join(", "))
    }
}

/// `38 ok, 3 broken`.
fn ends(audit: &Audit) -> String {
    let tags = audit.tags;
    let mut parts = vec![format!("{} ok", tags.ok)];
    for (number, word) in [(tags.broken, "broken"), (tags.undecided, "undecided")] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    parts.join(", ")
}

/// The verdict, with the exit code.
pub(super) fn headline(audit: &Audit) -> String {
    let word = match (audit.conclusion(), audit.cause()) {
        (_, Exit::Interrupted | Exit::Terminated) => "INTERRUPTED",
        (Conclusion::Failed, _) => "FAILED",
        (Conclusion::Error, Exit::Denied) => "REFUSED",
        (Conclusion::Error, Exit::Unknown) => "UNDECIDED",
        (Conclusion::Error, _) => "ERROR",
        _ => "PASSED",
    };
    format!("{word}: {} ({})", fact(audit), exit_code(audit))
}

/// The exit code in words, and why it is 0 where something is wrong.
pub(super) fn exit_code(audit: &Audit) -> String {
    let code = audit.exit().code();
    let because = if audit.exit() == audit.cause() {
        String::new()
    } else {
        format!(" because of `fail_on: {}`", audit.fail_on.as_str())
    };
    format!("exit code {code}{because}")
}

/// The verdict without the word for it and the exit code.
pub(super) fn fact(audit: &Audit) -> String {
    let tags = audit.tags;
    let all = count(tags.all, "tag");
    let mut facts = Vec::new();
    if tags.broken > 0 {
        facts.push(format!("{} of {all} cannot be pulled", tags.broken));
        facts.extend(audit.in_use.map(in_use));
    }
    if tags.undecided > 0 {
        facts.push(format!("{} of {all} could not be checked", tags.undecided));
    }
    facts.extend(audit.reason().map(|reason| escape::line(&reason)));
    if facts.is_empty() {
        facts.push(match (&audit.prune, tags.all) {
            (None, 1) => format!("{all} can be pulled"),
            (None, _) => format!("all {all} can be pulled"),
            (Some(_), 0) => "none stays".to_owned(),
            (Some(_), 1) => format!("{all} stays and can be pulled"),
            (Some(_), _) => format!("{all} stay and can be pulled"),
        });
    }
    if let Some(plan) = &audit.prune {
        facts.insert(0, plan.fact());
    }
    match audit.cause() {
        Exit::Interrupted | Exit::Terminated => format!("so far {}", facts.join(", ")),
        _ if audit.stopped.is_some() => format!("stopped at `timeout`, {}", facts.join(", ")),
        _ => facts.join(", "),
    }
}

/// `2 of them in use`.
fn in_use(known: InUse) -> String {
    match known {
        InUse {
            broken: 0,
            is_partial: true,
            ..
        } => "none of them known to be in use".to_owned(),
        InUse { broken: 0, .. } => "none of them in use".to_owned(),
        InUse { broken, .. } => format!("{broken} of them in use"),
    }
}
