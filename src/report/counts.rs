//! How many of what a run saw.

use super::judgement::Judgement;
use crate::walk::graph::NodeId;
use crate::walk::verdict::Verdict;

/// The numbers of a report. Every digest counts once per repository, whatever number of images share it.
///
/// `nodes` is `ok` + `broken` + `undecided` + `skipped`, and `checked` is `ok` + `broken`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
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
    /// Digests whose state could not be found out.
    pub undecided: usize,
    /// Digests that were deliberately left out.
    pub skipped: usize,
    /// What counts against an image: its broken digests, each once per repository, and findings about images.
    pub failures: usize,
    /// Digests that are broken or not found out, and that no image needs; each once per repository.
    pub warnings: usize,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
}

/// From harmless to grave: the same digest asked for in two ways counts by its graver answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Skipped,
    Ok,
    Undecided,
    Broken,
}

impl Counts {
    pub(super) fn of(judgement: &Judgement<'_>) -> Self {
        let report = judgement.report;
        let mut counts = Self {
            images: report.images.len(),
            requests: report.requests,
            bytes: report.bytes,
            failures: report.images.iter().map(|image| image.findings.len()).sum(),
            ..Self::default()
        };
        for (place, graph) in report.graphs.iter().enumerate() {
            let roots = || judgement.roots().iter().filter(|root| root.graph == place);
            let distinct = |mut ids: Vec<NodeId>| {
                ids.sort_unstable_by(|one, other| graph.compare_digests(*one, *other));
                ids.dedup_by(|one, other| graph.compare_digests(*one, *other).is_eq());
                ids.len()
            };
            counts.failures += distinct(roots().flat_map(|root| &root.broken).copied().collect());
            counts.warnings += distinct(roots().flat_map(|root| &root.warned).copied().collect());
            let mut reached = vec![false; graph.len()];
            for id in roots().flat_map(|root| graph.reachable(root.node)) {
                reached[id.place()] = true;
            }
            let mut nodes: Vec<NodeId> = graph.ids().filter(|id| reached[id.place()]).collect();
            nodes.sort_unstable_by(|one, other| graph.compare_digests(*one, *other));
            for same in nodes.chunk_by(|one, other| graph.compare_digests(*one, *other).is_eq()) {
                counts.nodes += 1;
                *match same.iter().map(|id| state(judgement, place, *id)).max() {
                    Some(State::Ok) => &mut counts.ok,
                    Some(State::Broken) => &mut counts.broken,
                    Some(State::Skipped) => &mut counts.skipped,
                    Some(State::Undecided) | None => &mut counts.undecided,
                } += 1;
            }
        }
        counts.checked = counts.ok + counts.broken;
        counts
    }
}

fn state(judgement: &Judgement<'_>, graph: usize, id: NodeId) -> State {
    match judgement.report.graphs[graph].node(id).verdict() {
        _ if judgement.is_broken(graph, id) => State::Broken,
        Verdict::Ok => State::Ok,
        Verdict::Skipped => State::Skipped,
        _ => State::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::manifest::Kind;
    use crate::report::example::{found, layer, nothing, plain, report};
    use crate::walk::graph::{Care, Found};
    use crate::walk::verdict::Outcome;

    #[test]
    fn a_digest_asked_for_in_two_ways_counts_once_by_its_graver_answer() {
        let mut report = report(&[("app:1", plain(0x20).with(layer(0x22)))]);
        let (root, graph) = (report.images[0].root, &mut report.graphs[0]);
        let outcome = Outcome::unasked(Verdict::Missing, "");
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
    fn references_that_lead_nowhere_are_told_apart() {
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
