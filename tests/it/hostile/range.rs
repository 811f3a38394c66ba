//! How registries answer a request for one byte. Nothing definite follows from a range alone: a
//! pull requests everything.

use std::time::Duration;

use super::trial::{Trial, trial};
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::fake::content::ranged;
use crate::support::http::message::Body;
use crate::support::http::{Break, Reply};
use crate::support::image::{Descriptor, Image, LAYER};
use crate::support::recipe::single;

const SIZE: usize = 1000;
const LARGE: usize = 3_000_000;

fn registry(size: usize) -> (Registry, Image, Trial) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layers(1).layer_size(size));
    let verify = trial(registry.reference("app:1")).depth("tail");
    (registry, image, verify)
}

/// Lets every answer of 206 or 416 for the layer be changed so; the whole is `body`, or what it
/// should be.
fn lie(
    registry: &Registry,
    layer: &str,
    body: Option<Body>,
    change: impl Fn(Reply) -> Reply + Send + Sync + 'static,
) {
    registry.on("GET", layer).alters(move |request, right| {
        let reply = body.as_ref().map_or(right, |body| ranged(request, body));
        if request.header("Range").is_some() {
            change(reply)
        } else {
            reply
        }
    });
}

fn short() -> Body {
    Body::Bytes(vec![7; 400].into())
}

#[test]
fn a_part_without_a_body_means_that_the_data_is_gone() {
    let empty: [fn(Reply) -> Reply; 4] = [
        Reply::emptied,
        |reply| reply.body("").but_header("Content-Length", "0"),
        |reply| reply.body("").chunked(),
        |reply| reply.body("").without("Content-Length"),
    ];
    for change in empty {
        let (registry, image, verify) = registry(SIZE);
        let layer = image.layer(0, 0);
        lie(&registry, layer, None, change);
        verify.run().finds(&[(layer, "empty")]);
    }
}

#[test]
fn data_that_ends_before_the_last_byte_is_truncated() {
    let (registry, image, verify) = registry(SIZE);
    let layer = image.layer(0, 0);
    registry
        .on("GET", layer)
        .alters(|request, reply| match request.header("Range") {
            Some("bytes=999-999") => reply.emptied(),
            _ => reply,
        });
    verify.run().finds(&[(layer, "truncated")]);
}

#[test]
fn a_wrong_content_range_does_not_decide_about_the_blob() {
    for stated in [
        "bytes 0-0/1000",
        "bytes 999-999/5",
        "bytes 999-999/1000000",
        "bytes */1000",
        "999-999/1000",
        "nonsense",
        "",
    ] {
        let (registry, image, verify) = registry(SIZE);
        let layer = image.layer(0, 0);
        lie(&registry, layer, None, move |reply| {
            reply.but_header("Content-Range", stated)
        });
        verify.run().passes();
        registry.lose(layer);
        verify.run().finds(&[(layer, "missing")]);
    }
    let (registry, image, verify) = registry(SIZE);
    lie(&registry, image.layer(0, 0), None, |reply| {
        reply.without("Content-Range")
    });
    verify.run().passes();
}

#[test]
fn a_short_blob_is_truncated_whatever_its_content_range_says() {
    for stated in [
        "bytes 999-999/400",
        "bytes 0-0/400",
        "bytes */400",
        "nonsense",
    ] {
        let (registry, image, verify) = registry(SIZE);
        let layer = image.layer(0, 0);
        let change = move |reply: Reply| {
            reply
                .but_status(206)
                .body("x")
                .but_header("Content-Range", stated)
        };
        lie(&registry, layer, Some(short()), change);
        verify
            .run()
            .finds(&[(layer, "truncated")])
            .says(layer, "expected 1000 bytes, it has 400");
    }
}

#[test]
fn an_unknown_whole_length_beside_the_right_byte_is_fine() {
    let (registry, image, verify) = registry(SIZE);
    lie(&registry, image.layer(0, 0), None, |reply| {
        reply.but_header("Content-Range", "bytes 999-999/*")
    });
    verify.run().passes();
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 1);
}

#[test]
fn more_bytes_than_the_range_do_not_decide_about_the_blob() {
    let (registry, image, verify) = registry(SIZE);
    lie(&registry, image.layer(0, 0), None, |reply| {
        reply.body(vec![7; 500])
    });
    verify.run().passes();
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 2);
}

#[test]
fn the_last_byte_counts_even_when_its_response_ends_badly() {
    let (registry, image, verify) = registry(SIZE);
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 999-999/1000\r\nTransfer-Encoding: chunked\r\n\r\n";
    lie(&registry, image.layer(0, 0), None, move |_| {
        Reply::raw(format!("{head}1\r\nx\r\n"))
    });
    verify.run().passes();
}

#[test]
fn a_small_blob_is_read_whole_where_ranges_are_ignored() {
    let (registry, image, verify) = registry(SIZE);
    let layer = image.layer(0, 0);
    registry.on("GET", layer).times(1).ignores_range();
    verify.run().passes();
    for (body, verdict) in [
        (vec![7; SIZE], "digest_mismatch"),
        (vec![7; 400], "truncated"),
        (vec![], "empty"),
    ] {
        registry.forget_rules();
        registry
            .on("GET", layer)
            .answers(Reply::ok("application/octet-stream", body));
        verify.run().finds(&[(layer, verdict)]);
    }
    registry.forget_rules();
    registry
        .on("GET", layer)
        .answers(Reply::ok("application/octet-stream", vec![7; SIZE]).emptied());
    verify.run().finds(&[(layer, "empty")]);
}

#[test]
fn a_blob_is_read_to_its_end_up_to_64_mebibytes() {
    let limit = 64 * 1024 * 1024;
    for (size, is_read) in [(limit, true), (limit + 1, false)] {
        let mut image = Image::empty();
        let digest = sha256(b"never made");
        let layer = Descriptor::promising(LAYER, &digest, size);
        let root = image.image_of(&[layer]);
        let registry = Registry::start();
        registry.serve("app:1", &image.begins_with(&root));
        let zeros = Reply::ok("application/octet-stream", "").content(Body::Zeros(size));
        registry.on("GET", &digest).answers(zeros);
        let seen = trial(registry.reference("app:1")).run();
        if is_read {
            let seen = seen.finds(&[(&digest, "digest_mismatch")]);
            assert!(seen.report.count("bytes") >= 2 * size, "{seen}");
        } else {
            let seen = seen.passes().says(&digest, "last byte not checked");
            let seen = seen.prints("1 warning");
            assert!(seen.report.count("bytes") < size / 4, "{seen}");
        }
    }
}

#[test]
fn a_check_of_two_requests_counts_both_and_their_time() {
    let (registry, image, verify) = registry(SIZE);
    let layer = image.layer(0, 0);
    registry.on("GET", layer).times(1).loses();
    registry.on("GET", layer).times(1).alters(|_, reply| {
        reply
            .but_header("Content-Range", "nonsense")
            .delayed(Duration::from_millis(50))
    });
    let seen = verify
        .flag("settle", "10s")
        .run()
        .passes()
        .says(layer, "appeared after ");
    let nodes = seen.report.nodes();
    let node = nodes.iter().find(|node| node["digest"] == layer).unwrap();
    assert_eq!(
        (node["attempts"].as_u64(), registry.asked(layer).len()),
        (Some(3), 3),
        "{seen}"
    );
    assert!(node["duration_ms"].as_u64() >= Some(50), "{seen}");
}

#[test]
fn a_large_blob_is_downloaded_once_where_ranges_are_ignored() {
    let (registry, image, verify) = registry(LARGE);
    let layer = image.layer(0, 0);
    registry.on("GET", layer).ignores_range();
    let seen = verify.run().passes();
    assert_eq!(registry.asked(layer).len(), 1);
    let bytes = seen.report.count("bytes");
    let size = LARGE as u64;
    assert!((size..size + 10_000).contains(&bytes), "{seen}");
    let large = |length| Reply::ok("application/octet-stream", "").content(Body::Zeros(length));
    for (length, verdict) in [
        (2_000_000, "truncated"),
        (4_000_000, "size_mismatch"),
        (0, "empty"),
    ] {
        registry.forget_rules();
        registry.on("GET", layer).answers(large(length));
        verify.run().finds(&[(layer, verdict)]);
    }
    registry.forget_rules();
    registry
        .on("GET", layer)
        .answers(large(3_000_000).emptied());
    verify.run().finds(&[(layer, "empty")]);
}

#[test]
fn an_unsatisfiable_range_does_not_decide_about_the_blob() {
    for stated in [
        Some("bytes */400"),
        Some("bytes */1000"),
        Some("bytes */0"),
        Some("nonsense"),
        None,
    ] {
        let (registry, image, verify) = registry(SIZE);
        let refuse = move |_| {
            let reply = Reply::error(416, "RANGE_INVALID", "no such range");
            stated.map_or(reply.clone(), |stated| {
                reply.header("Content-Range", stated)
            })
        };
        lie(&registry, image.layer(0, 0), None, refuse);
        verify.run().passes();
    }
}

#[test]
fn a_short_blob_behind_an_unsatisfiable_range_is_truncated() {
    for stated in [Some("bytes */400"), Some("bytes */1000"), None] {
        let (registry, image, verify) = registry(SIZE);
        let layer = image.layer(0, 0);
        let refuse = move |_| {
            let reply = Reply::error(416, "RANGE_INVALID", "no such range");
            stated.map_or(reply.clone(), |stated| {
                reply.header("Content-Range", stated)
            })
        };
        lie(&registry, layer, Some(short()), refuse);
        verify.run().finds(&[(layer, "truncated")]);
    }
}

#[test]
fn an_unrequested_part_is_undecided() {
    let (registry, image, verify) = registry(SIZE);
    let layer = image.layer(0, 0);
    let part = Reply::ok("application/octet-stream", "x")
        .but_status(206)
        .header("Content-Range", "bytes 0-0/1000");
    registry.on("GET", layer).answers(part);
    for depth in ["tail", "full"] {
        verify
            .depth(depth)
            .run()
            .leaves_open(&[(layer, "unavailable")]);
    }
}

#[test]
fn a_server_that_refuses_ranges_is_asked_for_everything() {
    for status in [400, 403, 405, 501] {
        for size in [SIZE, LARGE] {
            let (registry, image, verify) = registry(size);
            lie(&registry, image.layer(0, 0), None, move |_| {
                Reply::error(status, "UNSUPPORTED", "no ranges here")
            });
            verify.run().passes();
            registry.forget_rules();
            lie(&registry, image.layer(0, 0), Some(short()), move |_| {
                Reply::error(status, "UNSUPPORTED", "no ranges")
            });
            assert_eq!(verify.run().exit, 1);
        }
    }
}

#[test]
fn a_broken_connection_is_not_an_empty_answer() {
    let (registry, image, verify) = registry(SIZE);
    let layer = image.layer(0, 0);
    registry.on("GET", layer).times(2).breaks(Break::Reset, 0);
    verify.run().passes();
    registry.on("GET", layer).breaks(Break::Reset, 0);
    verify.run().leaves_open(&[(layer, "unavailable")]);
}
