//! An OCI image layout in an audit of directories: one repository, whose tags its index lists.

use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;

use super::{Found, Run};
use crate::layout::LayoutRepository;
use crate::oci::in_layout;
use crate::oci::reference::{Reference, Repository};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::settings::AuditSettings;
use crate::walk::checked::Checked;
use crate::walk::walk;

/// How many tags are walked together.
const TOGETHER: usize = 200;

/// The directory that a target names, where it is a layout.
pub(super) fn directory(registry: &str) -> Option<&Path> {
    in_layout::directory_of(registry).map(Path::new)
}

/// Walks the tags of a layout that are covered.
pub(super) async fn audited(settings: &AuditSettings, run: &Run, registry: &str) -> Found {
    let Some(path) = directory(registry).filter(|_| run.extent.covers(registry, "")) else {
        return Found::Nothing;
    };
    let repository = Repository {
        registry: registry.to_owned(),
        name: String::new(),
    };
    let layout = LayoutRepository::open(path, settings.rules.depth);
    let mut references = layout.references(&repository);
    references.retain(|reference| {
        let tag = reference.tag.as_deref();
        tag.is_none_or(|tag| run.extent.covers_tag("", tag))
    });
    if references.is_empty() {
        let why = "it is not an image layout that lists an image that counts";
        let unread = Unread::new(registry.to_owned(), why, Exit::Configuration);
        return if run.extent.allow_empty {
            Found::Gone(registry.to_owned())
        } else {
            Found::Unread(unread)
        };
    }
    let mut parts = Vec::new();
    for references in references.chunks(TOGETHER) {
        if run.stopped.get().is_some() {
            break;
        }
        parts.push(walked(settings, run, &layout, &repository, references).await);
    }
    if parts.is_empty() {
        Found::Nothing
    } else {
        Found::Checked(parts)
    }
}

async fn walked(
    settings: &AuditSettings,
    run: &Run,
    layout: &LayoutRepository,
    repository: &Repository,
    references: &[Reference],
) -> Checked {
    let pinned: Vec<Reference> = references.iter().map(|one| layout.pinned(one)).collect();
    // It is asked whenever there is an answer.
    let stop = poll_fn(|_| run.cause().map_or(Poll::Pending, Poll::Ready));
    let mut checked = walk(
        layout,
        repository,
        &pinned,
        &settings.rules,
        stop,
        |_, _| (),
    )
    .await;
    layout.name(&mut checked, references);
    checked.finish(str::to_owned);
    checked
}
