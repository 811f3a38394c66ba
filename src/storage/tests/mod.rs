//! Writing to a disk, on trees in temporary directories.

mod crash;
mod links;
mod refusals;
mod registry;
mod remover;
mod undo;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use oci_spec::image::Digest;

use super::failure::{Failed, Refused};
use super::gc::Watch;
use super::place;
use super::undo::{Undone, undo_by};
use super::writer::{StorageWriter, Wrote};
use crate::layout::content::Content;
use crate::layout::root::Root;
use crate::oci::digest::sha256;

/// The tree of a registry that has nothing yet.
struct Disk {
    path: PathBuf,
    root: Root,
}

impl Disk {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pullproof-disk-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self::at(path)
    }

    fn at(path: PathBuf) -> Self {
        for directory in [place::BLOBS, place::REPOSITORIES] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        let root = Root::open(&path).unwrap();
        Self { path, root }
    }

    fn writer(&self) -> StorageWriter<'_> {
        self.try_writer().unwrap()
    }

    /// A writer that meets no collection of another test.
    fn try_writer(&self) -> Result<StorageWriter<'_>, Refused> {
        StorageWriter::open_watching(&self.root, Watch::new("/nowhere"))
    }

    fn undo(&self) -> Undone {
        undo_by(self.writer(), &self.root).unwrap()
    }

    /// Data, as a registry would have written it.
    fn data(&self, bytes: &[u8]) -> Digest {
        let digest = sha256(bytes);
        self.put(&place::data(&digest), bytes);
        digest
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path.join(path)).ok()?;
        Some(String::from_utf8(bytes).unwrap())
    }

    fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path.join(path)).is_ok()
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.path.join(path)).unwrap();
    }

    /// Every path below it, in order, with the content of files and the names of directories.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                if metadata.is_dir() {
                    folders.push(path.clone());
                }
                let content = fs::read(&path).unwrap_or_default();
                found.push((path.strip_prefix(&self.path).unwrap().to_owned(), content));
            }
        }
        found.sort();
        found
    }

    /// Owner, group and mode.
    fn owner(&self, path: impl AsRef<Path>) -> (u32, u32, u32) {
        let metadata = fs::symlink_metadata(self.path.join(path)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Content in a file that has no name any more.
fn content(bytes: &[u8]) -> Content {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("pullproof-content-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, bytes).unwrap();
    let content = Content::of(fs::File::open(&path).unwrap()).unwrap();
    fs::remove_file(path).unwrap();
    content
}

/// A program that only root may run; without root it ends in a failure where `CI` is `true`, and
/// is reported elsewhere.
#[must_use]
fn as_root(program: &str, arguments: &[&str]) -> bool {
    let output = std::process::Command::new(program).args(arguments).output();
    let why = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(failure) => failure.to_string(),
    };
    let said = format!("{program} {arguments:?}: {why}");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{said}");
    eprintln!("left out, for it needs root: {said}");
    false
}
