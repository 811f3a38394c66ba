//! Which directories are a registry's, and what an audit takes beside them.

use std::fs;
use std::path::Path;

use super::{audit, recipe};
use crate::support::command::{Finished, pullproof};
use crate::support::recipe::single;
use crate::support::scratch::Scratch;
use crate::support::tree::Tree;

fn tree() -> Tree {
    let tree = Tree::new();
    tree.push("team/app:1.4", &recipe(1).make());
    tree.push("other:2", &single().seed(2).make());
    tree
}

fn run(path: &Path, more: &[&str]) -> Finished {
    pullproof()
        .arguments(["audit", &path.display().to_string()])
        .arguments(more.iter().copied())
        .run()
}

#[test]
fn the_root_the_tree_and_what_is_between_are_the_same() {
    let tree = tree();
    for below in ["", "docker", "docker/registry", "docker/registry/v2"] {
        let path = tree.path().join(below);
        let report = run(&path, &["--format", "json"]).passes();
        let reference = report.images()[1]["reference"].as_str().unwrap().to_owned();
        let path = path.display().to_string();
        let path = path.trim_end_matches('/');
        assert_eq!(reference, format!("{path}/team/app:1.4"));
    }
}

#[test]
fn a_path_is_relative_to_the_working_directory() {
    let tree = tree();
    let run = pullproof().arguments(["audit", "./registry", "--format", "json"]);
    std::os::unix::fs::symlink(tree.path(), run.path("registry")).unwrap();
    let report = run.run().passes();
    assert_eq!(report.images()[0]["reference"], "./registry/other:2");
}

#[test]
fn what_is_no_storage_of_a_registry_is_refused_with_what_is_there() {
    let scratch = Scratch::new("no-registry");
    let folder = |name: &str, entries: &[&str]| {
        let path = scratch.path().join(name);
        fs::create_dir_all(&path).unwrap();
        for entry in entries {
            fs::create_dir_all(path.join(entry)).unwrap();
        }
        path
    };
    let layout = folder("layout", &["blobs"]);
    fs::write(layout.join("oci-layout"), "{}").unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    for (path, words) in [
        (folder("empty", &[]), "nothing at all"),
        (
            folder("home", &["music", "pictures"]),
            "but music and pictures",
        ),
        (
            folder("third", &["docker/registry/v3"]),
            "there is docker/registry/v3",
        ),
        (folder("inner", &["v1"]), "there is v1"),
        (layout, "is an OCI image layout"),
        (scratch.path().join("gone"), "No such file"),
        (file, "Not a directory"),
    ] {
        let finished = run(&path, &[]).exits(2);
        assert!(finished.stderr.contains(words), "{words}: {finished}");
    }
    let looked_for = run(&folder("empty", &[]), &[]).exits(2);
    assert!(
        looked_for.stderr.contains("docker/registry/v2"),
        "{looked_for}"
    );
}

#[test]
fn registries_and_directories_do_not_mix() {
    let finished = run(tree().path(), &["registry.example"]).exits(2);
    assert!(finished.stderr.contains("in one run"), "{finished}");
    assert!(
        finished.stderr.contains("hint: run pullproof audit once"),
        "{finished}"
    );
}

#[test]
fn an_empty_tree_has_nothing_to_audit_unless_that_is_allowed() {
    let tree = Tree::new();
    audit(&tree).run().exits(2);
    audit(&tree).argument("--allow-empty").run().exits(0);
    let finished = audit(&tree).arguments(["--repo", "team/app"]).run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn patterns_tags_and_shards_choose_as_for_a_registry() {
    let tree = tree();
    tree.push("team/app:v2", &recipe(3).make());
    tree.push("team/cache:1", &single().seed(4).make());
    let path = tree.path().display().to_string();
    let chosen = |arguments: &[&str]| -> Vec<String> {
        let run = pullproof().arguments(["audit", "--format", "json"]);
        let report = run.arguments(arguments.iter().copied()).run().report();
        let images = report.images().into_iter();
        let names = images.map(|image| image["reference"].as_str().unwrap().to_owned());
        names
            .map(|name| name.strip_prefix(&format!("{path}/")).unwrap().to_owned())
            .collect()
    };
    let all = ["other:2", "team/app:1.4", "team/app:v2", "team/cache:1"];
    assert_eq!(chosen(&[&path]), all);
    assert_eq!(chosen(&[&path, "--exclude", "team/c*,other"]), all[1..3]);
    assert_eq!(chosen(&[&path, "--tags", "v*"]), ["team/app:v2"]);
    assert_eq!(chosen(&["--registry", &path, "--repo", "team/*"]), all[1..]);
    let mut parts: Vec<String> = ["1/3", "2/3", "3/3"]
        .iter()
        .flat_map(|shard| chosen(&[&path, "--shard", shard]))
        .collect();
    parts.sort();
    assert_eq!(parts, all);
}

#[test]
fn state_is_for_registries() {
    let finished = audit(&tree())
        .arguments(["--state", "state"])
        .run()
        .exits(0);
    assert!(finished.stderr.contains("state is ignored"), "{finished}");
    assert!(!finished.path().join("state").exists());
}

#[test]
fn two_directories_are_two_registries() {
    let (one, other) = (tree(), tree());
    let report = run(
        one.path(),
        &[&other.path().display().to_string(), "--format", "json"],
    )
    .passes();
    assert_eq!(report.images().len(), 4);
}

#[test]
fn a_cache_may_lack_what_it_did_not_fetch() {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1", &image);
    for digest in [
        image.images[0].manifest.digest(),
        image.images[1].layers[0].digest(),
    ] {
        fs::remove_file(tree.data(digest)).unwrap();
    }
    audit(&tree).run().exits(1);
    fs::write(tree.path().join("scheduler-state.json"), "{}").unwrap();
    for below in ["", "docker", "docker/registry/v2"] {
        let finished = run(&tree.path().join(below), &[]).exits(0);
        assert!(
            finished.stderr.contains("is a pull-through cache"),
            "{finished}"
        );
    }
}
