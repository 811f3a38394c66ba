//! What a packages API adds to a prune: dates, what has no tag, and deletions of single versions.

use oci_spec::image::Digest;

use crate::oci::client::Clients;
use crate::oci::reference::Repository;
use crate::prune::contents::Contents;
use crate::prune::loose;
use crate::prune::remover::{Remover, Taken};
use crate::prune::versions;
use crate::registry::packages::{Package, PackageRemover, Packages};
use crate::registry::{RegistryRemover, RegistryRepository, Transport};
use crate::settings::{Deletion, PruneSettings};
use crate::walk::checked::Checked;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Fault, FaultKind};

/// What the packages API of a registry knows of a repository.
pub(super) enum Listed {
    /// It has no such API.
    Nothing,
    /// Its versions, and what those without a tag lead to.
    Package(Package, Vec<Checked>),
    /// It should be known, and is not.
    Unlisted(Fault),
}

/// Asks the packages API, where there is one.
pub(super) async fn listed(
    settings: &PruneSettings,
    transport: &Transport,
    parts: &[Checked],
) -> Listed {
    let Some(Checked { repository, .. }) = parts.first() else {
        return Listed::Nothing;
    };
    let given = settings.packages_api.as_ref();
    let Some(packages) = Packages::of(transport, &repository.registry, given) else {
        return Listed::Nothing;
    };
    match packages.package(repository).await {
        Ok(package) => {
            let untagged = untagged(settings, transport, parts, &package).await;
            Listed::Package(package, untagged)
        }
        Err(fault) if packages.is_optional() && fault.kind == FaultKind::NotFound => {
            Listed::Nothing
        }
        Err(fault) => Listed::Unlisted(fault),
    }
}

/// Walks what has no tag and was not met on the way from any.
async fn untagged(
    settings: &PruneSettings,
    transport: &Transport,
    parts: &[Checked],
    package: &Package,
) -> Vec<Checked> {
    let unknown = versions::unknown(&package.versions, &loose::met(parts.iter()));
    let unknown = unknown.into_iter().cloned().collect();
    let repository = &parts[0].repository;
    let source = RegistryRepository::new(transport, repository, Depth::Manifests);
    loose::walked(&source, repository, unknown, &settings.audit.rules).await
}

impl Listed {
    /// What a walk found of what has no tag.
    pub(super) fn walked(&self) -> &[Checked] {
        match self {
            Self::Package(_, walked) => walked,
            Self::Nothing | Self::Unlisted(_) => &[],
        }
    }

    /// Adds what is known, and gives the package.
    pub(super) fn fill(self, contents: &mut Contents, clients: Clients) -> Option<Package> {
        match self {
            Self::Nothing => None,
            Self::Unlisted(fault) => {
                contents.unlisted = Some(fault);
                None
            }
            Self::Package(package, walked) => {
                versions::date(contents, &package.versions);
                let listed = versions::untagged(&package.versions);
                for checked in &walked {
                    contents.add_untagged(checked, clients, &listed);
                }
                Some(package)
            }
        }
    }
}

/// What deletes: the registry itself, or its packages API.
pub(super) enum Removing<'a> {
    Registry(RegistryRemover<'a>),
    Package(PackageRemover<'a>),
}

impl<'a> Removing<'a> {
    pub(super) fn new(
        transport: &'a Transport,
        repository: &'a Repository,
        package: Option<&'a Package>,
        permission: Deletion,
    ) -> Self {
        match package.filter(|package| package.is_deleted_from()) {
            Some(package) => {
                let remover = PackageRemover::new(transport, repository, package, permission);
                Self::Package(remover)
            }
            None => Self::Registry(RegistryRemover::new(transport, repository, permission)),
        }
    }
}

impl Remover for Removing<'_> {
    async fn delete_tag(&self, tag: &str, tried: u32) -> Asked<Taken> {
        match self {
            Self::Registry(remover) => remover.delete_tag(tag, tried).await,
            Self::Package(remover) => remover.delete_tag(tag, tried).await,
        }
    }

    async fn delete_manifest(&self, digest: &Digest, tried: u32) -> Asked<Taken> {
        match self {
            Self::Registry(remover) => remover.delete_manifest(digest, tried).await,
            Self::Package(remover) => remover.delete_manifest(digest, tried).await,
        }
    }
}
