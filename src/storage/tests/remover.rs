//! What is removed, and what is left alone.

use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;
use crate::storage::beside::REMOVED;

const APP: &str = "team/app";

/// A repository with a tag.
fn tagged(disk: &Disk, tag: &str) -> Digest {
    let digest = disk.data(tag.as_bytes());
    for path in [
        place::revision(APP, &digest),
        place::layer(APP, &digest),
        place::tag(APP, tag),
        place::tag_history(APP, tag, &digest),
    ] {
        disk.put(&path, digest.as_ref().as_bytes());
    }
    digest
}

#[test]
fn a_tag_goes_with_its_history_and_a_manifest_with_its_directory_and_data_stays() {
    let disk = Disk::new();
    let kept = tagged(&disk, "kept");
    let before = disk.everything();
    let old = tagged(&disk, "old");
    disk.put(
        &place::tag_history(APP, "old", &kept),
        kept.as_ref().as_bytes(),
    );
    let mut writer = disk.writer();
    writer.remove_tag(APP, "old").unwrap();
    assert!(disk.has(&place::revision(APP, &old)));
    writer.remove_manifest(APP, &old).unwrap();
    // What is gone already is no failure.
    writer.remove_tag(APP, "old").unwrap();
    writer.remove_manifest(APP, &old).unwrap();
    drop(writer);
    assert!(disk.has(&place::data(&old)) && disk.has(&place::layer(APP, &old)));
    let own = |path: &Path| path.to_string_lossy().contains(old.digest());
    let mut after = disk.everything();
    after.retain(|(path, _)| !own(path));
    let mut before = before;
    // The first two digits of its hash are a directory of its data.
    before.retain(|(path, _)| path.starts_with(place::REPOSITORIES));
    after.retain(|(path, _)| path.starts_with(place::REPOSITORIES));
    assert_eq!(after, before);
}

#[test]
fn what_a_kill_leaves_of_a_tag_is_no_tag_and_goes_with_the_next_run() {
    let disk = Disk::new();
    tagged(&disk, "old");
    let path = disk.path.join(place::tag_directory(APP, "old"));
    fs::rename(path, disk.path.join(REMOVED)).unwrap();
    let other = tagged(&disk, "other");
    let mut writer = disk.writer();
    assert!(!disk.has(REMOVED));
    fs::create_dir_all(disk.path.join(REMOVED).join("index")).unwrap();
    writer.remove_tag(APP, "other").unwrap();
    assert!(!disk.has(REMOVED));
    let link = place::revision(APP, &other);
    disk.remove(&link);
    writer.remove_manifest(APP, &other).unwrap();
    assert!(!disk.has(link.trim_end_matches("/link")));
}

#[test]
fn what_no_registry_writes_keeps_a_tag_whole() {
    for strange in [
        "a file",
        "current/more",
        "index/sha256/1/data",
        "index/x/y/z/link",
    ] {
        let disk = Disk::new();
        tagged(&disk, "old");
        let tag = place::tag_directory(APP, "old");
        disk.put(&format!("{tag}/{strange}"), b"");
        refuses(&disk, "old", strange);
    }
    let disk = Disk::new();
    tagged(&disk, "old");
    let tag = disk.path.join(place::tag_directory(APP, "old"));
    fs::remove_file(tag.join("current/link")).unwrap();
    symlink("../../kept/current/link", tag.join("current/link")).unwrap();
    refuses(&disk, "old", "a link in the place of a file");
    fs::remove_dir_all(tag.join("current")).unwrap();
    symlink("../kept/current", tag.join("current")).unwrap();
    refuses(&disk, "old", "a link in the place of a directory");
    fs::remove_file(tag.join("current")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(tag.join("current"))
        .status();
    assert!(made.unwrap().success());
    refuses(&disk, "old", "a pipe");
}

#[track_caller]
fn refuses(disk: &Disk, tag: &str, what: &str) {
    let mut writer = disk.writer();
    let failed = writer.remove_tag(APP, tag).unwrap_err();
    assert!(matches!(failed, Failed::Strange(_)), "{what}: {failed}");
    assert!(disk.has(&place::tag_directory(APP, tag)), "{what}");
}

#[test]
fn nothing_is_removed_behind_a_symbolic_link() {
    let disk = Disk::new();
    let digest = tagged(&disk, "kept");
    let repositories = disk.path.join(place::REPOSITORIES);
    fs::create_dir_all(repositories.join("other/_manifests")).unwrap();
    symlink("team", repositories.join("alias")).unwrap();
    for part in ["tags", "revisions"] {
        let target = format!("../../team/app/_manifests/{part}");
        symlink(target, repositories.join("other/_manifests").join(part)).unwrap();
    }
    symlink("kept", disk.path.join(place::tag_directory(APP, "linked"))).unwrap();
    let outside = disk.path.with_extension("outside");
    fs::create_dir_all(outside.join("current")).unwrap();
    symlink(
        &outside,
        disk.path.join(place::tag_directory(APP, "outside")),
    )
    .unwrap();
    let before = disk.everything();
    let mut writer = disk.writer();
    for (repository, tag) in [
        ("alias/app", "kept"),
        ("other", "kept"),
        (APP, "linked"),
        (APP, "outside"),
    ] {
        let failed = writer.remove_tag(repository, tag).unwrap_err();
        assert!(matches!(failed, Failed::NotADirectory(_)), "{failed}");
    }
    for repository in ["alias/app", "other"] {
        let failed = writer.remove_manifest(repository, &digest).unwrap_err();
        assert!(matches!(failed, Failed::NotADirectory(_)), "{failed}");
    }
    drop(writer);
    assert_eq!(disk.everything(), before);
    assert!(outside.join("current").exists());
    fs::remove_dir_all(outside).unwrap();
}

#[test]
fn names_that_are_none_remove_nothing() {
    let disk = Disk::new();
    let digest = tagged(&disk, "kept");
    let before = disk.everything();
    let mut writer = disk.writer();
    for (repository, tag) in [
        (APP, ".."),
        (APP, "."),
        (APP, ""),
        (APP, "kept/current"),
        ("team/../team/app", "kept"),
        ("..", "kept"),
    ] {
        let failed = writer.remove_tag(repository, tag).unwrap_err();
        assert!(matches!(failed, Failed::Name(_)), "{failed}");
    }
    let failed = writer.remove_manifest("../blobs", &digest).unwrap_err();
    assert!(matches!(failed, Failed::Name(_)), "{failed}");
    drop(writer);
    assert_eq!(disk.everything(), before);
}

#[test]
fn a_manifest_whose_link_is_no_file_is_left_alone() {
    let disk = Disk::new();
    let digest = tagged(&disk, "kept");
    let link = place::revision(APP, &digest);
    disk.remove(&link);
    fs::create_dir(disk.path.join(&link)).unwrap();
    let failed = disk.writer().remove_manifest(APP, &digest).unwrap_err();
    assert!(matches!(failed, Failed::NotAFile(_)), "{failed}");
    fs::remove_dir(disk.path.join(&link)).unwrap();
    disk.put(&link, digest.as_ref().as_bytes());
    let beside = link.replace("/link", "/signatures");
    disk.put(&beside, b"");
    disk.writer().remove_manifest(APP, &digest).unwrap();
    assert!(!disk.has(&link) && disk.has(&beside));
}

#[test]
fn a_collection_that_begins_stops_the_next_deletion() {
    let disk = Disk::new();
    let digest = tagged(&disk, "old");
    let processes = Disk::new();
    let path: &'static str = processes.path.display().to_string().leak();
    let mut writer = StorageWriter::open_watching(&disk.root, Watch::new(path)).unwrap();
    processes.put("123/cmdline", b"/bin/registry\0garbage-collect\0c.yml\0");
    std::thread::sleep(Duration::from_millis(1100));
    for failed in [
        writer.remove_tag(APP, "old"),
        writer.remove_manifest(APP, &digest),
    ] {
        let refused = Failed::Refused(Refused::Collecting { process: 123 });
        assert_eq!(failed.unwrap_err().to_string(), refused.to_string());
    }
    assert!(disk.has(&place::tag(APP, "old")) && disk.has(&place::revision(APP, &digest)));
}
