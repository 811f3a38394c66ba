//! The plan in a file: written without `apply`, and read with it, so that nothing else is deleted.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use oci_spec::image::Digest;
use serde::Deserialize;

use crate::oci::reference::Repository;
use crate::report::prune::Prune;
use crate::settings::{Error, PruneSettings};
use crate::terminal::deliver;

/// A deletion that a plan in a file allows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Allowed {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl Allowed {
    pub(super) fn of(repository: &Repository, tag: Option<&str>, digest: Option<&Digest>) -> Self {
        Self {
            repository: repository.to_string(),
            tag: tag.map(str::to_owned),
            digest: digest.map(ToString::to_string),
        }
    }
}

/// The deletions of the plan that is given by a file, with `apply`.
///
/// # Errors
///
/// When it cannot be read, or is no such plan.
pub(super) fn allowed(settings: &PruneSettings) -> Result<Option<HashSet<Allowed>>, Error> {
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
        tag: Option<String>,
        digest: Option<String>,
    }
    let Some(path) = settings.plan.as_ref().filter(|_| settings.apply.is_some()) else {
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
    if file.schema != 1 || file.kind != "prune" {
        return Err(unusable("it is not the plan of a prune".to_owned()));
    }
    let deletions = file.plan.into_iter().filter(|item| item.action == "delete");
    let allowed = deletions.map(|item| Allowed {
        repository: item.repository,
        tag: item.tag,
        digest: item.digest,
    });
    Ok(Some(allowed.collect()))
}

/// Writes a plan.
///
/// # Errors
///
/// When it cannot be written.
pub(super) fn write(path: &Path, prune: &Prune) -> Result<(), Error> {
    deliver::write_prune(path, prune).map_err(|failure| {
        let name = path.display();
        Error::new(format!("plan: {name} cannot be written: {failure}"))
    })
}
