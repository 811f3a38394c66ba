//! Media types of OCI and Docker manifests, see
//! <https://github.com/opencontainers/image-spec/blob/main/media-types.md>.

/// An OCI image index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The short-lived OCI artifact manifest.
pub(crate) const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// A Docker manifest list.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A Docker image manifest, schema 2.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An OCI image configuration.
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A Docker image configuration.
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's schema 1, signed or not, begins with this.
pub(crate) const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// The longest media type that is kept, in bytes. RFC 6838 has names of up to 127 on each side.
const LONGEST: usize = 4096;

/// A media type as a document states it, or its length where it is too long to be one.
pub(super) fn bounded(stated: String) -> String {
    if stated.len() <= LONGEST {
        return stated;
    }
    format!("a media type of {} bytes", stated.len())
}

/// Whether it is the type of an index.
pub(crate) fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&media_type)
}

/// Whether it is the type of an image manifest.
pub(crate) fn is_image_manifest(media_type: &str) -> bool {
    [OCI_MANIFEST, DOCKER_MANIFEST].contains(&media_type)
}

/// Whether it is the type of an image's config.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    [OCI_CONFIG, DOCKER_CONFIG].contains(&media_type)
}

/// Whether it is the type of an image's layer, packed in whatever way and written in either case.
pub(crate) fn is_layer(media_type: &str) -> bool {
    let lower = media_type.to_ascii_lowercase();
    lower.starts_with("application/vnd.oci.image.layer.")
        || lower.starts_with("application/vnd.docker.image.rootfs.")
}

/// Whether it is the type of a layer that containerd unpacks, see
/// <https://github.com/containerd/containerd/blob/main/core/images/mediatypes.go>.
pub(crate) fn is_unpackable_layer(media_type: &str) -> bool {
    let oci = media_type.strip_prefix("application/vnd.oci.image.layer.");
    let docker = media_type.strip_prefix("application/vnd.docker.image.rootfs.");
    let tar = match (oci, docker) {
        (Some(oci), _) => oci
            .strip_prefix("nondistributable.")
            .unwrap_or(oci)
            .strip_prefix("v1."),
        (_, Some(docker)) => docker
            .strip_prefix("foreign.")
            .unwrap_or(docker)
            .strip_prefix("diff."),
        (None, None) => None,
    };
    let packed: &[&str] = if oci.is_some() {
        &["tar", "tar+gzip", "tar+zstd"]
    } else {
        &["tar", "tar.gzip", "tar.zstd"]
    };
    tar.is_some_and(|tar| packed.contains(&tar))
}

/// Whether it is the type of a layer that registries may not distribute, so that it is elsewhere.
pub(crate) fn is_foreign_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}
