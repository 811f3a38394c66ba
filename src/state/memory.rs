//! What is remembered of one repository.

use std::collections::{BTreeMap, HashMap};

use super::key::Key;
use super::moment::Moment;
use super::pack::Place;
use crate::oci::platform::Platform;
use crate::walk::rules::Depth;

/// One repository, as it was when it was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// When it was last looked at; never for a repository that is not remembered.
    pub(super) last_run: Moment,
    pub(super) tags: BTreeMap<String, Tag>,
    pub(super) manifests: HashMap<Key, ManifestRecord>,
    pub(super) blobs: HashMap<Key, BlobRecord>,
    pub(super) texts: Texts,
}

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    /// The manifest that it last led to; none if it never led to one.
    pub(super) key: Option<Key>,
    /// Never for what the first look at its repository found.
    pub(super) first_seen: Moment,
    /// Whether it was not plainly right, so that it is asked for whole.
    pub(super) is_failing: bool,
}

/// A manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ManifestRecord {
    pub(super) first_seen: Moment,
    /// When it was last there, by `HEAD` or `GET`.
    pub(super) proven: Moment,
    /// When it was last fetched.
    pub(super) fetched: Moment,
    pub(super) is_failing: bool,
    /// The `Content-Type` that it was last fetched with.
    pub(super) content_type: Text,
    /// Where its bytes are.
    pub(super) place: Option<Place>,
}

/// A blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlobRecord {
    pub(super) first_seen: Moment,
    /// In bytes.
    pub(super) size: u64,
    /// When its header, its last byte and all its bytes were last proven.
    pub(super) header: Moment,
    pub(super) last_byte: Moment,
    pub(super) whole: Moment,
    /// Whether its last byte cannot be asked for alone.
    pub(super) is_begun: bool,
    /// The depth at which it was last not whole.
    pub(super) failed_at: Option<Depth>,
    pub(super) config: ConfigRecord,
}

/// What a config says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ConfigRecord {
    /// It is not remembered; or it is no config.
    #[default]
    Unknown,
    /// Every client takes it.
    Plain {
        /// [`Texts::platform`].
        platform: Text,
        diff_ids: u64,
        /// When its image was built; never, if it does not say so.
        created: Moment,
    },
    /// It is of an odd form, and its bytes are here.
    Odd(Place),
}

impl BlobRecord {
    /// When it was last proven at this depth.
    pub(super) fn proven(&self, depth: Depth) -> Moment {
        match depth {
            Depth::Manifests => Moment::NEVER,
            Depth::Head => self.header,
            Depth::Tail => self.last_byte,
            Depth::Full => self.whole,
        }
    }

    /// Notes that it was proven at this depth, and so at each that is less deep.
    pub(super) fn prove(&mut self, depth: Depth, now: Moment) {
        if depth >= Depth::Head {
            self.header = now;
        }
        if depth >= Depth::Tail {
            self.last_byte = now;
        }
        if depth >= Depth::Full {
            self.whole = now;
        }
    }
}

/// The number of a text; 0 for none.
pub(super) type Text = u32;

/// Texts that many records share: media types and platforms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts(pub(super) Vec<String>);

impl Texts {
    pub(super) fn get(&self, text: Text) -> Option<&str> {
        let place = usize::try_from(text).ok()?.checked_sub(1)?;
        self.0.get(place).map(String::as_str)
    }

    /// The number of a text; none where there are too many.
    pub(super) fn add(&mut self, text: &str) -> Option<Text> {
        /// More media types and platforms than any repository has.
        const MOST: usize = 1000;
        let known = self.0.iter().position(|known| known == text);
        let place = known.or_else(|| {
            let has_room = self.0.len() < MOST;
            has_room.then(|| {
                self.0.push(text.to_owned());
                self.0.len() - 1
            })
        })?;
        u32::try_from(place + 1).ok()
    }

    pub(super) fn platform(&self, text: Text) -> Option<Platform> {
        let mut parts = self.get(text)?.split('\0').map(Box::from);
        Some(Platform {
            os: parts.next()?,
            architecture: parts.next()?,
            variant: parts.next(),
        })
    }

    pub(super) fn add_platform(&mut self, platform: Option<&Platform>) -> Option<Text> {
        let Some(platform) = platform else {
            return Some(0);
        };
        let parts = [Some(&platform.os), Some(&platform.architecture)];
        let parts = parts.into_iter().chain([platform.variant.as_ref()]);
        let parts: Vec<&str> = parts.flatten().map(|part| &**part).collect();
        let is_plain = !parts.iter().any(|part| part.contains('\0'));
        is_plain.then(|| self.add(&parts.join("\0")))?
    }
}
