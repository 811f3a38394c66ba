//! Hashing: the algorithms that OCI registers and a registry may use.

use oci_spec::image::{Digest, DigestAlgorithm};
use ring::digest::{Algorithm, Context, SHA256, SHA384, SHA512};

/// Hashes content piece by piece.
#[derive(Clone)]
pub(crate) struct Hasher {
    name: DigestAlgorithm,
    context: Context,
}

impl Hasher {
    /// A hasher of the algorithm of `digest`; `None` when we do not know it.
    #[must_use]
    pub(crate) fn like(digest: &Digest) -> Option<Self> {
        algorithm(digest.algorithm()).map(|algorithm| Self {
            name: digest.algorithm().clone(),
            context: Context::new(algorithm),
        })
    }

    /// A hasher of SHA-256.
    #[must_use]
    pub(crate) fn sha256() -> Self {
        Self {
            name: DigestAlgorithm::Sha256,
            context: Context::new(&SHA256),
        }
    }

    /// A hasher of SHA-512.
    #[must_use]
    pub(crate) fn sha512() -> Self {
        Self {
            name: DigestAlgorithm::Sha512,
            context: Context::new(&SHA512),
        }
    }

    /// Adds the next piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.context.update(piece);
    }

    /// The digest of all pieces.
    #[must_use]
    pub(crate) fn finish(self) -> Digest {
        written(&self.name, self.context.finish().as_ref())
    }
}

/// The digest of this hash.
///
/// # Panics
/// When the hash does not have the length of its algorithm.
pub(crate) fn written(algorithm: &DigestAlgorithm, hash: &[u8]) -> Digest {
    const LETTERS: &[u8; 16] = b"0123456789abcdef";
    let algorithm = algorithm.as_ref();
    let mut text = String::with_capacity(algorithm.len() + 1 + 2 * hash.len());
    text.push_str(algorithm);
    text.push(':');
    for byte in hash {
        text.push(LETTERS[usize::from(byte >> 4)].into());
        text.push(LETTERS[usize::from(byte & 15)].into());
    }
    Digest::try_from(text).expect("an algorithm and its hexadecimal hash are a digest")
}

fn algorithm(name: &DigestAlgorithm) -> Option<&'static Algorithm> {
    match name {
        DigestAlgorithm::Sha256 => Some(&SHA256),
        DigestAlgorithm::Sha384 => Some(&SHA384),
        DigestAlgorithm::Sha512 => Some(&SHA512),
        _ => None,
    }
}

/// Whether content of this digest can be checked.
#[must_use]
pub(crate) fn is_supported(digest: &Digest) -> bool {
    algorithm(digest.algorithm()).is_some()
}

/// The digest of `bytes` by the algorithm of `like`; `None` when we do not know it.
#[must_use]
pub(crate) fn of_bytes(bytes: &[u8], like: &Digest) -> Option<Digest> {
    let mut hasher = Hasher::like(like)?;
    hasher.update(bytes);
    Some(hasher.finish())
}

/// The SHA-256 digest of `bytes`.
#[must_use]
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::sha256();
    hasher.update(bytes);
    hasher.finish()
}

/// The SHA-512 digest of `bytes`.
#[must_use]
pub(crate) fn sha512(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::sha512();
    hasher.update(bytes);
    hasher.finish()
}

/// Whether this is the SHA-256 of no bytes at all: what a push of an empty file leaves under
/// another name.
#[must_use]
pub(crate) fn is_of_nothing(digest: &Digest) -> bool {
    digest.as_ref() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_known() {
        assert!(is_of_nothing(&sha256(b"")));
        assert!(!is_of_nothing(&sha256(b"x")));
    }

    #[test]
    fn each_registered_algorithm_hashes_in_pieces_as_in_one() {
        for name in ["sha256", "sha384", "sha512"] {
            let length = match name {
                "sha256" => 64,
                "sha384" => 96,
                _ => 128,
            };
            let like: Digest = format!("{name}:{}", "0".repeat(length)).parse().unwrap();
            let mut hasher = Hasher::like(&like).unwrap();
            hasher.update(b"ab");
            hasher.update(b"c");
            assert_eq!(Some(hasher.finish()), of_bytes(b"abc", &like));
        }
        assert_eq!(
            sha256(b"abc").digest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn an_unknown_algorithm_is_not_supported() {
        let digest: Digest = "md5:d41d8cd98f00b204e9800998ecf8427e".parse().unwrap();
        assert!(!is_supported(&digest));
        assert!(Hasher::like(&digest).is_none());
    }
}
