//! A server or a CDN that encodes its answers unasked: what cannot be read is not judged.

use super::trial::{DEPTHS, trial};
use crate::support::fake::Registry;
use crate::support::fake::content::ranged;
use crate::support::http::message::Body;
use crate::support::recipe::single;

/// Lets the registry encode what it answers about a digest: shorter or longer than it is, as
/// compression may be.
fn encode(registry: &Registry, what: &str, encoded: Vec<u8>, chunked: bool) {
    registry.on("*", what).alters(move |request, reply| {
        let part = ranged(request, &Body::Bytes(encoded.clone().into()));
        let part = match reply.get_header("Content-Type") {
            Some(content_type) => part.but_header("Content-Type", content_type),
            None => part,
        };
        let part = part.header("Content-Encoding", "gzip");
        if chunked { part.chunked() } else { part }
    });
}

fn gzip(length: usize) -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.resize(length, 7);
    bytes
}

#[test]
fn an_encoded_layer_is_never_broken() {
    for length in [100, 999, 1000, 1001, 5000] {
        for chunked in [false, true] {
            for depth in DEPTHS {
                let registry = Registry::start();
                let image = registry.image("app:1", &single().layer_size(1000));
                let layer = image.layer(0, 0);
                encode(&registry, layer, gzip(length), chunked);
                let seen = trial(registry.reference("app:1")).depth(depth).run();
                // At the same length only its hash shows that it is encoded.
                let hidden = length == 1000 && depth != "full" && seen.exit == 0;
                if !hidden {
                    let seen = seen.leaves_open(&[(layer, "unavailable")]);
                    seen.says(layer, "encoded (gzip) although identity was requested");
                }
            }
        }
    }
}

#[test]
fn a_large_encoded_layer_is_undecided() {
    for length in [1_500_000, 2_500_000] {
        for depth in DEPTHS {
            let registry = Registry::start();
            let image = registry.image("app:1", &single().layers(1).layer_size(2_000_000));
            encode(&registry, image.layer(0, 0), gzip(length), false);
            let seen = trial(registry.reference("app:1")).depth(depth).run();
            seen.leaves_open(&[(image.layer(0, 0), "unavailable")]);
        }
    }
}

#[test]
fn an_encoded_config_or_manifest_is_undecided() {
    for length in [20, 600, 5_000_000] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        encode(&registry, image.config(0), gzip(length.min(5000)), false);
        trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[(image.config(0), "unavailable")]);
        encode(&registry, "manifests/1", gzip(length), false);
        trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[("", "unavailable")]);
        encode(&registry, image.root(), gzip(length), true);
        let root = registry.reference(&format!("app@{}", image.root()));
        trial(root)
            .run()
            .leaves_open(&[(image.root(), "unavailable")]);
    }
}

#[test]
fn identity_is_no_encoding() {
    for name in ["identity", "Identity", ""] {
        for depth in DEPTHS {
            let registry = Registry::start();
            registry.image("app:1", &single());
            registry
                .on("*", "")
                .alters(move |_, reply| reply.header("Content-Encoding", name));
            trial(registry.reference("app:1"))
                .depth(depth)
                .run()
                .passes();
        }
    }
}

/// Clients undo the encoding: the right bytes are not what they get.
#[test]
fn right_bytes_that_are_called_encoded_are_refused() {
    for name in ["gzip", "x-custom"] {
        for depth in DEPTHS {
            let registry = Registry::start();
            let image = registry.image("app:1", &single().layers(1));
            let blobs = [image.config(0), image.layer(0, 0)];
            for digest in blobs {
                registry
                    .on("*", digest)
                    .alters(move |_, reply| reply.header("Content-Encoding", name));
            }
            let seen = trial(registry.reference("app:1")).depth(depth).run();
            let seen = seen.finds(&blobs.map(|digest| (digest, "malformed")));
            seen.says(image.config(0), &format!("Content-Encoding {name}"))
                .prints("deliver content without this header");
        }
    }
}

/// Asked as a client asks, the server might really encode it.
#[test]
fn a_right_manifest_that_is_called_encoded_is_undecided() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
        .on("*", "manifests/1")
        .alters(|_, reply| reply.header("Content-Encoding", "gzip"));
    trial(registry.reference("app:1"))
        .run()
        .leaves_open(&[("", "unavailable")]);
}
