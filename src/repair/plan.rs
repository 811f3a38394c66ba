//! Makes the plan for one repository.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use futures_util::StreamExt as _;
use futures_util::future::{Either, join_all, select};
use futures_util::stream;
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

/// How many blobs are looked for at a time: each may have a file open.
const SIDE_BY_SIDE: usize = 16;

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
    /// The tags that the repository lists, if that is known; a named tag that is not among them is
    /// put back, too.
    pub(crate) listed: Option<&'a HashSet<String>>,
    /// Whether the registry's disk may be written to.
    pub(crate) writes_disk: bool,
}

/// What was found, and where.
#[derive(Default)]
struct Findings {
    recovered: Recovered,
    provenances: HashMap<Digest, Provenance>,
    /// Digests that were looked for.
    sought: HashSet<Digest>,
    /// Tags that were looked for.
    sought_tags: HashSet<String>,
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
            let is_more = {
                let more = pin!(self.find_more(&checked, &mut findings));
                matches!(select(more, pin!(stop())).await, Either::Left((true, _)))
            };
            if !is_more {
                break checked;
            }
        };
        let blobs = match select(pin!(self.blobs(&checked)), pin!(stop())).await {
            Either::Left((blobs, _)) => blobs,
            Either::Right(_) => HashMap::new(),
        };
        let composer = Composer::new(self, &checked, &findings, blobs);
        (composer.steps(), composer.there())
    }

    /// Looks for the manifests that a walk found to be lost; whether any was found.
    async fn find_more(&self, checked: &Checked, findings: &mut Findings) -> bool {
        let tags = findings.new_tags(checked);
        let found = tags.into_iter().map(async |tag| {
            let search = self.supplies.tag(self.repository, &tag).await;
            (tag, search)
        });
        let mut is_more = false;
        for (tag, search) in join_all(found).await {
            if let Search::Found((digest, manifest, provenance)) = search {
                findings.recovered.tags.insert(tag, digest.clone());
                findings.add(digest, manifest, provenance);
                is_more = true;
            }
        }
        let lost = findings.new_manifests(checked);
        let found = lost.into_iter().map(async |(digest, size)| {
            let search = self.supplies.manifest(self.repository, &digest, size).await;
            (digest, search)
        });
        for (digest, search) in join_all(found).await {
            match search {
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
        let searches = stream::iter(searches).buffer_unordered(SIDE_BY_SIDE);
        searches.collect().await
    }
}

impl Findings {
    fn add(&mut self, digest: Digest, manifest: Manifest, provenance: Provenance) {
        self.provenances.insert(digest.clone(), provenance);
        self.recovered.manifests.insert(digest, manifest);
    }

    /// The tags that are gone and were not looked for yet.
    fn new_tags(&mut self, checked: &Checked) -> Vec<String> {
        let gone = checked.subjects.iter().filter(|subject| {
            let root = checked.graph.node(subject.root);
            root.is_nameless() && root.is_lost() && subject.reference.digest.is_none()
        });
        let tags = gone.filter_map(|subject| subject.reference.tag.clone());
        tags.filter(|tag| self.sought_tags.insert(tag.clone()))
            .collect()
    }

    /// The manifests that are lost and were not looked for yet, each once, with their sizes.
    fn new_manifests(&mut self, checked: &Checked) -> Vec<(Digest, Option<u64>)> {
        let nodes = checked.graph.iter();
        let lost = nodes.filter(|(_, node)| node.kind().is_manifest() && node.is_lost());
        let lost = lost.filter_map(|(_, node)| Some((node.digest()?, node.size())));
        let is_known = |digest: &Digest| self.recovered.manifests.contains_key(digest);
        lost.filter(|(digest, _)| !is_known(digest) && self.sought.insert(digest.clone()))
            .collect()
    }
}

/// Whether nobody has looked, because the settings left it out.
fn is_unseen(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::LeftOut | Cause::BlobsLeftOut | Cause::AttestationsIgnored
    )
}

/// Makes the steps from what a last walk shows.
struct Composer<'a, S> {
    planner: &'a Planner<'a, S>,
    checked: &'a Checked,
    findings: &'a Findings,
    blobs: HashMap<NodeId, Search<Supply>>,
    /// The manifests that were found, and everything below them is there or comes back.
    complete: HashSet<NodeId>,
    /// Who needs what is lost or found: each distinct image by its first place.
    images: HashMap<NodeId, Vec<usize>>,
}

impl<'a, S> Composer<'a, S> {
    fn new(
        planner: &'a Planner<'a, S>,
        checked: &'a Checked,
        findings: &'a Findings,
        blobs: HashMap<NodeId, Search<Supply>>,
    ) -> Self {
        let mut composer = Self {
            planner,
            checked,
            findings,
            blobs,
            complete: HashSet::new(),
            images: HashMap::new(),
        };
        let found = checked.graph.ids();
        let complete =
            found.filter(|id| composer.recovered(*id).is_some() && composer.has_all(*id));
        composer.complete = complete.collect();
        composer.images = composer.needed_by();
        composer
    }

    /// Which images need each digest that a step may be about. Looked for from the images down, and
    /// once: there may be tens of thousands of both.
    fn needed_by(&self) -> HashMap<NodeId, Vec<usize>> {
        let graph = &self.checked.graph;
        let mut images: HashMap<NodeId, Vec<usize>> = HashMap::new();
        let mut roots = HashSet::new();
        for (place, subject) in self.checked.subjects.iter().enumerate() {
            if !roots.insert(subject.root) {
                continue;
            }
            for id in graph.reachable(subject.root) {
                if graph.node(id).is_lost() || self.recovered(id).is_some() {
                    images.entry(id).or_default().push(place);
                }
            }
        }
        images
    }

    /// The steps: blobs, then manifests from the leaves up, then tags; what is lost stands last.
    fn steps(&self) -> Vec<Planned> {
        let mut put = Vec::new();
        let mut lost = Vec::new();
        for (id, node) in self.checked.graph.iter() {
            let is_manifest = node.kind().is_manifest();
            if node.is_nameless() || node.digest().is_none() {
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
        let mut heights = HashMap::new();
        put.sort_by_cached_key(|(id, planned)| match planned.supply {
            Given::Manifest(_) => 1 + self.height(*id, &mut heights),
            _ => 0,
        });
        let put = put.into_iter().map(|(_, planned)| planned);
        // A digest may be promised with several sizes: one of them is the right one.
        let mut seen = HashSet::new();
        let mut is_new = |planned: &Planned| {
            let step = &planned.step;
            seen.insert((step.digest.clone(), step.kind.is_manifest()))
        };
        let mut steps: Vec<Planned> = put.filter(&mut is_new).collect();
        lost.retain(&mut is_new);
        steps.extend(self.tags());
        steps.extend(lost);
        steps
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
        let there = nodes.filter(|(id, node)| {
            // What a descriptor embeds need not be anywhere else.
            let is_seen = !matches!(node.cause(), Cause::Inline);
            node.verdict() == Verdict::Ok && is_seen && self.recovered(*id).is_none()
        });
        there.filter_map(|(_, node)| node.digest()).collect()
    }

    fn manifest(&self, id: NodeId) -> Planned {
        let Some(manifest) = self.recovered(id).filter(|_| self.complete.contains(&id)) else {
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
            .any(|parent| self.recovered(parent).is_none() || self.complete.contains(&parent));
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
            Supply::Storage if self.planner.writes_disk => Action::Link,
            Supply::Storage => Action::Upload(Provenance::Storage),
            Supply::File(name) if self.planner.writes_disk => {
                Action::Replace(Provenance::File(name.clone()))
            }
            Supply::File(name) => Action::Upload(Provenance::File(name.clone())),
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
                && (self.planner.listed).is_some_and(|listed| !listed.contains(tag));
            let Some(manifest) = self.recovered(subject.root).filter(|_| is_gone) else {
                continue;
            };
            let Some(digest) = self.checked.graph.node(subject.root).digest() else {
                continue;
            };
            if self.complete.contains(&subject.root) {
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
        let images = self.images.get(&id).into_iter().flatten();
        let images = images.map(|place| &self.checked.subjects[*place]);
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
    fn has_all(&self, id: NodeId) -> bool {
        let below = self.checked.graph.reachable(id);
        below.into_iter().all(|below| {
            let node = self.checked.graph.node(below);
            self.recovered(below).is_some()
                || node.verdict() == Verdict::Ok
                || node.verdict() == Verdict::Skipped && !is_unseen(node.cause())
                || matches!(self.blobs.get(&below), Some(Search::Found(_)))
                || node.verdict().is_definite() && !node.is_lost()
        })
    }

    fn is_put_back(&self, id: NodeId) -> bool {
        self.recovered(id).is_some() || matches!(self.blobs.get(&id), Some(Search::Found(_)))
    }

    /// How many manifests are below this one, one below the other. `known` has those of others: each
    /// is looked at once, however often it is listed.
    fn height(&self, id: NodeId, known: &mut HashMap<NodeId, usize>) -> usize {
        if let Some(height) = known.get(&id) {
            return *height;
        }
        let children = self.checked.graph.node(id).children();
        let manifests = children.filter(|edge| {
            let kind = self.checked.graph.node(edge.to).kind();
            kind.is_manifest() && kind != Kind::Referrer
        });
        let heights = manifests.map(|edge| 1 + self.height(edge.to, known));
        let height = heights.max().unwrap_or(0);
        known.insert(id, height);
        height
    }
}
