//! One part of a repository: its tags are walked, and what fails is looked at again, because a
//! registry may be running beside. The last part looks at the rest of the repository, too.

use std::collections::HashSet;
use std::future::poll_fn;
use std::task::Poll;

use futures_util::future::join_all;
use oci_spec::image::Digest;
use tokio::time::Instant;

use super::jobs::{Part, TOGETHER, Whole};
use super::{Found, Run, Store};
use crate::commands::audit::in_use::unreached;
use crate::commands::audit::repository::{MOST_MOVES, is_too_much, tag};
use crate::layout::look::unreadable;
use crate::oci::reference::Reference;
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::storage::catalog::StorageCatalog;
use crate::storage::census::Census;
use crate::storage::repository::StorageRepository;
use crate::walk::checked::{Checked, Subject};
use crate::walk::resolved;
use crate::walk::source::{Fault, FaultKind, Look, Source as _};

/// What is needed to walk references of a repository.
struct Walker<'a> {
    run: &'a Run,
    store: &'a Store,
    whole: &'a Whole,
    source: StorageRepository<'a>,
}

/// What a second look at the failing tags of a walk showed.
#[derive(Default)]
struct Again {
    /// The tags that lead elsewhere.
    moved: HashSet<String>,
    /// The tags that are not there any more.
    gone: HashSet<String>,
}

/// Walks a part; whether it was the last one of its repository, and what it came to.
pub(super) async fn walked(run: &Run, part: Part) -> (bool, Found) {
    let whole = &*part.whole;
    let store = &run.stores[whole.store];
    let is_stopped = || run.stopped.get().is_some();
    let name = &whole.repository.name;
    let depth = store.rules.depth;
    let source = StorageRepository::open(&store.tree, name, depth, &store.hashed, &is_stopped);
    let source = match source {
        Ok(source) => source,
        Err(failure) => {
            let fault = unreadable(format!("repositories/{name}"), &failure);
            let why = sentence::cause(&fault.cause);
            let unread = Unread::new(whole.repository.to_string(), why, Exit::Unknown);
            return (whole.ends(), Found::Unread(unread));
        }
    };
    let walker = Walker {
        run,
        store,
        whole,
        source,
    };
    let mut parts = walker.parts(part.references).await;
    let is_last = whole.ends();
    if is_last {
        let alone = walker.used_alone();
        parts.extend(walker.parts(alone).await);
        if let Some(census) = store.census.as_ref().filter(|_| !is_stopped()) {
            walker.look_at_the_rest(census).await;
        }
    }
    let found = match parts.is_empty() {
        true if is_stopped() => Found::Nothing,
        true => Found::Gone(whole.repository.to_string()),
        false => Found::Checked(parts),
    };
    (is_last, found)
}

impl Walker<'_> {
    /// Walks references together; those that are too much for one walk once more, each alone.
    async fn parts(&self, references: Vec<Reference>) -> Vec<Checked> {
        if references.is_empty() || self.run.stopped.get().is_some() {
            return Vec::new();
        }
        let are_several = references.len() > 1;
        let mut parts = self.settled(references).await;
        let mut alone = Vec::new();
        for part in parts.iter_mut().filter(|_| are_several) {
            let subjects = std::mem::take(&mut part.subjects).into_iter();
            let (too_much, together): (Vec<Subject>, Vec<Subject>) =
                subjects.partition(|subject| is_too_much(part, subject));
            part.subjects = together;
            alone.extend(too_much);
        }
        for subject in alone {
            parts.extend(self.settled(vec![subject.reference]).await);
        }
        parts.retain(|part| !part.subjects.is_empty());
        for checked in &parts {
            self.note(checked);
        }
        parts
    }

    /// Walks tags, and those that move meanwhile and fail once more; without those that are gone by
    /// then.
    async fn settled(&self, mut references: Vec<Reference>) -> Vec<Checked> {
        let mut parts = Vec::new();
        for moves in 0.. {
            let mut checked = self.walked(&references).await;
            let Again { moved, gone } = self.look_again(&checked).await;
            let moved = if moves < MOST_MOVES {
                moved
            } else {
                HashSet::new()
            };
            let is_moved = |subject: &Subject| moved.contains(tag(subject));
            let walked_again = checked.subjects.iter().filter(|one| is_moved(one));
            references = walked_again.map(|one| one.reference.clone()).collect();
            (checked.subjects).retain(|one| !is_moved(one) && !gone.contains(tag(one)));
            parts.push(checked);
            if references.is_empty() {
                break;
            }
        }
        parts
    }

    async fn walked(&self, references: &[Reference]) -> Checked {
        let (repository, rules) = (&self.whole.repository, &self.store.rules);
        // It is asked whenever there is an answer, and after each pause.
        let stop = poll_fn(|_| self.run.cause().map_or(Poll::Pending, Poll::Ready));
        let walked = self.source.walked(repository, references, rules, stop);
        walked.await
    }

    /// Resolves the tags that fail once more: they may lead elsewhere by now, or be gone.
    async fn look_again(&self, checked: &Checked) -> Again {
        let clients = self.store.rules.clients;
        let is_failing = |subject: &&Subject| {
            subject.reference.tag.is_some() && checked.is_failing(subject, clients)
        };
        let failing = checked.subjects.iter().filter(is_failing);
        let since = Instant::now();
        let looks = failing.map(|subject| async move {
            let look = Look::Again(since);
            (subject, self.source.resolve(&subject.reference, look).await)
        });
        let mut again = Again::default();
        let mut listed = None;
        for (subject, asked) in join_all(looks).await {
            let before = checked.graph.node(subject.root).digest();
            let named = self.source.pinned(&subject.reference).digest;
            let now = named.or_else(|| resolved(&asked));
            if now.is_some() && now != before {
                again.moved.insert(tag(subject).to_owned());
            }
            let is_missing = |kind| kind == FaultKind::NotFound;
            if asked.answer.is_err_and(|fault| is_missing(fault.kind))
                && !self.is_needed(&mut listed, tag(subject))
            {
                again.gone.insert(tag(subject).to_owned());
            }
        }
        again
    }

    /// Whether a tag that leads nowhere is broken: it is still there, or in use.
    fn is_needed(&self, listed: &mut Option<Result<HashSet<String>, Fault>>, tag: &str) -> bool {
        let listed = listed.get_or_insert_with(|| {
            let catalog = StorageCatalog::new(&self.store.tree);
            let tags = catalog.tags_of(&self.whole.repository.name);
            tags.map(|list| list.names.into_iter().collect())
        });
        let deployed = self.run.deployed.as_ref();
        let uses = deployed.and_then(|list| list.of(&self.whole.repository));
        // A list that cannot be read says nothing of what is gone.
        !listed.as_ref().is_ok_and(|names| !names.contains(tag))
            || uses.is_some_and(|uses| uses.tags.contains_key(tag))
    }

    /// Notes what a walk reached.
    fn note(&self, checked: &Checked) {
        if let Some(census) = &self.store.census {
            census.note(&self.whole.own, checked);
        }
        let mut open = self
            .whole
            .unreached
            .lock()
            .expect("no thread panics with it");
        let deployed = self.run.deployed.as_ref();
        if let Some(uses) = deployed.and_then(|list| list.of(&self.whole.repository))
            && !open.is_empty()
        {
            let rest = unreached(std::slice::from_ref(checked), uses);
            let rest: HashSet<String> = rest.iter().map(Digest::to_string).collect();
            open.retain(|digest| rest.contains(digest));
        }
    }

    /// The digests that are in use and that no tag leads to.
    fn used_alone(&self) -> Vec<Reference> {
        let open = self
            .whole
            .unreached
            .lock()
            .expect("no thread panics with it");
        let digests = open.iter().filter_map(|digest| digest.parse().ok());
        digests.map(|digest| self.revision(digest)).collect()
    }

    fn revision(&self, digest: Digest) -> Reference {
        Reference {
            repository: self.whole.repository.clone(),
            tag: None,
            digest: Some(digest),
        }
    }

    /// Walks the revisions that no tag reaches, and looks at all other links.
    async fn look_at_the_rest(&self, census: &Census) {
        let (tree, whole) = (&self.store.tree, self.whole);
        let name = &whole.repository.name;
        let take = async |digests: Vec<Digest>| {
            if self.run.stopped.get().is_some() {
                return;
            }
            let references: Vec<Reference> =
                digests.into_iter().map(|one| self.revision(one)).collect();
            let checked = self.walked(&references).await;
            let clients = self.store.rules.clients;
            let is_failing = |subject: &&Subject| checked.is_failing(subject, clients);
            let broken = checked.subjects.iter().filter(is_failing).count();
            census.note_untagged(&whole.own, &checked, broken as u64);
        };
        census
            .untagged(tree, name, &whole.own, TOGETHER, take)
            .await;
        census.finish_repository(tree, name, &whole.own);
    }
}
