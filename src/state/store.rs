//! Where memories are: a directory for each registry and part of it, and in it one for each
//! repository.
//!
//! A repository's memory is written to a file beside the old one, flushed, and renamed. Whoever is
//! killed leaves the old memory or the new one. What was added to a pack meanwhile counts only once
//! the memory that names it is there.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use log::warn;

use super::format::{self, START, Unreadable, Written};
use super::keep::{repack, used};
use super::memory::Memory;
use super::moment::Moment;
use super::pack::Pack;
use crate::text::human::count;

/// The memory of a repository. No part of a repository's name begins like this.
const MEMORY: &str = "@state";

/// The same while it is written.
const UNFINISHED: &str = "@state.new";

/// Held by whoever writes.
const LOCK: &str = "@lock";

/// How much of a pack may be of no use, in bytes, however small the rest is.
const SLACK: u64 = 64 * 1024;

/// What is remembered of one registry, or of one part of it.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    /// Held to the end; none where another run writes.
    lock: Option<File>,
    /// How many tags are remembered of each repository.
    tags: BTreeMap<String, usize>,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {failure}", .path.display())]
pub(crate) struct Unusable {
    path: PathBuf,
    failure: io::Error,
}

/// A memory as it was found.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) memory: Memory,
    pub(super) pack: Pack,
    pub(super) number: u64,
}

impl Store {
    /// The memory of `registry`, or of a `part` of it, below a directory.
    ///
    /// # Errors
    ///
    /// When there is no such directory and none can be made, or it cannot be read.
    pub(crate) fn open(
        directory: &Path,
        registry: &str,
        part: Option<&str>,
    ) -> Result<Self, Unusable> {
        let name = match part {
            Some(part) => format!("{registry}@{part}"),
            None => registry.to_owned(),
        };
        let root = directory.join(name);
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |failure| Unusable { path, failure }
        };
        fs::create_dir_all(&root).map_err(unusable(&root))?;
        let lock = locked(&root.join(LOCK)).map_err(unusable(&root))?;
        let found = Found::in_folder(&root).map_err(unusable(&root))?;
        found.warn(&root);
        Ok(Self {
            root,
            lock,
            tags: found.tags,
        })
    }

    /// How many tags are remembered.
    pub(crate) fn tags(&self) -> usize {
        self.tags.values().sum()
    }

    /// The repositories that are remembered.
    pub(crate) fn repositories(&self) -> impl Iterator<Item = &str> {
        self.tags.keys().map(String::as_str)
    }

    /// When each tag of a repository was first seen; none for those that its first look found.
    pub(crate) fn first_seen(&self, repository: &str) -> BTreeMap<String, SystemTime> {
        let tags = self.load(repository).memory.tags.into_iter();
        tags.filter_map(|(name, tag)| Some((name, tag.first_seen.time()?)))
            .collect()
    }

    /// Whether what is learned can be written.
    pub(super) fn is_writable(&self) -> bool {
        self.lock.is_some()
    }

    fn folder(&self, repository: &str) -> PathBuf {
        self.root.join(repository)
    }

    /// What is remembered of a repository. Nothing, with a warning, where that cannot be read.
    pub(super) fn load(&self, repository: &str) -> Loaded {
        load(&self.folder(repository), repository, self.is_writable())
    }

    /// Writes what is remembered of a repository; one without tags is forgotten. What cannot be
    /// written is a warning.
    pub(super) async fn save(&self, repository: &str, loaded: Loaded, now: Moment) {
        if !self.is_writable() {
            return;
        }
        let (folder, name) = (self.folder(repository), repository.to_owned());
        let root = self.root.clone();
        let writing = tokio::task::spawn_blocking(move || {
            if loaded.memory.tags.is_empty() {
                forget(&root, &folder);
                return Ok(());
            }
            write(&folder, name, loaded, now)
        });
        let failure = match writing.await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure,
            Err(failure) => failure.into(),
        };
        let root = self.root.display();
        warn!("the state of {repository} could not be written to {root}: {failure}");
    }
}

/// What is remembered of a repository below the folder of a registry, for who writes nothing.
pub(super) fn read(root: &Path, repository: &str) -> Loaded {
    load(&root.join(repository), repository, false)
}

fn load(folder: &Path, repository: &str, is_writable: bool) -> Loaded {
    let read = match fs::read(folder.join(MEMORY)) {
        Ok(bytes) => format::decode(&bytes, repository),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(Written::nothing()),
        Err(_) => Err(Unreadable::Damaged),
    };
    let written = read.unwrap_or_else(|why| {
        // What is of another version was counted already.
        if why == Unreadable::Damaged {
            let folder = folder.display();
            warn!("the state in {folder} is damaged, so all of {repository} is asked for");
        }
        Written::nothing()
    });
    let path = pack_path(folder, written.pack);
    Loaded {
        pack: Pack::open(&path, written.pack_length, is_writable),
        number: written.pack,
        memory: written.memory,
    }
}

impl Written {
    fn nothing() -> Self {
        Self {
            repository: String::new(),
            memory: Memory::default(),
            pack: 0,
            pack_length: 0,
        }
    }
}

/// The lock, if it can be had; a warning where it cannot.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    let why = match file.try_lock() {
        Ok(()) => return Ok(Some(file)),
        Err(TryLockError::WouldBlock) => "another run uses it".to_owned(),
        Err(TryLockError::Error(failure)) => format!("it cannot be locked: {failure}"),
    };
    let folder = path.parent().unwrap_or(path).display();
    warn!("the state in {folder} is read and not written: {why}");
    Ok(None)
}

/// The memories below a folder.
#[derive(Default)]
struct Found {
    tags: BTreeMap<String, usize>,
    of_other_versions: usize,
}

impl Found {
    fn in_folder(root: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        let mut folders = vec![String::new()];
        while let Some(name) = folders.pop() {
            let folder = root.join(&name);
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let Ok(part) = entry.file_name().into_string() else {
                    continue;
                };
                let kind = entry.file_type()?;
                if kind.is_dir() && !part.starts_with('@') {
                    let slash = if name.is_empty() { "" } else { "/" };
                    folders.push(format!("{name}{slash}{part}"));
                } else if kind.is_file() && part == MEMORY {
                    found.add(name.clone(), &entry.path());
                }
            }
        }
        Ok(found)
    }

    fn add(&mut self, repository: String, path: &Path) {
        let mut start = Vec::with_capacity(START);
        let read =
            File::open(path).and_then(|file| file.take(START as u64).read_to_end(&mut start));
        let length = fs::metadata(path).map_or(0, |about| about.len());
        let is_possible = |tags: &usize| (*tags as u64) < length;
        let tags = match read {
            Ok(_) => format::tags(&start),
            Err(_) => Err(Unreadable::Damaged),
        };
        if tags == Err(Unreadable::OtherVersion) {
            self.of_other_versions += 1;
        }
        // What is damaged is said when it is loaded.
        let tags = tags.ok().filter(is_possible).unwrap_or_default();
        self.tags.insert(repository, tags);
    }

    fn warn(&self, root: &Path) {
        if self.of_other_versions > 0 {
            warn!(
                "the state in {} is of another version for {}, so all of them is asked for",
                root.display(),
                count(self.of_other_versions, "repository")
            );
        }
    }
}

fn pack_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("@documents.{number}"))
}

fn write(folder: &Path, repository: String, loaded: Loaded, now: Moment) -> io::Result<()> {
    let Loaded {
        mut memory,
        mut pack,
        mut number,
    } = loaded;
    fs::create_dir_all(folder)?;
    memory.last_run = now;
    let old = pack_path(folder, number);
    let is_wasteful = pack.end() > 2 * used(&memory) + SLACK;
    if is_wasteful {
        number += 1;
        let mut fresh = Pack::open(&pack_path(folder, number), 0, true);
        repack(&mut memory, &pack, &mut fresh);
        pack = fresh;
    }
    pack.sync()?;
    let bytes = format::encode(&Written {
        repository,
        memory,
        pack: number,
        pack_length: pack.end(),
    });
    let unfinished = folder.join(UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(&bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, folder.join(MEMORY))?;
    if is_wasteful {
        // Nothing names it any more; what stays of it is in nobody's way.
        let _ = fs::remove_file(old);
    }
    Ok(())
}

/// Removes what is remembered of a repository, and the folders that are empty then.
fn forget(root: &Path, folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('@');
    for entry in entries.flatten().filter(ours) {
        let _ = fs::remove_file(entry.path());
    }
    let above = folder.ancestors().take_while(|above| *above != root);
    for folder in above {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}
