//! What distribution keeps on its disk, and how that goes wrong: see `registry/storage/paths.go`
//! there.

use std::fs;
use std::path::{Path, PathBuf};

use super::Distribution;

/// How what is stored under a digest goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The file is there, and empty.
    Emptied,
    /// The file ends in its middle.
    Truncated,
    /// One byte in the middle is changed.
    Flipped,
    /// The file is gone.
    Deleted,
    /// The file is there, and nothing says that the repository has it.
    Unlinked,
}

impl Damage {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Emptied,
        Self::Truncated,
        Self::Flipped,
        Self::Deleted,
        Self::Unlinked,
    ];

    /// Damages a file, or removes the directory of a link.
    #[track_caller]
    pub(crate) fn apply(self, path: &Path) {
        let done = match self {
            Self::Emptied => fs::write(path, ""),
            Self::Deleted => fs::remove_file(path),
            Self::Unlinked => fs::remove_dir_all(path),
            Self::Truncated => {
                fs::read(path).and_then(|bytes| fs::write(path, &bytes[..bytes.len() / 2]))
            }
            Self::Flipped => fs::read(path).and_then(|mut bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(path, bytes)
            }),
        };
        done.unwrap_or_else(|error| panic!("{self:?} {}: {error}", path.display()));
    }
}

impl Distribution {
    /// Damages a blob or a manifest of a repository; except for a link, of every repository that
    /// has it.
    pub(crate) fn damage(&self, name: &str, digest: &str, damage: Damage) -> &Self {
        let path = if damage == Damage::Unlinked {
            // A manifest's revision, or a blob's membership; never both.
            let links = ["_manifests/revisions", "_layers"].map(|kind| {
                self.repository(name)
                    .join(kind)
                    .join(digest.replace(':', "/"))
            });
            let link = links.into_iter().find(|path| path.exists());
            link.unwrap_or_else(|| panic!("{name} has no {digest}"))
        } else {
            self.data(digest)
        };
        damage.apply(&path);
        self
    }

    /// Removes a tag; what it pointed to stays.
    pub(crate) fn unlink_tag(&self, name: &str, tag: &str) -> &Self {
        let directory = self.repository(name).join("_manifests/tags").join(tag);
        fs::remove_dir_all(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        self
    }

    /// Removes a file from the root directory, as the advice says.
    pub(crate) fn remove_file(&self, path: &str) -> &Self {
        let path = self.directory.path().join("storage").join(path);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Whether a file is in the root directory.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.directory.path().join("storage").join(path).exists()
    }

    /// Where the bytes of a digest are.
    pub(crate) fn data(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("a digest has an algorithm");
        self.root()
            .join("blobs")
            .join(algorithm)
            .join(&hex[..2])
            .join(hex)
            .join("data")
    }

    /// The root directory of the storage.
    pub(crate) fn storage(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    /// Where the links of a repository are.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.root().join("repositories").join(name)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("storage/docker/registry/v2")
    }
}
