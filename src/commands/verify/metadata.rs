//! The files that builds write, recognised by content: names, digests, or both.

use oci_spec::image::Digest;
use serde_json::{Map, Value};

use crate::oci::reference::is_bare;
use crate::settings::{Error, parse_digest, parse_list};
use crate::text::quote::quoted;

/// The longest address of a registry, in bytes. It is put before every name, so that a long one
/// would be held many times.
const LONGEST_REGISTRY: usize = 512;

/// What a build reports as its result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Built {
    /// One digest without a name.
    Digest(Digest),
    /// Named images.
    Images(Vec<Image>),
}

/// One image that a build says it pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// The reference as the build wrote it, without the digest if that is stated apart.
    pub(crate) name: String,
    /// Whether the name has a tag.
    pub(crate) is_tagged: bool,
    /// The digest that belongs to it.
    pub(crate) digest: Option<Digest>,
}

/// Reads any form of `metadata_file`.
///
/// # Errors
///
/// As a fragment that does not name the setting: when the content has no known form, or names no
/// image.
pub(crate) fn read(text: &str) -> Result<Built, Error> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(error("the content is empty"));
    }
    let found = if text.starts_with('{') || (text.starts_with('[') && json(text).is_ok()) {
        json(text)?
    } else {
        lines(text)?
    };
    let (mut digests, mut images) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Item::Image(image) => images.push(image),
            Item::Digest(digest) => digests.push(digest),
        }
    }
    match (images.is_empty(), digests.as_slice()) {
        (false, _) => Ok(Built::Images(images)),
        (true, []) => Err(error("the content names no image and no digest")),
        (true, [digest, rest @ ..]) if rest.iter().all(|other| other == digest) => {
            Ok(Built::Digest(digest.clone()))
        }
        (true, _) => Err(error("the content has several digests but no names")),
    }
}

/// One thing that was found.
enum Item {
    Image(Image),
    Digest(Digest),
}

fn error(message: impl std::fmt::Display) -> Error {
    Error::new(message.to_string()).with_hint(
        "it accepts what buildx, bake, imagetools, kaniko and buildah write, and lists of \
         references",
    )
}

fn digest(text: &str) -> Result<Digest, Error> {
    parse_digest(text.trim()).ok_or_else(|| error(format!("{} is not a digest", quoted(text))))
}

/// A name, with the digest that is in it or stated apart.
fn image(name: &str, apart: Option<&str>) -> Result<Item, Error> {
    let (name, inside) = match name.split_once('@') {
        Some((name, inside)) => (name.trim(), Some(inside)),
        None => (name.trim(), None),
    };
    if name.is_empty() {
        return Err(error("there is an image without a name"));
    }
    let digest = inside.or(apart).map(digest).transpose()?;
    Ok(Item::Image(Image {
        name: name.to_owned(),
        is_tagged: !is_bare(name),
        digest,
    }))
}

/// Lines or commas: a digest, `name:tag`, `name@digest`, `name:tag@digest`.
fn lines(text: &str) -> Result<Vec<Item>, Error> {
    let items = parse_list(text).ok_or_else(|| error("the content is not valid JSON"))?;
    items
        .iter()
        .map(|item| {
            parse_digest(item).map_or_else(|| image(item, None), |digest| Ok(Item::Digest(digest)))
        })
        .collect()
}

/// One JSON value, or one per line.
fn json(text: &str) -> Result<Vec<Item>, Error> {
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value =
            value.map_err(|reason| error(format!("the content is not valid JSON: {reason}")))?;
        entry(&value, &mut found)?;
    }
    Ok(found)
}

fn entry(value: &Value, found: &mut Vec<Item>) -> Result<(), Error> {
    match value {
        Value::String(text) => found.extend(lines(text)?),
        Value::Array(values) => values.iter().try_for_each(|value| entry(value, found))?,
        Value::Object(object) => {
            if is_build(object) {
                found.extend(build(object)?);
            } else if let Some(data) = object.get("data").and_then(Value::as_object) {
                found.extend(artifact(data)?);
            } else if let Some(tags) = object.get("tags").and_then(Value::as_array) {
                // What docker/metadata-action computes.
                for tag in tags.iter().filter_map(Value::as_str) {
                    found.push(image(tag, None)?);
                }
            } else if let Some(name) = text(object, "name").or_else(|| text(object, "image")) {
                found.push(image(name, text(object, "digest"))?);
            } else if let Some(digest_only) = text(object, "digest") {
                found.push(Item::Digest(digest(digest_only)?));
            } else {
                // Bake: the same for every target.
                for target in object
                    .values()
                    .filter_map(Value::as_object)
                    .filter(|target| is_build(target))
                {
                    found.extend(build(target)?);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

fn is_build(object: &Map<String, Value>) -> bool {
    [
        "containerimage.digest",
        "containerimage.descriptor",
        "image.name",
    ]
    .iter()
    .any(|name| object.contains_key(*name))
}

/// buildx and imagetools: `containerimage.digest` or the descriptor's, and `image.name` with
/// commas.
fn build(object: &Map<String, Value>) -> Result<Vec<Item>, Error> {
    let stated = text(object, "containerimage.digest").or_else(|| {
        object
            .get("containerimage.descriptor")?
            .get("digest")?
            .as_str()
    });
    if stated.is_some() && stated == text(object, "containerimage.config.digest") {
        return Err(Error::new(
            "its containerimage.digest is the image ID (the digest of the configuration), which \
             no registry knows",
        )
        .with_hint(
            "build with the docker-container driver or with the containerd image store, or leave \
             metadata_file out",
        ));
    }
    let names: Vec<&str> = text(object, "image.name")
        .map(|names| names.split(',').collect())
        .unwrap_or_default();
    let names: Vec<&str> = names
        .into_iter()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    match stated {
        Some(stated) if names.is_empty() => Ok(vec![Item::Digest(digest(stated)?)]),
        stated => names.into_iter().map(|name| image(name, stated)).collect(),
    }
}

/// The artifact file of Drone and Harness plugins: images with a registry beside them.
fn artifact(data: &Map<String, Value>) -> Result<Vec<Item>, Error> {
    let registry = text(data, "registryUrl");
    if registry.is_some_and(|registry| registry.len() > LONGEST_REGISTRY) {
        return Err(error(
            "its registryUrl is longer than a registry's address can be",
        ));
    }
    let images = data
        .get("images")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    images
        .iter()
        .filter_map(Value::as_object)
        .filter_map(|entry| Some((text(entry, "image")?, text(entry, "digest"))))
        .map(|(name, digest)| image(&super::targets::prefixed(name, registry), digest))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one() -> String {
        format!("sha256:{}", "1".repeat(64))
    }

    fn two() -> String {
        format!("sha256:{}", "2".repeat(64))
    }

    /// `#` stands for the first digest, `%` for the second.
    fn read_with_digests(text: &str) -> Result<Built, Error> {
        read(&text.replace('#', &one()).replace('%', &two()))
    }

    fn images(text: &str) -> Vec<(String, Option<String>)> {
        match read_with_digests(text) {
            Ok(Built::Images(images)) => images
                .into_iter()
                .map(|image| (image.name, image.digest.map(|digest| digest.to_string())))
                .collect(),
            other => panic!("{text}: {other:?}"),
        }
    }

    fn error(text: &str) -> String {
        read_with_digests(text).unwrap_err().to_string()
    }

    #[test]
    fn buildx_states_a_digest_and_perhaps_names() {
        let build = r##"{"buildx.build.ref":"x/y/z","containerimage.config.digest":"%","containerimage.digest":"#",
            "containerimage.descriptor":{"digest":"#","mediaType":"m","size":1},"image.name":"docker.io/a/b:1, r.io/c:2"}"##;
        assert_eq!(
            images(build),
            [
                ("docker.io/a/b:1".into(), Some(one())),
                ("r.io/c:2".into(), Some(one()))
            ]
        );
        let unnamed = r##"{"containerimage.digest":"#","containerimage.config.digest":"%"}"##;
        assert_eq!(
            read_with_digests(unnamed).unwrap(),
            Built::Digest(one().parse().unwrap())
        );
    }

    #[test]
    fn a_name_that_was_pushed_by_digest_has_no_tag() {
        let Ok(Built::Images(found)) =
            read_with_digests(r##"{"containerimage.digest":"#","image.name":"r.io:5000/c"}"##)
        else {
            panic!("expected images");
        };
        assert!(!found[0].is_tagged);
    }

    #[test]
    fn imagetools_states_the_descriptor_alone() {
        let text = r##"{"containerimage.descriptor":{"mediaType":"m","digest":"#","size":1},"image.name":"r.io/a:1"}"##;
        assert_eq!(images(text), [("r.io/a:1".into(), Some(one()))]);
    }

    #[test]
    fn bake_states_one_digest_for_every_target() {
        let text = r##"{"job":{"containerimage.digest":"%","image.name":"r.io/a:job"},
            "web":{"containerimage.digest":"#","image.name":"r.io/a:web"},"buildx.build.warnings":[{"x":1}],"empty":{}}"##;
        assert_eq!(
            images(text),
            [
                ("r.io/a:job".into(), Some(two())),
                ("r.io/a:web".into(), Some(one()))
            ]
        );
        let same = r##"{"a":{"containerimage.digest":"#"},"b":{"containerimage.digest":"#"}}"##;
        assert_eq!(
            read_with_digests(same).unwrap(),
            Built::Digest(one().parse().unwrap())
        );
        let several = r##"{"a":{"containerimage.digest":"#"},"b":{"containerimage.digest":"%"}}"##;
        assert_eq!(
            error(several),
            "the content has several digests but no names"
        );
    }

    #[test]
    fn an_image_id_is_distinguished_from_a_digest() {
        let text = r##"{"containerimage.config.digest":"#","containerimage.digest":"#","image.name":"a:1"}"##;
        assert!(error(text).contains("is the image ID"));
    }

    #[test]
    fn kaniko_and_buildah_write_digests_and_lines() {
        for text in ["#", "#\n", "\u{feff}#\r\n", "#\n#\n", "{\"digest\":\"#\"}"] {
            assert_eq!(
                read_with_digests(text).unwrap(),
                Built::Digest(one().parse().unwrap()),
                "{text:?}"
            );
        }
        assert_eq!(
            images("r.io/a@#\nr.io/a:1@#\nr.io:5000/b:2\n"),
            [
                ("r.io/a".into(), Some(one())),
                ("r.io/a:1".into(), Some(one())),
                ("r.io:5000/b:2".into(), None)
            ]
        );
        let lines =
            "{\"name\":\"r.io/a:1\",\"digest\":\"#\"}\n{\"name\":\"r.io/b:1\",\"digest\":\"%\"}\n";
        assert_eq!(
            images(lines),
            [
                ("r.io/a:1".into(), Some(one())),
                ("r.io/b:1".into(), Some(two()))
            ]
        );
    }

    #[test]
    fn an_artifact_file_has_the_registry_beside_the_names() {
        let text = |registry: &str| {
            format!(
                r##"{{"kind":"docker/v1","data":{{"registryType":"Docker","registryUrl":"{registry}","images":[{{"image":"a/b:1","digest":"#"}},{{"image":"a/b:2"}}]}}}}"##
            )
        };
        assert_eq!(
            images(&text("https://r.io/")),
            [
                ("r.io/a/b:1".into(), Some(one())),
                ("r.io/a/b:2".into(), None)
            ]
        );
        assert_eq!(images(&text("https://index.docker.io/v1/"))[0].0, "a/b:1");
    }

    #[test]
    fn a_long_registry_is_not_put_before_every_name() {
        let text =
            json!({ "data": { "registryUrl": "r".repeat(1000), "images": [{ "image": "a" }] } })
                .to_string();
        assert!(error(&text).contains("registryUrl"));
    }

    #[test]
    fn lists_of_references_are_taken_as_json_or_lines() {
        let expected = [("r.io/a:1".to_owned(), None), ("r.io/a:2".to_owned(), None)];
        for text in [
            r#"{"tags":["r.io/a:1","r.io/a:2"],"labels":{"x":"y"},"tag-names":["1","2"]}"#,
            r#"["r.io/a:1","r.io/a:2"]"#,
            r#"[{"name":"r.io/a:1"},{"image":"r.io/a:2"}]"#,
            "r.io/a:1\nr.io/a:2",
            "r.io/a:1,r.io/a:2",
        ] {
            assert_eq!(images(text), expected, "{text}");
        }
        assert_eq!(images("[::1]:5000/a:1")[0].0, "[::1]:5000/a:1");
    }

    #[test]
    fn content_without_images_is_refused() {
        for (text, expected) in [
            ("", "the content is empty"),
            (" \n", "the content is empty"),
            ("{}", "the content names no image and no digest"),
            ("[]", "the content names no image and no digest"),
            (r#"{"data":{}}"#, "the content names no image and no digest"),
            (
                r#"{"tags":[1]}"#,
                "the content names no image and no digest",
            ),
            ("[1, null]", "the content names no image and no digest"),
            ("#\n%", "the content has several digests but no names"),
            ("@#", "there is an image without a name"),
            (r#"["a""#, "the content is not valid JSON"),
            (
                r#"{"name":"a:1","digest":"abc"}"#,
                "\"abc\" is not a digest",
            ),
            ("a:1@sha256:12", "\"sha256:12\" is not a digest"),
        ] {
            assert_eq!(error(text), expected, "{text:?}");
        }
        assert!(error("{").starts_with("the content is not valid JSON: "));
        assert!(error("{} x").starts_with("the content is not valid JSON: "));
    }
}
