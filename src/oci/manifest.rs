//! The lenient wire forms of index and manifest: a malformed child affects itself and not its
//! siblings.

use oci_spec::image::Digest;
use serde_json::value::RawValue;

use super::descriptor::{self, Child, KindOf};
use super::flaw::{Expected, Flaw};
use super::kind::Kind;
use super::media_type;
use super::refusal::{self, Refusal};
use super::wire::{List, WireDocument, WireList};

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
    /// Of an index its `artifactType`; of an artifact its type.
    pub artifact: Option<String>,
    /// Its own `mediaType`; empty for none.
    pub stated: String,
    /// The clients that refuse it although it can be read.
    pub refusals: Vec<Refusal>,
    /// The manifest that it refers to as its subject.
    pub subject: Option<Digest>,
}

impl<'a> Document<'a> {
    fn new(kind: Kind, media_type: String, children: Children<'a>) -> Self {
        Self {
            kind,
            media_type,
            children,
            artifact: None,
            stated: String::new(),
            refusals: Vec::new(),
            subject: None,
        }
    }
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
/// led here, if any. What it is shows in its content; the types decide only where that does not, and
/// which clients refuse it (CVE-2021-41190).
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
    let stated = media_type::bounded(wire.media_type.as_deref().unwrap_or_default().to_owned());
    let types = [Some(stated.as_str()), promised, content_type];
    let types = types.into_iter().flatten();
    let named: Vec<(&str, Form)> = types
        .filter_map(|text| Some((text, Form::of(text)?)))
        .collect();
    let form = form(&wire, &named)?;
    let subject = wire.subject.and_then(subject);
    let is_it = |(_, other): &&(&str, Form)| *other == form;
    let media_type = named.iter().find(is_it).map(|(text, _)| *text);
    let media_type = media_type.unwrap_or(form.default_media_type()).to_owned();
    let mut document = match form {
        Form::Index => index(wire, media_type),
        Form::Manifest => image(wire, media_type)?,
        Form::Artifact => Document {
            artifact: Some(media_type.clone()),
            ..Document::new(
                Kind::Artifact,
                media_type,
                Children::of(wire.blobs, layer_kind),
            )
        },
        Form::SchemaOne => return Err(Flaw::SchemaOne),
    };
    let is_index = form == Form::Index;
    let refusals = refusal::of_document(bytes, is_index, Some(&stated), promised);
    document.refusals.extend(refusals);
    document.stated = stated;
    document.subject = subject;
    Ok(document)
}

fn subject(raw: &RawValue) -> Option<Digest> {
    match descriptor::read(raw, |_, _| Kind::Manifest) {
        Child::Readable(subject) => Some(subject.promise.digest),
        Child::Unreadable(_) => None,
    }
}

fn not_readable(expected: Expected, error: &serde_json::Error) -> Flaw {
    let error = error.to_string().into();
    Flaw::NotReadable { expected, error }
}

fn form(wire: &WireDocument<'_>, named: &[(&str, Form)]) -> Result<Form, Flaw> {
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
    if wire.fs_layers.is_some() {
        return Err(Flaw::SchemaOne);
    }
    match named.first() {
        _ if manifests.present => Ok(Form::Index),
        _ if image_like => Ok(Form::Manifest),
        _ if wire.blobs.present => Ok(Form::Artifact),
        Some((_, form)) => Ok(*form),
        None => Err(Flaw::NeitherIndexNorManifest),
    }
}

fn index(wire: WireDocument<'_>, media_type: String) -> Document<'_> {
    Document {
        artifact: stated_artifact(&wire),
        ..Document::new(
            Kind::Index,
            media_type,
            Children::of(wire.manifests, index_child_kind),
        )
    }
}

fn stated_artifact(wire: &WireDocument<'_>) -> Option<String> {
    let stated = wire.artifact_type.as_ref()?.0.as_deref()?;
    Some(media_type::bounded(stated.to_owned())).filter(|text| !text.is_empty())
}

fn image(wire: WireDocument<'_>, media_type: String) -> Result<Document<'_>, Flaw> {
    let config = wire
        .config
        .filter(|config| config.get() != "null")
        .ok_or(Flaw::NoConfig)?;
    let config = descriptor::read(config, |_, _| Kind::Config);
    let artifact = artifact_type(&wire, &config);
    let kind = match artifact {
        Some(_) => Kind::Artifact,
        None => Kind::Manifest,
    };
    let config_type = match &config {
        Child::Readable(config) => config.media_type.as_str(),
        Child::Unreadable(_) => "",
    };
    let layers = wire
        .layers
        .entries
        .iter()
        .map(|raw| descriptor::media_type(raw));
    let refusals = refusal::of_mixed_config(config_type, &media_type)
        .into_iter()
        .chain(refusal::of_mixed_layers(layers, &media_type));
    let children = Children {
        config: Some(config),
        ..Children::of(wire.layers, layer_kind)
    };
    Ok(Document {
        artifact,
        refusals: refusals.collect(),
        ..Document::new(kind, media_type, children)
    })
}

fn layer_kind(_media_type: &str, _attestation: bool) -> Kind {
    Kind::Layer
}

/// The type of the artifact that a manifest is, if it is no image: it has layers, and none that a
/// client takes for an image's; or none, and another config; or it is a build cache.
fn artifact_type(wire: &WireDocument<'_>, config: &Child) -> Option<String> {
    let of_config = match config {
        Child::Readable(config) => config.media_type.as_str(),
        Child::Unreadable(_) => "",
    };
    let mut layers = wire
        .layers
        .entries
        .iter()
        .map(|raw| descriptor::media_type(raw));
    let first = layers.next();
    let has_image_layers = first.iter().any(|layer| refusal::is_readable_layer(layer))
        || layers.any(|layer| refusal::is_readable_layer(&layer));
    let is_cache = of_config.starts_with("application/vnd.buildkit.cacheconfig.");
    let is_image = match &first {
        Some(_) => has_image_layers && !is_cache,
        None => refusal::is_readable_config(of_config),
    };
    if is_image {
        return None;
    }
    let by_layer = first.filter(|_| refusal::is_readable_config(of_config));
    let by_content = by_layer.unwrap_or_else(|| of_config.to_owned());
    Some(stated_artifact(wire).unwrap_or(by_content))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::client::Clients;
    use crate::oci::descriptor::{Descriptor, Promise};
    use crate::oci::flaw::CONFIG_LIMIT;

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
            ..
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
        assert_eq!(
            read_json(&typed).unwrap().kind,
            Kind::Manifest,
            "clients pull it"
        );
    }

    #[test]
    fn null_and_absent_layers_are_no_layers() {
        let mut document = with(image(), "layers", json!(null));
        assert_eq!(kinds(&document), [Kind::Config]);
        document.as_object_mut().unwrap().remove("layers");
        assert_eq!(kinds(&document), [Kind::Config]);
    }

    #[test]
    fn a_type_of_the_other_form_stops_containerd_alone_and_dockers_mix_with_ocis() {
        let text = image().to_string();
        let stops = |promised| {
            let refusals = read(text.as_bytes(), None, Some(promised))
                .unwrap()
                .refusals;
            refusals
                .into_iter()
                .fold(Clients::NONE, |all, one| all.and(one.stops))
        };
        for promised in [media_type::OCI_INDEX, media_type::DOCKER_LIST] {
            assert_eq!(stops(promised), Clients::CONTAINERD, "{promised}");
        }
        for promised in [media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST, ""] {
            assert_eq!(stops(promised), Clients::NONE, "{promised}");
        }
    }

    #[test]
    fn the_last_of_several_values_counts_and_case_does_not() {
        let twice = image().to_string().replacen('{', "{\"layers\":[],", 1);
        let document = read(twice.as_bytes(), None, None).unwrap();
        assert_eq!(document.children.count(), 2);
        let upper = image().to_string().replace("\"layers\"", "\"Layers\"");
        let document = read(upper.as_bytes(), None, None).unwrap();
        assert_eq!(document.children.count(), 2);
    }

    #[test]
    fn forms_that_some_clients_refuse_are_noted_and_followed() {
        let sha512 = format!("sha512:{}", "0".repeat(128));
        let refused = |descriptor: Value| {
            let document = read_json(&manifest(&descriptor, &[])).unwrap();
            let config = readable(document.children.into_iter().next().unwrap());
            let refusals = config.refusals.into_iter();
            refusals
                .map(|one| one.stops.to_string())
                .collect::<Vec<_>>()
        };
        let whole = || descriptor(media_type::OCI_CONFIG);
        for (descriptor, expected) in [
            (whole(), vec![]),
            (descriptor(""), vec!["podman"]),
            (descriptor("application/json"), vec!["podman"]),
            (
                with(whole(), "size", json!(0)),
                vec!["containerd and podman"],
            ),
            (
                with(whole(), "size", json!(null)),
                vec!["containerd and podman"],
            ),
            (with(whole(), "size", json!(-1)), vec!["containerd"]),
            (with(whole(), "digest", json!(sha512)), vec!["podman"]),
            (
                with(whole(), "size", json!(CONFIG_LIMIT + 1)),
                vec!["podman"],
            ),
        ] {
            assert_eq!(refused(descriptor.clone()), expected, "{descriptor}");
        }
        let mistyped = with(image(), "annotations", json!({ "a": 1 }));
        let text = mistyped.to_string();
        let refusals = read(text.as_bytes(), None, None).unwrap().refusals;
        assert!(matches!(
            &*refusals,
            [Refusal {
                flaw: Flaw::Mistyped(_),
                stops: Clients::ALL
            }]
        ));
    }

    #[test]
    fn an_artifact_says_what_it_is() {
        let artifact = |document: &Value| {
            let text = document.to_string();
            read(text.as_bytes(), None, None).unwrap().artifact
        };
        let layer = |media_type| descriptor(media_type);
        let image_config = descriptor(media_type::OCI_CONFIG);
        let in_toto = "application/vnd.in-toto+json";
        for (document, expected) in [
            (image(), None),
            (manifest(&image_config, &[]), None),
            (with(image(), "artifactType", json!("application/x")), None),
            (
                with(
                    manifest(&descriptor("application/vnd.oci.empty.v1+json"), &[]),
                    "artifactType",
                    json!("application/x"),
                ),
                Some("application/x"),
            ),
            (
                manifest(
                    &descriptor("application/vnd.buildkit.cacheconfig.v0"),
                    &[layer("application/vnd.oci.image.layer.v1.tar+gzip")],
                ),
                Some("application/vnd.buildkit.cacheconfig.v0"),
            ),
            (
                manifest(
                    &descriptor("application/x-config"),
                    &[layer("application/vnd.oci.image.layer.v1.tar+gzip")],
                ),
                None,
            ),
            (
                manifest(&descriptor("application/vnd.cncf.helm.config.v1+json"), &[]),
                Some("application/vnd.cncf.helm.config.v1+json"),
            ),
            (
                manifest(&image_config, &[layer(in_toto), layer(in_toto)]),
                Some(in_toto),
            ),
            (
                manifest(&image_config, &[layer(in_toto), layer("x/y")]),
                Some(in_toto),
            ),
            (
                with(index(&[]), "artifactType", json!("application/y")),
                Some("application/y"),
            ),
        ] {
            assert_eq!(artifact(&document).as_deref(), expected, "{document}");
        }
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
    fn a_manifest_without_a_config_is_malformed() {
        for document in [
            json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [] }),
            json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST }),
            with(image(), "config", json!(null)),
        ] {
            assert!(
                !read_json(&document).unwrap_err().is_unsupported(),
                "{document}"
            );
        }
    }

    #[test]
    fn an_index_of_nothing_is_legal() {
        for manifests in [json!([]), json!(null)] {
            let document = json!({ "schemaVersion": 2, "manifests": manifests });
            assert_eq!(kinds(&document), []);
        }
    }

    #[test]
    fn schema_1_is_unsupported_whatever_number_it_states() {
        for document in [
            json!({ "schemaVersion": 1, "fsLayers": [], "history": [] }),
            json!({ "schemaVersion": 2, "fsLayers": [] }),
            json!({ "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws" }),
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
            (with(good.clone(), "size", json!(1.5)), false),
            (with(good.clone(), "size", json!("7")), false),
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
        let foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar";
        let elsewhere = || json!(["https://elsewhere.example/"]);
        assert!(!layer(with(descriptor(foreign), "urls", json!([]))));
        assert!(layer(with(descriptor(foreign), "urls", elsewhere())));
        assert!(!layer(with(descriptor("x/y"), "urls", elsewhere())));
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
    fn a_media_type_and_a_platform_have_an_end_and_other_texts_stay_whole() {
        let long = "x".repeat(100_000);
        let platform = |part: &str| json!({ "os": part, "architecture": part, "variant": part });
        let child = with(descriptor(&long), "platform", platform(&long));
        let kept = readable(only_child(&index(&[child])));
        let length = "a media type of 100000 bytes".to_owned();
        assert_eq!((kept.media_type, kept.platform), (length, None));
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
                descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
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
