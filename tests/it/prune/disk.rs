//! On the disk of a real registry that is stopped, and on trees that nobody serves.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::RwLockReadGuard;
use std::time::{Duration, Instant, SystemTime};

use super::{manifests, prune, signed_without_a_tag, tags};
use crate::support::command::{Pullproof, pullproof, verify};
use crate::support::distribution::{Distribution, as_a_collection, without_collections};
use crate::support::image::{Image, index_of};
use crate::support::recipe::{platforms, single};
use crate::support::scratch::Scratch;
use crate::support::tree::{Tree, write};

const APP: &str = "team/app";

/// Meanwhile no other test collects garbage.
type Quiet = RwLockReadGuard<'static, ()>;

/// A registry with three images that share layers, and have attestations.
fn registry() -> (Distribution, Vec<Image>, Quiet) {
    let quiet = without_collections();
    let registry = Distribution::open();
    let image = |seed: u64| {
        let recipe = platforms(2).attested().shared(1).seed(seed);
        registry.image(&format!("{APP}:v{seed}"), &recipe)
    };
    let images = (1..=3).map(image).collect();
    (registry, images, quiet)
}

fn storage(registry: &Distribution) -> String {
    registry.storage().display().to_string()
}

/// `pullproof prune DIR` that may delete.
fn apply(directory: &str) -> Pullproof {
    prune(directory).arguments(["--gc-stopped", "--apply", "--max-deleted", "100%"])
}

fn deleted(done: bool) -> (String, bool) {
    ("delete".to_owned(), done)
}

fn kept() -> (String, bool) {
    ("keep".to_owned(), false)
}

/// What the data of all content needs, in bytes.
fn bytes(directory: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        sum += if path.is_dir() {
            bytes(&path)
        } else {
            fs::metadata(path).unwrap().len()
        };
    }
    sum
}

#[test]
fn what_goes_is_gone_for_the_registry_and_a_plain_collection_frees_what_the_plan_said() {
    let (mut registry, images, quiet) = registry();
    // It shares a child with an image that goes.
    let mut shared = images[0].clone();
    let child = images[0].images[0].manifest.clone();
    let index = shared.document(&index_of(&[child]));
    let shared = shared.begins_with(&index);
    registry.push(&format!("{APP}:shared"), &shared);
    registry.push(&format!("{APP}:also-v2"), &images[1]);
    registry.stop();
    let disk = storage(&registry);
    let rules = ["--keep", "v3,shared,also-v2"];
    let planned = prune(&disk).arguments(rules).run().exits(0);
    assert_eq!(tags(&planned)["v1"], deleted(false));
    let text = pullproof()
        .arguments(["prune", &disk, "--min-age", "0s", "--format", "text"])
        .arguments(rules)
        .run()
        .exits(0);
    let done = apply(&disk)
        .arguments(rules)
        .arguments(["--backup", "none"])
        .run()
        .exits(0);
    assert_eq!(tags(&done)["v1"], deleted(true));
    // Here a tag goes alone, although another one has its digest.
    assert_eq!(tags(&done)["v2"], deleted(true));
    assert_eq!(tags(&done)["also-v2"], kept());
    let gone: BTreeSet<String> = manifests(&done).into_keys().collect();
    let expected = [
        images[0].root(),
        images[0].child(1),
        images[0].attestation(0),
        images[0].attestation(1),
    ];
    assert_eq!(gone, expected.map(str::to_owned).into());
    assert!(manifests(&done).values().all(|done| *done), "{done}");
    registry.start();
    let check = |registry: &Distribution| {
        for tag in ["v3", "shared", "also-v2"] {
            let reference = registry.reference(&format!("{APP}:{tag}"));
            verify(&reference).argument("--depth=full").run().passes();
        }
        for name in ["v1", "v2"] {
            verify(&registry.reference(&format!("{APP}:{name}")))
                .run()
                .exits(1);
        }
        for digest in expected {
            verify(&registry.reference(&format!("{APP}@{digest}")))
                .run()
                .exits(1);
        }
    };
    check(&registry);
    let blobs = registry.root().join("blobs");
    let before = bytes(&blobs);
    drop(quiet);
    registry.stop().garbage_collect().start();
    let freed = before - bytes(&blobs);
    let needed = [&images[1], &images[2], &shared]
        .into_iter()
        .flat_map(Image::reachable);
    let needed: BTreeSet<String> = needed.collect();
    let gone = images[0].reachable();
    let gone = gone.iter().filter(|digest| !needed.contains(*digest));
    let gone: usize = gone
        .map(|one| images[0].content(one).unwrap().bytes.len())
        .sum();
    assert_eq!(freed, gone as u64);
    let said = said_to_be_freed(&text.stdout);
    let freed = f64::from(u32::try_from(freed).unwrap());
    assert!((said - freed).abs() <= freed / 20.0, "{freed}: {text}");
    check(&registry);
}

/// The number of bytes that a text says to be freed.
fn said_to_be_freed(text: &str) -> f64 {
    let said = text.split("frees about ").nth(1).expect("it says so");
    let mut words = said.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    let unit = match words.next().unwrap() {
        "B" | "bytes" => 1.0,
        "kB" => 1e3,
        "KiB" => 1024.0,
        other => panic!("{other}"),
    };
    number * unit
}

#[test]
fn the_backup_brings_everything_back_to_the_disk() {
    let (mut registry, images, _quiet) = registry();
    registry.stop();
    let (disk, backup) = (storage(&registry), Scratch::new("backup"));
    let folder = backup.path().join("layout").display().to_string();
    let done = apply(&disk)
        .arguments(["--keep", "v3", "--backup", &folder])
        .run()
        .exits(0);
    assert_eq!(tags(&done)["v1"], deleted(true));
    for digest in [images[0].root(), images[1].child(1)] {
        let saved = Path::new(&folder)
            .join("blobs")
            .join(digest.replace(':', "/"));
        assert_eq!(fs::read(saved).unwrap(), images_content(&images, digest));
    }
    pullproof()
        .arguments(["repair", &disk, "--settle", "0s", "--backoff", "10ms"])
        .arguments([
            "--from",
            &format!("oci:{folder}"),
            "--gc-stopped",
            "--apply",
        ])
        .run()
        .exits(0);
    registry.start();
    for seed in 1..=3 {
        let reference = registry.reference(&format!("{APP}:v{seed}"));
        verify(&reference).argument("--depth=full").run().passes();
    }
}

fn images_content(images: &[Image], digest: &str) -> Vec<u8> {
    let found = images.iter().find_map(|image| image.content(digest));
    found.unwrap().bytes.to_vec()
}

/// With the registry beside it, which only reads.
#[test]
fn the_backup_brings_everything_back_over_http_too() {
    let (mut registry, _, _quiet) = registry();
    let (disk, backup) = (storage(&registry), Scratch::new("backup"));
    let folder = backup.path().join("layout").display().to_string();
    apply(&disk)
        .arguments(["--keep", "v3", "--backup", &folder])
        .run()
        .exits(0);
    registry.restart();
    verify(&registry.reference(&format!("{APP}:v1")))
        .run()
        .exits(1);
    pullproof()
        .arguments(["repair", &registry.reference(APP), "--settle", "0s"])
        .arguments(["--from", &format!("oci:{folder}"), "--apply"])
        .run()
        .exits(0);
    for seed in 1..=3 {
        verify(&registry.reference(&format!("{APP}:v{seed}")))
            .run()
            .passes();
    }
}

/// A tree with so many tags `v1`, `v2` and so on.
fn tree(tags: u64) -> (Tree, Vec<Image>) {
    let tree = Tree::new();
    let image = |seed: u64| {
        let image = platforms(2).shared(1).seed(seed).make();
        tree.push(&format!("{APP}:v{seed}"), &image);
        image
    };
    let images = (1..=tags).map(image).collect();
    (tree, images)
}

fn path(tree: &Tree) -> String {
    tree.path().display().to_string()
}

#[test]
fn the_age_of_a_tag_is_that_of_its_link_and_never_that_of_its_directory() {
    let (tree, _) = tree(3);
    let now = SystemTime::now();
    let hours = |hours: u64| now - Duration::from_secs(3600 * hours);
    for (tag, link, directory) in [("v1", 1, 30), ("v2", 20, 2), ("v3", 30, 1)] {
        let link_path = tree.tag(APP, tag);
        let file = File::options().write(true).open(&link_path).unwrap();
        file.set_modified(hours(link)).unwrap();
        for above in link_path.ancestors().skip(1).take(2) {
            File::open(above)
                .unwrap()
                .set_modified(hours(directory))
                .unwrap();
        }
    }
    let newest = prune(&path(&tree)).arguments(["--keep-newest", "1"]).run();
    assert_eq!(tags(&newest)["v1"], kept(), "{newest}");
    assert_eq!(tags(&newest)["v2"], deleted(false), "{newest}");
    let younger = prune(&path(&tree))
        .arguments(["--keep-younger", "25h"])
        .run();
    assert_eq!(tags(&younger)["v2"], kept(), "{younger}");
    assert_eq!(tags(&younger)["v3"], deleted(false), "{younger}");
    let too_young = pullproof()
        .arguments(["prune", &path(&tree), "--format", "json"])
        .arguments(["--keep", "v3", "--min-age", "2h"])
        .run();
    assert_eq!(tags(&too_young)["v1"], kept(), "{too_young}");
    assert_eq!(tags(&too_young)["v2"], deleted(false), "{too_young}");
}

#[test]
fn without_the_promise_and_while_garbage_is_collected_nothing_is_deleted() {
    let (tree, _) = tree(2);
    let before = everything(tree.path());
    let arguments = ["--keep", "v2", "--apply", "--backup", "none"];
    let refused = prune(&path(&tree)).arguments(arguments).run().exits(2);
    assert!(refused.stderr.contains("--gc-stopped"), "{refused}");
    let refused = as_a_collection(|| {
        let mut collector = Command::new("sh")
            .args(["-c", "sleep 60; true", "registry", "garbage-collect"])
            .spawn()
            .unwrap();
        let refused = apply(&path(&tree)).arguments(arguments).run();
        collector.kill().unwrap();
        collector.wait().unwrap();
        refused.exits(2)
    });
    let why = "nothing is deleted: a garbage collection is running";
    assert!(refused.stderr.contains(why), "{refused}");
    assert_eq!(everything(tree.path()), before);
    // The plan alone needs no promise, and changes nothing.
    let planned = prune(&path(&tree))
        .arguments(["--keep", "v2"])
        .run()
        .exits(0);
    assert_eq!(tags(&planned)["v1"], deleted(false));
    assert_eq!(everything(tree.path()), before);
}

/// All that is below a directory, with the targets of links; nothing is followed or waited for.
fn everything(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            found.insert(format!("{} {}", path.display(), metadata.len()));
            if metadata.is_dir() {
                open.push(path);
            }
        }
    }
    found
}

#[test]
fn a_storage_that_nothing_is_deleted_from_is_refused() {
    let (tree, _) = tree(2);
    let rules = ["--keep", "v2"];
    let refused = |target: &str| {
        let refused = apply(target)
            .arguments(rules)
            .arguments(["--backup", "none"]);
        refused.run().exits(2).report().error().to_owned()
    };
    write(&tree.path().join("scheduler-state.json"), "{}");
    let why = refused(&path(&tree));
    assert!(why.contains("a pull-through cache"), "{why}");
    let scratch = Scratch::new("zot");
    let zot = scratch.path().join("zot");
    write(
        &zot.join("app/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    );
    write(
        &zot.join("app/index.json"),
        r#"{"schemaVersion":2,"manifests":[]}"#,
    );
    let why = refused(&zot.display().to_string());
    assert!(why.contains("is the storage of zot"), "{why}");
    let why = refused(&format!("oci:{}", zot.join("app").display()));
    assert!(why.contains("cannot be pruned"), "{why}");
}

#[test]
fn symbolic_links_and_pipes_among_tags_are_harmless() {
    let _quiet = without_collections();
    let (tree, _) = tree(3);
    let other = single().seed(9).make();
    for tag in ["old", "kept"] {
        tree.push(&format!("other:{tag}"), &other);
    }
    let outside = Scratch::new("outside");
    write(&outside.path().join("current/link"), "secret");
    let tag = |name: &str, tag: &str| tree.repository(name, &format!("_manifests/tags/{tag}"));
    // A registry follows it, so that what it leads to may not go.
    symlink("../../../v1", tag(APP, "linked")).unwrap();
    symlink(outside.path(), tag(APP, "outside")).unwrap();
    fifo(&tag("other", "pipe"));
    fifo(&tag("other", "old/current/pipe"));
    let before = everything(tree.path());
    let done = apply(&path(&tree))
        .arguments(["--keep", "v3,kept", "--backup", "none"])
        .run()
        .exits(8);
    assert_eq!(everything(tree.path()), before);
    assert!(!tags(&done).contains_key("v1"), "{done}");
    assert_eq!(tags(&done)["old"], deleted(false));
    let text = done.stdout.clone();
    assert!(text.contains("a symbolic link is among its tags"), "{done}");
    assert!(
        text.contains("old/current/pipe is nothing that a registry writes there"),
        "{done}"
    );
    assert!(outside.path().join("current/link").exists());
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A repository that has its tags in another one may not delete them there.
#[test]
fn a_repository_whose_tags_are_elsewhere_is_left_alone() {
    let _quiet = without_collections();
    let (tree, _) = tree(3);
    fs::create_dir_all(tree.repository("cache/app", "_layers")).unwrap();
    let manifests = tree.repository("cache/app", "_manifests");
    fs::create_dir(&manifests).unwrap();
    for part in ["tags", "revisions"] {
        let target = format!("../../../team/app/_manifests/{part}");
        symlink(target, manifests.join(part)).unwrap();
    }
    let before = everything(tree.path());
    let policy = "cache/*: {keep: [v3]}";
    apply(&path(&tree))
        .arguments(["--policy", policy, "--backup", "none"])
        .run()
        .exits(4);
    assert_eq!(everything(tree.path()), before);
}

#[test]
fn a_tag_that_leads_nowhere_is_swept_out() {
    let _quiet = without_collections();
    let (tree, images) = tree(3);
    fs::remove_file(tree.data(images[0].root())).unwrap();
    fs::write(tree.tag(APP, "v2"), "").unwrap();
    let swept = apply(&path(&tree))
        .arguments(["--delete-broken", "--backup", "none"])
        .run()
        .exits(0);
    assert_eq!(tags(&swept)["v1"], deleted(true));
    assert_eq!(tags(&swept)["v2"], deleted(true));
    assert_eq!(tags(&swept)["v3"], kept());
    for tag in ["v1", "v2"] {
        assert!(
            !tree
                .repository(APP, &format!("_manifests/tags/{tag}"))
                .exists()
        );
    }
    // It would stop a collection.
    assert!(!tree.revision(APP, images[0].root()).exists());
    pullproof()
        .arguments(["audit", &path(&tree)])
        .run()
        .exits(0);
}

/// Several hundred tags come in several parts, and are planned together.
#[test]
fn a_large_repository_is_planned_as_a_whole() {
    let _quiet = without_collections();
    let tree = Tree::new();
    let image = platforms(2).seed(1).make();
    for tag in 0..450 {
        tree.push(&format!("{APP}:t{tag:03}"), &image);
    }
    let own = single().seed(2).make();
    tree.push(&format!("{APP}:own"), &own);
    let done = apply(&path(&tree))
        .arguments(["--keep", "t449", "--backup", "none"])
        .run()
        .exits(0);
    assert_eq!(tags(&done).len(), 451);
    let gone: Vec<String> = manifests(&done).into_keys().collect();
    assert_eq!(gone, [own.root()]);
    let left = fs::read_dir(tree.repository(APP, "_manifests/tags")).unwrap();
    assert_eq!(left.count(), 1);
    pullproof()
        .arguments(["audit", &path(&tree)])
        .run()
        .exits(0);
}

#[test]
fn a_kill_at_any_moment_harms_nothing_that_stays_and_the_next_run_finishes() {
    let _quiet = without_collections();
    let mut unfinished = 0;
    for round in 0..12 {
        let (tree, _) = tree(30);
        let backup = Scratch::new("backup");
        let folder = backup.path().join("layout").display().to_string();
        let tags = tree.repository(APP, "_manifests/tags");
        let left = || fs::read_dir(&tags).unwrap().count();
        let run = || {
            let rules = ["--keep", "v1?", "--backup", &folder];
            apply(&path(&tree)).arguments(rules)
        };
        let child = run().start();
        // Twenty of them go.
        let until = Instant::now() + Duration::from_secs(30);
        while left() > 30 - round && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.signal("KILL");
        child.wait();
        unfinished += usize::from(left() > 10);
        pullproof()
            .arguments(["audit", &path(&tree)])
            .run()
            .exits(0);
        run().run().exits(0);
        assert_eq!(left(), 10);
        let revisions = tree.repository(APP, "_manifests/revisions/sha256");
        // An index and two children for each tag.
        assert_eq!(
            fs::read_dir(revisions).unwrap().count(),
            30,
            "round {round}"
        );
        pullproof()
            .arguments(["audit", &path(&tree)])
            .run()
            .exits(0);
    }
    assert!(unfinished > 6, "{unfinished}");
}

#[test]
fn what_a_signature_belongs_to_stays_whole_without_a_tag() {
    let _quiet = without_collections();
    let mut registry = Distribution::open();
    let signed = signed_without_a_tag(&registry);
    registry.stop();
    apply(&storage(&registry))
        .arguments(["--keep", "v1", "--backup", "none"])
        .run()
        .exits(0);
    registry.start();
    verify(&registry.reference(&format!("{APP}:old")))
        .run()
        .exits(1);
    let reference = registry.reference(&format!("{APP}@{}", signed.root()));
    verify(&reference).run().passes();
}
