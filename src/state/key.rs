//! A digest as it is remembered: 32 bytes, of whatever algorithm.

use oci_spec::image::{Digest, DigestAlgorithm};

use crate::oci::digest;

/// The bytes of a SHA-256 digest; of any other the SHA-256 of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    pub(super) fn of(digest: &Digest) -> Self {
        let own = (*digest.algorithm() == DigestAlgorithm::Sha256).then(|| bytes(digest));
        let key = own.flatten().or_else(|| {
            let named = digest::sha256(digest.as_ref().as_bytes());
            bytes(&named)
        });
        Self(key.expect("SHA-256 has 32 bytes"))
    }

    /// The digest of an algorithm with 32 bytes.
    pub(super) fn digest(self, algorithm: &DigestAlgorithm) -> Digest {
        use std::fmt::Write as _;
        let mut text = format!("{algorithm}:");
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        text.parse().expect("64 hexadecimal digits are a digest")
    }

    /// A number by which digests are spread evenly.
    pub(super) fn spread(self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }
}

fn bytes(digest: &Digest) -> Option<[u8; 32]> {
    let text = digest.digest();
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_has_a_key_of_its_own() {
        let texts = [
            format!("sha256:{}", "ab".repeat(32)),
            format!("sha256:{}", "ac".repeat(32)),
            format!("sha512:{}", "ab".repeat(64)),
            format!("sha384:{}", "ab".repeat(48)),
            "md5:00".to_owned(),
        ];
        let keys = texts.map(|text| Key::of(&text.parse().unwrap()));
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[..place].contains(key), "{place}");
        }
        assert_eq!(keys[0], Key([0xab; 32]));
        assert_eq!(keys[0].spread(), 0xabab_abab_abab_abab);
    }
}
