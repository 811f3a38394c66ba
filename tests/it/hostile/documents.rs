//! Manifests that are invalid, too large, or claim to be two things at once.

use serde_json::{Value, json};

use super::trial::{Seen, trial};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{
    DOCKER_LIST, DOCKER_MANIFEST, Descriptor, INDEX, Image, LAYER, MANIFEST,
};
use crate::support::recipe::{platforms, single};

/// What containerd reads of a manifest, in bytes.
const LIMIT: usize = 4 * 1048 * 1048;

/// What podman reads of it.
const PODMANS_LIMIT: usize = 4 * 1024 * 1024;

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
fn a_manifest_is_read_as_far_as_containerd_reads_it_and_not_one_byte_more() {
    for chunked in [false, true] {
        for length in [
            PODMANS_LIMIT,
            PODMANS_LIMIT + 1,
            LIMIT,
            LIMIT + 1,
            5_000_000,
        ] {
            let image = padded(length);
            let registry = Registry::start();
            registry.serve("app:1", &image);
            registry
                .on("GET", "manifests/1")
                .alters(move |_, reply| if chunked { reply.chunked() } else { reply });
            let seen = trial(registry.reference("app:1")).run();
            if length <= PODMANS_LIMIT {
                seen.passes();
            } else if length <= LIMIT {
                seen.passes_with(&[(image.root(), "unsupported")])
                    .prints("podman cannot pull it");
            } else {
                let seen = seen
                    .finds(&[("", "malformed")])
                    .says("", "larger than 4393216 bytes");
                // Each time it is asked twice.
                assert!(
                    seen.report.count("bytes") <= 4 * LIMIT as u64 + 100_000,
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
    registry.on("GET", "manifests/1").answers(reply.clone());
    trial(registry.reference("app:1"))
        .run()
        .finds(&[("", "malformed")]);
    registry.forget_rules();
    registry
        .on("GET", "manifests/1")
        .answers(reply.without("Content-Length"));
    let seen = trial(registry.reference("app:1"))
        .run()
        .finds(&[("", "malformed")]);
    assert!(seen.report.count("bytes") < 4 * LIMIT as u64, "{seen}");
}

#[test]
fn garbage_is_malformed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_inside = format!(
        r#"{{"schemaVersion":2,"layers":[],"x":{}1{}}}"#,
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
}

#[test]
fn what_is_not_utf_8_in_a_manifest_is_replaced_as_clients_do_it() {
    let (image, mut document) = right();
    document["annotations"] = json!({"name": "REPLACED"});
    let text = document.to_string();
    let (before, after) = text.split_once("REPLACED").unwrap();
    let bytes = [before.as_bytes(), b"\xff\xfe", after.as_bytes()].concat();
    verify(&root_of(image, MANIFEST, bytes)).passes();
}

#[test]
fn the_last_of_several_values_for_one_key_counts() {
    let (image, document) = right();
    let text = document.to_string();
    let twice = |first: &str, key: &str| text.replacen(key, &format!("{key}{first},{key}"), 1);
    for text in [
        twice("[]", "\"layers\":"),
        twice(&format!("\"{INDEX}\""), "\"mediaType\":"),
        twice("1", "\"size\":"),
    ] {
        verify(&root_of(image.clone(), MANIFEST, text)).passes();
    }
    let (_, last) = text.split_once("\"layers\":").unwrap();
    let other = format!("{{\"layers\":{last}");
    let wrong = other.replacen('{', "{\"layers\":[],\"config\":7,", 1);
    assert_eq!(verify(&root_of(image, MANIFEST, wrong)).exit, 1);
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
fn an_index_has_to_promise_the_form_that_comes_and_may_mix_dockers_with_ocis() {
    let (image, _) = right();
    let verify_promising = |promised: &str| {
        let mut image = image.clone();
        let child = image.root_descriptor().clone().with("mediaType", promised);
        let root = image.document(&json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [child.platform("linux/amd64").json()]
        }));
        verify(&image.begins_with(&root))
    };
    verify_promising(DOCKER_MANIFEST).passes();
    let child = image.child(0).to_owned();
    for (promised, verdict) in [
        (INDEX, "malformed"),
        (DOCKER_LIST, "malformed"),
        ("application/x", "unsupported"),
    ] {
        verify_promising(promised)
            .finds(&[(&child, verdict)])
            .says(&child, promised);
    }
}

#[test]
fn a_manifest_has_to_be_delivered_as_a_type_of_its_form() {
    let (image, document) = right();
    let types = |end: &str| {
        [
            format!("{MANIFEST}{end}"),
            format!("{DOCKER_MANIFEST}{end}"),
        ]
    };
    let verify = |content_type: Option<String>, clients: &str| {
        let registry = Registry::start();
        let root = root_of(image.clone(), MANIFEST, document.to_string());
        registry.serve("app:1", &root);
        registry
            .on("*", "")
            .alters(move |_, reply| match &content_type {
                Some(content_type) => reply.but_header("Content-Type", content_type),
                None => reply.without("Content-Type"),
            });
        trial(registry.reference("app:1"))
            .flag("clients", clients)
            .run()
    };
    for end in ["", "; charset=utf-8", ";charset=UTF-8;q=1", " ; x"] {
        let [own, dockers] = types(end);
        verify(Some(own), "containerd,docker,podman").passes();
        assert_eq!(verify(Some(dockers), "containerd").exit, 0);
    }
    let wrong = [
        "application/json",
        "application/octet-stream",
        "text/plain",
        "nonsense",
        INDEX,
        DOCKER_LIST,
    ];
    let wrong = wrong.map(|text| Some(text.to_owned()));
    for content_type in wrong.into_iter().chain([None]) {
        let seen = verify(content_type.clone(), "containerd");
        assert_eq!(seen.exit, 1, "{content_type:?}: {seen}");
        seen.prints("content_type");
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
    // Without what makes it one, the number says nothing to any client.
    for version in [json!(1), json!(3), Value::Null] {
        let (image, mut document) = right();
        document["schemaVersion"] = version;
        verify(&root_of(image, MANIFEST, document.to_string())).passes();
    }
}

#[test]
fn an_empty_index_is_no_image_and_a_manifest_needs_a_config() {
    for manifests in [json!([]), Value::Null] {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        verify(&root_of(Image::empty(), INDEX, index.to_string()))
            .finds(&[])
            .prints("an index without an image in it");
    }
    for document in [json!({"layers": []}), json!({"config": null, "layers": []})] {
        assert_malformed(Image::empty(), MANIFEST, document.to_string(), "no config");
    }
}

#[test]
fn the_digest_header_counts_in_the_answer_to_head_and_may_be_absent() {
    let verify = |method: &str, claim: Option<&'static str>| {
        let registry = Registry::start();
        registry.image("app:1", &platforms(2));
        registry.on(method, "").alters(move |_, reply| match claim {
            Some(claim) => reply.but_header("Docker-Content-Digest", claim),
            None => reply.without("Docker-Content-Digest"),
        });
        trial(registry.reference("app:1")).run()
    };
    let other = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";
    for claim in [None, Some("nonsense"), Some(""), Some(other)] {
        verify("GET", claim).passes();
    }
    verify("HEAD", None).passes();
    for claim in ["nonsense", other] {
        verify("HEAD", Some(claim))
            .finds(&[])
            .prints("Docker-Content-Digest of HEAD is");
    }
}

#[test]
fn a_tag_may_be_expected_by_another_algorithm_than_the_registry_claims() {
    let (image, document) = right();
    let text = document.to_string();
    let sha512 = crate::support::digest::sha512(text.as_bytes());
    let registry = Registry::start();
    registry.serve("app:1", &image);
    registry
        .on("GET", &sha512)
        .answers(Reply::ok(MANIFEST, text.clone()));
    let claim = sha512.clone();
    registry
        .on("*", "manifests/1")
        .alters(move |_, reply| reply.but_header("Docker-Content-Digest", &claim));
    let sha256 = crate::support::digest::sha256(text.as_bytes());
    for expected in [&sha256, &sha512] {
        trial(registry.reference("app:1"))
            .flag("digest", expected)
            .run()
            .passes()
            .says(&sha512, "");
    }
}

#[test]
fn one_byte_more_or_less_breaks_a_manifest() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    let child = image.child(0);
    let bytes = image.content(child).unwrap().bytes.to_vec();
    let serve = |bytes: Vec<u8>| {
        registry.forget_rules();
        registry
            .on("GET", child)
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
