//! Why nothing is written to a disk.

use std::io;

use oci_spec::image::Digest;
use thiserror::Error;

use super::place::TREE;

/// Why nothing may be written at all.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// It is not distribution's tree.
    #[error("{root} is not the storage of a registry: it has no directory {TREE}")]
    NoStorage {
        /// Where it was looked for.
        root: String,
    },
    /// A process of a collection is seen.
    #[error("a garbage collection is running (process {process})")]
    Collecting {
        /// Its number.
        process: u32,
    },
    /// Something that was there is not there any more.
    #[error("a garbage collection seems to run: {digest} was there a moment ago and is gone")]
    Vanished {
        /// What is gone.
        digest: Digest,
    },
    /// Another one writes.
    #[error("another repair or prune is writing to {root}")]
    Locked {
        /// Where both want to write.
        root: String,
    },
    /// What is written would belong to somebody else than what is there.
    #[error("the owner {uid}:{gid} of {path} cannot be set on new files: {why}")]
    Owner {
        /// Whose owner it is.
        path: String,
        /// The number of the user.
        uid: u32,
        /// The number of the group.
        gid: u32,
        /// What came instead.
        why: io::Error,
    },
    /// New files could not be moved to their places.
    #[error("{path} is on another file system than {TREE}")]
    OtherFileSystem {
        /// What is elsewhere.
        path: String,
    },
    /// What was done before cannot be read.
    #[error("the journal {path} is damaged in line {line}: {why}")]
    Journal {
        /// Where it is.
        path: String,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The disk cannot be written to, or not be read.
    #[error("cannot {doing} {path}: {why}")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: String,
        /// What came instead.
        why: io::Error,
    },
}

/// Why one thing was not written or removed. What was in its place is still there.
#[derive(Debug, Error)]
pub(crate) enum Failed {
    /// Nothing may be written any more.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It has no place in the tree.
    #[error("{0:?} is not the name of a repository, a tag or a known digest")]
    Name(String),
    /// A link to it would lead to nothing.
    #[error("{0} is not on the disk")]
    NoData(Digest),
    /// A tag of it would lead to nothing.
    #[error("{repository} has no link to the manifest {digest}")]
    NoManifest {
        /// Where the tag was wanted.
        repository: String,
        /// What it should have named.
        digest: Digest,
    },
    /// Somebody else gave the tag another meaning.
    #[error("the tag names {0} meanwhile")]
    OtherDigest(Digest),
    /// A directory, a symbolic link or something stranger has its place.
    #[error("{0} is not a regular file")]
    NotAFile(String),
    /// Something else, such as a symbolic link, has the place of a directory.
    #[error("{0} is not a directory")]
    NotADirectory(String),
    /// It is no part of a tag.
    #[error("{0} is nothing that a registry writes there")]
    Strange(String),
    /// The bytes are not what their digest says.
    #[error("the content that was read is {found}, not {wanted}")]
    OtherContent {
        /// Its digest.
        found: Digest,
        /// What it should have been.
        wanted: Digest,
    },
    /// The bytes cannot be read.
    #[error("cannot read the content of {digest}: {why}")]
    Content {
        /// Whose bytes.
        digest: Digest,
        /// What came instead.
        why: io::Error,
    },
    /// The disk cannot be written to, or not be read.
    #[error("cannot {doing} {path}: {why}")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: String,
        /// What came instead.
        why: io::Error,
    },
}
