//! How a memory is written: one file for each repository, with a checksum at its end.
//!
//! ```text
//! magic · number of tags (4) · repository · last run · pack
//! texts · manifests · blobs · tags · SHA-256
//! ```
//!
//! Numbers are varints (seven bits a byte, the lowest first). A time is the number of seconds before
//! the last run and one more; 0 is never. Records are in the order of their keys.

use std::collections::BTreeMap;

use super::key::Key;
use super::memory::{BlobRecord, ConfigRecord, ManifestRecord, Memory, Tag, Texts};
use super::moment::Moment;
use super::pack::Place;
use crate::oci::digest::sha256;
use crate::walk::rules::Depth;

/// What a file begins with; the number is the version of the format.
const MAGIC: &[u8; 18] = b"pullproof state 1\n";

/// What files of every version begin with.
const NAME: &[u8; 16] = b"pullproof state ";

/// How long the start of a file is that says how many tags it remembers.
pub(super) const START: usize = MAGIC.len() + 4;

const CHECKSUM: usize = 32;

/// A memory, with the pack that its places are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// `team/app`.
    pub(super) repository: String,
    pub(super) memory: Memory,
    /// The number of the pack.
    pub(super) pack: u64,
    /// How long the pack was, in bytes.
    pub(super) pack_length: u64,
}

/// Why a file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    OtherVersion,
    Damaged,
}

/// How many tags a file with this start remembers.
pub(super) fn tags(start: &[u8]) -> Result<usize, Unreadable> {
    let number = start
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.first_chunk());
    match number {
        Some(number) => Ok(u32::from_le_bytes(*number) as usize),
        None if start.starts_with(NAME) && !start.starts_with(MAGIC) => {
            Err(Unreadable::OtherVersion)
        }
        None => Err(Unreadable::Damaged),
    }
}

/// Writes a memory.
pub(super) fn encode(written: &Written) -> Vec<u8> {
    let memory = &written.memory;
    let mut out = Writer {
        bytes: MAGIC.to_vec(),
        last_run: memory.last_run,
    };
    let tags = u32::try_from(memory.tags.len()).unwrap_or(u32::MAX);
    out.bytes.extend(tags.to_le_bytes());
    out.text(&written.repository);
    out.number(memory.last_run.0.into());
    out.number(written.pack);
    out.number(written.pack_length);
    out.count(memory.texts.0.len());
    for text in &memory.texts.0 {
        out.text(text);
    }
    let mut manifests: Vec<_> = memory.manifests.iter().collect();
    manifests.sort_unstable_by_key(|(key, _)| **key);
    out.count(manifests.len());
    for (key, record) in &manifests {
        out.manifest(**key, record);
    }
    let mut blobs: Vec<_> = memory.blobs.iter().collect();
    blobs.sort_unstable_by_key(|(key, _)| **key);
    out.count(blobs.len());
    for (key, record) in blobs {
        out.blob(*key, record);
    }
    out.count(memory.tags.len());
    for (name, tag) in &memory.tags {
        let place = |key| manifests.binary_search_by_key(&key, |(key, _)| **key).ok();
        out.text(name);
        out.bytes.push(u8::from(tag.is_failing));
        out.time(tag.first_seen);
        out.count(tag.key.and_then(place).map_or(0, |place| place + 1));
    }
    let checksum = Key::of(&sha256(&out.bytes));
    out.bytes.extend(checksum.0);
    out.bytes
}

/// Reads what was written of this repository.
pub(super) fn decode(bytes: &[u8], repository: &str) -> Result<Written, Unreadable> {
    tags(bytes)?;
    let body = bytes
        .len()
        .checked_sub(CHECKSUM)
        .ok_or(Unreadable::Damaged)?;
    let (body, checksum) = bytes.split_at(body);
    if Key::of(&sha256(body)).0 != checksum {
        return Err(Unreadable::Damaged);
    }
    let mut reader = Reader {
        rest: body.get(START..).unwrap_or_default(),
        last_run: Moment::NEVER,
    };
    let written = reader.written().filter(|_| reader.rest.is_empty());
    let is_it = |written: &Written| written.repository == repository;
    written.filter(is_it).ok_or(Unreadable::Damaged)
}

struct Writer {
    bytes: Vec<u8>,
    last_run: Moment,
}

const IS_FAILING: u8 = 1;
const HAS_PLACE: u8 = 2;

const IS_BEGUN: u8 = 1;
const IS_PLAIN: u8 = 2;
const IS_ODD: u8 = 4;
/// Of a plain config. Those that earlier versions wrote have no date, and are read again.
const IS_DATED: u8 = 8;
const PLAIN_AND_DATED: u8 = IS_PLAIN | IS_DATED;
/// The number of a depth stands above the other bits.
const FAILED_AT: u8 = 4;

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend(text.as_bytes());
    }

    /// A time; one that is later than the last run is taken for it.
    fn time(&mut self, moment: Moment) {
        let before = self.last_run.0.saturating_sub(moment.0);
        let is_never = moment == Moment::NEVER;
        self.number(if is_never { 0 } else { u64::from(before) + 1 });
    }

    fn place(&mut self, place: Place) {
        self.number(place.offset);
        self.number(place.length.into());
    }

    fn manifest(&mut self, key: Key, record: &ManifestRecord) {
        self.bytes.extend(key.0);
        let has_place = if record.place.is_some() { HAS_PLACE } else { 0 };
        let is_failing = if record.is_failing { IS_FAILING } else { 0 };
        self.bytes.push(is_failing | has_place);
        self.time(record.first_seen);
        self.time(record.proven);
        self.time(record.fetched);
        self.number(record.content_type.into());
        if let Some(place) = record.place {
            self.place(place);
        }
    }

    fn blob(&mut self, key: Key, record: &BlobRecord) {
        self.bytes.extend(key.0);
        let config = match record.config {
            ConfigRecord::Unknown => 0,
            ConfigRecord::Plain { .. } => PLAIN_AND_DATED,
            ConfigRecord::Odd(_) => IS_ODD,
        };
        let is_begun = if record.is_begun { IS_BEGUN } else { 0 };
        self.bytes
            .push(is_begun | config | depth(record.failed_at) << FAILED_AT);
        self.time(record.first_seen);
        self.number(record.size);
        self.time(record.header);
        self.time(record.last_byte);
        self.time(record.whole);
        match record.config {
            ConfigRecord::Unknown => {}
            ConfigRecord::Plain {
                platform,
                diff_ids,
                created,
            } => {
                self.number(platform.into());
                self.number(diff_ids);
                self.time(created);
            }
            ConfigRecord::Odd(place) => self.place(place),
        }
    }
}

/// Depths by their numbers.
const DEPTHS: [Option<Depth>; 5] = [
    None,
    Some(Depth::Manifests),
    Some(Depth::Head),
    Some(Depth::Tail),
    Some(Depth::Full),
];

fn depth(depth: Option<Depth>) -> u8 {
    let number = (0..).zip(DEPTHS).find(|(_, other)| *other == depth);
    number.map_or(0, |(number, _)| number)
}

/// Reads piece by piece; nothing is more than what is there.
struct Reader<'a> {
    rest: &'a [u8],
    last_run: Moment,
}

impl Reader<'_> {
    fn written(&mut self) -> Option<Written> {
        let repository = self.text()?;
        self.last_run = Moment(u32::try_from(self.number()?).ok()?);
        let (pack, pack_length) = (self.number()?, self.number()?);
        let texts = self.all(Self::text)?;
        let manifests = self.all(Self::manifest)?;
        let blobs = self.all(Self::blob)?;
        let keys: Vec<Key> = manifests.iter().map(|(key, _)| *key).collect();
        let tags = self.all(|reader| reader.tag(&keys))?;
        Some(Written {
            repository,
            memory: Memory {
                last_run: self.last_run,
                tags: tags.into_iter().collect::<BTreeMap<_, _>>(),
                manifests: manifests.into_iter().collect(),
                blobs: blobs.into_iter().collect(),
                texts: Texts(texts),
            },
            pack,
            pack_length,
        })
    }

    /// As many as a number says; memory is taken as they come.
    fn all<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(one(self)?);
        }
        Some(all)
    }

    fn bytes(&mut self, count: usize) -> Option<&[u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits.checked_shl(shift).filter(|it| it >> shift == bits)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn short(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let bytes = self.bytes(length)?.to_vec();
        String::from_utf8(bytes).ok()
    }

    fn time(&mut self) -> Option<Moment> {
        let before = self.short()?;
        match before.checked_sub(1) {
            None => Some(Moment::NEVER),
            Some(before) => self.last_run.0.checked_sub(before).map(Moment),
        }
    }

    fn key(&mut self) -> Option<Key> {
        self.bytes(32)?.try_into().ok().map(Key)
    }

    fn place(&mut self) -> Option<Place> {
        let (offset, length) = (self.number()?, self.short()?);
        Some(Place { offset, length })
    }

    fn manifest(&mut self) -> Option<(Key, ManifestRecord)> {
        let (key, flags) = (self.key()?, self.byte()?);
        let record = ManifestRecord {
            is_failing: flags & IS_FAILING != 0,
            first_seen: self.time()?,
            proven: self.time()?,
            fetched: self.time()?,
            content_type: self.short()?,
            place: match flags & HAS_PLACE {
                0 => None,
                _ => Some(self.place()?),
            },
        };
        Some((key, record))
    }

    fn blob(&mut self) -> Option<(Key, BlobRecord)> {
        let (key, flags) = (self.key()?, self.byte()?);
        let record = BlobRecord {
            is_begun: flags & IS_BEGUN != 0,
            failed_at: *DEPTHS.get(usize::from(flags >> FAILED_AT))?,
            first_seen: self.time()?,
            size: self.number()?,
            header: self.time()?,
            last_byte: self.time()?,
            whole: self.time()?,
            config: match flags & (PLAIN_AND_DATED | IS_ODD) {
                0 => ConfigRecord::Unknown,
                IS_PLAIN => {
                    for _platform_and_diff_ids in 0..2 {
                        self.number()?;
                    }
                    ConfigRecord::Unknown
                }
                PLAIN_AND_DATED => ConfigRecord::Plain {
                    platform: self.short()?,
                    diff_ids: self.number()?,
                    created: self.time()?,
                },
                IS_ODD => ConfigRecord::Odd(self.place()?),
                _ => return None,
            },
        };
        Some((key, record))
    }

    fn tag(&mut self, keys: &[Key]) -> Option<(String, Tag)> {
        let (name, flags) = (self.text()?, self.byte()?);
        let first_seen = self.time()?;
        let place = usize::try_from(self.number()?).ok()?;
        let key = match place.checked_sub(1) {
            None => None,
            Some(place) => Some(*keys.get(place)?),
        };
        let is_failing = flags & IS_FAILING != 0;
        let tag = Tag {
            key,
            first_seen,
            is_failing,
        };
        Some((name, tag))
    }
}
