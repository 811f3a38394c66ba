//! The one digest that a registry fails on while it answers for all others: its record is there,
//! but its data is gone.

use crate::walk::graph::{Graph, NodeId};
use crate::walk::verdict::Verdict;

/// The first node of the one digest that stays at 5xx while others of its repository are fine, if
/// that is what happened.
///
/// A second digest without an answer suggests that the registry is down, and so does an answer from
/// a token server or from the target of a redirect. 501 and 505 say what a server does not support.
#[must_use]
pub(crate) fn candidate(graph: &Graph) -> Option<NodeId> {
    let silent = || {
        graph
            .iter()
            .filter(|(_, node)| node.verdict() == Verdict::Unavailable)
    };
    let (first, _) = silent().next().filter(|(_, node)| !node.is_nameless())?;
    let fails = |status: Option<u16>| {
        status.is_some_and(|status| (500..600).contains(&status) && ![501, 505].contains(&status))
    };
    let alone = silent().all(|(id, node)| {
        graph.compare_digests(first, id).is_eq()
            && fails(node.status())
            && node.cause().is_registrys_status()
    });
    (alone && graph.count(Verdict::Ok) > 0).then_some(first)
}
