//! Taking back what a repair has linked.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

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
    /// An image was pushed to its repository since, which may need it: a client does not push what
    /// is there.
    Used,
}

/// Removes the links that repairs have created and that nobody has written since, unless an image was
/// pushed to their repository since, with the directories that only they were in, and then the journal.
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
    let pushes = Pushes::since(root, writer.journal.entries())?;
    for entry in writer.journal.entries().iter().rev() {
        undone.take_back(root, &writer, &pushes, entry)?;
    }
    writer.journal.remove()?;
    Ok(undone)
}

impl Undone {
    fn take_back(
        &mut self,
        root: &Root,
        writer: &StorageWriter<'_>,
        pushes: &Pushes,
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
            Did::CreatedLink if pushes.may_need(entry) => Why::Used,
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

/// When images were last pushed to the repositories that repairs have written to.
struct Pushes(HashMap<String, SystemTime>);

impl Pushes {
    /// Looks at the manifests of these repositories, but for what repairs have linked.
    fn since(root: &Root, entries: &[Entry]) -> Result<Self, Failed> {
        let own: HashMap<&str, SystemTime> = entries
            .iter()
            .map(|entry| (entry.path.as_str(), entry.time()))
            .collect();
        let mut pushes = HashMap::new();
        for repository in entries.iter().filter_map(repository_of) {
            if pushes.contains_key(repository) {
                continue;
            }
            let newest = newest(root, repository, &own).map_err(|why| Refused::Disk {
                doing: "undo",
                path: repository.to_owned(),
                why,
            })?;
            pushes.insert(repository.to_owned(), newest);
        }
        Ok(Self(pushes))
    }

    /// Whether an image was pushed since that may need this link. Its time is in whole seconds.
    fn may_need(&self, entry: &Entry) -> bool {
        let newest = repository_of(entry).and_then(|name| self.0.get(name));
        newest.is_some_and(|newest| *newest >= entry.time() + Duration::from_secs(1))
    }
}

/// The directory of the repository that a link is in.
fn repository_of(entry: &Entry) -> Option<&str> {
    let ends = ["/_layers/", "/_manifests/revisions/"];
    ends.iter()
        .find_map(|end| Some(entry.path.split_once(end)?.0))
}

/// When the newest manifest of a repository was pushed.
fn newest(
    root: &Root,
    repository: &str,
    own: &HashMap<&str, SystemTime>,
) -> io::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    let revisions = format!("{repository}/_manifests/revisions");
    for algorithm in root.entries(&revisions)?.into_iter().flatten() {
        let folder = format!("{revisions}/{}", algorithm?.file_name().display());
        for digest in root.entries(&folder)?.into_iter().flatten() {
            let path = format!("{folder}/{}/link", digest?.file_name().display());
            let modified = modified(root, Path::new(&path))?;
            let is_own = own.get(path.as_str()).copied() == modified;
            newest = newest.max(modified.filter(|_| !is_own).unwrap_or(newest));
        }
    }
    Ok(newest)
}

/// When the file at a path was last changed; none where there is nothing.
fn modified(root: &Root, path: &Path) -> io::Result<Option<SystemTime>> {
    match root.dir().symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.modified()?.into_std())),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
