//! What is no image: a Helm chart, a build cache, an attestation under a tag of its own.

use super::Walk;
use crate::oci::client::Clients;
use crate::oci::kind::Kind;
use crate::walk::checked::Finding;
use crate::walk::graph::{Node, NodeId};
use crate::walk::verdict::Verdict;

impl Walk<'_> {
    /// Notes which of the references lead to an artifact, unless those are accepted.
    pub(super) fn judge_artifacts(&mut self) {
        if self.rules.accept_artifacts {
            return;
        }
        for place in 0..self.roots.len() {
            if let Some(root) = self.roots[place]
                && let Some(artifact) = self.artifact(root)
            {
                self.findings[place].push(Finding::NotAnImage(artifact));
            }
        }
    }

    /// The type of the artifact that a root is; `None` when it is an image, or may be one.
    pub(super) fn artifact(&self, root: NodeId) -> Option<Box<str>> {
        let node = self.graph.node(root);
        let is_artifact = match node.kind() {
            _ if !is_read(node) => false,
            Kind::Artifact => true,
            Kind::Index => !self.may_have_an_image(root),
            _ => false,
        };
        is_artifact.then(|| match self.artifacts.get(&root) {
            Some(stated) => stated.clone(),
            None => self.type_of_children(node),
        })
    }

    fn may_have_an_image(&self, index: NodeId) -> bool {
        let may_be = |id: &NodeId| {
            let node = self.graph.node(*id);
            match node.kind() {
                Kind::Manifest => true,
                Kind::Index => !is_read(node),
                _ => false,
            }
        };
        self.graph.required(index).iter().any(may_be)
    }

    /// What an index without images lists: a build cache names itself in one of its entries.
    fn type_of_children(&self, index: Node<'_>) -> Box<str> {
        let types = || {
            index
                .children()
                .map(|edge| self.graph.node(edge.to).media_type())
        };
        let of_cache = types().find(|text| text.contains("cacheconfig"));
        of_cache
            .or_else(|| types().next())
            .unwrap_or_default()
            .into()
    }
}

/// Whether a document came, and says what it lists: some clients may refuse its form all the same.
fn is_read(node: Node<'_>) -> bool {
    let is_refused_by_some = node.verdict().is_definite() && node.stops() != Clients::ALL;
    node.verdict() == Verdict::Ok || is_refused_by_some
}
