//! The report of an audit: written as it goes, repository by repository, with the sums last.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::super::audit::{Audit, Remembered, Unread};
use super::super::judged::Judged;
use super::super::timestamp;
use super::{CountsEntry, HintEntry, RepositoryEntry, TOOL, Tool, milliseconds, write_value};
use crate::text::escape;
use crate::walk::rules::Depth;

#[derive(Serialize)]
struct Opening {
    schema: u8,
    kind: &'static str,
    tool: Tool,
    depth: &'static str,
    started_at: String,
}

#[derive(Serialize)]
struct Closing {
    unread: Vec<UnreadEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remembered: Option<RememberedEntry>,
    result: &'static str,
    exit_code: u8,
    duration_ms: u64,
    counts: CountsEntry,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<HintEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the run rests on besides its own questions.
#[derive(Serialize)]
struct RememberedEntry {
    tags: usize,
    new: usize,
    moved: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_check: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_check_at_depth: Option<String>,
}

impl RememberedEntry {
    fn of(remembered: &Remembered) -> Self {
        Self {
            tags: remembered.tags,
            new: remembered.new,
            moved: remembered.moved,
            oldest_check: remembered.oldest_check.map(timestamp::utc),
            oldest_check_at_depth: remembered.oldest_at_depth.map(timestamp::utc),
        }
    }
}

/// A list that could not be read, so that what is in it was not looked at.
#[derive(Serialize)]
struct UnreadEntry {
    name: String,
    result: &'static str,
    detail: String,
}

impl UnreadEntry {
    fn of(unread: &Unread) -> Self {
        Self {
            name: escape::shortened(&unread.name),
            result: "error",
            detail: escape::shortened(&unread.detail),
        }
    }
}

/// Writes the start of the report, up to its repositories.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_opening(
    depth: Depth,
    started_at: SystemTime,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut opening = Vec::new();
    write_value(
        &Opening {
            schema: 1,
            kind: "audit",
            tool: TOOL,
            depth: depth.as_str(),
            started_at: timestamp::utc(started_at),
        },
        &mut opening,
    )?;
    opening.pop();
    out.write_all(&opening)?;
    out.write_all(b",\"repositories\":[")
}

/// Writes a repository; `number` counts those before it.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_repository(
    judged: &Judged<'_>,
    number: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    if number > 0 {
        out.write_all(b",")?;
    }
    write_value(&RepositoryEntry::faults(judged), out)
}

/// Writes what follows the repositories.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_closing(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let mut closing = Vec::new();
    write_value(
        &Closing {
            unread: audit.unread.iter().map(UnreadEntry::of).collect(),
            remembered: audit.remembered.as_ref().map(RememberedEntry::of),
            result: audit.conclusion().as_str(),
            exit_code: audit.exit().code(),
            duration_ms: milliseconds(audit.duration),
            counts: CountsEntry::of(&audit.counts()),
            hints: audit.advice.iter().map(HintEntry::of).collect(),
            error: audit.reason().map(|reason| escape::shortened(&reason)),
        },
        &mut closing,
    )?;
    out.write_all(b"],")?;
    out.write_all(&closing[1..])?;
    out.write_all(b"\n")
}
