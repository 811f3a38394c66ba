//! The tags that image layouts of `from` name: those that a registry does not have come back.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use log::info;

use crate::http::Clients;
use crate::layout::{Entry, Layout};
use crate::oci::reference::{Reference, Repository, is_directory, is_host, is_name, is_tag};
use crate::registry::{RegistryRepository, Transport};
use crate::repair::{Origin, Sources};
use crate::report::sentence;
use crate::settings::{Error, Extent, VerifySettings};
use crate::storage::kind;
use crate::storage::tree::TAGS;
use crate::text::human::count;
use crate::walk::source::{Look, Source as _};

/// The tags that the layouts of `from` name by `host/repository:tag` or `repository:tag`, and that the
/// targets cover.
///
/// # Errors
///
/// When a layout cannot be read.
pub(super) fn named(sources: &Sources, extent: &Extent) -> Result<Vec<Reference>, Error> {
    let mut named = BTreeSet::new();
    for origin in &sources.from {
        let Origin::Layout(path) = origin else {
            continue;
        };
        let layout = Layout::open(path)
            .map_err(|why| Error::new(format!("from: {origin} cannot be used: {why}")))?;
        for name in layout.entries().iter().flat_map(Entry::names) {
            named.extend(covered(name, extent));
        }
    }
    let reference = |(repository, tag)| Reference {
        repository,
        tag: Some(tag),
        digest: None,
    };
    Ok(named.into_iter().map(reference).collect())
}

/// What a name means on each registry that is covered.
fn covered(name: &str, extent: &Extent) -> BTreeSet<(Repository, String)> {
    let within = |registry: &str| {
        let own = name
            .strip_prefix(registry)
            .and_then(|rest| rest.strip_prefix('/'));
        let first = name.split('/').next().unwrap_or_default();
        let has_host = name.contains('/') && is_host(first);
        let rest = own.or_else(|| (!has_host).then_some(name))?;
        let (name, tag) = rest.rsplit_once(':')?;
        let is_covered = is_name(name)
            && is_tag(tag)
            && extent.covers(registry, name)
            && extent.covers_tag(name, tag);
        let repository = Repository {
            registry: registry.to_owned(),
            name: name.to_owned(),
        };
        is_covered.then(|| (repository, tag.to_owned()))
    };
    let targets = extent.targets.iter();
    targets
        .filter_map(|target| within(&target.registry))
        .collect()
}

/// Those of them that the registry does not have; and those of which that is not known, which is
/// found out with the others. What is `known` to be lost is not among them.
pub(super) async fn gone(
    settings: &VerifySettings,
    known: &[Reference],
    named: Vec<Reference>,
) -> Vec<Reference> {
    let clients = Arc::new(Clients::new(settings.network.clone()));
    let (patience, logins) = (settings.patience.clone(), settings.login.clone());
    let transport = Transport::new(clients, patience, logins, sentence::cause);
    let others = named.into_iter().filter(|tag| !known.contains(tag));
    let looks = others.map(async |tag| (!has(settings, &transport, &tag).await).then_some(tag));
    let found = stream::iter(looks).buffered(settings.patience.concurrency);
    let gone: Vec<Reference> = found.filter_map(async |tag| tag).collect().await;
    if !gone.is_empty() {
        let tags = count(gone.len(), "tag");
        info!("{tags} of an image layout not in the registry");
    }
    gone
}

/// Whether a tag is there, wherever it leads.
async fn has(settings: &VerifySettings, transport: &Transport, tag: &Reference) -> bool {
    let Repository { registry, name } = &tag.repository;
    if is_directory(registry) {
        let Ok(tree) = kind::open_tree(Path::new(registry)) else {
            return false;
        };
        let own = tree.repository(name).ok().flatten();
        let path = format!("{TAGS}/{}", tag.tag.as_deref().unwrap_or_default());
        return own.is_some_and(|own| own.entries(path).is_ok_and(|found| found.is_some()));
    }
    let source = RegistryRepository::new(transport, &tag.repository, settings.rules.depth);
    source.resolve(tag, Look::MayBeAbsent).await.answer.is_ok()
}
