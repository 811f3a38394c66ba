//! Documents that are small to send and expensive to process.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::command::{Finished, pullproof};
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::image::{Descriptor, INDEX, Image, MANIFEST};

/// For work that takes a moment when it is done well and many minutes when it is not, on a busy
/// machine and without optimization.
const A_WHILE: Duration = Duration::from_secs(30);

/// A child that is never requested when attestations are ignored.
fn ignored(number: usize, platform: &Value) -> Value {
    let child = Descriptor::promising(MANIFEST, &sha256(&number.to_le_bytes()), 7);
    child
        .with("platform", platform.clone())
        .annotated("vnd.docker.reference.type", "attestation-manifest")
        .json()
}

fn index(children: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
}

/// Verifies an image of which nothing but its indexes is fetched.
fn verify(image: &Image, code: i32) -> Finished {
    let registry = Registry::start();
    registry.lenient().serve("app:1", image);
    let finished = pullproof()
        .arguments([
            "verify",
            &registry.reference("app:1"),
            "--settle",
            "0s",
            "--attestations",
            "ignore",
        ])
        .arguments([
            "--format",
            "text",
            "--report",
            "report.json",
            "--junit",
            "junit.xml",
        ])
        .arguments(["--platforms", "linux/none", "--timeout", "60s"])
        .patience(Duration::from_secs(120))
        .run()
        .exits(code);
    assert!(finished.took < A_WHILE, "it took {:?}", finished.took);
    finished
}

#[test]
fn tens_of_thousands_of_platforms_are_distinguished_in_time() {
    let mut image = Image::empty();
    // A digest of an unknown algorithm is never requested; its platform counts all the same.
    let child = |number: usize| {
        let child = Descriptor::promising(MANIFEST, &format!("other:{number:032}"), 7);
        child
            .with(
                "platform",
                json!({"os": format!("o{number}"), "architecture": "a"}),
            )
            .json()
    };
    let root = image.document(&index(&(0..15_000).map(child).collect::<Vec<_>>()));
    let finished = verify(&image.begins_with(&root), 1);
    assert_eq!(
        finished.report_in("report.json").images()[0]["platforms"]
            .as_array()
            .unwrap()
            .len(),
        15_000
    );
}

#[test]
fn a_digest_listed_many_times_is_checked_once() {
    // Every one of many indexes lists the same one thousands of times, and that one lists
    // thousands.
    let mut image = Image::empty();
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let inner: Vec<Value> = (0..10_000)
        .map(|number| ignored(number, &platform))
        .collect();
    let inner = image.document(&index(&inner));
    let middle: Vec<Value> = (0..6)
        .map(|number| {
            let listed: Vec<Value> = (0..10_000)
                .map(|_| inner.clone().annotated("n", &number.to_string()).json())
                .collect();
            image.document(&index(&listed)).json()
        })
        .collect();
    let root = image.document(&index(&middle));
    // What was ignored proves nothing: there is no image.
    let finished = verify(&image.begins_with(&root), 1);
    assert!(finished.stdout.contains("not_an_image"), "{finished}");
    assert_eq!(
        finished.report_in("report.json").count("nodes"),
        10_000 + 1 + 6 + 1
    );
}

#[test]
fn more_references_than_the_limit_are_refused() {
    let mut image = Image::empty();
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let leaf = image.document(&index(&[ignored(0, &platform)]));
    let many: Vec<Value> = (0..20_000).map(|_| leaf.clone().json()).collect();
    let branches: Vec<Value> = (0..25)
        .map(|number| {
            let mut branch = index(&many);
            branch["annotations"] = json!({"number": number.to_string()});
            image.document(&branch).json()
        })
        .collect();
    let root = image.document(&index(&branches));
    let finished = verify(&image.begins_with(&root), 1);
    assert!(
        finished.stdout.contains("more than 400000 references"),
        "{}",
        finished.stdout
    );
}

#[test]
fn a_chain_of_thousands_of_indexes_is_reported_without_a_stack_overflow() {
    let mut image = Image::empty();
    let leaf = Descriptor::promising(MANIFEST, &sha256(b"lost"), 7).json();
    let mut chain = vec![image.document(&index(&[leaf]))];
    for _ in 0..8_000 {
        let next = chain.last().unwrap().json();
        chain.push(image.document(&index(&[next])));
    }
    // The first of them is found at once, wherever it is in the others.
    let all: Vec<Value> = chain.iter().rev().map(Descriptor::json).collect();
    let root = image.document(&index(&all));
    let finished = verify(&image.begins_with(&root), 1);
    assert!(
        finished.stdout.contains("8002 ok, 1 broken\n"),
        "{finished}"
    );
    let indented = finished
        .stdout
        .lines()
        .map(|line| line.len() - line.trim_start().len())
        .max();
    assert!(indented < Some(40), "{indented:?}");
}
