//! Which manifest of an index a client pulls for a platform: each has a rule of its own.

use super::Walk;
use crate::oci::client::{Client, Clients};
use crate::oci::flaw::Flaw;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::oci::refusal::Refusal;
use crate::walk::checked::Finding;
use crate::walk::graph::{Edge, Graph, NodeId};
use crate::walk::verdict::Verdict;

/// Whether any client takes a child for `stated` where it wants `wanted`.
pub(super) fn may_select(stated: &Platform, wanted: &Platform) -> bool {
    Client::ALL
        .iter()
        .any(|client| takes(*client, stated, wanted))
}

/// Whether a client takes a child for `stated` where it wants `wanted`.
fn takes(client: Client, stated: &Platform, wanted: &Platform) -> bool {
    let lower = |part: &str| part.to_ascii_lowercase().into_boxed_str();
    let in_lower_case = Platform {
        os: lower(&stated.os),
        architecture: lower(&stated.architecture),
        variant: stated.variant.as_deref().map(lower),
    };
    let is_exact = (&stated.os, &stated.architecture) == (&wanted.os, &wanted.architecture);
    match client {
        Client::Containerd | Client::Docker => runs(&in_lower_case, wanted),
        Client::Podman => runs(stated, wanted) && is_exact,
    }
}

/// Whether a machine of the platform `wanted` runs `stated`: amd64 without a variant is v1.
fn runs(stated: &Platform, wanted: &Platform) -> bool {
    let is_newer = wanted.variant.is_none()
        && [&*wanted.architecture, &*stated.architecture].contains(&"amd64")
        && !matches!(stated.variant.as_deref(), None | Some("v1" | ""));
    stated.satisfies(wanted) && !is_newer
}

/// Whether a client finds a manifest for a platform in an index.
fn selects(graph: &Graph, index: NodeId, wanted: &Platform, client: Client) -> bool {
    let children = || {
        let listed = graph.node(index).children();
        listed.filter(|edge| is_listed(graph, edge))
    };
    // containerd takes children without a platform only where none has one.
    let none_is_named = children().all(|edge| edge.platform.is_none());
    let is_it = |edge: Edge<'_>| {
        let is_manifest = graph.node(edge.to).kind() != Kind::Index;
        match (edge.platform, client) {
            (Some(stated), Client::Podman) => is_manifest && takes(client, stated, wanted),
            (Some(stated), _) => takes(client, stated, wanted),
            (None, Client::Containerd) => none_is_named,
            (None, Client::Podman) => is_manifest,
            (None, Client::Docker) => true,
        }
    };
    children().any(is_it)
}

fn is_listed(graph: &Graph, edge: &Edge<'_>) -> bool {
    let kind = graph.node(edge.to).kind();
    kind.is_manifest() && !matches!(kind, Kind::Attestation | Kind::Referrer)
}

impl Walk<'_> {
    /// Notes which clients find no manifest for a platform: for those of `only_platforms`, else for
    /// those that an index within the index has.
    pub(super) fn judge_selection(&mut self) {
        for place in 0..self.roots.len() {
            if let Some(root) = self.roots[place]
                && self.graph.node(root).kind() == Kind::Index
                && self.artifact(root).is_none()
            {
                self.judge_index(place, root);
            }
        }
    }

    fn judge_index(&mut self, place: usize, root: NodeId) {
        let only = self.rules.only_platforms.clone();
        let wanted = if only.is_empty() {
            self.platforms_below(root)
        } else {
            only.clone()
        };
        for platform in wanted {
            let finds_none = |client: &Client| !selects(&self.graph, root, &platform, *client);
            let clients: Vec<Client> = Client::ALL.into_iter().filter(finds_none).collect();
            let stops = Clients::of(&clients);
            if stops == Clients::ALL && !only.is_empty() {
                let present = self.platforms_below(root);
                self.findings[place].push(Finding::PlatformMissing {
                    expected: platform,
                    present,
                });
            } else if !stops.is_empty() {
                let flaw = Flaw::NotSelected(platform.to_string().into());
                self.refuse_all(root, [Refusal { flaw, stops }]);
            }
        }
    }

    /// The first of the platforms of the manifests below an index.
    fn platforms_below(&self, root: NodeId) -> Vec<Platform> {
        /// How many are looked at; an index may state tens of thousands.
        const MOST: usize = 50;
        let mut platforms: Vec<Platform> = Vec::new();
        for id in self.graph.required(root) {
            let node = self.graph.node(id);
            if node.kind() != Kind::Index || node.verdict() == Verdict::Skipped {
                continue;
            }
            for edge in node.children().filter(|edge| is_listed(&self.graph, edge)) {
                let child = self.graph.node(edge.to);
                let stated = edge.platform.or(child.platform());
                if child.kind() == Kind::Manifest
                    && let Some(platform) = stated
                    && platforms.len() < MOST
                    && !platforms.contains(platform)
                {
                    platforms.push(platform.clone());
                }
            }
        }
        platforms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_compares_platforms_in_its_own_way() {
        let takers = |os: &str, architecture: &str, variant: Option<&str>| {
            let stated = Platform {
                os: os.into(),
                architecture: architecture.into(),
                variant: variant.map(Into::into),
            };
            let wanted: Platform = "linux/amd64".parse().unwrap();
            let is_taken = |client: &Client| takes(*client, &stated, &wanted);
            let clients: Vec<Client> = Client::ALL.into_iter().filter(is_taken).collect();
            Clients::of(&clients)
        };
        let containerd_and_docker = Clients::of(&[Client::Containerd, Client::Docker]);
        assert_eq!(takers("linux", "amd64", None), Clients::ALL);
        assert_eq!(takers("linux", "amd64", Some("v1")), Clients::ALL);
        assert_eq!(takers("linux", "amd64", Some("v3")), Clients::NONE);
        assert_eq!(takers("linux", "x86_64", None), containerd_and_docker);
        assert_eq!(takers("Linux", "amd64", None), containerd_and_docker);
        assert_eq!(takers("linux", "arm64", None), Clients::NONE);
    }
}
