//! Configs and the manifests that name them: clients compare the two.

use super::Walk;
use crate::oci::client::Clients;
use crate::oci::config::{self, Facts};
use crate::oci::kind::Kind;
use crate::oci::refusal::{self, Refusal};
use crate::walk::cause::Cause;
use crate::walk::graph::{Graph, NodeId};

impl Walk<'_> {
    /// Learns from a config: its platform, for manifests whose index states none, and its diff ids.
    pub(super) fn read_config(&mut self, node: NodeId, bytes: &[u8]) {
        self.take_facts(node, config::facts(bytes));
    }

    /// The same from what a config said before.
    pub(super) fn take_facts(&mut self, node: NodeId, facts: Facts) {
        if let Some(platform) = facts.platform {
            let parents: Vec<NodeId> = self.graph.node(node).parents().collect();
            for id in parents {
                let parent = self.graph.node(id);
                if parent.kind() == Kind::Manifest && parent.platform().is_none() {
                    self.graph.set_platform(id, Some(&platform));
                }
            }
            self.graph.set_platform(node, Some(&platform));
        }
        if let Some(created) = facts.created {
            self.graph.set_created(node, created);
        }
        self.configs.insert(node, facts.config);
    }

    /// Notes who refuses a config, and who the manifests whose layers do not match theirs. A config
    /// may come before one of its manifests, so this is done at the end.
    pub(super) fn judge_configs(&mut self) {
        let mut configs: Vec<_> = std::mem::take(&mut self.configs).into_iter().collect();
        configs.sort_unstable_by_key(|(node, _)| *node);
        for (node, config) in configs {
            let parents: Vec<NodeId> = self.graph.node(node).parents().collect();
            let is_image = |id: &NodeId| self.graph.node(*id).kind() == Kind::Manifest;
            let images: Vec<NodeId> = parents.into_iter().filter(is_image).collect();
            if images.is_empty() {
                continue;
            }
            let is_read = config.refusals.iter().all(|one| one.stops != Clients::ALL);
            self.refuse_all(node, config.refusals);
            for image in images.into_iter().filter(|_| is_read) {
                let (layers, counted) = layers(&self.graph, image);
                let refusals = refusal::of_diff_ids(config.diff_ids, layers, counted);
                self.refuse_all(image, refusals);
            }
        }
    }

    /// Notes who refuses the form of a node.
    pub(super) fn refuse_all(&mut self, node: NodeId, refusals: impl IntoIterator<Item = Refusal>) {
        for Refusal { flaw, stops } in refusals {
            let why = Cause::Unusable(flaw);
            self.graph.refuse(node, &why, stops, self.rules.clients);
        }
    }
}

/// How many layers a manifest has, and how many of them containerd counts.
fn layers(graph: &Graph, manifest: NodeId) -> (usize, usize) {
    let children = graph.node(manifest).children();
    let layers = children
        .map(|edge| graph.node(edge.to))
        .filter(|child| child.kind() == Kind::Layer);
    layers.fold((0, 0), |(all, counted), layer| {
        // What cannot be read is a fault of its own.
        let is_unreadable = layer.is_nameless();
        let is_counted = is_unreadable || refusal::is_counted_layer(layer.media_type());
        (all + 1, counted + usize::from(is_counted))
    })
}
