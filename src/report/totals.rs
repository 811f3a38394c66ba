//! The sums of a run: every judged repository is added to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::exit::Exit;
use super::hint::{Advice, Hint};
use super::judged::{Gravity, Judged, Root, gravity_of};
use super::remedy::About;
use crate::oci::client::Clients;
use crate::oci::reference::Reference;
use crate::walk::checked::Checked;
use crate::walk::graph::{Graph, NodeId};
use crate::walk::product::Product;
use crate::walk::verdict::Verdict;

/// What a hint is for.
#[derive(Debug, Default)]
pub(super) struct Hinted {
    pub(super) about: About,
    pub(super) images: Vec<Reference>,
}

/// The sums of a run.
#[derive(Debug)]
pub(crate) struct Totals {
    /// How many of what.
    pub counts: Counts,
    /// The exit code of all images together; [`Exit::Verified`] where there are none.
    pub exit: Exit,
    /// The hints, with what each is for; one that is about content once for each product, and one
    /// about a registry once for each.
    pub(super) hints: BTreeMap<(Hint, Product, Box<str>), Hinted>,
}

impl Totals {
    /// The sums of nothing; `start` is what the run comes to by itself.
    #[must_use]
    pub(crate) fn new(start: Exit) -> Self {
        Self {
            counts: Counts::default(),
            exit: start,
            hints: BTreeMap::new(),
        }
    }

    /// The hints in the order in which they are to be followed, each for those of all `images` that
    /// it is for, by these names.
    pub(super) fn advice(self, images: usize, names: &HashMap<&Reference, String>) -> Vec<Advice> {
        let advice = |((hint, ..), Hinted { about, images: of }): ((Hint, _, _), Hinted)| {
            let is_for_all = of.len() == images;
            let some = of.iter().filter(|_| !is_for_all);
            Advice {
                hint,
                about,
                names: some.map(|image| names[image].clone()).collect(),
                images: of,
            }
        };
        self.hints.into_iter().map(advice).collect()
    }

    /// The images that hints are for.
    pub(super) fn hinted_images(&self) -> impl Iterator<Item = &Reference> {
        self.hints.values().flat_map(|hinted| &hinted.images)
    }

    /// Keeps no more than `most` images for each hint.
    pub(super) fn keep_first_images(&mut self, most: usize) {
        for hinted in self.hints.values_mut() {
            hinted.images.truncate(most);
        }
    }

    /// Adds a repository.
    pub(crate) fn add(&mut self, judged: &Judged<'_>) {
        self.counts.add(&judged.counts);
        for (place, subject) in judged.checked.subjects.iter().enumerate() {
            self.exit = self.exit.or(judged.exit(place));
            for hint in &judged.hints.of_subjects[place] {
                let hinted = self.hints.entry(key(hint, judged.checked)).or_default();
                hinted.images.push(subject.reference.clone());
            }
        }
        for hint in judged
            .hints
            .of_subjects
            .iter()
            .flatten()
            .collect::<BTreeSet<_>>()
        {
            let about = judged.hints.about(hint, judged.checked);
            if let Some(hinted) = self.hints.get_mut(&key(hint, judged.checked)) {
                hinted.about.add(about);
            }
        }
    }
}

/// What is one hint for all that share it.
fn key(hint: &Hint, checked: &Checked) -> (Hint, Product, Box<str>) {
    let product = hint.is_about_content().then_some(checked.product);
    let registry = &checked.repository.registry;
    let registry = hint.is_about_registry().then(|| registry.as_str().into());
    (
        hint.clone(),
        product.unwrap_or_default(),
        registry.unwrap_or_default(),
    )
}

/// The numbers of a report. Every digest counts once per repository, however many images share it.
///
/// `nodes` is `ok` + `broken` + `undecided` + `skipped`, and `checked` is `ok` + `broken`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Repositories that were walked.
    pub repositories: usize,
    /// References that were asked for.
    pub images: usize,
    /// Digests that the images refer to, and references that resolve to none.
    pub nodes: usize,
    /// Digests whose state is known.
    pub checked: usize,
    /// Digests that are what they should be.
    pub ok: usize,
    /// Digests that are definitely not, those that only matter as a warning included.
    pub broken: usize,
    /// Digests whose state is undecided.
    pub undecided: usize,
    /// Digests that were deliberately left out.
    pub skipped: usize,
    /// What counts against an image: its broken digests, each once per repository, and findings
    /// about images.
    pub failures: usize,
    /// Digests that are broken or undecided and that no image needs; each once per repository.
    pub warnings: usize,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
}

/// From harmless to grave: a digest asked for in two ways counts by its graver answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Skipped,
    Ok,
    Undecided,
    Broken,
}

impl Counts {
    pub(super) fn of(checked: &Checked, roots: &[Root<'_>], counted: Clients) -> Self {
        let graph = &checked.graph;
        let findings = |gravity| {
            let all = checked
                .subjects
                .iter()
                .flat_map(|subject| &subject.findings);
            all.filter(|finding| gravity_of(finding, counted) == gravity)
                .count()
        };
        let mut counts = Self {
            repositories: 1,
            images: checked.subjects.len(),
            failures: findings(Gravity::Broken),
            warnings: findings(Gravity::Warned),
            ..Self::default()
        };
        let distinct = |ids: fn(&Root<'_>) -> Vec<NodeId>| {
            let ids = roots.iter().flat_map(ids).collect();
            let ids = by_digest(graph, ids);
            same_digest(graph, &ids).count()
        };
        counts.failures += distinct(|root| root.broken.clone());
        counts.warnings += distinct(|root| root.warned.clone());
        let mut reached = vec![false; graph.len()];
        for id in roots.iter().flat_map(|root| graph.reachable(root.node)) {
            reached[id.place()] = true;
        }
        let nodes = graph.ids().filter(|id| reached[id.place()]).collect();
        let nodes = by_digest(graph, nodes);
        for same in same_digest(graph, &nodes) {
            counts.nodes += 1;
            let states = same.iter().map(|id| state(&roots[0], *id));
            *match states.max() {
                Some(State::Ok) => &mut counts.ok,
                Some(State::Broken) => &mut counts.broken,
                Some(State::Skipped) => &mut counts.skipped,
                Some(State::Undecided) | None => &mut counts.undecided,
            } += 1;
        }
        counts.checked = counts.ok + counts.broken;
        counts
    }

    fn add(&mut self, other: &Self) {
        self.repositories += other.repositories;
        self.images += other.images;
        self.nodes += other.nodes;
        self.checked += other.checked;
        self.ok += other.ok;
        self.broken += other.broken;
        self.undecided += other.undecided;
        self.skipped += other.skipped;
        self.failures += other.failures;
        self.warnings += other.warnings;
        self.requests += other.requests;
        self.bytes += other.bytes;
    }
}

/// The nodes in an order in which those of one digest are neighbours.
fn by_digest(graph: &Graph, mut ids: Vec<NodeId>) -> Vec<NodeId> {
    ids.sort_unstable_by(|one, other| graph.compare_digests(*one, *other));
    ids
}

/// The nodes of each digest together.
fn same_digest<'i>(graph: &Graph, ids: &'i [NodeId]) -> impl Iterator<Item = &'i [NodeId]> {
    ids.chunk_by(|one, other| graph.compare_digests(*one, *other).is_eq())
}

fn state(root: &Root<'_>, id: NodeId) -> State {
    match (root.trouble(id), root.graph.node(id).verdict()) {
        (Gravity::Broken, _) => State::Broken,
        (Gravity::Warned, _) | (_, Verdict::Ok) => State::Ok,
        (_, Verdict::Skipped) => State::Skipped,
        _ => State::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::kind::Kind;
    use crate::report::example::{found, layer, nothing, plain, report};
    use crate::report::judgement::Judgement;
    use crate::walk::cause::Cause;
    use crate::walk::graph::{Care, Found};
    use crate::walk::verdict::Outcome;

    #[test]
    fn a_digest_counts_once_with_its_gravest_verdict() {
        let mut report = report(&[("app:1", plain(0x20).with(layer(0x22)))]);
        let root = report.image(0).root;
        let graph = &mut report.repositories[0].graph;
        let outcome = Outcome::unasked(Verdict::Missing, Cause::Plain);
        let digest = graph.node(root).digest();
        let again = graph.add(&Found {
            digest,
            outcome,
            ..found(Kind::Layer)
        });
        graph.connect(root, again, None, Care::Check);
        let counts = Judgement::of(&report).counts;
        assert_eq!(
            (counts.nodes, counts.ok, counts.broken, counts.failures),
            (3, 2, 1, 1)
        );
    }

    #[test]
    fn references_that_lead_nowhere_count_one_by_one() {
        let counts = Judgement::of(&report(&[
            ("app:1", nothing().missing()),
            ("app:2", nothing().denied()),
        ]))
        .counts;
        assert_eq!(
            (
                counts.nodes,
                counts.broken,
                counts.undecided,
                counts.failures
            ),
            (2, 1, 1, 1)
        );
    }
}
