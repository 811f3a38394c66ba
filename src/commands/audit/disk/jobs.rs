//! What there is to walk: repositories, large ones in parts, one after the other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::vec::IntoIter;

use super::{Found, Run, Store};
use crate::commands::audit::listing::warn_of_unusable;
use crate::oci::in_use::Uses;
use crate::oci::reference::{Reference, Repository};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::storage::catalog::StorageCatalog;
use crate::storage::census::Own;

/// How many tags are walked together.
pub(super) const TOGETHER: usize = 200;

/// A repository to audit.
pub(super) struct Named {
    /// The place of its store.
    pub(super) store: usize,
    pub(super) name: String,
    /// Whether it is the user who named it.
    pub(super) by_user: bool,
}

/// What the parts of a repository share.
pub(super) struct Whole {
    /// The place of its store.
    pub(super) store: usize,
    pub(super) repository: Repository,
    /// What is known of its digests.
    pub(super) own: Own,
    /// The digests that are in use and that no tag has led to yet.
    pub(super) unreached: Mutex<BTreeSet<String>>,
    /// How many parts are not done.
    open: AtomicUsize,
}

/// Some tags of a repository.
pub(super) struct Part {
    /// Its number among all.
    pub(super) number: usize,
    pub(super) whole: Arc<Whole>,
    pub(super) references: Vec<Reference>,
}

/// What there is to do.
pub(super) enum Work {
    Part(Part),
    /// Nothing: this is what it came to.
    Found(usize, Found),
}

/// All that is to be done, in its order.
#[derive(Default)]
pub(super) struct Jobs {
    names: IntoIter<Named>,
    /// The repository whose parts are given out, and its tags.
    current: Option<(Arc<Whole>, IntoIter<String>)>,
    number: usize,
}

impl Named {
    /// The repository itself.
    pub(super) fn repository(&self, stores: &[Store]) -> Repository {
        Repository {
            registry: stores[self.store].registry.clone(),
            name: self.name.clone(),
        }
    }
}

impl Whole {
    /// Notes that a part is done; whether it was the last one.
    pub(super) fn ends(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Work {
    pub(super) fn number(&self) -> usize {
        match self {
            Self::Part(part) => part.number,
            Self::Found(number, _) => *number,
        }
    }
}

impl Jobs {
    pub(super) fn new(names: Vec<Named>) -> Self {
        Self {
            names: names.into_iter(),
            ..Self::default()
        }
    }

    /// The next part; the tags of a repository are listed when its turn comes.
    pub(super) fn next(&mut self, run: &Run) -> Option<Work> {
        let number = self.number;
        if self.current.is_none() {
            let named = self.names.next()?;
            match begun(&named, run) {
                Ok(current) => self.current = Some(current),
                Err(found) => {
                    self.number += 1;
                    return Some(Work::Found(number, found));
                }
            }
        }
        let (whole, tags) = self.current.as_mut()?;
        let references = tags.take(TOGETHER).map(|tag| Reference {
            repository: whole.repository.clone(),
            tag: Some(tag),
            digest: None,
        });
        let part = Part {
            number,
            references: references.collect(),
            whole: Arc::clone(whole),
        };
        if tags.len() == 0 {
            self.current = None;
        }
        self.number += 1;
        Some(Work::Part(part))
    }
}

/// Lists the tags of a repository that are covered, those in use first.
fn begun(named: &Named, run: &Run) -> Result<(Arc<Whole>, IntoIter<String>), Found> {
    let store = &run.stores[named.store];
    let repository = named.repository(&run.stores);
    let full_name = repository.to_string();
    let unread = |why: String, exit| Found::Unread(Unread::new(full_name.clone(), why, exit));
    let listed = StorageCatalog::new(&store.tree).tags_of(&named.name);
    let listed = listed.map_err(|fault| {
        let why = sentence::cause(&fault.cause);
        unread(
            format!("its tags could not be listed: {why}"),
            Exit::Unknown,
        )
    })?;
    if listed.is_cut {
        return Err(unread(
            "it has too many tags to list".to_owned(),
            Exit::Unknown,
        ));
    }
    warn_of_unusable(&format!("the tag list of {full_name}"), &listed);
    let is_gone = listed.names.is_empty();
    let uses = run.deployed.as_ref().and_then(|list| list.of(&repository));
    let mut tags = with_used(listed.names, uses);
    tags.retain(|tag| run.extent.covers_tag(&named.name, tag));
    // With `tags`, one that is not covered may lead to a digest that is in use.
    let uses = uses.filter(|_| run.extent.tags.is_empty());
    let digests: BTreeSet<String> = uses
        .into_iter()
        .flat_map(|uses| uses.digests.keys().cloned())
        .collect();
    if tags.is_empty() && digests.is_empty() {
        if is_gone && named.by_user && !run.extent.allow_empty {
            let why = "there is no such repository, or it has no tags".to_owned();
            return Err(unread(why, Exit::Configuration));
        }
        // Without tags it may still have manifests.
        if store.census.is_none() {
            return Err(Found::Gone(full_name));
        }
    }
    let whole = Whole {
        store: named.store,
        repository,
        own: Own::default(),
        unreached: Mutex::new(digests),
        open: AtomicUsize::new(tags.len().div_ceil(TOGETHER).max(1)),
    };
    Ok((Arc::new(whole), tags.into_iter()))
}

/// The tags, those in use first, with those that are in use and not there.
fn with_used(listed: Vec<String>, uses: Option<&Uses>) -> Vec<String> {
    let Some(uses) = uses else {
        return listed;
    };
    let others = listed.iter().filter(|tag| !uses.tags.contains_key(*tag));
    uses.tags.keys().chain(others).cloned().collect()
}
