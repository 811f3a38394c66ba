//! Does what a plan says, image by image. Before each deletion the tags are listed and resolved again,
//! and whatever they lead to by then stays.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use log::{info, warn};
use oci_spec::image::Digest;

use super::contents::{Contents, Place};
use super::images::{Image, images};
use super::plan::Plan;
use super::remover::{Remover, Returner, Taken};
use crate::layout::LayoutWriter;
use crate::oci::descriptor::Child;
use crate::oci::manifest;
use crate::oci::reference::{Reference, Repository, digest_in_tag, is_directory};
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::graph::NodeId;
use crate::walk::rules::{Depth, Rules};
use crate::walk::source::{Asked, Body, Catalog, FaultKind, Head, Look, Manifest, Source};
use crate::walk::verdict::{Verdict, judge_manifest};
use crate::walk::{resolved, walk};

/// How often a long run says how far it is.
const SAID_EVERY: Duration = Duration::from_secs(10);

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
    /// What it belongs to stays by now.
    Follows,
    /// It was broken, and is not known to be by now.
    NotBroken,
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
    /// It is damaged, so that there is nothing to write to the backup.
    Damaged(Cause),
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
    /// The manifests that an earlier run has left, and this one was to delete.
    pub(crate) left_over: Vec<Digest>,
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
    pub(crate) rules: &'a Rules,
    pub(crate) is_stopped: &'a dyn Fn() -> bool,
}

/// What the tags lead to by now.
struct Standing<'c> {
    contents: &'c Contents,
    /// Whether a tag stays, so that the list of tags cannot be gone.
    keeps_tags: bool,
    /// What each tag led to when it was last resolved.
    tags: HashMap<String, Digest>,
    /// The tags that were listed by then.
    listed: HashSet<String>,
    /// The tags that led elsewhere in between: somebody has pushed them.
    moved: HashSet<String>,
    /// What is needed of [`Contents`].
    needed: Vec<bool>,
    /// What is needed beside it, and has been read.
    others: HashSet<Digest>,
    /// What could not be deleted, and what that leads to.
    held: Vec<bool>,
}

/// The tags of a registry that cannot delete a tag alone: they go with their digests, or stay.
#[derive(Default)]
struct Bound<'c> {
    /// Whether it is such a registry.
    is_certain: bool,
    tags: Vec<(&'c str, Option<Place>)>,
}

impl<'c> Standing<'c> {
    fn new(contents: &'c Contents, plan: &Plan) -> Self {
        let tags = contents.tags.iter().filter_map(|tag| {
            let digest = contents.node(tag.root?).digest.clone();
            Some((tag.name.clone(), digest))
        });
        Self {
            contents,
            keeps_tags: plan.keeps_tags(),
            tags: tags.collect(),
            listed: HashSet::new(),
            moved: HashSet::new(),
            needed: plan.needed.clone(),
            others: HashSet::new(),
            held: vec![false; contents.len()],
        }
    }

    fn needs(&self, place: Place) -> bool {
        self.needed[place] || self.others.contains(&self.contents.node(place).digest)
    }

    /// Marks what a place leads to as needed, with all that belongs to it.
    fn need(&mut self, place: Place) {
        mark(self.contents, place, &mut self.needed);
    }

    /// Marks what a place leads to as held, with all that belongs to it.
    fn hold(&mut self, place: Place) {
        mark(self.contents, place, &mut self.held);
    }

    /// Whether a tag is made of the digest of something that stays.
    fn belongs_to_what_stays(&self, tag: &str) -> bool {
        let subject = digest_in_tag(tag).and_then(|digest| self.contents.manifest(&digest));
        subject.is_some_and(|subject| self.needs(subject) || self.held[subject])
    }
}

fn mark(contents: &Contents, place: Place, marked: &mut [bool]) {
    contents.need(place, marked);
    contents.need_what_belongs(marked, |_, digest, marked| {
        let subject = contents.manifest(digest);
        subject.is_some_and(|subject| marked[subject])
    });
}

impl<S: Source, C: Catalog, R: Remover> Hands<'_, S, C, R> {
    /// Reads everything that is to go, and writes it to the backup; there also what the tags stand
    /// for that go alone, and what an earlier run has left.
    pub(crate) async fn save(
        &self,
        contents: &Contents,
        plan: &Plan,
        backup: Option<&mut LayoutWriter>,
        ends: &mut Ends,
    ) -> HashMap<Digest, Saved> {
        let alone = backup.iter().flat_map(|_| plan.roots_that_stay(contents));
        let alone = alone.map(|place| &contents.node(place).digest);
        let digests = plan.order(contents).chain(alone).chain(&ends.left_over);
        let digests: Vec<Digest> = digests.cloned().collect();
        let reads = digests.iter().map(async |digest| {
            let asked = self.source.manifest(digest, Look::First).await;
            (digest, asked.answer)
        });
        let was_damaged = |digest| {
            let place = contents.manifest(digest);
            place.is_some_and(|place| !contents.node(place).is_read)
        };
        let mut saved = HashMap::new();
        for (digest, answer) in join_all(reads).await {
            match answer {
                Ok(manifest) => match whole(digest, manifest) {
                    Ok(manifest) => {
                        saved.insert(digest.clone(), manifest);
                    }
                    Err(cause) if was_damaged(digest) => {
                        ends.fail(digest, Failure::Damaged(cause));
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
            for digest in &digests {
                ends.fail(digest, Failure::NotSaved(error.to_string()));
            }
            saved.clear();
        }
        let goes = plan.digests(contents);
        saved.retain(|digest, _| goes.contains(digest) || ends.left_over.contains(digest));
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
        for (tag, _) in plan.deleted(contents) {
            if let Some(digest) = tag.root.map(|root| &contents.node(root).digest)
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
        ends: &mut Ends,
    ) {
        let mut standing = Standing::new(contents, plan);
        for tag in plan.deleted_tags(contents) {
            let end = End::Failed(Failure::Stopped);
            ends.tags.insert(tag.to_owned(), end);
        }
        let mut bound = Bound::default();
        let all = images(contents, plan);
        let mut said = Instant::now();
        for (done, image) in all.iter().enumerate() {
            if (self.is_stopped)() {
                break;
            }
            if said.elapsed() >= SAID_EVERY {
                said = Instant::now();
                info!(
                    "{}: {done} of {} images deleted",
                    self.repository,
                    all.len()
                );
            }
            self.image(image, &mut standing, saved, &mut bound, ends)
                .await;
        }
        for (tag, root) in bound.tags {
            let own = root.and_then(|root| ends.manifests.get(&contents.node(root).digest));
            let end = match root {
                _ if standing.moved.contains(tag) => End::Stays(Stays::Moved),
                Some(root) if standing.needs(root) => End::Stays(Stays::SharesItsDigest),
                None => End::Failed(Failure::NotAlone),
                Some(_) => own.cloned().unwrap_or(End::Failed(Failure::Stopped)),
            };
            ends.tags.insert(tag.to_owned(), end);
        }
        self.left_over(&mut standing, saved, ends).await;
    }

    /// Deletes what an earlier run has left and no tag leads to.
    async fn left_over(
        &self,
        standing: &mut Standing<'_>,
        saved: &HashMap<Digest, Saved>,
        ends: &mut Ends,
    ) {
        let mut held = HashSet::new();
        for digest in ends.left_over.clone() {
            if (self.is_stopped)() {
                return;
            }
            // What is gone is deleted all the same: a disk may have its directory.
            if let Some(End::Failed(_)) = ends.manifests.get(&digest) {
                continue;
            }
            let stays = |standing: &Standing<'_>| {
                if standing.others.contains(&digest) {
                    return Some(Stays::Needed);
                }
                held.contains(&digest).then_some(Stays::Above)
            };
            let end = self.take_away(&digest, standing, stays).await;
            if let (Some(manifest), false) = (saved.get(&digest), end == End::Deleted) {
                held.extend(manifests_below(manifest));
            }
            ends.manifests.insert(digest, end);
        }
    }

    /// Lists the tags. A registry may not know a repository that has none.
    async fn tags(&self, keeps_tags: bool) -> Result<Vec<String>, Cause> {
        match self.catalog.tags(self.repository).await.answer {
            Ok(list) if list.is_cut => Err(Cause::default()),
            Ok(list) => Ok(list.names),
            Err(fault) if fault.kind == FaultKind::NotFound && !keeps_tags => Ok(Vec::new()),
            Err(fault) => Err(fault.cause),
        }
    }

    /// Lists the tags and resolves them again; what they lead to by now is needed.
    async fn look(&self, standing: &mut Standing<'_>) -> Result<(), Cause> {
        let names = self.tags(standing.keeps_tags).await?;
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
        let mut read = HashSet::new();
        while let Some(digest) = open.pop() {
            if standing.others.contains(&digest) || read.contains(&digest) {
                continue;
            }
            if let Some(place) = standing.contents.manifest(&digest) {
                standing.need(place);
                let unread = standing.contents.unread_below(place).into_iter();
                open.extend(unread.filter(|one| *one != digest));
                if standing.contents.node(place).is_read {
                    continue;
                }
            }
            if let Some(manifest) = self.manifest_by_now(&digest).await? {
                open.extend(manifests_below(&manifest));
            }
            read.insert(digest);
        }
        // Not before all of it is known: the next look would take it for read.
        standing.others.extend(read);
        Ok(())
    }

    /// Reads a manifest; none where it is not there, said twice.
    async fn manifest_by_now(&self, digest: &Digest) -> Result<Option<Saved>, Cause> {
        for look in [Look::First, Look::Witness] {
            match self.source.manifest(digest, look).await.answer {
                Ok(manifest) => return whole(digest, manifest).map(Some),
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                Err(fault) => return Err(fault.cause),
            }
        }
        Ok(None)
    }

    async fn image<'c>(
        &self,
        image: &Image<'c>,
        standing: &mut Standing<'_>,
        saved: &HashMap<Digest, Saved>,
        bound: &mut Bound<'c>,
        ends: &mut Ends,
    ) {
        // All that goes with it stays: what it shares with others must not go with them.
        let stays = match self.before(image, standing, ends).await {
            Some(end) => {
                for tag in &image.tags {
                    ends.tags.insert((*tag).to_owned(), end.clone());
                }
                true
            }
            None => self.tags_of(image, standing, bound, ends).await,
        };
        if let (true, Some(root)) = (stays, image.root) {
            standing.need(root);
        }
        for place in image.manifests.iter().filter(|_| !stays) {
            let digest = &standing.contents.node(*place).digest;
            let end = ends.manifests.get(digest);
            let is_lost = matches!(end, Some(End::Deleted | End::Failed(Failure::Damaged(_))));
            if standing.held[*place] {
                ends.manifests
                    .insert(digest.clone(), End::Stays(Stays::Above));
            } else if saved.contains_key(digest) || (image.is_broken && is_lost) {
                self.manifest(*place, standing, ends).await;
                if let Some(End::Failed(_)) = ends.manifests.get(digest) {
                    standing.hold(*place);
                }
            } else if let Some(End::Failed(_)) = end {
                standing.hold(*place);
            }
        }
    }

    /// Why an image stays before anything of it is deleted.
    async fn before(&self, image: &Image<'_>, standing: &Standing<'_>, ends: &Ends) -> Option<End> {
        let root = image.root.map(|root| &standing.contents.node(root).digest);
        let end = root.and_then(|root| ends.manifests.get(root));
        if let Some(end) = end.filter(|end| end.is_unsaved(image.is_broken)) {
            return Some(end.clone());
        }
        let is_whole = image.is_broken && !self.is_broken(&image.tags).await;
        is_whole.then_some(End::Stays(Stays::NotBroken))
    }

    /// Whether one of these tags of a digest is still broken.
    async fn is_broken(&self, tags: &[&str]) -> bool {
        let checked = self.walked(tags, self.rules).await;
        let mut subjects = checked.subjects.iter();
        subjects.any(|subject| checked.is_failing(subject, self.rules.clients))
    }

    async fn walked(&self, tags: &[&str], rules: &Rules) -> Checked {
        let references: Vec<Reference> = tags.iter().map(|tag| self.reference(tag)).collect();
        let never = std::future::pending();
        let walked = walk(
            self.source,
            self.repository,
            &references,
            rules,
            never,
            |_, _| (),
        );
        walked.await
    }

    /// Deletes the tags of an image, and says whether one stays that should have gone.
    async fn tags_of<'c>(
        &self,
        image: &Image<'c>,
        standing: &mut Standing<'_>,
        bound: &mut Bound<'c>,
        ends: &mut Ends,
    ) -> bool {
        // Such a tag leads nowhere, and is still a tag.
        let led_nowhere = !image
            .root
            .is_some_and(|root| standing.contents.node(root).is_read);
        let mut stays = false;
        for tag in &image.tags {
            match self.tag(tag, led_nowhere, standing, bound).await {
                Some(end) => {
                    stays |= !matches!(end, End::Deleted | End::Stays(Stays::Moved));
                    ends.tags.insert((*tag).to_owned(), end);
                }
                None => bound.tags.push((tag, image.root)),
            }
        }
        stays
    }

    /// Deletes a tag alone; nothing where the registry cannot.
    async fn tag(
        &self,
        tag: &str,
        led_nowhere: bool,
        standing: &mut Standing<'_>,
        bound: &mut Bound<'_>,
    ) -> Option<End> {
        let mut tried = 0;
        loop {
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
            if standing.belongs_to_what_stays(tag) {
                return Some(End::Stays(Stays::Follows));
            }
            if bound.is_certain {
                return None;
            }
            let asked = self.remover.delete_tag(tag, tried).await;
            if self.is_again(&asked) {
                tried += 1;
                continue;
            }
            bound.is_certain = is_refused(&asked);
            return (!bound.is_certain).then(|| end(asked));
        }
    }

    async fn manifest(&self, place: Place, standing: &mut Standing<'_>, ends: &mut Ends) {
        let digest = &standing.contents.node(place).digest;
        let stays = |standing: &Standing<'_>| standing.needs(place).then_some(Stays::Needed);
        let end = self.take_away(digest, standing, stays).await;
        ends.manifests.insert(digest.clone(), end);
    }

    /// Deletes a manifest, unless it is to stay by what the tags lead to right before.
    async fn take_away(
        &self,
        digest: &Digest,
        standing: &mut Standing<'_>,
        stays: impl Fn(&Standing<'_>) -> Option<Stays>,
    ) -> End {
        let mut tried = 0;
        loop {
            if let Err(cause) = self.look(standing).await {
                return End::Failed(Failure::NotLooked(cause));
            }
            if let Some(stays) = stays(standing) {
                return End::Stays(stays);
            }
            let asked = self.remover.delete_manifest(digest, tried).await;
            if !self.is_again(&asked) {
                return end(asked);
            }
            tried += 1;
        }
    }

    /// Whether a deletion is to be asked for again.
    fn is_again(&self, asked: &Asked<Taken>) -> bool {
        asked.answer == Ok(Taken::AskAgain) && !(self.is_stopped)()
    }

    /// Looks whether what was deleted is gone, and walks what is left; gives what a tag lacks by now
    /// and was deleted.
    pub(crate) async fn look_after(
        &self,
        contents: &Contents,
        plan: &Plan,
        ends: &mut Ends,
    ) -> Result<HashSet<Digest>, Cause> {
        let names = self.tags(plan.keeps_tags()).await?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rules = Rules {
            depth: Depth::Manifests,
            ..self.rules.clone()
        };
        let checked = self.walked(&names, &rules).await;
        let listed: HashSet<&str> = names.into_iter().collect();
        for tag in plan.kept_tags(contents) {
            if !listed.contains(tag) {
                warn!("{}:{tag} was to stay, and is gone", self.repository);
            }
        }
        let gone = ends
            .tags
            .iter_mut()
            .filter(|(name, _)| !listed.contains(name.as_str()));
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
        let mut lost: HashSet<Digest> = missing.filter_map(|(_, node)| node.digest()).collect();
        // What is below something that is not there was not walked.
        let places = lost.iter().filter_map(|digest| contents.manifest(digest));
        let below: Vec<Place> = places.flat_map(|place| contents.all_below(place)).collect();
        lost.extend(
            below
                .into_iter()
                .map(|place| contents.node(place).digest.clone()),
        );
        lost.retain(|digest| ends.manifests.get(digest) == Some(&End::Deleted));
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
    left_over: &[Digest],
    lost: &HashSet<Digest>,
    saved: &HashMap<Digest, Saved>,
    returner: &R,
) -> Vec<Digest> {
    let mut done = Vec::new();
    let goes: Vec<&Digest> = plan.order(contents).chain(left_over).collect();
    for digest in goes.into_iter().rev() {
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

impl End {
    /// Whether the registry was asked to delete it.
    fn was_tried(&self) -> bool {
        matches!(self, Self::Deleted | Self::Failed(Failure::Registry(_)))
    }

    /// Whether there should be a backup of it, and is none: of a broken image not all can be had.
    fn is_unsaved(&self, is_broken: bool) -> bool {
        match self {
            Self::Failed(Failure::NotRead(_) | Failure::NotSaved(_)) => true,
            Self::Failed(Failure::Damaged(_)) => !is_broken,
            _ => false,
        }
    }
}

impl Ends {
    /// What a garbage collection can free by what was deleted, in bytes; see [`Plan::frees`].
    pub(crate) fn frees(&self, contents: &Contents, plan: &Plan) -> u64 {
        let is_gone = |place: &Place| {
            let end = self.manifests.get(&contents.node(*place).digest);
            end == Some(&End::Deleted)
        };
        let mut stays = plan.needed.clone();
        let mut goes = vec![false; contents.len()];
        for place in &plan.manifests {
            let marked = if is_gone(place) {
                &mut goes
            } else {
                &mut stays
            };
            contents.reach(*place, marked);
        }
        contents.size(|place| goes[place] && !stays[place])
    }

    /// That nobody knows what was deleted.
    pub(crate) fn doubt(&mut self, cause: &Cause) {
        let all = self.tags.values_mut().chain(self.manifests.values_mut());
        for end in all.filter(|end| **end == End::Deleted) {
            *end = End::Failed(Failure::NotLooked(cause.clone()));
        }
    }

    fn fail(&mut self, digest: &Digest, failure: Failure) {
        self.manifests.insert(digest.clone(), End::Failed(failure));
    }
}

fn end(asked: Asked<Taken>) -> End {
    match asked.answer {
        Ok(Taken::AskAgain) => End::Failed(Failure::Stopped),
        Err(fault) if fault.kind != FaultKind::NotFound => {
            End::Failed(Failure::Registry(fault.cause))
        }
        _ => End::Deleted,
    }
}

/// Whether a registry cannot delete a tag alone.
fn is_refused(asked: &Asked<Taken>) -> bool {
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
