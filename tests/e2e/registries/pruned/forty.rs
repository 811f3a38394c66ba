//! Forty tags that share layers and children, of which ten stay.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{collected, content, deleted, frees, prune, restore};
use crate::registries::real::Registry;
use crate::support::command::verify;
use crate::support::distribution::{Distribution, Door, push};
use crate::support::image::{Image, index_of};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;
use crate::support::skopeo;

const ALL: usize = 40;
const KEPT: usize = 10;
const REPOSITORY: &str = "team/app";

fn tagged(place: usize) -> String {
    format!("{REPOSITORY}:v{place}")
}

/// The images, the oldest first. All have a layer in common, and every fourth lists the children of
/// an older one, too; one of these stays while the older one goes.
fn images() -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    for place in 0..ALL {
        let day = format!("2024-{:02}-{:02}T12:00:00Z", 1 + place / 28, 1 + place % 28);
        let recipe = platforms(2).attested().shared(1).base(7).created(&day);
        let image = recipe.seed(100 + place as u64).make();
        images.push(match place {
            5.. if place % 4 == 0 => joined(&image, &images[place - 5]),
            _ => image,
        });
    }
    images
}

/// An index of the children of both.
fn joined(one: &Image, other: &Image) -> Image {
    let mut both = Image::empty();
    for (digest, content) in other.contents().chain(one.contents()) {
        if digest != one.root() && digest != other.root() {
            let bytes = content.bytes.to_vec();
            both.put(
                content.manifest,
                &content.media_type,
                digest.to_owned(),
                bytes,
            );
        }
    }
    let parts = |image: &Image| [image.images.clone(), image.attestations.clone()].concat();
    let children = [parts(one), parts(other)].concat();
    let children: Vec<_> = children.into_iter().map(|parts| parts.manifest).collect();
    let root = both.document(&index_of(&children));
    both.images = [one.images.clone(), other.images.clone()].concat();
    both.attestations = [one.attestations.clone(), other.attestations.clone()].concat();
    both.begins_with(&root)
}

fn push_all(door: &Door, images: &[Image], places: impl IntoIterator<Item = usize>) {
    for place in places {
        push(door, &tagged(place), &images[place]);
    }
}

/// Prunes all but the newest ten, and says what that frees.
#[track_caller]
fn pruned(host: &str, backup: &str) -> u64 {
    let done = prune(&format!("{host}/{REPOSITORY}"), None)
        .arguments(["--keep-newest", &KEPT.to_string(), "--max-deleted", "80%"])
        .arguments(["--backup", backup])
        .run()
        .exits(0);
    let gone: Vec<String> = (0..ALL - KEPT).map(|place| format!("v{place}")).collect();
    let expected: BTreeMap<_, _> = gone.into_iter().map(|tag| (tag, true)).collect();
    assert_eq!(deleted(&done.report()), expected);
    frees(&done.report())
}

/// Every tag that was kept can be copied with all its platforms, and no other is there.
#[track_caller]
fn assert_kept(host: &str) {
    for place in ALL - KEPT..ALL {
        let reference = format!("{host}/{}", tagged(place));
        let (pulls, printed) = skopeo::pulls(&reference);
        assert!(pulls, "{reference}: {printed}");
        verify(&reference).run().passes();
    }
    for place in 0..ALL - KEPT {
        verify(&format!("{host}/{}", tagged(place))).run().exits(1);
    }
}

fn blobs(registry: &Distribution) -> PathBuf {
    registry.root().join("blobs")
}

fn bytes(files: &BTreeMap<String, Vec<u8>>) -> u64 {
    files.values().map(Vec::len).sum::<usize>() as u64
}

/// What a collection leaves is what a registry has to which only the kept were pushed. The
/// repository's own directory cannot be: a collection leaves the links of layers, and empty
/// directories.
fn shrinks(start: fn() -> Distribution) {
    let (mut registry, fresh) = (start(), start());
    let images = images();
    push_all(&registry.door(), &images, 0..ALL);
    push_all(&fresh.door(), &images, ALL - KEPT..ALL);
    let before = bytes(&content(&blobs(&registry)));
    let frees = pruned(&registry.host(), "none");
    collected(&mut registry);
    assert_kept(&registry.host());
    let (left, expected) = (content(&blobs(&registry)), content(&blobs(&fresh)));
    assert!(left == expected, "{:?}\n{:?}", left.keys(), expected.keys());
    assert_eq!(before - bytes(&left), frees);
    let manifests = |registry: &Distribution| {
        let directory = registry.repository(REPOSITORY).join("_manifests");
        content(&directory)
    };
    assert_eq!(manifests(&registry), manifests(&fresh));
    // Once more, there is nothing to do.
    let again = prune(&registry.reference(REPOSITORY), None)
        .arguments(["--keep-newest", &KEPT.to_string(), "--backup", "none"])
        .run()
        .exits(0);
    assert_eq!(super::frees(&again.report()), 0);
}

/// Every tag that was deleted comes back from the backup, as it was.
fn comes_back(start: fn() -> Distribution) {
    let registry = start();
    let images = images();
    push_all(&registry.door(), &images, 0..ALL);
    let backup = Scratch::new("backup");
    let folder = backup.path().join("layout").display().to_string();
    pruned(&registry.host(), &folder);
    assert_kept(&registry.host());
    restore(&registry.reference(REPOSITORY), &folder, None)
        .run()
        .exits(0);
    for (place, image) in images.iter().enumerate() {
        let reference = registry.reference(&tagged(place));
        let report = verify(&reference).run().passes();
        assert_eq!(report.images()[0]["digest"], image.root(), "{reference}");
    }
}

mod debian {
    use std::fs;

    use super::{ALL, Distribution, KEPT, REPOSITORY, Registry, images, push_all, skopeo, tagged};
    use crate::support::command::verify;

    #[test]
    fn storage_shrinks_to_what_was_kept() {
        super::shrinks(Distribution::open);
    }

    #[test]
    fn all_that_was_deleted_comes_back_before_a_collection() {
        super::comes_back(Distribution::open);
    }

    /// What people did before: it takes the children of the tags that stay.
    #[test]
    fn the_old_way_loses_the_children_of_what_was_kept() {
        let mut registry = Distribution::open();
        let images = images();
        push_all(&registry.door(), &images, 0..ALL);
        for place in 0..ALL - KEPT {
            let tags = registry.repository(REPOSITORY).join("_manifests/tags");
            fs::remove_dir_all(tags.join(format!("v{place}"))).expect("the directory is ours");
        }
        registry.stop().garbage_collect_untagged().start();
        for (place, image) in images.iter().enumerate().skip(ALL - KEPT) {
            let reference = registry.reference(&tagged(place));
            assert!(!skopeo::pulls(&reference).0, "{reference}");
            let faults = verify(&reference).run().exits(1).report().faults();
            let parts = image.images.iter().chain(&image.attestations);
            let children = parts.map(|parts| (parts.manifest.digest(), "missing"));
            let children = children.map(|(digest, fault)| (digest.to_owned(), fault.to_owned()));
            assert_eq!(faults, children.collect(), "{reference}");
        }
    }
}

mod distribution {
    use crate::registries::distribution::start;

    #[test]
    fn storage_shrinks_to_what_was_kept() {
        super::shrinks(start);
    }

    #[test]
    fn all_that_was_deleted_comes_back_before_a_collection() {
        super::comes_back(start);
    }
}

mod zot {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;

    use serde_json::{Value, json};

    use super::{ALL, KEPT, REPOSITORY, assert_kept, content, images, pruned, push_all};
    use crate::registries::real::Registry;
    use crate::registries::server::Server;
    use crate::registries::zot::start;
    use crate::until;

    /// Starts it again with its own collection.
    fn collecting(registry: &mut Server) {
        let path = registry.path().join("zot.json");
        let text = fs::read(&path).expect("it was written");
        let mut settings: Value = serde_json::from_slice(&text).expect("it is JSON");
        for (name, value) in [
            ("gc", json!(true)),
            ("gcDelay", json!("1s")),
            ("gcInterval", json!("1s")),
        ] {
            settings["storage"][name] = value;
        }
        registry.stop();
        fs::write(&path, settings.to_string()).expect("the directory is ours");
        registry.start();
    }

    fn blobs(registry: &Server) -> BTreeMap<String, Vec<u8>> {
        content(&registry.layout(REPOSITORY).join("blobs"))
    }

    /// What its index lists: digests with their tags.
    fn listed(registry: &Server) -> BTreeSet<String> {
        let path = registry.layout(REPOSITORY).join("index.json");
        let text = fs::read(path).expect("a layout has an index");
        let index: Value = serde_json::from_slice(&text).expect("it is JSON");
        let manifests = index["manifests"].as_array().expect("it lists manifests");
        let place = |one: &Value| format!("{} {}", one["digest"], one["annotations"]);
        manifests.iter().map(place).collect()
    }

    /// zot collects by itself, and deletes manifests at once.
    #[test]
    fn storage_shrinks_to_what_was_kept() {
        let (mut registry, fresh) = (start(), start());
        let images = images();
        push_all(&registry.door(), &images, 0..ALL);
        push_all(&fresh.door(), &images, ALL - KEPT..ALL);
        let before = super::bytes(&blobs(&registry));
        let frees = pruned(registry.host(), "none");
        collecting(&mut registry);
        let expected = blobs(&fresh);
        until("zot has collected", || blobs(&registry) == expected);
        assert_eq!(before - super::bytes(&expected), frees);
        assert_eq!(listed(&registry), listed(&fresh));
        assert_kept(registry.host());
    }
}
