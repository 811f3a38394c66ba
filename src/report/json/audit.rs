//! The report of an audit: written as it goes, repository by repository, with the sums last.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::super::audit::{Audit, Disk, Remembered, Unread};
use super::super::judged::Judged;
use super::super::prune::Prune;
use super::super::timestamp;
use super::prune::{self, PruneEntry};
use super::{CountsEntry, HintEntry, RepositoryEntry, TOOL, Tool, milliseconds, write_value};
use crate::storage::census::{Amount, Beyond, Obstacle, Occurrence};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Vec<PruneEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frees: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<HintEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What disks hold beside the tags.
#[derive(Serialize)]
struct DiskEntry {
    files: u64,
    #[serde(flatten)]
    beyond: Option<BeyondEntry>,
}

/// The same beyond the tags, where all of them were looked at.
#[derive(Serialize)]
struct BeyondEntry {
    links_without_data: PlacesEntry,
    untagged_manifests: u64,
    broken_untagged_manifests: u64,
    unreached_blobs: AmountEntry,
    freed_by_garbage_collection: AmountEntry,
    uploads: AmountEntry,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_upload: Option<String>,
    garbage_collection_stops_at: Vec<ObstacleEntry>,
    unreadable: PlacesEntry,
}

#[derive(Serialize)]
struct AmountEntry {
    files: u64,
    bytes: u64,
}

/// How many places there are, and the first of them.
#[derive(Serialize)]
struct PlacesEntry {
    count: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    first: String,
}

#[derive(Serialize)]
struct ObstacleEntry {
    kind: &'static str,
    #[serde(flatten)]
    places: PlacesEntry,
}

impl DiskEntry {
    fn of(disk: &Disk) -> Self {
        Self {
            files: disk.files,
            beyond: disk.beyond.as_ref().map(BeyondEntry::of),
        }
    }
}

impl BeyondEntry {
    fn of(beyond: &Beyond) -> Self {
        let obstacle = |(obstacle, occurrence): &(Obstacle, Occurrence)| ObstacleEntry {
            kind: obstacle.as_str(),
            places: PlacesEntry::of(occurrence),
        };
        Self {
            links_without_data: PlacesEntry::of(&beyond.without_data),
            untagged_manifests: beyond.revisions,
            broken_untagged_manifests: beyond.broken_revisions,
            unreached_blobs: AmountEntry::of(beyond.unreached),
            freed_by_garbage_collection: AmountEntry::of(beyond.freed),
            uploads: AmountEntry::of(beyond.uploads),
            oldest_upload: beyond.oldest_upload.map(timestamp::utc),
            garbage_collection_stops_at: beyond.obstacles.iter().map(obstacle).collect(),
            unreadable: PlacesEntry::of(&beyond.unread),
        }
    }
}

impl AmountEntry {
    fn of(amount: Amount) -> Self {
        let Amount { files, bytes } = amount;
        Self { files, bytes }
    }
}

impl PlacesEntry {
    fn of(occurrence: &Occurrence) -> Self {
        Self {
            count: occurrence.count,
            first: escape::shortened(&occurrence.first),
        }
    }
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
    kind: &'static str,
    depth: Depth,
    started_at: SystemTime,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut opening = Vec::new();
    write_value(
        &Opening {
            schema: 1,
            kind,
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
            disk: audit.disk.as_ref().map(DiskEntry::of),
            plan: audit.prune.as_ref().map(prune::entries),
            frees: audit.prune.as_ref().map(Prune::frees),
            hints: audit.advice.iter().map(HintEntry::of).collect(),
            error: audit.reason().map(|reason| escape::shortened(&reason)),
        },
        &mut closing,
    )?;
    out.write_all(b"],")?;
    out.write_all(&closing[1..])?;
    out.write_all(b"\n")
}
