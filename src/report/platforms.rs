//! The platforms that an image's indexes state.

use std::collections::{HashMap, HashSet};

use crate::graph::{Graph, NodeId};
use crate::image::Kind;
use crate::platform::Platform;

/// The platforms of one image.
#[derive(Debug, Default)]
pub struct Platforms<'a> {
    /// Those of images (and not of attestations), each once, in the image's own order.
    pub offered: Vec<&'a Platform>,
    /// What an index states for each digest; the first word counts when it states several.
    pub stated: HashMap<NodeId, &'a Platform>,
}

impl<'a> Platforms<'a> {
    /// Gathers them from every index below `root`.
    #[must_use]
    pub fn of(graph: &'a Graph, root: NodeId) -> Self {
        let mut platforms = Self::default();
        let mut known = HashSet::new();
        for id in graph.reachable(root) {
            for edge in &graph.node(id).children {
                let Some(platform) = &edge.platform else { continue };
                platforms.stated.entry(edge.to).or_insert(platform);
                let is_image = !matches!(graph.node(edge.to).kind, Kind::Attestation | Kind::Referrer);
                if is_image && !platform.is_unknown() && known.insert(platform) {
                    platforms.offered.push(platform);
                }
            }
        }
        platforms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{attestation, index, manifest, report};

    #[test]
    fn attestations_are_no_platform_and_each_is_named_once() {
        let image = index(0x10)
            .with(manifest(0x30, "linux/arm64"))
            .with(attestation(0x40))
            .with(index(0x11).with(manifest(0x20, "linux/amd64")).with(manifest(0x30, "linux/arm64")));
        let report = report(&[("app:1", image)]);
        let platforms = Platforms::of(&report.graphs[0], report.images[0].root);
        let offered: Vec<String> = platforms.offered.iter().map(ToString::to_string).collect();
        assert_eq!(offered, ["linux/arm64", "linux/amd64"]);
        assert_eq!(platforms.stated.len(), 3);
    }
}
