//! Digests with a few marks each, in as few bytes as it takes to tell a million of them apart.

use oci_spec::image::Digest;

/// The first bytes of a hash: no two digests have them in common.
pub(crate) type Start = [u8; 16];

/// The start of a digest's hash; none for an algorithm whose hashes are not hexadecimal.
pub(crate) fn start(digest: &Digest) -> Option<Start> {
    start_of(digest.digest())
}

/// The same of a hash in hexadecimal digits.
pub(crate) fn start_of(hex: &str) -> Option<Start> {
    let digits = hex.as_bytes().first_chunk::<32>()?;
    let mut start = Start::default();
    for (byte, pair) in start.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |letter: u8| char::from(letter).to_digit(16);
        let (high, low) = (digit(pair[0])?, digit(pair[1])?);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(start)
}

/// How many entries are added before they are put in order, at least.
const LEAST: usize = 1024;

/// Digests, each with the marks that were given to it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// In order up to `sorted`, each once.
    entries: Vec<(Start, u8)>,
    sorted: usize,
}

impl Seen {
    /// Adds marks to digests.
    pub(crate) fn add(&mut self, more: &[(Start, u8)]) {
        self.entries.reserve_exact(more.len());
        self.entries.extend_from_slice(more);
        if self.entries.len() - self.sorted > LEAST.max(self.sorted / 2) {
            self.sort();
        }
    }

    /// Puts everything in order, so that it can be looked up.
    pub(crate) fn sort(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup_by(|later, first| {
            let is_same = later.0 == first.0;
            if is_same {
                first.1 |= later.1;
            }
            is_same
        });
        self.sorted = self.entries.len();
    }

    /// The marks of a digest; 0 for none. It must be in order.
    pub(crate) fn marks(&self, start: &Start) -> u8 {
        let found = self.entries[..self.sorted].binary_search_by(|entry| entry.0.cmp(start));
        found.map_or(0, |place| self.entries[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::sha256;

    #[test]
    fn marks_add_up_however_often_a_digest_is_added() {
        let starts: Vec<Start> = (0..5_000_u32)
            .map(|number| start(&sha256(&number.to_le_bytes())).unwrap())
            .collect();
        let mut seen = Seen::default();
        for marks in [1, 2, 1] {
            for part in starts[..4_000].chunks(7) {
                let more: Vec<_> = part.iter().map(|start| (*start, marks)).collect();
                seen.add(&more);
            }
        }
        seen.sort();
        assert_eq!(seen.entries.len(), 4_000);
        assert!(starts[..4_000].iter().all(|start| seen.marks(start) == 3));
        assert!(starts[4_000..].iter().all(|start| seen.marks(start) == 0));
    }

    #[test]
    fn only_a_hexadecimal_hash_has_a_start() {
        assert_eq!(size_of::<(Start, u8)>(), 17);
        assert_eq!(start_of(&"0f".repeat(32)), Some([15; 16]));
        for text in ["", "0f", &"0g".repeat(32), "ä".repeat(16).as_str()] {
            assert_eq!(start_of(text), None, "{text}");
        }
    }
}
