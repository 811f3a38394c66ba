//! What the tests do to any real registry: stop it, start it, and damage its disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::TEAM;
use super::gitea::{Gitea, PASSWORD};
use super::server::Server;
use crate::support::distribution::{Distribution, Door};

/// A real registry whose disk can be damaged.
pub(super) trait Registry: Sync {
    /// Where it is, and how to push.
    fn door(&self) -> Door;
    /// `user:password` of who may push, where it wants one.
    fn login(&self) -> Option<String> {
        None
    }
    /// Kills it.
    fn stop(&mut self);
    /// Starts it again on the same port.
    fn start(&mut self);
    /// The file with the content of a digest.
    fn data(&self, repository: &str, digest: &str) -> PathBuf;
    /// The directory of a repository, where it has one of its own.
    fn directory(&self, _repository: &str) -> Option<PathBuf> {
        None
    }
    /// The files with what else it knows of a repository, if it keeps that in files.
    fn records(&self, _repository: &str) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl Registry for Distribution {
    fn door(&self) -> Door {
        Door::open(&self.host())
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn data(&self, _: &str, digest: &str) -> PathBuf {
        Self::data(self, digest)
    }

    fn directory(&self, repository: &str) -> Option<PathBuf> {
        Some(self.repository(repository))
    }

    fn records(&self, repository: &str) -> Vec<PathBuf> {
        files(&self.repository(repository))
    }
}

impl Registry for Server {
    fn door(&self) -> Door {
        Door::open(self.host())
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn data(&self, repository: &str, digest: &str) -> PathBuf {
        let blobs = self.layout(repository).join("blobs");
        blobs.join(digest.replace(':', "/"))
    }

    fn directory(&self, repository: &str) -> Option<PathBuf> {
        Some(self.layout(repository))
    }

    fn records(&self, repository: &str) -> Vec<PathBuf> {
        let layout = self.layout(repository);
        let mut files = files(&layout);
        files.retain(|path| !path.starts_with(layout.join("blobs")));
        files
    }
}

/// olareg reads `index.json` and `oci-layout` again every second, so what a download gives when
/// these are damaged is a matter of time: only its content is damaged.
pub(super) struct Olareg(pub(super) Server);

impl Registry for Olareg {
    fn door(&self) -> Door {
        self.0.door()
    }

    fn stop(&mut self) {
        self.0.stop();
    }

    fn start(&mut self) {
        self.0.start();
    }

    fn data(&self, repository: &str, digest: &str) -> PathBuf {
        self.0.data(repository, digest)
    }
}

impl Registry for Gitea {
    fn door(&self) -> Door {
        self.door.clone()
    }

    fn login(&self) -> Option<String> {
        Some(format!("{TEAM}:{PASSWORD}"))
    }

    fn stop(&mut self) {
        self.server.stop();
    }

    fn start(&mut self) {
        self.server.start();
    }

    fn data(&self, _: &str, digest: &str) -> PathBuf {
        Self::data(self, digest)
    }
}

/// Every file below a directory, in a stable order.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![directory.to_owned()];
    while let Some(path) = next.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("the directory is ours");
            next.extend(entries.map(|entry| entry.expect("the directory is ours").path()));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
