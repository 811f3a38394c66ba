//! Whose a file is, and who may read it.
//!
//! The registry has to read what is put beside its own files, and to replace it.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use cap_std::fs::{Metadata, MetadataExt as _};

use crate::layout::root::Root;

/// How many siblings are looked for at most.
const SIBLINGS: usize = 64;

/// What `chmod` sets.
const MODE: u32 = 0o7777;

/// What of a directory's mode a file in it may have: reading and writing.
const OF_A_FILE: u32 = 0o666;

/// An owner, a group and a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    mode: u32,
}

impl Owner {
    fn of(metadata: &Metadata) -> Self {
        Self {
            uid: metadata.uid(),
            gid: metadata.gid(),
            mode: metadata.mode() & MODE,
        }
    }

    /// That of a directory.
    ///
    /// # Errors
    ///
    /// When it cannot be looked at.
    pub(super) fn of_directory(root: &Root, path: &Path) -> io::Result<Self> {
        root.dir()
            .metadata(path)
            .map(|metadata| Self::of(&metadata))
    }

    /// What a file gets in a directory that has this.
    pub(super) fn of_file_within(self) -> Self {
        let mode = self.mode & OF_A_FILE;
        Self { mode, ..self }
    }

    /// Gives a file or a directory this owner and mode.
    ///
    /// # Errors
    ///
    /// When we may not.
    pub(super) fn give(self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        if (metadata.uid(), metadata.gid()) != (self.uid, self.gid) {
            fchown(file, Some(self.uid), Some(self.gid))?;
        }
        // After the owner: a change of that takes bits away.
        file.set_permissions(Permissions::from_mode(self.mode))
    }
}

/// What a file at this path should have: what its siblings have, which are the files of the same
/// name in the directories beside its own; without one, what follows from `directory`, the nearest
/// that is there.
///
/// # Errors
///
/// When the directories cannot be read.
pub(super) fn of_siblings(root: &Root, path: &Path, directory: &Path) -> io::Result<Owner> {
    if let Some(sibling) = sibling(root, path)? {
        let mode = sibling.mode & OF_A_FILE;
        return Ok(Owner { mode, ..sibling });
    }
    Ok(Owner::of_directory(root, directory)?.of_file_within())
}

fn sibling(root: &Root, path: &Path) -> io::Result<Option<Owner>> {
    let name = path.file_name();
    let beside = path.parent().and_then(Path::parent);
    let (Some(name), Some(beside)) = (name, beside) else {
        return Ok(None);
    };
    let Some(entries) = root.entries(beside)? else {
        return Ok(None);
    };
    for entry in entries.take(SIBLINGS) {
        let sibling = beside.join(entry?.file_name()).join(name);
        match root.dir().symlink_metadata(&sibling) {
            Ok(metadata) if metadata.is_file() && sibling != path => {
                return Ok(Some(Owner::of(&metadata)));
            }
            _ => {}
        }
    }
    Ok(None)
}
