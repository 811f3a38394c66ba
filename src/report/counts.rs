//! How many of what a run saw.

use std::collections::HashSet;

use super::judgement::Judgement;
use crate::graph::{Graph, NodeId};
use crate::verdict::Verdict;

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
            let mut broken: Vec<_> = roots().flat_map(|root| &root.broken).map(|id| identity(graph, *id)).collect();
            broken.sort_unstable();
            broken.dedup();
            counts.failures += broken.len();
            let reached: HashSet<NodeId> = roots().flat_map(|root| graph.reachable(root.node)).collect();
            let mut states: Vec<_> =
                reached.into_iter().map(|id| (identity(graph, id), state(judgement, place, id))).collect();
            // The graver of two states of one digest comes first, and is the one that stays.
            states.sort_unstable_by(|one, other| one.0.cmp(&other.0).then(other.1.cmp(&one.1)));
            states.dedup_by_key(|(identity, _)| *identity);
            counts.nodes += states.len();
            for (_, state) in states {
                *match state {
                    State::Ok => &mut counts.ok,
                    State::Broken => &mut counts.broken,
                    State::Undecided => &mut counts.undecided,
                    State::Skipped => &mut counts.skipped,
                } += 1;
            }
        }
        counts.checked = counts.ok + counts.broken;
        counts
    }
}

fn state(judgement: &Judgement<'_>, graph: usize, id: NodeId) -> State {
    match judgement.report.graphs[graph].node(id).outcome.verdict {
        _ if judgement.is_broken(graph, id) => State::Broken,
        Verdict::Ok => State::Ok,
        Verdict::Skipped => State::Skipped,
        _ => State::Undecided,
    }
}

/// What makes two nodes the same for a count: the digest, however it was asked for.
fn identity(graph: &Graph, id: NodeId) -> (Option<&str>, Option<NodeId>) {
    match &graph.node(id).digest {
        Some(digest) => (Some(digest.as_ref()), None),
        None => (None, Some(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{layer, nothing, plain, report};

    #[test]
    fn a_digest_asked_for_in_two_ways_counts_once_by_its_graver_answer() {
        let mut report = report(&[("app:1", plain(0x20).with(layer(0x22)).with(layer(0x23).missing()))]);
        let same = report.graphs[0].iter().next().and_then(|(_, node)| node.digest.clone());
        let last = report.graphs[0].iter().last().map(|(id, _)| id).unwrap();
        report.graphs[0].node_mut(last).digest = same;
        let counts = Judgement::of(&report).counts;
        assert_eq!((counts.nodes, counts.ok, counts.broken, counts.failures), (3, 2, 1, 1));
    }

    #[test]
    fn references_that_lead_nowhere_are_told_apart() {
        let counts = Judgement::of(&report(&[("app:1", nothing().missing()), ("app:2", nothing().denied())])).counts;
        assert_eq!((counts.nodes, counts.broken, counts.undecided, counts.failures), (2, 1, 1, 1));
    }
}
