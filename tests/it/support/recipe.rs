//! The usual images, by how they differ: how many platforms and layers, which types, attested or
//! not.

use serde_json::json;

use super::digest::Random;
use super::image::{
    CONFIG, DOCKER_CONFIG, DOCKER_LAYER, Descriptor, EMPTY_CONFIG, IN_TOTO, Image, LAYER, Parts,
    config_of, index_of, manifest_of,
};

/// The platforms of an index of several, in this order.
pub(crate) const PLATFORMS: [&str; 6] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/s390x",
    "linux/ppc64le",
    "windows/amd64",
];

/// How to make an image. Equal recipes make equal images, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    platforms: Option<usize>,
    layers: usize,
    shared: usize,
    base: Option<u64>,
    layer_size: usize,
    attested: bool,
    docker: bool,
    nested: bool,
    created: Option<String>,
    seed: u64,
}

/// One manifest without an index, with three layers.
pub(crate) fn single() -> Recipe {
    Recipe {
        platforms: None,
        layers: 3,
        shared: 0,
        base: None,
        layer_size: 1000,
        attested: false,
        docker: false,
        nested: false,
        created: None,
        seed: 0,
    }
}

/// An index of so many platforms, with three layers each.
pub(crate) fn platforms(count: usize) -> Recipe {
    Recipe {
        platforms: Some(count),
        ..single()
    }
}

/// Any kind of image that builds leave, with content of this seed.
pub(crate) fn any(random: &mut Random, seed: u64) -> Recipe {
    let base = match random.below(5) {
        0 => single(),
        count => platforms(count),
    };
    let recipe = base
        .layers(1 + random.below(4))
        .shared(random.below(2))
        .layer_size(1 + random.below(50_000))
        .seed(seed);
    match random.below(4) {
        0 => recipe.docker(),
        1 => recipe,
        _ => recipe.attested(),
    }
}

impl Recipe {
    /// So many layers in each manifest.
    pub(crate) fn layers(self, layers: usize) -> Self {
        Self { layers, ..self }
    }

    /// So many of them are the same for every platform.
    pub(crate) fn shared(self, shared: usize) -> Self {
        Self { shared, ..self }
    }

    /// Images of the same base have these layers in common, too, whatever their seeds.
    pub(crate) fn base(self, seed: u64) -> Self {
        Self {
            base: Some(seed),
            ..self
        }
    }

    /// So many bytes in each layer.
    pub(crate) fn layer_size(self, layer_size: usize) -> Self {
        Self { layer_size, ..self }
    }

    /// With an attestation for each platform, as buildx leaves them by default.
    pub(crate) fn attested(self) -> Self {
        Self {
            attested: true,
            ..self
        }
    }

    /// In docker's types rather than OCI's.
    pub(crate) fn docker(self) -> Self {
        Self {
            docker: true,
            ..self
        }
    }

    /// Each platform's manifest in an index of its own, below the index.
    pub(crate) fn nested(self) -> Self {
        Self {
            nested: true,
            ..self
        }
    }

    /// With configs that say when it was built, as RFC 3339 has it.
    pub(crate) fn created(self, created: &str) -> Self {
        Self {
            created: Some(created.to_owned()),
            ..self
        }
    }

    /// With other content than the same recipe with another seed.
    pub(crate) fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Makes it.
    pub(crate) fn make(&self) -> Image {
        let mut image = Image::empty();
        let mut random = Random::seeded(self.seed);
        let layer_type = if self.docker { DOCKER_LAYER } else { LAYER };
        let mut base = self.base.map(Random::seeded);
        let shared: Vec<_> = (0..self.shared)
            .map(|_| {
                let random = base.as_mut().unwrap_or(&mut random);
                image.blob(layer_type, random.bytes(self.layer_size))
            })
            .collect();
        for platform in PLATFORMS.iter().cycle().take(self.platforms.unwrap_or(1)) {
            let mut layers = shared.clone();
            layers.resize_with(self.layers.max(self.shared), || {
                image.blob(layer_type, random.bytes(self.layer_size))
            });
            let parts = self.one_platform(&mut image, platform, layers, &mut random);
            image.images.push(parts);
        }
        if self.platforms.is_none() {
            let root = image.images[0].manifest.clone();
            return image.begins_with(&root);
        }
        if self.attested {
            for subject in image.images.clone() {
                let parts = attest(&mut image, &subject.manifest, &mut random);
                image.attestations.push(parts);
            }
        }
        let mut children: Vec<_> = image
            .images
            .iter()
            .chain(&image.attestations)
            .map(|parts| parts.manifest.clone())
            .collect();
        if self.nested {
            children = children
                .into_iter()
                .map(|child| image.document(&index_of(&[child])))
                .collect();
        }
        let root = image.document(&index_of(&children));
        image.begins_with(&root)
    }

    fn one_platform(
        &self,
        image: &mut Image,
        platform: &str,
        layers: Vec<Descriptor>,
        random: &mut Random,
    ) -> Parts {
        let mut config = config_of(platform, &layers);
        config["config"] = json!({"Env": [format!("BUILD={:016x}", random.next())]});
        if let Some(created) = &self.created {
            config["created"] = created.as_str().into();
        }
        let config = image.blob(
            if self.docker { DOCKER_CONFIG } else { CONFIG },
            config.to_string(),
        );
        let manifest = image
            .document(&manifest_of(&config, &layers))
            .platform(platform);
        Parts {
            manifest,
            config,
            layers,
        }
    }
}

/// An attestation manifest as `BuildKit` writes it: a config that names no platform, and one
/// statement.
fn attest(image: &mut Image, subject: &Descriptor, random: &mut Random) -> Parts {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "subject": [{"digest": {"sha256": subject.digest().trim_start_matches("sha256:")}}],
        "predicate": {"buildType": format!("{:016x}", random.next())},
    });
    let layers = vec![image.blob(IN_TOTO, statement.to_string()).annotated(
        "in-toto.io/predicate-type",
        "https://slsa.dev/provenance/v0.2",
    )];
    let mut config = config_of("unknown/unknown", &layers);
    config["config"] = json!({});
    let config = image.blob(CONFIG, config.to_string());
    let manifest = image
        .document(&manifest_of(&config, &layers))
        .attests(subject);
    Parts {
        manifest,
        config,
        layers,
    }
}

/// An artifact as ORAS pushes it: an empty config, a type of its own, and files.
pub(crate) fn artifact(artifact_type: &str, files: &[&[u8]]) -> Image {
    let mut image = Image::empty();
    let config = image.blob(EMPTY_CONFIG, "{}");
    let layers: Vec<_> = files
        .iter()
        .map(|file| image.blob(artifact_type, *file))
        .collect();
    let mut document = manifest_of(&config, &layers);
    document["artifactType"] = artifact_type.into();
    let root = image.document(&document);
    image.images.push(Parts {
        manifest: root.clone(),
        config,
        layers,
    });
    image.begins_with(&root)
}
