//! Lists of more names than a page has: an audit sees every tag exactly once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::TEAM;
use super::gitea::Gitea;
use super::server::Server;
use crate::support::command::pullproof;
use crate::support::distribution::{Distribution, Door, push, put_root};
use crate::support::image::Image;
use crate::support::recipe::single;

/// How many repositories with one tag there are, and how many tags another repository has: more than
/// the largest page has.
const MANY: usize = 1_003;

/// The same for Gitea, whose largest page has a hundred.
const GITEAS: usize = 203;

/// The repository that everything else is a copy of.
const FIRST: &str = "team/first";

fn image() -> Image {
    single().layers(1).make()
}

fn repositories(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("{TEAM}/app-{number}"))
}

fn tags(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("v{number}"))
}

/// Audits everything, and fails unless every tag is there once.
#[track_caller]
fn sees_every_tag_once(host: &str, count: usize) {
    let finished = pullproof()
        .arguments(["audit", host, "--format", "json", "--depth", "head"])
        .arguments(["--concurrency", "16"])
        .patience(Duration::from_secs(600))
        .run()
        .exits(0);
    let report = finished.report();
    let images = report.images();
    let name = |image: &&Value| {
        let reference = image["reference"].as_str().unwrap();
        reference.split_once('/').unwrap().1.to_owned()
    };
    let seen: BTreeSet<String> = images.iter().map(name).collect();
    let mut expected: BTreeSet<String> = repositories(count).map(|name| name + ":v0").collect();
    expected.extend(tags(count).map(|tag| format!("{FIRST}:{tag}")));
    let missing: Vec<_> = expected.difference(&seen).collect();
    assert!(missing.is_empty(), "not seen: {missing:?}");
    assert_eq!(images.len(), expected.len(), "something is there twice");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is ours");
    for entry in fs::read_dir(from).expect("it is there") {
        let path = entry.expect("it can be read").path();
        let to = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("the directory is ours");
        }
    }
}

/// Everything on the disk of a distribution.
fn fill_distribution(registry: &Distribution) {
    registry.push(&format!("{FIRST}:v0"), &image());
    let first = registry.repository(FIRST);
    for name in repositories(MANY) {
        copy(&first, &registry.repository(&name));
    }
    let own = first.join("_manifests/tags");
    for tag in tags(MANY).skip(1) {
        copy(&own.join("v0"), &own.join(tag));
    }
}

/// Everything on the disk of a zot.
fn fill_zot(registry: &mut Server) {
    let door = Door::open(registry.host());
    push(&door, &format!("{FIRST}:v0"), &image());
    registry.stop();
    let first = registry.layout(FIRST);
    for name in repositories(MANY) {
        copy(&first, &registry.layout(&name));
    }
    let path = first.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entry = index["manifests"][0].clone();
    let tagged = tags(MANY).map(|tag| {
        let mut entry = entry.clone();
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        entry
    });
    index["manifests"] = tagged.collect();
    fs::write(&path, index.to_string()).unwrap();
    registry.start();
}

/// Everything by pushes: Gitea keeps its lists in a database.
fn fill_gitea(gitea: &Gitea) {
    let image = image();
    push(&gitea.door, &format!("{FIRST}:v0"), &image);
    for tag in tags(GITEAS).skip(1) {
        put_root(&gitea.door, &format!("{FIRST}:{tag}"), &image);
    }
    for name in repositories(GITEAS) {
        push(&gitea.door, &format!("{name}:v0"), &image);
    }
}

macro_rules! on {
    ($($name:ident: $test:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "each needs one of them")]
            use super::*;

            #[test]
            fn an_audit_sees_every_tag_once() $test
        }
    )+};
}

/// Pages as large as by default, and small ones.
fn see_every_page(registry: Distribution) {
    fill_distribution(&registry);
    sees_every_tag_once(&registry.host(), MANY);
    let registry = registry.with_catalog_of(7);
    sees_every_tag_once(&registry.host(), MANY);
}

on! {
    debian: { see_every_page(Distribution::open()) }
    distribution: { see_every_page(crate::registries::distribution::start()) }
    gitea: {
        let gitea = crate::registries::gitea::start();
        fill_gitea(&gitea);
        sees_every_tag_once(gitea.server.host(), GITEAS);
    }
    zot: {
        let mut registry = crate::registries::zot::start();
        fill_zot(&mut registry);
        sees_every_tag_once(registry.host(), MANY);
    }
}
