//! What distribution keeps on its disk, and how that goes wrong: see `registry/storage/paths.go` there.

use std::fs;
use std::path::PathBuf;

use super::Distribution;

/// How the bytes under a digest go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The file is there, and empty.
    Emptied,
    /// The file ends in its middle.
    Truncated,
    /// One byte in the middle is another one.
    Flipped,
    /// The file is gone.
    Deleted,
}

impl Damage {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Emptied, Self::Truncated, Self::Flipped, Self::Deleted];
}

impl Distribution {
    /// Damages the bytes under a digest, for every repository.
    pub(crate) fn damage(&self, digest: &str, damage: Damage) -> &Self {
        let path = self.data(digest);
        let done = match damage {
            Damage::Emptied => fs::write(&path, ""),
            Damage::Deleted => fs::remove_file(&path),
            Damage::Truncated => fs::read(&path).and_then(|bytes| fs::write(&path, &bytes[..bytes.len() / 2])),
            Damage::Flipped => fs::read(&path).and_then(|mut bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&path, bytes)
            }),
        };
        done.unwrap_or_else(|error| panic!("{damage:?} {}: {error}", path.display()));
        self
    }

    /// Removes what says that a repository has a blob; the bytes stay.
    pub(crate) fn unlink_layer(&self, name: &str, digest: &str) -> &Self {
        self.remove(&self.repository(name).join("_layers").join(digest.replace(':', "/")))
    }

    /// Removes what says that a repository has a manifest; the bytes stay.
    pub(crate) fn unlink_revision(&self, name: &str, digest: &str) -> &Self {
        self.remove(&self.repository(name).join("_manifests/revisions").join(digest.replace(':', "/")))
    }

    /// Removes a tag; what it pointed to stays.
    pub(crate) fn unlink_tag(&self, name: &str, tag: &str) -> &Self {
        self.remove(&self.repository(name).join("_manifests/tags").join(tag))
    }

    /// Where the bytes of a digest are.
    pub(crate) fn data(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
        self.root().join("blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
    }

    fn repository(&self, name: &str) -> PathBuf {
        self.root().join("repositories").join(name)
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("storage/docker/registry/v2")
    }

    fn remove(&self, directory: &PathBuf) -> &Self {
        fs::remove_dir_all(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        self
    }
}
