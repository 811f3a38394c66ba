//! Expectations of an image beyond being whole: a digest, platforms, equal tags.

use serde_json::{Value, json};

use crate::support::command::{Finished, pullproof, verify};
use crate::support::fake::Registry;
use crate::support::image::{CONFIG, Image, LAYER};
use crate::support::recipe::{platforms, single};

/// The kind of each finding, image by image.
fn findings(finished: &Finished) -> Vec<Vec<Value>> {
    let report = finished.report();
    let images = report.images();
    let kinds = |image: &Value| {
        image["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["kind"].clone())
            .collect()
    };
    images.into_iter().map(kinds).collect()
}

#[test]
fn platforms_that_were_never_pushed_fail_a_whole_image() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(2));
    let wanted = |list: &str| {
        verify(&registry.reference("app:1"))
            .arguments(["--platforms", list])
            .run()
    };
    wanted("linux/amd64,linux/aarch64").passes();
    let finished = wanted("linux/amd64,linux/s390x,linux/arm/v7").exits(1);
    assert_eq!(
        findings(&finished),
        [[json!("platform_missing"), json!("platform_missing")]]
    );
}

#[test]
fn an_image_that_states_no_platform_has_none() {
    let mut image = Image::empty();
    let layer = image.blob(LAYER, "layer");
    let config = json!({"rootfs": {"type": "layers", "diff_ids": [layer.digest()]}});
    let config = image.blob(CONFIG, config.to_string());
    let root = image.manifest(&config, std::slice::from_ref(&layer));
    let registry = Registry::start();
    registry.serve("app:1", &image.begins_with(&root));
    verify(&registry.reference("app:1")).run().passes();
    let finished = verify(&registry.reference("app:1"))
        .arguments(["--platforms", "linux/amd64"])
        .run()
        .exits(1);
    assert_eq!(findings(&finished), [[json!("platform_missing")]]);
}

#[test]
fn tags_of_one_repo_must_share_a_digest_unless_allowed_otherwise() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.serve("app:1.2", &image);
    registry.image("app:latest", &single().seed(1));
    let repo = format!("{}/app", registry.host());
    let verify_tags = || {
        let run = pullproof().arguments(["verify", "--repo", &repo, "--tags", "1,1.2,latest"]);
        run.arguments(["--format", "json", "--settle", "0s"])
    };
    let finished = verify_tags().run().exits(1);
    assert_eq!(
        findings(&finished),
        [vec![], vec![], vec![json!("tags_differ")]]
    );
    verify_tags()
        .arguments(["--same-digest", "false"])
        .run()
        .exits(0);
    let references = [":1", ":latest"].map(|tag| registry.reference(&format!("app{tag}")));
    verify(&references[0])
        .arguments([references[1].clone()])
        .run()
        .passes();
}

#[test]
fn every_image_must_have_the_digest_that_was_pushed() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    let other = registry.image("app:2", &platforms(2).seed(1));
    let expecting = |digest: &str| {
        let references = [registry.reference("app:1"), registry.reference("app:2")];
        verify(&references[0])
            .arguments([references[1].as_str(), "--digest", digest])
            .run()
    };
    assert_eq!(
        findings(&expecting(image.root()).exits(1)),
        [vec![], vec![json!("wrong_digest")]]
    );
    assert_eq!(
        findings(&expecting(other.root()).exits(1)),
        [vec![json!("wrong_digest")], vec![]]
    );
    let finished = expecting(image.config(0)).exits(1);
    assert!(finished.stdout.contains("image ID"), "{finished}");
}
