//! A prune on the disk of registries.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use super::Work;
use crate::commands::audit::Sifted;
use crate::layout::LayoutWriter;
use crate::layout::look::unreadable;
use crate::layout::root::Root;
use crate::prune::apply::{End, Ends, Failure, Hands};
use crate::settings::{Error, PruneSettings};
use crate::storage::catalog::StorageCatalog;
use crate::storage::hashed::Hashed;
use crate::storage::remover::StorageRemover;
use crate::storage::repository::StorageRepository;
use crate::storage::writer::StorageWriter;
use crate::walk::cause::Cause;

/// The disks of registries, by the directories that were named.
pub(super) type Disks<'a> = HashMap<&'a String, RefCell<StorageWriter<'a>>>;

/// The directories, where something is to be deleted from them.
///
/// # Errors
///
/// When one cannot be opened.
pub(super) fn roots(
    settings: &PruneSettings,
    registries: &[String],
) -> Result<HashMap<String, Root>, Error> {
    let is_needed = settings.audit.extent.is_disk && settings.apply.is_some();
    let open = |path: &String| {
        let root = Root::open(Path::new(path));
        let root = root.map_err(|why| Error::new(format!("{path} cannot be opened: {why}")))?;
        Ok((path.clone(), root))
    };
    let registries = registries.iter().filter(|_| is_needed);
    registries.map(open).collect()
}

/// The same, to be written to by nobody else until the run ends.
///
/// # Errors
///
/// When one may not be written to; a collection may be running there.
pub(super) fn writers<'a>(
    settings: &PruneSettings,
    roots: &'a HashMap<String, Root>,
) -> Result<Disks<'a>, Error> {
    let (Some((_, permission)), Some(gc_stopped)) = (settings.apply, settings.gc_stopped) else {
        return Ok(HashMap::new());
    };
    let open = |(path, root)| {
        let writer = StorageWriter::open(root, permission, gc_stopped);
        let writer = writer.map_err(|why| Error::new(format!("nothing is deleted: {why}")))?;
        Ok((path, RefCell::new(writer)))
    };
    roots.iter().map(open).collect()
}

impl Work<'_> {
    /// Deletes from a repository on a disk.
    pub(super) async fn on_disk(
        &self,
        disk: &RefCell<StorageWriter<'_>>,
        sifted: &Sifted<'_>,
        backup: Option<&mut LayoutWriter>,
    ) -> (Ends, usize) {
        let repository = &self.planned.repository;
        let tree = sifted.tree(repository);
        let tree = tree.expect("it is in a directory that was audited");
        let (hashed, depth) = (Hashed::default(), self.settings.audit.rules.depth);
        let source =
            StorageRepository::open(tree, &repository.name, depth, &hashed, self.is_stopped);
        let source = match source {
            Ok(source) => source,
            Err(why) => return (self.none_of(&unreadable(&repository.name, &why).cause), 0),
        };
        let remover = StorageRemover::new(disk, repository, self.permissions.0);
        let hands = Hands {
            repository,
            source: &source,
            catalog: &StorageCatalog::new(tree),
            remover: &remover,
            rules: &self.settings.audit.rules,
            is_stopped: self.is_stopped,
        };
        self.done(&hands, &remover, backup).await
    }

    /// That nothing could be deleted, for this reason.
    fn none_of(&self, cause: &Cause) -> Ends {
        let tags = self.planned.plan.deleted_tags(&self.planned.contents);
        let failed = |tag: &str| {
            let end = End::Failed(Failure::NotLooked(cause.clone()));
            (tag.to_owned(), end)
        };
        Ends {
            tags: tags.map(failed).collect(),
            ..Ends::default()
        }
    }
}
