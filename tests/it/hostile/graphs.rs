//! Graphs that must not be followed forever: too deep, in circles, and very wide.

use std::time::Duration;

use serde_json::json;

use super::trial::trial;
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{Descriptor, INDEX, Image, MANIFEST, index_of};
use crate::support::recipe::{platforms, single};

/// An image below so many indexes.
fn nested(depth: usize) -> Image {
    let mut image = single().make();
    let mut root = image.root_descriptor().clone().platform("linux/amd64");
    for _ in 0..depth {
        root = image
            .document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [root.json()]}));
    }
    image.begins_with(&root)
}

#[test]
fn eight_indexes_deep_is_followed_and_nine_is_not() {
    for (depth, passes) in [(1, true), (8, true), (9, false), (30, false)] {
        let image = nested(depth);
        let registry = Registry::start();
        registry.serve("app:1", &image);
        let seen = trial(registry.reference("app:1")).run();
        if passes && depth == 1 {
            seen.passes();
        } else if passes {
            // podman selects no image below an index in the index.
            let seen = seen.warns(&[(image.root(), "unsupported")]);
            assert_eq!(seen.report.images()[0]["clients"], json!(["podman"]));
        } else {
            assert_eq!(
                (seen.exit, seen.report.count("broken")),
                (1, 1),
                "{depth}: {seen}"
            );
            seen.prints("nested more than 8 manifests deep");
        }
    }
}

#[test]
fn a_cycle_is_a_digest_mismatch_and_ends_where_it_begins() {
    // No digest can be in its own content: a registry that serves a circle serves bytes that are
    // not the digest's.
    let registry = Registry::start();
    let claimed = sha256(b"the circle");
    let child = Descriptor::promising(INDEX, &claimed, 300).platform("linux/amd64");
    let circle = Reply::ok(INDEX, index_of(std::slice::from_ref(&child)).to_string());
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child.json()]}).to_string();
    registry
        .on("GET", &sha256(index.as_bytes()))
        .answers(Reply::ok(INDEX, index.clone()));
    registry
        .on("*", "manifests/1")
        .answers(Reply::ok(INDEX, index));
    registry
        .on("GET", &claimed)
        .answers(circle.clone().header("Docker-Content-Digest", &claimed));
    let seen = trial(registry.reference("app:1")).run();
    assert_eq!(seen.exit, 1, "{seen}");
    // The tag, twice because it fails, and its HEAD; the index; and the circle, twice as it is wrong.
    let asked = |path: &str| registry.asked(path).len();
    assert_eq!(asked(&claimed), 2);
    assert_eq!((asked("manifests/1"), registry.requests().len()), (3, 6));
    // Of the promised size, too.
    let size = index_of(std::slice::from_ref(&child)).to_string().len();
    let child = child.with("size", size);
    let text = index_of(&[child]).to_string();
    assert_eq!(text.len(), size);
    registry
        .on("GET", &sha256(text.as_bytes()))
        .answers(Reply::ok(INDEX, text.clone()));
    registry
        .on("*", "manifests/2")
        .answers(Reply::ok(INDEX, text));
    trial(registry.reference("app:2"))
        .run()
        .finds(&[(&claimed, "digest_mismatch")]);
}

/// An index of so many children of which nothing is said.
fn wide(count: usize) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        vec!["{}"; count].join(",")
    )
}

#[test]
fn more_than_a_hundred_thousand_children_are_refused_at_once() {
    for count in [100_001, 1_300_000] {
        let registry = Registry::start();
        let mut image = Image::empty();
        let root = image.document_bytes(INDEX, wide(count));
        registry.serve("app:1", &image.begins_with(&root));
        let seen = trial(registry.reference("app:1"))
            .run()
            .finds(&[(root.digest(), "malformed")]);
        let seen = seen.says(
            root.digest(),
            &format!("it lists {count} references, more than 100000"),
        );
        assert!(
            seen.took < Duration::from_secs(20),
            "it took {:?}",
            seen.took
        );
    }
}

#[test]
fn two_indexes_too_wide_together_are_refused_before_any_request() {
    let registry = Registry::start();
    let mut image = Image::empty();
    let child = image.document_bytes(INDEX, wide(100_000));
    let root = image
        .document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child.json()]}));
    registry.serve("app:1", &image.begins_with(&root));
    let seen = trial(registry.reference("app:1"))
        .run()
        .finds(&[(child.digest(), "malformed")]);
    seen.says(child.digest(), "more than 100000 nodes");
    // The tag by GET, by HEAD, and by GET once more because it fails; and the two indexes.
    assert_eq!(registry.requests().len(), 5);
}

#[test]
fn one_child_listed_twenty_thousand_times_is_one_request() {
    let mut image = single().make();
    let child = image.root_descriptor().clone();
    let (digest, size) = (child.digest(), child.size());
    let one = format!(
        r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{size},"platform":{{"os":"linux","architecture":"amd64"}}}}"#
    );
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        vec![one; 20_000].join(",")
    );
    let root = image.document_bytes(INDEX, text);
    let registry = Registry::start();
    registry.serve("app:1", &image.begins_with(&root));
    let seen = trial(registry.reference("app:1")).run().passes();
    // The tag by GET and by HEAD, the index, and an image of five digests.
    assert_eq!(registry.requests().len(), 8);
    assert!(
        seen.took < Duration::from_secs(20),
        "it took {:?}",
        seen.took
    );
}

#[test]
fn a_child_that_is_listed_with_the_wrong_content_leads_nowhere() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    // The registry swaps two manifests: both are whole, and neither is what was asked for.
    for (asked, given) in [(0, 1), (1, 0)] {
        let bytes = image.content(image.child(given)).unwrap().bytes.to_vec();
        registry
            .on("GET", image.child(asked))
            .answers(Reply::ok(MANIFEST, bytes));
    }
    let seen = trial(registry.reference("app:1")).run();
    assert_eq!(seen.exit, 1, "{seen}");
    assert_eq!(seen.report.count("broken"), 2, "{seen}");
    assert!(registry.asked(image.layer(0, 0)).is_empty());
}
