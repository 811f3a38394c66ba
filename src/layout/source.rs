//! An OCI image layout as the content of one repository.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use oci_spec::image::Digest;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::content::Content;
use super::directory::{Layout, NotALayout, path_of};
use super::index::Entry;
use super::look::{missing, other_length, pause, unreadable};
use crate::oci::descriptor::Promise;
use crate::oci::digest::{self, Hasher};
use crate::oci::manifest;
use crate::oci::media_type::OCI_INDEX;
use crate::oci::reference::{Reference, Repository, cosign_tags, referrers_tag};
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::known::Listed;
use crate::walk::rules::Depth;
use crate::walk::source::{
    Asked, Blob, Body, CONFIG_LIMIT, Catalog, Fault, Head, List, Look, MANIFEST_LIMIT, Manifest,
    Referring, Source,
};
use crate::walk::verdict::Verdict;

/// How much is hashed at once on another thread, in bytes.
const BATCH: usize = 4 * 1024 * 1024;

/// The images of one layout.
#[derive(Debug)]
pub(crate) struct LayoutRepository {
    layout: Result<Layout, Fault>,
    depth: Depth,
    /// How many files are hashed at once.
    hashing: Semaphore,
    /// What names each digest as its subject.
    subjects: OnceLock<HashMap<String, Vec<Value>>>,
}

impl LayoutRepository {
    /// The layout in a directory, whose blobs are checked at `depth`. One that cannot be opened
    /// answers nothing.
    pub(crate) fn open(directory: &Path, depth: Depth) -> Self {
        let unopened = |NotALayout(words)| {
            let failure = io::Error::other(words);
            unreadable(directory, &failure)
        };
        let cores = std::thread::available_parallelism();
        Self {
            layout: Layout::open(directory).map_err(unopened),
            depth,
            hashing: Semaphore::new(cores.map_or(1, Into::into)),
            subjects: OnceLock::new(),
        }
    }

    /// What its images are called; none where it could not be opened.
    fn tags(&self) -> Vec<String> {
        let layout = self.layout.as_ref();
        let tags = layout.map_or_else(|_| Vec::new(), Layout::tags);
        tags.into_iter().map(str::to_owned).collect()
    }

    /// What it lists; nothing where it could not be opened.
    pub(crate) fn references(&self, repository: &Repository) -> Vec<Reference> {
        let layout = self.layout.as_ref();
        layout.map_or_else(|_| Vec::new(), |layout| layout.references(repository))
    }

    /// Gives the images of a walk the references that they were asked for by, which were pinned for
    /// it, and notes what it lists in the place of tags that are missing.
    pub(crate) fn name(&self, checked: &mut Checked, references: &[Reference]) {
        let tags = self.tags();
        checked.name(references);
        for subject in &checked.subjects {
            let root = checked.graph.node(subject.root);
            if let Some(tag) = &subject.reference.tag
                && root.verdict() == Verdict::Missing
            {
                let listed = if root.is_nameless() {
                    Listed::of(tag, &tags)
                } else {
                    Listed::ItToo
                };
                checked.known.tags.insert(tag.as_str().into(), listed);
            }
        }
    }

    /// The same reference with the digest that the index gives its tag: content that is damaged is
    /// then compared with it.
    pub(crate) fn pinned(&self, reference: &Reference) -> Reference {
        let entry = self.layout.as_ref().ok().zip(reference.tag.as_deref());
        let entry = entry.and_then(|(layout, tag)| layout.named(tag));
        let digest = entry.map(|entry| entry.promise.digest.clone());
        Reference {
            digest: reference.digest.clone().or(digest),
            ..reference.clone()
        }
    }

    fn layout(&self) -> Result<&Layout, Fault> {
        self.layout.as_ref().map_err(Clone::clone)
    }

    fn content(&self, digest: &Digest) -> Result<Content, Fault> {
        match self.layout()?.content(digest) {
            Ok(Some(content)) => Ok(content),
            Ok(None) => Err(missing(Cause::Plain)),
            Err(failure) => Err(unreadable(path_of(digest), &failure)),
        }
    }

    fn read_manifest(&self, digest: &Digest) -> Result<Manifest, Fault> {
        let content = self.content(digest)?;
        let listed = self.layout()?.listed(digest);
        let body = if content.length() > MANIFEST_LIMIT as u64 {
            Body::TooLarge
        } else {
            let bytes = content.bytes();
            let bytes = bytes.map_err(|failure| unreadable(path_of(digest), &failure))?;
            let received = bytes.len() as u64;
            let is_short = listed.is_some_and(|entry| received < entry.promise.size);
            if is_short && digest::of_bytes(&bytes, digest).as_ref() != Some(digest) {
                Body::Cut { received }
            } else {
                Body::Whole(bytes)
            }
        };
        let media_type = listed.and_then(|entry| entry.media_type.clone());
        Ok(Manifest {
            content_type: media_type.or_else(|| own_type(&body)),
            claimed: Some(digest.to_string()),
            body,
        })
    }

    /// What a tag or a digest stands for.
    fn digest_of(&self, reference: &Reference) -> Result<Digest, Fault> {
        let pinned = self.pinned(reference).digest;
        self.layout()?;
        pinned.ok_or_else(|| missing(Cause::Plain))
    }

    /// A look at a blob, at every byte of it or only at its length.
    async fn looked(&self, promise: &Promise, whole: bool, keep: bool) -> Result<Blob, Fault> {
        let content = self.content(&promise.digest)?;
        let length = content.length();
        if let Some(other) = other_length(length, promise.size) {
            return Ok(other);
        }
        let Some(hasher) = Hasher::like(&promise.digest).filter(|_| whole) else {
            return Ok(Blob::Stated { length });
        };
        let permit = self.hashing.acquire().await;
        let outcome = hashed(content, hasher, keep).await;
        drop(permit);
        match outcome {
            Ok((digest, bytes)) => Ok(Blob::Whole {
                length,
                digest,
                bytes,
            }),
            Err(failure) => Err(unreadable(path_of(&promise.digest), &failure)),
        }
    }

    /// What the manifests of the index name as their subject, as descriptors below it.
    fn subjects(&self, layout: &Layout) -> &HashMap<String, Vec<Value>> {
        self.subjects.get_or_init(|| {
            let mut subjects: HashMap<String, Vec<Value>> = HashMap::new();
            for entry in layout.entries() {
                if let Some((subject, descriptor)) = self.referring(entry) {
                    subjects.entry(subject).or_default().push(descriptor);
                }
            }
            subjects
        })
    }

    fn referring(&self, entry: &Entry) -> Option<(String, Value)> {
        let Body::Whole(bytes) = self.read_manifest(&entry.promise.digest).ok()?.body else {
            return None;
        };
        let document: Value = serde_json::from_slice(&bytes).ok()?;
        let subject = document["subject"]["digest"].as_str()?.to_owned();
        let listed = entry.media_type.as_deref();
        let mut descriptor = json!({
            "mediaType": listed.or(document["mediaType"].as_str()),
            "digest": entry.promise.digest.as_ref(),
            "size": entry.promise.size,
        });
        let own = &document["artifactType"];
        if own.is_string() {
            descriptor["artifactType"] = own.clone();
        }
        Some((subject, descriptor))
    }

    fn referring_to(&self, digest: &Digest) -> Result<Vec<Referring>, Fault> {
        let layout = self.layout()?;
        let mut all = Vec::new();
        if let Some(descriptors) = self.subjects(layout).get(digest.as_ref()) {
            let list = json!({
                "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors,
            });
            all.push(Referring::List(Manifest {
                body: Body::Whole(list.to_string().into_bytes()),
                content_type: Some(OCI_INDEX.to_owned()),
                claimed: None,
            }));
        }
        if let Some(entry) = layout.named(&referrers_tag(digest)) {
            all.push(Referring::List(self.read_manifest(&entry.promise.digest)?));
        }
        for tag in cosign_tags(digest) {
            if let Some(entry) = layout.named(&tag) {
                let manifest = self.read_manifest(&entry.promise.digest)?;
                all.push(Referring::Tagged(manifest));
            }
        }
        Ok(all)
    }
}

/// What a manifest that the index does not list is to be pushed as.
fn own_type(body: &Body) -> Option<String> {
    let Body::Whole(bytes) = body else {
        return None;
    };
    let text = String::from_utf8_lossy(bytes);
    let read = manifest::read(text.as_bytes(), None, None).ok()?;
    Some(read.media_type).filter(|text| !text.is_empty())
}

/// Hashes content on other threads, piece by piece, so that a run that ends does not wait for it.
async fn hashed(
    content: Content,
    mut hasher: Hasher,
    keep: bool,
) -> io::Result<(Digest, Option<Vec<u8>>)> {
    let small = content.length() < BATCH as u64;
    let batch = if small {
        usize::try_from(content.length()).unwrap_or(BATCH) + 1
    } else {
        BATCH
    };
    let mut kept = keep.then(Vec::new);
    let mut piece = vec![0; batch];
    let mut position = 0;
    loop {
        let reading = content.clone();
        let read = move || {
            let read = reading.read_at(&mut piece, position);
            if let Ok(length) = read {
                hasher.update(&piece[..length]);
            }
            (read, piece, hasher)
        };
        let (read, back, advanced) = if small {
            read()
        } else {
            spawn_blocking(read).await.map_err(io::Error::other)?
        };
        (piece, hasher) = (back, advanced);
        let length = read?;
        if length == 0 {
            return Ok((hasher.finish(), kept));
        }
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&piece[..length]);
        }
        position += length as u64;
    }
}

impl Source for LayoutRepository {
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        pause(look).await;
        let digest = self.digest_of(reference);
        Asked::unasked(digest.and_then(|digest| self.read_manifest(&digest)))
    }

    async fn head(&self, _: &Reference, _: Look) -> Head {
        Head::Unsaid
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        pause(look).await;
        Asked::unasked(self.read_manifest(digest))
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        pause(look).await;
        let whole = self.depth == Depth::Full;
        Asked::unasked(self.looked(promise, whole, false).await)
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        pause(look).await;
        let whole = promise.size <= CONFIG_LIMIT;
        Asked::unasked(self.looked(promise, whole, true).await)
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        pause(look).await;
        Asked::unasked(self.referring_to(digest))
    }

    async fn is_there(&self) -> bool {
        self.layout.is_ok()
    }
}

impl Catalog for LayoutRepository {
    async fn repositories(&self) -> Asked<List> {
        Asked::unasked(self.layout().map(|_| List {
            names: vec![String::new()],
            ..List::default()
        }))
    }

    async fn tags(&self, _: &Repository) -> Asked<List> {
        Asked::unasked(self.layout().map(|layout| List {
            names: layout.tags().into_iter().map(str::to_owned).collect(),
            ..List::default()
        }))
    }
}
