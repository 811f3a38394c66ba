//! Where distribution keeps what, on its filesystem driver.
//!
//! Content of every kind is at `blobs/<algorithm>/<first two digits>/<hex>/data`. What a repository
//! has is said by links: files of one digest, without a line break. See
//! <https://github.com/distribution/distribution/blob/v3.0.0/registry/storage/paths.go>.

use std::io;

use oci_spec::image::Digest;

use crate::layout::root::Root;
use crate::walk::cause::LinkFlaw;

/// Below a root: the only version of the layout that there is.
pub(crate) const TREE: &str = "docker/registry/v2";

/// The longest link that is read, in bytes.
const LONGEST_LINK: u64 = 256;

/// Where the data of a digest is.
pub(crate) fn data(digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm(), digest.digest());
    format!("{TREE}/blobs/{algorithm}/{}/{hex}/data", &hex[..2])
}

/// The link of a manifest in a repository.
pub(crate) fn revision(repository: &str, digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm(), digest.digest());
    format!("{TREE}/repositories/{repository}/_manifests/revisions/{algorithm}/{hex}/link")
}

/// The link of a config or a layer in a repository.
pub(crate) fn layer(repository: &str, digest: &Digest) -> String {
    let (algorithm, hex) = (digest.algorithm(), digest.digest());
    format!("{TREE}/repositories/{repository}/_layers/{algorithm}/{hex}/link")
}

/// The directory of a repository's tags.
pub(crate) fn tags(repository: &str) -> String {
    format!("{TREE}/repositories/{repository}/_manifests/tags")
}

/// The link of a tag.
pub(crate) fn tag(repository: &str, tag: &str) -> String {
    format!("{}/{tag}/current/link", tags(repository))
}

/// What a link says: the digest that it names, or that it names none. None where there is none.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn read_link(root: &Root, path: &str) -> io::Result<Option<Result<Digest, LinkFlaw>>> {
    let Some(bytes) = root.read(path, LONGEST_LINK)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).ok();
    let digest = text.and_then(|text| text.parse().ok());
    Ok(Some(digest.ok_or_else(|| match text {
        Some("") => LinkFlaw::Empty,
        Some(text) if text.trim().parse::<Digest>().is_ok() => LinkFlaw::Blank,
        _ => LinkFlaw::NoDigest,
    })))
}
