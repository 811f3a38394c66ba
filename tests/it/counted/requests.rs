//! One request for each digest, two for each reference, and those for the login: not one more, but
//! for what is definitely wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::command::verify;
use crate::support::fake::{Registry, Tokens};
use crate::support::http::Reply;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// How often each path was asked for, by each method.
fn asked(registry: &Registry) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in registry.requests() {
        let question = format!("{} {}", request.method, request.path);
        *asked.entry(question).or_insert(0) += 1;
    }
    asked
}

/// The questions that name something, with how often they were put.
fn about(asked: &BTreeMap<String, usize>, what: &str) -> Vec<(&'static str, usize)> {
    let methods = ["GET", "HEAD"].into_iter();
    let times = |method: &str| {
        let questions = asked.iter();
        let of_it = questions.filter(|(question, _)| {
            question.starts_with(&format!("{method} ")) && question.ends_with(what)
        });
        of_it.map(|(_, times)| times).sum()
    };
    methods
        .map(|method| (method, times(method)))
        .filter(|(_, times)| *times > 0)
        .collect()
}

#[test]
fn every_digest_is_requested_once() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(6).layers(30).shared(5).attested());
        let report = verify(&registry.reference("app:1"))
            .arguments(["--depth", depth])
            .run()
            .passes();
        let asked = asked(&registry);
        // The tag is resolved as every client does it: by `GET`, and by `HEAD`.
        let tag = about(&asked, "/manifests/1");
        assert_eq!(tag, [("GET", 1), ("HEAD", 1)], "at {depth}");
        for digest in image.reachable() {
            let questions = about(&asked, &digest);
            assert!(
                matches!(questions[..], [(_, 1)]),
                "at {depth}: {digest}: {questions:?}"
            );
            let is_manifest = image.content(&digest).unwrap().manifest;
            if is_manifest || depth != "head" {
                assert_eq!(questions, [("GET", 1)], "at {depth}: {digest}");
            }
        }
        assert_eq!(asked.len(), 2 + image.reachable().len(), "at {depth}");
        assert_eq!(report.count("requests"), asked.len() as u64);
    }
}

#[test]
fn each_tag_costs_one_head_and_no_digest_does() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.serve("app:2", &image);
    let by_digest = registry.reference(&format!("app@{}", image.root()));
    verify(&registry.reference("app:1"))
        .arguments([registry.reference("app:2"), by_digest])
        .run()
        .passes();
    let asked = asked(&registry);
    for tag in ["/manifests/1", "/manifests/2"] {
        assert_eq!(about(&asked, tag), [("GET", 1), ("HEAD", 1)]);
    }
    // A reference by digest is resolved as well.
    let root = about(&asked, image.root());
    assert_eq!(root.last(), Some(&("HEAD", 1)), "{asked:#?}");
    let heads = registry
        .requests()
        .iter()
        .filter(|request| request.method == "HEAD")
        .count();
    assert_eq!(heads, 3);
}

#[test]
fn what_is_definitely_wrong_costs_one_more_request_for_each_digest() {
    for depth in ["tail", "full"] {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(3));
        let (lost, changed) = (image.layer(0, 0), image.layer(1, 1));
        registry.lose(lost).lose(image.child(2));
        registry
            .on("GET", changed)
            .answers(Reply::ok("application/octet-stream", "not the same"));
        let finished = verify(&registry.reference("app:1"))
            .arguments(["--depth", depth])
            .run()
            .exits(1);
        let broken = [lost, changed, image.child(2)];
        let asked = asked(&registry);
        for digest in image.reachable_without(&[image.child(2)]) {
            let times = if broken.contains(&&*digest) { 2 } else { 1 };
            let questions = about(&asked, &digest);
            assert_eq!(questions, [("GET", times)], "at {depth}: {digest}");
        }
        // Before a failure the tag is resolved once more: it may have moved.
        let tag = about(&asked, "/manifests/1");
        assert_eq!(tag, [("GET", 2), ("HEAD", 1)], "at {depth}");
        let whole = image.reachable_without(&[image.child(2)]).len() as u64;
        let all = whole + 3 + 3;
        assert_eq!(finished.report().count("requests"), all, "{finished}");
        assert_eq!(registry.requests().len() as u64, all);
    }
}

#[test]
fn ten_thousand_blobs_cost_ten_thousand_requests() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(50).layers(199).layer_size(10));
    let finished = verify(&registry.reference("app:1"))
        .patience(Duration::from_secs(300))
        .run();
    let report = finished.passes();
    // 50 × (199 layers and a config), 50 manifests and the index; and the tag, by GET and by HEAD.
    assert_eq!(image.reachable().len(), 10_051);
    assert_eq!(registry.requests().len(), 10_053);
    assert_eq!(report.count("requests"), 10_053);
}

#[test]
fn a_token_costs_two_requests() {
    let registry = Registry::start();
    let tokens = Tokens::new();
    registry.mount("/token", tokens.endpoint());
    let realm = registry.server().url("/token");
    registry.guarded(tokens.guard(&realm));
    let image = registry.image("app:1", &platforms(6).layers(30).shared(5));
    verify(&registry.reference("app:1")).run().passes();
    // The tag by GET and by HEAD; the challenge and the token.
    assert_eq!(registry.requests().len(), 2 + image.reachable().len() + 2);
    assert_eq!(tokens.issued(), 1);
}

#[test]
fn tags_that_share_layers_share_the_requests() {
    let registry = Registry::start();
    let base: Image = platforms(1).layers(20).make();
    let mut digests = base.reachable();
    let mut references = Vec::new();
    for seed in 1..=10 {
        let mut image = base.clone();
        let own = single().layers(1).seed(seed).make();
        let layer = own.images[0].layers[0].clone();
        for (_, content) in own.contents().filter(|(_, content)| !content.manifest) {
            image.blob(&content.media_type, content.bytes.to_vec());
        }
        let layers: Vec<_> = base.images[0]
            .layers
            .iter()
            .cloned()
            .chain([layer])
            .collect();
        let root = image.image_of(&layers);
        let image = image.begins_with(&root);
        registry.serve(&format!("app:{seed}"), &image);
        references.push(registry.reference(&format!("app:{seed}")));
        digests.extend(image.reachable());
    }
    // The image that the others have their layers from is not verified itself.
    for digest in [base.root(), base.child(0), base.config(0)] {
        digests.remove(digest);
    }
    verify(&references[0])
        .arguments(references[1..].iter().cloned())
        .run()
        .passes();
    assert_eq!(digests.len(), 10 * 3 + 20);
    assert_eq!(registry.requests().len(), 2 * 10 + digests.len());
}
