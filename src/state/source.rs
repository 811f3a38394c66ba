//! A registry's repository, asked only for what is not remembered, or is due.

use oci_spec::image::Digest;

use super::notebook::{BlobWay, ManifestWay, Notebook, agrees};
use crate::oci::config::Facts;
use crate::oci::descriptor::Promise;
use crate::oci::reference::Reference;
use crate::registry::RegistryRepository;
use crate::walk::product::Product;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, Head, Look, Manifest, Referring, Source};
use crate::walk::verdict::{Verdict, judge_blob};

/// A repository, with what is remembered of it, if anything is to be.
///
/// Only a first question is ever answered from memory. Who asks again, or asks for a witness, asks
/// the registry.
pub(crate) struct Remembering<'a> {
    pub(crate) registry: RegistryRepository<'a>,
    pub(crate) notebook: Option<&'a Notebook>,
}

impl<'a> Remembering<'a> {
    /// The notebook, for a question that may be answered from it.
    fn for_a(&self, look: Look) -> Option<&'a Notebook> {
        let is_first = matches!(look, Look::First | Look::MayBeAbsent);
        self.notebook.filter(|_| is_first)
    }

    /// Asks for a blob, and notes the answer.
    async fn look(&self, promise: &Promise, depth: Depth, look: Look) -> Asked<Blob> {
        let asked = self.registry.at(depth).blob(promise, look).await;
        if let Some(notebook) = self.notebook {
            notebook.note_blob(promise, depth, &asked);
        }
        asked
    }

    /// Fetches a config, and notes the answer.
    async fn fetch_config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        let asked = self.registry.config(promise, look).await;
        if let Some(notebook) = self.notebook {
            notebook.note_blob(promise, Depth::Full, &asked);
        }
        asked
    }

    /// Fetches a manifest by its digest, and notes the answer.
    async fn fetch(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        let asked = self.registry.manifest(digest, look).await;
        if let Some(notebook) = self.notebook {
            notebook.note_manifest(digest, &asked);
        }
        asked
    }

    /// How a tag is answered to `HEAD`, once in a run.
    async fn head_of(&self, reference: &Reference, notebook: &Notebook) -> Head {
        let tag = reference.tag.as_deref().unwrap_or_default();
        if let Some(head) = notebook.head(tag) {
            return head;
        }
        let head = self.registry.head(reference, Look::First).await;
        notebook.note_head(tag, head.clone());
        head
    }
}

impl Source for Remembering<'_> {
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        if let Some(digest) = &reference.digest {
            let asked = self.registry.resolve(reference, look).await;
            if let Some(notebook) = self.notebook {
                notebook.note_manifest(digest, &asked);
            }
            return asked;
        }
        let tag = reference.tag.as_deref().unwrap_or_default();
        if let Some(notebook) = self.for_a(look)
            && notebook.knows(tag)
        {
            let head = self.head_of(reference, notebook).await;
            if let Some(manifest) = notebook.resolved(tag, &head) {
                return asked_once(manifest);
            }
        }
        let asked = self.registry.resolve(reference, look).await;
        if let Some(notebook) = self.notebook {
            notebook.note_tag(tag, &asked, look.is_again());
        }
        asked
    }

    async fn head(&self, reference: &Reference, look: Look) -> Head {
        match self.for_a(look) {
            Some(notebook) if reference.digest.is_none() => self.head_of(reference, notebook).await,
            _ => self.registry.head(reference, look).await,
        }
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        let way = self
            .for_a(look)
            .map(|notebook| (notebook, notebook.manifest_way(digest)));
        match way {
            None | Some((_, ManifestWay::Fetch)) => {}
            Some((_, ManifestWay::Remembered(manifest))) => return Asked::unasked(Ok(manifest)),
            Some((notebook, ManifestWay::Head(manifest))) => {
                let reference = self.registry.by_digest(digest);
                let head = self.registry.head(&reference, look).await;
                if agrees(&head, &manifest) {
                    notebook.note_presence(digest);
                    return asked_once(manifest);
                }
            }
        }
        self.fetch(digest, look).await
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        let depth = match (self.for_a(look), self.notebook) {
            (Some(notebook), _) => match notebook.blob_way(promise, false) {
                BlobWay::Remembered(blob) => return Asked::unasked(Ok(blob)),
                BlobWay::At(depth, _) => depth,
            },
            (None, Some(notebook)) => notebook.depth_of(&promise.digest),
            (None, None) => return self.registry.blob(promise, look).await,
        };
        self.look(promise, depth, look).await
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        let way = self
            .for_a(look)
            .map(|notebook| notebook.blob_way(promise, true));
        match way {
            Some(BlobWay::Remembered(blob)) => Asked::unasked(Ok(blob)),
            Some(BlobWay::At(depth @ (Depth::Head | Depth::Tail), Some(facts))) => {
                let asked = self.look(promise, depth, look).await;
                with_facts(asked, promise, facts)
            }
            _ => self.fetch_config(promise, look).await,
        }
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        self.registry.referrers(digest, look).await
    }

    async fn is_there(&self) -> bool {
        self.registry.is_there().await
    }

    fn product(&self) -> Product {
        self.registry.product()
    }
}

/// A config that is still there says what it said.
fn with_facts(asked: Asked<Blob>, promise: &Promise, facts: Facts) -> Asked<Blob> {
    match &asked.answer {
        Ok(blob) if judge_blob(promise, blob).0 == Verdict::Ok => {
            let is_begun = matches!(blob, Blob::Begun { .. });
            Asked {
                answer: Ok(Blob::Proven {
                    facts: Some(Box::new(facts)),
                    is_begun,
                }),
                ..asked
            }
        }
        _ => asked,
    }
}

fn asked_once<T>(answer: T) -> Asked<T> {
    Asked {
        attempts: 1,
        status: Some(200),
        ..Asked::unasked(Ok(answer))
    }
}
