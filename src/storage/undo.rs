//! Taking back what a repair has linked.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::beside::{self, absent};
use super::failure::{Failed, Refused};
use super::journal::{Did, Entry};
use super::writer::StorageWriter;
use crate::layout::root::Root;
use crate::settings::{GcStopped, Permission};

/// What was undone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Undone {
    /// The links that were removed, below the root, the newest first.
    pub(crate) removed: Vec<String>,
    /// What stays.
    pub(crate) left: Vec<(String, Why)>,
}

/// Why something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is content. Without a link nobody sees it, and a garbage collection removes it.
    Data,
    /// What it replaced was wrong.
    Replaced,
    /// Somebody has written it since.
    Changed,
}

/// Removes the links that repairs have created and that nobody has written since, with the
/// directories that only they were in, and then the journal.
///
/// # Errors
///
/// When nothing may be written, or the disk fails; what is not undone is still in the journal then.
pub(crate) fn undo(
    root: &Root,
    permission: Permission,
    gc_stopped: GcStopped,
) -> Result<Undone, Failed> {
    undo_by(StorageWriter::open(root, permission, gc_stopped)?, root)
}

pub(super) fn undo_by(writer: StorageWriter<'_>, root: &Root) -> Result<Undone, Failed> {
    let mut undone = Undone::default();
    for entry in writer.journal.entries().iter().rev() {
        undone.take_back(root, &writer, entry)?;
    }
    writer.journal.remove()?;
    Ok(undone)
}

impl Undone {
    fn take_back(
        &mut self,
        root: &Root,
        writer: &StorageWriter<'_>,
        entry: &Entry,
    ) -> Result<(), Failed> {
        let path = Path::new(&entry.path);
        let failed = |why| Refused::Disk {
            doing: "undo",
            path: root.path().join(path).display().to_string(),
            why,
        };
        let Some(modified) = modified(root, path).map_err(failed)? else {
            return Ok(beside::remove_empty(root, path, entry.directories).map_err(failed)?);
        };
        let is_ours = || -> Result<bool, Failed> {
            let names = writer.linked(&entry.path)?;
            Ok(names.as_ref() == Some(&entry.digest) && modified == entry.time())
        };
        let why = match entry.did {
            Did::CreatedData | Did::ReplacedData => Why::Data,
            Did::ReplacedLink => Why::Replaced,
            Did::CreatedLink if !is_ours()? => Why::Changed,
            Did::CreatedLink => {
                absent(root.dir().remove_file(path))
                    .and_then(|()| beside::sync(root, path.parent().unwrap_or(path)))
                    .and_then(|()| beside::remove_empty(root, path, entry.directories))
                    .map_err(failed)?;
                self.removed.push(entry.path.clone());
                return Ok(());
            }
        };
        if !self.left.iter().any(|(left, _)| *left == entry.path) {
            self.left.push((entry.path.clone(), why));
        }
        Ok(())
    }
}

/// When the file at a path was last changed; none where there is nothing.
fn modified(root: &Root, path: &Path) -> io::Result<Option<SystemTime>> {
    match root.dir().symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.modified()?.into_std())),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
