//! A tree that somebody else wrote, with rights to read and no more.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{audit, disk, node, recipe};
use crate::support::command::binary;
use crate::support::recipe::single;
use crate::support::scratch::Scratch;
use crate::support::tree::{Tree, write};

/// What there is below a directory: path, kind and rights, times and content.
fn everything(path: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = match () {
            () if metadata.is_file() => fs::read(&path).unwrap(),
            () if metadata.is_symlink() => {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().into()
            }
            () => Vec::new(),
        };
        if metadata.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        let times = (metadata.mtime(), metadata.mtime_nsec());
        found.insert(path, (metadata.mode(), times.0, times.1, content));
    }
    found
}

/// A tree in a place that every user may reach, and nobody but its owner may write to.
fn public() -> (Tree, PathBuf) {
    let path = std::env::temp_dir().join(format!("pullproof-disk-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (Tree::at(&path.join("registry")), path)
}

/// Audits as a user who owns nothing.
fn as_nobody(program: &Path, tree: &Tree) -> (Option<i32>, String) {
    const NOBODY: u32 = 65_534;
    let output = Command::new(program)
        .args(["audit", "--depth", "full"])
        .arg(tree.path())
        .env_clear()
        .env("NO_COLOR", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("tests run as root");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[test]
fn an_audit_changes_nothing_and_needs_the_right_to_read_alone() {
    let (tree, folder) = public();
    let image = recipe(1).make();
    tree.push("team/app:1", &image);
    tree.push_untagged("team/app", &recipe(2).make());
    tree.upload("team/app", "one", "2026-11-01T00:00:00Z", b"123");
    let program = folder.join("pullproof");
    fs::copy(binary(), &program).unwrap();
    let before = everything(&tree.within(""));
    audit(&tree).arguments(["--depth", "full"]).run().passes();
    let (code, said) = as_nobody(&program, &tree);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("no tag reaches"), "{said}");
    assert_eq!(everything(&tree.within("")), before);

    // What may not be read is not known: it is neither missing nor fine.
    let layer = tree.data(image.images[0].layers[0].digest());
    fs::set_permissions(&layer, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = as_nobody(&program, &tree);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("cannot be read: Permission denied"), "{said}");
    let name = image.images[0].layers[0]
        .digest()
        .split_once(':')
        .unwrap()
        .1;
    assert!(
        said.contains(name) && said.contains("run this as the user"),
        "{said}"
    );

    let tags = tree.repository("team/app", "_manifests/tags");
    fs::set_permissions(&tags, fs::Permissions::from_mode(0o700)).unwrap();
    let (code, said) = as_nobody(&program, &tree);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("its tags could not be listed"), "{said}");

    let repositories = tree.within("repositories");
    fs::set_permissions(&repositories, fs::Permissions::from_mode(0o700)).unwrap();
    let (code, said) = as_nobody(&program, &tree);
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("its repositories could not be listed"),
        "{said}"
    );
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_symbolic_link_out_of_the_tree_is_not_followed() {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1", &image);
    let outside = Scratch::new("outside");
    let layer = image.images[0].layers[0].digest();
    let kept = outside.path().join("data");
    fs::rename(tree.data(layer), &kept).unwrap();
    symlink(&kept, tree.data(layer)).unwrap();
    let report = audit(&tree).run().exits(4).report();
    let found = node(&report, layer);
    assert_eq!(found["cause"], "unreadable", "{found}");
    // A repository behind a link is left out, whatever it holds.
    let other = Tree::new();
    other.push("app:1", &single().make());
    symlink(
        other.within("repositories/app"),
        tree.within("repositories/linked"),
    )
    .unwrap();
    symlink("..", tree.repository("team", "loop")).unwrap();
    let finished = audit(&tree).run();
    assert_eq!(finished.report().images().len(), 1, "{finished}");
    assert!(
        finished.stderr.contains("2 names that no reference"),
        "{finished}"
    );
}

#[test]
fn special_files_and_directories_in_a_files_place_are_nothing() {
    let (tree, image) = (Tree::new(), recipe(1).make());
    tree.push("team/app:1", &image);
    let parts = &image.images[0];
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    let in_place = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    };
    pipe(&tree.data(parts.layers[0].digest()));
    pipe(&tree.layer("team/app", parts.layers[1].digest()));
    in_place(&tree.data(image.images[1].layers[0].digest()));
    in_place(&tree.layer("team/app", image.images[1].layers[1].digest()));
    let made = Command::new("mkfifo")
        .arg(tree.repository("team/app", "_manifests/tags/pipe"))
        .status();
    assert!(made.unwrap().success());
    let report = audit(&tree).run().exits(1).report();
    for (digest, cause) in [
        (parts.layers[0].digest(), "data_gone"),
        (parts.layers[1].digest(), "unlinked"),
        (image.images[1].layers[0].digest(), "data_gone"),
        (image.images[1].layers[1].digest(), "unlinked"),
    ] {
        assert_eq!(node(&report, digest)["cause"], cause);
    }
}

#[test]
fn hostile_names_are_left_out_and_nothing_is_obeyed() {
    let tree = Tree::new();
    tree.push("team/app:1", &recipe(1).make());
    let root = single().seed(5).make();
    for name in ["Upper", "a b", "-x", "::error::x", "..a", "x\u{1b}[31m"] {
        tree.push(&format!("team/{name}:1"), &root);
    }
    for bytes in [&b"\xff\xfe"[..], b"_reserved", b"line\nbreak"] {
        let name = OsStr::from_bytes(bytes);
        write(
            &tree.within("repositories").join(name).join("_layers/x"),
            "",
        );
        if bytes == b"_reserved" {
            // As a tag it is a name like others.
            continue;
        }
        let tag = tree.repository("team/app", "_manifests/tags").join(name);
        write(&tag.join("current/link"), root.root());
    }
    let mut deep = tree.within("repositories/deep");
    for _ in 0..200 {
        deep.push("deeper");
    }
    fs::create_dir_all(deep.join("_manifests")).unwrap();
    for path in [
        "blobs/sha256/zz/x/data",
        "blobs/odd/aa/aabb/data",
        "blobs/sha256/aa/short/data",
    ] {
        write(&tree.within(path), "odd");
    }
    for path in [
        "_layers/sha256/short/link",
        "_manifests/revisions/odd+x/zz/link",
    ] {
        write(&tree.repository("team/app", path), "odd");
    }
    let finished = audit(&tree).run().exits(0);
    let report = finished.report();
    assert_eq!(report.images().len(), 1);
    assert!(!finished.stderr.contains('\u{1b}'), "{finished}");
    let stops = &disk(&report)["garbage_collection_stops_at"];
    let odd = stops.as_array().unwrap().iter();
    let odd = odd.filter(|one| one["kind"] == "odd_directory").count();
    assert_eq!(odd, 1, "{stops}");
}
