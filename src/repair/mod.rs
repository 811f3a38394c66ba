//! Puts back what is missing, from wherever its bytes still are.
//!
//! A plan is made first, and nothing is written by making it. What is lost is looked for, and the
//! repository is walked again as if what was found were there already: so a manifest that is found
//! shows what is missing below it. Only what hashes to the digest that is missing counts as found.

pub(crate) mod apply;
mod overlay;
pub(crate) mod plan;
mod shelf;
mod spool;
pub(crate) mod step;
pub(crate) mod supplies;
pub(crate) mod writer;

use std::fmt;
use std::path::PathBuf;

pub(crate) use self::step::{Action, Failure, Loss, Provenance, Step};
use crate::oci::reference::Repository;
use crate::settings::{GcStopped, Permission};

/// Where content may come from, and what may be written.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `from`.
    pub from: Vec<Origin>,
    /// `storage`: the registry's own disk.
    pub storage: Option<PathBuf>,
    /// `state`: what audits remember.
    pub state: Option<PathBuf>,
    /// `apply`.
    pub permission: Option<Permission>,
    /// `gc_stopped`.
    pub gc_stopped: Option<GcStopped>,
}

/// A place that content may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A registry that has repositories of the same names.
    Registry(String),
    /// A repository.
    Repository(Repository),
    /// An OCI image layout.
    Layout(PathBuf),
    /// An OCI image layout in an archive.
    OciArchive(PathBuf),
    /// What `docker save` wrote.
    DockerArchive(PathBuf),
}

impl Origin {
    /// The repository in which it may have what is missing in this one.
    fn repository_for(&self, target: &Repository) -> Option<Repository> {
        let repository = match self {
            Self::Registry(host) => Repository {
                registry: host.clone(),
                name: target.name.clone(),
            },
            Self::Repository(repository) => repository.clone(),
            _ => return None,
        };
        (repository != *target).then_some(repository)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(host) => f.write_str(host),
            Self::Repository(repository) => repository.fmt(f),
            Self::Layout(path) => write!(f, "oci:{}", path.display()),
            Self::OciArchive(path) => write!(f, "oci-archive:{}", path.display()),
            Self::DockerArchive(path) => write!(f, "docker-archive:{}", path.display()),
        }
    }
}
