//! What a descriptor promises of the content it names.

use oci_spec::image::Digest;

/// What a descriptor promises of the content it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    /// What the content hashes to.
    pub digest: Digest,
    /// How long it is, in bytes.
    pub size: u64,
}
