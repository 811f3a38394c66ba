//! One repository of an audit: its tags are listed and walked, and what fails is looked at again, for
//! tags move and go while an audit runs.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, join_all, select};
use log::warn;
use tokio::time::Instant;

use super::in_use::unreached;
use super::listing::{Known, incomplete, redacted, warn_of_unusable};
use super::remembered::Remembered;
use crate::oci::in_use::Uses;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryCatalog, RegistryRepository, Transport};
use crate::report::audit::Unread;
use crate::report::exit::Exit;
use crate::report::sentence;
use crate::settings::AuditSettings;
use crate::state::{Notebook, Remembering, Summary};
use crate::text::human::count;
use crate::walk::cause::Cause;
use crate::walk::checked::{Checked, Finding, Subject};
use crate::walk::source::{Catalog as _, Fault, FaultKind, Head, Look, Source as _};
use crate::walk::{resolved, walk};

/// How often a tag is walked again because it moved.
pub(super) const MOST_MOVES: usize = 10;

/// How long the second look waits at a tag that is new or has moved: its push may not be over.
const PUSH: Duration = Duration::from_secs(15);

/// What is known of a repository in the end.
pub(super) enum Found {
    /// It is not there, or has no tags that count.
    Gone(Repository),
    /// Its tags could not be listed.
    Unread(Unread),
    /// Its tags were walked; in parts where they are too much for one walk.
    Checked(Vec<Checked>, Summary),
}

/// The tags of a repository.
struct Names {
    /// Those that are listed.
    tags: Vec<String>,
    /// Those that are remembered, are still there, and are not listed.
    unlisted: Vec<String>,
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
    pub(super) known: Known,
    pub(super) remembered: Option<&'a Remembered<'a>>,
    /// What is deployed from it.
    pub(super) uses: Option<&'a Uses>,
    pub(super) stop: S,
}

impl<S: AsyncFn() -> Cause> Job<'_, S> {
    pub(super) async fn run(&self) -> Found {
        let (registry, name) = (&self.repository.registry, &self.repository.name);
        let memory = self.remembered.and_then(|remembered| {
            let store = remembered.of(registry)?;
            Some((store, remembered.notebook(store, name)))
        });
        let depth = self.settings.rules.depth;
        let source = Remembering {
            registry: RegistryRepository::new(self.transport, self.repository, depth),
            notebook: memory.as_ref().map(|(_, notebook)| notebook),
        };
        let found = self.found(&source).await;
        if let Some((store, notebook)) = memory {
            notebook.save(store, name).await;
        }
        found
    }

    async fn found(&self, source: &Remembering<'_>) -> Found {
        let listed = {
            let (listed, stop) = (pin!(self.names(source)), pin!((self.stop)()));
            match select(listed, stop).await {
                Either::Left((listed, _)) => listed,
                Either::Right((cause, _)) => Err(self.unread(Fault {
                    kind: FaultKind::Unavailable,
                    cause,
                })),
            }
        };
        let Names { tags, unlisted } = match listed {
            Ok(names) => names,
            Err(unread) => return Found::Unread(unread),
        };
        let is_gone = tags.is_empty() && unlisted.is_empty();
        let extent = &self.settings.extent;
        let references: Vec<Reference> = self
            .with_used(tags)
            .into_iter()
            .filter(|tag| extent.covers_tag(&self.repository.name, tag))
            .chain(unlisted.iter().filter(|tag| !self.uses_tag(tag)).cloned())
            .map(|tag| self.reference(tag))
            .collect();
        let has_used = self
            .used_digests()
            .is_some_and(|uses| !uses.digests.is_empty());
        let is_needed = self.known == Known::Named && !extent.allow_empty;
        if references.is_empty() && !has_used && is_gone && is_needed {
            let detail = "there is no such repository, or it has no tags";
            let name = self.repository.to_string();
            return Found::Unread(Unread::new(name, detail, Exit::Configuration));
        }
        let tags = references.iter().filter_map(|it| it.tag.clone()).collect();
        match self.parts(source, references).await {
            Ok(parts) => self.concluded(source, tags, &unlisted, parts),
            Err(unread) => Found::Unread(unread),
        }
    }

    /// Notes what was found, and what is not listed.
    fn concluded(
        &self,
        source: &Remembering<'_>,
        mut gone: HashSet<String>,
        unlisted: &[String],
        mut parts: Vec<Checked>,
    ) -> Found {
        let mut summary = Summary::default();
        if let Some(notebook) = source.notebook {
            for subject in parts.iter().flat_map(|part| &part.subjects) {
                gone.remove(subject.reference.tag.as_deref().unwrap_or_default());
            }
            for tag in &gone {
                notebook.forget(tag);
            }
            summary = notebook.conclude(&parts, self.settings.rules.clients);
        }
        if parts.is_empty() {
            return Found::Gone(self.repository.clone());
        }
        let is_unlisted = self.known == Known::Remembered;
        let mut left_out = 0;
        for subject in parts.iter_mut().flat_map(|part| &mut part.subjects) {
            if is_unlisted
                || subject
                    .reference
                    .tag
                    .iter()
                    .any(|tag| unlisted.contains(tag))
            {
                subject.findings.push(Finding::NotListed);
                left_out += 1;
            }
        }
        if left_out > 0 {
            warn!(
                "{} does not list {} that it has and that is remembered",
                self.repository,
                count(left_out, "tag")
            );
        }
        Found::Checked(parts, summary)
    }

    /// The tags; and those that are remembered and not listed, unless they are gone.
    async fn names(&self, source: &Remembering<'_>) -> Result<Names, Unread> {
        let tags = self.tags().await?;
        let Some(notebook) = source.notebook else {
            let unlisted = Vec::new();
            return Ok(Names { tags, unlisted });
        };
        let listed: HashSet<&String> = tags.iter().collect();
        let (extent, name) = (&self.settings.extent, &self.repository.name);
        let remembered = notebook.tags().into_iter();
        let unlisted = remembered
            .filter(|tag| !listed.contains(tag) && extent.covers_tag(name, tag))
            .map(|tag| async move {
                let reference = self.reference(tag.clone());
                (tag, source.head(&reference, Look::First).await)
            });
        let mut still_there = Vec::new();
        for (tag, head) in join_all(unlisted).await {
            if head == Head::Refused(404) {
                notebook.forget(&tag);
            } else {
                still_there.push(tag);
            }
        }
        Ok(Names {
            tags,
            unlisted: still_there,
        })
    }

    fn uses_tag(&self, tag: &str) -> bool {
        self.uses.is_some_and(|uses| uses.tags.contains_key(tag))
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
        let extent = &self.settings.extent;
        self.uses
            .filter(|_| extent.tags.is_empty() || extent.has_all_tags)
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
    async fn parts(
        &self,
        source: &Remembering<'_>,
        references: Vec<Reference>,
    ) -> Result<Vec<Checked>, Unread> {
        let mut parts = Vec::new();
        if !references.is_empty() {
            parts = self.walked_parts(source, references).await?;
        }
        let alone = self.used_alone(&parts);
        if !alone.is_empty() {
            parts.extend(self.walked_parts(source, alone).await?);
        }
        Ok(parts)
    }

    async fn walked_parts(
        &self,
        source: &Remembering<'_>,
        references: Vec<Reference>,
    ) -> Result<Vec<Checked>, Unread> {
        let are_several = references.len() > 1;
        let mut parts = self.settled(source, references).await?;
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
            parts.extend(self.settled(source, vec![subject.reference]).await?);
        }
        parts.retain(|part| !part.subjects.is_empty());
        Ok(parts)
    }

    /// Walks tags, and those that move meanwhile and fail once more, until these stand still;
    /// without those that are gone by then. The others are not walked again: in a large repository
    /// some tag moves during every walk.
    async fn settled(
        &self,
        source: &Remembering<'_>,
        mut references: Vec<Reference>,
    ) -> Result<Vec<Checked>, Unread> {
        let mut parts = Vec::new();
        for moves in 0.. {
            let mut checked = self.walked_enough(source, &references).await;
            let again = {
                let again = pin!(self.look_again(source, &checked));
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

    /// Walks until everything was asked that has to be in this run.
    async fn walked_enough(&self, source: &Remembering<'_>, references: &[Reference]) -> Checked {
        let mut checked = self.walked(source, references).await;
        let mut has_waited = false;
        while let Some(notebook) = source.notebook
            && !self.is_stopped()
        {
            if !notebook.widen(&checked, self.settings.rules.clients) {
                if has_waited || !self.may_be_pushed(notebook, &checked) || self.waits().await {
                    break;
                }
                has_waited = true;
            }
            let again = self.walked(source, references).await;
            // What was cut off knows less than what was there before.
            if self.is_stopped() {
                break;
            }
            checked = again;
        }
        checked
    }

    /// Whether something is broken whose push may not be over.
    fn may_be_pushed(&self, notebook: &Notebook, checked: &Checked) -> bool {
        let is_failing =
            |subject: &&Subject| checked.is_failing(subject, self.settings.rules.clients);
        let mut failing = checked.subjects.iter().filter(is_failing);
        failing.any(|subject| notebook.may_be_pushed(checked, subject))
    }

    fn is_stopped(&self) -> bool {
        pin!((self.stop)()).now_or_never().is_some()
    }

    /// Waits for a push to end; whether the run ends before.
    async fn waits(&self) -> bool {
        tokio::time::timeout(PUSH, (self.stop)()).await.is_ok()
    }

    async fn walked(&self, source: &Remembering<'_>, references: &[Reference]) -> Checked {
        let rules = &self.settings.rules;
        let stop = (self.stop)();
        let mut checked = walk(source, self.repository, references, rules, stop, |_, _| ()).await;
        // A registry can repeat a login wherever it may write something.
        let secrets = self.transport.secrets();
        checked.finish(|text| secrets.redacted(text));
        if !checked.is_whole() {
            let is_denied = checked.is_denied();
            checked.known = self.transport.known(self.repository, is_denied).await;
            checked.known.redact(|text| secrets.redacted(text));
        }
        checked
    }

    /// Resolves the tags that fail once more: they may lead elsewhere by now, or be gone. A tag that
    /// answers 404 is gone when it is not listed either. One that is listed may have been pushed in
    /// between, so it is resolved a last time.
    async fn look_again(
        &self,
        source: &Remembering<'_>,
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
    source: &Remembering<'_>,
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

pub(super) fn tag(subject: &Subject) -> &str {
    subject.reference.tag.as_deref().unwrap_or_default()
}

/// Whether an image is too much for a walk that it shares with others.
pub(super) fn is_too_much(checked: &Checked, subject: &Subject) -> bool {
    let graph = &checked.graph;
    graph
        .reachable(subject.root)
        .into_iter()
        .any(|id| matches!(graph.node(id).cause(), Cause::TooMuch(_)))
}
