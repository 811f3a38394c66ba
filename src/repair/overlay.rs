//! A repository as it will be: with the manifests that were found elsewhere.

use std::collections::HashMap;

use oci_spec::image::Digest;

use crate::oci::descriptor::Promise;
use crate::oci::reference::Reference;
use crate::walk::product::Product;
use crate::walk::source::{Asked, Blob, Head, Look, Manifest, Referring, Source};

/// What was found elsewhere.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// Manifests by their digests.
    pub(super) manifests: HashMap<Digest, Manifest>,
    /// What tags that are gone led to.
    pub(super) tags: HashMap<String, Digest>,
}

impl Recovered {
    fn of(&self, reference: &Reference) -> Option<&Manifest> {
        let digest = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest,
            (None, tag) => self.tags.get(tag.as_deref()?)?,
        };
        self.manifests.get(digest)
    }
}

/// A repository with what was found elsewhere.
pub(super) struct Overlay<'a, S> {
    pub(super) source: &'a S,
    pub(super) recovered: &'a Recovered,
}

impl<S: Source> Source for Overlay<'_, S> {
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        match self.recovered.of(reference) {
            Some(manifest) => Asked::unasked(Ok(manifest.clone())),
            None => self.source.resolve(reference, look).await,
        }
    }

    async fn head(&self, reference: &Reference, look: Look) -> Head {
        match self.recovered.of(reference) {
            Some(_) => Head::Unsaid,
            None => self.source.head(reference, look).await,
        }
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        match self.recovered.manifests.get(digest) {
            Some(manifest) => Asked::unasked(Ok(manifest.clone())),
            None => self.source.manifest(digest, look).await,
        }
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        self.source.blob(promise, look).await
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        self.source.config(promise, look).await
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        self.source.referrers(digest, look).await
    }

    async fn is_there(&self) -> bool {
        self.source.is_there().await
    }

    fn product(&self) -> Product {
        self.source.product()
    }
}
