//! Content in files that the user named: image layouts and archives.

use std::io;

use super::Origin;
use crate::layout::content::Content;
use crate::layout::{Archive, Entry, Layout, NotALayout, Packing};
use crate::oci::descriptor::Promise;
use crate::oci::reference::Repository;

/// An image layout or an archive.
pub(super) enum Shelf {
    Layout(Layout),
    Archive(Archive),
}

impl Shelf {
    /// Opens a layout or an archive; none for a registry.
    pub(super) fn open(origin: &Origin) -> Option<Result<Self, NotALayout>> {
        Some(match origin {
            Origin::Registry(_) | Origin::Repository(_) => return None,
            Origin::Layout(path) => Layout::open(path).map(Self::Layout),
            Origin::OciArchive(path) => Archive::open(path, Packing::Oci).map(Self::Archive),
            Origin::DockerArchive(path) => Archive::open(path, Packing::Docker).map(Self::Archive),
        })
    }

    /// What may be the content of a descriptor.
    pub(super) fn content(&self, promise: &Promise) -> io::Result<Option<Content>> {
        match self {
            Self::Layout(layout) => layout.content(&promise.digest),
            Self::Archive(archive) => archive.content(promise),
        }
    }

    /// What its index has for a tag of a repository: by the whole name, with a host or without. A
    /// name that is a tag alone counts only where `is_alone`, and the image has no other.
    pub(super) fn tag(&self, target: &Repository, tag: &str, is_alone: bool) -> Option<&Promise> {
        let names = [
            format!("{target}:{tag}"),
            format!("{}:{tag}", target.name),
            tag.to_owned(),
        ];
        let entries = match self {
            Self::Layout(layout) => layout.entries(),
            Self::Archive(archive) => archive.entries(),
        };
        let is_bare = |name: &String| !name.contains([':', '/']);
        let has = |entry: &&Entry, name: &String| {
            entry.names().contains(name)
                && (!is_bare(name) || is_alone && entry.names().iter().all(is_bare))
        };
        let mut found = names
            .iter()
            .filter_map(|name| entries.iter().find(|entry| has(entry, name)));
        found.next().map(|entry| &entry.promise)
    }
}
