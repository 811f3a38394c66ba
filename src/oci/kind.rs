//! What content is for.

/// What a digest of an image's graph is for.
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
    /// A manifest with provenance or an SBOM, stored as an index's child with the platform
    /// `unknown/unknown`.
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
