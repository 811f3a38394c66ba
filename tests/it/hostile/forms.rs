//! Unusual but legal images, and images with wrong promises.

use serde_json::{Value, json};

use super::trial::{DEPTHS, Seen, trial};
use crate::support::fake::Registry;
use crate::support::http::Server;
use crate::support::image::{
    CONFIG, Descriptor, EMPTY_CONFIG, FOREIGN_LAYER, INDEX, Image, LAYER, MANIFEST, index_of,
    manifest_of,
};
use crate::support::recipe::{artifact, platforms, single};

/// A config for so many layers.
fn config(image: &mut Image, layers: usize) -> Descriptor {
    let diff_ids = vec![Descriptor::of(LAYER, b"a diff").digest().to_owned(); layers];
    let root_fs = json!({"type": "layers", "diff_ids": diff_ids});
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": root_fs});
    image.blob(CONFIG, config.to_string())
}

/// An image of one manifest with these layers.
fn image_of(layers: impl FnOnce(&mut Image) -> Vec<Descriptor>) -> Image {
    let mut image = Image::empty();
    let layers = layers(&mut image);
    let config = config(&mut image, layers.len());
    let root = image.manifest(&config, &layers);
    image.begins_with(&root)
}

fn verify_at(depth: &str, image: &Image) -> Seen {
    let registry = Registry::start();
    registry.serve("app:1", image);
    trial(registry.reference("app:1")).depth(depth).run()
}

#[test]
fn content_under_sha512_is_hashed_with_sha512() {
    let mut image = Image::empty();
    let config = config(&mut image, 1);
    let layer = image.blob_sha512(LAYER, "a layer");
    let child = image
        .document_sha512(&manifest_of(&config, std::slice::from_ref(&layer)))
        .platform("linux/amd64");
    let root = image.document(&index_of(std::slice::from_ref(&child)));
    let image = image.begins_with(&root);
    for depth in DEPTHS {
        // podman reads no manifest under sha512.
        verify_at(depth, &image).passes_with(&[(child.digest(), "unsupported")]);
    }
    let registry = Registry::start();
    registry.serve("app:1", &image);
    let other = |bytes: &str| crate::support::http::Reply::ok(MANIFEST, bytes);
    registry.on("GET", layer.digest()).answers(other("a lager"));
    let verify = trial(registry.reference("app:1")).depth("full");
    let with_podman = (child.digest(), "unsupported");
    verify
        .run()
        .finds(&[with_podman, (layer.digest(), "digest_mismatch")]);
    let same_length = "x".repeat(usize::try_from(child.size()).unwrap());
    registry
        .on("GET", child.digest())
        .answers(other(&same_length));
    verify.run().finds(&[(child.digest(), "digest_mismatch")]);
}

#[test]
fn an_unknown_algorithm_is_unsupported_and_an_invalid_digest_malformed() {
    let hex = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";
    for (digest, verdict) in [
        (
            "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            "unsupported",
        ),
        ("sha3+b64:abc=".to_owned(), "unsupported"),
        (format!("blake3:{hex}"), "unsupported"),
        (format!("sha256:{}", &hex[1..]), "malformed"),
        (format!("sha256:{}", hex.to_uppercase()), "malformed"),
        (format!("sha256:{hex}/../../x"), "malformed"),
        ("sha256:".to_owned(), "malformed"),
        (hex.to_owned(), "malformed"),
        ("../../../etc/passwd".to_owned(), "malformed"),
        (String::new(), "malformed"),
    ] {
        let image = image_of(|image| {
            vec![
                image.blob(LAYER, "good"),
                Descriptor::promising(LAYER, &digest, 7),
                image.blob(LAYER, "fine"),
            ]
        });
        let seen = verify_at("tail", &image);
        assert_eq!(
            (seen.exit, seen.report.count("broken")),
            (1, 1),
            "{digest}: {seen}"
        );
        let nodes = seen.report.nodes();
        let bad = nodes.iter().find(|node| node["verdict"] == verdict);
        assert!(bad.is_some(), "{digest} is not {verdict}: {seen}");
    }
}

#[test]
fn an_invalid_size_affects_one_descriptor_and_a_huge_one_mismatches() {
    for (size, verdict) in [
        (json!(-1), "size_mismatch"),
        (json!(1.5), "malformed"),
        (json!("1000"), "malformed"),
        (Value::Null, "size_mismatch"),
        (json!(u64::MAX), "malformed"),
        (json!(i64::MAX), "size_mismatch"),
        (json!(0), "size_mismatch"),
    ] {
        for depth in DEPTHS {
            let image =
                image_of(|image| vec![image.blob(LAYER, "layer").with("size", size.clone())]);
            let seen = verify_at(depth, &image);
            let nodes = seen.report.nodes();
            let found = nodes.iter().any(|node| node["verdict"] == verdict);
            assert!(seen.exit == 1 && found, "{size} at {depth}: {seen}");
        }
    }
}

#[test]
fn foreign_layers_are_never_asked_for() {
    let elsewhere = Server::start(|_| unreachable!("it is never requested"));
    let url = elsewhere.url("/layer");
    for media_type in [
        FOREIGN_LAYER,
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ] {
        let digest = Descriptor::of(LAYER, b"not here").digest().to_owned();
        let image = image_of(|image| {
            let foreign = Descriptor::promising(media_type, &digest, 8).urls(&[url.as_str()]);
            vec![foreign, image.blob(LAYER, "here")]
        });
        for depth in DEPTHS {
            let seen = verify_at(depth, &image).passes();
            assert_eq!(seen.report.verdict(&digest), "skipped", "{seen}");
        }
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_layer_that_may_be_distributed_is_asked_for_whatever_urls_it_has() {
    for depth in DEPTHS {
        let image = image_of(|image| {
            let urls = ["https://elsewhere.example/layer"];
            vec![image.blob(LAYER, "here").urls(&urls)]
        });
        let layer = Descriptor::of(LAYER, b"here");
        let registry = Registry::start();
        registry.serve("app:1", &image);
        let verify = trial(registry.reference("app:1")).depth(depth);
        verify.run().passes();
        registry.lose(layer.digest());
        verify.run().finds(&[(layer.digest(), "missing")]);
    }
}

#[test]
fn inline_data_counts_for_containerd_alone() {
    let bytes = b"inline";
    let right = Descriptor::of(LAYER, bytes);
    let digest = right.digest();
    let verify = |data: &[u8], lost: bool, clients: &str| {
        let image = image_of(|image| {
            vec![
                image.blob(LAYER, "here"),
                image.blob(LAYER, bytes).inline(data),
            ]
        });
        let registry = Registry::start();
        registry.serve("app:1", &image);
        if lost {
            registry.lose(digest);
        }
        trial(registry.reference("app:1"))
            .flag("clients", clients)
            .run()
    };
    verify(bytes, false, "containerd,podman").passes();
    verify(bytes, true, "containerd").passes_with(&[(digest, "unsupported")]);
    verify(bytes, true, "podman").finds(&[(digest, "unsupported")]);
    verify(b"in1ine", false, "containerd").finds(&[(digest, "digest_mismatch")]);
    verify(b"in1ine", false, "podman").passes_with(&[(digest, "digest_mismatch")]);
    // Data of a wrong length is ignored: every client asks the registry.
    for data in [&b"in"[..], b"inline and more"] {
        verify(data, false, "containerd").passes();
        verify(data, true, "containerd").finds(&[(digest, "missing")]);
    }
    let image = image_of(|image| {
        vec![
            image.blob(LAYER, "here"),
            image.blob(LAYER, bytes).with("data", "no base64!"),
        ]
    });
    let root = image.root().to_owned();
    verify_at("tail", &image)
        .finds(&[(&root, "malformed")])
        .prints("expected base64 (data)");
}

#[test]
fn an_inline_manifest_is_followed() {
    let mut image = Image::empty();
    let config = config(&mut image, 1);
    let lost = Descriptor::of(LAYER, b"lost");
    let document = manifest_of(&config, std::slice::from_ref(&lost)).to_string();
    let child = Descriptor::of(MANIFEST, document.as_bytes())
        .inline(document.as_bytes())
        .platform("linux/amd64");
    let root = image.document(&index_of(std::slice::from_ref(&child)));
    let image = image.begins_with(&root);
    let registry = Registry::start();
    registry.serve("app:1", &image);
    registry.lose(lost.digest());
    registry.lose(child.digest());
    trial(registry.reference("app:1"))
        .run()
        .finds(&[(child.digest(), "unsupported"), (lost.digest(), "missing")]);
}

#[test]
fn a_subject_may_point_to_nothing() {
    let verify = |subject: Value| {
        let mut image = Image::empty();
        let config = config(&mut image, 0);
        let mut document = manifest_of(&config, &[]);
        document["subject"] = subject;
        let root = image.document(&document);
        verify_at("tail", &image.begins_with(&root))
    };
    for subject in [
        Descriptor::of(MANIFEST, b"nowhere").json(),
        Descriptor::promising(MANIFEST, "md5:d41d8cd98f00b204e9800998ecf8427e", 1).json(),
        Value::Null,
    ] {
        verify(subject).passes();
    }
    let seen = verify(json!("nonsense")).prints("expected an object (subject)");
    assert_eq!((seen.exit, seen.report.count("broken")), (1, 1), "{seen}");
}

#[test]
fn an_artifact_is_no_image_and_passes_where_artifacts_may() {
    let image = artifact("application/vnd.example.model", &[b"weights", b"readme"]);
    let registry = Registry::start();
    registry.serve("app:1", &image);
    let verify = trial(registry.reference("app:1"));
    let passing = verify.flag("artifacts", "pass");
    let verify = trial(registry.reference("app:1"));
    for depth in DEPTHS {
        passing.depth(depth).run().passes();
        verify
            .depth(depth)
            .run()
            .finds(&[])
            .prints("not an image, but an artifact (application/vnd.example.model)");
    }
    registry.lose(image.layer(0, 1));
    passing.run().finds(&[(image.layer(0, 1), "missing")]);
    registry.lose(image.config(0));
    let lost = [(image.config(0), "missing"), (image.layer(0, 1), "missing")];
    passing.run().finds(&lost);
}

#[test]
fn an_empty_config_may_stand_in_its_descriptor() {
    let mut image = Image::empty();
    let config = Descriptor::of(EMPTY_CONFIG, b"{}").inline(b"{}");
    let file = image.blob("text/plain", "file");
    let mut document = manifest_of(&config, &[file]);
    document["artifactType"] = "application/vnd.example".into();
    let root = image.document(&document);
    let registry = Registry::start();
    registry.serve("app:1", &image.begins_with(&root));
    registry.lose(config.digest());
    trial(registry.reference("app:1"))
        .depth("full")
        .flag("artifacts", "pass")
        .run()
        .passes_with(&[(config.digest(), "unsupported")]);
}

#[test]
fn layers_may_be_null_or_absent() {
    for layers in [Some(Value::Null), Some(json!([])), None] {
        let mut image = Image::empty();
        let config = config(&mut image, 0);
        let mut document = manifest_of(&config, &[]);
        match layers {
            Some(layers) => document["layers"] = layers,
            None => drop(document.as_object_mut().unwrap().remove("layers")),
        }
        let root = image.document(&document);
        verify_at("tail", &image.begins_with(&root)).passes();
    }
}

#[test]
fn a_digest_with_two_sizes_mismatches_one_of_them() {
    for order in [[4, 5], [5, 4]] {
        for depth in DEPTHS {
            let image = image_of(|image| {
                let layer = image.blob(LAYER, "four");
                order.map(|size| layer.clone().with("size", size)).to_vec()
            });
            let seen = verify_at(depth, &image);
            assert_eq!(
                (seen.exit, seen.report.count("broken")),
                (1, 1),
                "{depth}: {seen}"
            );
        }
    }
}

#[test]
fn a_digest_listed_in_many_places_is_requested_once() {
    let image = image_of(|image| {
        let layer = image.blob(LAYER, "four");
        vec![layer; 50]
    });
    let registry = Registry::start();
    registry.serve("app:1", &image);
    trial(registry.reference("app:1")).run().passes();
    // The tag by GET and by HEAD, what it stands for, its config, and the layer.
    assert_eq!(registry.requests().len(), 5);
}

#[test]
fn an_empty_layer_stops_containerd_whatever_size_its_descriptor_states() {
    let nothing = Descriptor::of(LAYER, b"");
    for depth in DEPTHS {
        let image = image_of(|image| vec![image.blob(LAYER, ""), image.blob(LAYER, "x")]);
        let registry = Registry::start();
        registry.serve("app:1", &image);
        let verify = trial(registry.reference("app:1")).depth(depth);
        verify.run().finds(&[(nothing.digest(), "malformed")]);
        verify
            .flag("clients", "podman")
            .run()
            .passes_with(&[(nothing.digest(), "malformed")]);
        let image = image_of(|image| vec![image.blob(LAYER, "").with("size", 500)]);
        let seen = verify_at(depth, &image);
        assert_eq!(seen.exit, 1, "{seen}");
    }
}

#[test]
fn a_child_of_another_size_than_promised_is_a_mismatch() {
    for (more, verdict) in [(1_i64, "size_mismatch"), (-1, "size_mismatch")] {
        let mut image = single().make();
        let child = image.root_descriptor().clone();
        let wrong = child
            .clone()
            .with("size", child.size().checked_add_signed(more).unwrap());
        let root = image.document(
            &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [wrong.json()]}),
        );
        verify_at("tail", &image.begins_with(&root)).finds(&[(child.digest(), verdict)]);
    }
}

#[test]
fn layers_in_the_index_of_a_build_cache_are_blobs() {
    let mut image = Image::empty();
    let layer = image.blob(LAYER, "cached");
    let config = image.blob("application/vnd.buildkit.cacheconfig.v0", "{}");
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [layer.json(), config.json()]});
    let root = image.document(&index);
    let image = image.begins_with(&root);
    verify_at("full", &image)
        .finds(&[])
        .prints("not an image, but a build cache");
    let registry = Registry::start();
    registry.serve("app:1", &image);
    let verify = trial(registry.reference("app:1")).flag("artifacts", "pass");
    verify.depth("full").run().passes();
    registry.lose(layer.digest());
    verify.run().finds(&[(layer.digest(), "missing")]);
}

#[test]
fn docker_types_nested_indexes_and_attestations_are_whole() {
    for recipe in [
        platforms(2).docker(),
        platforms(2).attested(),
        single().docker(),
    ] {
        for depth in DEPTHS {
            verify_at(depth, &recipe.make()).passes();
        }
    }
    let nested = platforms(2).nested().make();
    for depth in DEPTHS {
        verify_at(depth, &nested)
            .passes_with(&[(nested.root(), "unsupported")])
            .prints("podman cannot pull it");
    }
}
