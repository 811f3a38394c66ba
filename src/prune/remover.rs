//! Deleting from a repository; the only trait that deletes.

use oci_spec::image::Digest;

use crate::oci::reference::Reference;
use crate::repair::writer::Writer;
use crate::walk::source::Asked;

/// One repository, as something that can be deleted from. Nobody can make one without
/// [`Deletion`](crate::settings::Deletion), which only the settings of a prune give.
pub(crate) trait Remover {
    /// Deletes a tag and not what it leads to. Some registries cannot, and answer 400 or 405. `tried`
    /// is how often it was asked before.
    fn delete_tag(&self, tag: &str, tried: u32) -> impl Future<Output = Asked<Taken>>;

    /// Deletes a manifest, and on most registries every tag that leads to it.
    fn delete_manifest(&self, digest: &Digest, tried: u32) -> impl Future<Output = Asked<Taken>>;
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It was done.
    Deleted,
    /// It may be asked for again, now that the registry had its pause: somebody may have pushed
    /// meanwhile, so that it is not repeated by itself.
    AskAgain,
}

/// One repository, as something that a deleted manifest can be put back into.
pub(crate) trait Returner {
    /// Puts a manifest back under its digest.
    fn put_back(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> impl Future<Output = Asked<()>>;
}

impl<W: Writer> Returner for W {
    async fn put_back(&self, reference: &Reference, media_type: &str, bytes: &[u8]) -> Asked<()> {
        self.put(reference, media_type, bytes).await
    }
}
