//! One word of a list of references, as Kubernetes and container runtimes write them.

use super::reference::Reference;
use super::transport::refuse_elsewhere;

/// What a container runtime is called in front of an image ID.
const RUNTIMES: [&str; 5] = [
    "docker-pullable://",
    "docker://",
    "containerd://",
    "cri-o://",
    "podman://",
];

/// The longest word that is read, in bytes: more than a host, a name, a tag and a digest.
const LONGEST_WORD: usize = 1024;

/// One word of a list.
pub(crate) enum Word {
    /// A reference.
    Reference(Reference),
    /// An image ID: it names no repository.
    ImageId,
    /// Nothing of the kind.
    Unreadable,
}

impl Word {
    /// Reads a reference, with or without a runtime before it, or an image ID.
    pub(crate) fn read(word: &str) -> Self {
        if word.len() > LONGEST_WORD {
            return Self::Unreadable;
        }
        let bare = RUNTIMES
            .iter()
            .find_map(|runtime| word.strip_prefix(runtime))
            .unwrap_or(word);
        if is_image_id(bare) {
            return Self::ImageId;
        }
        if refuse_elsewhere(bare).is_err() {
            return Self::Unreadable;
        }
        bare.parse().map_or(Self::Unreadable, Self::Reference)
    }
}

/// Whether this is the hash of a config, or of a container, and not of a manifest.
fn is_image_id(text: &str) -> bool {
    let hash = ["sha256:", "sha512:"]
        .iter()
        .find_map(|algorithm| text.strip_prefix(algorithm))
        .unwrap_or(text);
    matches!(hash.len(), 64 | 128)
        && hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
