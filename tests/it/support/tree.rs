//! The directory tree of distribution, written without it: see `registry/storage/paths.go` there.

use std::fs;
use std::path::{Path, PathBuf};

use super::image::Image;
use super::scratch::Scratch;

/// A root directory of distribution's filesystem driver.
pub(crate) struct Tree {
    path: PathBuf,
    /// It goes with the tree, where it is the test's own.
    scratch: Option<Scratch>,
}

impl Tree {
    /// An empty one of a test's own.
    pub(crate) fn new() -> Self {
        let scratch = Scratch::new("tree");
        let mut tree = Self::at(&scratch.path().join("registry"));
        tree.scratch = Some(scratch);
        tree
    }

    /// One in this directory, which stays.
    pub(crate) fn at(path: &Path) -> Self {
        let tree = Self {
            path: path.to_owned(),
            scratch: None,
        };
        fs::create_dir_all(tree.within("repositories")).expect("the directory is ours");
        fs::create_dir_all(tree.within("blobs")).expect("the directory is ours");
        tree
    }

    /// The root directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path below the tree itself.
    pub(crate) fn within(&self, path: &str) -> PathBuf {
        self.path.join("docker/registry/v2").join(path)
    }

    /// A path below a repository.
    pub(crate) fn repository(&self, name: &str, path: &str) -> PathBuf {
        self.within("repositories").join(name).join(path)
    }

    /// The data of a digest.
    pub(crate) fn data(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').expect("it is a digest");
        self.within(&format!("blobs/{algorithm}/{}/{hex}/data", &hex[..2]))
    }

    /// The link of a manifest.
    pub(crate) fn revision(&self, name: &str, digest: &str) -> PathBuf {
        let digest = digest.replacen(':', "/", 1);
        self.repository(name, &format!("_manifests/revisions/{digest}/link"))
    }

    /// The link of a config or a layer.
    pub(crate) fn layer(&self, name: &str, digest: &str) -> PathBuf {
        let digest = digest.replacen(':', "/", 1);
        self.repository(name, &format!("_layers/{digest}/link"))
    }

    /// The link of a tag.
    pub(crate) fn tag(&self, name: &str, tag: &str) -> PathBuf {
        self.repository(name, &format!("_manifests/tags/{tag}/current/link"))
    }

    /// Writes an image as `name:tag`.
    pub(crate) fn push(&self, reference: &str, image: &Image) -> &Self {
        let (name, tag) = reference.rsplit_once(':').expect("it has a tag");
        self.push_untagged(name, image);
        let digest = image.root();
        write(&self.tag(name, tag), digest);
        let index = digest.replacen(':', "/", 1);
        let index = format!("_manifests/tags/{tag}/index/{index}/link");
        write(&self.repository(name, &index), digest);
        self
    }

    /// Writes an image without a tag.
    pub(crate) fn push_untagged(&self, name: &str, image: &Image) -> &Self {
        for (digest, content) in image.contents() {
            let data = self.data(digest);
            if !data.exists() {
                write(&data, &content.bytes);
            }
            let link = if content.manifest {
                self.revision(name, digest)
            } else {
                self.layer(name, digest)
            };
            if !link.exists() {
                write(&link, digest);
            }
        }
        self
    }

    /// Writes an upload that is not done.
    pub(crate) fn upload(&self, name: &str, id: &str, started_at: &str, data: &[u8]) -> &Self {
        let upload = format!("_uploads/{id}");
        write(
            &self.repository(name, &format!("{upload}/startedat")),
            started_at,
        );
        write(&self.repository(name, &format!("{upload}/data")), data);
        self
    }
}

/// Writes a file, and the directories above it.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    let written = fs::create_dir_all(path.parent().expect("it is below the tree"))
        .and_then(|()| fs::write(path, content));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
