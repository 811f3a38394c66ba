//! What a run that was killed leaves, and a full disk.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::storage::beside::{NEW, NEW_DIRECTORY};
use crate::storage::journal::JOURNAL;

const APP: &str = "team/app";

/// So many blobs are written by a run that is killed.
const BLOBS: u32 = 40;

/// Where a child process writes.
const DISK: &str = "PULLPROOF_TEST_DISK";

#[test]
fn whatever_a_kill_leaves_the_next_run_goes_on() {
    let digest = sha256(b"manifest");
    let whole = Disk::new();
    write(&mut whole.writer(), &digest);
    let lines = whole.read(JOURNAL).unwrap();
    let lines: Vec<_> = lines.split_inclusive('\n').collect();
    for (number, line) in lines.iter().enumerate() {
        for step in [
            "cut line",
            "line",
            "half a file",
            "directory",
            "directories",
        ] {
            let disk = Disk::new();
            // All that was before, then a part of this one.
            for path in &paths(&digest)[..number] {
                disk.put(path, &fs::read(whole.path.join(path)).unwrap());
            }
            let cut = if step == "cut line" {
                line.len() / 2
            } else {
                line.len()
            };
            let journal = format!("{}{}", lines[..number].concat(), &line[..cut]);
            disk.put(JOURNAL, journal.as_bytes());
            match step {
                "half a file" => disk.put(NEW, b"sha2"),
                "directory" => fs::create_dir(disk.path.join(NEW_DIRECTORY)).unwrap(),
                "directories" => {
                    disk.put(NEW, b"whole");
                    let path = disk.path.join(&paths(&digest)[number]);
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                }
                _ => {}
            }
            write(&mut disk.writer(), &digest);
            let without_journal = |disk: &Disk| {
                let mut all = disk.everything();
                all.retain(|(path, _)| path != Path::new(JOURNAL));
                all
            };
            assert_eq!(
                without_journal(&disk),
                without_journal(&whole),
                "{step} of {line}"
            );
            // The journal has all that is needed to take it back, whoever did it.
            let undone = disk.undo();
            let stay = undone.left.into_iter().map(|(path, _)| path);
            let mut known: Vec<_> = undone.removed.into_iter().chain(stay).collect();
            known.sort();
            let mut written = paths(&digest);
            written.sort();
            assert_eq!(known, written, "{step} of {line}");
        }
    }
}

/// What [`write`] writes, in its order.
fn paths(digest: &Digest) -> [String; 4] {
    [
        place::data(digest),
        place::revision(APP, digest),
        place::tag_history(APP, "1", digest),
        place::tag(APP, "1"),
    ]
}

fn write(writer: &mut StorageWriter<'_>, digest: &Digest) {
    writer.data(digest, &content(b"manifest")).unwrap();
    writer.link_manifest(APP, digest).unwrap();
    writer.link_tag(APP, "1", digest).unwrap();
}

#[test]
fn a_process_that_is_killed_anywhere_leaves_nothing_half_made() {
    let mut seen_unfinished = 0;
    for round in 0..12 {
        let disk = Disk::new();
        // Every other one is damaged already.
        for number in (0..BLOBS).step_by(2) {
            disk.put(&place::data(&sha256(&blob(number))), b"damaged");
        }
        let mut child = as_child("storage::tests::crash::a_child_writes")
            .env(DISK, &disk.path)
            .spawn()
            .unwrap();
        let journal = disk.path.join(JOURNAL);
        let length = || fs::metadata(&journal).map_or(0, |metadata| metadata.len());
        // A line has about 300 bytes, and a blob two.
        while length() < round * 2000 + 100 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 333));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut finished = 0;
        for number in 0..BLOBS {
            let digest = sha256(&blob(number));
            let data = fs::read(disk.path.join(place::data(&digest)));
            let damaged = number % 2 == 0;
            match data {
                Ok(data) if sha256(&data) == digest => finished += 1,
                Ok(data) => assert!(damaged && data == b"damaged", "blob {number}"),
                Err(_) => assert!(!damaged, "blob {number} is gone"),
            }
            if let Some(link) = disk.read(&place::layer(APP, &digest)) {
                assert_eq!(link, digest.as_ref());
            }
        }
        seen_unfinished += u32::from(finished < BLOBS);
        write_all(&disk);
        assert!(!disk.has(NEW) && !disk.has(NEW_DIRECTORY));
        for number in 0..BLOBS {
            let digest = sha256(&blob(number));
            let data = fs::read(disk.path.join(place::data(&digest))).unwrap();
            assert_eq!(sha256(&data), digest);
        }
        let undone = disk.undo();
        assert_eq!(undone.removed.len(), BLOBS as usize);
        assert!(!disk.has(&format!("{}/team", place::REPOSITORIES)));
    }
    assert!(
        seen_unfinished > 6,
        "{seen_unfinished} were killed in the middle"
    );
}

fn blob(number: u32) -> Vec<u8> {
    vec![u8::try_from(number).unwrap(); 300_000]
}

fn write_all(disk: &Disk) {
    let mut writer = disk.writer();
    for number in 0..BLOBS {
        let blob = blob(number);
        let digest = sha256(&blob);
        writer.data(&digest, &content(&blob)).unwrap();
        writer.link_layer(APP, &digest).unwrap();
    }
}

/// This program, as a process that runs one test.
pub(super) fn as_child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[test]
#[ignore = "a process of its own, which another test starts"]
fn a_child_writes() {
    if let Some(path) = std::env::var_os(DISK) {
        write_all(&Disk::at(path.into()));
        // The tree is not ours to remove.
        std::thread::sleep(Duration::from_secs(60));
    }
}

/// A small file system, as long as this value lives.
struct Mounted(PathBuf);

impl Mounted {
    fn new(name: &str, options: &str) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("pullproof-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let shown = path.display().to_string();
        as_root("mount", &["-t", "tmpfs", "-o", options, "none", &shown]).then(|| Self(path))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn on_a_full_disk_everything_stays_as_it_was() {
    let Some(mounted) = Mounted::new("full", "size=512k") else {
        return;
    };
    let disk = Disk::at(mounted.0.join("registry"));
    let large = vec![7; 2_000_000];
    let (digest, small) = (sha256(&large), disk.data(b"small"));
    disk.put(&place::data(&digest), b"damaged");
    let mut writer = disk.writer();
    writer.link_layer(APP, &small).unwrap();
    let without_journal = || {
        let mut all = disk.everything();
        all.retain(|(path, _)| path != Path::new(JOURNAL));
        all
    };
    let before = without_journal();
    let failed = writer.data(&digest, &content(&large)).unwrap_err();
    assert_eq!(
        reason(&failed),
        Some(io::ErrorKind::StorageFull),
        "{failed}"
    );
    assert_eq!(without_journal(), before);
    let larger = vec![8; 2_000_000];
    let new = sha256(&larger);
    let failed = writer.data(&new, &content(&larger)).unwrap_err();
    assert_eq!(
        reason(&failed),
        Some(io::ErrorKind::StorageFull),
        "{failed}"
    );
    assert_eq!(without_journal(), before);
    // Now not even a line of the journal has room: whole pages are taken, so it begins a new one.
    let mut lines = 0;
    let filler = mounted.0.join("filler");
    let full = fs::write(&filler, vec![0; 2_000_000]).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    for number in 0..1000 {
        let before = fs::read(disk.path.join(JOURNAL)).unwrap();
        if let Err(failed) = writer.link_layer(&format!("app{number}"), &small) {
            assert_eq!(
                reason(&failed),
                Some(io::ErrorKind::StorageFull),
                "{failed}"
            );
            let after = fs::read(disk.path.join(JOURNAL)).unwrap();
            assert_eq!(after.last(), Some(&b'\n'));
            lines += usize::from(after == before);
        }
    }
    assert!(lines > 0, "the journal always had room");
    assert!(!disk.has(NEW));
    drop(writer);
    // What could be done is done, and the rest when there is room.
    fs::remove_file(filler).unwrap();
    let mut writer = disk.writer();
    assert_eq!(writer.link_layer(APP, &small).unwrap(), Wrote::Nothing);
    assert_eq!(writer.link_layer("app", &small).unwrap(), Wrote::Created);
}

#[test]
fn without_room_for_all_directories_none_is_left() {
    let Some(mounted) = Mounted::new("inodes", "size=512k,nr_inodes=40") else {
        return;
    };
    let disk = Disk::at(mounted.0.join("registry"));
    let digest = disk.data(b"a");
    let mut writer = disk.writer();
    writer.link_layer(APP, &digest).unwrap();
    let fillers = disk.path.join("fillers");
    fs::create_dir(&fillers).unwrap();
    let filler = |number: usize| fillers.join(number.to_string());
    let mut number = 0;
    while fs::write(filler(number), "").is_ok() {
        number += 1;
    }
    let before = || {
        let mut all = disk.everything();
        all.retain(|(path, _)| path != Path::new(JOURNAL) && !path.starts_with("fillers"));
        all
    };
    // A file, its directory, and four above it.
    for room in 0..6 {
        let was = before();
        let failed = writer.link_manifest("new", &digest).unwrap_err();
        assert_eq!(reason(&failed), Some(io::ErrorKind::StorageFull), "{room}");
        assert_eq!(before(), was, "{room}");
        number -= 1;
        fs::remove_file(filler(number)).unwrap();
    }
    writer.link_manifest("new", &digest).unwrap();
}

fn reason(failed: &Failed) -> Option<io::ErrorKind> {
    match failed {
        Failed::Disk { why, .. } => Some(why.kind()),
        _ => None,
    }
}

#[test]
fn a_disk_that_is_read_only_is_refused() {
    let Some(mounted) = Mounted::new("read-only", "size=512k") else {
        return;
    };
    let disk = Disk::at(mounted.0.join("registry"));
    disk.data(b"a");
    let before = disk.everything();
    let path = mounted.0.display().to_string();
    assert!(as_root("mount", &["-o", "remount,ro", &path]));
    let refused = disk.try_writer().unwrap_err();
    let Refused::Disk { why, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(why.kind(), io::ErrorKind::ReadOnlyFilesystem);
    assert_eq!(disk.everything(), before);
}

#[test]
fn a_tree_on_two_file_systems_is_refused() {
    let disk = Disk::new();
    let blobs = disk.path.join(place::BLOBS);
    let shown = blobs.display().to_string();
    if !as_root("mount", &["-t", "tmpfs", "-o", "size=64k", "none", &shown]) {
        return;
    }
    let mounted = Mounted(blobs);
    let before = disk.everything();
    let refused = disk.try_writer().unwrap_err();
    assert!(
        matches!(refused, Refused::OtherFileSystem { .. }),
        "{refused}"
    );
    assert_eq!(disk.everything(), before);
    drop(mounted);
}
