//! The plan of a prune, in its report and in a file of its own.

use std::io::{self, Write};

use serde::Serialize;

use super::{TOOL, Tool, write_value};
use crate::prune::apply::End;
use crate::prune::plan::Fate;
use crate::report::prune::{Prune, Pruned, ended, reason, since};
use crate::text::escape;

/// Writes a plan as one line of JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(prune: &Prune, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        kind: &'static str,
        tool: Tool,
        plan: Vec<PruneEntry>,
    }
    let document = Document {
        schema: 1,
        kind: "prune",
        tool: TOOL,
        plan: entries(prune),
    };
    write_value(&document, out)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
pub(super) struct PruneEntry {
    action: &'static str,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
    kind: Option<&'static str>,
    bytes: Option<u64>,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    done: bool,
}

/// What becomes of each tag, and of each manifest that goes.
pub(super) fn entries(prune: &Prune) -> Vec<PruneEntry> {
    prune.repositories.iter().flat_map(of_repository).collect()
}

fn of_repository(pruned: &Pruned) -> Vec<PruneEntry> {
    let repository = pruned.repository.to_string();
    let tags = pruned.tags.iter().map(|tag| PruneEntry {
        action: match tag.fate {
            Fate::Keep(_) => "keep",
            Fate::Delete(_) => "delete",
        },
        repository: repository.clone(),
        tag: Some(escape::shortened(&tag.name)),
        digest: tag.digest.as_ref().map(ToString::to_string),
        kind: tag.kind.map(crate::oci::kind::Kind::as_str),
        bytes: None,
        reason: escape::shortened(&reason(tag)),
        since: since(tag),
        done: tag.end == Some(End::Deleted),
    });
    let manifests = pruned.manifests.iter().map(|manifest| PruneEntry {
        action: "delete",
        repository: repository.clone(),
        tag: None,
        digest: Some(manifest.digest.to_string()),
        kind: Some(manifest.kind.as_str()),
        bytes: manifest.size,
        reason: match &manifest.end {
            None => "only tags that go lead to it".to_owned(),
            Some(end) => escape::shortened(&ended(end)),
        },
        since: None,
        done: manifest.end == Some(End::Deleted),
    });
    tags.chain(manifests).collect()
}
