//! A repository in distribution's tree as a source: what a registry that was just started would
//! answer from these files.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::time::SystemTime;

use oci_spec::image::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::hashed::Hashed;
use super::tree::{self, Tree};
use crate::layout::look::{self, missing, pause, unreadable};
use crate::layout::root::Root;
use crate::oci::descriptor::Promise;
use crate::oci::digest::of_bytes;
use crate::oci::manifest;
use crate::oci::media_type::{OCI_INDEX, OCI_MANIFEST};
use crate::oci::reference::{Reference, Repository, cosign_tags, referrers_tag};
use crate::walk::cause::{Cause, LinkFlaw};
use crate::walk::checked::Checked;
use crate::walk::product::Product;
use crate::walk::rules::{Depth, Rules};
use crate::walk::source::{
    Asked, Blob, Body, Fault, FaultKind, Head, Look, MANIFEST_LIMIT, Manifest, Referring, Source,
};
use crate::walk::walk;

/// One repository of a tree.
pub(crate) struct StorageRepository<'a> {
    tree: &'a Tree,
    /// Its directory; none where there is none.
    own: Option<Root>,
    /// Its name.
    name: &'a str,
    depth: Depth,
    hashed: &'a Hashed,
    /// Whether the run ends.
    is_stopped: &'a dyn Fn() -> bool,
}

impl<'a> StorageRepository<'a> {
    /// The repository with this name.
    ///
    /// # Errors
    ///
    /// When its directory cannot be read.
    pub(crate) fn open(
        tree: &'a Tree,
        name: &'a str,
        depth: Depth,
        hashed: &'a Hashed,
        is_stopped: &'a dyn Fn() -> bool,
    ) -> io::Result<Self> {
        Ok(Self {
            tree,
            own: tree.repository(name)?,
            name,
            depth,
            hashed,
            is_stopped,
        })
    }

    /// What a link of it says; none where there is none.
    fn link(&self, path: &str) -> Result<Option<Result<Digest, LinkFlaw>>, Fault> {
        let Some(own) = &self.own else {
            return Ok(None);
        };
        let read = self.tree.link(own, path);
        read.map_err(|failure| self.unreadable(path, &failure))
    }

    fn unreadable(&self, path: &str, failure: &io::Error) -> Fault {
        unreadable(
            format!("{}/{}/{path}", tree::REPOSITORIES, self.name),
            failure,
        )
    }

    /// Whether a link names this digest; none where there is no link.
    fn is_linked(&self, path: &str, digest: &Digest) -> Result<Option<()>, Fault> {
        let Some(own) = &self.own else {
            return Ok(None);
        };
        let read = self.tree.is_linked(own, path, digest);
        match read.map_err(|failure| self.unreadable(path, &failure))? {
            Some(Err(flaw)) => Err(missing(Cause::LinkDamaged(flaw))),
            linked => Ok(linked.map(|_| ())),
        }
    }

    fn data(&self, digest: &Digest) -> Result<Option<(File, u64)>, Fault> {
        let found = self.tree.data(digest);
        found.map_err(|failure| unreadable(tree::data(digest), &failure))
    }

    /// The manifest that a tag leads to.
    fn tagged(&self, tag: &str) -> Result<Manifest, Fault> {
        match self.link(&tree::tag(tag))? {
            None => Err(missing(Cause::Plain)),
            Some(Err(flaw)) => Err(missing(Cause::LinkDamaged(flaw))),
            Some(Ok(digest)) => self.revision(&digest),
        }
    }

    /// The same reference with the digest that its tag names, so that a manifest that is damaged or
    /// gone has a name.
    pub(crate) fn pinned(&self, reference: &Reference) -> Reference {
        let link = reference.tag.as_deref().map(tree::tag);
        let named = link.and_then(|link| self.link(&link).ok()??.ok());
        Reference {
            digest: reference.digest.clone().or(named),
            ..reference.clone()
        }
    }

    /// When a tag was pushed, or moved: the directory of a tag keeps its time when the tag moves, and
    /// its link does not. None where there is no link.
    pub(crate) fn pushed(&self, tag: &str) -> Option<SystemTime> {
        let link = self.own.as_ref()?.file(tree::tag(tag)).ok()??;
        link.metadata().ok()?.modified().ok()
    }

    /// Walks images of it.
    pub(crate) async fn walked(
        &self,
        repository: &Repository,
        references: &[Reference],
        rules: &Rules,
        stop: impl Future<Output = Cause>,
    ) -> Checked {
        let pinned: Vec<Reference> = references.iter().map(|one| self.pinned(one)).collect();
        let mut checked = walk(self, repository, &pinned, rules, stop, |_, _| ()).await;
        checked.name(references);
        checked.finish(str::to_owned);
        checked
    }

    /// The manifest of this digest.
    fn revision(&self, digest: &Digest) -> Result<Manifest, Fault> {
        let linked = self.is_linked(&tree::revision(digest), digest)?;
        let read = match self.data(digest)? {
            None => None,
            Some((file, length)) => {
                let read = read(file, length);
                Some(read.map_err(|failure| unreadable(tree::data(digest), &failure))?)
            }
        };
        match (linked, read) {
            (Some(()), Some(body)) => Ok(delivered(body, digest)),
            (Some(()), None) => Err(missing(Cause::DataGone)),
            (None, Some(Body::Whole(bytes)))
                if of_bytes(&bytes, digest).as_ref() == Some(digest)
                    && manifest::read(&bytes, None, None).is_ok() =>
            {
                let has_layer_link = self.is_linked(&tree::layer(digest), digest);
                Err(missing(Cause::Unlinked {
                    has_layer_link: matches!(has_layer_link, Ok(Some(()))),
                }))
            }
            (None, _) => Err(missing(Cause::Plain)),
        }
    }

    /// The file of a blob that is linked, and its length.
    fn linked_blob(&self, digest: &Digest) -> Result<(File, u64), Fault> {
        let linked = self.is_linked(&tree::layer(digest), digest)?;
        match (linked, self.data(digest)?) {
            (Some(()), Some(found)) => Ok(found),
            (Some(()), None) => Err(missing(Cause::DataGone)),
            (None, Some(_)) => Err(missing(Cause::Unlinked {
                has_layer_link: false,
            })),
            (None, None) => Err(missing(Cause::Plain)),
        }
    }

    fn looked_at(&self, promise: &Promise, is_again: bool) -> Result<Blob, Fault> {
        let (file, length) = self.linked_blob(&promise.digest)?;
        let by_length = look::length(length, promise);
        if self.depth != Depth::Full || !matches!(by_length, Blob::Stated { .. }) {
            return Ok(by_length);
        }
        let hashed = self.hashed.digest(file, promise, is_again, self.is_stopped);
        let digest = hashed.map_err(|failure| unreadable(tree::data(&promise.digest), &failure))?;
        Ok(Blob::Whole {
            length,
            digest,
            bytes: None,
        })
    }

    fn read_config(&self, promise: &Promise) -> Result<Blob, Fault> {
        let (file, _) = self.linked_blob(&promise.digest)?;
        look::config(&file, promise)
            .map_err(|failure| unreadable(tree::data(&promise.digest), &failure))
    }

    /// Adds what a tag made from a digest leads to; nothing, where there is none.
    fn add_referring(
        &self,
        found: &mut Vec<Referring>,
        tag: &str,
        what: fn(Manifest) -> Referring,
    ) -> Result<(), Fault> {
        match self.tagged(tag) {
            Ok(manifest) => found.push(what(manifest)),
            Err(fault) if fault.kind == FaultKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn referring(&self, digest: &Digest) -> Result<Vec<Referring>, Fault> {
        let mut found = Vec::new();
        self.add_referring(&mut found, &referrers_tag(digest), Referring::List)?;
        for tag in cosign_tags(digest) {
            self.add_referring(&mut found, &tag, Referring::Tagged)?;
        }
        Ok(found)
    }
}

impl Source for StorageRepository<'_> {
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        pause(look).await;
        if let Some(digest) = &reference.digest {
            return Asked::unasked(self.revision(digest));
        }
        Asked::unasked(self.tagged(reference.tag.as_deref().unwrap_or_default()))
    }

    async fn head(&self, _: &Reference, _: Look) -> Head {
        Head::Unsaid
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        pause(look).await;
        Asked::unasked(self.revision(digest))
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        pause(look).await;
        Asked::unasked(self.looked_at(promise, look.is_again()))
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        pause(look).await;
        Asked::unasked(self.read_config(promise))
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        pause(look).await;
        Asked::unasked(self.referring(digest))
    }

    async fn is_there(&self) -> bool {
        true
    }

    fn product(&self) -> Product {
        Product::Disk
    }
}

/// The bytes of a manifest.
fn read(file: File, length: u64) -> io::Result<Body> {
    if length > MANIFEST_LIMIT as u64 {
        return Ok(Body::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(MANIFEST_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(match bytes.len() {
        length if length > MANIFEST_LIMIT => Body::TooLarge,
        _ => Body::Whole(bytes),
    })
}

/// What distribution reads of a manifest before it sends it.
#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow, default, rename = "mediaType")]
    media_type: Option<Cow<'a, str>>,
    #[serde(default)]
    manifests: Option<IgnoredAny>,
}

/// A manifest as distribution answers it: by its own `mediaType`, else as an OCI index or manifest.
fn delivered(body: Body, digest: &Digest) -> Manifest {
    let content_type = match &body {
        Body::Whole(bytes) => content_type(bytes),
        _ => None,
    };
    Manifest {
        body,
        content_type,
        claimed: Some(digest.to_string()),
    }
}

fn content_type(bytes: &[u8]) -> Option<String> {
    let read: Versioned<'_> = serde_json::from_slice(bytes).ok()?;
    let own = read.media_type.filter(|text| !text.is_empty());
    Some(match (own, read.manifests) {
        (Some(own), _) => own.into_owned(),
        (None, Some(_)) => OCI_INDEX.to_owned(),
        (None, None) => OCI_MANIFEST.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_delivered_as_what_it_says_it_is_or_as_one_of_oci() {
        for (text, expected) in [
            (r#"{"mediaType":"x/y","manifests":[]}"#, Some("x/y")),
            (r#"{"manifests":[]}"#, Some(OCI_INDEX)),
            (r#"{"mediaType":"","manifests":[{}]}"#, Some(OCI_INDEX)),
            (r#"{"manifests":null,"layers":[]}"#, Some(OCI_MANIFEST)),
            (r#"{"schemaVersion":2}"#, Some(OCI_MANIFEST)),
            ("", None),
            ("[", None),
        ] {
            assert_eq!(content_type(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }
}
