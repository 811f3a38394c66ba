//! What a walk found: every digest of a repository that the images refer to, each once, and who refers to it.

use std::collections::HashMap;

use oci_spec::image::Digest;

use crate::image::Kind;
use crate::platform::Platform;
use crate::verdict::{Outcome, Verdict};

/// The place of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The place as a number, from 0 in the order of discovery.
    #[must_use]
    pub fn place(self) -> usize {
        self.0 as usize
    }
}

/// How much a parent's owner cares about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Care {
    /// A broken child breaks the image.
    Check,
    /// A broken child is reported and breaks nothing.
    Warn,
}

/// A reference from a manifest to one of its children, in the manifest's own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The child.
    pub to: NodeId,
    /// The platform that an index states for this child.
    pub platform: Option<Platform>,
    /// Whether the child's faults count.
    pub care: Care,
}

/// One digest of one repository.
#[derive(Clone, Debug)]
pub struct Node {
    /// The digest; `None` for a tag that could not be resolved.
    pub digest: Option<Digest>,
    /// The digest as it was written, when it is not a digest at all.
    pub written: Option<Box<str>>,
    /// What it is for.
    pub kind: Kind,
    /// The media type that the parent states, else the one the registry answered with; empty when nobody says.
    pub media_type: Box<str>,
    /// The size in bytes that the parent promises, else the size that came.
    pub size: Option<u64>,
    /// The platform of a manifest: what its index states, else what its config states.
    pub platform: Option<Platform>,
    /// Who refers to it, in the order of discovery.
    pub parents: Vec<NodeId>,
    /// What it refers to, in its own order.
    pub children: Vec<Edge>,
    /// What was found; [`Verdict::NotChecked`] until the answer is there.
    pub outcome: Outcome,
}

/// What identifies a question: the same digest with another promised size, or asked for at the other endpoint, is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Asked at `/manifests/` (true) or `/blobs/` (false).
    pub manifest: bool,
    /// Fetched whole and hashed at every depth.
    pub whole: bool,
    /// The digest.
    pub digest: Digest,
    /// The promised size in bytes.
    pub size: Option<u64>,
}

/// All nodes of one repository that the images of a run refer to.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Key, NodeId>,
}

impl Graph {
    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was found yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node at `id`.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.place()]
    }

    /// The node at `id`, to write its outcome or its children.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.place()]
    }

    /// Every node with its place, in the order of discovery.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).map(NodeId).zip(&self.nodes)
    }

    /// The node that answers `key`, if one does.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<NodeId> {
        self.known.get(key).copied()
    }

    /// Adds a node that no key leads to: an unresolved tag, an unreadable descriptor.
    ///
    /// # Panics
    /// When there are more than `u32::MAX` nodes; the walk stops long before.
    pub fn add(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("the walk stops at 100,000 nodes"));
        self.nodes.push(node);
        id
    }

    /// Adds a node that `key` leads to from now on.
    pub fn insert(&mut self, key: Key, node: Node) -> NodeId {
        let id = self.add(node);
        self.known.insert(key, id);
        id
    }

    /// Notes that `parent` refers to a child.
    pub fn connect(&mut self, parent: NodeId, edge: Edge) {
        let child = &mut self.nodes[edge.to.place()];
        // A parent's references are added in one go, so looking at the last one is enough.
        if child.parents.last() != Some(&parent) {
            child.parents.push(parent);
        }
        self.nodes[parent.place()].children.push(edge);
    }

    /// Every node that can be reached from `root`, itself first, depth first in the image's own order, each once.
    #[must_use]
    pub fn reachable(&self, root: NodeId) -> Vec<NodeId> {
        self.collect(root, |_| true)
    }

    /// As [`Graph::reachable`], along references whose faults count.
    #[must_use]
    pub fn required(&self, root: NodeId) -> Vec<NodeId> {
        self.collect(root, |edge| edge.care == Care::Check)
    }

    fn collect(&self, root: NodeId, follow: impl Fn(&Edge) -> bool) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::new();
        let mut stack = vec![root];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id.place()], true) {
                continue;
            }
            order.push(id);
            stack.extend(self.node(id).children.iter().rev().filter(|edge| follow(edge)).map(|edge| edge.to));
        }
        order
    }

    /// How many nodes have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.nodes.iter().filter(|node| node.outcome.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    fn node(name: &str) -> Node {
        Node {
            digest: Some(sha256(name.as_bytes())),
            written: None,
            kind: Kind::Layer,
            media_type: "".into(),
            size: None,
            platform: None,
            parents: Vec::new(),
            children: Vec::new(),
            outcome: Outcome::unasked(Verdict::Ok, ""),
        }
    }

    fn edge(to: NodeId, care: Care) -> Edge {
        Edge { to, platform: None, care }
    }

    /// A root with two children that share a grandchild, and a child that nobody minds with one of its own.
    fn family() -> (Graph, [NodeId; 6]) {
        let mut graph = Graph::default();
        let ids = ["root", "left", "right", "shared", "minor", "below minor"].map(|name| graph.add(node(name)));
        let [root, left, right, shared, minor, below] = ids;
        graph.connect(root, edge(left, Care::Check));
        graph.connect(root, edge(right, Care::Check));
        graph.connect(root, edge(minor, Care::Warn));
        graph.connect(left, edge(shared, Care::Check));
        graph.connect(right, edge(shared, Care::Check));
        graph.connect(minor, edge(below, Care::Check));
        (graph, ids)
    }

    #[test]
    fn everything_reachable_comes_once_in_the_images_own_order() {
        let (graph, [root, left, right, shared, minor, below]) = family();
        assert_eq!(graph.reachable(root), [root, left, shared, right, minor, below]);
        assert_eq!(graph.reachable(right), [right, shared]);
    }

    #[test]
    fn what_only_a_minor_child_needs_is_not_required() {
        let (graph, [root, left, right, shared, ..]) = family();
        assert_eq!(graph.required(root), [root, left, shared, right]);
    }

    #[test]
    fn a_child_knows_each_parent_once_and_keeps_every_place_in_its_parents_list() {
        let mut graph = Graph::default();
        let [parent, other, child] = ["parent", "other", "child"].map(|name| graph.add(node(name)));
        graph.connect(parent, edge(child, Care::Check));
        graph.connect(parent, edge(child, Care::Check));
        graph.connect(other, edge(child, Care::Check));
        assert_eq!(graph.node(child).parents, [parent, other]);
        assert_eq!(graph.node(parent).children.len(), 2);
    }

    #[test]
    fn a_key_finds_its_node_and_differs_by_size_and_endpoint() {
        let mut graph = Graph::default();
        assert!(graph.is_empty());
        let key = Key { manifest: true, whole: false, digest: sha256(b"x"), size: Some(1) };
        let id = graph.insert(key.clone(), node("x"));
        assert_eq!((graph.len(), graph.is_empty()), (1, false));
        assert_eq!(graph.find(&key), Some(id));
        assert_eq!(graph.find(&Key { size: Some(2), ..key.clone() }), None);
        assert_eq!(graph.find(&Key { manifest: false, ..key }), None);
    }

    #[test]
    fn nodes_are_numbered_from_nought_and_counted_by_verdict() {
        let (mut graph, ids) = family();
        assert_eq!(ids.map(NodeId::place), [0, 1, 2, 3, 4, 5]);
        graph.node_mut(ids[1]).outcome = Outcome::unasked(Verdict::Missing, "");
        assert_eq!((graph.count(Verdict::Missing), graph.count(Verdict::Ok)), (1, 5));
        assert!(graph.iter().map(|(id, _)| id).eq(ids));
    }
}
