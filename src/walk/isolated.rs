//! The one digest that a registry fails on while it answers for all others: its record is there,
//! but its data is gone.

use crate::walk::graph::{Graph, Node, NodeId};
use crate::walk::verdict::Verdict;

/// The nodes of the one digest that stays at 500 while others of its repository are fine, if that is
/// what happened.
///
/// A second digest without an answer suggests that the registry is down, and so does an answer from
/// a token server or from the target of a redirect.
#[must_use]
pub(crate) fn candidates(graph: &Graph) -> Vec<NodeId> {
    let silent: Vec<NodeId> = graph
        .iter()
        .filter(|(_, node)| node.verdict() == Verdict::Unavailable)
        .map(|(id, _)| id)
        .collect();
    let is_alone = |id: &NodeId| {
        let node = graph.node(*id);
        !node.is_nameless() && graph.compare_digests(silent[0], *id).is_eq() && is_own_failure(node)
    };
    if silent.iter().all(is_alone) && graph.count(Verdict::Ok) > 0 {
        silent
    } else {
        Vec::new()
    }
}

/// Whether the registry itself answers 500 for this, to the end.
#[must_use]
pub(crate) fn is_own_failure(node: Node<'_>) -> bool {
    node.verdict() == Verdict::Unavailable
        && node.status().is_some_and(is_about_content)
        && node.cause().is_registrys_status()
}

/// Whether a registry that fails on one digest alone answers so: with 500. Every other 5xx says
/// that a server is busy, cannot be reached, or does not support the request.
fn is_about_content(status: u16) -> bool {
    status == 500
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::sha256;
    use crate::oci::kind::Kind;
    use crate::walk::cause::{Cause, Place, Trouble};
    use crate::walk::graph::Found;
    use crate::walk::verdict::Outcome;

    fn answered(status: u16, place: Place) -> Cause {
        Cause::Status {
            status,
            place,
            is_registrys: true,
            is_page: false,
            words: None,
        }
    }

    /// How many nodes of these fail alone, beside one that is fine; a node is a name and its cause.
    fn alone(failing: &[(&str, u16, Cause)]) -> usize {
        let mut graph = Graph::default();
        let ok = Outcome::unasked(Verdict::Ok, Cause::Plain);
        let mut add = |name: Option<&str>, outcome| {
            graph.add(&Found {
                digest: name.map(|name| sha256(name.as_bytes())),
                written: None,
                kind: Kind::Layer,
                media_type: String::new(),
                size: None,
                platform: None,
                outcome,
            });
        };
        add(Some("fine"), ok);
        for (name, status, cause) in failing {
            let outcome = Outcome {
                status: Some(*status).filter(|status| *status != 0),
                ..Outcome::unasked(Verdict::Unavailable, cause.clone())
            };
            add(Some(*name).filter(|name| !name.is_empty()), outcome);
        }
        candidates(&graph).len()
    }

    fn failing(name: &'static str) -> (&'static str, u16, Cause) {
        (name, 500, answered(500, Place::Registry))
    }

    #[test]
    fn one_digest_fails_alone_however_often_it_is_needed() {
        assert_eq!(alone(&[]), 0);
        assert_eq!(alone(&[failing("a")]), 1);
        assert_eq!(alone(&[failing("a"), failing("a")]), 2);
    }

    #[test]
    fn only_a_500_is_about_content() {
        for status in [408, 429, 499, 600].into_iter().chain(500..=599) {
            let failing = ("a", status, answered(status, Place::Registry));
            assert_eq!(alone(&[failing]), usize::from(status == 500), "{status}");
        }
    }

    #[test]
    fn what_may_be_the_registry_does_not_fail_alone() {
        let storage = Place::Redirect("https://storage.example".into());
        let reset = Cause::Unreached {
            trouble: Trouble::Connection,
            place: Place::Registry,
            words: "reset".into(),
        };
        for several in [
            vec![failing("a"), failing("b")],
            vec![failing("a"), ("a", 0, reset)],
            vec![("a", 500, answered(500, storage))],
            vec![failing("")],
        ] {
            assert_eq!(alone(&several), 0, "{several:?}");
        }
    }
}
