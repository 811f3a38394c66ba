//! Manifests that are invalid, too large, or claim to be two things at once.

use serde_json::{Value, json};

use super::trial::{Seen, trial};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{
    DOCKER_LIST, DOCKER_MANIFEST, Descriptor, INDEX, Image, LAYER, MANIFEST,
};
use crate::support::recipe::{platforms, single};

const LIMIT: usize = 4 * 1024 * 1024;

/// An image whose root is this text, served as this type.
fn root_of(image: Image, media_type: &str, text: impl Into<Vec<u8>>) -> Image {
    let mut image = image;
    let root = image.document_bytes(media_type, text);
    image.begins_with(&root)
}

/// The right manifest of a right image, as JSON.
fn right() -> (Image, Value) {
    let image = single().make();
    let document = serde_json::from_slice(&image.content(image.root()).unwrap().bytes).unwrap();
    (image, document)
}

fn verify(image: &Image) -> Seen {
    let registry = Registry::start();
    registry.serve("app:1", image);
    trial(registry.reference("app:1")).run()
}

#[track_caller]
fn assert_malformed(image: Image, media_type: &str, text: impl Into<Vec<u8>>, words: &str) {
    let image = root_of(image, media_type, text);
    verify(&image)
        .finds(&[(image.root(), "malformed")])
        .says(image.root(), words);
}

/// A manifest that is as long as this, by blanks.
fn padded(length: usize) -> Image {
    let (image, document) = right();
    let mut text = document.to_string();
    text.extend(std::iter::repeat_n(' ', length - text.len()));
    root_of(image, MANIFEST, text)
}

#[test]
fn a_manifest_of_four_mebibytes_is_read_and_not_one_byte_more() {
    for chunked in [false, true] {
        for (length, fits) in [(LIMIT, true), (LIMIT + 1, false), (5 * 1024 * 1024, false)] {
            let image = padded(length);
            let registry = Registry::start();
            registry.serve("app:1", &image);
            registry
                .on("GET", "manifests/1")
                .alters(move |_, reply| if chunked { reply.chunked() } else { reply });
            let seen = trial(registry.reference("app:1")).run();
            if fits {
                seen.passes();
            } else {
                let seen = seen
                    .finds(&[("", "malformed")])
                    .says("", "larger than 4194304 bytes");
                assert!(
                    seen.report.count("bytes") <= LIMIT as u64 + 100_000,
                    "{seen}"
                );
            }
        }
    }
}

#[test]
fn an_endless_manifest_is_read_up_to_its_limit() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let endless = crate::support::http::message::Body::Zeros(u64::MAX / 2);
    let reply = Reply::ok(MANIFEST, "").content(endless);
    registry
        .on("GET", "manifests/1")
        .times(1)
        .answers(reply.clone());
    trial(registry.reference("app:1"))
        .run()
        .finds(&[("", "malformed")]);
    registry
        .on("GET", "manifests/1")
        .answers(reply.without("Content-Length"));
    let seen = trial(registry.reference("app:1"))
        .run()
        .finds(&[("", "malformed")]);
    assert!(seen.report.count("bytes") < 2 * LIMIT as u64, "{seen}");
}

#[test]
fn garbage_is_malformed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_inside = format!(
        r#"{{"schemaVersion":2,"manifests":[],"x":{}1{}}}"#,
        "[".repeat(500),
        "]".repeat(500)
    );
    for text in [
        "garbage",
        "{",
        "{}",
        "[]",
        "null",
        "7",
        "\"text\"",
        "\u{feff}{}",
        &deep,
        &deep_inside,
    ] {
        assert_malformed(Image::empty(), MANIFEST, text, "");
    }
    assert_malformed(
        Image::empty(),
        MANIFEST,
        b"{\"schemaVersion\":2,\"mediaType\":\"\xff\xfe\"}",
        "not a manifest",
    );
}

#[test]
fn a_duplicate_key_is_malformed() {
    let (image, document) = right();
    let text = document.to_string();
    let layers = text.replacen("\"layers\":", "\"layers\":[],\"layers\":", 1);
    assert_malformed(image.clone(), MANIFEST, layers, "duplicate field `layers`");
    let media_type = text.replacen(
        "\"mediaType\":",
        &format!("\"mediaType\":\"{INDEX}\",\"mediaType\":"),
        1,
    );
    let image = root_of(image, MANIFEST, media_type);
    assert_eq!(verify(&image).exit, 1);
}

#[test]
fn a_duplicate_key_in_a_descriptor_affects_that_descriptor_alone() {
    let (image, mut document) = right();
    document["layers"][0]["size"] = json!("TWICE");
    let text = document
        .to_string()
        .replacen("\"size\":\"TWICE\"", "\"size\":1,\"size\":1000", 1);
    let image = root_of(image, MANIFEST, text);
    let seen = verify(&image);
    assert_eq!((seen.exit, seen.report.count("broken")), (1, 1), "{seen}");
    assert_eq!(seen.report.verdict(image.layer(0, 1)), "ok");
}

#[test]
fn a_document_that_is_both_index_and_image_is_malformed() {
    let (image, mut document) = right();
    document["manifests"] = json!([image.root_descriptor().json()]);
    for media_type in [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST] {
        document["mediaType"] = media_type.into();
        assert_malformed(image.clone(), media_type, document.to_string(), "");
    }
    document.as_object_mut().unwrap().remove("mediaType");
    assert_malformed(
        image.clone(),
        "application/json",
        document.to_string(),
        "both an index",
    );
}

#[test]
fn media_types_that_disagree_are_malformed() {
    let (image, document) = right();
    for served in [INDEX, DOCKER_MANIFEST, DOCKER_LIST] {
        assert_malformed(image.clone(), served, document.to_string(), served);
    }
    // What an index promises must be what comes.
    for promised in [INDEX, DOCKER_MANIFEST] {
        let mut image = image.clone();
        let child = image.root_descriptor().clone().with("mediaType", promised);
        let root = image.document(&json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [child.platform("linux/amd64").json()]
        }));
        let image = image.begins_with(&root);
        let child = image.child(0).to_owned();
        verify(&image)
            .finds(&[(&child, "malformed")])
            .says(&child, promised);
    }
}

#[test]
fn a_document_whose_form_is_not_its_type_is_malformed() {
    let (image, document) = right();
    let index = json!({"schemaVersion": 2, "manifests": [image.root_descriptor().json()]});
    assert_malformed(
        image.clone(),
        MANIFEST,
        index.to_string(),
        "manifests of an index",
    );
    let mut untyped = document;
    untyped.as_object_mut().unwrap().remove("mediaType");
    assert_malformed(
        image.clone(),
        INDEX,
        untyped.to_string(),
        "of an image manifest",
    );
    let foreign = json!({"schemaVersion": 2, "mediaType": LAYER, "layers": []});
    assert_malformed(
        image,
        "application/json",
        foreign.to_string(),
        "is not that of a manifest",
    );
}

#[test]
fn a_content_type_may_be_missing_generic_or_have_parameters() {
    let types = ["; charset=utf-8", ";charset=UTF-8;q=1", " ; x"]
        .map(|more| Some(format!("{MANIFEST}{more}")));
    let others = [
        "application/json",
        "application/octet-stream",
        "text/plain",
        "",
        "nonsense",
    ];
    let others = others.map(|text| Some(text.to_owned()));
    let upper = [None, Some(MANIFEST.to_ascii_uppercase())];
    for content_type in types.into_iter().chain(others).chain(upper) {
        let registry = Registry::start();
        registry.image("app:1", &single());
        let shown = content_type.clone();
        registry
            .on("GET", "manifests/1")
            .alters(move |_, reply| match &content_type {
                Some(content_type) => reply.but_header("Content-Type", content_type),
                None => reply.without("Content-Type"),
            });
        let seen = trial(registry.reference("app:1")).run();
        assert_eq!(seen.exit, 0, "{shown:?}: {seen}");
    }
}

#[test]
fn schema_one_is_reported_as_unsupported() {
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let old = json!({
        "schemaVersion": 1, "name": "app", "tag": "1", "architecture": "amd64",
        "fsLayers": [{"blobSum": Descriptor::of(LAYER, b"x").digest()}], "history": [{"v1Compatibility": "{}"}],
    });
    for media_type in [
        signed,
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/json",
    ] {
        let image = root_of(Image::empty(), media_type, old.to_string());
        verify(&image)
            .finds(&[(image.root(), "unsupported")])
            .prints("schema 1");
    }
    let future = root_of(
        Image::empty(),
        MANIFEST,
        json!({"schemaVersion": 3, "layers": []}).to_string(),
    );
    verify(&future).finds(&[(future.root(), "unsupported")]);
}

#[test]
fn an_empty_index_and_a_manifest_without_config_cannot_be_pulled() {
    for manifests in [json!([]), Value::Null] {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        assert_malformed(Image::empty(), INDEX, index.to_string(), "nothing to pull");
    }
    for document in [json!({"layers": []}), json!({"config": null, "layers": []})] {
        assert_malformed(Image::empty(), MANIFEST, document.to_string(), "no config");
    }
}

#[test]
fn the_digest_header_may_be_missing_or_invalid_but_not_different() {
    for (claim, passes) in [
        (None, true),
        (Some("nonsense"), true),
        (Some(""), true),
        (Some("md5:d41d8cd98f00b204e9800998ecf8427e"), true),
        (
            Some("sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"),
            false,
        ),
    ] {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        registry.on("GET", "").alters(move |_, reply| match claim {
            Some(claim) => reply.but_header("Docker-Content-Digest", claim),
            None => reply.without("Docker-Content-Digest"),
        });
        let seen = trial(registry.reference("app:1")).run();
        // A client that resolves a tag believes the header, and then finds that the bytes are
        // others.
        if passes {
            seen.passes()
        } else {
            seen.finds(&[("", "digest_mismatch")])
        };
        // By digest it is not needed.
        trial(registry.reference(&format!("app@{}", image.root())))
            .run()
            .passes();
    }
}

#[test]
fn a_tag_is_compared_in_the_algorithm_of_its_digest() {
    let (image, document) = right();
    let right = crate::support::digest::sha512(document.to_string().as_bytes());
    for (claim, passes) in [
        (right.clone(), true),
        (format!("sha512:{}", "0".repeat(128)), false),
    ] {
        let registry = Registry::start();
        registry.serve("app:1", &image);
        registry
            .on("GET", &claim)
            .answers(Reply::ok(MANIFEST, document.to_string()));
        registry
            .on("GET", "manifests/1")
            .alters(move |_, reply| reply.but_header("Docker-Content-Digest", &claim));
        let seen = trial(registry.reference("app:1")).run();
        if passes {
            // Expecting the same bytes by their usual digest is right.
            let expected = crate::support::digest::sha256(document.to_string().as_bytes());
            trial(registry.reference("app:1"))
                .flag("digest", expected)
                .run()
                .passes();
            trial(registry.reference("app:1"))
                .flag("digest", right.clone())
                .run()
                .passes();
            seen.passes().says(&right, "")
        } else {
            seen.finds(&[("", "digest_mismatch")])
        };
    }
}

#[test]
fn one_byte_more_or_less_breaks_a_manifest() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    let child = image.child(0);
    let bytes = image.content(child).unwrap().bytes.to_vec();
    let serve = |bytes: Vec<u8>| {
        registry
            .on("GET", child)
            .times(1)
            .answers(Reply::ok(MANIFEST, bytes));
    };
    let verify = trial(registry.reference("app:1"));
    serve([&bytes[..], b"\n"].concat());
    verify.run().finds(&[(child, "size_mismatch")]);
    serve(bytes[..bytes.len() - 1].to_vec());
    verify.run().finds(&[(child, "truncated")]);
    let mut flipped = bytes.clone();
    flipped[10] ^= 1;
    serve(flipped);
    verify.run().finds(&[(child, "digest_mismatch")]);
    serve(Vec::new());
    verify.run().finds(&[(child, "empty")]);
}
