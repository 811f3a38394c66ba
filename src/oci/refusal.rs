//! What the clients refuse, rule by rule, as they were asked: `docs/clients.md` has every case.
//!
//! A rule is about form alone; content that is missing or damaged stops every client.

use oci_spec::image::DigestAlgorithm;

use super::client::{Client, Clients};
use super::descriptor::Promise;
use super::digest;
use super::flaw::{CONFIG_LIMIT, Disagreement, Flaw, MANIFEST_LIMIT};
use super::kind::Kind;
use super::media_type;
use super::shape;

const CONTAINERD: Clients = Clients::CONTAINERD;
const DOCKER: Clients = Clients::of(&[Client::Docker]);
const PODMAN: Clients = Clients::of(&[Client::Podman]);

/// A form, and the clients that refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub flaw: Flaw,
    /// The clients that it stops; never none.
    pub stops: Clients,
}

/// The refusals of something, as they are found.
#[derive(Default)]
struct Refusals(Vec<Refusal>);

impl Refusals {
    fn add(&mut self, is_refused: bool, stops: Clients, flaw: impl FnOnce() -> Flaw) {
        if is_refused && !stops.is_empty() {
            let flaw = flaw();
            self.0.push(Refusal { flaw, stops });
        }
    }
}

/// Who refuses an index or a manifest for what it says of itself.
///
/// `stated` is its `mediaType`, `promised` the type in the descriptor that leads to it.
pub(super) fn of_document(
    bytes: &[u8],
    is_index: bool,
    stated: Option<&str>,
    promised: Option<&str>,
) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    for (stops, error) in shape::mistyped_manifest(bytes, is_index) {
        refusals.add(true, stops, || Flaw::Mistyped(error.into()));
    }
    let is_large = bytes.len() as u64 > MANIFEST_LIMIT;
    refusals.add(is_large, PODMAN, || Flaw::LargeManifest);
    let other_form = if is_index {
        media_type::is_image_manifest
    } else {
        media_type::is_index
    };
    for (place, text) in [("mediaType", stated), ("its descriptor", promised)] {
        let text = text.unwrap_or_default();
        refusals.add(other_form(text), CONTAINERD, || {
            let kind = if is_index { "an index" } else { "a manifest" };
            disagreement(place, text, "its content", kind)
        });
    }
    refusals.0
}

/// Who refuses the type that a manifest is delivered as.
///
/// docker compares it with the manifest's own, and so does podman where it is no index.
pub(crate) fn of_delivery(
    kind: Kind,
    stated: &str,
    content_type: Option<&str>,
    readers: Clients,
) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    let delivered = content_type.unwrap_or_default();
    let is_of_kind = match kind {
        Kind::Index => media_type::is_index(delivered),
        _ => media_type::is_image_manifest(delivered),
    };
    refusals.add(!is_of_kind, readers, || Flaw::ContentType(delivered.into()));
    let is_dockers = [media_type::DOCKER_LIST, media_type::DOCKER_MANIFEST].contains(&delivered);
    if is_of_kind && is_dockers && stated.is_empty() {
        let podman = if kind == Kind::Index {
            Clients::NONE
        } else {
            PODMAN
        };
        let stops = readers.without(Clients::ALL.without(DOCKER.and(podman)));
        refusals.add(true, stops, || {
            disagreement("Content-Type", delivered, "mediaType", "absent")
        });
    }
    if is_of_kind && !stated.is_empty() && stated != delivered {
        let is_known = media_type::is_index(stated) || media_type::is_image_manifest(stated);
        let podman = if kind == Kind::Index || !is_known {
            Clients::NONE
        } else {
            PODMAN
        };
        let stops = readers.without(Clients::ALL.without(DOCKER.and(podman)));
        refusals.add(true, stops, || {
            disagreement("Content-Type", delivered, "mediaType", stated)
        });
    }
    refusals.0
}

fn disagreement(
    place: &'static str,
    media_type: &str,
    other_place: &'static str,
    other: &str,
) -> Flaw {
    Flaw::TypesDisagree(Box::new(Disagreement {
        place,
        media_type: media_type.into(),
        other_place,
        other: other.into(),
    }))
}

/// What of a size is in a descriptor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stated {
    Size,
    Nothing,
    Negative,
}

/// Who refuses a child of an index, a config or a layer for its descriptor.
pub(super) fn of_descriptor(
    promise: &Promise,
    stated: Stated,
    kind: Kind,
    media_type: &str,
) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    let none_or_zero = stated == Stated::Nothing || (stated == Stated::Size && promise.size == 0);
    let of_size = if kind == Kind::Config {
        CONTAINERD.and(PODMAN)
    } else {
        CONTAINERD
    };
    let is_of_nothing = kind == Kind::Layer && digest::is_of_nothing(&promise.digest);
    let of_size = if is_of_nothing {
        of_size.and(DOCKER)
    } else {
        of_size
    };
    refusals.add(none_or_zero, of_size, || Flaw::NoSize);
    refusals.add(stated == Stated::Negative, CONTAINERD, || {
        Flaw::NegativeSize
    });
    let is_rare = *promise.digest.algorithm() != DigestAlgorithm::Sha256;
    refusals.add(is_rare && kind != Kind::Layer, PODMAN, || {
        Flaw::RareAlgorithm(promise.digest.algorithm().as_ref().into())
    });
    let by_type = refusing_type(kind, media_type);
    refusals.add(true, by_type, || Flaw::MediaType(media_type.into()));
    let is_large = kind == Kind::Config && promise.size > CONFIG_LIMIT;
    refusals.add(is_large, PODMAN, || Flaw::LargeConfig);
    refusals.0
}

/// Who refuses a child of an index whose platform names no system or no processor.
pub(super) fn of_platform(is_nameless: bool) -> Option<Refusal> {
    is_nameless.then(|| Refusal {
        flaw: Flaw::Mistyped("its platform names no os or no architecture".into()),
        stops: PODMAN,
    })
}

/// docker takes these for configs and layers of old registries.
const VAGUE: [&str; 4] = [
    "",
    "application/octet-stream",
    "application/json",
    "text/html",
];

/// Whether some client reads a config of this type as that of an image, whatever else there is.
pub(super) fn is_readable_config(media_type: &str) -> bool {
    let bare = bare(media_type);
    VAGUE.contains(&bare) || media_type::is_image_config(bare)
}

/// Whether some client takes content of this type for an image's layer.
pub(super) fn is_readable_layer(media_type: &str) -> bool {
    VAGUE.contains(&media_type) || media_type::is_layer(media_type)
}

/// A media type without parameters.
fn bare(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Who refuses the type that a descriptor states.
fn refusing_type(kind: Kind, media_type: &str) -> Clients {
    match kind {
        Kind::Index | Kind::Manifest
            if media_type::is_index(media_type) || media_type::is_image_manifest(media_type) =>
        {
            Clients::NONE
        }
        Kind::Index | Kind::Manifest => CONTAINERD,
        Kind::Config if media_type::is_image_config(media_type) => Clients::NONE,
        Kind::Config if is_readable_config(media_type) => PODMAN,
        Kind::Config => DOCKER.and(PODMAN),
        Kind::Layer if media_type::is_unpackable_layer(media_type) => Clients::NONE,
        // Of what containerd does not count the number of diff ids decides.
        Kind::Layer if is_counted_layer(media_type) => CONTAINERD,
        Kind::Layer if is_readable_layer(media_type) => Clients::NONE,
        Kind::Layer => DOCKER,
        Kind::Attestation | Kind::Artifact | Kind::Referrer => Clients::NONE,
    }
}

/// Who refuses a config without `rootfs`, or with a diff id that is no digest.
pub(super) fn of_root_fs(is_there: bool, are_digests: bool) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    refusals.add(!is_there, DOCKER, || {
        Flaw::Config("it has no rootfs".into())
    });
    refusals.add(!are_digests, CONTAINERD.and(DOCKER), || {
        Flaw::Config("a diff id is not a digest".into())
    });
    refusals.0
}

/// Who refuses an image's config for its content.
pub(super) fn of_config(bytes: &[u8]) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    for (stops, error) in shape::mistyped_config(bytes) {
        refusals.add(true, stops, || Flaw::Config(error.into()));
    }
    refusals.0
}

/// Who refuses an image whose config lists another number of diff ids than it has `layers`; of
/// these containerd counts only some, and unpacks nothing where it counts none.
pub(crate) fn of_diff_ids(listed: usize, layers: usize, counted: usize) -> Vec<Refusal> {
    let mut refusals = Refusals::default();
    let flaw = |layers| Flaw::DiffIds { listed, layers };
    let by_containerd = counted > 0 && listed != counted;
    refusals.add(by_containerd, CONTAINERD, || flaw(counted));
    refusals.add(listed != layers, DOCKER, || flaw(layers));
    refusals.0
}

/// Whether containerd counts a layer of this type.
pub(crate) fn is_counted_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type::is_unpackable_layer(media_type)
}

/// Who refuses an image for the layers of another family in a manifest of Docker's.
pub(super) fn of_mixed_layers(
    mut layers: impl Iterator<Item = String>,
    delivered: &str,
) -> Option<Refusal> {
    if delivered != media_type::DOCKER_MANIFEST {
        return None;
    }
    let is_dockers = |layer: &String| {
        VAGUE.contains(&layer.as_str()) || layer.starts_with("application/vnd.docker.image.rootfs.")
    };
    let other = layers.find(|layer| !is_dockers(layer))?;
    Some(Refusal {
        flaw: disagreement("a layer's type", &other, "the manifest's", delivered),
        stops: PODMAN,
    })
}

/// Who refuses a config with this many entries for layers in its history.
pub(crate) fn of_history(layers_in_history: usize, diff_ids: usize) -> Option<Refusal> {
    (layers_in_history > diff_ids).then_some(Refusal {
        flaw: Flaw::LongHistory,
        stops: DOCKER,
    })
}

/// Who refuses a config of this type in a manifest of that type: podman wants no config of Docker's
/// in one of OCI's.
pub(crate) fn of_mixed_config(config: &str, delivered: &str) -> Option<Refusal> {
    let is_other = delivered == media_type::OCI_MANIFEST && config == media_type::DOCKER_CONFIG;
    is_other.then(|| Refusal {
        flaw: disagreement("the config's type", config, "the manifest's", delivered),
        stops: PODMAN,
    })
}

/// Who does not have content that only its descriptor carries.
pub(crate) fn of_inline_alone() -> Refusal {
    Refusal {
        flaw: Flaw::OnlyInline,
        stops: DOCKER.and(PODMAN),
    }
}
