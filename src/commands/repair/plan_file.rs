//! The plan in a file: written without `apply`, and read with it, so that nothing else is done.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::repair::{Action, Step};
use crate::report::plan::Plan;
use crate::settings::{Error, RepairSettings};
use crate::terminal::deliver;

/// The action that is about a tag and not about a digest alone.
const TAG: &str = "tag";

/// What a plan in a file allows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Allowed {
    action: String,
    repository: String,
    digest: String,
    /// The tag that is put back, where it is about one.
    tag: Option<String>,
}

impl Allowed {
    pub(super) fn of(step: &Step) -> Self {
        Self {
            action: step.action.as_str().to_owned(),
            repository: step.repository.to_string(),
            digest: step.digest.to_string(),
            tag: match &step.action {
                Action::Tag(tag) => Some(tag.clone()),
                _ => None,
            },
        }
    }
}

/// The plan that is given by a file, with `apply`.
///
/// # Errors
///
/// When it cannot be read, or is no such plan.
pub(super) fn allowed(settings: &RepairSettings) -> Result<Option<HashSet<Allowed>>, Error> {
    #[derive(Deserialize)]
    struct File {
        schema: u8,
        kind: String,
        plan: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        action: String,
        repository: String,
        digest: String,
        tag: Option<String>,
    }
    let Some(path) = settings
        .plan
        .as_ref()
        .filter(|_| settings.sources.permission.is_some())
    else {
        return Ok(None);
    };
    let name = path.display();
    let unusable = |why: String| {
        Error::new(format!("plan: {name} cannot be used: {why}"))
            .with_hint("write it by the same command without --apply")
    };
    let text = fs::read(path).map_err(|failure| unusable(failure.to_string()))?;
    let file: File =
        serde_json::from_slice(&text).map_err(|failure| unusable(failure.to_string()))?;
    if file.schema != 1 || file.kind != "repair" {
        return Err(unusable("it is not the plan of a repair".to_owned()));
    }
    let allowed = file.plan.into_iter().map(|item| Allowed {
        tag: item.tag.filter(|_| item.action == TAG),
        action: item.action,
        repository: item.repository,
        digest: item.digest,
    });
    Ok(Some(allowed.collect()))
}

/// Writes a plan.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), Error> {
    deliver::write_plan(path, plan).map_err(|failure| {
        Error::new(format!(
            "plan: {} cannot be written: {failure}",
            path.display()
        ))
    })
}
