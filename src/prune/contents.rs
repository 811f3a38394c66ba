//! What the tags of a repository lead to, as one graph of digests.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use oci_spec::image::Digest;

use crate::oci::client::Clients;
use crate::oci::kind::Kind;
use crate::oci::reference::digest_in_tag;
use crate::walk::checked::{Checked, Subject};
use crate::walk::graph::NodeId;
use crate::walk::source::Fault;
use crate::walk::verdict::Verdict;

/// A repository with all its tags.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Its tags, in the order of the walk.
    pub(crate) tags: Vec<Tag>,
    /// What stays and no tag leads to: it is in use by its digest, or a tag belongs to it.
    pub(crate) pinned: Vec<Place>,
    /// What stays, and what it leads to is not all known.
    pub(crate) unread: Option<Digest>,
    /// What has no tag and no tag leads to, where the registry lists that.
    pub(crate) untagged: Vec<Untagged>,
    /// What an earlier run was to delete, and may have left.
    pub(crate) leaving: HashSet<Digest>,
    /// Why what the registry lists is not known, where it should be.
    pub(crate) unlisted: Option<Fault>,
    nodes: Vec<Node>,
    /// Where each digest is, as a manifest and as a blob.
    places: HashMap<(Digest, bool), Place>,
}

/// The place of a digest in its [`Contents`].
pub(crate) type Place = usize;

/// A tag.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// What it leads to; none where that is not known.
    pub(crate) root: Option<Place>,
    pub(crate) health: Health,
    pub(crate) dates: Dates,
    /// What uses it, where it is in use; empty where the list names nobody.
    pub(crate) users: Option<Vec<String>>,
}

/// A manifest without a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Untagged {
    pub(crate) root: Place,
    /// Since when it is as it is.
    pub(crate) since: Option<SystemTime>,
    /// Whether all that it leads to is known, or is definitely not there.
    pub(crate) is_known: bool,
}

/// What a walk found of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Whole,
    /// It definitely cannot be pulled.
    Broken,
    /// It is not known whether it can.
    Undecided,
}

/// What is known of a tag's age, each by its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dates {
    /// When it was pushed, by the registry or its disk.
    pub(crate) pushed: Option<SystemTime>,
    /// When the registry last changed something of it: no order, but a reason to wait.
    pub(crate) changed: Option<SystemTime>,
    /// When an audit first saw it.
    pub(crate) first_seen: Option<SystemTime>,
    /// When its image was built, by its config.
    pub(crate) created: Option<SystemTime>,
}

/// A manifest or a blob.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    /// In bytes, where that is known.
    pub(crate) size: Option<u64>,
    /// Whether it was there and could be read.
    pub(crate) is_read: bool,
    /// What it refers to, and what refers to it as its subject.
    below: Vec<Place>,
    /// The manifest that it names as its subject.
    subject: Option<Digest>,
}

impl Contents {
    /// Adds what a walk found; `users` says who uses the image in a place, where it is in use.
    pub(crate) fn add(
        &mut self,
        checked: &Checked,
        clients: Clients,
        users: impl Fn(usize) -> Option<Vec<String>>,
    ) {
        let graph = &checked.graph;
        let places = self.add_nodes(checked);
        for (at, subject) in checked.subjects.iter().enumerate() {
            let root = places[subject.root.place()];
            let Some(name) = &subject.reference.tag else {
                self.pinned.extend(root);
                self.note_unread(checked, subject, clients);
                continue;
            };
            self.tags.push(Tag {
                name: name.clone(),
                root,
                health: health(checked, subject, clients),
                dates: Dates {
                    created: graph.created(subject.root),
                    ..Dates::default()
                },
                users: users(at),
            });
        }
    }

    /// Adds what a walk found of manifests without a tag: those of `listed` that no tag leads to.
    pub(crate) fn add_untagged(
        &mut self,
        checked: &Checked,
        clients: Clients,
        listed: &HashMap<&Digest, Option<SystemTime>>,
    ) {
        let places = self.add_nodes(checked);
        let mut reached = vec![false; self.nodes.len()];
        let roots = self.tags.iter().filter_map(|tag| tag.root);
        for root in roots.chain(self.pinned.iter().copied()) {
            self.reach(root, &mut reached);
        }
        for subject in &checked.subjects {
            let Some(root) = places[subject.root.place()].filter(|root| !reached[*root]) else {
                continue;
            };
            let is_gone = checked.graph.node(subject.root).verdict() == Verdict::Missing;
            if let (Some(since), false) = (listed.get(&self.nodes[root].digest), is_gone) {
                self.untagged.push(Untagged {
                    root,
                    since: *since,
                    is_known: health(checked, subject, clients) != Health::Undecided,
                });
            }
        }
    }

    /// Adds what a walk found of manifests that tags or referrers belong to, and no tag leads to. What
    /// a tag belongs to stays.
    pub(crate) fn add_subjects(&mut self, checked: &Checked, clients: Clients) {
        let places = self.add_nodes(checked);
        let named = self.tags.iter().filter_map(|tag| digest_in_tag(&tag.name));
        let named: HashSet<Digest> = named.collect();
        for subject in &checked.subjects {
            let Some(root) = places[subject.root.place()] else {
                continue;
            };
            let digest = &self.nodes[root].digest;
            if checked.graph.node(subject.root).verdict() == Verdict::Missing {
                self.places.remove(&(digest.clone(), true));
                continue;
            }
            if named.contains(digest) && !self.leaving.contains(digest) {
                self.pinned.push(root);
            }
            self.note_unread(checked, subject, clients);
        }
    }

    fn note_unread(&mut self, checked: &Checked, subject: &Subject, clients: Clients) {
        if health(checked, subject, clients) == Health::Undecided {
            self.unread.clone_from(&subject.reference.digest);
        }
    }

    /// Adds the nodes of a walk and what each refers to; gives their places.
    fn add_nodes(&mut self, checked: &Checked) -> Vec<Option<Place>> {
        let graph = &checked.graph;
        let places: Vec<Option<Place>> = graph.ids().map(|id| self.add_node(checked, id)).collect();
        for (id, node) in graph.iter() {
            let Some(place) = places[id.place()] else {
                continue;
            };
            let below = node.children().filter_map(|edge| places[edge.to.place()]);
            for one in below {
                let known = &mut self.nodes[place].below;
                if !known.contains(&one) {
                    known.push(one);
                }
            }
        }
        places
    }

    fn add_node(&mut self, checked: &Checked, id: NodeId) -> Option<Place> {
        let node = checked.graph.node(id);
        let key = (node.digest()?, node.kind().is_manifest());
        let is_read = matches!(node.verdict(), Verdict::Ok | Verdict::Skipped);
        let nodes = &mut self.nodes;
        let place = *self.places.entry(key).or_insert_with_key(|(digest, _)| {
            nodes.push(Node {
                digest: digest.clone(),
                kind: node.kind(),
                size: node.size(),
                is_read,
                below: Vec::new(),
                subject: None,
            });
            nodes.len() - 1
        });
        let known = &mut nodes[place];
        known.is_read |= is_read;
        known.subject = known.subject.take().or_else(|| checked.graph.subject(id));
        Some(place)
    }

    /// The node in a place.
    pub(crate) fn node(&self, place: Place) -> &Node {
        &self.nodes[place]
    }

    /// How many nodes there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Where a manifest is.
    pub(crate) fn manifest(&self, digest: &Digest) -> Option<Place> {
        self.places.get(&(digest.clone(), true)).copied()
    }

    /// Where what a node names as its subject is.
    pub(crate) fn subject(&self, of: Place) -> Option<Place> {
        self.manifest(self.nodes[of].subject.as_ref()?)
    }

    /// Marks all that can be reached from a place, and what that names as its subject.
    pub(crate) fn need(&self, from: Place, needed: &mut [bool]) {
        self.mark(from, needed, |place| self.subject(place));
    }

    /// Marks what refers to something needed as its subject, whether a registry lists it or not.
    pub(crate) fn need_referrers(&self, needed: &mut [bool]) {
        for place in 0..self.nodes.len() {
            let subject = self.nodes[place].subject.as_ref();
            let subject = subject.and_then(|digest| self.manifest(digest));
            if subject.is_some_and(|subject| needed[subject]) {
                self.need(place, needed);
            }
        }
    }

    /// Marks the signatures and other referrers of all that is needed, with what they need. `stays`
    /// says whether a tag does that is made of a digest.
    pub(crate) fn need_what_belongs(
        &self,
        needed: &mut [bool],
        stays: impl Fn(&Tag, &Digest, &[bool]) -> bool,
    ) {
        loop {
            let before = needed.iter().filter(|needed| **needed).count();
            for tag in &self.tags {
                if let (Some(root), Some(digest)) = (tag.root, digest_in_tag(&tag.name))
                    && stays(tag, &digest, needed)
                {
                    self.need(root, needed);
                }
            }
            self.need_referrers(needed);
            if needed.iter().filter(|needed| **needed).count() == before {
                return;
            }
        }
    }

    /// Marks all that can be reached from a place.
    pub(crate) fn reach(&self, from: Place, reached: &mut [bool]) {
        self.mark(from, reached, |_| None);
    }

    fn mark(&self, from: Place, marked: &mut [bool], and: impl Fn(Place) -> Option<Place>) {
        let mut open = vec![from];
        while let Some(place) = open.pop() {
            if std::mem::replace(&mut marked[place], true) {
                continue;
            }
            let node = &self.nodes[place];
            open.extend(node.below.iter().copied().chain(and(place)));
        }
    }

    /// The manifests among all that a place leads to that were not read.
    pub(crate) fn unread_below(&self, place: Place) -> Vec<Digest> {
        let below = self.all_below(place).into_iter();
        let below = below.map(|place| &self.nodes[place]);
        let unread = below.filter(|node| !node.is_read && node.kind.is_manifest());
        unread.map(|node| node.digest.clone()).collect()
    }

    /// All that can be reached from a place, itself with it.
    pub(crate) fn all_below(&self, place: Place) -> Vec<Place> {
        let mut reached = vec![false; self.nodes.len()];
        self.reach(place, &mut reached);
        (0..reached.len()).filter(|place| reached[*place]).collect()
    }

    /// How large what is in some places is together, in bytes, as far as that is known.
    pub(crate) fn size(&self, counts: impl Fn(Place) -> bool) -> u64 {
        let places = (0..self.nodes.len()).filter(|place| counts(*place));
        places.filter_map(|place| self.nodes[place].size).sum()
    }

    /// These places so that each comes before what it refers to.
    pub(crate) fn top_down(&self, chosen: &[bool]) -> Vec<Place> {
        let mut seen = vec![false; self.nodes.len()];
        let mut order = Vec::new();
        for place in (0..self.nodes.len()).rev().filter(|place| chosen[*place]) {
            // A place is written down when all below it is.
            let mut open = vec![(place, false)];
            while let Some((place, is_done)) = open.pop() {
                if is_done {
                    order.push(place);
                } else if !std::mem::replace(&mut seen[place], true) {
                    open.push((place, true));
                    let below = self.nodes[place].below.iter().rev();
                    let below = below.filter(|one| chosen[**one] && !seen[**one]);
                    open.extend(below.map(|one| (*one, false)));
                }
            }
        }
        order.reverse();
        order
    }
}

#[cfg(test)]
impl Contents {
    /// Adds a manifest that could be read.
    pub(super) fn with(
        &mut self,
        digest: &Digest,
        kind: Kind,
        size: u64,
        below: &[Place],
    ) -> Place {
        self.nodes.push(Node {
            digest: digest.clone(),
            kind,
            size: Some(size),
            is_read: true,
            below: below.to_vec(),
            subject: None,
        });
        let place = self.nodes.len() - 1;
        self.places
            .insert((digest.clone(), kind.is_manifest()), place);
        place
    }

    /// A manifest names another as its subject.
    pub(super) fn refers(&mut self, place: Place, subject: &Digest) {
        self.nodes[place].subject = Some(subject.clone());
    }

    /// What is in a place could not be read.
    pub(super) fn unread(&mut self, place: Place) {
        self.nodes[place].is_read = false;
    }
}

fn health(checked: &Checked, subject: &Subject, clients: Clients) -> Health {
    if checked.is_failing(subject, clients) {
        return Health::Broken;
    }
    let graph = &checked.graph;
    let is_fine = |id: &NodeId| matches!(graph.node(*id).verdict(), Verdict::Ok | Verdict::Skipped);
    if graph.required(subject.root).iter().all(is_fine) {
        Health::Whole
    } else {
        Health::Undecided
    }
}
