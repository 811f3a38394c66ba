//! Graphs that nobody should follow for ever: too deep, in circles, and very wide.

use std::fmt::Write as _;
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
        root = image.document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [root.json()]}));
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
        if passes {
            seen.passes();
        } else {
            assert_eq!((seen.exit, seen.report.count("broken")), (1, 1), "{depth}: {seen}");
            seen.tells("nested more than 8 manifests deep");
        }
    }
}

#[test]
fn a_circle_is_a_lie_and_ends_where_it_begins() {
    // No digest can be in its own content: a registry that serves a circle serves bytes that are not the digest's.
    let registry = Registry::start();
    let claimed = sha256(b"the circle");
    let child = Descriptor::promising(INDEX, &claimed, 300).platform("linux/amd64");
    let circle = Reply::ok(INDEX, index_of(std::slice::from_ref(&child)).to_string());
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child.json()]}).to_string();
    registry.on("GET", "manifests/1").answers(Reply::ok(INDEX, index));
    registry.on("GET", &claimed).answers(circle.clone().header("Docker-Content-Digest", &claimed));
    let seen = trial(registry.reference("app:1")).run();
    assert_eq!(seen.exit, 1, "{seen}");
    assert_eq!(registry.requests().len(), 2);
    // Of the promised size, too.
    let size = index_of(std::slice::from_ref(&child)).to_string().len();
    let child = child.with("size", size);
    let text = index_of(&[child]).to_string();
    assert_eq!(text.len(), size);
    registry.on("GET", "manifests/2").answers(Reply::ok(INDEX, text));
    trial(registry.reference("app:2")).run().finds(&[(&claimed, "digest_mismatch")]);
}

/// An index of so many children that are not there, as small as it can be written.
fn wide(from: usize, count: usize) -> String {
    let mut text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":["#);
    for number in from..from + count {
        let comma = if number > from { "," } else { "" };
        write!(text, r#"{comma}{{"digest":"sha256:{number:064x}","size":9}}"#).unwrap();
    }
    text + "]}"
}

#[test]
fn more_than_a_hundred_thousand_nodes_are_refused_before_they_are_asked_for() {
    let mut image = Image::empty();
    // The middle ones are counted first, so that nothing below the last is asked for.
    let children: Vec<_> = (0..3).map(|part| image.document_bytes(INDEX, wide(part * 40_000, 40_000))).collect();
    let root = image.document(&json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": children.iter().map(Descriptor::json).collect::<Vec<_>>(),
    }));
    let image = image.begins_with(&root);
    let registry = Registry::start();
    registry.lenient().serve("app:1", &image);
    // Only what the limit cuts off is of interest here: the rest need not be asked for to the end.
    let seen = trial(registry.reference("app:1")).flag("timeout", "3s").flag("concurrency", "256").run();
    assert_eq!(seen.exit, 1, "{}", seen.text.lines().last().unwrap());
    assert!(seen.text.contains("more than 100000 nodes"), "{}", seen.text.lines().last().unwrap());
    assert!(seen.took < Duration::from_secs(30), "it took {:?}", seen.took);
}

#[test]
fn one_child_forty_thousand_times_is_one_question() {
    let mut image = single().make();
    let child = image.root_descriptor().clone();
    let (digest, size) = (child.digest(), child.size());
    let one = format!(r#"{{"digest":"{digest}","size":{size}}}"#);
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, vec![one; 40_000].join(","));
    let root = image.document_bytes(INDEX, text);
    let registry = Registry::start();
    registry.serve("app:1", &image.begins_with(&root));
    let seen = trial(registry.reference("app:1")).run().passes();
    assert_eq!(registry.requests().len(), 6);
    assert!(seen.took < Duration::from_secs(20), "it took {:?}", seen.took);
}

#[test]
fn a_child_that_is_listed_with_the_wrong_content_leads_nowhere() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    // The registry swaps two manifests: both are whole, and neither is what was asked for.
    for (asked, given) in [(0, 1), (1, 0)] {
        let bytes = image.content(image.child(given)).unwrap().bytes.to_vec();
        registry.on("GET", image.child(asked)).answers(Reply::ok(MANIFEST, bytes));
    }
    let seen = trial(registry.reference("app:1")).run();
    assert_eq!(seen.exit, 1, "{seen}");
    assert_eq!(seen.report.count("broken"), 2, "{seen}");
    assert!(registry.asked(image.layer(0, 0)).is_empty());
}
