//! The one digest that a registry fails on while it answers for all others: its record is there,
//! but its data is gone.

use crate::walk::graph::{Graph, NodeId};
use crate::walk::verdict::Verdict;

/// The first node of the one digest that stays at 500 while others of its repository are fine, if
/// that is what happened.
///
/// A second digest without an answer suggests that the registry is down, and so does an answer from
/// a token server or from the target of a redirect.
#[must_use]
pub(crate) fn candidate(graph: &Graph) -> Option<NodeId> {
    let silent = || {
        graph
            .iter()
            .filter(|(_, node)| node.verdict() == Verdict::Unavailable)
    };
    let (first, _) = silent().next().filter(|(_, node)| !node.is_nameless())?;
    let alone = silent().all(|(id, node)| {
        graph.compare_digests(first, id).is_eq()
            && node.status().is_some_and(is_about_content)
            && node.cause().is_registrys_status()
    });
    (alone && graph.count(Verdict::Ok) > 0).then_some(first)
}

/// Whether a registry that fails on one digest alone answers so: with 500. Every other 5xx says
/// that a server is busy, cannot be reached, or does not support the request.
fn is_about_content(status: u16) -> bool {
    status == 500
}
