//! Where distribution keeps what, on its filesystem driver.
//!
//! Content of every kind is at `blobs/<algorithm>/<first two digits>/<hex>/data`. What a repository
//! has is said by links: files of one digest, without a line break. See
//! <https://github.com/distribution/distribution/blob/v3.0.0/registry/storage/paths.go>.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use oci_spec::image::Digest;

use crate::layout::root::Root;
use crate::walk::cause::LinkFlaw;

/// Below a root directory: the only version of the layout that there is.
pub(crate) const TREE: &str = "docker/registry/v2";

/// Below the tree: where repositories are.
pub(crate) const REPOSITORIES: &str = "repositories";

/// Below the tree: where the data of all content is.
pub(crate) const BLOBS: &str = "blobs";

/// Below a repository: where its tags are.
pub(crate) const TAGS: &str = "_manifests/tags";

/// Below a repository: the links of its manifests, by algorithm.
pub(crate) const REVISIONS: &str = "_manifests/revisions";

/// Below a repository: the links of its configs and layers, by algorithm.
pub(crate) const LAYERS: &str = "_layers";

/// Below a repository: the uploads that are not done.
pub(crate) const UPLOADS: &str = "_uploads";

/// Room for the longest link, in bytes: what is longer is none.
pub(super) const LINK: usize = 256;

/// Where the data of a digest is, below the tree.
pub(crate) fn data(digest: &Digest) -> String {
    let (algorithm, hex) = parts(digest);
    let start = hex.get(..2).unwrap_or(hex);
    [BLOBS, "/", algorithm, "/", start, "/", hex, "/data"].concat()
}

/// The link of a manifest, below its repository.
pub(crate) fn revision(digest: &Digest) -> String {
    link(REVISIONS, digest)
}

/// The link of a config or a layer, below its repository.
pub(crate) fn layer(digest: &Digest) -> String {
    link(LAYERS, digest)
}

fn link(links: &str, digest: &Digest) -> String {
    let (algorithm, hex) = parts(digest);
    [links, "/", algorithm, "/", hex, "/link"].concat()
}

/// The algorithm of a digest, and its hash.
fn parts(digest: &Digest) -> (&str, &str) {
    let whole = digest.as_ref();
    whole.split_once(':').unwrap_or((whole, whole))
}

/// The link of a tag, below its repository.
pub(crate) fn tag(tag: &str) -> String {
    format!("{TAGS}/{tag}/current/link")
}

/// The directory of the tree, `docker/registry/v2`.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Root,
    /// How many files were opened.
    files: AtomicU64,
    pace: Option<Pace>,
}

/// How fast files are opened at most.
#[derive(Debug)]
struct Pace {
    /// From one file to the next.
    pause: Duration,
    /// When the next one may be opened.
    next: Mutex<Instant>,
}

impl Pace {
    /// Waits until the next file may be opened.
    fn wait(&self) {
        let now = Instant::now();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(now);
            *next = turn + self.pause;
            turn
        };
        std::thread::sleep(turn.saturating_duration_since(now));
    }
}

impl Tree {
    /// The tree in this directory.
    pub(crate) fn new(root: Root) -> Self {
        Self {
            root,
            files: AtomicU64::new(0),
            pace: None,
        }
    }

    /// The same with so many files opened a second, at most.
    pub(crate) fn at_rate(mut self, rate: Option<u32>) -> Self {
        self.pace = rate.map(|rate| Pace {
            pause: Duration::from_secs(1) / rate.max(1),
            next: Mutex::new(Instant::now()),
        });
        self
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// How many files were opened until now.
    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// The directory of a repository; none where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn repository(&self, name: &str) -> io::Result<Option<Root>> {
        self.root.below(format!("{REPOSITORIES}/{name}"))
    }

    /// The data of a digest, and its length in bytes; none where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn data(&self, digest: &Digest) -> io::Result<Option<(File, u64)>> {
        self.count();
        self.root.sized(data(digest))
    }

    /// What a link below `root` says: the digest that it names, or that it names none. None where
    /// there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn link(
        &self,
        root: &Root,
        path: &str,
    ) -> io::Result<Option<Result<Digest, LinkFlaw>>> {
        let mut bytes = [0; LINK];
        let length = self.read(root, path, &mut bytes)?;
        Ok(length.map(|length| read_link(&bytes[..length])))
    }

    /// Whether a link below `root` names this digest, or why not. None where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) fn is_linked(
        &self,
        root: &Root,
        path: &str,
        digest: &Digest,
    ) -> io::Result<Option<Result<(), LinkFlaw>>> {
        let mut bytes = [0; LINK];
        let Some(length) = self.read(root, path, &mut bytes)? else {
            return Ok(None);
        };
        let bytes = &bytes[..length];
        if bytes == digest.as_ref().as_bytes() {
            return Ok(Some(Ok(())));
        }
        let flaw = read_link(bytes).map_or_else(|flaw| flaw, |it| LinkFlaw::Other(Box::new(it)));
        Ok(Some(Err(flaw)))
    }

    /// Reads a link; gives its length in bytes, if it is there.
    fn read(&self, root: &Root, path: &str, bytes: &mut [u8]) -> io::Result<Option<usize>> {
        self.count();
        let Some(mut file) = root.file(path)? else {
            return Ok(None);
        };
        let mut length = 0;
        loop {
            match file.read(&mut bytes[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(Some(length))
    }

    fn count(&self) {
        if let Some(pace) = &self.pace {
            pace.wait();
        }
        self.files.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the content of a link says.
pub(super) fn read_link(bytes: &[u8]) -> Result<Digest, LinkFlaw> {
    let text = std::str::from_utf8(bytes).map_err(|_| LinkFlaw::NoDigest)?;
    text.parse().map_err(|_| match text {
        "" => LinkFlaw::Empty,
        text if text.trim().parse::<Digest>().is_ok() => LinkFlaw::Blank,
        _ => LinkFlaw::NoDigest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    #[test]
    fn paths_are_those_of_distribution() {
        let digest: Digest = format!("sha256:{HASH}").parse().unwrap();
        assert_eq!(data(&digest), format!("blobs/sha256/6c/{HASH}/data"));
        assert_eq!(
            revision(&digest),
            format!("_manifests/revisions/sha256/{HASH}/link")
        );
        assert_eq!(layer(&digest), format!("_layers/sha256/{HASH}/link"));
        assert_eq!(tag("1.4"), "_manifests/tags/1.4/current/link");
        let odd: Digest = "odd:a".parse().unwrap();
        assert_eq!(data(&odd), "blobs/odd/a/a/data");
    }

    #[test]
    fn a_link_is_a_digest_and_nothing_else() {
        let whole = format!("sha256:{HASH}");
        assert_eq!(read_link(whole.as_bytes()).unwrap().as_ref(), whole);
        for (text, flaw) in [
            ("", LinkFlaw::Empty),
            ("sha256:6c3c", LinkFlaw::NoDigest),
            ("\0\0", LinkFlaw::NoDigest),
            (&format!("{whole}\n"), LinkFlaw::Blank),
            (&format!(" {whole}"), LinkFlaw::Blank),
            (&format!("{whole}{whole}"), LinkFlaw::NoDigest),
        ] {
            assert_eq!(read_link(text.as_bytes()), Err(flaw), "{text:?}");
        }
        assert_eq!(read_link(b"\xff"), Err(LinkFlaw::NoDigest));
    }
}
