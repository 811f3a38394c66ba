//! Disks that are full, processes that are killed beside a disk, and registries that go away.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::{act, actions, reasons, repair};
use crate::support::command::{Pullproof, binary, verify};
use crate::support::distribution::{Damage, Distribution, without_collections};
use crate::support::fake::Registry;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const NAME: &str = "team/app:1";

/// A small file system, as long as this value lives.
struct Small(PathBuf);

impl Small {
    /// One at this place; none without root, which is a failure where `CI` is `true`.
    fn at(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(path)
            .output();
        let why = match mounted {
            Ok(output) if output.status.success() => return Some(Self(path.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(failure) => failure.to_string(),
        };
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "mount: {why}");
        eprintln!("left out, for it needs root: mount: {why}");
        None
    }

    /// Takes all the room that there is.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let full = std::fs::write(&filler, vec![0; 64 << 20]);
        assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn mend(registry: &Distribution, from: &str) -> Pullproof {
    repair(&registry.storage().display().to_string()).arguments([
        "--gc-stopped",
        "--apply",
        "--from",
        from,
    ])
}

#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "waited until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_full_disk_of_a_registry_stays_as_it_is() {
    let _quiet = without_collections();
    let registry = Distribution::open();
    let Some(small) = Small::at(&registry.storage(), "8m") else {
        return;
    };
    let mirror = Distribution::open();
    let image = registry.image(NAME, &platforms(2).layer_size(300_000));
    mirror.push(NAME, &image);
    registry.damage("team/app", image.layer(0, 0), Damage::Truncated);
    let damaged = std::fs::read(registry.data(image.layer(0, 0))).unwrap();
    let filler = small.fill();
    let full = mend(&registry, &mirror.host()).run().exits(1);
    assert_eq!(actions(&full), [act("replace", image.layer(0, 0), false)]);
    let reason = &reasons(&full)[image.layer(0, 0)];
    let said = format!("{reason}{}", full.stderr);
    assert!(said.contains("No space left on device"), "{full}");
    assert_eq!(
        std::fs::read(registry.data(image.layer(0, 0))).unwrap(),
        damaged
    );
    std::fs::remove_file(filler).unwrap();
    mend(&registry, &mirror.host()).run().exits(0);
}

#[test]
fn a_full_directory_for_temporary_files_is_named() {
    let registry = Registry::start();
    registry.writable();
    let mirror = Registry::start();
    let image = registry.image(NAME, &platforms(1).layer_size(300_000));
    mirror.serve(NAME, &image);
    registry.lose_in("team/app", image.layer(0, 0));
    let folder = Scratch::new("temporary");
    let Some(_small) = Small::at(folder.path(), "64k") else {
        return;
    };
    let run = || repair(&registry.reference(NAME)).arguments(["--from", &mirror.host(), "--apply"]);
    let full = run()
        .variable("TMPDIR", folder.path().display().to_string())
        .run()
        .exits(1);
    let reason = &reasons(&full)[image.layer(0, 0)];
    assert!(reason.contains("temporary file"), "{reason}");
    assert!(reason.contains("No space left on device"), "{reason}");
    assert_eq!(registry.writes(), Vec::<String>::new());
    let missing = run().variable("TMPDIR", "/does/not/exist").run().exits(1);
    let reason = &reasons(&missing)[image.layer(0, 0)];
    assert!(reason.contains("no temporary file"), "{reason}");
    run().run().exits(0);
}

#[test]
fn a_registry_that_goes_away_is_left_with_what_was_done() {
    let mut registry = Distribution::open();
    let mirror = Registry::start();
    let image = registry.image(NAME, &platforms(2));
    mirror.serve(NAME, &image);
    let lost = [image.layer(0, 0), image.layer(1, 0)];
    for digest in lost {
        registry.damage("team/app", digest, Damage::Deleted);
    }
    registry.restart();
    // Its whole content, and not only the end of it, which is asked for first.
    mirror
        .on("GET", lost[1])
        .after(1)
        .delays(Duration::from_secs(2));
    let run = |registry: &Distribution| {
        repair(&registry.reference(NAME)).arguments(["--from", &mirror.host(), "--apply"])
    };
    let running = run(&registry).arguments(["--attempts", "2"]).start();
    let first = registry.data(lost[0]);
    until("the first is there", || first.exists());
    // And its answer has come.
    std::thread::sleep(Duration::from_millis(500));
    registry.stop();
    let ended = running.wait().exits(8);
    let done = actions(&ended);
    assert!(done.contains(&act("upload", lost[0], true)), "{done:?}");
    assert!(done.contains(&act("upload", lost[1], false)), "{done:?}");
    assert!(reasons(&ended)[lost[1]].contains("failed"), "{ended}");
    registry.start();
    let rest = run(&registry).run().exits(0);
    assert_eq!(actions(&rest), [act("upload", lost[1], true)]);
    verify(&registry.reference(NAME)).run().passes();
}

/// The names in a registry's own folder that are not distribution's.
fn strangers(registry: &Distribution) -> Vec<String> {
    let tree = registry.storage().join("docker/registry/v2");
    let names = std::fs::read_dir(tree).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("pullproof")).collect()
}

#[test]
fn a_kill_beside_a_disk_leaves_nothing_worse() {
    let _quiet = without_collections();
    for wait in [0, 5, 20, 60] {
        let mut registry = Distribution::open();
        let mirror = Distribution::open();
        let image = registry.image(NAME, &platforms(3).layers(4).layer_size(2_000_000));
        mirror.push(NAME, &image);
        let layers = (0..3).flat_map(|place| (0..4).map(move |layer| (place, layer)));
        for (place, layer) in layers {
            registry.damage("team/app", image.layer(place, layer), Damage::Truncated);
        }
        registry.damage("team/app", image.child(0), Damage::Unlinked);
        registry.restart();
        let before = verify(&registry.reference(NAME)).run().report().faults();
        let running = mend(&registry, &mirror.host()).start();
        let journal = registry.storage().join("pullproof-repair.journal");
        until("it writes", || {
            std::fs::metadata(&journal).is_ok_and(|file| file.len() > 0)
        });
        std::thread::sleep(Duration::from_millis(wait));
        running.signal("KILL");
        running.wait();
        registry.restart();
        let after = verify(&registry.reference(NAME)).run().report().faults();
        // What was below the manifest that was gone shows with it.
        for digest in after.keys().filter(|digest| !before.contains_key(*digest)) {
            assert!(before.contains_key(image.child(0)), "{digest} is worse");
        }
        mend(&registry, &mirror.host()).run().exits(0);
        assert_eq!(strangers(&registry), Vec::<String>::new());
        registry.restart();
        verify(&registry.reference(NAME)).run().passes();
    }
}

#[test]
fn two_at_once_beside_a_disk_do_no_harm() {
    let _quiet = without_collections();
    let mut registry = Distribution::open();
    let mirror = Distribution::open();
    let image = registry.image(NAME, &platforms(3).layer_size(500_000));
    mirror.push(NAME, &image);
    for place in 0..3 {
        registry.damage("team/app", image.layer(place, 0), Damage::Truncated);
        registry.damage("team/app", image.child(place), Damage::Unlinked);
    }
    let runs = [(); 3].map(|()| mend(&registry, &mirror.host()).start());
    let ended = runs.map(|run| run.wait());
    let codes: Vec<Option<i32>> = ended.iter().map(|run| run.code).collect();
    assert!(codes.contains(&Some(0)), "{codes:?}: {}", ended[0]);
    // The others were refused, or came when everything was done.
    for run in &ended {
        assert!(matches!(run.code, Some(0 | 1 | 8)), "{run}");
    }
    assert_eq!(strangers(&registry), Vec::<String>::new());
    registry.restart();
    verify(&registry.reference(NAME)).run().passes();
    mend(&registry, &mirror.host()).run().exits(0);
}

#[test]
fn more_blobs_than_files_may_be_open_are_found() {
    const LAYERS: usize = 300;
    let _quiet = without_collections();
    let registry = Distribution::open();
    let image = registry.image(NAME, &platforms(1).layers(LAYERS).layer_size(64));
    for layer in 0..LAYERS {
        registry.damage("team/app", image.layer(0, layer), Damage::Unlinked);
    }
    let planned = Command::new("sh")
        .args(["-c", "ulimit -n 128 && exec \"$0\" \"$@\""])
        .arg(binary())
        .args(["repair", "--gc-stopped", "--format", "json"])
        .arg(registry.storage())
        .env_clear()
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&planned.stdout);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let plan = report["plan"].as_array().unwrap();
    let linked = plan.iter().filter(|step| step["action"] == "link");
    assert_eq!(linked.count(), LAYERS);
}
