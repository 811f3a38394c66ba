//! An image is written as a draft says, from its layers up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::draft::{At, Draft, Family, Hash, Part, Shape, TAG};
use super::layer::tar;
use crate::support::digest::sha256;
use crate::support::image::{
    CONFIG, DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, IN_TOTO, INDEX,
    Image, LAYER, MANIFEST,
};

/// An image that is being written, from its layers up.
pub(super) struct Rendering {
    draft: Draft,
    image: Image,
    digests: BTreeMap<Part, String>,
}

impl Rendering {
    /// Writes all of it.
    pub(super) fn of(draft: Draft) -> Self {
        let mut rendering = Self {
            draft,
            image: Image::empty(),
            digests: BTreeMap::new(),
        };
        let root = rendering.root();
        rendering.image = std::mem::take(&mut rendering.image).begins_with(&root);
        rendering
    }

    /// The image.
    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Where a client may ask for something: what a manifest is, its descriptor decides.
    pub(super) fn paths(&self, at: At) -> Vec<String> {
        match at {
            At::Tag => vec![format!("manifests/{TAG}")],
            At::Digest(part) => ["manifests", "blobs"]
                .map(|endpoint| format!("{endpoint}/{}", self.digests[&part]))
                .to_vec(),
        }
    }

    /// The descriptor of what the tag points to.
    fn root(&mut self) -> Descriptor {
        let (os, architecture) = self.draft.platform;
        let mut child = self.manifest(Part::Manifest, os, architecture);
        let Shape::Index { nested } = self.draft.shape else {
            self.digests
                .insert(Part::Root, self.digests[&Part::Manifest].clone());
            let media_type = self.manifest_type();
            return Descriptor::promising(media_type, &self.digests[&Part::Root], 0);
        };
        for depth in 0..nested {
            let part = (depth == 0).then_some(Part::Nested);
            child = self.index(part, &[child]);
        }
        let other = self.manifest(Part::Other, "linux", "arm64");
        let mut children = vec![child, other];
        if self.draft.attested {
            children.push(self.attestation());
        }
        self.index(Some(Part::Root), &children);
        let media_type = self.index_type();
        Descriptor::promising(media_type, &self.digests[&Part::Root], 0)
    }

    fn manifest_type(&self) -> &'static str {
        match self.draft.family {
            Family::Oci => MANIFEST,
            Family::Docker | Family::DockerInOciIndex => DOCKER_MANIFEST,
        }
    }

    fn index_type(&self) -> &'static str {
        match self.draft.family {
            Family::Docker => DOCKER_LIST,
            Family::Oci | Family::DockerInOciIndex => INDEX,
        }
    }

    /// A manifest with its config and its two layers; gives its descriptor.
    fn manifest(&mut self, part: Part, os: &str, architecture: &str) -> Value {
        let main = part == Part::Manifest;
        let docker = self.draft.family != Family::Oci;
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for number in 0..2 {
            let content = format!("{} {architecture} {number}\n", self.draft.seed).repeat(20);
            let archive = tar(&format!("file-{number}"), content.as_bytes());
            diff_ids.push(sha256(&archive));
            let packed = self.draft.packing.pack(&archive);
            let layer = (main && number == 1).then_some(Part::Layer);
            let media_type = if docker { DOCKER_LAYER } else { LAYER };
            layers.push(self.put(layer, media_type, packed));
        }
        let config = json!({
            "created": "2026-11-01T00:00:00Z",
            "os": os,
            "architecture": architecture,
            "config": {
                "Env": ["PATH=/bin"],
                "Cmd": ["/file-0"],
                "Labels": {"seed": self.draft.seed},
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created_by": "a test"}, {"created_by": "a test"}],
        });
        let media_type = if docker { DOCKER_CONFIG } else { CONFIG };
        let config = self.document(main.then_some(Part::Config), media_type, config);
        let media_type = self.manifest_type();
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config,
            "layers": layers,
        });
        let mut descriptor = self.unedited(Some(part), media_type, document);
        descriptor["platform"] = json!({"os": os, "architecture": architecture});
        self.describe(Some(part), descriptor)
    }

    /// An index of these manifests; gives its descriptor.
    fn index(&mut self, part: Option<Part>, children: &[Value]) -> Value {
        let media_type = self.index_type();
        let document = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "manifests": children,
        });
        self.document(part, media_type, document)
    }

    /// The attestation of the manifest, as `BuildKit` writes it; gives its descriptor.
    fn attestation(&mut self) -> Value {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [],
            "predicate": {"seed": self.draft.seed},
        });
        let statement = self.put(None, IN_TOTO, statement.to_string().into_bytes());
        let config = json!({
            "os": "unknown", "architecture": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [statement["digest"]]},
        });
        let config = self.document(None, CONFIG, config);
        let document = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [statement],
        });
        let part = Some(Part::Attestation);
        let mut descriptor = self.unedited(part, MANIFEST, document);
        descriptor["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        descriptor["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": self.digests[&Part::Manifest],
        });
        self.describe(part, descriptor)
    }

    fn document(&mut self, part: Option<Part>, media_type: &str, document: Value) -> Value {
        let descriptor = self.unedited(part, media_type, document);
        self.describe(part, descriptor)
    }

    /// Stores a document with its changes; gives its descriptor without any.
    fn unedited(&mut self, part: Option<Part>, media_type: &str, mut document: Value) -> Value {
        for edit in self.about(&self.draft.written, part) {
            edit(&mut document);
        }
        self.store(part, media_type, document.to_string().into_bytes())
    }

    /// Stores a blob; gives its descriptor.
    fn put(&mut self, part: Option<Part>, media_type: &str, bytes: Vec<u8>) -> Value {
        let descriptor = self.store(part, media_type, bytes);
        self.describe(part, descriptor)
    }

    fn store(&mut self, part: Option<Part>, media_type: &str, mut bytes: Vec<u8>) -> Value {
        for rewrite in self.about(&self.draft.rewritten, part) {
            bytes = rewrite(bytes);
        }
        let hash = self.about(&self.draft.hashed, part).next();
        let digest = hash.copied().unwrap_or(sha256 as Hash)(&bytes);
        let mut descriptor =
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
        for data in self.about(&self.draft.inline, part) {
            descriptor["data"] = data(&bytes).into();
        }
        let document = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST].contains(&media_type);
        self.image.put(document, media_type, digest.clone(), bytes);
        if let Some(part) = part {
            self.digests.insert(part, digest.clone());
        }
        descriptor
    }

    fn describe(&self, part: Option<Part>, mut descriptor: Value) -> Value {
        for edit in self.about(&self.draft.described, part) {
            edit(&mut descriptor);
        }
        descriptor
    }

    /// The changes of one kind that are about this part; the only manifest is the root too.
    fn about<'a, T>(
        &self,
        changes: &'a [(Part, T)],
        part: Option<Part>,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let single = self.draft.shape == Shape::Single;
        let root = single && part == Some(Part::Manifest);
        changes
            .iter()
            .filter(move |(about, _)| part == Some(*about) || root && *about == Part::Root)
            .map(|(_, change)| change)
    }
}
