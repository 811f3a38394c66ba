//! 200 without a usable answer: web pages, empty bodies, nonsense, and unusual HTTP.

use super::trial::{DEPTHS, trial};
use crate::support::authority::Authority;
use crate::support::fake::Registry;
use crate::support::http::{Break, Reply};
use crate::support::image::{Image, LAYER, MANIFEST};
use crate::support::recipe::{platforms, single};

const PAGE: &str =
    "<!DOCTYPE html>\n<html><title>Please log in</title>\n<p>to the network</html>\n";

#[test]
fn a_web_page_instead_of_a_manifest_is_undecided() {
    for content_type in [
        "text/html",
        "text/html; charset=utf-8",
        "Text/HTML",
        "application/octet-stream",
        MANIFEST,
    ] {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        registry
            .on("GET", "manifests/1")
            .answers(Reply::ok(content_type, PAGE));
        trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[("", "unavailable")])
            .says("", "web page");
        registry
            .on("GET", image.child(0))
            .answers(Reply::ok(content_type, PAGE));
        let root = registry.reference(&format!("app@{}", image.root()));
        trial(root)
            .run()
            .leaves_open(&[(image.child(0), "unavailable")]);
    }
}

#[test]
fn a_web_page_instead_of_a_blob_is_undecided() {
    for size in [PAGE.len() - 1, PAGE.len() + 1, 2_000_000] {
        for depth in DEPTHS {
            let registry = Registry::start();
            let image = registry.image("app:1", &single().layers(1).layer_size(size));
            let layer = image.layer(0, 0);
            registry
                .on("*", layer)
                .answers(Reply::ok("text/html; charset=utf-8", PAGE));
            let seen = trial(registry.reference("app:1")).depth(depth).run();
            seen.leaves_open(&[(layer, "unavailable")])
                .says(layer, "web page");
        }
    }
}

#[test]
fn a_layer_may_hold_a_web_page() {
    let mut image = Image::empty();
    let page = image.blob(LAYER, PAGE);
    let root = image.image_of(&[page]);
    let image = image.begins_with(&root);
    for depth in DEPTHS {
        let registry = Registry::start();
        registry.serve("app:1", &image);
        registry.on("*", "").alters(|request, reply| {
            if request.path.contains("/blobs/") {
                reply.but_header("Content-Type", "text/html")
            } else {
                reply
            }
        });
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .passes();
    }
}

#[test]
fn an_empty_200_for_a_blob_is_empty() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        let nothing = || Reply::ok("application/octet-stream", "");
        for (what, reply) in [
            (image.child(0), Reply::ok(MANIFEST, "")),
            (image.config(1), nothing()),
            (image.layer(1, 0), nothing()),
            (image.layer(1, 1), nothing().chunked()),
            (image.layer(1, 2), nothing().without("Content-Length")),
        ] {
            registry.on("*", what).answers(reply);
        }
        let empty = [
            image.child(0),
            image.config(1),
            image.layer(1, 0),
            image.layer(1, 1),
            image.layer(1, 2),
        ];
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .finds(&empty.map(|digest| (digest, "empty")));
    }
}

#[test]
fn an_empty_200_for_a_tag_is_empty() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
        .on("GET", "manifests/1")
        .answers(Reply::ok(MANIFEST, ""));
    trial(registry.reference("app:1"))
        .run()
        .finds(&[("", "empty")]);
}

#[test]
fn lines_may_end_without_a_carriage_return() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(2));
    registry
        .on("*", "")
        .alters(|request, reply| reply.with_bare_line_feeds(&request.method));
    for depth in DEPTHS {
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .passes();
    }
}

#[test]
fn a_response_that_is_not_http_is_undecided_and_retried() {
    for garbage in [
        "garbage\r\n\r\n",
        "\0\u{1}\u{2}",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "SSH-2.0-x\r\n",
    ] {
        for what in ["manifests/1", "layer"] {
            let registry = Registry::start();
            let image = registry.image("app:1", &single());
            let (path, name) = if what == "layer" {
                (image.layer(0, 0), image.layer(0, 0))
            } else {
                (what, "")
            };
            registry
                .on("GET", path)
                .times(1)
                .answers(Reply::raw(garbage));
            trial(registry.reference("app:1")).run().passes();
            registry.on("GET", path).answers(Reply::raw(garbage));
            trial(registry.reference("app:1"))
                .run()
                .leaves_open(&[(name, "unavailable")]);
        }
    }
}

#[test]
fn two_lengths_or_an_invalid_length_are_undecided() {
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 7\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: x\r\n",
    ] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        let layer = image.layer(0, 0);
        registry
            .on("GET", layer)
            .answers(Reply::raw(format!("HTTP/1.1 200 OK\r\n{lengths}\r\nhello")));
        trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[(layer, "unavailable")]);
    }
}

#[test]
fn bodies_may_come_in_chunks_or_end_with_the_connection() {
    for depth in DEPTHS {
        for unframed in [false, true] {
            let registry = Registry::start();
            registry.image("app:1", &platforms(2));
            registry.on("GET", "").alters(move |_, reply| {
                if unframed {
                    reply.without("Content-Length")
                } else {
                    reply.chunked()
                }
            });
            trial(registry.reference("app:1"))
                .depth(depth)
                .run()
                .passes();
        }
    }
}

#[test]
fn complete_content_is_whole_although_its_last_chunk_is_missing() {
    for depth in DEPTHS {
        let registry = Registry::start();
        registry.image("app:1", &platforms(2));
        registry
            .on("GET", "")
            .alters(|_, reply| reply.without_the_last_chunk());
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .passes();
    }
}

#[test]
fn content_without_a_length_is_retried_when_it_is_cut_once() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        for what in ["manifests/1", image.config(0), image.layer(0, 1)] {
            let cut = |reply: Reply| {
                reply
                    .without("Content-Length")
                    .breaks_in_body(Break::Close, 0)
            };
            registry
                .on("GET", what)
                .times(1)
                .alters(move |_, reply| cut(reply));
        }
        trial(registry.reference("app:1"))
            .depth(depth)
            .run()
            .passes();
        let (config, layer) = (image.config(0), image.layer(0, 1));
        for what in [config, layer] {
            registry
                .on("GET", what)
                .alters(|_, reply| reply.without("Content-Length").body(vec![7; 20]));
        }
        let verdict = if depth == "full" { "truncated" } else { "ok" };
        let seen = trial(registry.reference("app:1")).depth(depth).run();
        assert_eq!(
            (seen.exit, seen.report.verdict(config)),
            (1, "truncated"),
            "{seen}"
        );
        assert!(
            [verdict, "truncated"].contains(&seen.report.verdict(layer)),
            "{seen}"
        );
    }
}

#[test]
fn tls_without_a_closing_alert_is_not_a_cut() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["127.0.0.1"]));
    registry.image("app:1", &platforms(2));
    registry
        .on("GET", "")
        .alters(|_, reply| reply.without("Content-Length"));
    for depth in DEPTHS {
        trial(registry.reference("app:1"))
            .trusting(&authority)
            .depth(depth)
            .run()
            .passes();
    }
}

#[test]
fn a_hundred_headers_and_early_hints_are_accepted() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.on("GET", "").alters(|_, reply| {
        (0..80).fold(reply, |reply, number| {
            reply.header(&format!("X-Header-{number}"), "x".repeat(50))
        })
    });
    trial(registry.reference("app:1")).run().passes();
}
