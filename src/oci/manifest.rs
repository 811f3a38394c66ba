//! The lenient wire forms of index and manifest: a malformed child affects itself and not its
//! siblings.

use serde_json::value::RawValue;

use super::descriptor::{self, Child, KindOf};
use super::flaw::{Disagreement, Expected, Flaw};
use super::kind::Kind;
use super::media_type;
use super::platform::Platform;
use super::wire::{List, WireDocument, WireList, WirePlatform};

/// The most references of one document that are looked at.
pub(crate) const MAX_CHILDREN: usize = 100_000;

/// The form of a manifest document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Index,
    Manifest,
    Artifact,
    SchemaOne,
}

impl Form {
    /// The form that a media type names, if it is a manifest's.
    fn of(media_type: &str) -> Option<Self> {
        match media_type {
            media_type::OCI_INDEX | media_type::DOCKER_LIST => Some(Self::Index),
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => Some(Self::Manifest),
            media_type::OCI_ARTIFACT => Some(Self::Artifact),
            other if other.starts_with(media_type::DOCKER_SCHEMA_1) => Some(Self::SchemaOne),
            _ => None,
        }
    }

    fn default_media_type(self) -> &'static str {
        match self {
            Self::Index => media_type::OCI_INDEX,
            Self::Manifest | Self::SchemaOne => media_type::OCI_MANIFEST,
            Self::Artifact => media_type::OCI_ARTIFACT,
        }
    }
}

/// What a readable manifest document says.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// [`Kind::Index`], [`Kind::Manifest`] or [`Kind::Artifact`].
    pub kind: Kind,
    /// The media type it is to be treated as.
    pub media_type: String,
    /// What it refers to, in its own order: an index's children, or config and layers.
    pub children: Children<'a>,
}

/// The references of a document, each read when it is its turn: a document may list tens of
/// thousands.
#[derive(Debug)]
pub(crate) struct Children<'a> {
    config: Option<Child>,
    rest: std::vec::IntoIter<&'a RawValue>,
    kind_of: KindOf,
}

impl Iterator for Children<'_> {
    type Item = Child;

    fn next(&mut self) -> Option<Child> {
        let rest = || {
            self.rest
                .next()
                .map(|raw| descriptor::read(raw, self.kind_of))
        };
        self.config.take().or_else(rest)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let length = usize::from(self.config.is_some()) + self.rest.len();
        (length, Some(length))
    }
}

impl ExactSizeIterator for Children<'_> {}

impl<'a> Children<'a> {
    fn of(list: List<'a>, kind_of: KindOf) -> Self {
        Self {
            config: None,
            rest: list.entries.into_iter(),
            kind_of,
        }
    }
}

/// Reads a manifest document whose bytes are known to be what their digest says.
///
/// `content_type` is what the registry called it, `promised` the media type of the descriptor that
/// led here, if any. Where those and the document's own `mediaType` name manifest types, they must
/// agree (CVE-2021-41190).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    content_type: Option<&str>,
    promised: Option<&str>,
) -> Result<Document<'a>, Flaw> {
    let wire: WireDocument<'_> =
        serde_json::from_slice(bytes).map_err(|error| not_readable(Expected::Manifest, &error))?;
    let stated = wire.media_type.clone().filter(|text| !text.is_empty());
    let named: Vec<(&'static str, &str, Form)> = [
        ("mediaType", stated.as_deref()),
        ("Content-Type", content_type),
        ("the descriptor's media type", promised),
    ]
    .into_iter()
    .filter_map(|(place, text)| Some((place, text?, Form::of(text?)?)))
    .collect();
    check_schema(&wire, &named)?;
    check_types(stated.as_deref(), &named)?;
    let form = form(&wire, &named)?;
    let media_type = match named.first() {
        Some((_, text, _)) => (*text).to_owned(),
        None => form.default_media_type().to_owned(),
    };
    match form {
        Form::Index => index(wire, media_type),
        Form::Manifest | Form::SchemaOne => image(wire, media_type),
        Form::Artifact => Ok(Document {
            kind: Kind::Artifact,
            media_type,
            children: Children::of(wire.blobs, |_, _| Kind::Layer),
        }),
    }
}

fn not_readable(expected: Expected, error: &serde_json::Error) -> Flaw {
    let error = error.to_string().into();
    Flaw::NotReadable { expected, error }
}

fn check_schema(wire: &WireDocument<'_>, named: &[(&str, &str, Form)]) -> Result<(), Flaw> {
    let is_named = named.iter().any(|(.., form)| *form == Form::SchemaOne);
    if wire.schema_version == Some(1) || wire.fs_layers.is_some() || is_named {
        return Err(Flaw::SchemaOne);
    }
    match wire.schema_version {
        None | Some(2) => Ok(()),
        Some(version) => Err(Flaw::SchemaVersion(version)),
    }
}

/// The document's own type must be a manifest's, and every place that names a manifest's type the
/// same.
fn check_types(stated: Option<&str>, named: &[(&'static str, &str, Form)]) -> Result<(), Flaw> {
    if let Some(stated) = stated.filter(|stated| Form::of(stated).is_none()) {
        return Err(Flaw::NotAManifestType(stated.into()));
    }
    let Some((first, rest)) = named.split_first() else {
        return Ok(());
    };
    match rest.iter().find(|other| other.1 != first.1) {
        None => Ok(()),
        Some(other) => Err(Flaw::TypesDisagree(Box::new(Disagreement {
            place: first.0,
            media_type: first.1.into(),
            other_place: other.0,
            other: other.1.into(),
        }))),
    }
}

fn form(wire: &WireDocument<'_>, named: &[(&str, &str, Form)]) -> Result<Form, Flaw> {
    let (manifests, layers) = (&wire.manifests, &wire.layers);
    let listed = manifests.listed.max(layers.listed).max(wire.blobs.listed);
    if listed > MAX_CHILDREN {
        return Err(Flaw::TooManyReferences(listed));
    }
    let image_like = wire.has_config() || layers.present;
    let index_with_content = wire.has_config() || !layers.entries.is_empty();
    if (manifests.present && index_with_content) || (!manifests.entries.is_empty() && image_like) {
        return Err(Flaw::IndexAndManifest);
    }
    match named.first() {
        Some((.., form)) => Ok(*form),
        None if manifests.present => Ok(Form::Index),
        None if image_like => Ok(Form::Manifest),
        None if wire.blobs.present => Ok(Form::Artifact),
        None => Err(Flaw::NeitherIndexNorManifest),
    }
}

fn index(wire: WireDocument<'_>, media_type: String) -> Result<Document<'_>, Flaw> {
    if wire.has_config() || wire.layers.present {
        return Err(Flaw::ManifestFieldsInIndex(media_type.into()));
    }
    if wire.manifests.entries.is_empty() {
        return Err(Flaw::EmptyIndex);
    }
    Ok(Document {
        kind: Kind::Index,
        media_type,
        children: Children::of(wire.manifests, index_child_kind),
    })
}

fn image(wire: WireDocument<'_>, media_type: String) -> Result<Document<'_>, Flaw> {
    if wire.manifests.present {
        return Err(Flaw::IndexFieldsInManifest(media_type.into()));
    }
    let config = wire
        .config
        .filter(|config| config.get() != "null")
        .ok_or(Flaw::NoConfig)?;
    let config = descriptor::read(config, |_, _| Kind::Config);
    let types = [media_type::OCI_CONFIG, media_type::DOCKER_CONFIG, ""];
    let is_image =
        matches!(&config, Child::Readable(config) if types.contains(&&*config.media_type));
    let is_typed = wire.artifact_type.is_some_and(|text| !text.is_empty());
    Ok(Document {
        kind: if is_image && !is_typed {
            Kind::Manifest
        } else {
            Kind::Artifact
        },
        media_type,
        children: Children {
            config: Some(config),
            ..Children::of(wire.layers, |_, _| Kind::Layer)
        },
    })
}

/// Reads a list of referrers, which may be empty; see
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>.
///
/// # Errors
/// What is wrong with it; [`Flaw::NotAnIndex`] when it is something else.
pub(crate) fn read_referrers(bytes: &[u8]) -> Result<Children<'_>, Flaw> {
    let wire: WireDocument<'_> = serde_json::from_slice(bytes).map_err(|error| {
        match serde_json::from_slice::<WireList<'_>>(bytes) {
            Ok(WireList { manifests: Some(_) }) => not_readable(Expected::Referrers, &error),
            _ => Flaw::NotAnIndex,
        }
    })?;
    let stated = wire.media_type.as_deref().filter(|text| !text.is_empty());
    let is_index = match stated {
        Some(stated) => Form::of(stated) == Some(Form::Index),
        None => wire.schema_version == Some(2),
    };
    if !is_index || !wire.manifests.present || !matches!(wire.schema_version, None | Some(2)) {
        return Err(Flaw::NotAnIndex);
    }
    match wire.manifests.listed {
        listed if listed > MAX_CHILDREN => Err(Flaw::TooManyReferences(listed)),
        _ => Ok(Children::of(wire.manifests, |_, _| Kind::Referrer)),
    }
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
    match Form::of(media_type) {
        Some(Form::Index) => Kind::Index,
        Some(Form::Artifact) => Kind::Artifact,
        None if BLOBS.iter().any(|prefix| media_type.starts_with(prefix)) => Kind::Layer,
        _ if attestation => Kind::Attestation,
        _ => Kind::Manifest,
    }
}

/// The platform an image's config states, if it states one.
#[must_use]
pub(crate) fn config_platform(bytes: &[u8]) -> Option<Platform> {
    let wire: WirePlatform = serde_json::from_slice(bytes).ok()?;
    wire.read()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::descriptor::{Descriptor, Promise};

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

    fn read_json(document: &Value) -> Result<Whole, Flaw> {
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
            Child::Unreadable(child) => panic!("unreadable: {child:?}"),
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
    fn a_manifest_type_is_known_by_its_name_or_else_its_form() {
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
    fn a_manifest_that_is_not_an_image_is_an_artifact() {
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
            assert!(
                !read(content_type, promised).unwrap_err().is_unsupported(),
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
            assert!(
                !read_json(document).unwrap_err().is_unsupported(),
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
            assert!(
                !read_json(&document).unwrap_err().is_unsupported(),
                "{document}"
            );
        }
    }

    #[test]
    fn an_index_of_nothing_is_nothing_to_pull() {
        for manifests in [json!([]), json!(null)] {
            let document = json!({ "schemaVersion": 2, "manifests": manifests });
            assert!(!read_json(&document).unwrap_err().is_unsupported());
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
            assert!(
                read_json(&document).unwrap_err().is_unsupported(),
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
            assert!(
                !read(text.as_bytes(), None, None)
                    .unwrap_err()
                    .is_unsupported(),
                "{text}"
            );
        }
        let twice = image().to_string().replacen('{', "{\"layers\":[],", 1);
        assert!(
            !read(twice.as_bytes(), None, None)
                .unwrap_err()
                .is_unsupported(),
            "{twice}"
        );
    }

    #[test]
    fn children_of_an_index_are_known_by_type_platform_and_annotation() {
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
        for (bad, unsupported) in [
            (json!("text"), false),
            (json!({}), false),
            (with(good.clone(), "digest", json!("sha256:12")), false),
            (
                with(good.clone(), "digest", json!(DIGEST.to_uppercase())),
                false,
            ),
            (
                with(good.clone(), "digest", json!("../../etc/passwd")),
                false,
            ),
            (
                with(
                    good.clone(),
                    "digest",
                    json!("md5:d41d8cd98f00b204e9800998ecf8427e"),
                ),
                true,
            ),
            (with(good.clone(), "size", json!(-1)), false),
            (with(good.clone(), "size", json!(1.5)), false),
            (with(good.clone(), "size", json!(null)), false),
            (with(good.clone(), "data", json!("not base64!")), false),
            (with(good.clone(), "platform", json!(3)), false),
        ] {
            let children = read_json(&index(&[good.clone(), bad.clone(), good.clone()]))
                .unwrap()
                .children;
            assert!(
                matches!(children[0], Child::Readable(_))
                    && matches!(children[2], Child::Readable(_))
            );
            assert!(
                matches!(&children[1], Child::Unreadable(child) if child.flaw.is_unsupported() == unsupported),
                "{bad}"
            );
        }
    }

    #[test]
    fn foreign_content_has_urls_and_is_never_a_manifest() {
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
    fn long_texts_stay_whole_and_a_platform_has_an_end() {
        let long = "x".repeat(100_000);
        let platform = |part: &str| json!({ "os": part, "architecture": part, "variant": part });
        let child = with(descriptor(&long), "platform", platform(&long));
        let kept = readable(only_child(&index(&[child])));
        assert_eq!((kept.media_type, kept.platform), (long.clone(), None));
        let usual = "x".repeat(1024);
        let child = with(descriptor(""), "platform", platform(&usual));
        let kept = readable(only_child(&index(&[child]))).platform.unwrap();
        assert_eq!(&*kept.os, usual);
        let bad = with(descriptor(""), "digest", json!(long));
        let Child::Unreadable(unreadable) = only_child(&index(&[bad])) else {
            panic!("it is not a digest")
        };
        assert_eq!(unreadable.written, long);
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
                Child::Unreadable(_) => None,
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
                Child::Unreadable(_) => None,
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
    fn a_list_of_referrers_may_be_empty_and_has_only_referrers() {
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
        for other in [
            "<html>",
            "",
            "[]",
            "null",
            r#"{"ok":true}"#,
            r#"{"manifests":[]}"#,
        ] {
            let flaw = read_referrers(other.as_bytes()).unwrap_err();
            assert_eq!(flaw, Flaw::NotAnIndex, "{other}");
        }
        let broken = read_referrers(br#"{"schemaVersion":2,"manifests":7}"#).unwrap_err();
        assert!(matches!(broken, Flaw::NotReadable { .. }), "{broken:?}");
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
