//! Looks for what is missing, in the places that the user named and nowhere else.

use std::path::PathBuf;

use futures_util::future::join_all;
use log::warn;
use oci_spec::image::Digest;

use super::shelf::Shelf;
use super::{Origin, Provenance, Sources};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::manifest;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryRepository, Transport};
use crate::state::Recall;
use crate::storage::kind;
use crate::storage::tree::{self, Tree};
use crate::walk::cause::Cause;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Body, FaultKind, Look, MANIFEST_LIMIT, Manifest, Source as _};
use crate::walk::verdict::{Verdict, judge_blob, judge_manifest};

/// The places that content may come from, opened.
pub(crate) struct Supplies<'a> {
    transport: &'a Transport,
    origins: Vec<Opened<'a>>,
    /// What audits remember of the registry.
    recalled: Recall,
    storage: Option<Tree>,
}

/// A place of `from`.
enum Opened<'a> {
    /// Repositories of a registry.
    Remote(&'a Origin),
    /// Files.
    Local(String, Shelf),
}

/// Where the bytes of a blob can be had.
#[derive(Clone, Debug)]
pub(crate) enum Supply {
    /// In a file.
    File(Provenance, Content),
    /// In a repository.
    Remote(Repository),
}

/// What a search found.
pub(crate) enum Search<T> {
    Found(T),
    /// No place has it.
    Nowhere,
    /// Some place could not be asked.
    NotKnown,
}

impl<'a> Supplies<'a> {
    /// Opens the places. `registry` is the one in which something is missing, `storage` its disk.
    ///
    /// # Errors
    ///
    /// When a file or directory that the user named cannot be used; as a fragment that names the
    /// setting.
    pub(crate) fn open(
        sources: &'a Sources,
        storage: Option<&PathBuf>,
        transport: &'a Transport,
        registry: &str,
    ) -> Result<Self, String> {
        let mut origins = Vec::new();
        for origin in &sources.from {
            origins.push(match Shelf::open(origin) {
                None => Opened::Remote(origin),
                Some(Ok(shelf)) => Opened::Local(origin.to_string(), shelf),
                Some(Err(why)) => return Err(format!("from: {origin} cannot be used: {why}")),
            });
        }
        let recalled = match &sources.state {
            None => Recall::default(),
            Some(state) => Recall::of(state, registry)
                .map_err(|why| format!("state: {} cannot be read: {why}", state.display()))?,
        };
        let storage = match storage {
            None => None,
            Some(path) => match kind::open_tree(path) {
                Ok(tree) => Some(tree),
                Err(why) => return Err(format!("storage: {}", why.why)),
            },
        };
        Ok(Self {
            transport,
            origins,
            recalled,
            storage,
        })
    }

    /// A manifest by its digest.
    pub(super) async fn manifest(
        &self,
        target: &Repository,
        digest: &Digest,
        size: Option<u64>,
    ) -> Search<(Manifest, Provenance)> {
        let promise = Promise {
            digest: digest.clone(),
            size: size.unwrap_or(0),
        };
        if let Some(content) = self.on_disk(digest)
            && let Some(manifest) = manifest_of(&content, digest)
        {
            return Search::Found((manifest, Provenance::Storage));
        }
        let recalled = self.recalled.repository(&target.name);
        if let Some((manifest, since)) = recalled.manifest(digest) {
            return Search::Found((manifest, Provenance::Remembered(since)));
        }
        let mut search = Search::Nowhere;
        for origin in &self.origins {
            match origin {
                Opened::Local(name, shelf) => {
                    let content = shelf.content(&promise).unwrap_or_else(|failure| {
                        warn!("{name}: {digest} cannot be read: {failure}");
                        None
                    });
                    if let Some(manifest) = content.and_then(|it| manifest_of(&it, digest)) {
                        return Search::Found((manifest, Provenance::File(name.clone())));
                    }
                }
                Opened::Remote(origin) => {
                    let Some(repository) = origin.repository_for(target) else {
                        continue;
                    };
                    let source = RegistryRepository::new(self.transport, &repository, Depth::Tail);
                    let asked = source.manifest(digest, Look::MayBeAbsent).await;
                    match asked.answer {
                        Ok(manifest) if is_right(&manifest, digest) => {
                            return Search::Found((manifest, Provenance::Repository(repository)));
                        }
                        Ok(_) => {}
                        Err(fault) => search.fails(&repository, fault.kind, &fault.cause),
                    }
                }
            }
        }
        search
    }

    /// What a tag led to whose manifest is gone: as the registry's disk has it, as audits remember
    /// it, else as a place of `from` has it.
    pub(super) async fn tag(
        &self,
        target: &Repository,
        tag: &str,
    ) -> Search<(Digest, Manifest, Provenance)> {
        let recalled = || self.recalled.repository(&target.name).tag(tag);
        let known = self.linked(target, tag).or_else(recalled);
        if let Some(digest) = known
            && let Search::Found((manifest, provenance)) =
                self.manifest(target, &digest, None).await
        {
            return Search::Found((digest, manifest, provenance));
        }
        let mut search = Search::Nowhere;
        for origin in &self.origins {
            match origin {
                Opened::Local(name, shelf) => {
                    let content = shelf.tag(target, tag).and_then(|promise| {
                        let content = shelf.content(promise).ok().flatten()?;
                        let manifest = manifest_of(&content, &promise.digest)?;
                        Some((manifest, promise.digest.clone()))
                    });
                    if let Some((manifest, digest)) = content {
                        let from = self.nearest(&digest, Provenance::File(name.clone()));
                        return Search::Found((digest, manifest, from));
                    }
                }
                Opened::Remote(origin) => {
                    let Some(repository) = origin.repository_for(target) else {
                        continue;
                    };
                    let source = RegistryRepository::new(self.transport, &repository, Depth::Tail);
                    let reference = Reference {
                        repository: repository.clone(),
                        tag: Some(tag.to_owned()),
                        digest: None,
                    };
                    let asked = source.resolve(&reference, Look::MayBeAbsent).await;
                    match (crate::walk::resolved(&asked), asked.answer) {
                        (Some(digest), Ok(manifest)) => {
                            let from = Provenance::Repository(repository);
                            let from = self.nearest(&digest, from);
                            return Search::Found((digest, manifest, from));
                        }
                        (_, Ok(_)) => {}
                        (_, Err(fault)) => search.fails(&repository, fault.kind, &fault.cause),
                    }
                }
            }
        }
        search
    }

    /// A blob: on the registry's own disk, in a repository that it can be mounted from, in a file, in
    /// another registry; what costs least comes first.
    pub(super) async fn blob(&self, target: &Repository, promise: &Promise) -> Search<Supply> {
        if let Some(content) = self.on_disk(&promise.digest)
            && content.is(promise).unwrap_or(false)
        {
            return Search::Found(Supply::File(Provenance::Storage, content));
        }
        let mut search = Search::Nowhere;
        let (own, others) = self.remotes(target);
        if let Search::Found(repository) = self.remote(own, promise, &mut search).await {
            return Search::Found(Supply::Remote(repository));
        }
        for origin in &self.origins {
            if let Opened::Local(name, shelf) = origin
                && let Some(content) = shelf.content(promise).unwrap_or_default()
                && content.is(promise).unwrap_or(false)
            {
                let provenance = Provenance::File(name.clone());
                return Search::Found(Supply::File(provenance, content));
            }
        }
        match self.remote(others, promise, &mut search).await {
            Search::Found(repository) => Search::Found(Supply::Remote(repository)),
            _ => search,
        }
    }

    /// The repositories that may have what is missing: of the same registry, and of others.
    fn remotes(&self, target: &Repository) -> (Vec<Repository>, Vec<Repository>) {
        let repositories = self.origins.iter().filter_map(|origin| match origin {
            Opened::Remote(origin) => origin.repository_for(target),
            Opened::Local(..) => None,
        });
        repositories.partition(|one| one.registry == target.registry)
    }

    /// The first of these repositories that has a blob.
    async fn remote<T>(
        &self,
        repositories: Vec<Repository>,
        promise: &Promise,
        search: &mut Search<T>,
    ) -> Search<Repository> {
        let asked = repositories.iter().map(async |repository| {
            let source = RegistryRepository::new(self.transport, repository, Depth::Tail);
            source.blob(promise, Look::MayBeAbsent).await
        });
        let asked = join_all(asked).await;
        for (repository, Asked { answer, .. }) in repositories.iter().zip(asked) {
            match answer {
                Ok(blob) if judge_blob(promise, &blob).0 == Verdict::Ok => {
                    return Search::Found(repository.clone());
                }
                Ok(_) => {}
                Err(fault) => search.fails(repository, fault.kind, &fault.cause),
            }
        }
        Search::Nowhere
    }

    /// Where a manifest is taken from: the registry's own disk, if it has it, else from there.
    fn nearest(&self, digest: &Digest, from: Provenance) -> Provenance {
        let own = self.on_disk(digest);
        match own.and_then(|content| manifest_of(&content, digest)) {
            Some(_) => Provenance::Storage,
            None => from,
        }
    }

    /// What the tag names on the registry's own disk.
    fn linked(&self, target: &Repository, tag: &str) -> Option<Digest> {
        let tree = self.storage.as_ref()?;
        let own = tree.repository(&target.name).ok().flatten()?;
        tree.link(&own, &tree::tag(tag)).ok().flatten()?.ok()
    }

    /// The data of a digest on the registry's own disk, whatever links to it.
    fn on_disk(&self, digest: &Digest) -> Option<Content> {
        let (file, _) = self.storage.as_ref()?.data(digest).ok().flatten()?;
        Content::of(file).ok()
    }
}

impl<T> Search<T> {
    /// Notes that a place did not have it, or could not be asked.
    fn fails(&mut self, repository: &Repository, kind: FaultKind, cause: &Cause) {
        if kind != FaultKind::NotFound {
            warn!(
                "from: {repository} could not be asked: {}",
                crate::report::sentence::cause(cause)
            );
            *self = Self::NotKnown;
        }
    }
}

fn is_right(manifest: &Manifest, digest: &Digest) -> bool {
    judge_manifest(Some(digest), None, manifest).0 == Verdict::Ok
}

/// A manifest in a file, if it is what its digest says, and no other content.
fn manifest_of(content: &Content, digest: &Digest) -> Option<Manifest> {
    if content.length() > MANIFEST_LIMIT as u64 {
        return None;
    }
    let bytes = content.bytes().ok()?;
    let media_type = manifest::read(&bytes, None, None).ok()?.media_type;
    let manifest = Manifest {
        body: Body::Whole(bytes),
        content_type: Some(media_type),
        claimed: None,
    };
    is_right(&manifest, digest).then_some(manifest)
}
