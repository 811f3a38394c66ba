//! An OCI image layout in a directory; see
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::io;
use std::path::Path;

use oci_spec::image::Digest;
use serde::Deserialize;

use super::content::Content;
use super::index::{Entry, Index};
use super::root::Root;
use crate::oci::reference::{Reference, Repository};
use crate::text::quote::quoted;
use crate::walk::source::MANIFEST_LIMIT;

/// What makes a directory a layout.
pub(super) const MARKER: &str = "oci-layout";

/// What lists its images.
pub(super) const INDEX: &str = "index.json";

/// The most that is read of [`MARKER`], in bytes.
const MARKER_LIMIT: u64 = 4096;

/// An OCI image layout in a directory.
#[derive(Debug)]
pub(crate) struct Layout {
    root: Root,
    index: Index,
}

/// Why something is not an image layout, or not one that can be read; as a fragment that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotALayout(pub(super) String);

impl Layout {
    /// # Errors
    ///
    /// When there is no layout of version 1, or its index cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, NotALayout> {
        let fail = |why: String| NotALayout(format!("{} {why}", shown(path)));
        let root = match Root::open(path) {
            Ok(root) => root,
            Err(_) if path.is_file() => {
                return Err(fail(
                    "is a file, and an image layout is a directory: unpack it, or export with \
                     tar=false"
                        .to_owned(),
                ));
            }
            Err(failure) => return Err(fail(format!("cannot be opened: {failure}"))),
        };
        let read = |name: &str, limit: u64| match root.read(name, limit) {
            Ok(bytes) => Ok(bytes),
            Err(failure) => Err(fail(format!("has {name}, which cannot be read: {failure}"))),
        };
        let Some(marker) = read(MARKER, MARKER_LIMIT)? else {
            return Err(fail(format!(
                "is not an OCI image layout: it has no file {MARKER}{}",
                other_form(&root)
            )));
        };
        check_version(&marker).map_err(&fail)?;
        let Some(index) = read(INDEX, MANIFEST_LIMIT as u64)? else {
            return Err(fail(format!(
                "is not a complete OCI image layout: it has {MARKER}, and no {INDEX}"
            )));
        };
        let index = read_index(&index).map_err(fail)?;
        Ok(Self { root, index })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// What its images are called.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.index.tags()
    }

    /// What it lists, in this repository: the images that have a name or, where none has one,
    /// everything.
    pub(crate) fn references(&self, repository: &Repository) -> Vec<Reference> {
        let reference = |tag: Option<&str>, digest| Reference {
            repository: repository.clone(),
            tag: tag.map(str::to_owned),
            digest,
        };
        let tagged = self.tags().into_iter();
        let tagged: Vec<Reference> = tagged.map(|tag| reference(Some(tag), None)).collect();
        if !tagged.is_empty() {
            return tagged;
        }
        let roots = self.entries().iter();
        let roots = roots.map(|entry| reference(None, Some(entry.promise.digest.clone())));
        roots.collect()
    }

    /// Everything that it lists, with a name or without.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    /// The image of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&Entry> {
        self.index.named(name)
    }

    /// What its index says of a digest.
    pub(crate) fn listed(&self, digest: &Digest) -> Option<&Entry> {
        self.index.of(digest)
    }

    /// The content in the file of a digest, whatever it is; none where there is no such file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is behind a symbolic link that leads out.
    pub(crate) fn content(&self, digest: &Digest) -> io::Result<Option<Content>> {
        let file = self.root.file(path_of(digest))?;
        file.map(Content::of).transpose()
    }
}

/// Where a layout has a digest. A [`Digest`] has no character that could lead elsewhere.
pub(crate) fn path_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.digest())
}

/// A path for a message.
pub(super) fn shown(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// Whether [`MARKER`] says version 1.
///
/// # Errors
///
/// What is wrong with it, as a fragment.
pub(super) fn check_version(marker: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Marker {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let Ok(Marker { version }) = serde_json::from_slice(marker) else {
        return Err(format!("has {MARKER}, which states no imageLayoutVersion"));
    };
    if version != "1" && !version.starts_with("1.") {
        return Err(format!(
            "is an image layout of version {}, and only 1.x is known",
            quoted(&version)
        ));
    }
    Ok(())
}

/// Reads [`INDEX`].
///
/// # Errors
///
/// What is wrong with it, as a fragment.
pub(super) fn read_index(bytes: &[u8]) -> Result<Index, String> {
    if bytes.len() > MANIFEST_LIMIT {
        return Err(format!(
            "has {INDEX} of more than {MANIFEST_LIMIT} bytes, the most that is read"
        ));
    }
    Index::read(bytes).map_err(|why| format!("has {INDEX}, which {why}"))
}

/// What else the directory may be.
fn other_form(root: &Root) -> &'static str {
    let has = |path: &str| root.dir().exists(path);
    if has("docker/registry/v2") || has("v2/repositories") {
        ". It is the storage of a registry"
    } else if has("version") && has("manifest.json") {
        ". It is what skopeo writes to dir:; copy it to oci: instead"
    } else if has("manifest.json") {
        ". It is what docker save writes; copy it to oci: by skopeo"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;
    use crate::oci::digest::sha256;

    const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

    /// A directory of this test's own, with these files.
    fn directory(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pullproof-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        for (file, text) in files {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        path
    }

    #[test]
    fn what_is_not_a_layout_is_said_with_what_was_looked_for() {
        let large = " ".repeat(MANIFEST_LIMIT + 1);
        for (files, words) in [
            (
                &[][..],
                "is not an OCI image layout: it has no file oci-layout",
            ),
            (
                &[("docker/registry/v2/x", "")],
                "It is the storage of a registry",
            ),
            (
                &[("version", ""), ("manifest.json", "")],
                "skopeo writes to dir:",
            ),
            (&[("manifest.json", "[]")], "docker save"),
            (&[(MARKER, "{}")], "states no imageLayoutVersion"),
            (&[(MARKER, "")], "states no imageLayoutVersion"),
            (
                &[(MARKER, r#"{"imageLayoutVersion":"2.0.0"}"#)],
                "of version \"2.0.0\", and only 1.x is known",
            ),
            (&[(MARKER, VERSION)], "it has oci-layout, and no index.json"),
            (
                &[(MARKER, VERSION), (INDEX, "{")],
                "index.json, which is not the index",
            ),
            (
                &[(MARKER, VERSION), (INDEX, &large)],
                "index.json of more than",
            ),
            (
                &[(MARKER, VERSION), ("index.json/x", "")],
                "and no index.json",
            ),
        ] {
            let path = directory("no-layout", files);
            let error = Layout::open(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert!(error.starts_with(&format!("{path:?} ")), "{error}");
            std::fs::remove_dir_all(path).unwrap();
        }
        let path = directory("no-directory", &[("file.tar", "")]);
        let error = |name: &str| Layout::open(&path.join(name)).unwrap_err().to_string();
        assert!(
            error("gone").contains("cannot be opened"),
            "{}",
            error("gone")
        );
        assert!(
            error("file.tar").contains("tar=false"),
            "{}",
            error("file.tar")
        );
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn content_is_found_by_its_digest_and_never_outside() {
        let (here, outside, gone) = (sha256(b"here"), sha256(b"outside"), sha256(b"gone"));
        let path = directory(
            "layout",
            &[
                (MARKER, VERSION),
                (INDEX, "{}"),
                (&path_of(&here), "here"),
                ("secret", "s"),
            ],
        );
        let blobs = path.join("blobs/sha256");
        symlink("/etc/hostname", blobs.join(outside.digest())).unwrap();
        let layout = Layout::open(&path).unwrap();
        let content = layout.content(&here).unwrap().unwrap();
        assert_eq!(content.bytes().unwrap(), b"here");
        assert!(layout.content(&gone).unwrap().is_none());
        assert!(layout.content(&outside).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_digest_cannot_lead_out_of_the_directory() {
        for text in [
            "sha256:../../../etc/passwd",
            "../x:abc",
            "..:abc",
            "a/b:abc",
            "sha256:ABCDEF",
            "x:..",
            "x:a/b",
            "x:a.b",
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
