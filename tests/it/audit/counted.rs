//! What an audit costs a registry: every digest is asked for once per repository, however many tags
//! share it.

use std::collections::{BTreeMap, BTreeSet};

use super::audit;
use crate::support::fake::{Registry, Tokens};
use crate::support::image::Image;
use crate::support::recipe::{Recipe, platforms};

/// How often each path was asked for, by each method.
fn asked(registry: &Registry) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in registry.requests() {
        let question = format!("{} {}", request.method, request.path);
        *asked.entry(question).or_insert(0) += 1;
    }
    asked
}

fn image(seed: u64) -> Recipe {
    platforms(2).layers(3).attested().seed(seed)
}

/// The requests for all that these images of a repository consist of.
fn requests_below(name: &str, images: &[&Image]) -> BTreeSet<String> {
    let mut requests = BTreeSet::new();
    for image in images {
        for digest in image.reachable() {
            let is_manifest = image.content(&digest).unwrap().manifest;
            let kind = if is_manifest { "manifests" } else { "blobs" };
            requests.insert(format!("GET /v2/{name}/{kind}/{digest}"));
        }
    }
    requests
}

#[test]
fn every_digest_is_asked_for_once_whatever_number_of_tags_share_it() {
    let registry = Registry::start();
    let (one, two) = (image(1).make(), image(2).make());
    for tag in ["1", "1.0", "1.0.0", "latest"] {
        registry.serve(&format!("team/app:{tag}"), &one);
    }
    registry.serve("team/app:2", &two);
    registry.serve("team/other:1", &one);
    let report = audit(&registry.host()).run().exits(0).report();
    let mut expected = requests_below("team/app", &[&one, &two]);
    expected.extend(requests_below("team/other", &[&one]));
    for (name, tags) in [
        ("team/app", &["1", "1.0", "1.0.0", "2", "latest"][..]),
        ("team/other", &["1"]),
    ] {
        expected.insert(format!("GET /v2/{name}/tags/list"));
        for tag in tags {
            expected.insert(format!("GET /v2/{name}/manifests/{tag}"));
            expected.insert(format!("HEAD /v2/{name}/manifests/{tag}"));
        }
    }
    expected.insert("GET /v2/_catalog".to_owned());
    let asked = asked(&registry);
    assert_eq!(asked.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(asked.values().all(|times| *times == 1), "{asked:#?}");
    // The catalog, two lists of tags, 6 tags by GET and by HEAD; and each image with its index, two
    // platforms of a manifest, a config and three layers, and two attestations of a manifest, a
    // config and a statement.
    let of_an_image = 1 + 2 * 5 + 2 * 3;
    assert_eq!(asked.len(), 1 + 2 + 6 * 2 + 3 * of_an_image);
    assert_eq!(report.count("requests"), asked.len() as u64);
}

#[test]
fn a_whole_tag_costs_two_requests_beside_its_digests() {
    let registry = Registry::start();
    let shared = image(1).make();
    let cost = |tags: usize| {
        registry.serve(&format!("app:{tags}"), &shared);
        audit(&registry.host())
            .run()
            .exits(0)
            .report()
            .count("requests")
    };
    let costs: Vec<u64> = (1..=3).map(cost).collect();
    assert_eq!(costs, [1 + 1 + 2 + 17, 1 + 1 + 4 + 17, 1 + 1 + 6 + 17]);
}

#[test]
fn what_is_lost_costs_a_second_look_and_its_tag_a_third() {
    let registry = Registry::start();
    let (broken, whole) = (image(1).make(), image(2).make());
    registry.serve("app:1", &broken);
    registry.serve("app:2", &whole);
    registry.lose(broken.layer(0, 0));
    let report = audit(&registry.host()).run().exits(1).report();
    let asked = asked(&registry);
    let twice: Vec<&String> = asked
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(question, _)| question)
        .collect();
    let lost = format!("GET /v2/app/blobs/{}", broken.layer(0, 0));
    assert_eq!(twice, [&lost, "GET /v2/app/manifests/1"]);
    assert_eq!(report.count("requests"), 1 + 1 + 2 * 2 + 2 * 17 + 2);
}

#[test]
fn a_token_for_each_repository_costs_two_requests() {
    let registry = Registry::start();
    let tokens = Tokens::new();
    registry.mount("/token", tokens.endpoint());
    let realm = registry.server().url("/token");
    registry.guarded(tokens.guard(&realm));
    for name in ["app", "other"] {
        registry.serve(&format!("{name}:1"), &image(1).make());
        registry.serve(&format!("{name}:2"), &image(1).make());
    }
    audit(&registry.host()).run().exits(0);
    // A challenge and a token for the catalog, and for each repository.
    let questions = 1 + 2 * (1 + 2 * 2 + 17);
    assert_eq!(registry.requests().len(), questions + 3 * 2);
    assert_eq!(tokens.issued(), 3);
}
