//! `pullproof repair TARGET`: whatever an audit of it finds, and what an image layout names below it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{act, actions, repair};
use crate::support::command::{Pullproof, pullproof, verify};
use crate::support::distribution::{Distribution, without_collections, write_layout};
use crate::support::fake::Registry;
use crate::support::image::Image;
use crate::support::port;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const TAGS: [&str; 4] = ["team/app:1", "team/app:2", "team/web:1", "other/app:1"];

/// A registry in which a manifest of every tag is missing, and one that has them all.
fn pair() -> (Registry, Registry, Vec<Image>) {
    let (registry, mirror) = (Registry::start(), Registry::start());
    registry.writable();
    let image = |(name, seed): (&&str, u64)| {
        let image = platforms(2).seed(seed).make();
        registry.serve(name, &image);
        mirror.serve(name, &image);
        let (repository, _) = name.split_once(':').unwrap();
        registry.lose_in(repository, image.child(0));
        image
    };
    let images = TAGS.iter().zip(100..).map(image).collect();
    (registry, mirror, images)
}

#[test]
fn a_target_is_a_registry_a_pattern_or_a_repository() {
    for (target, options, expected) in [
        ("", &[][..], &[0, 1, 2, 3][..]),
        ("/team*", &[], &[0, 1, 2]),
        ("/team/app", &[], &[0, 1]),
        ("/team*", &["--tags", "1"], &[0, 2]),
        ("", &["--exclude", "team/web,team/app:2"], &[0, 3]),
    ] {
        let (registry, mirror, images) = pair();
        let done = repair(&format!("{}{target}", registry.host()))
            .arguments(["--from", &mirror.host(), "--apply"])
            .arguments(options.iter().copied())
            .run()
            .exits(0);
        let done: BTreeSet<_> = actions(&done).into_iter().collect();
        let expected: BTreeSet<_> = expected
            .iter()
            .map(|place: &usize| act("put", images[*place].child(0), true))
            .collect();
        assert_eq!(done, expected, "{target} {options:?}");
    }
}

#[test]
fn a_healthy_registry_is_left_alone() {
    let registry = Registry::start();
    registry.image("team/app:1", &platforms(2));
    registry.image("team/web:1", &platforms(1));
    let done = pullproof()
        .arguments(["repair", &registry.host(), "--apply", "--settle", "0s"])
        .run()
        .exits(0);
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(all.contains("nothing is missing of 2 tags"), "{done}");
}

#[test]
fn what_an_audit_remembers_comes_back_everywhere() {
    let registry = Registry::start();
    registry.writable();
    let images: Vec<Image> = (0..2)
        .map(|seed| registry.image(&format!("team/app{seed}:1"), &platforms(2).seed(seed)))
        .collect();
    let state = Scratch::new("state");
    let state = state.path().display().to_string();
    let audit = ["audit", &registry.host(), "--state", &state];
    pullproof().arguments(audit).run().exits(0);
    for (image, name) in images.iter().zip(["team/app0", "team/app1"]) {
        registry.lose_in(name, image.child(1));
    }
    let done = repair(&registry.host())
        .arguments(["--state", &state, "--apply"])
        .run()
        .exits(0);
    assert_eq!(actions(&done).len(), 2);
    for name in ["team/app0:1", "team/app1:1"] {
        verify(&registry.reference(name)).run().passes();
    }
}

#[test]
fn a_registry_that_cannot_be_asked_is_not_a_healthy_one() {
    let closed = format!("127.0.0.1:{}", port::next());
    let down = repair(&closed)
        .arguments(["--apply", "--attempts", "2"])
        .run();
    let down = down.exits(4);
    assert!(!down.stdout.contains("nothing is missing"), "{down}");
    let (registry, _, _) = pair();
    registry
        .on("GET", "/v2/_catalog")
        .refuses(404, "UNSUPPORTED");
    let none = repair(&registry.host()).argument("--apply").run();
    assert_ne!(none.code, Some(0), "{none}");
    assert!(none.stdout.contains("catalog"), "{none}");
    assert_eq!(registry.writes(), Vec::<String>::new());
}

#[test]
fn what_is_not_known_beside_what_is_repaired_stays_open() {
    let (registry, mirror, images) = pair();
    for digest in images[3].reachable() {
        let path = format!("/v2/other/app/blobs/{digest}");
        registry.on("GET", &path).answers_status(500);
    }
    registry
        .on("GET", "/v2/other/app/manifests/1")
        .answers_status(500);
    let done = repair(&registry.host())
        .arguments(["--from", &mirror.host(), "--apply", "--attempts", "2"])
        .run()
        .exits(4);
    assert_eq!(actions(&done).len(), 3);
    assert!(actions(&done).iter().all(|(_, _, done)| *done));
}

#[test]
fn what_is_broken_in_another_way_stays_broken() {
    let (registry, mirror, _) = pair();
    // A manifest whose layer is a link to nowhere: nothing is missing, and nobody can pull it.
    let mut image = Image::empty();
    let root = image.document(&json!({"schemaVersion": 2, "layers": "none", "config": 7}));
    registry.serve("broken/app:1", &image.begins_with(&root));
    let done = repair(&registry.host())
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(1);
    assert_eq!(actions(&done).len(), 4);
    assert!(actions(&done).iter().all(|(_, _, done)| *done));
    assert!(done.stdout.contains("nothing is missing of what"), "{done}");
}

#[test]
fn images_and_targets_do_not_mix() {
    let (registry, _, _) = pair();
    let mixed = repair(&registry.reference("team/app:1"))
        .argument(registry.reference("team/web"))
        .run()
        .exits(2);
    assert!(mixed.stderr.contains("in one run"), "{mixed}");
}

/// A layout as a clean-up leaves it: the manifests of images, by these names, and no blob.
fn backup(images: &[(&Image, &str)]) -> Scratch {
    let layout = Scratch::new("backup");
    let mut entries: Vec<Value> = Vec::new();
    for (image, name) in images {
        write_layout(&layout, image);
        let descriptor = image.root_descriptor().clone();
        let descriptor = descriptor.annotated("org.opencontainers.image.ref.name", name);
        entries.push(descriptor.json());
        for (digest, content) in image.contents() {
            if !content.manifest {
                let path = layout.path().join("blobs").join(digest.replace(':', "/"));
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    let index = json!({"schemaVersion": 2, "manifests": entries});
    std::fs::write(layout.path().join("index.json"), index.to_string()).unwrap();
    layout
}

fn from(target: &str, layout: &Scratch) -> Pullproof {
    let path = layout.path().display();
    repair(target).arguments(["--from", &format!("oci:{path}")])
}

#[test]
fn tags_that_a_layout_names_and_the_registry_has_not_come_back() {
    let registry = Registry::start();
    registry.writable();
    let image = |name: &str, seed| registry.image(name, &platforms(2).seed(seed));
    let gone = image("team/app:1", 1);
    let kept = image("team/app:2", 2);
    let moved = image("team/app:3", 3);
    let foreign = image("other/app:1", 4);
    let excluded = image("team/app:old", 5);
    let host = registry.host();
    let full = format!("{host}/team/app:1");
    let layout = backup(&[
        (&gone, &full),
        (&kept, "team/app:2"),
        (&moved, "team/app:3"),
        (&foreign, "other/app:1"),
        (&excluded, "team/app:old"),
        (&gone, "elsewhere.example/team/app:9"),
        (&gone, "7"),
    ]);
    for (name, tag, image) in [
        ("team/app", "1", &gone),
        ("team/app", "3", &moved),
        ("other/app", "1", &foreign),
        ("team/app", "old", &excluded),
    ] {
        registry.lose_in(name, tag);
        registry.lose_in(name, image.root());
    }
    // Somebody has pushed another image by this tag.
    let newer = image("team/app:3", 6);
    let target = format!("{host}/team*");
    let run = || from(&target, &layout).arguments(["--exclude", "team/app:old"]);
    let planned = run().run().exits(1);
    assert_eq!(
        actions(&planned),
        [
            act("put", gone.root(), false),
            act("tag", gone.root(), false)
        ],
        "{planned}"
    );
    assert_eq!(registry.writes(), Vec::<String>::new());
    let done = run().argument("--apply").run().exits(0);
    assert_eq!(
        actions(&done),
        [act("put", gone.root(), true), act("tag", gone.root(), true)]
    );
    let tagged = |name: &str, tag: &str| registry.tagged(name, tag);
    assert_eq!(tagged("team/app", "1").as_deref(), Some(gone.root()));
    assert_eq!(tagged("team/app", "3").as_deref(), Some(newer.root()));
    for (name, tag) in [("other/app", "1"), ("team/app", "old"), ("team/app", "9")] {
        assert_eq!(tagged(name, tag), None, "{name}:{tag}");
    }
    let again = run().argument("--apply").run().exits(0);
    assert!(
        again.stderr.contains("is missing or damaged in 0"),
        "{again}"
    );
}

#[test]
fn a_repository_that_has_lost_all_its_tags_gets_them_back() {
    for target in ["", "/team/app"] {
        let registry = Registry::start();
        registry.writable();
        let image = registry.image("team/app:1", &platforms(2).attested());
        let layout = backup(&[(&image, "team/app:1")]);
        registry.lose_in("team/app", "1");
        for digest in [image.root(), image.child(0), image.child(1)] {
            registry.lose_in("team/app", digest);
        }
        let done = from(&format!("{}{target}", registry.host()), &layout)
            .argument("--apply")
            .run()
            .exits(0);
        assert_eq!(actions(&done).len(), 4, "{done}");
        verify(&registry.reference("team/app:1")).run().passes();
    }
}

#[test]
fn a_layout_that_cannot_bring_back_all_of_an_image_brings_back_nothing() {
    let registry = Registry::start();
    registry.writable();
    let image = registry.image("team/app:1", &platforms(1));
    let layout = backup(&[(&image, "team/app:1")]);
    for what in ["1", image.root(), image.child(0), image.layer(0, 0)] {
        registry.lose_in("team/app", what);
    }
    let lost = from(&registry.host(), &layout)
        .argument("--apply")
        .run()
        .exits(1);
    assert!(
        actions(&lost).iter().all(|(action, ..)| action == "lost"),
        "{lost}"
    );
    assert_eq!(registry.writes(), Vec::<String>::new());
}

#[test]
fn tags_come_back_on_a_disk_too() {
    let _quiet = without_collections();
    let registry = Distribution::open();
    let image = registry.image("team/app:1", &platforms(2));
    let other = registry.image("team/app:2", &platforms(1));
    let layout = backup(&[(&image, "team/app:1"), (&other, "team/app:2")]);
    registry.delete("team/app", image.root());
    let storage = registry.storage().display().to_string();
    let done = from(&storage, &layout)
        .arguments(["--gc-stopped", "--apply"])
        .run()
        .exits(0);
    assert_eq!(
        actions(&done),
        [
            act("link", image.root(), true),
            act("tag", image.root(), true)
        ]
    );
    verify(&registry.reference("team/app:1")).run().passes();
}

#[test]
fn a_layout_that_is_none_is_refused_before_anything_is_asked() {
    let registry = Registry::start();
    let empty = Scratch::new("empty");
    let refused = from(&registry.host(), &empty).run().exits(2);
    assert!(refused.stderr.contains("oci-layout"), "{refused}");
    assert!(registry.requests().is_empty());
}

/// A gone tag has no digest that would tell one image from another.
#[test]
fn a_tag_comes_back_as_the_image_of_its_own_repository() {
    let (registry, mirror) = (Registry::start(), Registry::start());
    registry.writable();
    let names = ["team/app", "team/web"];
    let mut images = Vec::new();
    for (name, seed) in names.into_iter().zip(300..) {
        let image = platforms(1).seed(seed).make();
        registry.serve(&format!("{name}:1"), &image);
        mirror.serve(&format!("{name}:1"), &image);
        registry.lose_in(name, "1");
        registry.lose_in(name, image.root());
        images.push(image);
    }
    let [app, web] = names.map(|name| registry.reference(&format!("{name}:1")));
    let [app_copy, web_copy] = names.map(|name| format!("{}/{name}", mirror.host()));
    let done = repair(&app)
        .argument(&web)
        .arguments(["--from", &app_copy, "--from", &web_copy, "--apply"])
        .run()
        .exits(0);
    for (name, image) in names.into_iter().zip(&images) {
        assert_eq!(
            registry.tagged(name, "1").as_deref(),
            Some(image.root()),
            "{done}"
        );
    }
    // Another repository's tag of that name is another image.
    registry.lose_in("team/app", "1");
    registry.lose_in("team/app", images[0].root());
    repair(&app)
        .arguments(["--from", &web_copy, "--apply"])
        .run()
        .exits(1);
    assert_eq!(registry.tagged("team/app", "1"), None);
}

#[test]
fn a_name_that_is_a_tag_alone_is_for_one_repository() {
    let registry = Registry::start();
    registry.writable();
    let mut layouts = Vec::new();
    let names = ["team/app", "team/web"];
    for (name, seed) in names.into_iter().zip(400..) {
        let image = platforms(1).seed(seed).make();
        registry.serve(&format!("{name}:pushed"), &image);
        let layout = Scratch::new("layout");
        // It names the image "pushed".
        write_layout(&layout, &image);
        registry.lose_in(name, "pushed");
        registry.lose_in(name, image.root());
        layouts.push((layout, image));
    }
    let [app, web] = names.map(|name| registry.reference(&format!("{name}:pushed")));
    let from: Vec<String> = layouts
        .iter()
        .flat_map(|(layout, _)| {
            [
                "--from".to_owned(),
                format!("oci:{}", layout.path().display()),
            ]
        })
        .collect();
    let both = repair(&app).argument(&web).arguments(from.clone());
    both.argument("--apply").run().exits(1);
    assert_eq!(registry.tagged("team/app", "pushed"), None);
    let own = from[..2].to_vec();
    repair(&app)
        .arguments(own)
        .argument("--apply")
        .run()
        .exits(0);
    let found = registry.tagged("team/app", "pushed");
    assert_eq!(found.as_deref(), Some(layouts[0].1.root()));
}
