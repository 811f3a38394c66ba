//! One step of a plan.

use std::time::SystemTime;

use oci_spec::image::Digest;

use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::oci::reference::{Reference, Repository};
use crate::walk::cause::Cause;

/// What is to be done about one digest of a repository.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is missing.
    pub repository: Repository,
    /// The images that need it, each distinct one by its first reference.
    pub images: Vec<Reference>,
    /// What is missing.
    pub digest: Digest,
    /// What it is.
    pub kind: Kind,
    /// The platform that its index states.
    pub platform: Option<Platform>,
    /// In bytes, where that is known.
    pub size: Option<u64>,
    /// What is to be done.
    pub action: Action,
    /// How it went; none before it was tried.
    pub end: Option<Result<(), Failure>>,
}

/// What is to be done about a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The registry takes it from another of its repositories.
    Mount(Repository),
    /// The blob is uploaded.
    Upload(Provenance),
    /// The manifest is put under its digest.
    Put(Provenance),
    /// The manifest is put under this tag, which is gone.
    Tag(String),
    /// On the registry's disk: the link to it is written.
    Link,
    /// On the registry's disk: its file is written.
    Replace(Provenance),
    /// Nothing can be done.
    Lost(Loss),
}

/// Where the bytes of a digest are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// An audit remembers them, since this time.
    Remembered(Option<SystemTime>),
    /// In this repository.
    Repository(Repository),
    /// In this layout or archive.
    File(String),
    /// On the registry's own disk.
    Storage,
}

/// Why nothing can be done about a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// No source has it.
    Nowhere,
    /// Something below it is lost.
    BelowIt,
    /// Whether a source has it is not known.
    NotKnown,
    /// The plan that was given does not have it.
    NotPlanned,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The registry did not take it.
    Registry(Box<Cause>),
    /// The tag leads to something by now.
    TagIsBack,
    /// Its source does not deliver it any more.
    Source(Box<Cause>),
    /// A file could not be read or written.
    Disk(String),
    /// Something below it could not be put back.
    BelowIt,
    /// It was taken, and is not there.
    NotKept,
    /// It is on the disk, and the registry answers as before.
    Remembered,
    /// The run ended before.
    Stopped,
}

impl Step {
    /// Why it failed, where a registry said so.
    pub fn cause(&mut self) -> Option<&mut Cause> {
        match &mut self.end {
            Some(Err(Failure::Registry(cause) | Failure::Source(cause))) => Some(cause),
            _ => None,
        }
    }
}

impl Action {
    /// The word for it in the JSON report.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Mount(_) => "mount",
            Self::Upload(_) => "upload",
            Self::Put(_) => "put",
            Self::Tag(_) => "tag",
            Self::Link => "link",
            Self::Replace(_) => "replace",
            Self::Lost(_) => "lost",
        }
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        !matches!(self, Self::Lost(_))
    }
}
