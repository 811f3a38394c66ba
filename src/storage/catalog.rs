//! What repositories and tags there are in distribution's tree.

use std::io;
use std::path::Path;

use cap_std::fs::ReadDir;

use super::tree::{LAYERS, REPOSITORIES, TAGS, Tree};
use crate::layout::look::unreadable;
use crate::layout::root::Root;
use crate::oci::reference::{Repository, is_name, is_tag};
use crate::walk::source::{Asked, Catalog, Fault, List};

/// How many names of one list are read.
const MOST_NAMES: usize = 1_000_000;

/// The longest path of a repository that is looked into, in bytes: the longest name and some more.
const LONGEST_PATH: usize = 300;

/// Below a repository: what says that it is one, beside [`LAYERS`].
const MANIFESTS: &str = "_manifests";

/// Below a repository: what it has while its first push is under way.
const UPLOADS: &str = super::tree::UPLOADS;

/// What the tree of a registry lists.
pub(crate) struct StorageCatalog<'a> {
    tree: &'a Tree,
}

/// What a directory below `repositories` holds.
#[derive(Default)]
struct Directory {
    is_repository: bool,
    has_uploads: bool,
    /// The names of the directories in it that may be repositories, or hold some.
    below: Vec<String>,
    /// Entries that are neither: symbolic links, and names that are no text.
    odd: usize,
}

/// The repositories of a tree.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Those that have content.
    pub(crate) list: List,
    /// The others that have uploads, and nothing else.
    pub(crate) begun: Vec<String>,
}

impl<'a> StorageCatalog<'a> {
    /// What this tree lists.
    pub(crate) fn new(tree: &'a Tree) -> Self {
        Self { tree }
    }

    /// All repositories, in the order of their names.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(crate) fn all(&self) -> Result<Found, Fault> {
        let root = self.tree.root();
        let mut found = Found::default();
        let mut open = vec![String::new()];
        while let Some(name) = open.pop() {
            let path = format!("{REPOSITORIES}/{name}");
            let path = path.trim_end_matches('/');
            let read = directory(root, path).map_err(|failure| unreadable(path, &failure))?;
            found.list.unusable += read.odd;
            if read.is_repository && !is_name(&name) {
                found.list.unusable += 1;
            } else if read.is_repository {
                found.list.names.push(name.clone());
            } else if read.has_uploads && is_name(&name) {
                found.begun.push(name.clone());
            }
            if found.list.names.len() >= MOST_NAMES {
                found.list.is_cut = true;
                break;
            }
            if name.len() > LONGEST_PATH {
                found.list.unusable += read.below.len();
                continue;
            }
            let below = read.below.into_iter().map(|entry| match &*name {
                "" => entry,
                name => format!("{name}/{entry}"),
            });
            open.extend(below);
        }
        found.list.names.sort_unstable();
        Ok(found)
    }

    /// Whether a repository's tags may be elsewhere, because a symbolic link is on the way to them, or
    /// is one of them. A registry follows it, and no list of tags has what it leads to.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(crate) fn has_linked_tags(&self, name: &str) -> Result<bool, Fault> {
        let path = format!("{REPOSITORIES}/{name}/{TAGS}");
        let read = has_links(self.tree.root(), Path::new(&path));
        read.map_err(|failure| unreadable(path, &failure))
    }

    /// The tags of a repository, in the order of their names; none where it is not there.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    pub(crate) fn tags_of(&self, name: &str) -> Result<List, Fault> {
        let read = self.tree.repository(name).and_then(|own| match own {
            Some(own) => tags(&own),
            None => Ok(List::default()),
        });
        read.map_err(|failure| unreadable(format!("{REPOSITORIES}/{name}/{TAGS}"), &failure))
    }
}

impl Catalog for StorageCatalog<'_> {
    async fn repositories(&self) -> Asked<List> {
        Asked::unasked(self.all().map(|found| found.list))
    }

    async fn tags(&self, repository: &Repository) -> Asked<List> {
        Asked::unasked(self.tags_of(&repository.name))
    }
}

/// Looks at a directory, in which one with a leading `_` is never a repository's name.
fn directory(root: &Root, path: &str) -> io::Result<Directory> {
    let mut found = Directory::default();
    let Some(entries) = root.entries(path)? else {
        return Ok(found);
    };
    let mut name_of = |kind: Kind, name: Option<String>| match (kind, name) {
        (Kind::Other, _) => {}
        (Kind::Link, _) | (_, None) => found.odd += 1,
        (Kind::Directory, Some(name)) => match &*name {
            MANIFESTS | LAYERS => found.is_repository = true,
            UPLOADS => found.has_uploads = true,
            reserved if reserved.starts_with('_') => {}
            _ => found.below.push(name),
        },
    };
    each(entries, &mut name_of)?;
    Ok(found)
}

fn has_links(root: &Root, directory: &Path) -> io::Result<bool> {
    for path in directory.ancestors().filter(|path| *path != Path::new("")) {
        match root.dir().symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => return Ok(true),
            Err(failure) if failure.kind() != io::ErrorKind::NotFound => return Err(failure),
            _ => {}
        }
    }
    let mut has_links = false;
    if let Some(entries) = root.entries(directory)? {
        each(entries, |kind, _| has_links |= kind == Kind::Link)?;
    }
    Ok(has_links)
}

fn tags(own: &Root) -> io::Result<List> {
    let mut list = List::default();
    let Some(entries) = own.entries(TAGS)? else {
        return Ok(list);
    };
    each(entries, |kind, name| match (kind, name) {
        (Kind::Other, _) => {}
        (Kind::Directory, Some(name)) if is_tag(&name) => list.names.push(name),
        _ => list.unusable += 1,
    })?;
    list.is_cut = list.names.len() > MOST_NAMES;
    list.names.truncate(MOST_NAMES);
    list.names.sort_unstable();
    Ok(list)
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Link,
    /// A file, or something special.
    Other,
}

/// Calls `take` with every entry of a directory; its name is none where it is no text.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn each(entries: ReadDir, mut take: impl FnMut(Kind, Option<String>)) -> io::Result<()> {
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = match kind {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        take(kind, entry.file_name().into_string().ok());
    }
    Ok(())
}
