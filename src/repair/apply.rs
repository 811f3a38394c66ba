//! Does what a plan says.

use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::pin;

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream;
use oci_spec::image::Digest;

use super::plan::{Given, Planned};
use super::supplies::{Supplies, Supply};
use super::writer::Writer;
use super::{Action, Failure, spool};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::kind::Kind;
use crate::oci::reference::{Reference, Repository};
use crate::oci::{manifest, media_type};
use crate::registry::{RegistryRepository, Transport};
use crate::storage::writer::StorageWriter;
use crate::walk::rules::Depth;
use crate::walk::source::{Body, FaultKind, Look, Manifest, Source as _};

/// How many blobs are put back at a time.
const SIDE_BY_SIDE: usize = 4;

/// Who puts content into one repository.
pub(crate) struct Hands<'a, 'd, W> {
    pub(crate) repository: &'a Repository,
    /// Over the registry's API.
    pub(crate) registry: Option<W>,
    /// On its disk.
    pub(crate) disk: Option<&'a RefCell<StorageWriter<'d>>>,
    /// Where the bytes of blobs are.
    pub(crate) supplies: &'a Supplies<'a>,
    /// To fetch from other registries.
    pub(crate) transport: &'a Transport,
}

impl<W: Writer> Hands<'_, '_, W> {
    /// Does every step that can be done: blobs first, then manifests from the leaves up, then tags.
    /// `stop` is ready when the run ends; then nothing more is begun, and nothing waited for.
    pub(crate) async fn apply<C>(&self, plan: &mut [Planned], stop: impl AsyncFn() -> C) {
        let (blobs, others): (Vec<_>, Vec<_>) = plan
            .iter_mut()
            .filter(|planned| planned.step.action.is_possible())
            .partition(|planned| matches!(planned.supply, Given::Blob(..)));
        let mut failed: HashSet<Digest> = HashSet::new();
        let done = blobs.into_iter().map(async |planned| {
            let put = self.put(planned);
            let end = unless(stop(), put).await;
            let digest = end.is_err().then(|| planned.step.digest.clone());
            planned.step.end = Some(end);
            digest
        });
        let mut done = stream::iter(done).buffer_unordered(SIDE_BY_SIDE);
        while let Some(digest) = done.next().await {
            failed.extend(digest);
        }
        for planned in others {
            let end = if planned.needs.iter().any(|digest| failed.contains(digest)) {
                Err(Failure::BelowIt)
            } else {
                unless(stop(), self.put(planned)).await
            };
            if end.is_err() {
                failed.insert(planned.step.digest.clone());
            }
            planned.step.end = Some(end);
        }
    }

    async fn put(&self, planned: &Planned) -> Result<(), Failure> {
        match &planned.supply {
            Given::Blob(promise, supply) => {
                self.put_blob(&planned.step.action, promise, supply).await
            }
            Given::Manifest(manifest) => self.put_manifest(planned, manifest).await,
            Given::Nothing => Err(Failure::BelowIt),
        }
    }

    async fn put_blob(
        &self,
        action: &Action,
        promise: &Promise,
        supply: &Supply,
    ) -> Result<(), Failure> {
        if let (Action::Mount(from), Some(registry)) = (action, &self.registry) {
            let mounted = registry.mount(promise, from).await.answer;
            if mounted.map_err(|fault| Failure::Registry(Box::new(fault.cause)))? {
                return Ok(());
            }
            // Some registries never mount, or not between these two: then it is uploaded.
        }
        if let (Action::Link, Some(disk)) = (action, self.disk) {
            let linked = disk
                .borrow_mut()
                .link_layer(&self.repository.name, &promise.digest);
            return linked.map(drop).map_err(on_disk);
        }
        let content = self.content(promise, supply).await?;
        match (action, self.disk, &self.registry) {
            (Action::Replace(_), Some(disk), _) => {
                let mut disk = disk.borrow_mut();
                disk.data(&promise.digest, &content).map_err(on_disk)?;
                let linked = disk.link_layer(&self.repository.name, &promise.digest);
                linked.map(drop).map_err(on_disk)
            }
            (_, _, Some(registry)) => {
                let uploaded = registry.upload(promise, &content).await.answer;
                uploaded.map_err(|fault| Failure::Registry(Box::new(fault.cause)))
            }
            _ => unreachable!("a plan says what its hands can do"),
        }
    }

    /// The bytes of a blob.
    async fn content(&self, promise: &Promise, supply: &Supply) -> Result<Content, Failure> {
        let read = match supply {
            Supply::Remote(from) => return self.fetched(promise, from).await,
            Supply::Storage => self.supplies.on_disk(&promise.digest),
            Supply::File(name) => self.supplies.content(name, promise),
        };
        let content = read.map_err(on_disk)?;
        content.ok_or_else(|| Failure::Source(Box::default()))
    }

    /// The bytes of a blob of another registry, in a file without a name.
    async fn fetched(&self, promise: &Promise, from: &Repository) -> Result<Content, Failure> {
        let unwritable = |failure| {
            let place = std::env::temp_dir();
            let place = place.display();
            Failure::Disk(format!("no temporary file in {place} (TMPDIR): {failure}"))
        };
        let file = spool::file().map_err(unwritable)?;
        let source = RegistryRepository::new(self.transport, from, Depth::Full);
        let saved = source.save(promise, &file).await.answer;
        if saved.map_err(|fault| Failure::Source(Box::new(fault.cause)))? {
            Content::of(file).map_err(unwritable)
        } else {
            Err(Failure::Source(Box::default()))
        }
    }

    async fn put_manifest(&self, planned: &Planned, manifest: &Manifest) -> Result<(), Failure> {
        let step = &planned.step;
        let Body::Whole(bytes) = &manifest.body else {
            return Err(Failure::Source(Box::default()));
        };
        if let (Action::Link | Action::Replace(_) | Action::Tag(_), Some(disk)) =
            (&step.action, self.disk)
        {
            return self.write_manifest(disk, planned, bytes);
        }
        let Some(registry) = &self.registry else {
            unreachable!("a plan says what its hands can do");
        };
        let reference = Reference {
            repository: self.repository.clone(),
            tag: match &step.action {
                Action::Tag(tag) => Some(tag.clone()),
                _ => None,
            },
            digest: match &step.action {
                Action::Tag(_) => None,
                _ => Some(step.digest.clone()),
            },
        };
        if reference.tag.is_some() && self.has_tag(&reference, &step.digest).await? {
            return Ok(());
        }
        let media_type = media_type(manifest, bytes, step.kind);
        let put = registry.put(&reference, &media_type, bytes).await;
        put.answer
            .map_err(|fault| Failure::Registry(Box::new(fault.cause)))
    }

    /// Whether a tag leads there already. The tag was gone when the plan was made, and a push may
    /// have come meanwhile.
    ///
    /// # Errors
    ///
    /// When it leads elsewhere, or that is not known.
    async fn has_tag(&self, tag: &Reference, digest: &Digest) -> Result<bool, Failure> {
        let own = RegistryRepository::new(self.transport, self.repository, Depth::Tail);
        let asked = own.resolve(tag, Look::MayBeAbsent).await;
        match (crate::walk::resolved(&asked), asked.answer) {
            (Some(found), _) if found == *digest => Ok(true),
            (_, Ok(_)) => Err(Failure::TagIsBack),
            (_, Err(fault)) if fault.kind == FaultKind::NotFound => Ok(false),
            (_, Err(fault)) => Err(Failure::Registry(Box::new(fault.cause))),
        }
    }

    fn write_manifest(
        &self,
        disk: &RefCell<StorageWriter<'_>>,
        planned: &Planned,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let (name, step) = (&self.repository.name, &planned.step);
        let mut disk = disk.borrow_mut();
        if let Action::Tag(tag) = &step.action {
            let linked = disk.link_tag(name, tag, &step.digest);
            return linked.map(drop).map_err(on_disk);
        }
        if let Action::Replace(_) = &step.action {
            let content = spooled(bytes).map_err(on_disk)?;
            disk.data(&step.digest, &content).map_err(on_disk)?;
        }
        let linked = disk.link_manifest(name, &step.digest);
        linked.map(drop).map_err(on_disk)
    }
}

/// Bytes in a file without a name.
fn spooled(bytes: &[u8]) -> std::io::Result<Content> {
    use std::io::Write as _;
    let mut file = spool::file()?;
    file.write_all(bytes)?;
    Content::of(file)
}

fn on_disk(failure: impl std::fmt::Display) -> Failure {
    Failure::Disk(failure.to_string())
}

/// What work ends with, unless the run ends before.
async fn unless<C>(
    stop: impl Future<Output = C>,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    match select(pin!(stop), pin!(work)).await {
        Either::Left(_) => Err(Failure::Stopped),
        Either::Right((end, _)) => end,
    }
}

/// The type that a manifest is put as: the one that it states, or that it was delivered as where
/// that is one of a manifest, else that of its kind.
fn media_type(manifest: &Manifest, bytes: &[u8], kind: Kind) -> String {
    let read = manifest::read(bytes, manifest.content_type.as_deref(), None);
    match (read, kind) {
        (Ok(document), _) => document.media_type,
        (Err(_), Kind::Index) => media_type::OCI_INDEX.to_owned(),
        (Err(_), _) => media_type::OCI_MANIFEST.to_owned(),
    }
}
