//! One repository of a verification: walked, compared with what is expected, and walked again when a
//! tag has moved meanwhile.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use oci_spec::image::Digest;

use super::targets::Target;
use super::{expectations, layouts};
use crate::layout::LayoutRepository;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryCatalog, RegistryRepository, Transport};
use crate::settings::VerifySettings;
use crate::walk::cause::Cause;
use crate::walk::checked::{Checked, Finding, Subject};
use crate::walk::known::{Known, Listed};
use crate::walk::source::{Look, Source};
use crate::walk::{resolved, walk};

/// The longest pause between two looks at a tag that may show an old image yet.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often images are walked again because a tag moved. Replicas that differ may show another
/// digest at every look, for ever; then the last walk counts.
const MOST_MOVES: usize = 10;

/// What one repository is verified for. `stop` is ready when the run ends.
pub(super) struct Job<'a, S> {
    pub(super) settings: &'a VerifySettings,
    pub(super) repository: &'a Repository,
    pub(super) transport: &'a Transport,
    pub(super) targets: Vec<&'a Target>,
    pub(super) stop: S,
}

impl<S: AsyncFn() -> Cause> Job<'_, S> {
    /// Walks the images until their tags stand still, and learns what hints need.
    pub(super) async fn run(&self, seen: impl FnMut(usize, usize)) -> Checked {
        if let Some(directory) = layouts::directory(self.repository) {
            let layout = LayoutRepository::open(directory, self.settings.rules.depth);
            return self.walked_once(&layout, seen).await;
        }
        let mut checked = self.stands_still(seen).await;
        if !checked.is_whole() {
            let learned = {
                let (learnt, stop) = (pin!(self.learn(&checked)), pin!((self.stop)()));
                match select(learnt, stop).await {
                    Either::Left((known, _)) => Some(known),
                    Either::Right(_) => None,
                }
            };
            checked.known = learned.unwrap_or_default();
        }
        checked
    }

    async fn stands_still(&self, mut seen: impl FnMut(usize, usize)) -> Checked {
        let depth = self.settings.rules.depth;
        let source = RegistryRepository::new(self.transport, self.repository, depth);
        let references: Vec<Reference> = self.references().collect();
        let mut moves = 0;
        loop {
            let mut checked = self.walked(&source, &references, &mut seen).await;
            match self.has_moved_in_time(&source, &checked).await {
                Some(true) if moves < MOST_MOVES => moves += 1,
                Some(_) => return checked,
                // An expectation that was not met once is not confirmed.
                None => {
                    for subject in &mut checked.subjects {
                        subject.findings.retain(|finding| !finding.is_expectation());
                    }
                    return checked;
                }
            }
        }
    }

    /// Walks the images of a layout: its tags stand still, because its index is read once.
    async fn walked_once(
        &self,
        layout: &LayoutRepository,
        mut seen: impl FnMut(usize, usize),
    ) -> Checked {
        let references: Vec<Reference> = self.references().collect();
        let pinned: Vec<Reference> = references.iter().map(|one| layout.pinned(one)).collect();
        let mut checked = self.walked(layout, &pinned, &mut seen).await;
        layout.name(&mut checked, &references);
        checked
    }

    fn references(&self) -> impl Iterator<Item = Reference> {
        self.targets.iter().map(|target| target.reference.clone())
    }

    /// What is known beside the content; for tags that are not there with one page of the list of
    /// tags, asked for once.
    async fn learn(&self, checked: &Checked) -> Known {
        /// How long the list may take.
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut known = self
            .transport
            .known(self.repository, checked.is_denied())
            .await;
        let gone: Vec<&str> = checked.missing_tags().collect();
        if !gone.is_empty() {
            let catalog = RegistryCatalog::new(self.transport, &self.repository.registry);
            let asked = tokio::time::timeout(PATIENCE, catalog.first_tags(self.repository)).await;
            known.tags = match asked.map(|asked| (asked.status, asked.answer)) {
                Ok((_, Ok(tags))) => gone
                    .into_iter()
                    .map(|tag| (tag.into(), Listed::of(tag, &tags)))
                    .collect(),
                Ok((Some(404), Err(_))) => gone
                    .into_iter()
                    .map(|tag| (tag.into(), Listed::NoRepository))
                    .collect(),
                _ => BTreeMap::new(),
            };
        }
        let secrets = self.transport.secrets();
        known.redact(|text| secrets.redacted(text));
        known
    }

    /// Walks what `references` lead to: the targets, in their order.
    async fn walked(
        &self,
        source: &impl Source,
        references: &[Reference],
        seen: &mut impl FnMut(usize, usize),
    ) -> Checked {
        let rules = &self.settings.rules;
        let stop = (self.stop)();
        let mut checked = walk(source, self.repository, references, rules, stop, seen).await;
        for (subject, target) in checked.subjects.iter_mut().zip(&self.targets) {
            subject.reference.clone_from(&target.reference);
        }
        // A registry can repeat a login wherever it may write something.
        let secrets = self.transport.secrets();
        checked.finish(|text| secrets.redacted(text));
        expectations::add(&mut checked, &self.targets, &rules.platforms);
        checked
    }

    /// As [`Job::has_moved`]; `None` when the run ends before that is known.
    async fn has_moved_in_time(
        &self,
        source: &RegistryRepository<'_>,
        checked: &Checked,
    ) -> Option<bool> {
        let (stop, moved) = (pin!((self.stop)()), pin!(self.has_moved(source, checked)));
        match select(moved, stop).await {
            Either::Left((moved, _)) => Some(moved),
            Either::Right(_) => None,
        }
    }

    /// Whether the tag of an image that fails leads elsewhere by now, or does so before the settle
    /// window closes where that may be all that is wrong.
    async fn has_moved(&self, source: &RegistryRepository<'_>, checked: &Checked) -> bool {
        let mut pause = self.settings.patience.backoff;
        let clients = self.settings.rules.clients;
        let is_failing = |subject: &&Subject| {
            checked.is_failing(subject, clients) || is_differed_from(checked, subject)
        };
        let failing: Vec<&Subject> = checked
            .subjects
            .iter()
            .filter(|subject| subject.reference.digest.is_none())
            .filter(is_failing)
            .collect();
        let may_settle = failing
            .iter()
            .any(|subject| subject.findings.iter().any(Finding::may_settle));
        if failing.is_empty() {
            return false;
        }
        loop {
            for subject in &failing {
                let before: Option<Digest> = checked.graph.node(subject.root).digest();
                let asked = source.resolve(&subject.reference, Look::again()).await;
                let now = resolved(&asked);
                if now.is_some() && now != before {
                    log::info!(
                        "{} has moved meanwhile, so it is walked again",
                        subject.reference
                    );
                    return true;
                }
            }
            let left = self.transport.settle_left();
            if !may_settle || left.is_zero() {
                return false;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether another tag should have the digest of this one and has not: either may be late.
fn is_differed_from(checked: &Checked, subject: &Subject) -> bool {
    let mut findings = checked.subjects.iter().flat_map(|other| &other.findings);
    findings.any(|finding| {
        matches!(finding, Finding::TagsDiffer(differ) if differ.first == subject.reference)
    })
}
