//! One request for each digest, one for each reference, and those for the login: not one more.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::command::verify;
use crate::support::fake::{Registry, Tokens};
use crate::support::image::{Image, manifest_of};
use crate::support::recipe::{platforms, single};

const DEPTHS: [&str; 3] = ["head", "tail", "full"];

/// How often each path was asked for.
fn asked(registry: &Registry) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in registry.requests() {
        *asked.entry(request.path).or_insert(0) += 1;
    }
    asked
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
        assert_eq!(asked.len(), 1 + image.reachable().len(), "at {depth}");
        assert!(
            asked.values().all(|times| *times == 1),
            "at {depth}: {asked:#?}"
        );
        assert_eq!(report.count("requests"), asked.len() as u64);
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
    // 50 × (199 layers and a config), 50 manifests and the index; and the tag.
    assert_eq!(image.reachable().len(), 10_051);
    assert_eq!(registry.requests().len(), 10_052);
    assert_eq!(report.count("requests"), 10_052);
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
    // The tag; the challenge and the token.
    assert_eq!(registry.requests().len(), 1 + image.reachable().len() + 2);
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
        let root = image.document(&manifest_of(&own.images[0].config, &layers));
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
    assert_eq!(registry.requests().len(), 10 + digests.len());
}
