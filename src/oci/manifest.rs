//! The lenient wire forms of index and manifest: one malformed child spoils one verdict and not its siblings.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci_spec::image::Digest;
use serde_json::value::RawValue;

use super::wire::{List, WireDescriptor, WireDocument, WirePlatform};
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::platform::Platform;
use crate::walk::verdict::Verdict;

/// The most references of one document that are looked at.
pub const MAX_CHILDREN: usize = 100_000;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A list of manifests, one per platform.
    Index,
    /// One image for one platform.
    Manifest,
    /// The image's configuration.
    Config,
    /// A part of the image's file system, or of an artifact's content.
    Layer,
    /// A manifest with provenance or an SBOM, stored as an index's child with the platform `unknown/unknown`.
    Attestation,
    /// A manifest that is not a container image: `artifactType`, Helm, WASM.
    Artifact,
    /// A manifest that names the image as its `subject`: a signature, an SBOM.
    Referrer,
}

impl Kind {
    /// The word for it in the JSON report and in text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Layer => "layer",
            Self::Attestation => "attestation",
            Self::Artifact => "artifact",
            Self::Referrer => "referrer",
        }
    }

    /// Whether it is fetched from `/manifests/`.
    #[must_use]
    pub fn is_manifest(self) -> bool {
        !matches!(self, Self::Config | Self::Layer)
    }
}

/// Media types of OCI and Docker manifests, see
/// <https://github.com/opencontainers/image-spec/blob/main/media-types.md>.
pub mod media_type {
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// The short-lived OCI artifact manifest.
    pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's schema 1, signed or not, begins with this.
    pub const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";
}

/// The form of a manifest document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Index,
    Manifest,
    Artifact,
    Schema1,
}

fn form_of(media_type: &str) -> Option<Form> {
    match media_type {
        media_type::OCI_INDEX | media_type::DOCKER_LIST => Some(Form::Index),
        media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => Some(Form::Manifest),
        media_type::OCI_ARTIFACT => Some(Form::Artifact),
        other if other.starts_with(media_type::DOCKER_SCHEMA_1) => Some(Form::Schema1),
        _ => None,
    }
}

/// What a readable manifest document says.
#[derive(Debug)]
pub struct Document<'a> {
    /// [`Kind::Index`], [`Kind::Manifest`] or [`Kind::Artifact`].
    pub kind: Kind,
    /// The media type it is to be treated as.
    pub media_type: String,
    /// What it refers to, in its own order: an index's children, or config and layers.
    pub children: Children<'a>,
}

/// The references of a document, each read when it is its turn: a document may list tens of thousands.
#[derive(Debug)]
pub struct Children<'a> {
    config: Option<Child>,
    rest: std::vec::IntoIter<&'a RawValue>,
    kind_of: fn(&str, bool) -> Kind,
}

impl Iterator for Children<'_> {
    type Item = Child;

    fn next(&mut self) -> Option<Child> {
        self.config
            .take()
            .or_else(|| self.rest.next().map(|raw| child(raw, self.kind_of)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let length = usize::from(self.config.is_some()) + self.rest.len();
        (length, Some(length))
    }
}

impl ExactSizeIterator for Children<'_> {}

impl<'a> Children<'a> {
    fn of(list: List<'a>, kind_of: fn(&str, bool) -> Kind) -> Self {
        Self {
            config: None,
            rest: list.entries.into_iter(),
            kind_of,
        }
    }
}

/// The longest text of a document that is kept, in characters: a legal media type has 255.
const LONGEST: usize = 300;

/// The beginning of a text.
pub(super) fn beginning(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One reference of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// A descriptor that can be followed.
    Readable(Box<Descriptor>),
    /// One that cannot: only this child is spoiled, not its siblings.
    Unreadable {
        /// The digest as it was written, perhaps empty.
        written: String,
        /// What it was to be.
        kind: Kind,
        /// The platform, when it is stated.
        platform: Option<Platform>,
        /// [`Verdict::Malformed`] or [`Verdict::Unsupported`].
        verdict: Verdict,
        /// Why.
        why: String,
    },
}

/// A reference to content, see <https://github.com/opencontainers/image-spec/blob/main/descriptor.md>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What is promised.
    pub promise: Promise,
    /// What it is for.
    pub kind: Kind,
    /// `mediaType`; empty when it is not stated.
    pub media_type: String,
    /// `platform` of an index's child.
    pub platform: Option<Platform>,
    /// `data`: the content itself.
    pub inline: Option<Vec<u8>>,
    /// Whether the content is elsewhere: `urls`, or a type that says so.
    pub foreign: bool,
}

/// Why a document cannot be used.
pub type Unusable = (Verdict, String);

/// Reads a manifest document whose bytes are known to be what their digest says.
///
/// `content_type` is what the registry called it, `promised` the media type of the descriptor that led here, if any. Where those
/// and the document's own `mediaType` name manifest types, they must agree (CVE-2021-41190).
///
/// # Errors
/// [`Verdict::Malformed`] or [`Verdict::Unsupported`] with the reason.
#[expect(clippy::too_many_lines, reason = "taken apart next")]
pub fn read<'a>(
    bytes: &'a [u8],
    content_type: Option<&str>,
    promised: Option<&str>,
) -> Result<Document<'a>, Unusable> {
    let malformed = |why: String| (Verdict::Malformed, beginning(&why, LONGEST));
    let wire: WireDocument<'_> = serde_json::from_slice(bytes)
        .map_err(|error| malformed(format!("not a manifest: {error}")))?;
    let stated = wire.media_type.as_deref().filter(|text| !text.is_empty());
    let names = [
        ("mediaType", stated),
        ("Content-Type", content_type),
        ("the descriptor's media type", promised),
    ];
    let known: Vec<(&str, &str, Form)> = names
        .iter()
        .filter_map(|(name, text)| {
            text.and_then(|text| form_of(text).map(|form| (*name, text, form)))
        })
        .collect();
    if wire.schema_version == Some(1)
        || wire.fs_layers.is_some()
        || known.iter().any(|(.., form)| *form == Form::Schema1)
    {
        return Err((
            Verdict::Unsupported,
            "schema 1: current runtimes refuse to pull it; build and push it again".into(),
        ));
    }
    if let Some(version) = wire.schema_version.filter(|version| *version != 2) {
        return Err((
            Verdict::Unsupported,
            format!("schemaVersion {version}, expected 2"),
        ));
    }
    if let Some(stated) = stated.filter(|stated| form_of(stated).is_none()) {
        return Err(malformed(format!("mediaType {stated} is not a manifest's")));
    }
    if let [(name, text, _), rest @ ..] = known.as_slice()
        && let Some((other_name, other, _)) = rest.iter().find(|(_, other, _)| other != text)
    {
        return Err(malformed(format!(
            "{name} is {text}, but {other_name} is {other}"
        )));
    }
    let listed = wire
        .manifests
        .listed
        .max(wire.layers.listed)
        .max(wire.blobs.listed);
    if listed > MAX_CHILDREN {
        return Err(malformed(format!(
            "it lists {listed} references, more than {MAX_CHILDREN}"
        )));
    }
    let has_config = wire.config.is_some_and(|config| config.get() != "null");
    let index_like = wire.manifests.present;
    let manifest_like = has_config || wire.layers.present;
    if (index_like && (has_config || !wire.layers.entries.is_empty()))
        || (!wire.manifests.entries.is_empty() && manifest_like)
    {
        return Err(malformed(
            "it is an index and an image manifest at once (CVE-2021-41190)".into(),
        ));
    }
    let form = match known.first() {
        Some((.., form)) => *form,
        None if index_like => Form::Index,
        None if manifest_like => Form::Manifest,
        None if wire.blobs.present => Form::Artifact,
        None => {
            return Err(malformed(
                "neither an index (manifests) nor an image manifest (config, layers)".into(),
            ));
        }
    };
    let media_type = known.first().map_or_else(
        || default_media_type(form),
        |(_, text, _)| (*text).to_owned(),
    );
    match form {
        Form::Index => {
            if manifest_like {
                return Err(malformed(format!(
                    "{media_type} with the config or layers of an image manifest"
                )));
            }
            if wire.manifests.entries.is_empty() {
                return Err(malformed(
                    "the index lists no manifests, so there is nothing to pull".into(),
                ));
            }
            let children = Children::of(wire.manifests, index_child_kind);
            Ok(Document {
                kind: Kind::Index,
                media_type,
                children,
            })
        }
        Form::Manifest | Form::Schema1 => {
            if index_like {
                return Err(malformed(format!(
                    "{media_type} with the manifests of an index"
                )));
            }
            let Some(config) = wire.config.filter(|_| has_config) else {
                return Err(malformed("the manifest has no config".into()));
            };
            let config = child(config, |_, _| Kind::Config);
            let is_image = matches!(&config, Child::Readable(config)
                if [media_type::OCI_CONFIG, media_type::DOCKER_CONFIG, ""].contains(&config.media_type.as_str()));
            let kind = if is_image && wire.artifact_type.as_deref().is_none_or(str::is_empty) {
                Kind::Manifest
            } else {
                Kind::Artifact
            };
            let children = Children {
                config: Some(config),
                ..Children::of(wire.layers, |_, _| Kind::Layer)
            };
            Ok(Document {
                kind,
                media_type,
                children,
            })
        }
        Form::Artifact => {
            let children = Children::of(wire.blobs, |_, _| Kind::Layer);
            Ok(Document {
                kind: Kind::Artifact,
                media_type,
                children,
            })
        }
    }
}

/// Reads a list of referrers, which may be empty; see
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>.
///
/// # Errors
/// [`Verdict::Malformed`] with the reason.
pub fn read_referrers(bytes: &[u8]) -> Result<Children<'_>, Unusable> {
    let wire: WireDocument<'_> = serde_json::from_slice(bytes).map_err(|error| {
        (
            Verdict::Malformed,
            beginning(&format!("not a list of referrers: {error}"), LONGEST),
        )
    })?;
    if wire.manifests.listed > MAX_CHILDREN {
        return Err((
            Verdict::Malformed,
            format!("it lists more than {MAX_CHILDREN} referrers"),
        ));
    }
    Ok(Children::of(wire.manifests, |_, _| Kind::Referrer))
}

fn default_media_type(form: Form) -> String {
    match form {
        Form::Index => media_type::OCI_INDEX,
        Form::Manifest | Form::Schema1 => media_type::OCI_MANIFEST,
        Form::Artifact => media_type::OCI_ARTIFACT,
    }
    .to_owned()
}

/// What an index's child is: `BuildKit`'s cache lists layers there too.
fn index_child_kind(media_type: &str, attestation: bool) -> Kind {
    const BLOBS: [&str; 6] = [
        "application/vnd.oci.image.layer.",
        "application/vnd.docker.image.rootfs.",
        "application/vnd.buildkit.cacheconfig.",
        media_type::OCI_CONFIG,
        media_type::DOCKER_CONFIG,
        "application/vnd.in-toto+",
    ];
    match form_of(media_type) {
        Some(Form::Index) => Kind::Index,
        Some(Form::Artifact) => Kind::Artifact,
        None if BLOBS.iter().any(|prefix| media_type.starts_with(prefix)) => Kind::Layer,
        _ if attestation => Kind::Attestation,
        _ => Kind::Manifest,
    }
}

fn child(raw: &RawValue, kind_of: fn(&str, bool) -> Kind) -> Child {
    let unreadable = |written: &str, kind, platform, verdict, why: String| Child::Unreadable {
        written: beginning(written, LONGEST),
        kind,
        platform,
        verdict,
        why: beginning(&why, LONGEST),
    };
    let wire: WireDescriptor<'_> = match serde_json::from_str(raw.get()) {
        Ok(wire) => wire,
        Err(error) => {
            return unreadable(
                "",
                kind_of("", false),
                None,
                Verdict::Malformed,
                format!("not a descriptor: {error}"),
            );
        }
    };
    let media_type = beginning(&wire.media_type.unwrap_or_default(), LONGEST);
    let platform = wire.platform.and_then(WirePlatform::read);
    let attestation = platform.as_ref().is_some_and(Platform::is_unknown)
        || wire
            .annotations
            .is_some_and(|annotations| annotations.attestation);
    let kind = kind_of(&media_type, attestation);
    let written = wire.digest.unwrap_or_default();
    let digest: Digest = match written.parse() {
        Ok(digest) => digest,
        Err(error) => {
            let why = if written.is_empty() {
                "the descriptor has no digest".to_owned()
            } else {
                error.to_string()
            };
            return unreadable(&written, kind, platform, Verdict::Malformed, why);
        }
    };
    if !digest::is_supported(&digest) {
        let why = format!("the digest algorithm {} is not known", digest.algorithm());
        return unreadable(&written, kind, platform, Verdict::Unsupported, why);
    }
    let Some(size) = wire.size.as_ref().and_then(serde_json::Number::as_u64) else {
        let why = wire.size.map_or_else(
            || "the descriptor has no size".to_owned(),
            |size| format!("{size} is not a size"),
        );
        return unreadable(&written, kind, platform, Verdict::Malformed, why);
    };
    let inline = match wire
        .data
        .filter(|data| !data.is_empty())
        .map(|data| BASE64_STANDARD.decode(&*data))
    {
        Some(Err(error)) => {
            let why = format!("the descriptor's data is not base64: {error}");
            return unreadable(&written, kind, platform, Verdict::Malformed, why);
        }
        Some(Ok(inline)) => Some(inline),
        None => None,
    };
    // Whatever its type says: without an address of its own it can only come from the registry.
    let foreign = !kind.is_manifest() && wire.urls.is_some_and(|urls| urls.0);
    Child::Readable(Box::new(Descriptor {
        promise: Promise { digest, size },
        kind,
        media_type,
        platform,
        inline,
        foreign,
    }))
}

/// The platform an image's config states, when it is one.
#[must_use]
pub fn config_platform(bytes: &[u8]) -> Option<Platform> {
    serde_json::from_slice::<WirePlatform>(bytes)
        .ok()
        .and_then(WirePlatform::read)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    fn descriptor(media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": DIGEST, "size": 7 })
    }

    fn with(mut descriptor: Value, name: &str, value: Value) -> Value {
        descriptor[name] = value;
        descriptor
    }

    fn index(children: &[Value]) -> Value {
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children })
    }

    fn manifest(config: &Value, layers: &[Value]) -> Value {
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers })
    }

    fn image() -> Value {
        manifest(
            &descriptor(media_type::OCI_CONFIG),
            &[descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
        )
    }

    /// A document with its children in hand.
    #[derive(Debug)]
    struct Whole {
        kind: Kind,
        media_type: String,
        children: Vec<Child>,
    }

    fn read_json(document: &Value) -> Result<Whole, Unusable> {
        let text = document.to_string();
        let Document {
            kind,
            media_type,
            children,
        } = read(text.as_bytes(), None, None)?;
        let announced = children.len();
        let children: Vec<Child> = children.collect();
        assert_eq!(children.len(), announced);
        Ok(Whole {
            kind,
            media_type,
            children,
        })
    }

    fn only_child(document: &Value) -> Child {
        let mut children = read_json(document).unwrap().children;
        assert_eq!(children.len(), 1);
        children.remove(0)
    }

    fn readable(child: Child) -> Descriptor {
        match child {
            Child::Readable(descriptor) => *descriptor,
            Child::Unreadable { why, .. } => panic!("unreadable: {why}"),
        }
    }

    fn kinds(document: &Value) -> Vec<Kind> {
        read_json(document)
            .unwrap()
            .children
            .into_iter()
            .map(|child| readable(child).kind)
            .collect()
    }

    #[test]
    fn an_image_is_its_config_and_then_its_layers() {
        let document = read_json(&image()).unwrap();
        assert_eq!(
            (document.kind, document.media_type.as_str()),
            (Kind::Manifest, media_type::OCI_MANIFEST)
        );
        assert_eq!(kinds(&image()), [Kind::Config, Kind::Layer]);
        let config = readable(document.children.into_iter().next().unwrap());
        assert_eq!(
            config.promise,
            Promise {
                digest: DIGEST.parse().unwrap(),
                size: 7
            }
        );
    }

    #[test]
    fn every_manifest_type_is_read_by_its_name_and_without_one_by_its_form() {
        for (media_type, document, kind) in [
            (
                media_type::OCI_INDEX,
                index(&[descriptor(media_type::OCI_MANIFEST)]),
                Kind::Index,
            ),
            (
                media_type::DOCKER_LIST,
                index(&[descriptor(media_type::DOCKER_MANIFEST)]),
                Kind::Index,
            ),
            (media_type::OCI_MANIFEST, image(), Kind::Manifest),
            (media_type::DOCKER_MANIFEST, image(), Kind::Manifest),
            (
                media_type::OCI_ARTIFACT,
                json!({ "blobs": [descriptor("x/y")] }),
                Kind::Artifact,
            ),
        ] {
            let named = with(document.clone(), "mediaType", json!(media_type));
            assert_eq!(read_json(&named).unwrap().kind, kind, "{media_type}");
            for absent in [json!(null), json!("")] {
                let unnamed = with(document.clone(), "mediaType", absent);
                assert_eq!(
                    read_json(&unnamed).unwrap().kind,
                    kind,
                    "{media_type} left out"
                );
                let bytes = unnamed.to_string();
                assert_eq!(
                    read(bytes.as_bytes(), Some(media_type), None)
                        .unwrap()
                        .media_type,
                    media_type
                );
            }
        }
    }

    #[test]
    fn a_manifest_that_is_no_image_is_an_artifact() {
        for config in [
            "application/vnd.oci.empty.v1+json",
            "application/vnd.cncf.helm.config.v1+json",
        ] {
            assert_eq!(
                read_json(&manifest(&descriptor(config), &[])).unwrap().kind,
                Kind::Artifact,
                "{config}"
            );
        }
        let typed = with(image(), "artifactType", json!("application/vnd.example"));
        assert_eq!(read_json(&typed).unwrap().kind, Kind::Artifact);
        let untyped = with(image(), "artifactType", json!(""));
        assert_eq!(read_json(&untyped).unwrap().kind, Kind::Manifest);
    }

    #[test]
    fn null_and_absent_layers_are_no_layers() {
        let mut document = with(image(), "layers", json!(null));
        assert_eq!(kinds(&document), [Kind::Config]);
        document.as_object_mut().unwrap().remove("layers");
        assert_eq!(kinds(&document), [Kind::Config]);
    }

    #[test]
    fn types_that_disagree_are_malformed_wherever_they_stand() {
        let text = image().to_string();
        let read = |content_type, promised| read(text.as_bytes(), content_type, promised);
        for (content_type, promised) in [
            (Some(media_type::DOCKER_MANIFEST), None),
            (Some(media_type::OCI_INDEX), None),
            (None, Some(media_type::OCI_INDEX)),
            (
                Some(media_type::OCI_MANIFEST),
                Some(media_type::DOCKER_MANIFEST),
            ),
        ] {
            assert_eq!(
                read(content_type, promised).unwrap_err().0,
                Verdict::Malformed,
                "{content_type:?} {promised:?}"
            );
        }
        for harmless in ["application/json", "text/plain", "application/octet-stream"] {
            assert!(read(Some(harmless), None).is_ok(), "{harmless}");
        }
        assert!(
            read(
                Some(media_type::OCI_MANIFEST),
                Some(media_type::OCI_MANIFEST)
            )
            .is_ok()
        );
    }

    #[test]
    fn an_index_that_is_also_an_image_is_malformed() {
        let both = [
            with(
                image(),
                "manifests",
                json!([descriptor(media_type::OCI_MANIFEST)]),
            ),
            with(index(&[descriptor("x/y")]), "layers", json!([])),
            with(
                index(&[descriptor("x/y")]),
                "config",
                descriptor(media_type::OCI_CONFIG),
            ),
            with(image(), "manifests", json!([])),
            with(
                with(image(), "manifests", json!(null)),
                "mediaType",
                json!(null),
            ),
        ];
        for document in &both {
            assert_eq!(
                read_json(document).unwrap_err().0,
                Verdict::Malformed,
                "{document}"
            );
        }
    }

    #[test]
    fn a_document_of_the_wrong_form_for_its_name_is_malformed() {
        for document in [
            with(image(), "mediaType", json!(media_type::OCI_INDEX)),
            with(
                index(&[descriptor("x/y")]),
                "mediaType",
                json!(media_type::OCI_MANIFEST),
            ),
            with(
                image(),
                "mediaType",
                json!("application/vnd.oci.image.config.v1+json"),
            ),
            json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [] }),
            with(image(), "config", json!(null)),
        ] {
            assert_eq!(
                read_json(&document).unwrap_err().0,
                Verdict::Malformed,
                "{document}"
            );
        }
    }

    #[test]
    fn an_index_of_nothing_is_nothing_to_pull() {
        for manifests in [json!([]), json!(null)] {
            let document = json!({ "schemaVersion": 2, "manifests": manifests });
            assert_eq!(read_json(&document).unwrap_err().0, Verdict::Malformed);
        }
    }

    #[test]
    fn schema_1_and_other_schemas_are_unsupported() {
        for document in [
            json!({ "schemaVersion": 1, "fsLayers": [], "history": [] }),
            json!({ "schemaVersion": 2, "fsLayers": [] }),
            with(
                image(),
                "mediaType",
                json!("application/vnd.docker.distribution.manifest.v1+prettyjws"),
            ),
            with(image(), "schemaVersion", json!(3)),
        ] {
            assert_eq!(
                read_json(&document).unwrap_err().0,
                Verdict::Unsupported,
                "{document}"
            );
        }
    }

    #[test]
    fn what_is_not_a_manifest_is_malformed() {
        for text in [
            "",
            "x",
            "[]",
            "null",
            "{}",
            "3",
            "{\"errors\":[]}",
            "<html>",
            "{\"manifests\":{}}",
            "{\"layers\":3}",
        ] {
            assert_eq!(
                read(text.as_bytes(), None, None).unwrap_err().0,
                Verdict::Malformed,
                "{text}"
            );
        }
        let twice = image().to_string().replacen('{', "{\"layers\":[],", 1);
        assert_eq!(
            read(twice.as_bytes(), None, None).unwrap_err().0,
            Verdict::Malformed,
            "{twice}"
        );
    }

    #[test]
    fn an_indexs_children_are_told_by_type_platform_and_annotation() {
        let unknown = json!({ "os": "unknown", "architecture": "unknown" });
        let annotated = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        let child = || descriptor(media_type::OCI_MANIFEST);
        assert_eq!(
            kinds(&index(&[
                child(),
                descriptor(media_type::OCI_INDEX),
                descriptor(media_type::DOCKER_LIST),
                descriptor(media_type::OCI_ARTIFACT),
                with(child(), "platform", unknown),
                with(child(), "annotations", annotated),
                with(
                    child(),
                    "annotations",
                    json!({ "vnd.docker.reference.type": "other" })
                ),
                descriptor(""),
                descriptor("application/vnd.example"),
            ])),
            [
                Kind::Manifest,
                Kind::Index,
                Kind::Index,
                Kind::Artifact,
                Kind::Attestation,
                Kind::Attestation,
                Kind::Manifest,
                Kind::Manifest,
                Kind::Manifest
            ]
        );
        for layer in [
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.buildkit.cacheconfig.v0",
        ] {
            assert_eq!(
                kinds(&index(&[descriptor(layer)])),
                [Kind::Layer],
                "{layer}"
            );
        }
    }

    #[test]
    fn platforms_are_read_leniently() {
        let platform = |platform| {
            readable(only_child(&index(&[with(
                descriptor(""),
                "platform",
                platform,
            )])))
            .platform
        };
        let text = |value| platform(value).map(|platform| platform.to_string());
        assert_eq!(
            text(json!({ "os": "linux", "architecture": "arm", "variant": "v7" })).unwrap(),
            "linux/arm/v7"
        );
        assert_eq!(
            text(json!({ "os": "linux", "architecture": "amd64", "variant": "" })).unwrap(),
            "linux/amd64"
        );
        for partial in [
            json!({}),
            json!(null),
            json!({ "os": "linux" }),
            json!({ "os": "", "architecture": "x" }),
        ] {
            assert_eq!(platform(partial), None);
        }
    }

    #[test]
    fn one_bad_descriptor_spoils_itself_and_not_its_siblings() {
        let good = descriptor(media_type::OCI_MANIFEST);
        for (bad, verdict) in [
            (json!("text"), Verdict::Malformed),
            (json!({}), Verdict::Malformed),
            (
                with(good.clone(), "digest", json!("sha256:12")),
                Verdict::Malformed,
            ),
            (
                with(good.clone(), "digest", json!(DIGEST.to_uppercase())),
                Verdict::Malformed,
            ),
            (
                with(good.clone(), "digest", json!("../../etc/passwd")),
                Verdict::Malformed,
            ),
            (
                with(
                    good.clone(),
                    "digest",
                    json!("md5:d41d8cd98f00b204e9800998ecf8427e"),
                ),
                Verdict::Unsupported,
            ),
            (with(good.clone(), "size", json!(-1)), Verdict::Malformed),
            (with(good.clone(), "size", json!(1.5)), Verdict::Malformed),
            (with(good.clone(), "size", json!(null)), Verdict::Malformed),
            (
                with(good.clone(), "data", json!("not base64!")),
                Verdict::Malformed,
            ),
            (with(good.clone(), "platform", json!(3)), Verdict::Malformed),
        ] {
            let children = read_json(&index(&[good.clone(), bad.clone(), good.clone()]))
                .unwrap()
                .children;
            assert!(
                matches!(children[0], Child::Readable(_))
                    && matches!(children[2], Child::Readable(_))
            );
            assert!(
                matches!(&children[1], Child::Unreadable { verdict: found, .. } if *found == verdict),
                "{bad}"
            );
        }
    }

    #[test]
    fn foreign_content_is_told_by_its_urls_and_a_manifest_is_never_foreign() {
        let layer = |descriptor| {
            let document = manifest(&self::descriptor("x/y"), &[descriptor]);
            readable(read_json(&document).unwrap().children.remove(1)).foreign
        };
        assert!(!layer(descriptor("application/vnd.oci.image.layer.v1.tar")));
        assert!(!layer(with(descriptor("x/y"), "urls", json!([]))));
        assert!(layer(with(
            descriptor("x/y"),
            "urls",
            json!(["https://elsewhere.example/"])
        )));
        assert!(!layer(descriptor(
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        )));
        let child = with(
            descriptor(media_type::OCI_MANIFEST),
            "urls",
            json!(["https://elsewhere.example/"]),
        );
        assert!(!readable(only_child(&index(&[child]))).foreign);
    }

    #[test]
    fn inline_data_is_decoded() {
        let inline = |data: &str| {
            readable(only_child(&index(&[with(
                descriptor(""),
                "data",
                json!(data),
            )])))
            .inline
        };
        assert_eq!(inline("e30="), Some(b"{}".to_vec()));
        assert_eq!(inline(""), None);
    }

    #[test]
    fn what_a_document_says_at_length_is_kept_in_short() {
        let long = "x".repeat(100_000);
        let platform = json!({ "os": long, "architecture": long, "variant": long });
        let kept = readable(only_child(&index(&[with(
            descriptor(&long),
            "platform",
            platform,
        )])));
        assert!(kept.media_type.len() < 400 && kept.platform.unwrap().to_string().len() < 400);
        for bad in [
            with(descriptor(""), "digest", json!(long)),
            with(descriptor(""), "size", json!(long)),
        ] {
            let Child::Unreadable { written, why, .. } = only_child(&index(&[bad])) else {
                panic!("{long}")
            };
            assert!(written.len() < 400 && why.len() < 400, "{written} {why}");
        }
        let (_, why) = read_json(&json!({ "schemaVersion": 2, "mediaType": long })).unwrap_err();
        assert!(why.len() < 400, "{why}");
    }

    #[test]
    fn annotations_and_urls_are_read_for_what_matters_in_them() {
        let annotated = |annotations: &str| {
            let text = descriptor("").to_string().replacen(
                '{',
                &format!("{{\"annotations\":{annotations},"),
                1,
            );
            let text = format!("{{\"schemaVersion\":2,\"manifests\":[{text}]}}");
            let child = read(text.as_bytes(), None, None)
                .unwrap()
                .children
                .next()
                .unwrap();
            match child {
                Child::Readable(descriptor) => Some(descriptor.kind),
                Child::Unreadable { .. } => None,
            }
        };
        for (annotations, kind) in [
            (
                r#"{"vnd.docker.reference.type":"attestation-manifest"}"#,
                Some(Kind::Attestation),
            ),
            (
                r#"{"vnd.docker.reference.type":"\u0061ttestation-manifest","x":[[],{}]}"#,
                Some(Kind::Attestation),
            ),
            (
                r#"{"vnd.docker.reference.type":"other"}"#,
                Some(Kind::Manifest),
            ),
            (
                r#"{"vnd.docker.reference.type":["attestation-manifest"]}"#,
                Some(Kind::Manifest),
            ),
            (
                r#"{"vnd.docker.reference.type":"x","vnd.docker.reference.type":"attestation-manifest"}"#,
                Some(Kind::Attestation),
            ),
            ("null", Some(Kind::Manifest)),
            ("[]", None),
            (r#""x""#, None),
        ] {
            assert_eq!(annotated(annotations), kind, "{annotations}");
        }
        let foreign = |urls: Value| {
            let layer = with(
                descriptor("application/vnd.oci.image.layer.v1.tar"),
                "urls",
                urls,
            );
            match read_json(&manifest(&descriptor(media_type::OCI_CONFIG), &[layer]))
                .unwrap()
                .children
                .remove(1)
            {
                Child::Readable(descriptor) => Some(descriptor.foreign),
                Child::Unreadable { .. } => None,
            }
        };
        for (urls, expected) in [
            (json!([]), Some(false)),
            (json!(null), Some(false)),
            (json!(["https://a", "x"]), Some(true)),
            (json!([1]), None),
            (json!("x"), None),
        ] {
            assert_eq!(foreign(urls.clone()), expected, "{urls}");
        }
    }

    #[test]
    fn a_list_of_referrers_may_be_empty_and_holds_nothing_but_referrers() {
        let kinds = |index: &Value| {
            let text = index.to_string();
            let listed = read_referrers(text.as_bytes()).unwrap();
            listed.map(|child| readable(child).kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&index(&[])), []);
        assert_eq!(
            kinds(&index(&[descriptor(media_type::OCI_MANIFEST)])),
            [Kind::Referrer]
        );
        assert_eq!(read_referrers(b"<html>").unwrap_err().0, Verdict::Malformed);
    }

    #[test]
    fn a_config_states_its_platform_when_it_is_one() {
        let platform =
            |text: &str| config_platform(text.as_bytes()).map(|platform| platform.to_string());
        assert_eq!(
            platform(r#"{"os":"linux","architecture":"arm64","rootfs":{}}"#).unwrap(),
            "linux/arm64"
        );
        for other in ["{}", "", "[]", r#"{"os":"linux"}"#] {
            assert_eq!(platform(other), None, "{other}");
        }
    }

    #[test]
    fn every_kind_has_its_own_word_and_endpoint() {
        let all = [
            Kind::Index,
            Kind::Manifest,
            Kind::Config,
            Kind::Layer,
            Kind::Attestation,
            Kind::Artifact,
            Kind::Referrer,
        ];
        let words: std::collections::BTreeSet<&str> =
            all.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), all.len());
        let blobs: Vec<Kind> = all.into_iter().filter(|kind| !kind.is_manifest()).collect();
        assert_eq!(blobs, [Kind::Config, Kind::Layer]);
    }
}
