//! Tags move and go while an audit runs: that is no fault, and what is lost is one.

use super::audit;
use crate::support::command::Report;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{EMPTY_CONFIG, Image, manifest_of};
use crate::support::recipe::{Recipe, artifact, platforms, single};

fn image(tag: u8) -> Recipe {
    platforms(2).layers(2).seed(tag.into())
}

fn results(report: &Report) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut results: Vec<_> = report
        .images()
        .into_iter()
        .map(|image| (text(&image["tag"]), text(&image["result"])))
        .collect();
    results.sort();
    results
}

fn of(tag: &str, result: &str) -> (String, String) {
    (tag.to_owned(), result.to_owned())
}

#[test]
fn a_lost_child_breaks_its_tag_and_no_other() {
    let registry = Registry::start();
    registry.image("app:1", &image(1));
    let broken = registry.image("app:2", &image(2));
    registry.image("other:1", &image(3));
    registry.lose(broken.child(1));
    let report = audit(&registry.host()).run().exits(1).report();
    assert_eq!(report.result(), "failed");
    assert_eq!(
        results(&report),
        [of("1", "passed"), of("1", "passed"), of("2", "failed")]
    );
    assert_eq!(report.verdict(broken.child(1)), "missing");
}

#[test]
fn a_tag_that_is_listed_and_answers_404_is_broken() {
    let registry = Registry::start();
    registry.image("app:1", &image(1));
    registry.image("app:2", &image(2));
    registry.lose("2");
    let report = audit(&registry.host()).run().exits(1).report();
    assert_eq!(results(&report), [of("1", "passed"), of("2", "failed")]);
}

#[test]
fn a_tag_that_is_deleted_meanwhile_is_gone() {
    let registry = Registry::start();
    registry.image("app:1", &image(1));
    let deleted = registry.image("app:2", &image(2));
    // It is listed once; then it is gone, with all below it.
    registry
        .on("GET", "/v2/app/tags/list")
        .after(1)
        .answers(Reply::ok(
            "application/json",
            "{\"name\":\"app\",\"tags\":[\"1\"]}",
        ));
    registry
        .lose("2")
        .lose(deleted.root())
        .lose(deleted.child(1));
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(results(&report), [of("1", "passed")]);
}

#[test]
fn a_tag_that_is_deleted_and_pushed_again_meanwhile_is_walked() {
    let registry = Registry::start();
    registry.image("app:1", &image(1));
    let back = registry.image("app:2", &image(2));
    // It is gone for the walk, and for the look after it; then it is back, and listed.
    registry.on("*", "/v2/app/manifests/2").times(3).loses();
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(results(&report), [of("1", "passed"), of("2", "passed")]);
    assert_eq!(report.images()[1]["digest"], back.root());
    assert_eq!(registry.asked("/v2/app/tags/list").len(), 2);
}

#[test]
fn a_repository_that_is_deleted_meanwhile_is_gone() {
    let registry = Registry::start();
    registry.image("app:1", &image(1));
    let gone = registry.image("gone:1", &image(2));
    registry
        .on("GET", "/v2/gone/tags/list")
        .after(1)
        .answers_status(404);
    registry.lose(gone.root()).lose("never");
    for path in [
        "/v2/gone/manifests/1",
        &format!("/v2/gone/manifests/{}", gone.root()),
    ] {
        registry.on("*", path).answers_status(404);
    }
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(report.count("images"), 1);
    // Gone before its tags were listed.
    registry.on("GET", "/v2/gone/tags/list").answers_status(404);
    audit(&registry.host()).run().exits(0);
}

#[test]
fn a_tag_that_moves_meanwhile_is_walked_anew() {
    let registry = Registry::start();
    let old = registry.image("app:1", &image(1));
    let new = image(2).make();
    registry.serve("app", &new);
    registry.lose(old.child(0));
    let root = new.root().to_owned();
    let (claimed, content) = (root.clone(), new.content(&root).unwrap().clone());
    registry
        .on("*", "/v2/app/manifests/1")
        .after(2)
        .alters(move |_, _| {
            Reply::ok(&content.media_type, content.bytes.to_vec())
                .header("Docker-Content-Digest", claimed.clone())
        });
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(results(&report), [of("1", "passed")]);
    let digest = report.images()[0]["digest"].clone();
    assert_eq!(digest, root);
}

#[test]
fn only_what_moves_is_walked_again() {
    let registry = Registry::start();
    let still = registry.image("app:1", &image(1));
    let broken = registry.image("app:2", &image(2));
    registry.lose(broken.child(0));
    // As on zot, what a tag stood for goes with it: it moves more often than a run walks anything.
    let images: Vec<Image> = (3..20).map(|seed| image(seed).make()).collect();
    for image in &images {
        registry.serve("app:3", image);
    }
    let (last, old) = images.split_last().unwrap();
    for image in old {
        registry.lose(image.child(0));
    }
    for (number, image) in old.iter().enumerate().take(8) {
        let content = image.content(image.root()).unwrap().clone();
        let root = image.root().to_owned();
        registry
            .on("*", "/v2/app/manifests/3")
            // A walk asks by GET and by HEAD; before it came the look that showed the move.
            .times(if number == 0 { 2 } else { 3 })
            .alters(move |_, _| {
                Reply::ok(&content.media_type, content.bytes.to_vec())
                    .header("Docker-Content-Digest", root.clone())
            });
    }
    let report = audit(&registry.host()).run().exits(1).report();
    let expected = [of("1", "passed"), of("2", "failed"), of("3", "passed")];
    assert_eq!(results(&report), expected);
    let images = report.images();
    let moved = images.iter().find(|image| image["tag"] == "3").unwrap();
    assert_eq!(moved["digest"], last.root());
    assert_eq!(report.count("repositories"), 1);
    // It moved seven times at least, and nothing else is asked for again.
    assert!(registry.asked("/v2/app/manifests/3").len() > 7 * 2);
    for digest in still.reachable() {
        assert_eq!(registry.asked(&digest).len(), 1, "{digest}");
    }
    assert_eq!(registry.asked("/v2/app/manifests/1").len(), 2);
    assert_eq!(registry.asked("/v2/app/manifests/2").len(), 3);
    assert_eq!(registry.asked(broken.child(0)).len(), 2);
}

#[test]
fn tags_that_cannot_be_listed_leave_the_repository_open() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.image("dark:1", &single());
    registry.on("GET", "/v2/dark/tags/list").answers_status(500);
    let finished = audit(&registry.host())
        .arguments(["--attempts", "2"])
        .run()
        .exits(4);
    let report = finished.report();
    assert_eq!(results(&report), [of("1", "passed")]);
    assert!(
        report
            .error()
            .contains("/dark: its tags could not be listed")
    );
}

#[test]
fn charts_and_caches_are_checked_for_completeness() {
    let registry = Registry::start();
    let chart = artifact(
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        &[b"chart"],
    );
    registry.serve("chart:1", &chart);
    audit(&registry.host()).run().exits(0);
    audit(&registry.host())
        .arguments(["--artifacts", "fail"])
        .run()
        .exits(1);
    registry.lose(chart.layer(0, 0));
    audit(&registry.host()).run().exits(1);
}

/// An artifact of so many files, each of a long type of its own.
fn wordy(number: usize) -> Image {
    let mut image = Image::empty();
    let config = image.blob(EMPTY_CONFIG, "{}");
    let layers: Vec<_> = (0..700)
        .map(|file| {
            let media_type = format!("application/x-{number}-{file}-{}", "x".repeat(4000));
            image.blob(&media_type, format!("{number} {file}"))
        })
        .collect();
    let mut document = manifest_of(&config, &layers);
    document["artifactType"] = "application/x-words".into();
    let root = image.document(&document);
    image.begins_with(&root)
}

#[test]
fn images_that_are_too_much_for_one_walk_are_walked_alone() {
    let registry = Registry::start();
    for number in 1..=3 {
        registry.serve(&format!("app:{number}"), &wordy(number));
    }
    let report = audit(&registry.host()).run().exits(0).report();
    let expected = ["1", "2", "3"].map(|tag| of(tag, "passed"));
    assert_eq!(results(&report), expected);
}
