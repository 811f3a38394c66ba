//! Images in an OCI image layout, before they are pushed.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::command::{Finished, Pullproof, pullproof, verify};
use crate::support::distribution::{Damage, Distribution, missing, require_success, write_layout};
use crate::support::image::{CONFIG, DOCKER_MANIFEST, Descriptor, Image, MANIFEST, config_of};
use crate::support::recipe::{artifact, platforms, single};
use crate::support::scratch::Scratch;

const NAME: &str = "org.opencontainers.image.ref.name";
const FULL_NAME: &str = "io.containerd.image.name";

/// A layout with an image by the name `pushed`.
fn layout(image: &Image) -> Scratch {
    let layout = Scratch::new("layout");
    write_layout(&layout, image);
    layout
}

/// Lists these in its index instead.
fn list(layout: &Scratch, descriptors: &[Descriptor]) {
    let manifests: Vec<Value> = descriptors.iter().map(Descriptor::json).collect();
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    std::fs::write(layout.path().join("index.json"), index.to_string()).unwrap();
}

fn file(layout: &Scratch, digest: &str) -> PathBuf {
    layout.path().join("blobs").join(digest.replace(':', "/"))
}

/// The reference of what is in it: nothing, `:TAG` or `@DIGEST`.
fn within(layout: &Scratch, what: &str) -> String {
    format!("oci:{}{what}", layout.path().display())
}

fn look(reference: &str, depth: &str) -> Finished {
    verify(reference).arguments(["--depth", depth]).run()
}

/// What is verified, without the directory.
#[track_caller]
fn names(layout: &Scratch) -> Vec<String> {
    let report = verify(&within(layout, "")).run().passes();
    let start = within(layout, "");
    let name = |image: &&Value| image["reference"].as_str().unwrap()[start.len()..].to_owned();
    report.images().iter().map(name).collect()
}

#[test]
fn a_whole_image_passes_by_its_tag_its_digest_and_its_directory() {
    let image = platforms(2).attested().make();
    let layout = layout(&image);
    for what in ["", ":pushed", &format!("@{}", image.root())] {
        for depth in ["head", "tail", "full"] {
            let report = look(&within(&layout, what), depth).passes();
            assert_eq!(report.count("ok"), report.count("nodes"), "{what} {depth}");
            assert_eq!(report.count("requests"), 0);
            assert_eq!(report.images()[0]["digest"], image.root());
        }
    }
    assert_eq!(names(&layout), [":pushed"]);
}

#[test]
fn a_relative_directory_is_named_as_it_was_written() {
    let image = single().make();
    let whole = layout(&image);
    let run = || pullproof().arguments(["verify", "--settle", "0s"]);
    let linked = |run: Pullproof| {
        symlink(whole.path(), run.path("a:1")).unwrap();
        symlink(whole.path(), run.path("out")).unwrap();
        run
    };
    for (text, name) in [
        ("oci:out", "oci:out:pushed"),
        ("oci:./out:pushed", "oci:./out:pushed"),
        ("oci:a:1", "oci:a:1:pushed"),
        ("oci:a:1:pushed", "oci:a:1:pushed"),
    ] {
        let finished = linked(run()).argument(text).run().exits(0);
        assert!(
            finished.stdout.contains(&format!("\n{name}: passed\n")),
            "{finished}"
        );
    }
}

/// Damages one digest after another, and compares the verdicts.
#[test]
fn each_kind_of_damage_has_its_verdict() {
    let image = platforms(2).make();
    for (damage, by_length, by_hash) in [
        (Damage::Deleted, "missing", "missing"),
        (Damage::Emptied, "empty", "empty"),
        (Damage::Truncated, "truncated", "truncated"),
        (Damage::Flipped, "ok", "digest_mismatch"),
    ] {
        let (root, child, config) = (image.root(), image.child(1), image.config(1));
        let layer = image.layer(1, 0);
        for (digest, tail) in [
            (root, by_hash),
            (child, by_hash),
            (config, by_hash),
            (layer, by_length),
        ] {
            let layout = layout(&image);
            damage.apply(&file(&layout, digest));
            for (depth, verdict) in [("tail", tail), ("full", by_hash)] {
                let finished = look(&within(&layout, ""), depth);
                let (code, expected) = match verdict {
                    "ok" => (0, BTreeMap::new()),
                    _ => (1, BTreeMap::from([(digest.to_owned(), verdict.to_owned())])),
                };
                let mut faults = finished.report().faults();
                faults.retain(|_, verdict| verdict != "not_checked");
                assert_eq!(faults, expected, "{damage:?} {depth} {finished}");
                assert_eq!(finished.code, Some(code), "{damage:?} {depth} {finished}");
            }
        }
    }
}

#[test]
fn a_file_that_is_too_long_has_the_wrong_size() {
    let image = single().make();
    let layout = layout(&image);
    let layer = image.layer(0, 0);
    let longer = [std::fs::read(file(&layout, layer)).unwrap(), b"x".to_vec()].concat();
    std::fs::write(file(&layout, layer), longer).unwrap();
    let report = look(&within(&layout, ""), "tail").exits(1).report();
    assert_eq!(report.verdict(layer), "size_mismatch");
}

#[test]
fn the_advice_is_to_build_again_and_speaks_of_no_registry() {
    let image = platforms(2).make();
    let other = format!("sha256:{}", "a".repeat(64));
    for (damage, arguments, words) in [
        (
            Some(image.root()),
            &[][..],
            "Build and export the image again",
        ),
        (
            Some(image.child(0)),
            &[],
            "Build and export the image again",
        ),
        (
            Some(image.layer(0, 0)),
            &[],
            "Build and export the image again",
        ),
        (
            None,
            &["--digest", &other],
            "the directory has an older build",
        ),
        (
            None,
            &["--platforms", "linux/s390x"],
            "Build all platforms at once",
        ),
    ] {
        for how in [
            Damage::Deleted,
            Damage::Emptied,
            Damage::Truncated,
            Damage::Flipped,
        ] {
            let layout = layout(&image);
            if let Some(digest) = damage {
                how.apply(&file(&layout, digest));
            }
            let finished = verify(&within(&layout, ":pushed"))
                .arguments(["--depth", "full"])
                .arguments(arguments.iter().copied())
                .run()
                .exits(1);
            let hints = finished.report().0["hints"].clone();
            let hints = hints.as_array().unwrap();
            assert_eq!(hints.len(), 1, "{hints:#?}");
            let text = hints[0]["text"].as_str().unwrap();
            assert!(text.contains(words), "{text}");
            for word in ["registry", "404", "curl", "login", "Content-Type"] {
                assert!(!text.contains(word), "{word}: {text}");
            }
        }
    }
}

#[test]
fn a_tag_that_is_not_there_is_missing_and_the_nearest_is_named() {
    let layout = layout(&single().make());
    let finished = pullproof()
        .arguments(["verify", &within(&layout, ":pushd")])
        .run()
        .exits(1);
    assert!(
        finished
            .stdout
            .contains("has no tag pushd; nearest: pushed"),
        "{finished}"
    );
    assert!(finished.stdout.contains("does not exist"), "{finished}");
    let gone = format!("@sha256:{}", "b".repeat(64));
    look(&within(&layout, &gone), "tail").exits(1);
}

#[test]
fn every_named_image_is_verified_and_without_names_everything_that_is_listed() {
    let (one, two) = (single().make(), single().seed(1).make());
    let both = layout(&one);
    write_layout(&both, &two);
    write_layout(&both, &one);
    let entry = |image: &Image, name: &str, full: &str| {
        let mut descriptor = image.root_descriptor().clone();
        for (key, value) in [(NAME, name), (FULL_NAME, full)] {
            if !value.is_empty() {
                descriptor = descriptor.annotated(key, value);
            }
        }
        descriptor
    };
    for (entries, expected) in [
        (
            vec![
                entry(&one, "1", ""),
                entry(&one, "latest", ""),
                entry(&two, "", ""),
            ],
            vec![":1".to_owned(), ":latest".to_owned()],
        ),
        (
            vec![
                entry(&one, "", ""),
                entry(&two, "", ""),
                entry(&one, "", ""),
            ],
            vec![format!("@{}", one.root()), format!("@{}", two.root())],
        ),
        (
            vec![
                entry(&one, "1", "docker.io/a/a:1"),
                entry(&two, "1", "docker.io/b/b:1"),
            ],
            vec![":docker.io/a/a:1".to_owned(), ":docker.io/b/b:1".to_owned()],
        ),
        (
            vec![entry(&one, "registry.example:5000/team/app:1.2", "")],
            vec![":1.2".to_owned()],
        ),
    ] {
        list(&both, &entries);
        assert_eq!(names(&both), expected);
    }
    list(
        &both,
        &[entry(&one, "registry.example:5000/team/app:1.2", "")],
    );
    for name in [":1.2", ":registry.example:5000/team/app:1.2"] {
        let report = look(&within(&both, name), "tail").passes();
        assert_eq!(report.images()[0]["digest"], one.root(), "{name}");
    }
}

#[test]
fn expectations_hold_for_a_layout_too() {
    let (image, other) = (platforms(2).attested().make(), platforms(2).seed(3).make());
    let both = layout(&image);
    write_layout(&both, &other);
    let tagged = |image: &Image, tag: &str| image.root_descriptor().clone().annotated(NAME, tag);
    list(&both, &[tagged(&image, "1"), tagged(&other, "2")]);
    let run = |arguments: &[&str]| {
        let run = verify(&within(&both, "")).arguments(arguments.iter().copied());
        run.run()
    };
    run(&["--platforms", "linux/amd64,linux/arm64"]).exits(0);
    run(&["--same-digest"]).exits(1);
    run(&["--digest", image.root()]).exits(1);
    let one = verify(&within(&both, ":1")).arguments(["--digest", image.root()]);
    one.run().exits(0);
    Damage::Deleted.apply(&file(&both, image.attestation(0)));
    run(&[]).exits(1);
    run(&["--attestations", "warn"]).exits(0);
}

#[test]
fn a_media_type_that_only_the_index_has_counts() {
    let image = single().make();
    let layout = layout(&image);
    let root = image.root_descriptor();
    let called = |media_type: &str| {
        let named = root.clone().annotated(NAME, "pushed");
        list(&layout, &[named.with("mediaType", media_type)]);
        let run = verify(&within(&layout, ""));
        run.arguments(["--clients", "docker"]).run()
    };
    called(MANIFEST).exits(0);
    called(DOCKER_MANIFEST).exits(1);
    list(
        &layout,
        &[root.clone().without("mediaType").annotated(NAME, "pushed")],
    );
    look(&within(&layout, ""), "tail").passes();
}

#[test]
fn a_manifest_that_states_no_type_passes() {
    let mut image = Image::empty();
    let layer = image.blob(crate::support::image::LAYER, "layer");
    let layers = [layer];
    let config = image.blob(CONFIG, config_of("linux/amd64", &layers).to_string());
    let document = json!({
        "schemaVersion": 2, "config": config.json(), "layers": [layers[0].json()]
    });
    let child = image.document(&document).platform("linux/amd64");
    let index = json!({"schemaVersion": 2, "manifests": [child.json()]});
    let root = image.document_bytes(crate::support::image::INDEX, index.to_string());
    let layout = layout(&image.begins_with(&root));
    look(&within(&layout, ""), "full").passes();
}

#[test]
fn referrers_are_found_by_their_subject_in_the_index() {
    let mut image = single().make();
    let signature = image.referrer("application/vnd.example.signature", "signed");
    let layout = layout(&image);
    let root = image.root_descriptor().clone().annotated(NAME, "pushed");
    list(&layout, &[root, signature.manifest.clone()]);
    let check = |referrers: &str| {
        let run = verify(&within(&layout, ":pushed"));
        run.arguments(["--referrers", referrers]).run()
    };
    let digest = signature.layers[0].digest();
    assert_eq!(check("check").passes().verdict(digest), "ok");
    Damage::Deleted.apply(&file(&layout, digest));
    check("ignore").exits(0);
    assert_eq!(check("check").exits(1).report().verdict(digest), "missing");
}

#[test]
fn what_leads_out_or_is_no_file_is_not_read() {
    let image = single().make();
    let layer = image.layer(0, 0);
    let outside = Scratch::new("outside");
    let there = outside.path().join("layer");
    let whole = layout(&image);
    std::fs::rename(file(&whole, layer), &there).unwrap();
    symlink(&there, file(&whole, layer)).unwrap();
    let report = look(&within(&whole, ""), "full").exits(4).report();
    assert_eq!(report.verdict(layer), "unavailable");
    let piped = layout(&image);
    std::fs::remove_file(file(&piped, layer)).unwrap();
    let made = Command::new("mkfifo")
        .arg(file(&piped, layer))
        .status()
        .unwrap();
    assert!(made.success());
    let report = look(&within(&piped, ""), "full").exits(1).report();
    assert_eq!(report.verdict(layer), "missing");
}

#[test]
fn what_is_no_layout_is_refused_with_what_it_lacks() {
    let image = single().make();
    let without = |name: &str| {
        let layout = layout(&image);
        std::fs::remove_file(layout.path().join(name)).unwrap();
        layout
    };
    let written = |name: &str, text: &str| {
        let layout = layout(&image);
        std::fs::write(layout.path().join(name), text).unwrap();
        layout
    };
    for (layout, words) in [
        (without("oci-layout"), "it has no file oci-layout"),
        (
            without("index.json"),
            "it has oci-layout, and no index.json",
        ),
        (
            written("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
            "only 1.x is known",
        ),
        (
            written("index.json", "[]"),
            "is not the index of an image layout",
        ),
        (
            written("index.json", r#"{"manifests":[]}"#),
            "lists no image",
        ),
    ] {
        let finished = look(&within(&layout, ""), "tail").exits(2);
        assert!(finished.report().error().contains(words), "{finished}");
        assert!(
            finished
                .stderr
                .contains("hint: an image layout has oci-layout"),
            "{finished}"
        );
    }
    let gone = look("oci:/nowhere/at/all", "tail").exits(2);
    assert!(gone.report().error().contains("cannot be opened"), "{gone}");
    for text in ["oci:", "oci://app"] {
        let finished = look(text, "tail").exits(2);
        assert!(
            finished.report().error().contains("names no directory"),
            "{finished}"
        );
    }
}

#[test]
fn an_index_that_lists_itself_or_an_artifact_ends() {
    let chart = layout(&artifact("application/vnd.example.chart", &[b"chart"]));
    look(&within(&chart, ""), "tail").exits(1);
    let run = verify(&within(&chart, "")).arguments(["--artifacts", "pass"]);
    run.run().exits(0);
    // Nothing hashes to what it contains, so a cycle is content that does not match.
    let digest = format!("sha256:{}", "c".repeat(64));
    let mut image = Image::empty();
    let itself = json!({"schemaVersion": 2, "mediaType": crate::support::image::INDEX,
        "manifests": [{"mediaType": crate::support::image::INDEX, "digest": digest, "size": 1}]});
    let bytes = itself.to_string().into_bytes();
    let root = image.put(true, crate::support::image::INDEX, digest.clone(), bytes);
    let cyclic = layout(&image.begins_with(&root));
    let report = look(&within(&cyclic, ""), "tail").exits(1).report();
    assert_eq!(report.verdict(&digest), "digest_mismatch");
}

#[test]
fn a_plugin_takes_it_as_an_image_and_no_host_is_added() {
    let image = single().make();
    let layout = layout(&image);
    let plugin = || {
        pullproof()
            .variable("CI", "woodpecker")
            .variable("PLUGIN_IMAGES", within(&layout, ""))
            .variable("PLUGIN_REGISTRY", "registry.example")
            .variable("PLUGIN_USERNAME", "ci")
            .variable("PLUGIN_PASSWORD", "hunter2-hunter2")
            .variable("PLUGIN_SKIP_TLS_VERIFY", "true")
    };
    let finished = plugin().run().exits(0);
    assert!(finished.stdout.contains(":pushed: passed"), "{finished}");
    for words in ["names no host", "no login is used", "docker.io"] {
        assert!(!finished.stderr.contains(words), "{finished}");
    }
    std::fs::remove_dir_all(layout.path().join("blobs")).unwrap();
    plugin().run().exits(1);
    std::fs::remove_dir_all(layout.path()).unwrap();
    plugin().variable("PLUGIN_DRY_RUN", "true").run().exits(0);
    plugin().run().exits(2);
    std::fs::create_dir_all(layout.path()).unwrap();
}

#[test]
fn a_missing_file_is_believed_without_waiting_for_settle() {
    let image = platforms(2).make();
    let layout = layout(&image);
    Damage::Deleted.apply(&file(&layout, image.child(0)));
    let finished = pullproof()
        .arguments(["verify", &within(&layout, ""), "--format", "json"])
        .run()
        .exits(1);
    let took = finished.report().0["duration_ms"].as_u64().unwrap();
    assert!(took < 5000, "settle is 15 s: {took} ms");
}

#[test]
fn a_layout_and_a_registry_are_verified_in_one_run() {
    let registry = Distribution::open();
    let image = platforms(2).make();
    registry.push_by_skopeo("team/app:1", &image);
    let layout = layout(&image);
    let finished = verify(&within(&layout, ""))
        .argument(registry.reference("team/app:1"))
        .arguments(["--digest", image.root()])
        .run();
    let report = finished.passes();
    let repositories = report.0["repositories"].as_array().unwrap();
    assert_eq!(repositories.len(), 2);
}

/// What skopeo wrote is read as skopeo means it.
#[test]
fn what_skopeo_copies_into_a_directory_is_whole_by_the_name_it_was_given() {
    let registry = Distribution::open();
    let image = platforms(2).attested().make();
    registry.push_by_skopeo("team/app:1", &image);
    for (name, called) in [
        ("1", "1"),
        ("registry.example/team/app:1.2", "1.2"),
        ("docker.io/library/app:3", "3"),
    ] {
        let copy = Scratch::new("copied");
        copied(&registry, copy.path(), name);
        assert_eq!(names(&copy), [format!(":{called}")]);
        let report = look(&within(&copy, &format!(":{name}")), "full").passes();
        assert_eq!(report.images()[0]["digest"], image.root());
    }
}

fn copied(registry: &Distribution, directory: &Path, name: &str) {
    let output = Command::new("skopeo")
        .args([
            "--insecure-policy",
            "copy",
            "--all",
            "--preserve-digests",
            "--quiet",
            "--src-tls-verify=false",
        ])
        .arg(format!("docker://{}", registry.reference("team/app:1")))
        .arg(format!("oci:{}:{name}", directory.display()))
        .env("HOME", directory)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| missing("skopeo", &error));
    require_success(&output, "skopeo copy");
}
