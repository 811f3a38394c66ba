//! zot's storage: below a root directory, each repository is an OCI image layout in the directory of
//! its name.

use std::io;
use std::path::Path;

use super::catalog::{Kind, each};
use crate::layout::root::Root;
use crate::oci::reference::is_name;
use crate::walk::source::List;

/// The files that mark a layout. One of them is enough: the other one may be lost.
const MARKERS: [&str; 2] = ["oci-layout", "index.json"];

/// Below a repository: its content.
const BLOBS: &str = "blobs";

/// How many names are read.
const MOST_NAMES: usize = 1_000_000;

/// How many directories are looked into to find a repository.
const MOST_DIRECTORIES: usize = 1000;

/// The longest path that is looked into, in bytes: the longest name and some more.
const LONGEST_PATH: usize = 300;

/// Whether there is a repository.
///
/// # Errors
///
/// When a directory cannot be read.
pub(crate) fn are_in(root: &Root) -> io::Result<bool> {
    let found = look(root, MOST_DIRECTORIES, 1)?;
    Ok(!found.names.is_empty())
}

/// All repositories, in the order of their names.
///
/// # Errors
///
/// When a directory cannot be read.
pub(crate) fn repositories(root: &Root) -> io::Result<List> {
    let mut found = look(root, usize::MAX, MOST_NAMES)?;
    found.names.sort_unstable();
    Ok(found)
}

/// Looks into so many directories, for so many repositories.
fn look(root: &Root, directories: usize, names: usize) -> io::Result<List> {
    let mut found = List::default();
    let mut open = vec![String::new()];
    let mut looked = 0;
    while let Some(name) = open.pop() {
        if looked == directories || found.names.len() == names {
            found.is_cut = true;
            break;
        }
        looked += 1;
        let path = if name.is_empty() { "." } else { &name };
        let is_repository = !name.is_empty() && is_layout(root, path)?;
        match is_repository {
            true if is_name(&name) => found.names.push(name.clone()),
            true => found.unusable += 1,
            false => {}
        }
        let mut below = Vec::new();
        each_below(root, path, |entry| match entry {
            // Where nobody's name begins so: uploads, what is synchronised, and a scanner's data.
            Some(entry) if entry.starts_with(['.', '_']) => {}
            Some(entry) if is_repository && entry == BLOBS => {}
            Some(entry) => below.push(entry),
            None => found.unusable += 1,
        })?;
        if name.len() > LONGEST_PATH {
            found.unusable += below.len();
            continue;
        }
        open.extend(below.into_iter().map(|entry| match &*name {
            "" => entry,
            name => format!("{name}/{entry}"),
        }));
    }
    Ok(found)
}

fn is_layout(root: &Root, path: &str) -> io::Result<bool> {
    for marker in MARKERS {
        if root.file(Path::new(path).join(marker))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Calls `take` with every directory in one; its name is none where it is no text, or a link.
fn each_below(root: &Root, path: &str, mut take: impl FnMut(Option<String>)) -> io::Result<()> {
    let Some(entries) = root.entries(path)? else {
        return Ok(());
    };
    each(entries, |kind, name| match kind {
        Kind::Directory => take(name),
        Kind::Link => take(None),
        Kind::Other => {}
    })
}
