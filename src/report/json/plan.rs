//! The plan of a repair: in its report, and in a file of its own.

use std::io::{self, Write};
use std::time::SystemTime;

use serde::Serialize;

use super::{TOOL, Tool, write_value};
use crate::repair::{Action, Step};
use crate::report::plan::{Plan, reason};
use crate::text::escape;

/// Writes a plan as one line of JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(plan: &Plan, now: SystemTime, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        kind: &'static str,
        tool: Tool,
        plan: Vec<PlanEntry>,
    }
    let document = Document {
        schema: 1,
        kind: "repair",
        tool: TOOL,
        plan: entries(plan, now),
    };
    write_value(&document, out)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
pub(super) struct PlanEntry {
    action: &'static str,
    repository: String,
    tag: Option<String>,
    digest: String,
    kind: &'static str,
    bytes: Option<u64>,
    reason: String,
    done: bool,
}

pub(super) fn entries(plan: &Plan, now: SystemTime) -> Vec<PlanEntry> {
    plan.steps.iter().map(|step| entry(step, now)).collect()
}

fn entry(step: &Step, now: SystemTime) -> PlanEntry {
    let image = step.images.first();
    PlanEntry {
        action: step.action.as_str(),
        repository: step.repository.to_string(),
        tag: match &step.action {
            Action::Tag(tag) => Some(tag.clone()),
            _ => image.and_then(|image| image.tag.clone()),
        },
        digest: step.digest.to_string(),
        kind: step.kind.as_str(),
        bytes: step.size,
        reason: escape::shortened(&reason(step, now)),
        done: matches!(step.end, Some(Ok(()))),
    }
}
