//! An audit of OCI image layouts.

use serde_json::json;

use crate::support::command::{Pullproof, pullproof};
use crate::support::distribution::{Damage, write_layout};
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};
use crate::support::scratch::Scratch;

/// A layout with these images by these tags.
fn layout(images: &[(&str, &Image)]) -> Scratch {
    let layout = Scratch::new("layout");
    let manifests = images.iter().map(|(tag, image)| {
        write_layout(&layout, image);
        let root = image.root_descriptor().clone();
        root.annotated("org.opencontainers.image.ref.name", tag)
            .json()
    });
    let index = json!({"schemaVersion": 2, "manifests": manifests.collect::<Vec<_>>()});
    std::fs::write(layout.path().join("index.json"), index.to_string()).unwrap();
    layout
}

fn target(layout: &Scratch) -> String {
    format!("oci:{}", layout.path().display())
}

fn audit(layouts: &[&Scratch]) -> Pullproof {
    let run = pullproof().arguments(["audit", "--format", "json"]);
    run.arguments(layouts.iter().map(|layout| target(layout)))
}

#[test]
fn every_tag_of_every_layout_is_audited() {
    let (one, two) = (platforms(2).make(), single().seed(1).make());
    let first = layout(&[("1", &one), ("latest", &one), ("old", &two)]);
    let second = layout(&[("1", &two)]);
    let report = audit(&[&first, &second]).run().exits(0).report();
    assert_eq!(report.count("images"), 4);
    assert_eq!(report.count("requests"), 0);
    let path = first.path().join("blobs");
    Damage::Flipped.apply(&path.join(one.layer(1, 0).replace(':', "/")));
    audit(&[&first]).run().exits(0);
    let run = audit(&[&first, &second]).arguments(["--depth", "full"]);
    let report = run.run().exits(1).report();
    let broken: Vec<_> = (report.images().into_iter())
        .filter(|image| image["result"] == "failed")
        .map(|image| image["reference"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        broken,
        ["1", "latest"].map(|tag| format!("{}:{tag}", target(&first)))
    );
    assert_eq!(report.verdict(one.layer(1, 0)), "digest_mismatch");
    assert_eq!(report.0["hints"][0]["id"], "incomplete-layout");
}

#[test]
fn tags_and_exclude_choose_among_the_tags() {
    let (one, two) = (single().make(), single().seed(1).make());
    let layout = layout(&[("1.0", &one), ("1.1", &one), ("latest", &two)]);
    let count = |arguments: &[&str]| {
        let run = audit(&[&layout]).arguments(arguments.iter().copied());
        run.run().exits(0).report().count("images")
    };
    assert_eq!(count(&["--tags", "1.*"]), 2);
    assert_eq!(count(&["--exclude", "*:latest"]), 2);
    audit(&[&layout])
        .arguments(["--tags", "none"])
        .run()
        .exits(2);
    let run = audit(&[&layout]).arguments(["--tags", "none", "--allow-empty"]);
    run.run().exits(0);
}

#[test]
fn what_is_no_layout_is_refused_before_anything_is_read() {
    let whole = layout(&[("1", &single().make())]);
    let empty = Scratch::new("empty");
    let finished = audit(&[&whole, &empty]).run().exits(2);
    assert!(
        finished.stderr.contains("it has no file oci-layout"),
        "{finished}"
    );
    let run = audit(&[&whole]).argument("registry.example");
    let finished = run.run().exits(2);
    assert!(
        finished.stderr.contains("cannot be audited in one run"),
        "{finished}"
    );
}
