//! `index.json` of an OCI image layout: what it lists, and by which names; see
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::collections::{BTreeMap, BTreeSet};

use oci_spec::image::Digest;
use serde::Deserialize;

use crate::oci::descriptor::Promise;
use crate::oci::in_layout::is_name;
use crate::oci::reference::is_tag;

/// Where the specification has the name: a tag, or a full reference, as buildah and skopeo write it.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Where containerd, `BuildKit` and docker have the full reference.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// What `index.json` lists, in its own order.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
}

/// A descriptor in `index.json`.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What is promised.
    pub promise: Promise,
    /// `mediaType`, where it has one.
    pub media_type: Option<String>,
    /// Its names, the one that the specification defines first.
    names: Vec<String>,
    /// What it is called: its tag, or its full name where another image has the same tag.
    tag: Option<String>,
}

#[derive(Deserialize)]
struct WireIndex {
    #[serde(default)]
    manifests: Option<Vec<WireEntry>>,
}

#[derive(Deserialize)]
struct WireEntry {
    digest: String,
    size: u64,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, serde_json::Value>>,
}

impl Index {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a fragment.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        const NONE: &str = "is not the index of an image layout";
        // serde reads a list as an object, too.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(NONE.to_owned());
        }
        let wire: WireIndex =
            serde_json::from_slice(bytes).map_err(|error| format!("{NONE}: {error}"))?;
        let entries: Result<Vec<Entry>, String> = (wire.manifests.unwrap_or_default())
            .into_iter()
            .enumerate()
            .map(|(at, entry)| Entry::read(at, entry))
            .collect();
        let mut entries = entries?;
        name(&mut entries);
        Ok(Self { entries })
    }

    /// Everything that it lists.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What its images are called, each name once.
    pub(crate) fn tags(&self) -> Vec<&str> {
        let mut known = BTreeSet::new();
        let tags = self.entries.iter().filter_map(|entry| entry.tag.as_deref());
        tags.filter(|tag| known.insert(*tag)).collect()
    }

    /// The image of this name: by what it is called, in full, or by its tag alone. Of several the
    /// first counts, as for the tools that read layouts.
    pub(crate) fn named(&self, name: &str) -> Option<&Entry> {
        let by = |is_it: &dyn Fn(&Entry) -> bool| self.entries.iter().find(|entry| is_it(entry));
        by(&|entry| entry.tag.as_deref() == Some(name))
            .or_else(|| by(&|entry| entry.names.iter().any(|own| own == name)))
            .or_else(|| by(&|entry| entry.names.iter().any(|own| tag_of(own) == Some(name))))
    }

    /// What it says of this digest.
    pub(crate) fn of(&self, digest: &Digest) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.promise.digest == *digest)
    }
}

impl Entry {
    fn read(at: usize, wire: WireEntry) -> Result<Self, String> {
        let digest = wire
            .digest
            .parse()
            .map_err(|_| format!("has no valid digest in entry {}", at + 1))?;
        let annotations = wire.annotations.unwrap_or_default();
        let value = |key| annotations.get(key).and_then(serde_json::Value::as_str);
        let names = [REF_NAME, CONTAINERD_NAME].into_iter().filter_map(value);
        let names = names.filter(|name| is_name(name)).map(str::to_owned);
        Ok(Self {
            promise: Promise {
                digest,
                size: wire.size,
            },
            media_type: wire.media_type.filter(|text| !text.is_empty()),
            names: names.collect(),
            tag: None,
        })
    }

    /// Its names, as they stand there.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The tag in the first of its names that has one.
    fn own_tag(&self) -> Option<&str> {
        self.names.iter().find_map(|name| tag_of(name))
    }

    /// The name with the most in it.
    fn full_name(&self) -> Option<&str> {
        let full = self.names.iter().find(|name| name.contains('/'));
        full.or(self.names.first()).map(String::as_str)
    }
}

/// Gives each entry what it is called: docker saves images of several repositories into one layout,
/// and two of them may have the same tag.
fn name(entries: &mut [Entry]) {
    let mut digests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in entries.iter() {
        if let Some(tag) = entry.own_tag() {
            let same = digests.entry(tag.to_owned()).or_default();
            same.insert(entry.promise.digest.to_string());
        }
    }
    for entry in entries {
        let is_alone = |tag: &&str| digests.get(*tag).is_some_and(|same| same.len() == 1);
        let called = entry.own_tag().filter(is_alone).or(entry.full_name());
        entry.tag = called.map(str::to_owned);
    }
}

/// The tag in a name: all of it, or what is behind the colon in its last part.
fn tag_of(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = match last.split_once(':') {
        Some((_, tag)) => tag,
        None if last.len() == name.len() => name,
        None => return None,
    };
    is_tag(tag).then_some(tag)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::digest::sha256;

    /// An index of these: content, `ref.name`, containerd's name; "" is none.
    fn index(entries: &[(&str, &str, &str)]) -> Index {
        let manifests = entries.iter().map(|(content, name, full)| {
            let mut annotations = serde_json::Map::new();
            for (key, value) in [(REF_NAME, name), (CONTAINERD_NAME, full)] {
                if !value.is_empty() {
                    annotations.insert(key.to_owned(), (*value).into());
                }
            }
            let digest = sha256(content.as_bytes());
            json!({"digest": digest.as_ref(), "size": 1, "annotations": annotations})
        });
        let manifests: Vec<_> = manifests.collect();
        Index::read(json!({"manifests": manifests}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_image_is_called_by_its_tag_and_in_full_where_that_is_another_images_too() {
        for (entries, expected) in [
            (&[("a", "1", "")][..], &["1"][..]),
            (&[("a", "registry.example/team/app:1", "")], &["1"]),
            (
                &[("a", "registry.example:5000/app", "")],
                &["registry.example:5000/app"],
            ),
            (&[("a", "", "docker.io/library/app:1")], &["1"]),
            (&[("a", "1", "docker.io/library/app:1")], &["1"]),
            (&[("a", "1.0+build", "")], &["1.0+build"]),
            (&[("a", "", "")], &[]),
            (&[("a", "a b", "")], &[]),
            (&[("a", "../../x", "docker.io/a/b:2")], &["2"]),
            (&[("a", "1", ""), ("a", "latest", "")], &["1", "latest"]),
            (&[("a", "1", ""), ("a", "1", "")], &["1"]),
            (&[("a", "1", ""), ("b", "1", "")], &["1"]),
            (
                &[
                    ("a", "1", "docker.io/a/a:1"),
                    ("b", "1", "docker.io/b/b:1"),
                    ("c", "2", ""),
                ],
                &["docker.io/a/a:1", "docker.io/b/b:1", "2"],
            ),
            (&[("a", "r/a:1", ""), ("a", "r/b:1", "")], &["1"]),
        ] {
            assert_eq!(index(entries).tags(), expected, "{entries:?}");
        }
    }

    #[test]
    fn an_image_is_found_by_each_of_its_names() {
        let index = index(&[
            ("a", "1", "docker.io/a/a:1"),
            ("b", "1", "docker.io/b/b:1"),
            ("c", "registry.example/team/app:2", ""),
        ]);
        for (name, content) in [
            ("1", "a"),
            ("docker.io/a/a:1", "a"),
            ("docker.io/b/b:1", "b"),
            ("2", "c"),
            ("registry.example/team/app:2", "c"),
        ] {
            let digest = sha256(content.as_bytes());
            let found = index.named(name).map(|entry| &entry.promise.digest);
            assert_eq!(found, Some(&digest), "{name}");
            assert!(index.of(&digest).is_some());
        }
        for name in ["3", "app:2", "docker.io/a/a", ""] {
            assert!(index.named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn what_is_no_index_is_refused_with_the_reason() {
        let digest = sha256(b"a");
        for (text, words) in [
            ("", "is not the index of an image layout"),
            ("[]", "is not the index of an image layout"),
            (r#"{"manifests":7}"#, "is not the index of an image layout"),
            (
                r#"{"manifests":[{"digest":"sha256:../../etc/passwd","size":1}]}"#,
                "has no valid digest in entry 1",
            ),
            (
                &format!(r#"{{"manifests":[{{"digest":"{digest}","size":-1}}]}}"#),
                "is not the index of an image layout",
            ),
        ] {
            let error = Index::read(text.as_bytes()).unwrap_err();
            assert!(error.starts_with(words), "{text}: {error}");
        }
        for text in ["{}", r#"{"manifests":null}"#, r#"{"manifests":[]}"#] {
            assert!(Index::read(text.as_bytes()).unwrap().entries().is_empty());
        }
    }
}
