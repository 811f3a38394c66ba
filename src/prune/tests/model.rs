//! A registry in memory, with the habits of several, and with others who push while it is asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use oci_spec::image::Digest;
use serde_json::{Value, json};

use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::digest::sha256;
use crate::oci::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use crate::oci::reference::{Reference, Repository};
use crate::prune::remover::{Remover, Taken};
use crate::repair::writer::Writer;
use crate::walk::cause::{Cause, Place};
use crate::walk::source::{
    Asked, Blob, Body, Catalog, Fault, FaultKind, Head, List, Look, Manifest, Referring, Source,
};

/// How a registry deletes, and what it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub(super) struct Habits {
    /// It deletes a tag alone.
    pub(super) deletes_tags: bool,
    /// It does not delete what an index refers to.
    pub(super) guards_children: bool,
    /// It refuses an index whose children it does not have.
    pub(super) checks_children: bool,
    /// It says yes to every deletion, and deletes nothing.
    pub(super) lies: bool,
    /// It lists what refers to an image.
    pub(super) lists_referrers: bool,
}

impl Habits {
    pub(super) const DISTRIBUTION_2: Self = Self {
        deletes_tags: false,
        guards_children: false,
        checks_children: true,
        lies: false,
        lists_referrers: true,
    };
    pub(super) const DISTRIBUTION_3: Self = Self {
        deletes_tags: true,
        ..Self::DISTRIBUTION_2
    };
    pub(super) const ZOT: Self = Self {
        deletes_tags: true,
        guards_children: true,
        checks_children: false,
        lies: false,
        lists_referrers: true,
    };
    pub(super) const ALL: [Self; 3] = [Self::DISTRIBUTION_2, Self::DISTRIBUTION_3, Self::ZOT];
}

/// Something that somebody else does, begun before the request of this number.
#[derive(Clone, Debug)]
pub(super) struct Push {
    pub(super) at: usize,
    /// How many requests later the tag is written.
    pub(super) takes: usize,
    pub(super) tag: String,
    pub(super) root: Digest,
    /// What the pusher found there, so that it does not send it.
    is_begun: bool,
    is_done: bool,
}

impl Push {
    pub(super) fn new(at: usize, takes: usize, tag: String, root: Digest) -> Self {
        Self {
            at,
            takes,
            tag,
            root,
            is_begun: false,
            is_done: false,
        }
    }
}

#[derive(Default)]
struct State {
    manifests: HashMap<Digest, Vec<u8>>,
    tags: BTreeMap<String, Digest>,
    pushes: Vec<Push>,
    /// What it does not delete.
    refused: HashSet<Digest>,
    /// From which request on it has no list of tags.
    loses_list_at: Option<usize>,
    /// It wants to be asked twice for each deletion.
    throttles: bool,
    /// What it cannot deliver the next time.
    fails_once: Option<Digest>,
    /// What it has deleted at any time.
    deleted: HashSet<Digest>,
    requests: usize,
    /// The tags when they were last listed.
    listed: BTreeMap<String, Digest>,
    /// How many deletions were asked for since.
    since_listed: usize,
    /// The most of them at any time.
    most_since_listed: usize,
}

impl State {
    fn note_deletion(&mut self) {
        self.since_listed += 1;
        self.most_since_listed = self.most_since_listed.max(self.since_listed);
    }
}

pub(super) struct Model {
    habits: Habits,
    /// Every manifest that anybody ever had.
    pub(super) known: BTreeMap<String, Vec<u8>>,
    state: RefCell<State>,
}

impl Model {
    pub(super) fn new(habits: Habits) -> Self {
        Self {
            habits,
            known: BTreeMap::new(),
            state: RefCell::default(),
        }
    }

    pub(super) fn repository() -> Repository {
        Repository {
            registry: "registry.example".to_owned(),
            name: "team/app".to_owned(),
        }
    }

    fn know(&mut self, document: &Value) -> Digest {
        let bytes = document.to_string().into_bytes();
        let digest = sha256(&bytes);
        self.known.insert(digest.to_string(), bytes);
        digest
    }

    /// An image that nobody has pushed yet; its config says when it was built.
    pub(super) fn image(&mut self, seed: u32, subject: Option<&Digest>) -> Digest {
        let config = sha256(&seed.to_le_bytes());
        let mut document = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": { "mediaType": OCI_CONFIG, "digest": config.to_string(), "size": 4 },
            "layers": [],
        });
        if let Some(subject) = subject {
            let size = self.known[subject.as_ref()].len();
            document["subject"] = json!({
                "mediaType": OCI_MANIFEST, "digest": subject.to_string(), "size": size,
            });
        }
        self.know(&document)
    }

    /// An index that nobody has pushed yet.
    pub(super) fn index(&mut self, children: &[Digest]) -> Digest {
        let children = children.iter().map(|digest| {
            let bytes = &self.known[digest.as_ref()];
            let document: Value = serde_json::from_slice(bytes).unwrap();
            json!({
                "mediaType": document["mediaType"],
                "digest": digest.to_string(),
                "size": bytes.len(),
            })
        });
        let document = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": children.collect::<Vec<_>>(),
        });
        self.know(&document)
    }

    /// Has somebody push an image with all that it leads to.
    pub(super) fn push(&self, tag: &str, root: &Digest) {
        let mut state = self.state.borrow_mut();
        for digest in self.closure(root) {
            let bytes = self.known[digest.as_ref()].clone();
            state.manifests.insert(digest, bytes);
        }
        if !tag.is_empty() {
            state.tags.insert(tag.to_owned(), root.clone());
        }
    }

    /// Has the registry refuse to delete something.
    pub(super) fn refuse(&self, digest: &Digest) {
        self.state.borrow_mut().refused.insert(digest.clone());
    }

    /// Has it take a deletion only the second time.
    pub(super) fn throttle(&self) {
        self.state.borrow_mut().throttles = true;
    }

    /// Has somebody else answer 404 for the list of tags from now on.
    pub(super) fn lose_list(&self) {
        let mut state = self.state.borrow_mut();
        state.loses_list_at = Some(state.requests);
    }

    /// Has somebody delete a manifest.
    pub(super) fn lose(&self, digest: &Digest) {
        self.state.borrow_mut().manifests.remove(digest);
    }

    /// Has the next question for something fail.
    pub(super) fn fail_once(&self, digest: &Digest) {
        self.state.borrow_mut().fails_once = Some(digest.clone());
    }

    /// Has somebody write a tag without looking whether what it leads to is there.
    pub(super) fn write_tag(&self, tag: &str, root: &Digest) {
        let mut state = self.state.borrow_mut();
        let bytes = self.known[root.as_ref()].clone();
        state.manifests.insert(root.clone(), bytes);
        state.tags.insert(tag.to_owned(), root.clone());
    }

    pub(super) fn later(&self, pushes: Vec<Push>) {
        self.state.borrow_mut().pushes = pushes;
    }

    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.state.borrow().manifests.contains_key(digest)
    }

    /// Whether somebody has deleted it, even if it came back.
    pub(super) fn has_deleted(&self, digest: &Digest) -> bool {
        self.state.borrow().deleted.contains(digest)
    }

    pub(super) fn has_manifests(&self) -> HashSet<Digest> {
        self.state.borrow().manifests.keys().cloned().collect()
    }

    pub(super) fn has_tags(&self) -> BTreeMap<String, Digest> {
        self.state.borrow().tags.clone()
    }

    /// The tags that were there when they were last listed, and lead to the same since.
    pub(super) fn listed(&self) -> BTreeMap<String, Digest> {
        let state = self.state.borrow();
        let mut listed = state.listed.clone();
        listed.retain(|tag, root| state.tags.get(tag) == Some(root));
        listed
    }

    /// How many deletions were asked for, at most, without listing the tags in between.
    pub(super) fn deletions_without_a_look(&self) -> usize {
        self.state.borrow().most_since_listed
    }

    /// A manifest and all that it refers to.
    pub(super) fn closure(&self, root: &Digest) -> Vec<Digest> {
        let mut found = vec![root.clone()];
        let mut next = 0;
        while let Some(digest) = found.get(next).cloned() {
            next += 1;
            for child in self.children(&digest) {
                if !found.contains(&child) {
                    found.push(child);
                }
            }
        }
        found
    }

    fn children(&self, digest: &Digest) -> Vec<Digest> {
        let document: Value = serde_json::from_slice(&self.known[digest.as_ref()]).unwrap();
        let children = document["manifests"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let digests = children
            .iter()
            .map(|child| child["digest"].as_str().unwrap());
        digests.map(|digest| digest.parse().unwrap()).collect()
    }

    pub(super) fn subject(&self, digest: &Digest) -> Option<Digest> {
        let document: Value = serde_json::from_slice(&self.known[digest.as_ref()]).unwrap();
        document["subject"]["digest"].as_str()?.parse().ok()
    }

    /// Another request; before it, others do what they do.
    fn request(&self) {
        let mut state = self.state.borrow_mut();
        let now = state.requests;
        state.requests += 1;
        let mut pushes = std::mem::take(&mut state.pushes);
        for push in &mut pushes {
            if !push.is_begun && push.at <= now {
                push.is_begun = true;
                for digest in self.closure(&push.root).into_iter().skip(1) {
                    let bytes = self.known[digest.as_ref()].clone();
                    state.manifests.entry(digest).or_insert(bytes);
                }
            }
            if push.is_begun && !push.is_done && push.at + push.takes <= now {
                push.is_done = true;
                let children = self.children(&push.root);
                let is_whole = children
                    .iter()
                    .all(|child| state.manifests.contains_key(child));
                if is_whole || !self.habits.checks_children {
                    let bytes = self.known[push.root.as_ref()].clone();
                    state.manifests.insert(push.root.clone(), bytes);
                    state.tags.insert(push.tag.clone(), push.root.clone());
                }
            }
        }
        state.pushes = pushes;
    }

    fn deliver(&self, digest: &Digest) -> Result<Manifest, Fault> {
        let bytes = self
            .state
            .borrow()
            .manifests
            .get(digest)
            .cloned()
            .ok_or_else(absent)?;
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        Ok(Manifest {
            content_type: document["mediaType"].as_str().map(str::to_owned),
            body: Body::Whole(bytes),
            claimed: Some(digest.to_string()),
        })
    }

    fn by(&self, reference: &Reference) -> Option<Digest> {
        let tag = || {
            self.state
                .borrow()
                .tags
                .get(reference.tag.as_ref()?)
                .cloned()
        };
        reference.digest.clone().or_else(tag)
    }
}

fn answered(status: u16) -> Cause {
    Cause::Status {
        status,
        place: Place::Registry,
        is_registrys: true,
        is_page: false,
        words: None,
    }
}

fn absent() -> Fault {
    Fault {
        kind: FaultKind::NotFound,
        cause: answered(404),
    }
}

fn asked<T>(status: u16, answer: Result<T, Fault>) -> Asked<T> {
    Asked {
        answer,
        status: Some(status),
        attempts: 1,
        duration: Duration::ZERO,
        appeared_after: None,
    }
}

fn refused<T>(status: u16) -> Asked<T> {
    asked(
        status,
        Err(Fault {
            kind: FaultKind::Unavailable,
            cause: answered(status),
        }),
    )
}

fn found<T>(answer: Result<T, Fault>) -> Asked<T> {
    asked(if answer.is_ok() { 200 } else { 404 }, answer)
}

impl Source for Model {
    async fn resolve(&self, reference: &Reference, _: Look) -> Asked<Manifest> {
        self.request();
        let digest = self.by(reference).ok_or_else(absent);
        found(digest.and_then(|digest| self.deliver(&digest)))
    }

    async fn head(&self, reference: &Reference, _: Look) -> Head {
        self.request();
        match self.by(reference).map(|digest| self.deliver(&digest)) {
            Some(Ok(manifest)) => Head::Stated {
                content_type: manifest.content_type,
                claimed: manifest.claimed,
                length: None,
            },
            _ => Head::Refused(404),
        }
    }

    async fn manifest(&self, digest: &Digest, _: Look) -> Asked<Manifest> {
        self.request();
        let mut state = self.state.borrow_mut();
        if state.fails_once.take_if(|one| one == digest).is_some() {
            return refused(500);
        }
        drop(state);
        found(self.deliver(digest))
    }

    async fn blob(&self, promise: &Promise, _: Look) -> Asked<Blob> {
        found(Ok(Blob::Stated {
            length: promise.size,
        }))
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        self.blob(promise, look).await
    }

    async fn referrers(&self, digest: &Digest, _: Look) -> Asked<Vec<Referring>> {
        self.request();
        let lists = self.habits.lists_referrers;
        let manifests: Vec<Digest> = self.state.borrow().manifests.keys().cloned().collect();
        let naming = manifests
            .into_iter()
            .filter(|one| lists && self.subject(one).as_ref() == Some(digest));
        let naming: BTreeSet<String> = naming.map(|digest| digest.to_string()).collect();
        let entries = naming.iter().map(|digest| {
            let size = self.known[digest].len();
            json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": size })
        });
        let list = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": entries.collect::<Vec<_>>(),
        });
        found(Ok(vec![Referring::List(Manifest {
            body: Body::Whole(list.to_string().into_bytes()),
            content_type: Some(OCI_INDEX.to_owned()),
            claimed: None,
        })]))
    }

    async fn is_there(&self) -> bool {
        true
    }
}

impl Catalog for Model {
    async fn repositories(&self) -> Asked<List> {
        found(Ok(List {
            names: vec![Self::repository().name],
            ..List::default()
        }))
    }

    async fn tags(&self, _: &Repository) -> Asked<List> {
        self.request();
        let mut state = self.state.borrow_mut();
        if state.loses_list_at.is_some_and(|at| at < state.requests) {
            return found(Err(absent()));
        }
        state.listed = state.tags.clone();
        state.since_listed = 0;
        found(Ok(List {
            names: state.tags.keys().cloned().collect(),
            ..List::default()
        }))
    }
}

impl Remover for Model {
    async fn delete_tag(&self, tag: &str, tried: u32) -> Asked<Taken> {
        self.request();
        let mut state = self.state.borrow_mut();
        state.note_deletion();
        if state.throttles && tried == 0 {
            return asked(429, Ok(Taken::AskAgain));
        }
        if !self.habits.deletes_tags {
            return refused(400);
        }
        if self.habits.lies {
            return asked(202, Ok(Taken::Deleted));
        }
        match state.tags.remove(tag) {
            Some(_) => asked(202, Ok(Taken::Deleted)),
            None => asked(404, Err(absent())),
        }
    }

    async fn delete_manifest(&self, digest: &Digest, tried: u32) -> Asked<Taken> {
        self.request();
        let mut state = self.state.borrow_mut();
        state.note_deletion();
        if state.throttles && tried == 0 {
            return asked(429, Ok(Taken::AskAgain));
        }
        if self.habits.lies {
            return asked(202, Ok(Taken::Deleted));
        }
        if state.refused.contains(digest) {
            return refused(500);
        }
        let mut all = state.manifests.keys();
        if self.habits.guards_children && all.any(|one| self.children(one).contains(digest)) {
            return refused(405);
        }
        match state.manifests.remove(digest) {
            Some(_) => {
                state.deleted.insert(digest.clone());
                state.tags.retain(|_, root| root != digest);
                asked(202, Ok(Taken::Deleted))
            }
            None => asked(404, Err(absent())),
        }
    }
}

impl Writer for Model {
    async fn upload(&self, _: &Promise, _: &Content) -> Asked<()> {
        unreachable!("a prune uploads no blob")
    }

    async fn mount(&self, _: &Promise, _: &Repository) -> Asked<bool> {
        unreachable!("a prune mounts no blob")
    }

    async fn put(&self, reference: &Reference, _: &str, bytes: &[u8]) -> Asked<()> {
        self.request();
        let digest = reference.digest.clone().unwrap();
        assert_eq!(sha256(bytes), digest);
        self.state
            .borrow_mut()
            .manifests
            .insert(digest, bytes.to_vec());
        asked(201, Ok(()))
    }
}
