//! Which records stay: what some tag leads to.

use std::collections::HashSet;

use super::key::Key;
use super::memory::{ConfigRecord, Memory};
use super::pack::Pack;
use crate::oci::descriptor::Child;
use crate::oci::manifest;

/// What is needed of a repository, and what of it was not looked into.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) manifests: HashSet<Key>,
    pub(super) blobs: HashSet<Key>,
    /// Manifests whose references a walk did not follow: their own bytes say what they need.
    pub(super) unread: Vec<Key>,
}

impl Needed {
    /// Adds what the manifests that were not read need, as far as it is remembered.
    pub(super) fn complete(&mut self, memory: &Memory, pack: &Pack) {
        let mut seen = HashSet::new();
        while let Some(key) = self.unread.pop() {
            self.manifests.insert(key);
            if !seen.insert(key) {
                continue;
            }
            let place = memory.manifests.get(&key).and_then(|record| record.place);
            let bytes = place
                .and_then(|place| pack.bytes(place))
                .unwrap_or_default();
            let Ok(document) = manifest::read(&bytes, None, None) else {
                continue;
            };
            for child in document.children {
                let Child::Readable(child) = child else {
                    continue;
                };
                let below = Key::of(&child.promise.digest);
                if child.kind.is_manifest() {
                    self.unread.push(below);
                } else {
                    self.blobs.insert(below);
                }
            }
        }
    }
}

/// Forgets what is not needed; says whether that was anything.
pub(super) fn keep(memory: &mut Memory, needed: &Needed) -> bool {
    let before = memory.manifests.len() + memory.blobs.len();
    memory
        .manifests
        .retain(|key, _| needed.manifests.contains(key));
    memory.blobs.retain(|key, _| needed.blobs.contains(key));
    before != memory.manifests.len() + memory.blobs.len()
}

/// Copies what is remembered into another pack, once most of the old one is of no use any more.
pub(super) fn repack(memory: &mut Memory, old: &Pack, new: &mut Pack) {
    for record in memory.manifests.values_mut() {
        let bytes = record.place.and_then(|place| old.bytes(place));
        record.place = bytes.and_then(|bytes| new.add(&bytes));
    }
    for record in memory.blobs.values_mut() {
        if let ConfigRecord::Odd(place) = record.config {
            let moved = old.bytes(place).and_then(|bytes| new.add(&bytes));
            record.config = moved.map_or(ConfigRecord::Unknown, ConfigRecord::Odd);
        }
    }
}

/// How many bytes of the pack are of use.
pub(super) fn used(memory: &Memory) -> u64 {
    let manifests = memory.manifests.values().filter_map(|record| record.place);
    let configs = memory
        .blobs
        .values()
        .filter_map(|record| match record.config {
            ConfigRecord::Odd(place) => Some(place),
            _ => None,
        });
    manifests
        .chain(configs)
        .map(|place| u64::from(place.length))
        .sum()
}
