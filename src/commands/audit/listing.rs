//! Which repositories are audited: those that are named, and those of the catalog that are meant.

use futures_util::future::join_all;
use log::warn;

use super::remembered::Remembered;
use crate::oci::in_use::InUse;
use crate::oci::reference::{Repository, is_name};
use crate::registry::{RegistryCatalog, Transport};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::settings::{AuditSettings, Target};
use crate::state::Store;
use crate::text::human::count;
use crate::walk::source::{Asked, Catalog as _, Fault, FaultKind, List};

/// A repository that is audited; small, because there may be many.
pub(super) struct Named {
    /// The place of its registry.
    pub(super) registry: usize,
    name: Box<str>,
    pub(super) known: Known,
}

/// How a repository is known; what comes first counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// The user named it.
    Named,
    /// Its registry lists it, or it is in use.
    Listed,
    /// It is remembered, and its registry does not list it.
    Remembered,
}

impl Named {
    /// The repository itself; `registries` are those that it was found in.
    pub(super) fn repository(&self, registries: &[String]) -> Repository {
        Repository {
            registry: registries[self.registry].clone(),
            name: self.name.clone().into(),
        }
    }
}

/// The repositories of all registries, and the catalogs that could not be read.
pub(super) async fn repositories(
    settings: &AuditSettings,
    transports: &[Transport],
    registries: &[String],
    remembered: Option<&Remembered<'_>>,
    deployed: Option<&InUse>,
) -> (Vec<Named>, Vec<Unread>) {
    let catalogs = registries
        .iter()
        .zip(transports)
        .map(|(registry, transport)| async move {
            let targets = settings.extent.targets.iter();
            let is_needed = targets
                .filter(|target| target.registry == *registry)
                .any(|target| target.name().is_none());
            let catalog = RegistryCatalog::new(transport, registry);
            if is_needed {
                Some(catalog.repositories().await)
            } else {
                None
            }
        });
    let mut unread = Vec::new();
    let mut found = Vec::new();
    let asked = join_all(catalogs).await;
    let asked = registries.iter().zip(transports).zip(asked);
    for (place, ((registry, transport), asked)) in asked.enumerate() {
        let names = match asked.map(|asked| read(transport, registry, asked)) {
            Some(Ok((names, rest))) => {
                unread.extend(rest);
                names
            }
            Some(Err(why)) => {
                unread.push(why);
                Vec::new()
            }
            None => Vec::new(),
        };
        let targets = settings.extent.targets.iter();
        let own = targets.filter(|target| target.registry == *registry);
        let own = own.filter_map(Target::name);
        // A registry that lists nothing may have lost its disk: then nothing is forgotten.
        let store = remembered.filter(|_| !names.is_empty());
        let store = store.and_then(|remembered| remembered.of(registry));
        let known = store.into_iter().flat_map(Store::repositories);
        let known = known.filter(|name| is_name(name)).map(str::to_owned);
        found.reserve(names.len());
        let all = (own.map(|name| (name, Known::Named)))
            .chain(names.into_iter().map(|name| (name, Known::Listed)))
            .chain(known.map(|name| (name, Known::Remembered)));
        let covered = all.filter(|(name, _)| settings.extent.covers(registry, name));
        found.extend(covered.map(|(name, known)| Named {
            registry: place,
            name: name.into(),
            known,
        }));
    }
    // What is in use is asked for, whether it is in the catalog or not.
    for used in deployed.iter().flat_map(|list| list.repositories()) {
        let registry = registries.iter().position(|one| *one == used.registry);
        if let Some(registry) = registry
            && settings.extent.covers(&used.registry, &used.name)
        {
            found.push(Named {
                registry,
                name: used.name.as_str().into(),
                known: Known::Listed,
            });
        }
    }
    // What is named comes before what is listed, and stays.
    found.sort_by(|one: &Named, other| {
        (one.registry, &one.name, one.known).cmp(&(other.registry, &other.name, other.known))
    });
    found.dedup_by(|later, first| (later.registry, &later.name) == (first.registry, &first.name));
    // So that what is in use comes first in a report that is written as it goes.
    if let Some(list) = deployed {
        found.sort_by_cached_key(|one| list.of(&one.repository(registries)).is_none());
    }
    (found, unread)
}

/// The names of a catalog; and that they are not all, where that is so.
fn read(
    transport: &Transport,
    registry: &str,
    asked: Asked<List>,
) -> Result<(Vec<String>, Option<Unread>), Unread> {
    match asked.answer {
        Ok(list) => {
            warn_of_unusable(&format!("the catalog of {registry}"), &list);
            let rest = incomplete(registry, &list);
            Ok((list.names, rest))
        }
        Err(fault) => Err(unread_catalog(registry, &redacted(transport, fault))),
    }
}

/// Why there was no answer, without a login that a registry may repeat.
pub(super) fn redacted(transport: &Transport, mut fault: Fault) -> Fault {
    let secrets = transport.secrets();
    for text in fault.cause.texts() {
        *text = secrets.redacted(text).into();
    }
    fault
}

fn unread_catalog(registry: &str, fault: &Fault) -> Unread {
    const WAY_OUT: &str = "so name its repositories instead, as host/team/app";
    let why = sentence::cause(&fault.cause);
    let (exit, detail) = match fault.kind {
        FaultKind::NotFound => (
            Exit::Configuration,
            format!("it has no catalog (404), {WAY_OUT}"),
        ),
        FaultKind::Denied => (
            Exit::Denied,
            format!(
                "it refuses its catalog ({why}); that takes a login that may list, else {WAY_OUT}"
            ),
        ),
        _ => (
            Exit::Unknown,
            format!("its catalog could not be read: {why}"),
        ),
    };
    Unread::new(registry.to_owned(), detail, exit).because_of(&fault.cause)
}

/// That only a part of a list was read, where that is so.
pub(super) fn incomplete(name: &str, list: &List) -> Option<Unread> {
    let detail = match list {
        List { is_cut: true, .. } => {
            "its list does not end, so only a part of it was read".to_owned()
        }
        List { secret: 0, .. } => return None,
        List { secret, .. } => format!(
            "its list repeats a login in {}, which {} left out",
            count(*secret, "name"),
            if *secret == 1 { "is" } else { "are" }
        ),
    };
    Some(Unread::new(name.to_owned(), detail, Exit::Unknown))
}

/// Names that no reference can have cannot be pulled either, so nothing is lost with them.
pub(super) fn warn_of_unusable(list: &str, read: &List) {
    if read.unusable > 0 {
        warn!(
            "{list} has {} that no reference could have; left out",
            count(read.unusable, "name")
        );
    }
}
