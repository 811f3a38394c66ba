//! Digests in as few bytes as they have: a graph holds a hundred thousand of them.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use oci_spec::image::{Digest, DigestAlgorithm};

use crate::oci::digest::written;

/// The digest of a node, or that it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    None,
    Sha256([u8; 32]),
    /// The place in [`Names`].
    Other([u8; 4]),
}

/// The digests that are not SHA-256.
#[derive(Debug, Default)]
pub(super) struct Names {
    wide: Vec<Wide>,
}

/// A digest by one of the longer algorithms, or by one that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wide {
    Sha384([u8; 48]),
    Sha512([u8; 64]),
    Unknown(Box<str>),
}

impl Names {
    /// The short form of a digest.
    pub(super) fn name(&mut self, digest: Option<&Digest>) -> Name {
        let Some(digest) = digest else {
            return Name::None;
        };
        if let Some(bytes) = sha256(digest) {
            return Name::Sha256(bytes);
        }
        let place = u32::try_from(self.wide.len()).expect("the walk stops at 100,000 nodes");
        self.wide.push(Wide::of(digest));
        Name::Other(place.to_le_bytes())
    }

    /// The digest itself.
    pub(super) fn digest(&self, name: Name) -> Option<Digest> {
        match name {
            Name::None => None,
            Name::Sha256(bytes) => Some(written(&DigestAlgorithm::Sha256, &bytes)),
            Name::Other(_) => Some(match self.wide(name)? {
                Wide::Sha384(bytes) => written(&DigestAlgorithm::Sha384, bytes),
                Wide::Sha512(bytes) => written(&DigestAlgorithm::Sha512, bytes),
                Wide::Unknown(text) => text.parse().expect("it was a digest before"),
            }),
        }
    }

    /// The first bytes of a hash: enough to tell it from every other.
    pub(super) fn start(&self, name: Name) -> Option<[u8; 16]> {
        let bytes: &[u8] = match &name {
            Name::None => return None,
            Name::Sha256(bytes) => bytes,
            Name::Other(_) => match self.wide(name)? {
                Wide::Unknown(_) => return None,
                wide => wide.bytes(),
            },
        };
        bytes.first_chunk().copied()
    }

    /// Whether this is the name of `digest`.
    pub(super) fn is(&self, name: Name, digest: &Digest) -> bool {
        match (name, sha256(digest)) {
            (Name::Sha256(bytes), Some(other)) => bytes == other,
            (Name::Other(_), None) => self
                .wide(name)
                .is_some_and(|wide| *wide == Wide::of(digest)),
            _ => false,
        }
    }

    /// An order in which equal digests are equal; nodes without a digest are all alike.
    pub(super) fn compare(&self, one: Name, other: Name) -> Ordering {
        match (one, other) {
            (Name::Sha256(one), Name::Sha256(other)) => one.cmp(&other),
            (Name::Other(_), Name::Other(_)) => self.wide(one).cmp(&self.wide(other)),
            _ => rank(one).cmp(&rank(other)),
        }
    }

    /// Feeds a digest to a hash.
    pub(super) fn hash(&self, name: Name, hasher: &mut impl Hasher) {
        match (name, self.wide(name)) {
            (Name::Sha256(bytes), _) => bytes.hash(hasher),
            (_, Some(wide)) => wide.bytes().hash(hasher),
            _ => {}
        }
    }

    fn wide(&self, name: Name) -> Option<&Wide> {
        match name {
            Name::Other(place) => self.wide.get(u32::from_le_bytes(place) as usize),
            Name::None | Name::Sha256(_) => None,
        }
    }
}

/// Feeds a digest to a hash, as [`Names::hash`] does.
pub(super) fn hash(digest: &Digest, hasher: &mut impl Hasher) {
    match sha256(digest) {
        Some(bytes) => bytes.hash(hasher),
        None => Wide::of(digest).bytes().hash(hasher),
    }
}

impl Wide {
    fn of(digest: &Digest) -> Self {
        let read = match digest.algorithm() {
            DigestAlgorithm::Sha384 => bytes(digest).map(Self::Sha384),
            DigestAlgorithm::Sha512 => bytes(digest).map(Self::Sha512),
            _ => None,
        };
        read.unwrap_or_else(|| Self::Unknown(digest.as_ref().into()))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
            Self::Unknown(text) => text.as_bytes(),
        }
    }
}

fn rank(name: Name) -> u8 {
    match name {
        Name::None => 0,
        Name::Sha256(_) => 1,
        Name::Other(_) => 2,
    }
}

fn sha256(digest: &Digest) -> Option<[u8; 32]> {
    (*digest.algorithm() == DigestAlgorithm::Sha256)
        .then(|| bytes(digest))
        .flatten()
}

fn bytes<const LENGTH: usize>(digest: &Digest) -> Option<[u8; LENGTH]> {
    let text = digest.digest().as_bytes();
    let mut bytes = [0; LENGTH];
    if text.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

fn value(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::DefaultHasher;

    use super::*;

    #[test]
    fn every_digest_comes_back_as_it_was() {
        let mut names = Names::default();
        let digests: Vec<Digest> = [
            ("sha256", 64),
            ("sha384", 96),
            ("sha512", 128),
            ("md5", 32),
            ("sha512", 128),
        ]
        .iter()
        .zip(["0", "9", "a", "f", "b"])
        .map(|((algorithm, length), letter)| {
            format!("{algorithm}:{}", letter.repeat(*length))
                .parse()
                .unwrap()
        })
        .collect();
        let short: Vec<Name> = digests
            .iter()
            .map(|digest| names.name(Some(digest)))
            .collect();
        for (place, (digest, name)) in digests.iter().zip(&short).enumerate() {
            assert_eq!(names.digest(*name).as_ref(), Some(digest));
            let (mut one, mut other) = (DefaultHasher::new(), DefaultHasher::new());
            names.hash(*name, &mut one);
            hash(digest, &mut other);
            assert_eq!(one.finish(), other.finish());
            for (other, candidate) in digests.iter().enumerate() {
                assert_eq!(names.is(*name, candidate), place == other);
                assert_eq!(
                    names.compare(*name, short[other]) == Ordering::Equal,
                    place == other
                );
            }
        }
        assert_eq!(
            (names.name(None), names.digest(Name::None)),
            (Name::None, None)
        );
        let again = names.name(Some(&digests[2]));
        assert_eq!(names.compare(short[2], again), Ordering::Equal);
    }

    #[test]
    fn a_known_hash_is_held_as_its_bytes_and_an_unknown_one_as_its_text() {
        for (algorithm, letters, length) in
            [("sha384", 96, 48), ("sha512", 128, 64), ("md5", 32, 36)]
        {
            let digest: Digest = format!("{algorithm}:{}", "a".repeat(letters))
                .parse()
                .unwrap();
            assert_eq!(Wide::of(&digest).bytes().len(), length, "{algorithm}");
        }
        let usual = format!("sha256:{}", "0123456789abcdef".repeat(4))
            .parse()
            .unwrap();
        let bytes = [[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]; 4]
            .concat()
            .try_into()
            .unwrap();
        assert_eq!(Names::default().name(Some(&usual)), Name::Sha256(bytes));
    }
}
