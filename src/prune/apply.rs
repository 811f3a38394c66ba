//! Does what a plan says, image by image. Before each deletion the tags are listed and resolved again,
//! and whatever they lead to by then stays.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::future::join_all;
use log::{info, warn};
use oci_spec::image::Digest;

use super::contents::{Contents, Place};
use super::plan::{Delete, Fate, Plan};
use super::remover::{Remover, Returner};
use crate::layout::LayoutWriter;
use crate::oci::descriptor::Child;
use crate::oci::manifest;
use crate::oci::reference::{Reference, Repository, is_directory};
use crate::walk::cause::Cause;
use crate::walk::graph::NodeId;
use crate::walk::rules::{Depth, Rules};
use crate::walk::source::{Asked, Body, Catalog, FaultKind, Head, Look, Manifest, Source};
use crate::walk::verdict::{Verdict, judge_manifest};
use crate::walk::{resolved, walk};

/// How something that was to go ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was deleted, or was gone already.
    Deleted,
    /// It stays, because something needs it by now.
    Stays(Stays),
    /// It should have gone and did not.
    Failed(Failure),
}

/// Why something stays that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// The tag leads elsewhere by now.
    Moved,
    /// A tag that stays leads to it by now.
    Needed,
    /// What lists it could not be deleted.
    Above,
    /// A tag that stays has the same digest, and the registry cannot delete a tag alone.
    SharesItsDigest,
}

/// Why something did not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The registry did not do it.
    Registry(Cause),
    /// It could not be read for the backup.
    NotRead(Cause),
    /// The backup could not be written.
    NotSaved(String),
    /// What is there by now could not be found out.
    NotLooked(Cause),
    /// The registry cannot delete a tag alone, and there is nothing that it could go with.
    NotAlone,
    /// The registry said that it did it, and it is still there.
    NotTaken,
    /// The run ended before.
    Stopped,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// By tag.
    pub(crate) tags: HashMap<String, End>,
    /// By manifest.
    pub(crate) manifests: HashMap<Digest, End>,
}

/// A manifest as it was before it was deleted.
pub(crate) struct Saved {
    pub(crate) media_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// One repository, to be read and deleted from.
pub(crate) struct Hands<'a, S, C, R> {
    pub(crate) repository: &'a Repository,
    pub(crate) source: &'a S,
    pub(crate) catalog: &'a C,
    pub(crate) remover: &'a R,
    pub(crate) is_stopped: &'a dyn Fn() -> bool,
}

/// What the tags lead to by now.
struct Standing<'c> {
    contents: &'c Contents,
    /// What each tag led to when it was last resolved.
    tags: HashMap<String, Digest>,
    /// The tags that were listed by then.
    listed: HashSet<String>,
    /// The tags that led elsewhere in between: somebody has pushed them.
    moved: HashSet<String>,
    /// What is needed of [`Contents`].
    needed: Vec<bool>,
    /// What is needed beside it.
    others: HashSet<Digest>,
}

/// The tags of a registry that cannot delete a tag alone: they go with their digests, or stay.
#[derive(Default)]
struct Bound<'c> {
    /// Whether it is such a registry.
    is_certain: bool,
    tags: Vec<(&'c str, Option<Place>)>,
}

impl Standing<'_> {
    fn needs(&self, place: Place) -> bool {
        self.needed[place] || self.others.contains(&self.contents.node(place).digest)
    }
}

impl<S: Source, C: Catalog, R: Remover> Hands<'_, S, C, R> {
    /// Reads everything that is to go, and writes it to the backup; there also what the tags stand
    /// for that go alone.
    pub(crate) async fn save(
        &self,
        contents: &Contents,
        plan: &Plan,
        backup: Option<&mut LayoutWriter>,
        ends: &mut Ends,
    ) -> HashMap<Digest, Saved> {
        let alone = backup.iter().flat_map(|_| tags_alone(contents, plan));
        let places: Vec<Place> = plan.manifests.iter().copied().chain(alone).collect();
        let reads = places.iter().map(async |place| {
            let digest = &contents.node(*place).digest;
            (digest, self.source.manifest(digest, Look::First).await)
        });
        let mut saved = HashMap::new();
        for (digest, asked) in join_all(reads).await {
            match asked.answer {
                Ok(manifest) => match whole(digest, manifest) {
                    Ok(manifest) => {
                        saved.insert(digest.clone(), manifest);
                    }
                    Err(cause) => ends.fail(digest, Failure::NotRead(cause)),
                },
                Err(fault) if fault.kind == FaultKind::NotFound => {
                    ends.manifests.insert(digest.clone(), End::Deleted);
                }
                Err(fault) => ends.fail(digest, Failure::NotRead(fault.cause)),
            }
        }
        if let Some(backup) = backup
            && let Err(error) = self.write(contents, plan, &saved, backup)
        {
            for digest in saved.keys() {
                ends.fail(digest, Failure::NotSaved(error.to_string()));
            }
            saved.clear();
        }
        let goes = plan.digests(contents);
        saved.retain(|digest, _| goes.contains(digest));
        saved
    }

    fn write(
        &self,
        contents: &Contents,
        plan: &Plan,
        saved: &HashMap<Digest, Saved>,
        backup: &mut LayoutWriter,
    ) -> std::io::Result<()> {
        for (digest, manifest) in saved {
            backup.add(digest, &manifest.bytes)?;
            backup.list(None, &manifest.media_type, digest, manifest.bytes.len());
        }
        for (tag, fate) in contents.tags.iter().zip(&plan.tags) {
            let digest = tag.root.map(|root| &contents.node(root).digest);
            if let (Fate::Delete(_), Some(digest)) = (fate, digest)
                && let Some(manifest) = saved.get(digest)
            {
                let name = match self.repository {
                    // So that it means the same to the registry of this disk.
                    Repository { registry, name } if is_directory(registry) => name.clone(),
                    repository => repository.to_string(),
                };
                let name = format!("{name}:{}", tag.name);
                backup.list(
                    Some(&name),
                    &manifest.media_type,
                    digest,
                    manifest.bytes.len(),
                );
            }
        }
        backup.save()
    }

    /// Deletes, image by image; then what an earlier run has left and no tag leads to.
    pub(crate) async fn delete(
        &self,
        contents: &Contents,
        plan: &Plan,
        saved: &HashMap<Digest, Saved>,
        left_over: &[Digest],
        ends: &mut Ends,
    ) {
        let mut standing = Standing {
            contents,
            tags: HashMap::new(),
            listed: HashSet::new(),
            moved: HashSet::new(),
            needed: plan.needed.clone(),
            others: HashSet::new(),
        };
        for (tag, fate) in contents.tags.iter().zip(&plan.tags) {
            let digest = tag.root.map(|root| contents.node(root).digest.clone());
            if let Some(digest) = digest {
                standing.tags.insert(tag.name.clone(), digest);
            }
            if let Fate::Delete(_) = fate {
                let end = End::Failed(Failure::Stopped);
                ends.tags.insert(tag.name.clone(), end);
            }
        }
        let mut bound = Bound::default();
        for image in images(contents, plan) {
            if (self.is_stopped)() {
                break;
            }
            self.image(&image, &mut standing, saved, &mut bound, ends)
                .await;
        }
        for (tag, root) in bound.tags {
            let own = root.and_then(|root| ends.manifests.get(&contents.node(root).digest));
            let end = match root {
                Some(root) if standing.needs(root) => End::Stays(Stays::SharesItsDigest),
                None => End::Failed(Failure::NotAlone),
                Some(_) => own.cloned().unwrap_or(End::Failed(Failure::Stopped)),
            };
            ends.tags.insert(tag.to_owned(), end);
        }
        let left_over = left_over
            .iter()
            .filter(|one| contents.manifest(one).is_none());
        for digest in left_over {
            if (self.is_stopped)() || self.look(&mut standing).await.is_err() {
                return;
            }
            if !standing.others.contains(digest) {
                let end = end(self.remover.delete_manifest(digest).await);
                ends.manifests.insert(digest.clone(), end);
            }
        }
    }

    /// Lists the tags and resolves them again; what they lead to by now is needed.
    async fn look(&self, standing: &mut Standing<'_>) -> Result<(), Cause> {
        let names = match self.catalog.tags(self.repository).await.answer {
            Ok(list) if list.is_cut => return Err(Cause::default()),
            Ok(list) => list.names,
            Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
            Err(fault) => return Err(fault.cause),
        };
        let resolved = join_all(names.iter().map(async |name| {
            let digest = self.resolve(name).await;
            (name, digest)
        }));
        let mut now = HashMap::new();
        for (name, digest) in resolved.await {
            let Some(digest) = digest? else {
                continue;
            };
            if standing.tags.get(name) != Some(&digest) {
                info!(
                    "{}:{name} leads to {digest} by now, and that stays",
                    self.repository
                );
                standing.moved.insert(name.clone());
                self.require(&digest, standing).await?;
            }
            now.insert(name.clone(), digest);
        }
        standing.tags = now;
        standing.listed = names.into_iter().collect();
        Ok(())
    }

    /// What a tag leads to; none where it is gone.
    async fn resolve(&self, tag: &str) -> Result<Option<Digest>, Cause> {
        let reference = self.reference(tag);
        if let Head::Stated {
            claimed: Some(claimed),
            ..
        } = self.source.head(&reference, Look::Witness).await
            && let Ok(digest) = claimed.parse()
        {
            return Ok(Some(digest));
        }
        let asked = self.source.resolve(&reference, Look::Witness).await;
        match &asked.answer {
            Ok(_) => match resolved(&asked) {
                Some(digest) => Ok(Some(digest)),
                None => Err(Cause::default()),
            },
            Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
            Err(fault) => Err(fault.cause.clone()),
        }
    }

    /// Marks what a digest leads to as needed; what is not known yet is read.
    async fn require(&self, digest: &Digest, standing: &mut Standing<'_>) -> Result<(), Cause> {
        let mut open = vec![digest.clone()];
        while let Some(digest) = open.pop() {
            if let Some(place) = standing.contents.manifest(&digest) {
                standing.contents.need(place, &mut standing.needed);
                continue;
            }
            if !standing.others.insert(digest.clone()) {
                continue;
            }
            let asked = self.source.manifest(&digest, Look::First).await;
            let manifest = match asked.answer {
                Ok(manifest) => whole(&digest, manifest)?,
                Err(fault) if fault.kind == FaultKind::NotFound => continue,
                Err(fault) => return Err(fault.cause),
            };
            open.extend(manifests_below(&manifest));
        }
        Ok(())
    }

    async fn image<'c>(
        &self,
        image: &Image<'c>,
        standing: &mut Standing<'_>,
        saved: &HashMap<Digest, Saved>,
        bound: &mut Bound<'c>,
        ends: &mut Ends,
    ) {
        let root = image.root.map(|root| &standing.contents.node(root).digest);
        let unsaved = root.and_then(|root| ends.manifests.get(root).cloned());
        let unsaved = unsaved.filter(|end| end.is_unsaved() && !image.is_broken);
        // Such a tag leads nowhere, and is still a tag.
        let led_nowhere = !image
            .root
            .is_some_and(|root| standing.contents.node(root).is_read);
        let mut stays = false;
        for tag in &image.tags {
            let end = match &unsaved {
                Some(end) => Some(end.clone()),
                None => self.tag(tag, led_nowhere, standing, bound).await,
            };
            let Some(end) = end else {
                bound.tags.push((tag, image.root));
                continue;
            };
            // Where a tag stays that should have gone, so does what it leads to.
            stays |= !matches!(end, End::Deleted | End::Stays(Stays::Moved));
            ends.tags.insert((*tag).to_owned(), end);
        }
        // Where a manifest stays that should have gone, so does what it leads to.
        let mut held = vec![false; standing.contents.len()];
        for place in image.manifests.iter().filter(|_| !stays) {
            let digest = &standing.contents.node(*place).digest;
            if held[*place] {
                ends.manifests
                    .insert(digest.clone(), End::Stays(Stays::Above));
            } else if image.is_broken || saved.contains_key(digest) {
                self.manifest(*place, standing, ends).await;
                if let Some(End::Failed(_)) = ends.manifests.get(digest) {
                    standing.contents.reach(*place, &mut held);
                }
            }
        }
    }

    /// Deletes a tag alone; nothing where the registry cannot.
    async fn tag(
        &self,
        tag: &str,
        led_nowhere: bool,
        standing: &mut Standing<'_>,
        bound: &mut Bound<'_>,
    ) -> Option<End> {
        if let Err(cause) = self.look(standing).await {
            return Some(End::Failed(Failure::NotLooked(cause)));
        }
        let is_there =
            standing.tags.contains_key(tag) || (led_nowhere && standing.listed.contains(tag));
        if !is_there {
            return Some(End::Deleted);
        }
        if standing.moved.contains(tag) {
            return Some(End::Stays(Stays::Moved));
        }
        if bound.is_certain {
            return None;
        }
        let asked = self.remover.delete_tag(tag).await;
        bound.is_certain = is_refused(&asked);
        (!bound.is_certain).then(|| end(asked))
    }

    async fn manifest(&self, place: Place, standing: &mut Standing<'_>, ends: &mut Ends) {
        let digest = &standing.contents.node(place).digest;
        let end = match self.look(standing).await {
            Err(cause) => End::Failed(Failure::NotLooked(cause)),
            Ok(()) if standing.needs(place) => End::Stays(Stays::Needed),
            Ok(()) => end(self.remover.delete_manifest(digest).await),
        };
        ends.manifests.insert(digest.clone(), end);
    }

    /// Looks whether what was deleted is gone, and walks what is left; gives what a tag lacks by now
    /// and was deleted.
    pub(crate) async fn look_after(
        &self,
        contents: &Contents,
        rules: &Rules,
        ends: &mut Ends,
    ) -> Result<HashSet<Digest>, Cause> {
        let names = match self.catalog.tags(self.repository).await.answer {
            Ok(list) => list.names,
            Err(fault) if fault.kind == FaultKind::NotFound => Vec::new(),
            Err(fault) => return Err(fault.cause),
        };
        let references: Vec<Reference> = names.iter().map(|tag| self.reference(tag)).collect();
        let rules = Rules {
            depth: Depth::Manifests,
            ..rules.clone()
        };
        let never = std::future::pending();
        let checked = walk(
            self.source,
            self.repository,
            &references,
            &rules,
            never,
            |_, _| (),
        )
        .await;
        let listed: HashSet<&String> = names.iter().collect();
        let gone = ends
            .tags
            .iter_mut()
            .filter(|(name, _)| !listed.contains(name));
        for (_, end) in gone.filter(|(_, end)| end.was_tried()) {
            *end = End::Deleted;
        }
        let graph = &checked.graph;
        let digests = |ids: Vec<NodeId>| ids.into_iter().filter_map(|id| graph.node(id).digest());
        // What tags lead to that others have written since.
        let mut needed: HashSet<Digest> = HashSet::new();
        for subject in &checked.subjects {
            let name = subject.reference.tag.as_deref().unwrap_or_default();
            let tag = contents.tags.iter().find(|tag| tag.name == name);
            let before = tag.and_then(|tag| Some(&contents.node(tag.root?).digest));
            let now = graph.node(subject.root).digest();
            match ends.tags.get_mut(name).filter(|end| **end == End::Deleted) {
                Some(end) if before == now.as_ref() => *end = End::Failed(Failure::NotTaken),
                _ => needed.extend(digests(graph.reachable(subject.root))),
            }
        }
        let tried = ends.manifests.iter().filter(|(_, end)| end.was_tried());
        let looks = join_all(tried.map(async |(digest, end)| {
            let asked = self.source.manifest(digest, Look::Witness).await;
            (digest.clone(), end.clone(), asked.answer)
        }));
        for (digest, end, answer) in looks.await {
            let end = match answer {
                Ok(_) if needed.contains(&digest) => End::Stays(Stays::Needed),
                Ok(_) if end == End::Deleted => End::Failed(Failure::NotTaken),
                // The answer was lost, and the deletion was not.
                Err(fault) if fault.kind == FaultKind::NotFound => End::Deleted,
                _ => end,
            };
            ends.manifests.insert(digest, end);
        }
        let missing = graph
            .iter()
            .filter(|(_, node)| node.verdict() == Verdict::Missing);
        let lost = missing.filter_map(|(_, node)| node.digest()).collect();
        Ok(lost)
    }

    fn reference(&self, tag: &str) -> Reference {
        Reference {
            repository: self.repository.clone(),
            tag: Some(tag.to_owned()),
            digest: None,
        }
    }
}

/// Puts manifests back, each after what it refers to; gives those that a registry took.
pub(crate) async fn put_back<R: Returner>(
    repository: &Repository,
    contents: &Contents,
    plan: &Plan,
    lost: &HashSet<Digest>,
    saved: &HashMap<Digest, Saved>,
    returner: &R,
) -> Vec<Digest> {
    let mut done = Vec::new();
    for place in plan.manifests.iter().rev() {
        let digest = &contents.node(*place).digest;
        let Some(manifest) = saved.get(digest).filter(|_| lost.contains(digest)) else {
            continue;
        };
        let reference = Reference {
            repository: repository.clone(),
            tag: None,
            digest: Some(digest.clone()),
        };
        let asked = returner
            .put_back(&reference, &manifest.media_type, &manifest.bytes)
            .await;
        match asked.answer {
            Ok(()) => done.push(digest.clone()),
            Err(fault) => warn!(
                "{repository}@{digest} could not be put back: {:?}",
                fault.kind
            ),
        }
    }
    done
}

/// A digest that goes with its tags, and the manifests that go with it.
struct Image<'c> {
    root: Option<Place>,
    tags: Vec<&'c str>,
    manifests: Vec<Place>,
    /// It is broken, so that not all of it can be read for a backup.
    is_broken: bool,
}

/// What goes, image by image; what several share goes with the last of them.
fn images<'c>(contents: &'c Contents, plan: &Plan) -> Vec<Image<'c>> {
    let mut images: Vec<Image<'c>> = Vec::new();
    for (tag, fate) in contents.tags.iter().zip(&plan.tags) {
        if !matches!(fate, Fate::Delete(_)) {
            continue;
        }
        let known = images
            .iter_mut()
            .find(|image| tag.root.is_some() && image.root == tag.root);
        match known {
            Some(image) => image.tags.push(&tag.name),
            None => images.push(Image {
                root: tag.root,
                tags: vec![&tag.name],
                manifests: Vec::new(),
                is_broken: matches!(fate, Fate::Delete(Delete::Broken)),
            }),
        }
    }
    let mut taken = vec![false; contents.len()];
    for image in images.iter_mut().rev() {
        let Some(root) = image.root else {
            continue;
        };
        let mut reached = vec![false; contents.len()];
        contents.reach(root, &mut reached);
        let own = plan.manifests.iter().filter(|place| reached[**place]);
        for place in own {
            if !std::mem::replace(&mut taken[*place], true) {
                image.manifests.push(*place);
            }
        }
    }
    for root in &plan.untagged {
        let mut reached = vec![false; contents.len()];
        contents.reach(*root, &mut reached);
        let own = plan.manifests.iter().copied();
        let own =
            own.filter(|place| reached[*place] && !std::mem::replace(&mut taken[*place], true));
        images.push(Image {
            root: Some(*root),
            tags: Vec::new(),
            manifests: own.collect(),
            is_broken: false,
        });
    }
    images
}

/// What tags that go lead to, and that stays.
fn tags_alone(contents: &Contents, plan: &Plan) -> BTreeSet<Place> {
    let tags = contents.tags.iter().zip(&plan.tags);
    let goes = tags.filter(|(_, fate)| matches!(fate, Fate::Delete(_)));
    let roots = goes.filter_map(|(tag, _)| tag.root);
    roots.filter(|root| plan.needed[*root]).collect()
}

impl End {
    /// Whether the registry was asked to delete it.
    fn was_tried(&self) -> bool {
        matches!(self, Self::Deleted | Self::Failed(Failure::Registry(_)))
    }

    /// Whether there is no backup of it.
    fn is_unsaved(&self) -> bool {
        matches!(
            self,
            Self::Failed(Failure::NotRead(_) | Failure::NotSaved(_))
        )
    }
}

impl Ends {
    fn fail(&mut self, digest: &Digest, failure: Failure) {
        self.manifests.insert(digest.clone(), End::Failed(failure));
    }
}

fn end(asked: Asked<()>) -> End {
    match asked.answer {
        Err(fault) if fault.kind != FaultKind::NotFound => {
            End::Failed(Failure::Registry(fault.cause))
        }
        _ => End::Deleted,
    }
}

/// Whether a registry cannot delete a tag alone.
fn is_refused(asked: &Asked<()>) -> bool {
    asked.answer.is_err() && matches!(asked.status, Some(400 | 405))
}

/// A manifest that came whole and is what its digest says.
fn whole(digest: &Digest, manifest: Manifest) -> Result<Saved, Cause> {
    match judge_manifest(Some(digest), None, &manifest) {
        (Verdict::Ok, _) => {}
        (_, cause) => return Err(cause),
    }
    let Body::Whole(bytes) = manifest.body else {
        return Err(Cause::default());
    };
    let read = manifest::read(&bytes, manifest.content_type.as_deref(), None);
    let media_type = read.map(|document| document.media_type);
    let media_type = media_type
        .ok()
        .or(manifest.content_type)
        .unwrap_or_default();
    Ok(Saved { media_type, bytes })
}

/// The manifests that a manifest refers to, its subject with them.
fn manifests_below(manifest: &Saved) -> Vec<Digest> {
    let Ok(document) = manifest::read(&manifest.bytes, None, Some(&manifest.media_type)) else {
        return Vec::new();
    };
    let children = document.children.filter_map(|child| match child {
        Child::Readable(child) if child.kind.is_manifest() => Some(child.promise.digest),
        _ => None,
    });
    let subject = document.subject;
    children.chain(subject).collect()
}
