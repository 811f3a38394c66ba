//! Looks for what is missing, in the places that the user named and nowhere else.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use futures_util::future::join_all;
use log::warn;
use oci_spec::image::Digest;
use tokio::task::spawn_blocking;

use super::shelf::Shelf;
use super::{Origin, Provenance, Sources};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::manifest;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryRepository, Transport};
use crate::state::{Recall, Recalled};
use crate::storage::kind;
use crate::storage::tree::{self, Tree};
use crate::text::escape;
use crate::walk::rules::Depth;
use crate::walk::source::{
    Asked, Body, Fault, FaultKind, Look, MANIFEST_LIMIT, Manifest, Source as _,
};
use crate::walk::verdict::{Verdict, judge_blob, judge_manifest};

/// The name of the registry's own disk, for messages.
const DISK: &str = "the registry's storage";

/// The places that content may come from, opened.
pub(crate) struct Supplies<'a> {
    transport: &'a Transport,
    origins: Vec<Opened<'a>>,
    /// What audits remember of the registry.
    recalled: Recall,
    /// What they remember of the repository that was asked for last: it is read once.
    last: RefCell<Option<(String, Rc<Recalled>)>>,
    storage: Option<Tree>,
    /// Whether one repository alone is repaired, so that a name without one can only mean it.
    is_alone: bool,
}

/// A place of `from`.
enum Opened<'a> {
    /// Repositories of a registry.
    Remote(&'a Origin),
    /// Files.
    Local(String, Shelf),
}

/// Where the bytes of a blob can be had. No file is held open: there may be more than may be open.
#[derive(Clone, Debug)]
pub(crate) enum Supply {
    /// On the registry's own disk.
    Storage,
    /// In this layout or archive.
    File(String),
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
    /// Opens the places. `registry` is the one in which something is missing, `storage` its disk;
    /// `is_alone` says that it is missing in one repository only.
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
        is_alone: bool,
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
            last: RefCell::default(),
            storage,
            is_alone,
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
        let mut search = Search::Nowhere;
        if let Some(content) = search.read(DISK, digest, self.on_disk(digest))
            && let Some(manifest) = manifest_of(&content, digest)
        {
            return Search::Found((manifest, Provenance::Storage));
        }
        if let Some((manifest, since)) = self.recalled(target).manifest(digest) {
            return Search::Found((manifest, Provenance::Remembered(since)));
        }
        for origin in &self.origins {
            match origin {
                Opened::Local(name, files) => {
                    let content = search.read(name, digest, files.content(&promise));
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
                        Err(fault) => self.fails(&mut search, &repository, &fault),
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
        let recalled = || self.recalled(target).tag(tag);
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
                Opened::Local(name, files) => {
                    let content = files.tag(target, tag, self.is_alone).and_then(|promise| {
                        let content = files.content(promise).ok().flatten()?;
                        let manifest = manifest_of(&content, &promise.digest)?;
                        Some((manifest, promise.digest.clone()))
                    });
                    if let Some((manifest, digest)) = content {
                        let from = self.nearest(&digest, Provenance::File(name.clone()));
                        return Search::Found((digest, manifest, from));
                    }
                }
                Opened::Remote(origin) => {
                    // Another repository's tag of that name is another image.
                    let repository = origin.repository_for(target);
                    let Some(repository) = repository.filter(|it| is_copy(it, target)) else {
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
                        (_, Err(fault)) => self.fails(&mut search, &repository, &fault),
                    }
                }
            }
        }
        search
    }

    /// A blob: on the registry's own disk, in a repository that it can be mounted from, in a file, in
    /// another registry; what costs least comes first.
    pub(super) async fn blob(&self, target: &Repository, promise: &Promise) -> Search<Supply> {
        let mut search = Search::Nowhere;
        if let Some(content) = search.read(DISK, &promise.digest, self.on_disk(&promise.digest))
            && is(content, promise).await
        {
            return Search::Found(Supply::Storage);
        }
        let (own, others) = self.remotes(target);
        if let Search::Found(repository) = self.remote(own, promise, &mut search).await {
            return Search::Found(Supply::Remote(repository));
        }
        for origin in &self.origins {
            if let Opened::Local(name, files) = origin
                && let Some(content) = search.read(name, &promise.digest, files.content(promise))
                && is(content, promise).await
            {
                return Search::Found(Supply::File(name.clone()));
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
                Err(fault) => self.fails(search, repository, &fault),
            }
        }
        Search::Nowhere
    }

    /// The content of a blob that was found in a file; none where it is gone by now.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) fn content(&self, name: &str, promise: &Promise) -> io::Result<Option<Content>> {
        let places = self.origins.iter().filter_map(|origin| match origin {
            Opened::Local(own, files) if own == name => Some(files),
            _ => None,
        });
        let mut contents = places.map(|files| files.content(promise));
        contents.next().unwrap_or(Ok(None))
    }

    /// What audits remember of a repository.
    fn recalled(&self, target: &Repository) -> Rc<Recalled> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((name, recalled)) if *name == target.name => Rc::clone(recalled),
            _ => {
                let recalled = Rc::new(self.recalled.repository(&target.name));
                *last = Some((target.name.clone(), Rc::clone(&recalled)));
                recalled
            }
        }
    }

    /// Notes that a repository does not have it, or could not be asked.
    fn fails<T>(&self, search: &mut Search<T>, repository: &Repository, fault: &Fault) {
        if fault.kind != FaultKind::NotFound {
            let why = crate::report::sentence::cause(&fault.cause);
            let why = self.transport.secrets().redacted(&why);
            warn!(
                "from: {repository} could not be asked: {}",
                escape::line(&why)
            );
            *search = Search::NotKnown;
        }
    }

    /// Where a manifest is taken from: the registry's own disk, if it has it, else from there.
    fn nearest(&self, digest: &Digest, from: Provenance) -> Provenance {
        let own = self.on_disk(digest).ok().flatten();
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
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(super) fn on_disk(&self, digest: &Digest) -> io::Result<Option<Content>> {
        let data = self.storage.as_ref().map(|tree| tree.data(digest));
        let data = data.transpose()?.flatten();
        data.map(|(file, _)| Content::of(file)).transpose()
    }
}

impl<T> Search<T> {
    /// What was read; notes where that failed.
    fn read<C>(&mut self, name: &str, digest: &Digest, read: io::Result<Option<C>>) -> Option<C> {
        read.unwrap_or_else(|failure| {
            let name = escape::line(name);
            warn!("from: {digest} in {name} cannot be read: {failure}");
            *self = Self::NotKnown;
            None
        })
    }
}

/// Whether content is what is promised; it is hashed on another thread, so that a signal is heard.
async fn is(content: Content, promise: &Promise) -> bool {
    let promise = promise.clone();
    let hashing = spawn_blocking(move || content.is(&promise).unwrap_or(false));
    hashing.await.unwrap_or(false)
}

/// Whether a repository may be a copy of another: a mirror may have names of its own before it.
fn is_copy(repository: &Repository, target: &Repository) -> bool {
    let before = repository.name.strip_suffix(&target.name);
    before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
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
