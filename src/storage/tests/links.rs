//! Links and data: what is written, and what is left alone.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

const APP: &str = "team/app";

#[test]
fn links_hold_a_digest_and_no_line_break() {
    let disk = Disk::new();
    let digest = disk.data(b"manifest");
    let mut writer = disk.writer();
    assert_eq!(writer.link_manifest(APP, &digest).unwrap(), Wrote::Created);
    assert_eq!(writer.link_layer(APP, &digest).unwrap(), Wrote::Created);
    assert_eq!(
        writer.link_tag(APP, "1.4", &digest).unwrap(),
        Wrote::Created
    );
    for path in [
        place::revision(APP, &digest),
        place::layer(APP, &digest),
        place::tag(APP, "1.4"),
        place::tag_history(APP, "1.4", &digest),
    ] {
        assert_eq!(disk.read(&path).as_deref(), Some(digest.as_ref()), "{path}");
    }
    assert_eq!(writer.link_manifest(APP, &digest).unwrap(), Wrote::Nothing);
    assert_eq!(writer.link_layer(APP, &digest).unwrap(), Wrote::Nothing);
    assert_eq!(
        writer.link_tag(APP, "1.4", &digest).unwrap(),
        Wrote::Nothing
    );
    assert_eq!(writer.journal.entries().len(), 4);
    assert!(!disk.has(crate::storage::beside::NEW));
    assert!(!disk.has(crate::storage::beside::NEW_DIRECTORY));
}

#[test]
fn links_that_are_wrong_are_replaced() {
    let disk = Disk::new();
    let digest = disk.data(b"manifest");
    let other = disk.data(b"other");
    let path = place::revision(APP, &digest);
    let mut writer = disk.writer();
    for wrong in ["", "sha256:12", other.as_ref(), &format!("{digest}\n")] {
        disk.put(&path, wrong.as_bytes());
        let wrote = writer.link_manifest(APP, &digest).unwrap();
        assert_eq!(wrote, Wrote::Replaced, "{wrong:?}");
        assert_eq!(disk.read(&path).as_deref(), Some(digest.as_ref()));
    }
}

#[test]
fn a_link_never_leads_to_nothing() {
    let disk = Disk::new();
    let digest = sha256(b"gone");
    let before = disk.everything();
    let mut writer = disk.writer();
    let manifest = writer.link_manifest(APP, &digest);
    assert!(matches!(manifest, Err(Failed::NoData(_))), "{manifest:?}");
    let layer = writer.link_layer(APP, &digest);
    assert!(matches!(layer, Err(Failed::NoData(_))), "{layer:?}");
    let tag = writer.link_tag(APP, "1", &digest);
    assert!(matches!(tag, Err(Failed::NoData(_))), "{tag:?}");
    drop(writer);
    // Not even a journal that says nothing is left.
    assert_eq!(disk.everything(), before);
    let digest = disk.data(b"gone");
    let tag = disk.writer().link_tag(APP, "1", &digest);
    assert!(matches!(tag, Err(Failed::NoManifest { .. })), "{tag:?}");
}

#[test]
fn a_tag_that_names_something_else_is_left_alone() {
    let disk = Disk::new();
    let (old, new) = (disk.data(b"old"), disk.data(b"new"));
    disk.put(&place::tag(APP, "1"), new.as_ref().as_bytes());
    let mut writer = disk.writer();
    writer.link_manifest(APP, &old).unwrap();
    let tag = writer.link_tag(APP, "1", &old);
    assert!(
        matches!(&tag, Err(Failed::OtherDigest(digest)) if *digest == new),
        "{tag:?}"
    );
    assert_eq!(
        disk.read(&place::tag(APP, "1")).as_deref(),
        Some(new.as_ref())
    );
    assert!(!disk.has(&place::tag_history(APP, "1", &old)));
    disk.put(&place::tag(APP, "1"), b"");
    assert_eq!(writer.link_tag(APP, "1", &old).unwrap(), Wrote::Replaced);
}

#[test]
fn names_that_are_none_have_no_place() {
    let disk = Disk::new();
    let digest = disk.data(b"manifest");
    let mut writer = disk.writer();
    for name in [
        "",
        "..",
        "../app",
        "a/../b",
        "/a",
        "a//b",
        "_layers",
        "a/_uploads",
    ] {
        let failed = writer.link_manifest(name, &digest);
        assert!(matches!(failed, Err(Failed::Name(_))), "{name}: {failed:?}");
    }
    for tag in ["", "..", "a/b", ".a", "a\n"] {
        let failed = writer.link_tag(APP, tag, &digest);
        assert!(matches!(failed, Err(Failed::Name(_))), "{tag}: {failed:?}");
    }
    let odd: Digest = "odd:a".parse().unwrap();
    let failed = writer.data(&odd, &content(b"a"));
    assert!(matches!(failed, Err(Failed::Name(_))), "{failed:?}");
    let failed = writer.link_layer(APP, &odd);
    assert!(matches!(failed, Err(Failed::Name(_))), "{failed:?}");
}

#[test]
fn data_is_written_only_where_it_is_not_right() {
    let disk = Disk::new();
    let digest = sha256(b"layer");
    let path = place::data(&digest);
    let mut writer = disk.writer();
    let mut write = || writer.data(&digest, &content(b"layer")).unwrap();
    assert_eq!(write(), Wrote::Created);
    let inode = || fs::metadata(disk.path.join(&path)).unwrap().ino();
    let before = inode();
    assert_eq!(write(), Wrote::Nothing);
    assert_eq!(inode(), before);
    for damage in [&b""[..], b"lay", b"lazer", b"layers"] {
        disk.put(&path, damage);
        assert_eq!(write(), Wrote::Replaced);
        assert_eq!(disk.read(&path).as_deref(), Some("layer"));
    }
    let was = fs::read_to_string(disk.path.join("pullproof-repair.journal")).unwrap();
    let was = was.lines().nth(2).unwrap();
    let expected = format!(r#""was":{{"length":3,"digest":"{}"}}"#, sha256(b"lay"));
    assert!(was.contains(&expected), "{was}");
}

#[test]
fn content_that_is_not_what_its_digest_says_is_never_put_there() {
    let disk = Disk::new();
    let digest = sha256(b"layer");
    let mut writer = disk.writer();
    let path = place::data(&digest);
    for damage in [None, Some(&b"lazer"[..])] {
        if let Some(damage) = damage {
            disk.put(&path, damage);
        }
        let before = disk.everything().len();
        for wrong in [&b""[..], b"lay", b"lazer"] {
            let failed = writer.data(&digest, &content(wrong));
            assert!(
                matches!(failed, Err(Failed::OtherContent { .. })),
                "{failed:?}"
            );
            assert_eq!(disk.read(&path).map(String::into_bytes).as_deref(), damage);
        }
        // Neither new directories nor half of a file.
        assert_eq!(disk.everything().len(), before);
    }
}

#[test]
fn new_files_and_directories_belong_to_the_owner_of_their_siblings() {
    for mode in [0o640, 0o644] {
        let disk = Disk::new();
        let first = disk.data(b"first");
        let second = disk.data(b"second");
        disk.put(&place::layer(APP, &first), first.as_ref().as_bytes());
        let mut stem = disk.path.clone();
        stem.push(place::REPOSITORIES);
        stem.push("team");
        fs::set_permissions(stem, fs::Permissions::from_mode(0o2750)).unwrap();
        for path in [place::layer(APP, &first), place::data(&first)] {
            let permissions = fs::Permissions::from_mode(mode);
            fs::set_permissions(disk.path.join(path), permissions).unwrap();
        }
        let path = disk.path.display().to_string();
        if !as_root("chown", &["-R", "1000:1001", &path]) {
            return;
        }
        let mut writer = disk.writer();
        // Beside another one; where there is none; and in a repository that is new.
        writer.link_layer(APP, &second).unwrap();
        writer.link_manifest(APP, &second).unwrap();
        writer.link_manifest("team/new", &second).unwrap();
        assert_eq!(disk.owner(place::layer(APP, &second)), (1000, 1001, mode));
        assert_eq!(
            disk.owner(place::revision(APP, &second)),
            (1000, 1001, 0o644)
        );
        let new = place::revision("team/new", &second);
        assert_eq!(disk.owner(&new), (1000, 1001, 0o640));
        for (above, directory) in Path::new(&new).ancestors().skip(1).take(5).enumerate() {
            let owner = disk.owner(directory);
            assert_eq!(owner, (1000, 1001, 0o2750), "{above}: {directory:?}");
        }
        assert_eq!(disk.owner("pullproof-repair.journal"), (1000, 1001, 0o644));
    }
}

#[test]
fn a_symbolic_link_leads_nowhere() {
    let disk = Disk::new();
    let outside = Disk::new();
    let digest = disk.data(b"manifest");
    let app = disk.path.join(place::REPOSITORIES).join(APP);
    fs::create_dir_all(&app).unwrap();
    symlink(&outside.path, app.join("_manifests")).unwrap();
    let before = outside.everything();
    let mut writer = disk.writer();
    let failed = writer.link_manifest(APP, &digest);
    assert!(matches!(failed, Err(Failed::Disk { .. })), "{failed:?}");
    assert_eq!(outside.everything(), before);
    // One in the place of a file is not replaced either: somebody made it on purpose.
    let layer = place::layer(APP, &digest);
    disk.put(&layer, b"");
    disk.remove(&layer);
    symlink("elsewhere", disk.path.join(&layer)).unwrap();
    let failed = writer.link_layer(APP, &digest);
    assert!(matches!(failed, Err(Failed::NotAFile(_))), "{failed:?}");
    let data = place::data(&digest);
    disk.remove(&data);
    fs::create_dir(disk.path.join(&data)).unwrap();
    let failed = writer.data(&digest, &content(b"manifest"));
    assert!(matches!(failed, Err(Failed::NotAFile(_))), "{failed:?}");
}

#[test]
fn a_hard_link_elsewhere_keeps_its_content() {
    let disk = Disk::new();
    let digest = sha256(b"layer");
    let path = place::data(&digest);
    disk.put(&path, b"lazer");
    let snapshot = disk.path.join("snapshot");
    fs::hard_link(disk.path.join(&path), &snapshot).unwrap();
    disk.writer().data(&digest, &content(b"layer")).unwrap();
    assert_eq!(fs::read(snapshot).unwrap(), b"lazer");
    assert_eq!(disk.read(&path).as_deref(), Some("layer"));
}

#[test]
fn content_that_vanishes_between_two_looks_is_a_collection() {
    let disk = Disk::new();
    let seen = [disk.data(b"one"), disk.data(b"two")];
    let writer = disk.writer();
    writer.require_still_there(&seen).unwrap();
    disk.remove(&place::data(&seen[1]));
    let refused = writer.require_still_there(&seen).unwrap_err();
    assert!(matches!(&refused, Refused::Vanished { digest } if *digest == seen[1]));
}
