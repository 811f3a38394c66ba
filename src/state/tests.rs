//! What is written is read again, whatever happens to it in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::due::Tiers;
use super::format::{self, Unreadable, Written, decode, encode};
use super::keep::{Needed, keep};
use super::key::Key;
use super::memory::{BlobRecord, ConfigRecord, ManifestRecord, Memory, Tag, Texts};
use super::moment::Moment;
use super::notebook::{BlobWay, ManifestWay, Notebook};
use super::pack::{Pack, Place};
use super::store::{Loaded, Store};
use crate::oci::descriptor::Promise;
use crate::oci::digest::sha256;
use crate::walk::rules::Depth;

const NOW: u32 = 1_800_000_000;

/// An empty directory of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pullproof-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(number: u32) -> Key {
    Key::of(&sha256(&number.to_be_bytes()))
}

/// A repository with so many tags, each of an index, two platforms, two attestations and 30 layers,
/// half of which the tags share, last proven over a week.
fn usual(tags: u32) -> Memory {
    let mut memory = Memory {
        last_run: Moment(NOW),
        texts: Texts(vec![
            "application/vnd.oci.image.index.v1+json".into(),
            "linux\0amd64".into(),
        ]),
        ..Memory::default()
    };
    let ago = |number: u32, most: u32| Moment(NOW - number.wrapping_mul(7919) % most);
    for tag in 0..tags {
        for manifest in 0..5 {
            let number = tag * 100 + manifest;
            let record = ManifestRecord {
                first_seen: ago(number, 100_000_000),
                proven: ago(number, 3600),
                fetched: ago(number, 604_800),
                is_failing: number % 50 == 7,
                content_type: 1,
                place: Some(Place {
                    offset: u64::from(number) * 2000,
                    length: 1500,
                }),
            };
            memory.manifests.insert(key(number), record);
        }
        for blob in 5..39 {
            let shared = blob % 2 == 0;
            let number = if shared { blob } else { tag * 100 + blob };
            let header = ago(number, 86_400);
            let record = BlobRecord {
                first_seen: ago(number, 100_000_000),
                size: u64::from(number) * 37_000 % 300_000_000,
                header,
                last_byte: ago(number, 604_800).min(header),
                whole: Moment::NEVER,
                is_begun: number % 90 == 3,
                failed_at: (number % 70 == 5).then_some(Depth::Tail),
                config: match blob {
                    5..9 => ConfigRecord::Plain {
                        platform: 2,
                        diff_ids: 30,
                        created: ago(number, 100_000_000),
                    },
                    9 => ConfigRecord::Odd(Place {
                        offset: 7,
                        length: 400,
                    }),
                    _ => ConfigRecord::Unknown,
                },
            };
            memory.blobs.insert(key(number), record);
        }
        let record = Tag {
            key: Some(key(tag * 100)),
            first_seen: ago(tag, 100_000_000),
            is_failing: tag % 3 == 0,
        };
        memory.tags.insert(format!("v1.{tag}.0-alpine"), record);
    }
    memory
}

fn written(memory: Memory) -> Written {
    Written {
        repository: "team/app".to_owned(),
        memory,
        pack: 3,
        pack_length: 123_456,
    }
}

#[test]
fn what_is_written_is_read_again() {
    for tags in [0, 1, 20] {
        let before = written(usual(tags));
        let bytes = encode(&before);
        assert_eq!(format::tags(&bytes), Ok(tags as usize));
        assert_eq!(decode(&bytes, "team/app"), Ok(before));
        assert_eq!(decode(&bytes, "team/other"), Err(Unreadable::Damaged));
    }
}

#[test]
fn a_digest_takes_less_than_sixty_bytes() {
    for tags in [10, 1000] {
        let memory = usual(tags);
        let digests = memory.manifests.len() + memory.blobs.len();
        let bytes = encode(&written(memory)).len();
        assert!(bytes < 60 * digests, "{bytes} for {digests}");
    }
}

#[test]
fn damage_of_any_byte_is_seen() {
    let bytes = encode(&written(usual(1)));
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= change;
            assert!(decode(&damaged, "team/app").is_err(), "{place}");
        }
        assert!(decode(&bytes[..place], "team/app").is_err(), "{place}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decode(&longer, "team/app").is_err());
    let other = [b"pullproof state 2\n", &bytes[18..]].concat();
    assert_eq!(decode(&other, "team/app"), Err(Unreadable::OtherVersion));
    assert_eq!(decode(b"", "team/app"), Err(Unreadable::Damaged));
}

/// The same with a checksum that is right.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(32));
    let checksum = Key::of(&sha256(&bytes)).0;
    bytes.extend(checksum);
    bytes
}

proptest! {
    #[test]
    fn nothing_that_is_read_crashes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = encode(&written(usual(2)));
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = decode(&bytes, "team/app");
        // Even where somebody makes the checksum fit.
        if let Ok(read) = decode(&sealed(bytes), "team/app") {
            let _ = decode(&encode(&read), "team/app");
            let mut needed = Needed::default();
            needed.unread.extend(read.memory.tags.values().filter_map(|tag| tag.key));
            needed.complete(&read.memory, &Pack::default());
            let mut memory = read.memory;
            keep(&mut memory, &needed);
        }
    }

    #[test]
    fn no_text_at_all_crashes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, "team/app");
        let _ = decode(&sealed([b"pullproof state 1\n", &bytes[..]].concat()), "team/app");
    }
}

#[test]
fn a_document_is_what_its_digest_says_or_is_not_there() {
    let folder = Folder::new("pack");
    let path = folder.0.join("below/@documents.0");
    let (one, two) = (&b"one document"[..], &b"another"[..]);
    let mut pack = Pack::open(&path, 0, true);
    let places = [one, two].map(|bytes| pack.add(bytes).unwrap());
    let [first, second] = places;
    pack.sync().unwrap();
    let pack = Pack::open(&path, pack.end(), false);
    assert_eq!(pack.read(first, &sha256(one)).as_deref(), Some(one));
    assert_eq!(pack.read(second, &sha256(two)).as_deref(), Some(two));
    assert_eq!(pack.read(first, &sha256(two)), None);
    for (offset, length) in [(0, u32::MAX), (u64::MAX, 12), (18, 12), (u64::MAX - 1, 1)] {
        assert_eq!(
            pack.bytes(Place { offset, length }),
            None,
            "{offset} {length}"
        );
    }
    // What follows its end was left by a run that did not end.
    let mut pack = Pack::open(&path, 12, true);
    assert_eq!(pack.read(second, &sha256(two)), None);
    let third = pack.add(b"third").unwrap();
    assert_eq!(third.offset, 12);
    assert_eq!(
        pack.read(third, &sha256(b"third")).as_deref(),
        Some(&b"third"[..])
    );
    assert_eq!(Pack::open(&path, 12, false).add(b"x"), None);
    assert_eq!(Pack::default().add(b"x"), None);
}

#[tokio::test]
async fn documents_of_no_use_are_dropped_in_time() {
    let folder = Folder::new("repack");
    let store = Store::open(&folder.0, "registry.example:5000", None).unwrap();
    let kept = vec![b'k'; 1000];
    let digest = sha256(&kept);
    for round in 0..40 {
        let mut loaded = store.load("team/app");
        let place = loaded.pack.add(&kept).unwrap();
        loaded.pack.add(&vec![b'x'; 4000]).unwrap();
        let record = ManifestRecord {
            place: Some(place),
            proven: Moment(NOW),
            ..ManifestRecord::default()
        };
        loaded.memory.manifests = [(Key::of(&digest), record)].into();
        let tag = Tag {
            key: Some(Key::of(&digest)),
            first_seen: Moment::NEVER,
            is_failing: false,
        };
        loaded.memory.tags = BTreeMap::from([("1".to_owned(), tag)]);
        store.save("team/app", loaded, Moment(NOW + round)).await;
        let loaded = store.load("team/app");
        let place = loaded.memory.manifests[&Key::of(&digest)].place.unwrap();
        assert_eq!(
            loaded.pack.read(place, &digest).as_ref(),
            Some(&kept),
            "{round}"
        );
        assert!(loaded.pack.end() < 75_000, "{}", loaded.pack.end());
    }
    let below = folder.0.join("registry.example:5000/team/app");
    let documents = fs::read_dir(&below).unwrap().flatten();
    let documents = documents.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("@documents")
    });
    assert_eq!(documents.count(), 1);
    drop(store);
    let store = Store::open(&folder.0, "registry.example:5000", None).unwrap();
    assert_eq!(
        (store.tags(), store.repositories().collect::<Vec<_>>()),
        (1, vec!["team/app"])
    );
    let mut loaded = store.load("team/app");
    loaded.memory.tags.clear();
    store.save("team/app", loaded, Moment(NOW)).await;
    assert!(!folder.0.join("registry.example:5000/team").exists());
}

#[test]
fn one_store_is_written_by_one_run() {
    let folder = Folder::new("lock");
    let first = Store::open(&folder.0, "registry.example", None).unwrap();
    let second = Store::open(&folder.0, "registry.example", None).unwrap();
    let other = Store::open(&folder.0, "registry.example", Some("1-of-2")).unwrap();
    assert_eq!(
        [&first, &second, &other].map(Store::is_writable),
        [true, false, true]
    );
    drop(first);
    let third = Store::open(&folder.0, "registry.example", None).unwrap();
    assert!(third.is_writable());
}

const DAY: u32 = 86_400;

/// The usual tiers, where every byte is never due.
fn tiers() -> Tiers {
    let after = |seconds: u32| Some(Duration::from_secs(seconds.into()));
    Tiers {
        manifests: after(3600),
        blobs: after(DAY),
        tail: after(7 * DAY),
        full: None,
    }
}

fn notebook(memory: Memory, tiers: Tiers, depth: Depth, now: u32) -> Notebook {
    let loaded = Loaded {
        memory,
        ..Loaded::default()
    };
    Notebook::of(loaded, tiers, depth, Moment(now), true)
}

fn promise(number: u32) -> Promise {
    Promise {
        digest: sha256(&number.to_be_bytes()),
        size: 7,
    }
}

/// A memory of so many blobs, all proven now at this depth.
fn proven(blobs: u32, depth: Depth) -> Memory {
    let mut record = BlobRecord {
        size: 7,
        ..BlobRecord::default()
    };
    record.prove(depth, Moment(NOW));
    Memory {
        last_run: Moment(NOW),
        blobs: (0..blobs).map(|number| (key(number), record)).collect(),
        ..Memory::default()
    }
}

/// How many of these blobs are asked for at each depth.
fn asked(notebook: &Notebook, blobs: u32) -> [usize; 4] {
    let mut asked = [0; 4];
    for number in 0..blobs {
        let place = match notebook.blob_way(&promise(number), false) {
            BlobWay::Remembered(_) => 0,
            BlobWay::At(Depth::Manifests, _) => panic!("no blob is asked for so"),
            BlobWay::At(Depth::Head, _) => 1,
            BlobWay::At(Depth::Tail, _) => 2,
            BlobWay::At(Depth::Full, _) => 3,
        };
        asked[place] += 1;
    }
    asked
}

#[test]
fn a_blob_is_asked_for_as_deep_as_is_due() {
    let after = |seconds| {
        let notebook = notebook(
            proven(7000, Depth::Tail),
            tiers(),
            Depth::Tail,
            NOW + seconds,
        );
        asked(&notebook, 7000)
    };
    assert_eq!(after(0), [7000, 0, 0, 0]);
    let [rest, header, tail, full] = after(DAY);
    assert_eq!((rest, full), (0, 0));
    assert!(
        (5900..6100).contains(&header) && (900..1100).contains(&tail),
        "{header} {tail}"
    );
    assert_eq!(after(7 * DAY), [0, 0, 7000, 0]);
}

#[test]
fn what_was_never_proven_at_the_depth_of_the_run_is_asked_for_at_once() {
    let memory = proven(700, Depth::Head);
    let deeper = notebook(memory.clone(), tiers(), Depth::Tail, NOW);
    assert_eq!(asked(&deeper, 700), [0, 0, 700, 0]);
    // What is deeper than the run takes its turns.
    let same = notebook(memory.clone(), tiers(), Depth::Head, NOW);
    assert_eq!(asked(&same, 700), [700, 0, 0, 0]);
    let later = notebook(memory, tiers(), Depth::Head, NOW + DAY);
    let [_, _, tail, _] = asked(&later, 700);
    assert!((60..140).contains(&tail), "{tail}");
}

#[test]
fn a_fault_or_another_size_is_never_remembered_as_fine() {
    let mut memory = proven(3, Depth::Full);
    memory.blobs.get_mut(&key(1)).unwrap().failed_at = Some(Depth::Full);
    memory.blobs.get_mut(&key(2)).unwrap().size = 8;
    let notebook = notebook(memory, tiers(), Depth::Tail, NOW);
    assert_eq!(asked(&notebook, 4), [1, 0, 2, 1]);
    assert!(matches!(
        notebook.blob_way(&promise(0), true),
        BlobWay::At(Depth::Tail, None)
    ));
}

#[test]
fn every_run_asks_for_a_manifest_of_each_repository() {
    let folder = Folder::new("probe");
    let bytes = br#"{"schemaVersion":2}"#;
    let digest = sha256(bytes);
    let way = |seconds: u32, interval: u64| {
        let mut pack = Pack::open(&folder.0.join("@documents.0"), 0, true);
        let record = ManifestRecord {
            proven: Moment(NOW),
            fetched: Moment(NOW),
            place: pack.add(bytes),
            ..ManifestRecord::default()
        };
        let memory = Memory {
            last_run: Moment(NOW),
            manifests: [(Key::of(&digest), record)].into(),
            ..Memory::default()
        };
        let loaded = Loaded {
            memory,
            pack,
            number: 0,
        };
        let tiers = Tiers {
            manifests: Some(Duration::from_secs(interval)),
            ..Tiers::default()
        };
        let notebook = Notebook::of(loaded, tiers, Depth::Tail, Moment(NOW + seconds), true);
        notebook.manifest_way(&digest)
    };
    let year = 365 * u64::from(DAY);
    assert!(matches!(way(0, year), ManifestWay::Remembered(_)));
    assert!(matches!(way(DAY, year), ManifestWay::Remembered(_)));
    assert!(matches!(way(92 * DAY, year), ManifestWay::Head(_)));
    assert!(matches!(way(365 * DAY, year), ManifestWay::Head(_)));
}
