//! The platforms that an image's indexes state, or its configs where no index does.

use std::collections::HashSet;

use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::walk::graph::{Graph, NodeId};

/// The platforms of one image.
#[derive(Debug, Default)]
pub(crate) struct Platforms<'a> {
    /// Those of images (and not of attestations), each once, in the image's own order.
    pub offered: Vec<&'a Platform>,
    stated: Vec<Option<&'a Platform>>,
}

impl<'a> Platforms<'a> {
    /// Gathers them from every index below `root`.
    #[must_use]
    pub(crate) fn of(graph: &'a Graph, root: NodeId) -> Self {
        let mut platforms = Self {
            offered: Vec::new(),
            stated: vec![None; graph.len()],
        };
        let mut known = HashSet::new();
        let mut learn = |id: NodeId, platform: Option<&'a Platform>| {
            let node = graph.node(id);
            let Some(platform) = platform.or(node.platform()) else {
                return;
            };
            platforms.stated[id.place()].get_or_insert(platform);
            let is_image = matches!(node.kind(), Kind::Manifest | Kind::Artifact | Kind::Index);
            if is_image && !platform.is_unknown() && known.insert(platform) {
                platforms.offered.push(platform);
            }
        };
        learn(root, None);
        for id in graph.reachable(root) {
            graph
                .node(id)
                .children()
                .for_each(|edge| learn(edge.to, edge.platform));
        }
        platforms
    }

    /// What is stated for a digest; the first word counts when an index states several.
    #[must_use]
    pub(crate) fn stated(&self, id: NodeId) -> Option<&'a Platform> {
        self.stated[id.place()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{attestation, child, index, manifest, plain, report};

    #[test]
    fn attestations_are_no_platform_and_each_is_named_once() {
        let image = index(0x10)
            .with(manifest(0x30, "linux/arm64"))
            .with(attestation(0x40))
            .with(child(0x50, "unknown/unknown"))
            .with(
                index(0x11)
                    .with(manifest(0x20, "linux/amd64"))
                    .with(manifest(0x30, "linux/arm64")),
            );
        let report = report(&[("app:1", image)]);
        let platforms = Platforms::of(&report.repositories[0].graph, report.image(0).root);
        let offered: Vec<String> = platforms.offered.iter().map(ToString::to_string).collect();
        assert_eq!(offered, ["linux/arm64", "linux/amd64"]);
        assert_eq!(platforms.stated.iter().flatten().count(), 4);
    }

    #[test]
    fn a_config_states_the_platform_where_no_index_does() {
        let mut report = report(&[
            ("app:1", plain(0x20)),
            ("app:2", index(0x10).with(manifest(0x30, "linux/arm64"))),
        ]);
        let amd64 = Some("linux/amd64".parse().unwrap());
        for id in report.repositories[0].graph.reachable(report.image(0).root) {
            report.graph_mut().set_platform(id, amd64.as_ref());
        }
        let listed = report.repositories[0].graph.reachable(report.image(1).root)[1];
        report.graph_mut().set_platform(listed, amd64.as_ref());
        let offered = [0, 1].map(|image| {
            let platforms = Platforms::of(&report.repositories[0].graph, report.image(image).root);
            platforms
                .offered
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        });
        assert_eq!(offered, [["linux/amd64"], ["linux/arm64"]]);
    }
}
