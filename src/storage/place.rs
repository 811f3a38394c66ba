//! Where a repair or a prune writes, below the root of a storage.

use std::io;

use oci_spec::image::Digest;

use super::tree;
pub(super) use super::tree::TREE;
use crate::layout::root::Root;

/// Where the data of all content is.
pub(super) const BLOBS: &str = "docker/registry/v2/blobs";

/// Where the links of all repositories are.
pub(super) const REPOSITORIES: &str = "docker/registry/v2/repositories";

/// The longest link that is read, in bytes.
const LONGEST_LINK: u64 = tree::LINK as u64;

/// The data of a digest.
pub(super) fn data(digest: &Digest) -> String {
    format!("{TREE}/{}", tree::data(digest))
}

/// The link of a manifest in a repository.
pub(super) fn revision(repository: &str, digest: &Digest) -> String {
    format!("{REPOSITORIES}/{repository}/{}", tree::revision(digest))
}

/// The link of a config or a layer in a repository.
pub(super) fn layer(repository: &str, digest: &Digest) -> String {
    format!("{REPOSITORIES}/{repository}/{}", tree::layer(digest))
}

/// The directory of a tag.
pub(super) fn tag_directory(repository: &str, tag: &str) -> String {
    format!("{REPOSITORIES}/{repository}/{}/{tag}", tree::TAGS)
}

/// The link of a tag.
pub(super) fn tag(repository: &str, tag: &str) -> String {
    format!("{}/current/link", tag_directory(repository, tag))
}

/// The link by which the history of a tag has a manifest.
pub(super) fn tag_history(repository: &str, tag: &str, digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm(), digest.digest());
    let tags = tree::TAGS;
    format!("{REPOSITORIES}/{repository}/{tags}/{tag}/index/{algorithm}/{hex}/link")
}

/// What the link at a path names; none where there is no link, or it names nothing.
///
/// # Errors
///
/// When it cannot be read.
pub(super) fn named(root: &Root, path: &str) -> io::Result<Option<Digest>> {
    let bytes = root.read(path, LONGEST_LINK)?;
    Ok(bytes.and_then(|bytes| tree::read_link(&bytes).ok()))
}
