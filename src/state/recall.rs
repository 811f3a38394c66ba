//! What is remembered of a registry, to be read alone: by a repair.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci_spec::image::{Digest, DigestAlgorithm};

use super::key::Key;
use super::store::{self, Loaded};
use crate::walk::source::{Body, Manifest};

/// What is remembered of one registry, in all of its parts.
#[derive(Debug, Default)]
pub(crate) struct Recall {
    folders: Vec<PathBuf>,
}

/// What is remembered of one repository.
#[derive(Debug)]
pub(crate) struct Recalled(Vec<Loaded>);

impl Recall {
    /// What is remembered of `registry` below a directory.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub(crate) fn of(directory: &Path, registry: &str) -> io::Result<Self> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let part_of = |name: &str| name.split('@').next() == Some(registry);
            if name.to_str().is_some_and(part_of) {
                folders.push(entry.path());
            }
        }
        folders.sort();
        Ok(Self { folders })
    }

    /// What is remembered of a repository.
    pub(crate) fn repository(&self, name: &str) -> Recalled {
        let loaded = self.folders.iter().map(|root| store::read(root, name));
        Recalled(loaded.collect())
    }
}

impl Recalled {
    /// A manifest, and when it was fetched last.
    pub(crate) fn manifest(&self, digest: &Digest) -> Option<(Manifest, Option<SystemTime>)> {
        self.0.iter().find_map(|loaded| {
            let record = loaded.memory.manifests.get(&Key::of(digest))?;
            let bytes = loaded.pack.read(record.place?, digest)?;
            let content_type = loaded.memory.texts.get(record.content_type);
            let manifest = Manifest {
                body: Body::Whole(bytes),
                content_type: content_type.map(str::to_owned),
                claimed: None,
            };
            Some((manifest, record.fetched.time()))
        })
    }

    /// The digest that a tag led to, if it is of SHA-256.
    pub(crate) fn tag(&self, tag: &str) -> Option<Digest> {
        self.0.iter().find_map(|loaded| {
            let key = loaded.memory.tags.get(tag)?.key?;
            let digest = key.digest(&DigestAlgorithm::Sha256);
            let record = loaded.memory.manifests.get(&key)?;
            loaded.pack.read(record.place?, &digest).map(|_| digest)
        })
    }
}
