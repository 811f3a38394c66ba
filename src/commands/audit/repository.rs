//! One repository of an audit: its tags are listed and walked, and what fails is looked at again, for
//! tags move and go while an audit runs.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::future::{Either, join_all, select};
use tokio::time::Instant;

use super::in_use::unreached;
use super::listing::{incomplete, redacted, warn_of_unusable};
use crate::oci::in_use::Uses;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryCatalog, RegistryRepository, Transport};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::settings::AuditSettings;
use crate::walk::cause::Cause;
use crate::walk::checked::{Checked, Subject};
use crate::walk::source::{Catalog as _, Fault, FaultKind, Look, Source as _};
use crate::walk::{resolved, walk};

/// How often a tag is walked again because it moved.
const MOST_MOVES: usize = 10;

/// What is known of a repository in the end.
pub(super) enum Found {
    /// It is not there, or has no tags that count.
    Gone(Repository),
    /// Its tags could not be listed.
    Unread(Unread),
    /// Its tags were walked; in parts where they are too much for one walk.
    Checked(Vec<Checked>),
}

/// What a second look at the failing tags of a walk showed.
#[derive(Default)]
struct Again {
    /// The tags that lead elsewhere.
    moved: HashSet<String>,
    /// The tags that are not there any more.
    gone: HashSet<String>,
}

/// One repository to audit. `stop` is ready when the run ends.
pub(super) struct Job<'a, S> {
    pub(super) settings: &'a AuditSettings,
    pub(super) transport: &'a Transport,
    pub(super) repository: &'a Repository,
    /// Whether the user named it, so that it should be there.
    pub(super) is_named: bool,
    /// What is deployed from it.
    pub(super) uses: Option<&'a Uses>,
    pub(super) stop: S,
}

impl<S: AsyncFn() -> Cause> Job<'_, S> {
    pub(super) async fn run(&self) -> Found {
        let listed = {
            let (listed, stop) = (pin!(self.tags()), pin!((self.stop)()));
            match select(listed, stop).await {
                Either::Left((listed, _)) => listed,
                Either::Right((cause, _)) => Err(self.unread(Fault {
                    kind: FaultKind::Unavailable,
                    cause,
                })),
            }
        };
        let tags = match listed {
            Ok(tags) => tags,
            Err(unread) => return Found::Unread(unread),
        };
        let is_gone = tags.is_empty();
        let extent = &self.settings.extent;
        let references: Vec<Reference> = self
            .with_used(tags)
            .into_iter()
            .filter(|tag| extent.covers_tag(&self.repository.name, tag))
            .map(|tag| self.reference(tag))
            .collect();
        let has_used = self
            .used_digests()
            .is_some_and(|uses| !uses.digests.is_empty());
        if references.is_empty() && !has_used && is_gone && self.is_named && !extent.allow_empty {
            let detail = "there is no such repository, or it has no tags";
            let name = self.repository.to_string();
            return Found::Unread(Unread::new(name, detail, Exit::Configuration));
        }
        match self.parts(references).await {
            Ok(parts) if parts.is_empty() => Found::Gone(self.repository.clone()),
            Ok(parts) => Found::Checked(parts),
            Err(unread) => Found::Unread(unread),
        }
    }

    /// The tags, those in use first, with those that are in use and not listed.
    fn with_used(&self, listed: Vec<String>) -> Vec<String> {
        let Some(uses) = self.uses else {
            return listed;
        };
        let others = listed.iter().filter(|tag| !uses.tags.contains_key(*tag));
        uses.tags.keys().chain(others).cloned().collect()
    }

    /// What is in use, where its digests are looked at by themselves: with `tags`, one that is not
    /// covered may lead there.
    fn used_digests(&self) -> Option<&Uses> {
        self.uses.filter(|_| self.settings.extent.tags.is_empty())
    }

    /// The digests that are in use and that no tag leads to.
    fn used_alone(&self, parts: &[Checked]) -> Vec<Reference> {
        let uses = self.used_digests();
        let digests = uses.map(|uses| unreached(parts, uses)).unwrap_or_default();
        let reference = |digest| Reference {
            repository: self.repository.clone(),
            tag: None,
            digest: Some(digest),
        };
        digests.into_iter().map(reference).collect()
    }

    fn reference(&self, tag: String) -> Reference {
        Reference {
            repository: self.repository.clone(),
            tag: Some(tag),
            digest: None,
        }
    }

    fn unread(&self, fault: Fault) -> Unread {
        let exit = match fault.kind {
            FaultKind::Denied => Exit::Denied,
            _ => Exit::Unknown,
        };
        let fault = redacted(self.transport, fault);
        let why = sentence::cause(&fault.cause);
        let detail = format!("its tags could not be listed: {why}");
        Unread::new(self.repository.to_string(), detail, exit).because_of(&fault.cause)
    }

    /// The tags; none where there is no such repository.
    async fn tags(&self) -> Result<Vec<String>, Unread> {
        let catalog = RegistryCatalog::new(self.transport, &self.repository.registry);
        match catalog.tags(self.repository).await.answer {
            Ok(list) => {
                warn_of_unusable(&format!("the tag list of {}", self.repository), &list);
                match incomplete(&self.repository.to_string(), &list) {
                    Some(unread) => Err(unread),
                    None => Ok(list.names),
                }
            }
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(Vec::new()),
            Err(fault) => Err(self.unread(fault)),
        }
    }

    /// Walks the tags together; those that are too much for one walk once more, each alone.
    async fn parts(&self, references: Vec<Reference>) -> Result<Vec<Checked>, Unread> {
        let mut parts = Vec::new();
        if !references.is_empty() {
            parts = self.walked_parts(references).await?;
        }
        let alone = self.used_alone(&parts);
        if !alone.is_empty() {
            parts.extend(self.walked_parts(alone).await?);
        }
        Ok(parts)
    }

    async fn walked_parts(&self, references: Vec<Reference>) -> Result<Vec<Checked>, Unread> {
        let are_several = references.len() > 1;
        let mut parts = self.settled(references).await?;
        let mut alone = Vec::new();
        for part in parts.iter_mut().filter(|_| are_several) {
            let (too_much, together): (Vec<Subject>, Vec<Subject>) =
                std::mem::take(&mut part.subjects)
                    .into_iter()
                    .partition(|subject| is_too_much(part, subject));
            part.subjects = together;
            alone.extend(too_much);
        }
        for subject in alone {
            parts.extend(self.settled(vec![subject.reference]).await?);
        }
        parts.retain(|part| !part.subjects.is_empty());
        Ok(parts)
    }

    /// Walks tags, and those that move meanwhile and fail once more, until these stand still;
    /// without those that are gone by then. The others are not walked again: in a large repository
    /// some tag moves during every walk.
    async fn settled(&self, mut references: Vec<Reference>) -> Result<Vec<Checked>, Unread> {
        let source =
            RegistryRepository::new(self.transport, self.repository, self.settings.rules.depth);
        let mut parts = Vec::new();
        for moves in 0.. {
            let mut checked = self.walked(&source, &references).await;
            let again = {
                let again = pin!(self.look_again(&source, &checked));
                let stop = pin!((self.stop)());
                match select(again, stop).await {
                    Either::Left((again, _)) => again?,
                    Either::Right(_) => Again::default(),
                }
            };
            let moved = (moves < MOST_MOVES).then_some(&again.moved);
            let (is_moved, is_gone) = (
                |subject: &Subject| moved.is_some_and(|all| all.contains(tag(subject))),
                |subject: &Subject| again.gone.contains(tag(subject)),
            );
            let walked_again = checked.subjects.iter().filter(|one| is_moved(one));
            references = walked_again.map(|one| one.reference.clone()).collect();
            checked
                .subjects
                .retain(|subject| !is_moved(subject) && !is_gone(subject));
            parts.push(checked);
            if references.is_empty() {
                break;
            }
        }
        Ok(parts)
    }

    async fn walked(&self, source: &RegistryRepository<'_>, references: &[Reference]) -> Checked {
        let rules = &self.settings.rules;
        let stop = (self.stop)();
        let mut checked = walk(source, self.repository, references, rules, stop, |_, _| ()).await;
        // A registry can repeat a login wherever it may write something.
        let secrets = self.transport.secrets();
        checked.finish(|text| secrets.redacted(text));
        checked
    }

    /// Resolves the tags that fail once more: they may lead elsewhere by now, or be gone. A tag that
    /// answers 404 is gone when it is not listed either. One that is listed may have been pushed in
    /// between, so it is resolved a last time.
    async fn look_again(
        &self,
        source: &RegistryRepository<'_>,
        checked: &Checked,
    ) -> Result<Again, Unread> {
        let clients = self.settings.rules.clients;
        let is_failing = |subject: &&Subject| checked.is_failing(subject, clients);
        let failing = checked.subjects.iter().filter(is_failing).collect();
        let mut again = Again::default();
        let unanswered = moves(source, checked, failing, &mut again).await;
        if !unanswered.is_empty() {
            let listed: HashSet<String> = self.tags().await?.into_iter().collect();
            let is_used = |tag: &str| self.uses.is_some_and(|uses| uses.tags.contains_key(tag));
            let is_there = |tag: &str| listed.contains(tag) || is_used(tag);
            let (there, gone): (Vec<_>, Vec<_>) = unanswered
                .into_iter()
                .partition(|subject| is_there(tag(subject)));
            again
                .gone
                .extend(gone.into_iter().map(tag).map(str::to_owned));
            moves(source, checked, there, &mut again).await;
        }
        Ok(again)
    }
}

/// Resolves images once more, notes those that lead elsewhere, and gives the tags that answer 404.
async fn moves<'c>(
    source: &RegistryRepository<'_>,
    checked: &'c Checked,
    subjects: Vec<&'c Subject>,
    again: &mut Again,
) -> Vec<&'c Subject> {
    let since = Instant::now();
    let looks = subjects.into_iter().map(|subject| async move {
        let asked = source.resolve(&subject.reference, Look::Again(since)).await;
        (subject, asked)
    });
    let mut unanswered = Vec::new();
    for (subject, asked) in join_all(looks).await {
        let before = checked.graph.node(subject.root).digest();
        let now = resolved(&asked);
        if now.is_some() && now != before {
            again.moved.insert(tag(subject).to_owned());
        }
        if let Err(fault) = &asked.answer
            && fault.kind == FaultKind::NotFound
            && subject.reference.tag.is_some()
        {
            unanswered.push(subject);
        }
    }
    unanswered
}

fn tag(subject: &Subject) -> &str {
    subject.reference.tag.as_deref().unwrap_or_default()
}

/// Whether an image is too much for a walk that it shares with others.
fn is_too_much(checked: &Checked, subject: &Subject) -> bool {
    let graph = &checked.graph;
    graph
        .reachable(subject.root)
        .into_iter()
        .any(|id| matches!(graph.node(id).cause(), Cause::TooMuch(_)))
}
