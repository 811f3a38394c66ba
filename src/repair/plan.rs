//! Makes the plan for one repository.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use oci_spec::image::Digest;

use super::overlay::{Overlay, Recovered};
use super::supplies::{Search, Supplies, Supply};
use super::{Action, Loss, Provenance, Step};
use crate::oci::descriptor::Promise;
use crate::oci::kind::Kind;
use crate::oci::reference::{Reference, Repository};
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::graph::NodeId;
use crate::walk::rules::Rules;
use crate::walk::source::{Body, Manifest, Source};
use crate::walk::verdict::Verdict;
use crate::walk::walk;

/// A step with what it takes.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    pub(crate) supply: Given,
    /// The digests below it that are put back, too.
    pub(crate) needs: Vec<Digest>,
}

/// What a step takes.
#[derive(Debug)]
pub(crate) enum Given {
    Nothing,
    Blob(Promise, Supply),
    Manifest(Manifest),
}

/// What a plan is made of.
pub(crate) struct Planner<'a, S> {
    pub(crate) source: &'a S,
    pub(crate) supplies: &'a Supplies<'a>,
    pub(crate) repository: &'a Repository,
    pub(crate) rules: &'a Rules,
    /// The tags that the repository lists; a named tag that is not among them is put back, too.
    pub(crate) listed: &'a HashSet<String>,
    /// Whether the registry's disk may be written to.
    pub(crate) writes_disk: bool,
}

/// What was found, and where.
#[derive(Default)]
struct Findings {
    recovered: Recovered,
    provenances: HashMap<Digest, Provenance>,
    /// Digests that some place may have that could not be asked.
    unknown: HashSet<Digest>,
}

impl<S: Source> Planner<'_, S> {
    /// Plans for these references, and says which digests are there. When `stop` is ready, what is not
    /// known by then stays so.
    pub(crate) async fn plan(
        &self,
        references: &[Reference],
        stop: impl AsyncFn() -> Cause,
    ) -> (Vec<Planned>, Vec<Digest>) {
        let mut findings = Findings::default();
        let checked = loop {
            let overlay = Overlay {
                source: self.source,
                recovered: &findings.recovered,
            };
            let checked = walk(
                &overlay,
                self.repository,
                references,
                self.rules,
                stop(),
                |_, _| (),
            )
            .await;
            if !self.find_more(&checked, &mut findings).await {
                break checked;
            }
        };
        let blobs = self.blobs(&checked).await;
        let composer = Composer {
            planner: self,
            checked: &checked,
            findings: &findings,
            blobs,
        };
        (composer.steps(), composer.there())
    }

    /// Looks for the manifests that a walk found to be lost; whether any was found.
    async fn find_more(&self, checked: &Checked, findings: &mut Findings) -> bool {
        let mut is_more = false;
        for subject in &checked.subjects {
            let root = checked.graph.node(subject.root);
            let Some(tag) = subject
                .reference
                .tag
                .as_ref()
                .filter(|_| root.is_nameless())
            else {
                continue;
            };
            let is_known = findings.recovered.tags.contains_key(tag);
            if !root.is_lost() || is_known || subject.reference.digest.is_some() {
                continue;
            }
            if let Search::Found((digest, manifest, provenance)) =
                self.supplies.tag(self.repository, tag).await
            {
                findings.recovered.tags.insert(tag.clone(), digest.clone());
                findings.add(digest, manifest, provenance);
                is_more = true;
            }
        }
        let nodes = checked.graph.iter();
        let lost = nodes.filter(|(_, node)| node.kind().is_manifest() && node.is_lost());
        let lost = lost.filter_map(|(_, node)| Some((node.digest()?, node.size())));
        for (digest, size) in lost.collect::<HashMap<_, _>>() {
            if findings.has_sought(&digest) {
                continue;
            }
            match self.supplies.manifest(self.repository, &digest, size).await {
                Search::Found((manifest, provenance)) => {
                    findings.add(digest, manifest, provenance);
                    is_more = true;
                }
                Search::Nowhere => {}
                Search::NotKnown => {
                    findings.unknown.insert(digest);
                }
            }
        }
        is_more
    }

    /// Looks for the blobs that are lost.
    async fn blobs(&self, checked: &Checked) -> HashMap<NodeId, Search<Supply>> {
        let nodes = checked.graph.iter();
        let lost = nodes.filter(|(_, node)| !node.kind().is_manifest() && node.is_lost());
        let lost = lost.filter_map(|(id, node)| {
            let promise = Promise {
                digest: node.digest()?,
                size: node.size()?,
            };
            Some((id, promise))
        });
        let searches = lost
            .map(async |(id, promise)| (id, self.supplies.blob(self.repository, &promise).await));
        join_all(searches).await.into_iter().collect()
    }
}

impl Findings {
    fn add(&mut self, digest: Digest, manifest: Manifest, provenance: Provenance) {
        self.provenances.insert(digest.clone(), provenance);
        self.recovered.manifests.insert(digest, manifest);
    }

    fn has_sought(&self, digest: &Digest) -> bool {
        self.recovered.manifests.contains_key(digest) || self.unknown.contains(digest)
    }
}

/// Makes the steps from what a last walk shows.
struct Composer<'a, S> {
    planner: &'a Planner<'a, S>,
    checked: &'a Checked,
    findings: &'a Findings,
    blobs: HashMap<NodeId, Search<Supply>>,
}

impl<S> Composer<'_, S> {
    /// The steps: blobs, then manifests from the leaves up, then tags; what is lost stands last.
    fn steps(&self) -> Vec<Planned> {
        let mut put = Vec::new();
        let mut lost = Vec::new();
        let mut seen = HashSet::new();
        for (id, node) in self.checked.graph.iter() {
            let is_manifest = node.kind().is_manifest();
            let is_new = node.digest().is_some_and(|digest| seen.insert(digest));
            if !is_new {
                continue;
            }
            let planned = match self.recovered(id) {
                Some(_) => Some(self.manifest(id)),
                None if !node.is_lost() => None,
                None if is_manifest => Some(self.lost(id, self.loss(id))),
                None => self.blob(id),
            };
            match planned {
                Some(planned) if planned.step.action.is_possible() => put.push((id, planned)),
                Some(planned) => lost.push(planned),
                None => {}
            }
        }
        put.sort_by_key(|(id, planned)| match planned.supply {
            Given::Manifest(_) => 1 + self.height(*id),
            _ => 0,
        });
        let put = put.into_iter().map(|(_, planned)| planned);
        put.chain(self.tags()).chain(lost).collect()
    }

    /// The manifest that was found for a node.
    fn recovered(&self, id: NodeId) -> Option<&Manifest> {
        let node = self.checked.graph.node(id);
        if !node.kind().is_manifest() {
            return None;
        }
        self.findings.recovered.manifests.get(&node.digest()?)
    }

    /// The digests that are there.
    fn there(&self) -> Vec<Digest> {
        let nodes = self.checked.graph.iter();
        let there = nodes
            .filter(|(id, node)| node.verdict() == Verdict::Ok && self.recovered(*id).is_none());
        there.filter_map(|(_, node)| node.digest()).collect()
    }

    fn manifest(&self, id: NodeId) -> Planned {
        let Some(manifest) = self.recovered(id).filter(|_| self.is_complete(id)) else {
            return self.lost(id, Loss::BelowIt);
        };
        let digest = self.checked.graph.node(id).digest();
        let provenance = digest.and_then(|digest| self.findings.provenances.get(&digest).cloned());
        let provenance = provenance.unwrap_or(Provenance::Storage);
        let action = match provenance {
            Provenance::Storage if self.planner.writes_disk => Action::Link,
            provenance if self.planner.writes_disk => Action::Replace(provenance),
            provenance => Action::Put(provenance),
        };
        let needs = self.checked.graph.reachable(id).into_iter();
        let needs = needs.filter(|below| *below != id && self.is_put_back(*below));
        Planned {
            needs: needs
                .filter_map(|below| self.checked.graph.node(below).digest())
                .collect(),
            supply: Given::Manifest(manifest.clone()),
            step: self.step(id, action),
        }
    }

    /// A blob that is lost; none where nothing that stays or comes back needs it.
    fn blob(&self, id: NodeId) -> Option<Planned> {
        let node = self.checked.graph.node(id);
        let promise = Promise {
            digest: node.digest()?,
            size: node.size()?,
        };
        let supply = match self.blobs.get(&id)? {
            Search::Found(supply) => supply.clone(),
            Search::Nowhere => return Some(self.lost(id, Loss::Nowhere)),
            Search::NotKnown => return Some(self.lost(id, Loss::NotKnown)),
        };
        let is_needed = node
            .parents()
            .any(|parent| self.recovered(parent).is_none() || self.is_complete(parent));
        if !is_needed {
            return None;
        }
        let action = self.action(&supply);
        Some(Planned {
            step: self.step(id, action),
            supply: Given::Blob(promise, supply),
            needs: Vec::new(),
        })
    }

    fn action(&self, supply: &Supply) -> Action {
        let target = &self.planner.repository.registry;
        match supply {
            Supply::File(Provenance::Storage, _) if self.planner.writes_disk => Action::Link,
            Supply::File(provenance, _) if self.planner.writes_disk => {
                Action::Replace(provenance.clone())
            }
            Supply::File(provenance, _) => Action::Upload(provenance.clone()),
            Supply::Remote(from) if from.registry == *target => Action::Mount(from.clone()),
            Supply::Remote(from) if self.planner.writes_disk => {
                Action::Replace(Provenance::Repository(from.clone()))
            }
            Supply::Remote(from) => Action::Upload(Provenance::Repository(from.clone())),
        }
    }

    /// The tags that are gone, and whose manifests come back.
    fn tags(&self) -> Vec<Planned> {
        let mut tags = Vec::new();
        for subject in &self.checked.subjects {
            let Some(tag) = &subject.reference.tag else {
                continue;
            };
            let is_gone = self.findings.recovered.tags.contains_key(tag)
                && !self.planner.listed.contains(tag);
            let Some(manifest) = self.recovered(subject.root).filter(|_| is_gone) else {
                continue;
            };
            let Some(digest) = self.checked.graph.node(subject.root).digest() else {
                continue;
            };
            if self.is_complete(subject.root) {
                tags.push(Planned {
                    step: self.step(subject.root, Action::Tag(tag.clone())),
                    supply: Given::Manifest(manifest.clone()),
                    needs: vec![digest],
                });
            }
        }
        tags
    }

    fn lost(&self, id: NodeId, loss: Loss) -> Planned {
        Planned {
            step: self.step(id, Action::Lost(loss)),
            supply: Given::Nothing,
            needs: Vec::new(),
        }
    }

    fn loss(&self, id: NodeId) -> Loss {
        let digest = self.checked.graph.node(id).digest();
        if digest.is_some_and(|digest| self.findings.unknown.contains(&digest)) {
            Loss::NotKnown
        } else {
            Loss::Nowhere
        }
    }

    fn step(&self, id: NodeId, action: Action) -> Step {
        let graph = &self.checked.graph;
        let node = graph.node(id);
        let mut roots = HashSet::new();
        let subjects = self.checked.subjects.iter();
        let images = subjects.filter(|subject| {
            roots.insert(subject.root) && graph.reachable(subject.root).contains(&id)
        });
        Step {
            repository: self.planner.repository.clone(),
            images: images.map(|subject| subject.reference.clone()).collect(),
            digest: node.digest().expect("what is missing has a digest"),
            kind: node.kind(),
            platform: self.platform(id),
            size: node.size().or_else(|| {
                let Body::Whole(bytes) = &self.recovered(id)?.body else {
                    return None;
                };
                Some(bytes.len() as u64)
            }),
            action,
            end: None,
        }
    }

    /// The platform that an index states for it.
    fn platform(&self, id: NodeId) -> Option<crate::oci::platform::Platform> {
        let graph = &self.checked.graph;
        let parents = graph.node(id).parents();
        let mut edges = parents.flat_map(|parent| graph.node(parent).children());
        edges
            .find(|edge| edge.to == id && edge.platform.is_some())
            .and_then(|edge| edge.platform.cloned())
    }

    /// Whether everything below a manifest is there, or comes back.
    fn is_complete(&self, id: NodeId) -> bool {
        let below = self.checked.graph.reachable(id);
        below.into_iter().all(|below| {
            let node = self.checked.graph.node(below);
            self.recovered(below).is_some()
                || matches!(node.verdict(), Verdict::Ok | Verdict::Skipped)
                || matches!(self.blobs.get(&below), Some(Search::Found(_)))
                || node.verdict().is_definite() && !node.is_lost()
        })
    }

    fn is_put_back(&self, id: NodeId) -> bool {
        self.recovered(id).is_some() || matches!(self.blobs.get(&id), Some(Search::Found(_)))
    }

    /// How many manifests are below this one, one below the other.
    fn height(&self, id: NodeId) -> usize {
        let children = self.checked.graph.node(id).children();
        let manifests = children.filter(|edge| {
            let kind = self.checked.graph.node(edge.to).kind();
            kind.is_manifest() && kind != Kind::Referrer
        });
        let heights = manifests.map(|edge| 1 + self.height(edge.to));
        heights.max().unwrap_or(0)
    }
}
