//! Which repositories are audited: those that are named, and those of the catalog that are meant.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use log::warn;

use super::remembered::Remembered;
use crate::oci::in_use::InUse;
use crate::oci::reference::{Repository, is_name};
use crate::registry::{RegistryCatalog, Transport};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::settings::AuditSettings;
use crate::state::Store;
use crate::text::human::count;
use crate::walk::source::{Asked, Catalog as _, Fault, FaultKind, List};

/// A repository that is audited.
pub(super) struct Named {
    pub(super) repository: Repository,
    pub(super) known: Known,
}

/// How a repository is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The user named it.
    Named,
    /// Its registry lists it.
    Listed,
    /// It is remembered, and its registry does not list it.
    Remembered,
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
    let mut found = BTreeMap::new();
    for target in &settings.extent.targets {
        if let Some(name) = target.name() {
            found.insert((target.registry.clone(), name), Known::Named);
        }
    }
    let asked = join_all(catalogs).await;
    for ((registry, transport), asked) in registries.iter().zip(transports).zip(asked) {
        let Some(asked) = asked else {
            continue;
        };
        match read(transport, registry, asked) {
            Ok((names, cut)) => {
                let mut add = |name: String, known| {
                    found.entry((registry.clone(), name)).or_insert(known);
                };
                // A registry that lists nothing may have lost its disk: then nothing is forgotten.
                let is_empty = names.is_empty();
                for name in names {
                    add(name, Known::Listed);
                }
                let store = remembered.and_then(|remembered| remembered.of(registry));
                for name in store.into_iter().flat_map(Store::repositories) {
                    if !is_empty && is_name(name) {
                        add(name.to_owned(), Known::Remembered);
                    }
                }
                unread.extend(cut);
            }
            Err(why) => unread.push(why),
        }
    }
    // What is in use is asked for, whether it is in the catalog or not.
    for used in deployed.iter().flat_map(|list| list.repositories()) {
        let key = (used.registry.clone(), used.name.clone());
        found.entry(key).or_insert(Known::Listed);
    }
    let meant = found
        .into_iter()
        .filter(|((registry, name), _)| settings.extent.covers(registry, name));
    let named = meant.map(|((registry, name), known)| Named {
        repository: Repository { registry, name },
        known,
    });
    let mut named: Vec<Named> = named.collect();
    // So that what is in use comes first in a report that is written as it goes.
    let is_used = |one: &Named| deployed.is_some_and(|list| list.of(&one.repository).is_some());
    named.sort_by_key(|one| !is_used(one));
    (named, unread)
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
            let cut = list.is_cut.then(|| cut(registry.to_owned()));
            Ok((list.names, cut))
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

/// A list that goes on after the most that is read, or repeats itself.
pub(super) fn cut(name: String) -> Unread {
    let detail = "its list does not end, so only a part of it was read";
    Unread::new(name, detail, Exit::Unknown)
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
