//! What an audit found on one registry, in numbers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::super::judged::{Judged, Root};
use super::{MOST, Tags};
use crate::oci::kind::Kind;
use crate::walk::graph::NodeId;

/// The numbers of one registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Its tags, by how they end.
    pub tags: Tags,
    /// Repositories whose tags were walked.
    pub repositories: usize,
    /// Indexes whose state is known, each once per repository.
    pub indexes: usize,
    /// Broken digests that an image needs, each once per repository, and findings about images.
    pub failures: usize,
    /// How many tags are broken, for the first repositories that have some.
    pub broken: BTreeMap<String, usize>,
    /// How many of its broken tags are in use.
    pub broken_in_use: usize,
    /// Lists that could not be read.
    pub unread: usize,
    /// Whether the catalog is one of them.
    pub is_catalog_unread: bool,
    /// When that was proven which was not proven for longest, with `state`.
    pub oldest_check: Option<SystemTime>,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
}

impl Sums {
    /// Adds a repository of this registry, or another part of one.
    pub(super) fn add(&mut self, judged: &Judged<'_>, is_new: bool) {
        let before = self.tags.broken;
        for place in 0..judged.checked.subjects.len() {
            self.tags.add(judged.exit(place));
            self.broken_in_use += usize::from(judged.is_broken_in_use(place));
        }
        let broken = self.tags.broken - before;
        self.repositories += usize::from(is_new);
        self.indexes += indexes(judged);
        self.failures += judged.counts.failures;
        if broken > 0 {
            let name = judged.checked.repository.short().to_owned();
            *self.broken.entry(name).or_default() += broken;
        }
        // Repositories end in any order; those that are kept are the same in every run.
        if self.broken.len() > MOST {
            self.broken.pop_last();
        }
    }

    /// Adds a list of this registry that could not be read: its catalog, or one of tags.
    pub(super) fn add_unread(&mut self, is_catalog: bool) {
        self.unread += 1;
        self.is_catalog_unread |= is_catalog;
    }

    /// Whether its repositories could be looked at: the catalog was read if it was needed, and so
    /// was a list of tags if there was one to read.
    #[must_use]
    pub fn is_accessible(&self) -> bool {
        !self.is_catalog_unread && (self.unread == 0 || self.repositories > 0)
    }
}

/// How many indexes there are in a repository whose state is known.
fn indexes(judged: &Judged<'_>) -> usize {
    let reached = |root: &Root<'_>| root.graph.reachable(root.node);
    let graph = &judged.checked.graph;
    let is_checked_index = |id: &NodeId| {
        let node = graph.node(*id);
        node.kind() == Kind::Index && !node.verdict().is_undecided()
    };
    let nodes = judged.roots.iter().flat_map(reached);
    graph.distinct_digests(&mut nodes.filter(is_checked_index).collect::<Vec<_>>())
}
