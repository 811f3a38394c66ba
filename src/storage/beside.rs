//! A file that is at its place whole or not at all.
//!
//! It is made under another name in the same file system, and moved to its place when it is on the
//! disk. That name is always the same and outside of what distribution reads: at most one file and
//! one directory are left behind by a crash, no registry meets them, and the next run removes them.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cap_std::fs::OpenOptions;

use super::owner::{self, Owner};
use super::place::TREE;
use crate::layout::root::Root;

/// A new file, below [`TREE`] and beside `blobs` and `repositories`.
pub(super) const NEW: &str = "docker/registry/v2/pullproof-repair.new";

/// A new directory, which gets its owner before anybody can meet it.
pub(super) const NEW_DIRECTORY: &str = "docker/registry/v2/pullproof-repair.directory";

/// A tag that is removed, from when it is none any more until all of it is gone.
pub(super) const REMOVED: &str = "docker/registry/v2/pullproof-prune.removed";

/// Removes what a crash left.
///
/// # Errors
///
/// When it cannot be removed.
pub(super) fn clear(root: &Root) -> io::Result<()> {
    absent(root.dir().remove_file(NEW))?;
    absent(root.dir().remove_dir(NEW_DIRECTORY))?;
    absent(root.dir().remove_dir_all(REMOVED))
}

/// The same, where "there is nothing" is no error.
pub(super) fn absent(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|failure| match failure.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(failure),
    })
}

/// Whether a file can be made that has the owner that this directory wants.
///
/// # Errors
///
/// When it cannot be made ([`Trial::Make`]), or not be given away ([`Trial::Give`]).
pub(super) fn try_owner(root: &Root, owner: Owner) -> Result<(), Trial> {
    let file = create(root).map_err(Trial::Make)?;
    let given = owner.of_file_within().give(&file).map_err(Trial::Give);
    clear(root).map_err(Trial::Make)?;
    given
}

/// What a trial ended with.
#[derive(Debug)]
pub(super) enum Trial {
    /// No file can be made.
    Make(io::Error),
    /// It cannot have this owner.
    Give(io::Error),
}

fn create(root: &Root) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    Ok(root.dir().open_with(NEW, &options)?.into_std())
}

/// A place for a file, with the directories that it lacks.
#[derive(Debug)]
pub(super) struct Place<'a> {
    root: &'a Root,
    path: &'a Path,
    /// From the outermost to the one that the file is in.
    missing: Vec<&'a Path>,
    /// What they get.
    directories: Owner,
    /// What the file gets.
    owner: Owner,
}

impl<'a> Place<'a> {
    /// Looks at the place of a file.
    ///
    /// # Errors
    ///
    /// When it cannot be looked at, or is behind a symbolic link that leads out of the root.
    pub(super) fn of(root: &'a Root, path: &'a Path) -> io::Result<Self> {
        let mut missing = Vec::new();
        let mut nearest = Path::new(TREE);
        for directory in path.ancestors().skip(1) {
            if root.dir().try_exists(directory)? {
                nearest = directory;
                break;
            }
            missing.insert(0, directory);
        }
        Ok(Self {
            directories: Owner::of_directory(root, nearest)?,
            owner: owner::of_siblings(root, path, nearest)?,
            root,
            path,
            missing,
        })
    }

    /// How many directories it lacks.
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Puts a file there, which `write` fills, over what is there. Where that fails, everything is
    /// as it was.
    ///
    /// # Errors
    ///
    /// When the disk cannot be written to, or `write` fails.
    pub(super) fn put<E: From<io::Error>>(
        &self,
        modified: Option<SystemTime>,
        write: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<(), E> {
        clear(self.root)?;
        let put = self
            .fill(modified, write)
            .and_then(|()| Ok(self.move_there()?));
        if put.is_err() {
            // The failure counts more than what is left, which the next run removes.
            let _ = clear(self.root);
        }
        put
    }

    fn fill<E: From<io::Error>>(
        &self,
        modified: Option<SystemTime>,
        write: impl FnOnce(&mut File) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut file = create(self.root)?;
        write(&mut file)?;
        self.owner.give(&file)?;
        if let Some(modified) = modified {
            file.set_modified(modified)?;
        }
        Ok(file.sync_all()?)
    }

    fn move_there(&self) -> io::Result<()> {
        let dir = self.root.dir();
        let moved = self
            .make_directories()
            .and_then(|()| dir.rename(NEW, dir, self.path));
        if let Err(failure) = moved {
            let _ = remove_empty(self.root, self.path, self.missing.len());
            return Err(failure);
        }
        sync(self.root, parent(self.path))
    }

    fn make_directories(&self) -> io::Result<()> {
        let dir = self.root.dir();
        for path in &self.missing {
            dir.create_dir(NEW_DIRECTORY)?;
            self.directories.give(&open(self.root, NEW_DIRECTORY)?)?;
            if let Err(failure) = dir.rename(NEW_DIRECTORY, dir, path) {
                // A push may have made it meanwhile.
                dir.remove_dir(NEW_DIRECTORY)?;
                if !dir.is_dir(path) {
                    return Err(failure);
                }
            }
            sync(self.root, parent(path))?;
        }
        Ok(())
    }
}

/// Removes the `count` directories that a file is in, from the innermost on, as far as they are
/// empty.
///
/// # Errors
///
/// When an empty one cannot be removed.
pub(super) fn remove_empty(root: &Root, path: &Path, count: usize) -> io::Result<()> {
    for directory in path.ancestors().skip(1).take(count) {
        match absent(root.dir().remove_dir(directory)) {
            Err(failure) if failure.kind() == io::ErrorKind::DirectoryNotEmpty => break,
            removed => removed?,
        }
    }
    Ok(())
}

/// Has the names in a directory survive a power failure.
///
/// # Errors
///
/// When the disk fails.
pub(super) fn sync(root: &Root, directory: impl AsRef<Path>) -> io::Result<()> {
    open(root, directory)?.sync_all()
}

fn open(root: &Root, directory: impl AsRef<Path>) -> io::Result<File> {
    Ok(root.dir().open(directory)?.into_std())
}

/// The directory that a path is in.
pub(super) fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}
