//! What a garbage collection of distribution reads of a manifest.

use serde::Deserialize;

use super::seen::{Start, start_of};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Content>,
    #[serde(default)]
    layers: Option<Vec<Content>>,
    #[serde(default)]
    manifests: Option<Vec<Content>>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    digest: String,
}

/// What a manifest refers to itself; none where a collection cannot read it and gives up.
pub(super) fn references(bytes: &[u8]) -> Option<Vec<Start>> {
    let document: Document = serde_json::from_slice(bytes).ok()?;
    let lists = [document.layers, document.manifests];
    let contents = document
        .config
        .into_iter()
        .chain(lists.into_iter().flatten().flatten());
    let starts = contents.filter_map(|content| start_of(content.digest.split_once(':')?.1));
    Some(starts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manifest_lists_is_marked_and_what_is_no_manifest_stops_a_collection() {
        let hash = |digit: &str| digit.repeat(64);
        let of = |digit: &str| format!(r#"{{"digest":"sha256:{}"}}"#, hash(digit));
        let manifest = format!(r#"{{"config":{},"layers":[{}]}}"#, of("1"), of("2"));
        let index = format!(r#"{{"manifests":[{},{{}}]}}"#, of("3"));
        for (text, expected) in [
            (manifest.as_str(), Some(vec![[0x11; 16], [0x22; 16]])),
            (index.as_str(), Some(vec![[0x33; 16]])),
            (r#"{"layers":null}"#, Some(vec![])),
            ("", None),
            ("{", None),
            (r#"{"layers":3}"#, None),
        ] {
            assert_eq!(references(text.as_bytes()), expected, "{text}");
        }
    }
}
