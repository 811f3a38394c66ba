//! Does what a plan says.

use std::cell::RefCell;
use std::collections::HashSet;

use futures_util::StreamExt as _;
use futures_util::stream;
use oci_spec::image::Digest;

use super::plan::{Given, Planned};
use super::supplies::Supply;
use super::writer::Writer;
use super::{Action, Failure, spool};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::kind::Kind;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryRepository, Transport};
use crate::storage::writer::StorageWriter;
use crate::walk::rules::Depth;
use crate::walk::source::{Body, Manifest};

/// How many blobs are put back at a time.
const SIDE_BY_SIDE: usize = 4;

/// Who puts content into one repository.
pub(crate) struct Hands<'a, 'd, W> {
    pub(crate) repository: &'a Repository,
    /// Over the registry's API.
    pub(crate) registry: Option<W>,
    /// On its disk.
    pub(crate) disk: Option<&'a RefCell<StorageWriter<'d>>>,
    /// To fetch from other registries.
    pub(crate) transport: &'a Transport,
}

impl<W: Writer> Hands<'_, '_, W> {
    /// Does every step that can be done: blobs first, then manifests from the leaves up, then tags.
    /// `is_stopped` says whether the run ends; then nothing more is begun.
    pub(crate) async fn apply(&self, plan: &mut [Planned], is_stopped: impl Fn() -> bool) {
        let (blobs, others): (Vec<_>, Vec<_>) = plan
            .iter_mut()
            .filter(|planned| planned.step.action.is_possible())
            .partition(|planned| matches!(planned.supply, Given::Blob(..)));
        let mut failed: HashSet<Digest> = HashSet::new();
        let done = blobs.into_iter().map(async |planned| {
            let end = match &planned.supply {
                _ if is_stopped() => Err(Failure::Stopped),
                Given::Blob(promise, supply) => {
                    self.put_blob(&planned.step.action, promise, supply).await
                }
                _ => unreachable!("it is a blob"),
            };
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
            } else if is_stopped() {
                Err(Failure::Stopped)
            } else {
                self.put_manifest(planned).await
            };
            if end.is_err() {
                failed.insert(planned.step.digest.clone());
            }
            planned.step.end = Some(end);
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
            let is_mounted = mounted.map_err(|fault| Failure::Registry(Box::new(fault.cause)))?;
            return is_mounted.then_some(()).ok_or(Failure::NotMounted);
        }
        let content = match supply {
            Supply::File(_, content) => content.clone(),
            Supply::Remote(from) => self.fetched(promise, from).await?,
        };
        match (action, self.disk, &self.registry) {
            (Action::Link | Action::Replace(_), Some(disk), _) => {
                let repository = &self.repository.name;
                let is_data = matches!(action, Action::Replace(_));
                let mut disk = disk.borrow_mut();
                if is_data {
                    disk.data(&promise.digest, &content).map_err(on_disk)?;
                }
                let linked = disk.link_layer(repository, &promise.digest);
                linked.map(drop).map_err(on_disk)
            }
            (_, _, Some(registry)) => {
                let uploaded = registry.upload(promise, &content).await.answer;
                uploaded.map_err(|fault| Failure::Registry(Box::new(fault.cause)))
            }
            _ => unreachable!("a plan says what its hands can do"),
        }
    }

    /// The bytes of a blob of another registry, in a file without a name.
    async fn fetched(&self, promise: &Promise, from: &Repository) -> Result<Content, Failure> {
        let unwritable = |failure| Failure::Disk(format!("no temporary file: {failure}"));
        let file = spool::file().map_err(unwritable)?;
        let source = RegistryRepository::new(self.transport, from, Depth::Full);
        let saved = source.save(promise, &file).await.answer;
        if saved.map_err(|fault| Failure::Source(Box::new(fault.cause)))? {
            Content::of(file).map_err(unwritable)
        } else {
            Err(Failure::Source(Box::default()))
        }
    }

    async fn put_manifest(&self, planned: &Planned) -> Result<(), Failure> {
        let (Given::Manifest(manifest), step) = (&planned.supply, &planned.step) else {
            unreachable!("what is no blob is a manifest");
        };
        let Body::Whole(bytes) = &manifest.body else {
            unreachable!("what was found is whole");
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
        let put = registry
            .put(&reference, media_type(manifest, step.kind), bytes)
            .await;
        put.answer
            .map_err(|fault| Failure::Registry(Box::new(fault.cause)))
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

/// The type that a manifest is put as: the one that it was delivered as, else that of its kind.
fn media_type(manifest: &Manifest, kind: Kind) -> &str {
    match (&manifest.content_type, kind) {
        (Some(media_type), _) => media_type,
        (None, Kind::Index) => "application/vnd.oci.image.index.v1+json",
        _ => "application/vnd.oci.image.manifest.v1+json",
    }
}
