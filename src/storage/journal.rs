//! What a repair has written to a disk, and what was there before.
//!
//! A line of JSON for each file, on the disk before the file is touched. It is beside `docker/`: in
//! the storage, so that it goes where the storage goes and is found without a setting, and outside
//! of what distribution reads.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cap_std::fs::{MetadataExt as _, OpenOptions};
use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};

use super::beside;
use super::failure::Refused;
use super::owner::Owner;
use super::place::TREE;
use crate::layout::root::Root;

/// Beside `docker/`.
pub(crate) const JOURNAL: &str = "pullproof-repair.journal";

/// The longest journal that is read, in bytes: about half a million lines.
const LONGEST_JOURNAL: u64 = 256 * 1024 * 1024;

/// How long the lock is waited for: a process that is being started has it for a moment, when it was
/// open where it was started from.
const PATIENCE: Duration = Duration::from_secs(1);

/// From one look at the lock to the next.
const PAUSE: Duration = Duration::from_millis(20);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// When, in whole seconds since 1970. A link gets it as the time of its last change, by which
    /// it differs from one that a push wrote later.
    time: u64,
    pub(super) did: Did,
    /// Below the root.
    pub(super) path: String,
    /// What a link names, or what data hashes to.
    pub(super) digest: Digest,
    /// What was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Was>,
    /// How many directories were made for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) directories: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Did {
    CreatedLink,
    ReplacedLink,
    CreatedData,
    ReplacedData,
}

/// What was in the place of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Was {
    /// In bytes.
    pub(super) length: u64,
    pub(super) digest: Digest,
}

impl Entry {
    /// A link that is about to be written.
    pub(super) fn link(path: &str, digest: &Digest, was: Option<Was>, directories: usize) -> Self {
        let did = if was.is_some() {
            Did::ReplacedLink
        } else {
            Did::CreatedLink
        };
        Self::new(did, path, digest, was, directories)
    }

    /// Data that is about to be written.
    pub(super) fn data(path: &str, digest: &Digest, was: Option<Was>, directories: usize) -> Self {
        let did = if was.is_some() {
            Did::ReplacedData
        } else {
            Did::CreatedData
        };
        Self::new(did, path, digest, was, directories)
    }

    fn new(did: Did, path: &str, digest: &Digest, was: Option<Was>, directories: usize) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            time: now.unwrap_or_default().as_secs(),
            did,
            path: path.to_owned(),
            digest: digest.clone(),
            was,
            directories,
        }
    }

    /// Whether it is about a link, and not about data.
    pub(super) fn is_link(&self) -> bool {
        matches!(self.did, Did::CreatedLink | Did::ReplacedLink)
    }

    /// When.
    pub(super) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.time)
    }

    /// A line as it was written; anybody who may write to the storage could have changed it.
    fn read(line: &str) -> Result<Self, String> {
        let entry: Self = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let path = Path::new(&entry.path);
        let is_plain = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let name = if entry.is_link() { "link" } else { "data" };
        if !is_plain || !path.ends_with(name) || !path.starts_with(TREE) {
            return Err(format!("{:?} is no path of ours", entry.path));
        }
        let depth = path.components().count() - Path::new(TREE).components().count();
        if entry.directories >= depth {
            return Err(format!("{} directories are too many", entry.directories));
        }
        Ok(entry)
    }
}

/// The journal of one storage. Whoever has it is the only one that writes there.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    root: &'a Root,
    /// Locked; its end is where the next line goes.
    file: File,
    /// In bytes.
    length: u64,
    entries: Vec<Entry>,
}

impl<'a> Journal<'a> {
    /// Opens the journal of a storage, or begins one. What a kill left of a last line is cut off.
    ///
    /// # Errors
    ///
    /// When somebody else has it, when it is damaged, or the disk cannot be written to.
    pub(super) fn open(root: &'a Root) -> Result<Self, Refused> {
        let failed = |doing| move |why| failed(root, doing, why);
        let locked = || Refused::Locked {
            root: root.path().display().to_string(),
        };
        place(root).map_err(failed("use"))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let file = root.dir().open_with(JOURNAL, &options);
        let file = file.map_err(failed("write to"))?.into_std();
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(locked()),
                Err(TryLockError::Error(why)) => return Err(failed("lock")(why)),
            }
        }
        // Whoever had the lock before may have removed the file.
        if place(root).map_err(failed("use"))? != Some(inode(&file).map_err(failed("use"))?) {
            return Err(locked());
        }
        let mut journal = Self {
            root,
            file,
            length: 0,
            entries: Vec::new(),
        };
        journal.read()?;
        Ok(journal)
    }

    /// Gives the file its owner, and makes sure that it is found after a power failure.
    ///
    /// # Errors
    ///
    /// When the disk cannot be written to.
    pub(super) fn keep(&self, owner: Owner) -> Result<(), Refused> {
        owner
            .of_file_within()
            .give(&self.file)
            .and_then(|()| beside::sync(self.root, "."))
            .map_err(|why| failed(self.root, "write to", why))
    }

    fn read(&mut self) -> Result<(), Refused> {
        let mut bytes = Vec::new();
        (&self.file)
            .take(LONGEST_JOURNAL + 1)
            .read_to_end(&mut bytes)
            .map_err(|why| failed(self.root, "read", why))?;
        if bytes.len() as u64 > LONGEST_JOURNAL {
            return Err(failed(
                self.root,
                "read",
                io::ErrorKind::FileTooLarge.into(),
            ));
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(whole.map_or(0, |last| last + 1));
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let entry = str::from_utf8(line).map_err(|error| error.to_string());
            let entry = entry.and_then(Entry::read);
            self.entries.push(entry.map_err(|why| Refused::Journal {
                path: self.root.path().join(JOURNAL).display().to_string(),
                line: index + 1,
                why,
            })?);
        }
        self.length = bytes.len() as u64;
        self.cut().map_err(|why| failed(self.root, "write to", why))
    }

    /// What was done, the oldest first.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a line, which is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// When the disk cannot be written to; nothing is added then.
    pub(super) fn add(&mut self, entry: Entry) -> io::Result<()> {
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        if let Err(failure) = written {
            self.cut()?;
            return Err(failure);
        }
        self.length += line.len() as u64;
        self.entries.push(entry);
        Ok(())
    }

    /// Removes the file, with all that it says.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn remove(mut self) -> Result<(), Refused> {
        self.entries.clear();
        self.root
            .dir()
            .remove_file(JOURNAL)
            .and_then(|()| beside::sync(self.root, "."))
            .map_err(|why| failed(self.root, "remove", why))
    }

    /// Takes away what is behind the last whole line.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(|_| ())
    }
}

impl Drop for Journal<'_> {
    fn drop(&mut self) {
        // One that says nothing is of no use; where it stays, it does no harm.
        let is_empty = self.file.metadata().is_ok_and(|file| file.len() == 0);
        if is_empty && place(self.root).ok().flatten() == inode(&self.file).ok() {
            let _ = self.root.dir().remove_file(JOURNAL);
        }
    }
}

/// What tells a file from all others: its device and its number there.
type Inode = (u64, u64);

fn inode(file: &File) -> io::Result<Inode> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// The file in the place of the journal, if there is one.
fn place(root: &Root) -> io::Result<Option<Inode>> {
    match root.dir().symlink_metadata(JOURNAL) {
        // Through a link of either kind, a line would be written into something else.
        Ok(place) if !place.is_file() || place.nlink() > 1 => {
            Err(io::Error::other("it is a link, or no regular file"))
        }
        Ok(place) => Ok(Some((place.dev(), place.ino()))),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn failed(root: &Root, doing: &'static str, why: io::Error) -> Refused {
    let path = root.path().join(JOURNAL).display().to_string();
    Refused::Disk { doing, path, why }
}
