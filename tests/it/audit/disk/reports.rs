//! What an audit of a disk writes: the same as of a registry, in words that fit.

use std::fs;

use super::{audit, recipe};
use crate::support::command::pullproof;
use crate::support::image::Image;
use crate::support::tree::Tree;

fn unlinked() -> (Tree, Image) {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1.4", &image);
    tree.push("team/app:2", &recipe(2).make());
    fs::remove_file(tree.revision("team/app", image.images[0].manifest.digest())).unwrap();
    (tree, image)
}

#[test]
fn the_text_speaks_of_files_and_says_how_a_link_comes_back() {
    let (tree, image) = unlinked();
    let path = tree.path().display().to_string();
    let finished = pullproof().arguments(["audit", &path]).run().exits(1);
    let text = &finished.stdout;
    assert!(
        text.contains(&format!("auditing {path} at depth tail")),
        "{text}"
    );
    assert!(
        text.contains("✗ team/app:1.4  linux/amd64 manifest missing\n"),
        "{text}"
    );
    assert!(
        text.contains("its link is gone, its bytes are on the disk"),
        "{text}"
    );
    assert!(
        text.contains("1 repository, 2 tags: 1 ok, 1 broken; "),
        "{text}"
    );
    assert!(text.contains(" files in "), "{text}");
    let hint = "`pullproof repair DIR --gc-stopped` puts the link back";
    assert!(
        text.contains(hint) && text.contains(image.images[0].manifest.digest()),
        "{text}"
    );
    for word in ["request", "404", "curl", "HTTP", "login", "status"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert_eq!(
        text.lines().last().unwrap(),
        "pullproof: FAILED: 1 of 2 tags cannot be pulled (exit code 1)"
    );
}

#[test]
fn every_output_of_an_audit_is_there() {
    let (tree, image) = unlinked();
    let in_use = format!(
        "registry.example/team/app:1.4 registry.example/team/app:gone \
         registry.example/team/app@{}",
        image.images[1].manifest.digest()
    );
    let finished = audit(&tree)
        .file("in-use", &in_use)
        .arguments(["--in-use", "in-use", "--in-use-host", "registry.example"])
        .arguments(["--broken-list", "broken", "--junit", "junit.xml"])
        .arguments(["--metrics-file", "metrics.prom", "--report", "report.json"])
        .run()
        .exits(1);
    let path = tree.path().display();
    assert_eq!(
        finished.read("broken"),
        format!(
            "{path}/team/app 1.4 {}\n{path}/team/app gone -\n",
            image.root()
        )
    );
    assert!(
        finished
            .read("junit.xml")
            .contains(&format!("{path}/team/app"))
    );
    let metrics = finished.read("metrics.prom");
    let label = format!("registry=\"{path}\"");
    assert!(metrics.contains(&label), "{metrics}");
    let broken = metrics
        .lines()
        .find(|line| line.starts_with("pullproof_audit_broken_tags{"));
    assert!(broken.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
    let report = finished.report_in("report.json");
    assert_eq!(report.images().len(), 3);
    assert_eq!(report.count("requests"), 0);
}

#[test]
fn a_list_that_cannot_be_read_counts_for_its_directory() {
    let tree = Tree::new();
    let path = tree.path().display().to_string();
    let run = pullproof().arguments(["audit", "--registry", &path, "--repo", "gone"]);
    let finished = run
        .arguments(["--metrics-file", "metrics.prom"])
        .run()
        .exits(2);
    let metrics = finished.read("metrics.prom");
    let accessible = metrics
        .lines()
        .find(|line| line.starts_with("registry_manifest_integrity_catalog_accessible{"));
    assert!(
        accessible.is_some_and(|line| line.ends_with(" 0")),
        "{metrics}"
    );
}

#[test]
fn the_report_follows_the_schema() {
    let (tree, _) = unlinked();
    tree.upload("team/app", "one", "2026-01-02T03:04:05Z", b"12345");
    fs::create_dir_all(tree.within("blobs/sha256/odd")).unwrap();
    let schema = include_str!("../../../../schema/report-1.schema.json");
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler
        .add_resource("schema.json", serde_json::from_str(schema).unwrap())
        .unwrap();
    let schema = compiler.compile("schema.json", &mut schemas).unwrap();
    for arguments in [&[][..], &["--exclude", "x"]] {
        let report = audit(&tree).arguments(arguments.iter().copied());
        let report = report.run().exits(1).report();
        if let Err(error) = schemas.validate(&report.0, schema) {
            panic!("{error}: {:#}", report.0);
        }
    }
}
