//! What a build left, in all its forms: images that were read can be written and read again.

use std::collections::HashSet;

use serde_json::json;

use super::text;
use crate::commands::verify::metadata::{Built, Image, read};
use crate::commands::verify::targets::targets;
use crate::settings::{Metadata, Wanted, parse_digest};

/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 3 * 1024;

/// How many bytes a name may have that are not its own: a registry that is stated beside it.
const LONGEST_REGISTRY: usize = 512;

/// Time is linear; there is at most one image for two bytes, whose name has at most 512 bytes that
/// are not in its own entry.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match read(text) {
        Err(error) => assert!(
            error.to_string().len() <= LONGEST_MESSAGE,
            "a message of {}",
            error.to_string().len()
        ),
        Ok(Built::Digest(digest)) => {
            assert!(parse_digest(digest.as_ref()).is_some(), "{digest}");
            assert_eq!(read(digest.as_ref()), Ok(Built::Digest(digest)));
        }
        Ok(Built::Images(images)) => {
            assert!(
                !images.is_empty() && images.len() <= text.len().div_ceil(2),
                "{} images",
                images.len()
            );
            let names: usize = images.iter().map(|image| image.name.len()).sum();
            assert!(
                names <= text.len() + images.len() * LONGEST_REGISTRY,
                "more came out than went in"
            );
            let written: String = images.iter().map(written).collect();
            assert_eq!(read(&written), Ok(Built::Images(images)), "{written}");
        }
    }
    let metadata = Metadata {
        name: "metadata_file".to_owned(),
        text: text.to_owned(),
    };
    let wanted = Wanted {
        metadata: Some(metadata),
        ..Wanted::default()
    };
    match targets(&wanted, Vec::new()) {
        Err(error) => assert!(
            error.to_string().len() <= LONGEST_MESSAGE,
            "a message of {}",
            error.to_string().len()
        ),
        Ok(targets) => {
            let different: HashSet<_> = targets.iter().map(|target| &target.reference).collect();
            assert_eq!(different.len(), targets.len(), "a reference is there twice");
        }
    }
}

/// An image as a line of JSON.
fn written(image: &Image) -> String {
    let digest = image.digest.as_ref().map(ToString::to_string);
    format!("{}\n", json!({ "name": image.name, "digest": digest }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::tests::ends;
    use super::*;

    fn image() -> impl Strategy<Value = (String, String)> {
        (
            "[a-z]{1,4}\\.io(:5000)?/[a-z]{1,4}(/[a-z]{1,4})?(:[a-z0-9.]{1,6})?",
            "sha256:[0-9a-f]{64}",
        )
    }

    /// Everything that tools write for some images.
    fn forms(images: &[(String, String)]) -> Vec<String> {
        let buildx = |(name, digest): &(String, String)| json!({ "containerimage.digest": digest, "image.name": name });
        let imagetools = |(name, digest): &(String, String)| json!({ "containerimage.descriptor": { "digest": digest, "size": 1 }, "image.name": name });
        let entry = |(name, digest): &(String, String)| json!({ "image": name, "digest": digest });
        let bake = |build: &dyn Fn(&(String, String)) -> Value| {
            let targets = images
                .iter()
                .enumerate()
                .map(|(number, image)| (format!("{number:02}"), build(image)));
            Value::Object(targets.collect()).to_string()
        };
        let lines: Vec<String> = images
            .iter()
            .map(|(name, digest)| format!("{name}@{digest}"))
            .collect();
        vec![
            bake(&buildx),
            bake(&imagetools),
            images.iter().map(entry).collect::<Value>().to_string(),
            images.iter().map(|image| entry(image).to_string()).collect::<Vec<_>>().join("\n"),
            json!({ "kind": "docker/v1", "data": { "images": images.iter().map(entry).collect::<Vec<_>>() } })
                .to_string(),
            json!({ "tags": lines }).to_string(),
            json!(lines).to_string(),
            lines.join("\n"),
            lines.join(", "),
        ]
    }

    #[test]
    fn sixty_thousand_digests_are_read_in_one_pass() {
        let lines: Vec<String> = (0..60_000)
            .map(|number| format!("sha256:{number:064x}"))
            .collect();
        ends("metadata", check, lines.join("\n").into_bytes(), b"digests");
    }

    proptest! {
        #[test]
        fn every_tool_gives_the_same_result(images in proptest::collection::vec(image(), 1..5)) {
            let expected: Vec<Image> = images
                .iter()
                .map(|(name, digest)| Image {
                    name: name.clone(),
                    is_tagged: name.rsplit('/').next().unwrap().contains(':'),
                    digest: parse_digest(digest),
                })
                .collect();
            for form in forms(&images) {
                prop_assert_eq!(read(&form), Ok(Built::Images(expected.clone())), "{}", form);
                check(form.as_bytes());
            }
        }
    }
}
