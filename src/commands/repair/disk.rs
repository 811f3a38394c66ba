//! A verification of images on the disk of a registry.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Instant, SystemTime};

use crate::commands::verify::targets::Target;
use crate::http::patience::Patience;
use crate::oci::reference::{Reference, Repository, is_directory};
use crate::report::Report;
use crate::report::exit::FailOn;
use crate::settings::{AuditSettings, Error, VerifySettings};
use crate::storage::hashed::Hashed;
use crate::storage::kind;
use crate::storage::repository::StorageRepository;
use crate::terminal::signals::Stopping;
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;

/// Whether images are on a disk; all of a run are, or none.
pub(super) fn is_on_disk(targets: &[Target]) -> bool {
    let first = targets.first();
    first.is_some_and(|target| is_directory(&target.reference.repository.registry))
}

/// Sees that the directories that are audited can be mended.
///
/// # Errors
///
/// When one cannot.
pub(super) fn check(settings: &AuditSettings) -> Result<(), Error> {
    let targets = settings.extent.targets.iter();
    for target in targets.filter(|target| is_directory(&target.registry)) {
        kind::open_tree(Path::new(&target.registry))?;
    }
    Ok(())
}

/// Walks images on the disk of a registry.
///
/// # Errors
///
/// When it cannot be opened any more.
pub(super) async fn verify(
    settings: &VerifySettings,
    targets: &[Target],
    stopping: Stopping,
) -> Result<Report, Error> {
    let (started_at, started) = (SystemTime::now(), Instant::now());
    let mut repositories: BTreeMap<&Repository, Vec<Reference>> = BTreeMap::new();
    for target in targets {
        let Target { reference, .. } = target;
        let known = repositories.entry(&reference.repository).or_default();
        known.push(reference.clone());
    }
    let mut report = Report {
        clients: settings.rules.clients,
        never_fail: settings.output.fail_on == FailOn::Never,
        ..Report::empty(settings.rules.depth, started_at)
    };
    for (repository, references) in repositories {
        let place = report.repositories.len();
        let checked = walked(settings, repository, &references, &stopping).await?;
        let own = (0..checked.subjects.len()).map(|subject| (place, subject));
        report.order.extend(own);
        report.repositories.push(checked);
    }
    report.stopped = stopping.peek().copied();
    report.duration = started.elapsed();
    Ok(report)
}

/// One repository, walked.
///
/// # Errors
///
/// When it cannot be opened any more.
async fn walked(
    settings: &VerifySettings,
    repository: &Repository,
    references: &[Reference],
    stopping: &Stopping,
) -> Result<Checked, Error> {
    let tree = kind::open_tree(Path::new(&repository.registry))?;
    let (hashed, is_stopped) = (Hashed::default(), || stopping.peek().is_some());
    let depth = settings.rules.depth;
    let source = StorageRepository::open(&tree, &repository.name, depth, &hashed, &is_stopped);
    let source = source.map_err(|why| Error::new(format!("{repository} cannot be read: {why}")))?;
    let stop = async {
        Cause::Stopped {
            stop: stopping.clone().await,
            timeout: Patience::NO_TIMEOUT,
            settle: None,
        }
    };
    let walked = source.walked(repository, references, &settings.rules, stop);
    Ok(walked.await)
}
