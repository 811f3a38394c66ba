//! Each kind of damage, and what a restarted registry would answer.

use std::fs;
use std::path::Path;

use super::{audit, node, recipe};
use crate::support::distribution::Damage;
use crate::support::image::Image;
use crate::support::tree::{Tree, write};

fn whole() -> (Tree, Image) {
    let tree = Tree::new();
    let image = recipe(1).make();
    tree.push("team/app:1", &image);
    tree.push("team/app:2", &recipe(2).make());
    (tree, image)
}

/// The digests of an image: its index, a manifest, a config and a layer.
fn digests(image: &Image) -> [String; 4] {
    let parts = &image.images[0];
    [
        image.root(),
        parts.manifest.digest(),
        parts.config.digest(),
        parts.layers[0].digest(),
    ]
    .map(str::to_owned)
}

fn link(tree: &Tree, digest: &str) -> std::path::PathBuf {
    let revision = tree.revision("team/app", digest);
    if revision.exists() {
        revision
    } else {
        tree.layer("team/app", digest)
    }
}

/// The words of the fault of a digest; of the tag, where the tag itself leads nowhere.
fn fault(tree: &Tree, digest: &str, depth: &str) -> (String, String) {
    let report = audit(tree)
        .arguments(["--depth", depth])
        .run()
        .exits(1)
        .report();
    let is_it = |node: &&serde_json::Value| node["digest"] == digest;
    let nodes = report.nodes();
    let fault = nodes.iter().copied().find(is_it).or_else(|| {
        let is_tag = |node: &&serde_json::Value| node["digest"].is_null();
        nodes.iter().copied().find(is_tag)
    });
    let fault = fault.unwrap_or_else(|| panic!("no fault: {:#}", report.0));
    let text = |key: &str| fault[key].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("cause"))
}

#[test]
fn a_whole_tree_passes_at_every_depth() {
    let (tree, _) = whole();
    for depth in ["manifests", "head", "tail", "full"] {
        let report = audit(&tree).arguments(["--depth", depth]).run().passes();
        assert_eq!(report.images().len(), 2, "{depth}");
    }
}

#[test]
fn bytes_without_a_link_are_missing_and_said_to_be_on_the_disk() {
    for place in 0..4 {
        let (tree, image) = whole();
        let digest = &digests(&image)[place];
        fs::remove_dir_all(link(&tree, digest).parent().unwrap()).unwrap();
        let found = fault(&tree, digest, "tail");
        assert_eq!(found, ("missing".into(), "unlinked".into()), "{place}");
    }
}

#[test]
fn bytes_of_a_manifest_that_are_not_right_are_not_said_to_be_there() {
    let (tree, image) = whole();
    let digest = image.images[0].manifest.digest();
    fs::remove_file(tree.revision("team/app", digest)).unwrap();
    Damage::Flipped.apply(&tree.data(digest));
    assert_eq!(
        fault(&tree, digest, "tail"),
        ("missing".into(), String::new())
    );
}

#[test]
fn a_manifest_that_is_linked_as_a_layer_is_delivered_by_version_2() {
    let (tree, image) = whole();
    let digest = image.images[0].manifest.digest();
    fs::remove_file(tree.revision("team/app", digest)).unwrap();
    write(&tree.layer("team/app", digest), digest);
    let report = audit(&tree).run().exits(1).report();
    let detail = node(&report, digest)["detail"].as_str().unwrap();
    assert!(detail.contains("distribution 2 delivers it"), "{detail}");
}

#[test]
fn links_without_bytes_are_missing() {
    for place in 0..4 {
        let (tree, image) = whole();
        let digest = &digests(&image)[place];
        fs::remove_file(tree.data(digest)).unwrap();
        let found = fault(&tree, digest, "tail");
        assert_eq!(found, ("missing".into(), "data_gone".into()), "{place}");
    }
}

#[test]
fn links_that_do_not_name_what_they_should_are_missing() {
    let (tree, image) = whole();
    let other = recipe(2).make().root().to_owned();
    for digest in digests(&image) {
        for (text, words) in [
            (String::new(), "empty"),
            (format!("{digest}\n"), "line break"),
            ("no digest".to_owned(), "no digest"),
            (other.clone(), "names sha256:"),
        ] {
            let path = link(&tree, &digest);
            fs::write(&path, &text).unwrap();
            assert_eq!(
                fault(&tree, &digest, "tail"),
                ("missing".into(), "link_damaged".into()),
                "{words}"
            );
            let said = audit(&tree).run().stdout;
            assert!(said.contains(words), "{words}: {said}");
            fs::write(&path, &digest).unwrap();
        }
    }
}

#[test]
fn a_tag_whose_link_is_damaged_or_gone_is_broken() {
    let (tree, image) = whole();
    let path = tree.tag("team/app", "1");
    for (text, cause) in [("", "link_damaged"), ("x", "link_damaged")] {
        fs::write(&path, text).unwrap();
        assert_eq!(
            fault(&tree, image.root(), "tail"),
            ("missing".into(), cause.into())
        );
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(
        fault(&tree, image.root(), "tail"),
        ("missing".into(), String::new())
    );
}

#[test]
fn files_of_another_length_are_seen_at_every_depth_and_changed_ones_where_they_are_read() {
    for (damage, expected) in [
        (Damage::Emptied, ["empty"; 4]),
        (Damage::Truncated, ["truncated"; 4]),
        (
            Damage::Flipped,
            [
                "missing",
                "digest_mismatch",
                "digest_mismatch",
                "digest_mismatch",
            ],
        ),
    ] {
        let (tree, image) = whole();
        for (place, digest) in digests(&image).iter().enumerate().skip(1) {
            let before = fs::read(tree.data(digest)).unwrap();
            damage.apply(&tree.data(digest));
            let depth = if place == 3 && damage == Damage::Flipped {
                audit(&tree).run().exits(0);
                "full"
            } else {
                "head"
            };
            let (verdict, _) = fault(&tree, digest, depth);
            assert_eq!(verdict, expected[place], "{damage:?} {place}");
            fs::write(tree.data(digest), before).unwrap();
        }
        damage.apply(&tree.data(image.root()));
        audit(&tree).run().exits(1);
    }
}

#[test]
fn a_file_that_many_repositories_link_is_hashed_once() {
    let tree = Tree::new();
    let image = recipe(1).layer_size(200_000).make();
    for name in 0..20 {
        tree.push(&format!("app-{name}:1"), &image);
    }
    let layer = image.images[0].layers[0].digest();
    let before = read_bytes(&tree, "full");
    Damage::Flipped.apply(&tree.data(layer));
    let report = audit(&tree)
        .arguments(["--depth", "full"])
        .run()
        .exits(1)
        .report();
    assert_eq!(report.images().len(), 20);
    let results = report.images().into_iter().map(|image| &image["result"]);
    assert!(results.clone().all(|result| result == "failed"));
    // Four layers of 200 kB, read once instead of twenty times.
    assert!(before < 4 * 200_000 * 3, "{before} bytes were read");
}

/// How many bytes an audit reads, as the kernel counts them.
fn read_bytes(tree: &Tree, depth: &str) -> u64 {
    let script = "\"$@\" >/dev/null 2>&1 || exit; cat /proc/$$/io";
    let output = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(crate::support::command::binary())
        .args(["audit", "--depth", depth])
        .arg(Path::new(tree.path()))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // What a child read counts for its parent once it has ended.
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.unwrap_or_else(|| panic!("no count in {text:?}"))
        .parse()
        .unwrap()
}
