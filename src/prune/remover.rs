//! Deleting from a repository; the only trait that deletes.

use oci_spec::image::Digest;

use crate::walk::source::Asked;

/// One repository, as something that can be deleted from. Nobody can make one without
/// [`Deletion`](crate::settings::Deletion), which only the settings of a prune give.
pub(crate) trait Remover {
    /// Deletes a tag and not what it leads to. Some registries cannot, and answer 400 or 405.
    fn delete_tag(&self, tag: &str) -> impl Future<Output = Asked<()>>;

    /// Deletes a manifest, and on most registries every tag that leads to it.
    fn delete_manifest(&self, digest: &Digest) -> impl Future<Output = Asked<()>>;
}
