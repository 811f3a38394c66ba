//! OCI image layouts in an audit of directories, of their own or as repositories of zot: each is one
//! repository, whose tags its index lists.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::task::Poll;

use super::{Found, Run};
use crate::commands::audit::listing::{incomplete, warn_of_unusable};
use crate::commands::audit::repository::MOST_MOVES;
use crate::layout::root::Root;
use crate::layout::{Layout, LayoutRepository};
use crate::oci::in_layout;
use crate::oci::reference::{Reference, Repository};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::settings::{AuditSettings, Target};
use crate::storage::layouts;
use crate::walk::checked::{Checked, Subject};
use crate::walk::walk;

/// How many tags are walked together.
const TOGETHER: usize = 200;

/// The directory that a target names, where it is a layout.
pub(super) fn directory(registry: &str) -> Option<&Path> {
    in_layout::directory_of(registry).map(Path::new)
}

/// A layout to audit.
pub(super) struct Named {
    repository: Repository,
    directory: PathBuf,
    /// Whether it is a repository of zot: it may have no tags, and lists more than what has one.
    is_of_zot: bool,
}

impl Named {
    /// One that is named itself.
    pub(super) fn alone(registry: &str, directory: &Path) -> Self {
        Self {
            repository: Repository {
                registry: registry.to_owned(),
                name: String::new(),
            },
            directory: directory.to_owned(),
            is_of_zot: false,
        }
    }
}

/// The repositories of zot in a directory that are covered, and those that are named and are not
/// there.
///
/// # Errors
///
/// When they cannot be listed.
pub(super) fn of_zot(
    registry: &str,
    root: &Root,
    settings: &AuditSettings,
) -> Result<(Vec<Named>, Vec<Unread>), Unread> {
    let list = layouts::repositories(root).map_err(|failure| {
        let why = format!("its repositories could not be listed: {failure}");
        Unread::new(registry.to_owned(), why, Exit::Unknown)
    })?;
    warn_of_unusable(&format!("the catalog of {registry}"), &list);
    let extent = &settings.extent;
    let mut unread: Vec<Unread> = incomplete(registry, &list).into_iter().collect();
    let targets = extent.targets.iter();
    let targets = targets.filter(|target| target.registry == registry);
    for name in targets.filter_map(Target::name) {
        if !list.names.contains(&name) {
            let why = "there is no such repository";
            unread.push(Unread::new(
                format!("{registry}/{name}"),
                why,
                Exit::Configuration,
            ));
        }
    }
    let covered = list.names.into_iter();
    let covered = covered.filter(|name| extent.covers(registry, name));
    let named = covered.map(|name| Named {
        directory: root.path().join(&name),
        repository: Repository {
            registry: registry.to_owned(),
            name,
        },
        is_of_zot: true,
    });
    Ok((named.collect(), unread))
}

/// Walks the tags of a layout that are covered.
pub(super) async fn audited(settings: &AuditSettings, run: &Run, one: &Named) -> Found {
    let Repository { registry, name } = &one.repository;
    if run.stopped.get().is_some() || !run.extent.covers(registry, name) {
        return Found::Nothing;
    }
    let full_name = one.repository.to_string();
    let unread = |why: String, exit| Found::Unread(Unread::new(full_name.clone(), why, exit));
    if one.is_of_zot
        && let Err(why) = Layout::open(&one.directory)
    {
        return unread(why.to_string(), Exit::Unknown);
    }
    let layout = LayoutRepository::open(&one.directory, settings.rules.depth);
    let mut references = layout.references(&one.repository);
    references.retain(|reference| match reference.tag.as_deref() {
        None => !one.is_of_zot,
        Some(tag) => run.extent.covers_tag(name, tag),
    });
    if references.is_empty() {
        if one.is_of_zot || run.extent.allow_empty {
            return Found::Gone(full_name);
        }
        let why = "it is not an image layout that lists an image that counts";
        return unread(why.to_owned(), Exit::Configuration);
    }
    let mut parts = Vec::new();
    for references in references.chunks(TOGETHER) {
        if run.stopped.get().is_some() {
            break;
        }
        parts.extend(settled(settings, run, one, references).await);
    }
    if parts.is_empty() {
        Found::Nothing
    } else {
        Found::Checked(parts)
    }
}

/// Walks tags, and those that move meanwhile and fail once more; without those that are gone by then.
async fn settled(
    settings: &AuditSettings,
    run: &Run,
    one: &Named,
    references: &[Reference],
) -> Vec<Checked> {
    let open = || LayoutRepository::open(&one.directory, settings.rules.depth);
    let (mut layout, mut references) = (open(), references.to_vec());
    let mut parts = Vec::new();
    for moves in 0.. {
        let mut checked = walked(settings, run, &layout, &one.repository, &references).await;
        let now = open();
        references.clear();
        let clients = settings.rules.clients;
        let subjects = std::mem::take(&mut checked.subjects).into_iter();
        let (moved, still): (Vec<Subject>, Vec<Subject>) = subjects.partition(|subject| {
            let (before, after) = (
                layout.pinned(&subject.reference),
                now.pinned(&subject.reference),
            );
            checked.is_failing(subject, clients) && before != after
        });
        checked.subjects = still;
        let leads = |subject: &Subject| now.pinned(&subject.reference).digest.is_some();
        let moved = moved.into_iter().filter(leads);
        references.extend(moved.map(|subject| subject.reference));
        parts.push(checked);
        if references.is_empty() || moves == MOST_MOVES {
            break;
        }
        layout = now;
    }
    parts.retain(|part| !part.subjects.is_empty());
    parts
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
