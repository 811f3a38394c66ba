//! The storage of zot: an image layout for each repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::recipe;
use crate::support::command::{Finished, pullproof};
use crate::support::distribution::{Damage, write_layout};
use crate::support::image::Image;
use crate::support::scratch::Scratch;

/// A storage of these repositories, each with one image.
fn storage(names: &[&str]) -> (Scratch, Vec<Image>) {
    let scratch = Scratch::new("zot");
    let images = (1..).zip(names).map(|(seed, name)| {
        let image = recipe(seed).make();
        let layout = Scratch::new("layout");
        write_layout(&layout, &image);
        let directory = scratch.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        for entry in ["blobs", "index.json", "oci-layout"] {
            fs::rename(layout.path().join(entry), directory.join(entry)).unwrap();
        }
        image
    });
    let images = images.collect();
    (scratch, images)
}

fn blob(scratch: &Scratch, name: &str, digest: &str) -> PathBuf {
    let blobs = scratch.path().join(name).join("blobs");
    blobs.join(digest.replace(':', "/"))
}

fn audit(root: &Path, arguments: &[&str]) -> Finished {
    let path = root.display().to_string();
    pullproof()
        .arguments(["audit", &path, "--format", "json"])
        .arguments(arguments.iter().copied())
        .run()
}

/// The images that were walked.
fn images(finished: &Finished, root: &Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    let report = finished.report();
    let images = report.images();
    let names = images
        .iter()
        .map(|image| image["reference"].as_str().unwrap());
    names.map(|name| name.replacen(&root, "", 1)).collect()
}

#[test]
fn every_repository_is_walked_whatever_its_name_and_nothing_else_is() {
    let (scratch, all) = storage(&["app", "app/deep/inner", "team/blobs", ".sync/x", "_trivy"]);
    let root = scratch.path();
    fs::create_dir_all(root.join(".uploads/app")).unwrap();
    fs::create_dir_all(root.join("app/blobs/sha256/app")).unwrap();
    fs::write(root.join("app/blobs/sha256/app/oci-layout"), "{}").unwrap();
    let finished = audit(root, &[]).exits(0);
    let names = ["app:pushed", "app/deep/inner:pushed", "team/blobs:pushed"];
    assert_eq!(images(&finished, root), names);
    let lost = all[1].layer(0, 0);
    Damage::Deleted.apply(&blob(&scratch, "app/deep/inner", lost));
    let flipped = all[2].layer(0, 1);
    Damage::Flipped.apply(&blob(&scratch, "team/blobs", flipped));
    let report = audit(root, &["--depth", "full"]).exits(1).report();
    assert_eq!(report.verdict(lost), "missing");
    assert_eq!(report.verdict(flipped), "digest_mismatch");
    assert_eq!(report.faults().len(), 2);
}

#[test]
fn what_is_excluded_is_left_out_and_what_has_no_tags_is_no_fault() {
    let (scratch, _) = storage(&["app", "other", "empty"]);
    let root = scratch.path();
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    fs::write(root.join("empty/index.json"), index).unwrap();
    let finished = audit(root, &["--exclude", "other"]).exits(0);
    assert_eq!(images(&finished, root), ["app:pushed"]);
}

#[test]
fn a_repository_whose_index_is_lost_is_not_passed_over() {
    for lost in ["index.json", "oci-layout"] {
        let (scratch, _) = storage(&["app", "other"]);
        fs::remove_file(scratch.path().join("other").join(lost)).unwrap();
        let finished = audit(scratch.path(), &[]).exits(4);
        assert_eq!(images(&finished, scratch.path()), ["app:pushed"]);
        let unread = finished.report().0["unread"].to_string();
        assert!(
            unread.contains("other") && unread.contains(lost),
            "{unread}"
        );
    }
}

#[test]
fn no_link_leads_out_of_it() {
    let (scratch, _) = storage(&["app"]);
    let (outside, _) = storage(&["far"]);
    let link = scratch.path().join("near");
    std::os::unix::fs::symlink(outside.path().join("far"), link).unwrap();
    let finished = audit(scratch.path(), &[]).exits(0);
    assert_eq!(images(&finished, scratch.path()), ["app:pushed"]);
    assert!(finished.stderr.contains("left out"), "{finished}");
}

#[test]
fn its_disk_is_not_mended() {
    let (scratch, all) = storage(&["app"]);
    Damage::Deleted.apply(&blob(&scratch, "app", all[0].layer(0, 0)));
    let finished = pullproof()
        .arguments(["repair", &scratch.path().display().to_string()])
        .run()
        .exits(2);
    assert!(finished.stderr.contains("by its address"), "{finished}");
}
