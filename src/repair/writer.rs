//! Putting content into a repository; the only trait that writes.

use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::reference::{Reference, Repository};
use crate::walk::source::Asked;

/// One repository, as something that content can be put into. Nobody can make one without
/// [`Permission`](crate::settings::Permission), which only the settings of a repair give.
pub(crate) trait Writer {
    /// Uploads a blob. Whether it is there is not asked first: a stale cache would say so.
    fn upload(&self, promise: &Promise, content: &Content) -> impl Future<Output = Asked<()>>;

    /// Has the registry take a blob from another of its repositories; false where it does not.
    fn mount(&self, promise: &Promise, from: &Repository) -> impl Future<Output = Asked<bool>>;

    /// Puts a manifest under its digest, or under a tag.
    fn put(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> impl Future<Output = Asked<()>>;
}
