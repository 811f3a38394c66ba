//! HTTP/2, where a body can end short of its length without the connection ending.

use super::trial::{DEPTHS, Trial, trial};
use crate::support::authority::Authority;
use crate::support::distribution::{Damage, Distribution};
use crate::support::fake::Registry;
use crate::support::http::Break;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};

fn registry(size: usize) -> (Registry, Image, Trial) {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&["127.0.0.1"]));
    let image = registry.image("app:1", &single().layer_size(size));
    let verify = trial(registry.reference("app:1"))
        .trusting(&authority)
        .flag("attempts", "3");
    (registry, image, verify)
}

#[test]
fn a_body_shorter_than_its_length_is_truncated() {
    for how in [Break::Close, Break::Reset] {
        for (after, verdict) in [(0, "empty"), (400, "truncated")] {
            let (registry, image, verify) = registry(100_000);
            let layer = image.layer(0, 1);
            registry.on("GET", layer).alters(move |request, reply| {
                let whole = request.header("Range").is_none();
                reply.breaks_in_body(how, if whole { after } else { 0 })
            });
            verify.depth("full").run().finds(&[(layer, verdict)]);
        }
        let (registry, image, verify) = registry(100_000);
        registry.on("GET", image.layer(0, 0)).breaks(how, 0);
        registry
            .on("GET", image.config(0))
            .alters(move |request, reply| {
                let rest = request.header("Range").is_some();
                reply.breaks_in_body(how, if rest { 0 } else { 10 })
            });
        verify
            .run()
            .finds(&[(image.layer(0, 0), "empty"), (image.config(0), "truncated")]);
        registry.on("GET", "manifests/1").breaks(how, 20);
        verify.run().finds(&[("", "truncated")]);
    }
}

#[test]
fn headers_above_their_limit_are_refused() {
    let (registry, _image, verify) = registry(100);
    let long = "x".repeat(20_000);
    registry
        .on("GET", "manifests/1")
        .alters(move |_, reply| reply.header("X-Long", &long));
    verify.run().leaves_open(&[("", "unavailable")]);
    registry.forget_rules();
    verify.run().passes();
}

#[test]
fn a_stream_reset_once_in_the_middle_is_retried() {
    for how in [Break::Close, Break::Reset] {
        for depth in DEPTHS {
            let (registry, image, verify) = registry(100_000);
            for (what, after) in [
                ("manifests/1", 20),
                (image.config(0), 0),
                (image.layer(0, 0), 0),
            ] {
                registry.on("GET", what).times(1).breaks(how, after);
            }
            registry
                .on("GET", image.layer(0, 1))
                .times(1)
                .breaks(how, if depth == "full" { 60_000 } else { 0 });
            verify.depth(depth).run().passes();
        }
    }
}

#[test]
fn a_stream_reset_before_its_headers_is_undecided() {
    let (registry, image, verify) = registry(1_000);
    registry
        .on("GET", image.layer(0, 0))
        .breaks_anywhere(Break::Reset, 0);
    verify
        .run()
        .leaves_open(&[(image.layer(0, 0), "unavailable")]);
}

#[test]
fn a_stream_that_ends_with_its_headers_is_undecided() {
    let (registry, image, verify) = registry(1_000);
    let layer = image.layer(0, 0);
    let end = |_: &_, reply: crate::support::http::Reply| {
        let head = reply.wire_length("HEAD");
        reply.breaks(Break::Close, head)
    };
    registry.on("GET", layer).times(1).alters(end);
    verify.run().passes();
    registry.on("GET", layer).alters(end);
    verify
        .run()
        .leaves_open(&[(layer, "unavailable")])
        .says(layer, "ended where its body should begin");
}

#[test]
fn a_stalled_stream_is_undecided_and_delays_no_other() {
    let (registry, image, verify) = registry(1_000);
    registry
        .on("GET", image.layer(0, 0))
        .breaks(Break::Stall, 0);
    let seen = verify
        .flag("request-timeout", "100ms")
        .flag("attempts", "1")
        .run();
    seen.leaves_open(&[(image.layer(0, 0), "unavailable")]);
}

#[test]
fn a_body_longer_than_its_length_never_passes() {
    let (registry, image, verify) = registry(1_000);
    let layer = image.layer(0, 0);
    registry.on("GET", layer).alters(|_, reply| {
        reply
            .body(vec![7; 1_200])
            .but_header("Content-Length", "1000")
    });
    let seen = verify.depth("full").run();
    assert_ne!(seen.exit, 0, "{seen}");
}

/// Every damage on a layer of its own, as the real registry answers in HTTP/2.
fn assert_found(warm: bool, expected: [[&str; 5]; 3]) {
    let mut registry = Distribution::tls();
    let image = registry.image("app:1", &platforms(2).layer_size(100_000));
    let verify = trial(registry.reference("app:1")).trusting(registry.authority());
    if warm {
        verify.depth("full").run().passes();
    }
    let layers: Vec<String> = (0..5)
        .map(|at| image.layer(at / 3, at % 3).to_owned())
        .collect();
    for (layer, damage) in layers.iter().zip(Damage::ALL) {
        registry.damage("app", layer, damage);
    }
    for (depth, expected) in DEPTHS.into_iter().zip(expected) {
        if !warm {
            registry.restart();
        }
        let faults = layers
            .iter()
            .map(String::as_str)
            .zip(expected)
            .filter(|(_, verdict)| *verdict != "ok");
        let faults: Vec<_> = faults.collect();
        let seen = verify.depth(depth).run();
        if faults.is_empty() {
            seen.passes()
        } else {
            seen.finds(&faults)
        };
    }
}

#[test]
fn damaged_documents_of_a_real_registry_get_the_same_verdicts_over_http2() {
    let mut registry = Distribution::tls();
    let image = registry.image("app:1", &platforms(5));
    let verify = trial(registry.reference("app:1")).trusting(registry.authority());
    verify.run().passes();
    registry.damage("app", image.config(0), Damage::Emptied);
    registry.damage("app", image.config(1), Damage::Truncated);
    registry.damage("app", image.config(2), Damage::Flipped);
    registry.damage("app", image.child(3), Damage::Flipped);
    registry.damage("app", image.child(4), Damage::Deleted);
    for restart in [false, true] {
        if restart {
            registry.restart();
        }
        for depth in DEPTHS {
            let seen = verify.depth(depth).run();
            // The few bytes that came may be lost together with their stream.
            let cut = seen.report.verdict(image.config(1)).to_owned();
            assert!(["empty", "truncated"].contains(&cut.as_str()), "{seen}");
            seen.finds(&[
                (image.config(0), "empty"),
                (image.config(1), &cut),
                (image.config(2), "digest_mismatch"),
                (image.child(3), "digest_mismatch"),
                (image.child(4), "missing"),
            ]);
        }
    }
}

#[test]
fn a_warm_real_registry_gets_the_same_verdicts_over_http2() {
    // Emptied, truncated, flipped, deleted, unlinked.
    let head = ["ok"; 5];
    let tail = ["empty", "truncated", "ok", "empty", "ok"];
    let full = ["empty", "truncated", "digest_mismatch", "empty", "ok"];
    assert_found(true, [head, tail, full]);
}

#[test]
fn a_cold_real_registry_gets_the_same_verdicts_over_http2() {
    let shallow = ["empty", "truncated", "ok", "missing", "missing"];
    let full = [
        "empty",
        "truncated",
        "digest_mismatch",
        "missing",
        "missing",
    ];
    assert_found(false, [shallow, shallow, full]);
}
