//! How many of what a run saw.

use std::collections::{HashMap, HashSet};

use oci_spec::image::Digest;

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
            let mut states = HashMap::new();
            let mut failed = HashSet::new();
            for root in judgement.roots().iter().filter(|root| root.graph == place) {
                for id in graph.reachable(root.node) {
                    let state = match graph.node(id).outcome.verdict {
                        _ if judgement.is_broken(place, id) => State::Broken,
                        Verdict::Ok => State::Ok,
                        Verdict::Skipped => State::Skipped,
                        _ => State::Undecided,
                    };
                    let known = states.entry(identity(graph, id)).or_insert(state);
                    *known = state.max(*known);
                }
                failed.extend(root.broken.iter().map(|id| identity(graph, *id)));
            }
            counts.failures += failed.len();
            counts.nodes += states.len();
            for state in states.into_values() {
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

/// What makes two nodes the same for a count: the digest, however it was asked for.
fn identity(graph: &Graph, id: NodeId) -> (Option<&Digest>, Option<NodeId>) {
    match &graph.node(id).digest {
        Some(digest) => (Some(digest), None),
        None => (None, Some(id)),
    }
}
