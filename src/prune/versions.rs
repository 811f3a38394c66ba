//! What a packages API knows of a repository: a list of versions, each with its date.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use oci_spec::image::Digest;

use super::contents::Contents;

/// One version. On GHCR each is a digest with its tags; on Forgejo and Gitea each tag is one, and so
/// is each digest that was pushed without a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// What the API calls it, when it is to be deleted.
    pub(crate) key: String,
    pub(crate) digest: Option<Digest>,
    pub(crate) tags: Vec<String>,
    pub(crate) pushed: Option<SystemTime>,
    /// When something of it changed last, as the tags that it has.
    pub(crate) changed: Option<SystemTime>,
}

impl Version {
    /// What is known of a tag alone.
    pub(crate) fn of_tag(tag: String, pushed: Option<SystemTime>) -> Self {
        Self {
            key: tag.clone(),
            digest: None,
            tags: vec![tag],
            pushed,
            changed: None,
        }
    }

    /// Since when it is as it is.
    pub(crate) fn since(&self) -> Option<SystemTime> {
        self.pushed.max(self.changed)
    }
}

/// The digests without a tag, and since when.
pub(crate) fn untagged(versions: &[Version]) -> HashMap<&Digest, Option<SystemTime>> {
    let untagged = versions.iter().filter(|version| version.tags.is_empty());
    untagged
        .filter_map(|version| Some((version.digest.as_ref()?, version.since())))
        .collect()
}

/// Those of the digests without a tag that nothing of `known` is.
pub(crate) fn unknown<'v>(versions: &'v [Version], known: &HashSet<Digest>) -> Vec<&'v Digest> {
    let mut unknown: Vec<&Digest> = untagged(versions).into_keys().collect();
    unknown.retain(|digest| !known.contains(*digest));
    unknown.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    unknown
}

/// Gives the tags their dates.
pub(crate) fn date(contents: &mut Contents, versions: &[Version]) {
    let by_tag: HashMap<&str, &Version> = versions
        .iter()
        .flat_map(|version| version.tags.iter().map(move |tag| (tag.as_str(), version)))
        .collect();
    for tag in &mut contents.tags {
        if let Some(version) = by_tag.get(tag.name.as_str()) {
            tag.dates.pushed = version.pushed;
            tag.dates.changed = version.changed;
        }
    }
}
