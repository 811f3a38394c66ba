//! Images in memory: content by digest, and the documents that refer to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::digest::{sha256, sha512};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const FOREIGN_LAYER: &str =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
pub(crate) const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
pub(crate) const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// A descriptor, as its parent has it: correct until a test changes it.
#[derive(Clone, Debug)]
pub(crate) struct Descriptor(Map<String, Value>);

impl Descriptor {
    /// The descriptor of these bytes.
    pub(crate) fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::promising(media_type, &sha256(bytes), bytes.len() as u64)
    }

    /// A descriptor of any content.
    pub(crate) fn promising(media_type: &str, digest: &str, size: u64) -> Self {
        let json = json!({"mediaType": media_type, "digest": digest, "size": size});
        Self(json.as_object().expect("it is written as one").clone())
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> &str {
        self.0["digest"].as_str().expect("it was made with one")
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0["size"].as_u64().expect("it was made with one")
    }

    /// Its media type.
    pub(crate) fn media_type(&self) -> &str {
        self.0["mediaType"].as_str().expect("it was made with one")
    }

    /// Sets any key to any value.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Leaves a key out.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.0.remove(key);
        self
    }

    /// Says which platform it is for, `os/arch[/variant]`.
    pub(crate) fn platform(self, platform: &str) -> Self {
        let mut parts = platform.split('/');
        let mut json = json!({"os": parts.next(), "architecture": parts.next()});
        if let Some(variant) = parts.next() {
            json["variant"] = variant.into();
        }
        self.with("platform", json)
    }

    /// Adds an annotation.
    pub(crate) fn annotated(mut self, name: &str, value: &str) -> Self {
        let annotations = self.0.entry("annotations").or_insert_with(|| json!({}));
        annotations[name] = value.into();
        self
    }

    /// Says that it is the attestation of another manifest, as `BuildKit` does
    /// (<https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md>).
    pub(crate) fn attests(self, subject: &Self) -> Self {
        self.platform("unknown/unknown")
            .annotated("vnd.docker.reference.type", "attestation-manifest")
            .annotated("vnd.docker.reference.digest", subject.digest())
    }

    /// Carries its content.
    pub(crate) fn inline(self, bytes: &[u8]) -> Self {
        self.with("data", STANDARD.encode(bytes))
    }

    /// Says where else its content is.
    pub(crate) fn urls(self, urls: &[&str]) -> Self {
        self.with("urls", urls)
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// A config for a platform that lists these layers, as clients need it.
pub(crate) fn config_of(platform: &str, layers: &[Descriptor]) -> Value {
    let mut words = platform.split('/');
    let diff_ids: Vec<_> = layers.iter().map(Descriptor::digest).collect();
    json!({
        "os": words.next(),
        "architecture": words.next(),
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
}

/// A manifest of this config and these layers, in the config's family of types.
pub(crate) fn manifest_of(config: &Descriptor, layers: &[Descriptor]) -> Value {
    let media_type = if config.media_type() == DOCKER_CONFIG {
        DOCKER_MANIFEST
    } else {
        MANIFEST
    };
    json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.json(),
        "layers": layers.iter().map(Descriptor::json).collect::<Vec<_>>(),
    })
}

/// An index of these manifests, in the first one's family of types.
pub(crate) fn index_of(children: &[Descriptor]) -> Value {
    let docker = children
        .first()
        .is_some_and(|child| child.media_type() == DOCKER_MANIFEST);
    json!({
        "schemaVersion": 2,
        "mediaType": if docker { DOCKER_LIST } else { INDEX },
        "manifests": children.iter().map(Descriptor::json).collect::<Vec<_>>(),
    })
}

/// Something that a registry stores under a digest.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Whether it is served at `/manifests/` rather than at `/blobs/`.
    pub(crate) manifest: bool,
    /// What `Content-Type` says of a manifest.
    pub(crate) media_type: String,
    /// Every byte of it.
    pub(crate) bytes: Arc<[u8]>,
}

/// The parts of one manifest, to name them in a test.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The manifest itself.
    pub(crate) manifest: Descriptor,
    /// Its config.
    pub(crate) config: Descriptor,
    /// Its layers in their order.
    pub(crate) layers: Vec<Descriptor>,
}

/// An image: everything it consists of, and where it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    contents: BTreeMap<String, Content>,
    order: Vec<String>,
    root: Option<Descriptor>,
    /// The manifests that are images, in the index's order.
    pub(crate) images: Vec<Parts>,
    /// The manifests that attest them, in the index's order.
    pub(crate) attestations: Vec<Parts>,
}

impl Image {
    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self::default()
    }

    /// Puts a blob in.
    pub(crate) fn blob(&mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Descriptor {
        let bytes = bytes.into();
        self.put(false, media_type, sha256(&bytes), bytes)
    }

    /// Puts a blob in, under its sha512 digest.
    pub(crate) fn blob_sha512(
        &mut self,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Descriptor {
        let bytes = bytes.into();
        self.put(false, media_type, sha512(&bytes), bytes)
    }

    /// Puts a manifest or an index in; its media type is the one it states, else an OCI manifest's.
    pub(crate) fn document(&mut self, document: &Value) -> Descriptor {
        let media_type = document["mediaType"]
            .as_str()
            .unwrap_or(MANIFEST)
            .to_owned();
        self.document_bytes(&media_type, document.to_string())
    }

    /// Puts in any text that is served as a manifest.
    pub(crate) fn document_bytes(
        &mut self,
        media_type: &str,
        bytes: impl Into<Vec<u8>>,
    ) -> Descriptor {
        let bytes = bytes.into();
        self.put(true, media_type, sha256(&bytes), bytes)
    }

    /// As [`Image::document`], under its sha512 digest.
    pub(crate) fn document_sha512(&mut self, document: &Value) -> Descriptor {
        let media_type = document["mediaType"]
            .as_str()
            .unwrap_or(MANIFEST)
            .to_owned();
        let bytes = document.to_string().into_bytes();
        self.put(true, &media_type, sha512(&bytes), bytes)
    }

    /// Puts in any bytes under any digest.
    pub(crate) fn put(
        &mut self,
        manifest: bool,
        media_type: &str,
        digest: String,
        bytes: Vec<u8>,
    ) -> Descriptor {
        let descriptor = Descriptor::promising(media_type, &digest, bytes.len() as u64);
        let content = Content {
            manifest,
            media_type: media_type.to_owned(),
            bytes: bytes.into(),
        };
        if self.contents.insert(digest.clone(), content).is_none() {
            self.order.push(digest);
        }
        descriptor
    }

    /// Puts a config, layers and their manifest in.
    pub(crate) fn manifest(&mut self, config: &Descriptor, layers: &[Descriptor]) -> Descriptor {
        self.document(&manifest_of(config, layers))
    }

    /// Puts a config for linux/amd64 that lists these layers in, and their manifest.
    pub(crate) fn image_of(&mut self, layers: &[Descriptor]) -> Descriptor {
        let config = config_of("linux/amd64", layers);
        let config = self.blob(CONFIG, config.to_string());
        self.manifest(&config, layers)
    }

    /// Puts an artifact in that refers to the image, as a signature does.
    pub(crate) fn referrer(&mut self, artifact_type: &str, statement: impl Into<Vec<u8>>) -> Parts {
        let subject = self.root_descriptor().clone();
        let config = self.blob(EMPTY_CONFIG, "{}");
        let layers = vec![self.blob(artifact_type, statement)];
        let mut document = manifest_of(&config, &layers);
        document["artifactType"] = artifact_type.into();
        document["subject"] = json!({
            "mediaType": subject.media_type(), "digest": subject.digest(), "size": subject.size()
        });
        Parts {
            manifest: self.document(&document),
            config,
            layers,
        }
    }

    /// Says where the image begins: this is what a tag points to.
    pub(crate) fn begins_with(mut self, root: &Descriptor) -> Self {
        self.root = Some(root.clone());
        self
    }

    /// The descriptor that a tag points to.
    pub(crate) fn root_descriptor(&self) -> &Descriptor {
        self.root
            .as_ref()
            .expect("a test says where its image begins")
    }

    /// The digest that a tag points to.
    pub(crate) fn root(&self) -> &str {
        self.root_descriptor().digest()
    }

    /// The digest of the manifest for the platform in this place.
    pub(crate) fn child(&self, place: usize) -> &str {
        self.images[place].manifest.digest()
    }

    /// The digest of its config.
    pub(crate) fn config(&self, place: usize) -> &str {
        self.images[place].config.digest()
    }

    /// The digest of one of its layers.
    pub(crate) fn layer(&self, place: usize, layer: usize) -> &str {
        self.images[place].layers[layer].digest()
    }

    /// The digest of the attestation manifest in this place.
    pub(crate) fn attestation(&self, place: usize) -> &str {
        self.attestations[place].manifest.digest()
    }

    /// The digest of the statement that it holds.
    pub(crate) fn statement(&self, place: usize) -> &str {
        self.attestations[place].layers[0].digest()
    }

    /// What is stored under a digest.
    pub(crate) fn content(&self, digest: &str) -> Option<&Content> {
        self.contents.get(digest)
    }

    /// Everything in it, children before their parents, as it has to be pushed.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.order
            .iter()
            .map(|digest| (digest.as_str(), &self.contents[digest]))
    }

    /// Every digest that the image needs, by following its documents from the root: descriptors in
    /// `manifests`, `config` and `layers`, but not in `subject`.
    pub(crate) fn reachable(&self) -> BTreeSet<String> {
        self.reachable_without(&[])
    }

    /// The same where these digests are lost: the lost ones themselves, but not
    /// what only they refer to.
    pub(crate) fn reachable_without(&self, lost: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next = vec![self.root().to_owned()];
        while let Some(digest) = next.pop() {
            if !found.insert(digest.clone()) || lost.contains(&digest.as_str()) {
                continue;
            }
            if let Some(content) = self
                .contents
                .get(&digest)
                .filter(|content| content.manifest)
            {
                let document: Value = serde_json::from_slice(&content.bytes).unwrap_or_default();
                let lists = ["manifests", "layers"]
                    .map(|key| document[key].as_array().cloned().unwrap_or_default());
                let descriptors = lists
                    .into_iter()
                    .flatten()
                    .chain([document["config"].clone()]);
                next.extend(
                    descriptors.filter_map(|child| Some(child["digest"].as_str()?.to_owned())),
                );
            }
        }
        found
    }
}
