//! Taking back what was linked.

use std::time::{Duration, SystemTime};

use super::*;
use crate::storage::undo::Why;

const APP: &str = "app";

#[test]
fn what_was_created_goes_and_nothing_else() {
    let disk = Disk::new();
    let old = disk.data(b"old");
    disk.put(&place::revision(APP, &old), old.as_ref().as_bytes());
    let before = disk.everything();
    let new = sha256(b"new");
    let mut writer = disk.writer();
    writer.data(&new, &content(b"new")).unwrap();
    writer.link_manifest(APP, &new).unwrap();
    writer.link_tag(APP, "1", &new).unwrap();
    writer.link_layer("other", &new).unwrap();
    drop(writer);
    let undone = disk.undo();
    assert_eq!(
        undone.removed,
        [
            place::layer("other", &new),
            place::tag(APP, "1"),
            place::tag_history(APP, "1", &new),
            place::revision(APP, &new),
        ]
    );
    assert_eq!(undone.left, [(place::data(&new), Why::Data)]);
    // Not one directory is left either: a tag is listed by its directory.
    let data = place::data(&new);
    let data = Path::new(&data);
    let mut after = disk.everything();
    after.retain(|(path, _)| !data.starts_with(path) || before.iter().any(|(b, _)| b == path));
    assert_eq!(after, before);
    assert_eq!(disk.undo(), Undone::default());
}

#[test]
fn what_was_changed_since_stays() {
    let disk = Disk::new();
    let digests: Vec<_> = [b"a", b"b", b"c", b"d"]
        .map(|bytes| disk.data(bytes))
        .into();
    disk.put(&place::revision(APP, &digests[3]), b"");
    let mut writer = disk.writer();
    for digest in &digests {
        writer.link_manifest(APP, digest).unwrap();
    }
    drop(writer);
    let path = |number: usize| place::revision(APP, &digests[number]);
    // Pushed again; given another meaning in the same second; deleted.
    let touch = |number: usize, time: SystemTime| {
        let file = fs::File::options()
            .append(true)
            .open(disk.path.join(path(number)));
        file.unwrap().set_modified(time).unwrap();
    };
    let written = fs::metadata(disk.path.join(path(1)))
        .unwrap()
        .modified()
        .unwrap();
    touch(0, written + Duration::from_millis(1500));
    disk.put(&path(1), digests[0].as_ref().as_bytes());
    touch(1, written);
    disk.remove(&path(2));
    let undone = disk.undo();
    assert_eq!(undone.removed, [""; 0]);
    let left = [(3, Why::Replaced), (1, Why::Changed), (0, Why::Changed)];
    assert_eq!(undone.left, left.map(|(number, why)| (path(number), why)));
    assert!(disk.has(&path(0)) && disk.has(&path(1)) && disk.has(&path(3)));
    assert!(!disk.has("pullproof-repair.journal"));
}

#[test]
fn several_runs_are_undone_together() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    disk.writer().link_manifest(APP, &digest).unwrap();
    disk.remove(&place::revision(APP, &digest));
    disk.writer().link_manifest(APP, &digest).unwrap();
    disk.writer().link_manifest("other", &digest).unwrap();
    let undone = disk.undo();
    let removed = ["other", APP].map(|name| place::revision(name, &digest));
    assert_eq!(undone.removed, removed);
    assert!(!disk.has(&format!("{}/{APP}", place::REPOSITORIES)));
}

#[test]
fn a_journal_that_somebody_else_wrote_removes_nothing() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    let victim = place::data(&digest);
    let entry = |path: &str, did: &str, directories: usize| {
        format!(
            r#"{{"time":0,"did":"{did}","path":"{path}","digest":"{digest}","directories":{directories}}}"#
        )
    };
    let link = place::revision(APP, &digest);
    for (line, number) in [
        (entry(&victim, "created_link", 0), 1),
        (
            entry("docker/registry/v2/../../../link", "created_link", 0),
            1,
        ),
        (entry("/etc/link", "created_link", 0), 1),
        (entry(&link, "created_link", 99), 1),
        (entry(&link, "deleted_link", 0), 1),
        (format!("{}\nnonsense", entry(&link, "created_link", 0)), 2),
    ] {
        disk.put("pullproof-repair.journal", format!("{line}\n").as_bytes());
        let before = disk.everything();
        let refused = disk.try_writer().unwrap_err();
        assert!(
            matches!(refused, Refused::Journal { line, .. } if line == number),
            "{line}: {refused}"
        );
        assert_eq!(disk.everything(), before);
    }
    // One that is of the right form, of a link that says something else.
    disk.put(&link, b"sha256:12");
    disk.put(
        "pullproof-repair.journal",
        format!("{}\n", entry(&link, "created_link", 0)).as_bytes(),
    );
    assert_eq!(disk.undo().left, [(link.clone(), Why::Changed)]);
    assert!(disk.has(&link) && disk.has(&victim));
}

#[test]
fn a_journal_behind_a_link_is_not_written() {
    let disk = Disk::new();
    let victim = disk.path.join("victim");
    let journal = disk.path.join("pullproof-repair.journal");
    for make in [
        |victim: &Path, journal: &Path| {
            std::os::unix::fs::symlink(victim.file_name().unwrap(), journal)
        },
        |victim: &Path, journal: &Path| {
            fs::write(victim, "")?;
            fs::hard_link(victim, journal)
        },
    ] {
        make(&victim, &journal).unwrap();
        let before = disk.everything();
        let refused = disk.try_writer().unwrap_err();
        assert!(
            matches!(refused, Refused::Disk { doing: "use", .. }),
            "{refused}"
        );
        assert_eq!(disk.everything(), before);
        fs::remove_file(&journal).unwrap();
    }
}
