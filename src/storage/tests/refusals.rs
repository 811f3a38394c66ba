//! What must be true before anything is written.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::*;
use crate::settings::{GcStopped, Permission};

/// Where a child process writes.
const DISK: &str = "PULLPROOF_TEST_DISK";

#[test]
fn a_directory_that_is_no_registrys_is_refused() {
    let disk = Disk::new();
    fs::remove_dir_all(disk.path.join("docker")).unwrap();
    let (permission, gc_stopped) = (Permission::for_tests(), GcStopped::for_tests());
    let refused = StorageWriter::open(&disk.root, permission, gc_stopped).unwrap_err();
    assert!(
        refused.to_string().contains("docker/registry/v2"),
        "{refused}"
    );
    assert!(disk.everything().is_empty());
}

#[test]
fn a_collection_that_is_seen_stops_everything() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    let before = disk.everything();
    let processes = Disk::new();
    let path: &'static str = processes.path.display().to_string().leak();
    let open = || StorageWriter::open_watching(&disk.root, Watch::new(path));
    let begin = || processes.put("123/cmdline", b"/bin/registry\0garbage-collect\0c.yml\0");
    begin();
    let refused = open().unwrap_err();
    assert!(
        matches!(refused, Refused::Collecting { process: 123 }),
        "{refused}"
    );
    assert_eq!(disk.everything(), before);
    processes.remove("123/cmdline");
    let mut writer = open().unwrap();
    begin();
    // It is looked for again once a second.
    let failed = (0..200).find_map(|number| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        writer.link_layer(&format!("app{number}"), &digest).err()
    });
    let failed = failed.expect("it is seen within four seconds");
    assert!(
        matches!(
            failed,
            Failed::Refused(Refused::Collecting { process: 123 })
        ),
        "{failed}"
    );
}

#[test]
fn of_two_at_once_the_second_is_refused() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    let mut first = disk.writer();
    let refused = disk.try_writer().unwrap_err();
    assert!(matches!(refused, Refused::Locked { .. }), "{refused}");
    first.link_layer("app", &digest).unwrap();
    drop(first);
    disk.writer().link_layer("app", &digest).unwrap();
    assert!(disk.has("pullproof-repair.journal"));
}

#[test]
fn many_at_once_write_each_thing_once() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    let write = || {
        for number in 0..30 {
            let written = loop {
                match StorageWriter::open_watching(&disk.root, Watch::new("/nowhere")) {
                    Ok(mut writer) => break writer.link_layer(&format!("app{number}"), &digest),
                    Err(Refused::Locked { .. }) => std::thread::yield_now(),
                    Err(refused) => panic!("{refused}"),
                }
            };
            written.unwrap();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(write);
        }
    });
    assert_eq!(disk.undo().removed.len(), 30);
}

#[test]
fn a_journal_that_was_removed_meanwhile_is_no_lock() {
    let disk = Disk::new();
    let writing = AtomicU32::new(0);
    let run = || {
        for _ in 0..500 {
            // One that has nothing to do removes its journal, perhaps while another opens it.
            match StorageWriter::open_watching(&disk.root, Watch::new("/nowhere")) {
                Ok(writer) => {
                    assert_eq!(writing.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    writing.fetch_sub(1, Ordering::SeqCst);
                    drop(writer);
                }
                Err(Refused::Locked { .. }) => std::thread::yield_now(),
                Err(refused) => panic!("{refused}"),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(run);
        }
    });
}

#[test]
fn whoever_cannot_set_the_owner_writes_nothing() {
    let disk = Disk::new();
    let digest = disk.data(b"a");
    let path = disk.path.display().to_string();
    // One may write to all of it, and so make files that the registry could not replace.
    if !as_root("chown", &["-R", "0:0", &path]) {
        return;
    }
    for (directory, _) in disk.everything() {
        let path = disk.path.join(directory);
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::set_permissions(&disk.path, fs::Permissions::from_mode(0o777)).unwrap();
    let before = disk.everything();
    let said = as_nobody(&disk);
    assert!(said.contains("the owner 0:0 of "), "{said}");
    assert_eq!(disk.everything(), before);
    // Without a right to write at all.
    fs::set_permissions(&disk.path, fs::Permissions::from_mode(0o755)).unwrap();
    let said = as_nobody(&disk);
    assert!(said.contains("Permission denied"), "{said}");
    assert_eq!(disk.everything(), before);
    // And as the owner, without being root.
    assert!(as_root("chown", &["-R", "1000:1000", &path]));
    let said = as_nobody(&disk);
    assert!(said.contains("written"), "{said}");
    let layer = place::layer("app", &digest);
    assert_eq!(disk.owner(&layer).0, 1000);
}

/// What a process says that links `a` and has no rights of its own.
fn as_nobody(disk: &Disk) -> String {
    let program = disk.path.with_extension("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = Command::new(&program)
        .args(["--exact", "storage::tests::refusals::a_child_links"])
        .args(["--ignored", "--nocapture"])
        .env(DISK, &disk.path)
        .current_dir("/")
        .stdin(Stdio::null())
        .uid(1000)
        .gid(1000)
        .output()
        .unwrap();
    fs::remove_file(program).unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "a process of its own, which another test starts"]
fn a_child_links() {
    let Some(path) = std::env::var_os(DISK) else {
        return;
    };
    let root = Root::open(Path::new(&path)).unwrap();
    match StorageWriter::open_watching(&root, Watch::new("/nowhere")) {
        Err(refused) => println!("{refused}"),
        Ok(mut writer) => match writer.link_layer("app", &sha256(b"a")) {
            Ok(_) => println!("written"),
            Err(failed) => println!("failed: {failed}"),
        },
    }
}
