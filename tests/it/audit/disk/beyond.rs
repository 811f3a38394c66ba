//! What a disk holds beyond its tags.

use std::fs;

use serde_json::json;

use super::{audit, disk, recipe, text};
use crate::support::image::Image;
use crate::support::recipe::single;
use crate::support::tree::{Tree, write};

fn size(image: &Image) -> u64 {
    let contents = image.contents();
    contents
        .map(|(_, content)| content.bytes.len() as u64)
        .sum()
}

#[test]
fn a_tree_without_rest_has_nothing_beyond_its_tags() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    let finished = audit(&tree).run().exits(0);
    let report = finished.report();
    let none = json!({"files": 0, "bytes": 0});
    let disk = disk(&report);
    assert_eq!(disk["unreached_blobs"], none, "{disk}");
    assert_eq!(disk["freed_by_garbage_collection"], none);
    assert_eq!(disk["untagged_manifests"], 0);
    assert_eq!(disk["links_without_data"]["count"], 0);
    assert_eq!(disk["garbage_collection_stops_at"], json!([]));
    let text = text(&tree);
    assert!(!text.contains("beyond the tags"), "{text}");
}

#[test]
fn what_no_tag_reaches_and_what_a_collection_frees_are_two_things() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    // Its manifests are linked, so a plain collection keeps it.
    let untagged = recipe(2).make();
    tree.push_untagged("team/app", &untagged);
    // Nothing links these, so it frees them.
    for text in ["one", "three"] {
        let digest = crate::support::digest::sha256(text.as_bytes());
        write(&tree.data(&digest), text);
    }
    let report = audit(&tree).run().exits(0).report();
    let disk = disk(&report);
    let files = untagged.contents().count() as u64;
    assert_eq!(disk["untagged_manifests"], 5, "{disk}");
    assert_eq!(disk["broken_untagged_manifests"], 0);
    assert_eq!(
        disk["unreached_blobs"],
        json!({"files": files + 2, "bytes": size(&untagged) + 8})
    );
    assert_eq!(
        disk["freed_by_garbage_collection"],
        json!({"files": 2, "bytes": 8})
    );
    let text = text(&tree);
    for words in [
        "beyond the tags:",
        "no tag reaches 5 manifests and ",
        "a plain garbage-collect would free 2 blobs of 8 B",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn manifests_without_a_tag_that_are_not_whole_are_counted_and_no_fault() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    let untagged = recipe(2).make();
    tree.push_untagged("team/app", &untagged);
    fs::remove_file(tree.data(untagged.images[0].layers[0].digest())).unwrap();
    let report = audit(&tree).run().exits(0).report();
    // The index, and the manifest of that platform.
    assert_eq!(disk(&report)["broken_untagged_manifests"], 2);
    assert_eq!(disk(&report)["links_without_data"]["count"], 1);
}

#[test]
fn links_whose_data_is_gone_are_counted_wherever_they_are() {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1", &image);
    let parts = &image.images[0];
    for digest in [parts.manifest.digest(), parts.layers[0].digest()] {
        fs::remove_file(tree.data(digest)).unwrap();
    }
    let alone = format!("sha256:{}", "0".repeat(64));
    write(&tree.layer("team/app", &alone), &alone);
    let report = audit(&tree).run().exits(1).report();
    let links = &disk(&report)["links_without_data"];
    assert_eq!(links["count"], 3, "{links}");
    assert!(
        links["first"]
            .as_str()
            .unwrap()
            .contains("team/app/_layers")
    );
    // The layers of a manifest that is gone are freed by the next collection.
    assert!(disk(&report)["freed_by_garbage_collection"]["files"].as_u64() > Some(0));
}

#[test]
fn uploads_that_are_not_done_are_counted_with_their_age() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    tree.upload("team/app", "one", "2026-01-02T03:04:05Z", b"12345");
    tree.upload("begun", "two", "2026-03-01T00:00:00Z", b"123");
    tree.upload("begun", "three", "no date", b"");
    let report = audit(&tree).run().exits(0).report();
    let found = disk(&report);
    assert_eq!(found["uploads"], json!({"files": 3, "bytes": 8}));
    assert_eq!(found["oldest_upload"], "2026-01-02T03:04:05.000Z");
    let text = text(&tree);
    assert!(
        text.contains("3 uploads not done, 8 B, the oldest begun "),
        "{text}"
    );
}

#[test]
fn what_stops_a_collection_is_said() {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1", &image);
    tree.push("team/app:2", &single().seed(2).make());
    let (empty, garbage) = (single().seed(3).make(), single().seed(4).make());
    tree.push_untagged("team/app", &empty);
    tree.push_untagged("team/app", &garbage);
    fs::write(tree.data(empty.root()), "").unwrap();
    fs::write(tree.revision("team/app", garbage.root()), "garbage").unwrap();
    let layer = garbage.contents().find(|(_, content)| !content.manifest);
    fs::write(tree.layer("team/app", layer.unwrap().0), "garbage").unwrap();
    fs::write(tree.tag("team/app", "2"), "").unwrap();
    fs::create_dir_all(tree.within("blobs/sha256/aa/odd")).unwrap();
    let report = audit(&tree).run().exits(1).report();
    let stops = disk(&report)["garbage_collection_stops_at"]
        .as_array()
        .unwrap();
    let kinds: Vec<_> = stops
        .iter()
        .map(|one| {
            (
                one["kind"].as_str().unwrap(),
                one["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("tag_link", 1),
            ("manifest_link", 1),
            ("layer_link", 1),
            ("manifest", 1),
            ("odd_directory", 1)
        ]
    );
    assert_eq!(stops[0]["first"], "team/app:2");
    let text = text(&tree);
    assert!(
        text.contains("at a link of a tag that names no digest: team/app:2"),
        "{text}"
    );
    assert!(
        text.contains("at an odd directory among the blobs"),
        "{text}"
    );
}

#[test]
fn a_part_of_a_registry_says_nothing_of_the_rest() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    for arguments in [
        ["--tags", "1"],
        ["--exclude", "x"],
        ["--shard", "1/1"],
        ["--only-platforms", "linux/amd64"],
        ["--attestations", "ignore"],
    ] {
        let finished = audit(&tree).arguments(arguments).run();
        let report = finished.report();
        assert!(disk(&report)["uploads"].is_null(), "{arguments:?}");
        assert!(
            finished.stderr.contains("only a part is audited"),
            "{finished}"
        );
    }
}
