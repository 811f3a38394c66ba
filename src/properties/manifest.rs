//! Manifests, indexes, configs and lists of referrers: what a strict reader finds in them is found,
//! and nothing grows.

use oci_spec::image::{Descriptor as StrictDescriptor, ImageIndex, ImageManifest};

use crate::oci::config;
use crate::oci::descriptor::{Child, Unreadable};
use crate::oci::digest::is_supported;
use crate::oci::flaw::Flaw;
use crate::oci::kind::Kind;
use crate::oci::manifest::{MAX_CHILDREN, read, read_referrers};
use crate::oci::media_type;
use crate::oci::platform::Platform;

/// The longest part of a platform, in bytes.
const LONGEST_PART: usize = 1024;

/// Time is linear; there is at most one child for two bytes, and at most 100,001; their inline
/// content and their texts together are shorter than the document, and a part of a platform has at
/// most 1 KiB.
pub fn check(data: &[u8]) {
    for content_type in [
        None,
        Some(media_type::OCI_INDEX),
        Some(media_type::DOCKER_MANIFEST),
    ] {
        match read(data, content_type, None) {
            Err(flaw) => bounded_flaw(flaw, data.len()),
            Ok(document) => {
                assert!(matches!(
                    document.kind,
                    Kind::Index | Kind::Manifest | Kind::Artifact
                ));
                for refusal in document.refusals {
                    bounded_flaw(refusal.flaw, data.len());
                }
                let children = bounded(document.children, data.len());
                if content_type.is_none() {
                    as_strict(data, document.kind, &children);
                }
            }
        }
    }
    match read_referrers(data) {
        Err(flaw) => bounded_flaw(flaw, data.len()),
        Ok(children) => {
            bounded(children, data.len());
        }
    }
    if let Some(stated) = config::platform(data) {
        platform(&stated);
    }
    let config = config::read(data);
    assert!(config.diff_ids <= data.len());
    for refusal in config.refusals {
        bounded_flaw(refusal.flaw, data.len());
    }
}

/// An error is not much longer than the document, whose characters may be escaped.
fn bounded_flaw(mut flaw: Flaw, length: usize) {
    for text in flaw.texts() {
        assert!(text.len() <= 10 * length + 300, "{text}");
    }
}

fn platform(platform: &Platform) {
    for part in [
        Some(&platform.os),
        Some(&platform.architecture),
        platform.variant.as_ref(),
    ]
    .into_iter()
    .flatten()
    {
        assert!(!part.is_empty() && part.len() <= LONGEST_PART, "{part}");
    }
}

/// The children, after a look at the size of each.
fn bounded(children: impl ExactSizeIterator<Item = Child>, length: usize) -> Vec<Child> {
    let stated = children.len();
    let children: Vec<Child> = children.collect();
    assert_eq!(children.len(), stated);
    assert!(
        children.len() <= length.div_ceil(2).min(MAX_CHILDREN + 1),
        "{} children",
        children.len()
    );
    let (mut inline, mut texts) = (0, 0);
    for child in &children {
        match child {
            Child::Readable(descriptor) => {
                assert!(
                    is_supported(&descriptor.promise.digest),
                    "{}",
                    descriptor.promise.digest
                );
                texts += descriptor.media_type.len();
                assert!(
                    !(descriptor.foreign && descriptor.kind.is_manifest()),
                    "a foreign manifest"
                );
                inline += descriptor.inline.as_ref().map_or(0, Vec::len);
                descriptor.platform.iter().for_each(platform);
            }
            Child::Unreadable(unreadable) => {
                let Unreadable {
                    written,
                    platform: stated,
                    flaw,
                    ..
                } = &**unreadable;
                bounded_flaw(flaw.clone(), length);
                texts += written.len();
                stated.iter().for_each(platform);
            }
        }
    }
    assert!(inline <= length, "more inline content than there is");
    assert!(texts <= length, "longer texts than there are");
    children
}

/// What the specification's own strict types read of a document is what we read.
fn as_strict(data: &[u8], kind: Kind, children: &[Child]) {
    let expected: Vec<StrictDescriptor> = match kind {
        Kind::Index => match ImageIndex::from_reader(data) {
            Ok(index) => index.manifests().clone(),
            Err(_) => return,
        },
        Kind::Manifest => match ImageManifest::from_reader(data) {
            Ok(manifest) => [manifest.config()]
                .into_iter()
                .chain(manifest.layers())
                .cloned()
                .collect(),
            Err(_) => return,
        },
        _ => return,
    };
    assert_eq!(children.len(), expected.len());
    for (child, expected) in children.iter().zip(&expected) {
        match child {
            Child::Readable(descriptor) => {
                assert_eq!(&descriptor.promise.digest, expected.digest());
                assert_eq!(descriptor.promise.size, expected.size());
            }
            Child::Unreadable(unreadable) => {
                let digest = expected.digest().as_ref();
                assert_eq!(unreadable.written, digest);
                let is_sound = is_supported(expected.digest()) && expected.data().is_none();
                assert!(!is_sound, "{digest} can be read");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Digest, size and inline content.
    type Sound = (String, u64, Option<Vec<u8>>);

    /// A descriptor as JSON, with fields that are not read.
    fn descriptor(media_type: &'static str) -> impl Strategy<Value = Value> {
        let digest = prop_oneof!["sha256:[0-9a-f]{64}", "sha512:[0-9a-f]{128}"];
        let inline = proptest::option::of(proptest::collection::vec(any::<u8>(), 1..8));
        (digest, any::<u64>(), inline, any::<Option<u8>>()).prop_map(
            move |(digest, size, inline, other)| {
                let mut value = json!({ "mediaType": media_type, "digest": digest, "size": size });
                if let Some(inline) = inline {
                    value["data"] = BASE64_STANDARD.encode(inline).into();
                }
                if let Some(other) = other {
                    value["annotations"] = json!({ "x": [other] });
                    value["platform"] =
                        json!({ "os": "linux", "architecture": "amd64", "os.features": [other] });
                }
                value
            },
        )
    }

    /// What is no descriptor any more.
    fn spoiled() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            Just(json!([])),
            Just(json!(7)),
            Just(json!({})),
            Just(json!({ "digest": "sha256:12", "size": 1 })),
            Just(json!({ "digest": format!("sha256:{}", "1".repeat(64)), "size": 1.5 })),
            Just(json!({ "digest": format!("sha256:{}", "1".repeat(64)), "size": "1" })),
            Just(json!({ "digest": "md5:d41d8cd98f00b204e9800998ecf8427e", "size": 1 })),
            Just(json!({ "digest": 5, "size": 1 })),
        ]
    }

    /// Children, of which some are spoiled.
    fn list(
        media_type: &'static str,
        size: std::ops::Range<usize>,
    ) -> impl Strategy<Value = Vec<(Value, bool)>> {
        let sound = descriptor(media_type).prop_map(|value| (value, true));
        let entry = prop_oneof![4 => sound, 1 => spoiled().prop_map(|value| (value, false))];
        proptest::collection::vec(entry, size)
    }

    fn expected(entries: &[(Value, bool)]) -> Vec<Option<Sound>> {
        entries
            .iter()
            .map(|(value, is_sound)| {
                let inline = value["data"]
                    .as_str()
                    .map(|data| BASE64_STANDARD.decode(data).unwrap_or_default());
                is_sound.then(|| {
                    (
                        value["digest"].as_str().unwrap().to_owned(),
                        value["size"].as_u64().unwrap(),
                        inline,
                    )
                })
            })
            .collect()
    }

    fn found(children: impl Iterator<Item = Child>) -> Vec<Option<Sound>> {
        children
            .map(|child| match child {
                Child::Readable(child) => Some((
                    child.promise.digest.to_string(),
                    child.promise.size,
                    child.inline,
                )),
                Child::Unreadable(_) => None,
            })
            .collect()
    }

    fn values(entries: &[(Value, bool)]) -> Vec<&Value> {
        entries.iter().map(|(value, _)| value).collect()
    }

    #[test]
    fn the_largest_documents_are_read_in_one_pass() {
        let size = crate::walk::source::MANIFEST_LIMIT / 4;
        let sound =
            json!({ "digest": format!("sha256:{}", "1".repeat(64)), "size": 1 }).to_string();
        for (start, piece, end) in [
            (r#"{"manifests":["#, "1,", "1]}"),
            (r#"{"manifests":["#, "{},", "{}]}"),
            (
                r#"{"manifests":["#,
                &format!("{sound},"),
                &format!("{sound}]}}"),
            ),
            (
                r#"{"manifests":[{"annotations":{"#,
                r#""x":1,"#,
                r#""x":1}}]}"#,
            ),
            (r#"{"manifests":[{"urls":["#, r#""x","#, r#""x"]}]}"#),
            (r#"{"manifests":[{}],"x":"#, "[", ""),
            (r#"{"manifests":[{"mediaType":""#, "é", r#""}]}"#),
            (r#"{"manifests":[{"digest":""#, "\\u0041", r#""}]}"#),
            (r#"{"manifests":[{}],"#, r#""x":[],"#, r#""y":1}"#),
        ] {
            check(
                [start, &piece.repeat(size / piece.len()), end]
                    .concat()
                    .as_bytes(),
            );
        }
    }

    proptest! {
        #[test]
        fn an_index_gives_its_children_and_a_bad_one_affects_only_itself(
            entries in list(media_type::OCI_MANIFEST, 1..8),
            stated in any::<bool>(),
            pretty in any::<bool>(),
        ) {
            let mut index = json!({ "schemaVersion": 2, "manifests": values(&entries), "annotations": { "a": {} } });
            if stated {
                index["mediaType"] = media_type::OCI_INDEX.into();
            }
            let text = if pretty { serde_json::to_string_pretty(&index).unwrap() } else { index.to_string() };
            let document = read(text.as_bytes(), None, None).unwrap();
            prop_assert_eq!(document.kind, Kind::Index);
            prop_assert_eq!(found(document.children), expected(&entries));
            check(text.as_bytes());
        }

        #[test]
        fn a_manifest_gives_exactly_its_config_and_layers(
            config in descriptor(media_type::OCI_CONFIG),
            layers in list("application/vnd.oci.image.layer.v1.tar+gzip", 0..8),
        ) {
            let text = json!({ "schemaVersion": 2, "config": config, "layers": values(&layers) }).to_string();
            let document = read(text.as_bytes(), None, None).unwrap();
            prop_assert_eq!(document.kind, Kind::Manifest);
            let all: Vec<(Value, bool)> = [(config, true)].into_iter().chain(layers).collect();
            prop_assert_eq!(found(document.children), expected(&all));
            check(text.as_bytes());
        }
    }
}
