//! Deleting from the disk of a registry: tags, and the links of manifests that no tag needs any more.
//!
//! Data stays, for a garbage collection, and so do the links of layers, as where the registry itself
//! deletes: with them a manifest can be pushed again.

use std::cell::RefCell;
use std::io;
use std::path::Path;

use oci_spec::image::Digest;

use super::beside::{self, REMOVED};
use super::failure::{Failed, Refused};
use super::place::{self, TREE};
use super::writer::{StorageWriter, require_names};
use crate::oci::reference::{Reference, Repository};
use crate::prune::remover::{Remover, Returner, Taken};
use crate::settings::Deletion;
use crate::walk::cause::Cause;
use crate::walk::source::{Asked, Fault, FaultKind};

/// One repository on the disk of a registry, to be deleted from.
pub(crate) struct StorageRemover<'w, 'a> {
    disk: &'w RefCell<StorageWriter<'a>>,
    repository: &'w str,
}

impl<'w, 'a> StorageRemover<'w, 'a> {
    /// Somebody who may delete from `repository`.
    #[must_use]
    pub(crate) fn new(
        disk: &'w RefCell<StorageWriter<'a>>,
        repository: &'w Repository,
        _permission: Deletion,
    ) -> Self {
        Self {
            disk,
            repository: &repository.name,
        }
    }
}

impl Remover for StorageRemover<'_, '_> {
    async fn delete_tag(&self, tag: &str, _: u32) -> Asked<Taken> {
        let done = self.disk.borrow_mut().remove_tag(self.repository, tag);
        answer(done.map(|()| Taken::Deleted))
    }

    async fn delete_manifest(&self, digest: &Digest, _: u32) -> Asked<Taken> {
        let done = self
            .disk
            .borrow_mut()
            .remove_manifest(self.repository, digest);
        answer(done.map(|()| Taken::Deleted))
    }
}

impl Returner for StorageRemover<'_, '_> {
    async fn put_back(&self, reference: &Reference, _: &str, _: &[u8]) -> Asked<()> {
        let Some(digest) = &reference.digest else {
            return answer(Err(Failed::Name(reference.to_string())));
        };
        let mut disk = self.disk.borrow_mut();
        answer(disk.link_manifest(self.repository, digest).map(|_| ()))
    }
}

fn answer<T>(done: Result<T, Failed>) -> Asked<T> {
    Asked::unasked(done.map_err(|failed| Fault {
        kind: FaultKind::Unavailable,
        cause: Cause::Disk(failed.to_string().into()),
    }))
}

impl StorageWriter<'_> {
    /// Removes a tag with its history, and not what it leads to. It is gone at once or not at all.
    ///
    /// # Errors
    ///
    /// When something is in its place that no registry writes, or the disk cannot be written to.
    pub(super) fn remove_tag(&mut self, repository: &str, tag: &str) -> Result<(), Failed> {
        require_names(repository, Some(tag), None)?;
        self.require_no_collection()?;
        let path = place::tag_directory(repository, tag);
        if !self.is_directory(&path)? {
            return Ok(());
        }
        self.require_known(&path)?;
        let failed = |why| self.failed("remove", &path, why);
        let dir = self.root.dir();
        beside::clear(self.root).map_err(failed)?;
        dir.rename(&path, dir, REMOVED)
            .and_then(|()| beside::sync(self.root, beside::parent(Path::new(&path))))
            .map_err(failed)?;
        // The tag is gone; what is left of it now is removed by the next run.
        let _ = beside::clear(self.root);
        Ok(())
    }

    /// Removes the link by which a repository has a manifest, with its directory.
    ///
    /// # Errors
    ///
    /// When something else is in its place, or the disk cannot be written to.
    pub(super) fn remove_manifest(
        &mut self,
        repository: &str,
        digest: &Digest,
    ) -> Result<(), Failed> {
        require_names(repository, None, Some(digest))?;
        self.require_no_collection()?;
        let link = place::revision(repository, digest);
        let directory = beside::parent(Path::new(&link));
        if !self.is_directory(directory)? {
            return Ok(());
        }
        // Where a kill took the link, its directory is still to go.
        self.present(&link)?;
        let removed = beside::absent(self.root.dir().remove_file(&link))
            .and_then(|()| beside::sync(self.root, directory))
            .and_then(|()| beside::remove_empty(self.root, Path::new(&link), 1));
        removed.map_err(|why| self.failed("remove", &link, why))
    }

    fn require_no_collection(&mut self) -> Result<(), Refused> {
        match self.watch.look() {
            Some(process) => Err(Refused::Collecting { process }),
            None => Ok(()),
        }
    }

    /// Whether there is a directory. Nothing above it may be a symbolic link: behind one, another
    /// repository would lose what is removed from this one.
    fn is_directory(&self, path: impl AsRef<Path>) -> Result<bool, Failed> {
        let below_tree = |part: &&Path| *part != Path::new(TREE);
        let parts: Vec<&Path> = path.as_ref().ancestors().take_while(below_tree).collect();
        for part in parts.into_iter().rev() {
            let shown = part.to_string_lossy();
            match self.root.dir().symlink_metadata(part) {
                Ok(metadata) if metadata.is_dir() => {}
                Ok(_) => return Err(Failed::NotADirectory(self.shown(&shown))),
                Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(why) => return Err(self.failed("look at", &shown, why)),
            }
        }
        Ok(true)
    }

    /// Makes sure that a tag has nothing but what a registry writes there.
    fn require_known(&self, tag: &str) -> Result<(), Failed> {
        let mut open = vec![Vec::<String>::new()];
        while let Some(parts) = open.pop() {
            let directory = [&[tag.to_owned()], &*parts].concat().join("/");
            let failed = |why| self.failed("look at", &directory, why);
            let entries = self.root.dir().read_dir(&directory).map_err(failed)?;
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let kind = entry.file_type().map_err(failed)?;
                let mut below = parts.clone();
                below.push(entry.file_name().to_string_lossy().into_owned());
                match is_known(&below) {
                    Some(Known::Directory) if kind.is_dir() => open.push(below),
                    Some(Known::Link) if kind.is_file() => {}
                    _ => {
                        let path = format!("{tag}/{}", below.join("/"));
                        return Err(Failed::Strange(self.shown(&path)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a registry writes for a tag.
enum Known {
    Directory,
    Link,
}

/// What is at a path below a tag, if a registry writes anything there.
fn is_known(parts: &[String]) -> Option<Known> {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match *parts {
        ["current" | "index"] | ["index", _] | ["index", _, _] => Some(Known::Directory),
        ["current", "link"] | ["index", _, _, "link"] => Some(Known::Link),
        _ => None,
    }
}
