//! Registries that are slow, and registries that never end.

use std::time::Duration;

use super::trial::{DEPTHS, trial};
use crate::support::fake::Registry;
use crate::support::http::{Break, Reply};
use crate::support::recipe::single;

#[test]
fn headers_that_never_arrive_are_undecided() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        let layer = image.layer(0, 0);
        registry.on("*", layer).breaks_anywhere(Break::Stall, 0);
        let verify = trial(registry.reference("app:1")).depth(depth);
        let seen = verify
            .flag("request-timeout", "100ms")
            .flag("attempts", "2")
            .run();
        let seen = seen
            .leaves_open(&[(layer, "unavailable")])
            .says(layer, "no answer within 0.1 s");
        assert!(seen.took >= Duration::from_millis(200), "{seen}");
    }
}

#[test]
fn headers_that_arrive_late_once_are_retried() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .times(1)
        .breaks_anywhere(Break::Stall, 0);
    trial(registry.reference("app:1"))
        .flag("request-timeout", "100ms")
        .run()
        .passes();
}

#[test]
fn a_body_may_be_slow_as_long_as_it_makes_progress() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layer_size(9_000));
    registry
        .on("GET", image.layer(0, 0))
        .alters(|_, reply| reply.dripping(1_000, Duration::from_millis(60)));
    let seen = trial(registry.reference("app:1"))
        .depth("full")
        .flag("request-timeout", "400ms")
        .run()
        .passes();
    assert!(seen.took > Duration::from_millis(500), "{seen}");
}

#[test]
fn a_stalled_body_is_undecided() {
    for part in ["layer", "config", "manifest"] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        let (what, name) = match part {
            "layer" => (image.layer(0, 0), image.layer(0, 0)),
            "config" => (image.config(0), image.config(0)),
            _ => ("manifests/1", ""),
        };
        registry.on("GET", what).alters(|request, reply| {
            let rest = request.header("Range").is_some();
            reply.breaks_in_body(Break::Stall, if rest { 0 } else { 100 })
        });
        let verify = trial(registry.reference("app:1"))
            .depth("full")
            .flag("attempts", "2");
        let seen = verify.flag("request-timeout", "100ms").run();
        seen.leaves_open(&[(name, "unavailable")])
            .says(name, "no bytes arrived for 0.1 s");
    }
}

#[test]
fn a_stalled_body_that_resumes_on_request_passes() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .breaks(Break::Stall, 300);
    let verify = trial(registry.reference("app:1"))
        .depth("full")
        .flag("attempts", "2");
    verify.flag("request-timeout", "100ms").run().passes();
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 4);
}

#[test]
fn a_stalled_first_byte_is_undecided() {
    for is_ignored in [true, false] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single().layer_size(2_000_000));
        let whole = Reply::ok("application/octet-stream", vec![7; 2_000_000]);
        registry
            .on("GET", image.layer(0, 0))
            .alters(move |request, reply| match request.header("Range") {
                Some("bytes=1999999-1999999") if !is_ignored => reply.emptied(),
                Some("bytes=0-0") => reply.breaks_in_body(Break::Stall, 0),
                _ => whole.clone().breaks_in_body(Break::Stall, 0),
            });
        let verify = trial(registry.reference("app:1"))
            .flag("attempts", "3")
            .flag("request-timeout", "100ms");
        verify
            .run()
            .leaves_open(&[(image.layer(0, 0), "unavailable")]);
    }
}

#[test]
fn a_stalled_last_byte_is_undecided() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .breaks(Break::Stall, 0);
    let verify = trial(registry.reference("app:1"))
        .flag("attempts", "1")
        .flag("request-timeout", "100ms");
    verify
        .run()
        .leaves_open(&[(image.layer(0, 0), "unavailable")]);
}

#[test]
fn a_run_against_a_server_that_never_ends_ends_at_its_timeout() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let endless = crate::support::http::message::Body::Zeros(1 << 40);
    let drip = Reply::ok("application/octet-stream", "")
        .content(endless)
        .dripping(4096, Duration::from_millis(5));
    registry
        .on("GET", image.layer(0, 0))
        .answers(drip.without("Content-Length"));
    registry
        .on("GET", image.layer(0, 1))
        .breaks(Break::Stall, 0);
    let verify = trial(registry.reference("app:1"))
        .depth("full")
        .flag("timeout", "300ms");
    let seen = verify.run();
    assert!([1, 4].contains(&seen.exit), "{seen}");
    assert_eq!(seen.report.verdict(image.layer(0, 1)), "unavailable");
    assert!(seen.took < Duration::from_secs(5), "{seen}");
}

#[test]
fn what_was_found_before_the_timeout_counts() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.lose(image.layer(0, 0));
    registry
        .on("GET", image.layer(0, 1))
        .breaks_anywhere(Break::Stall, 0);
    let seen = trial(registry.reference("app:1"))
        .flag("timeout", "300ms")
        .run();
    seen.finds(&[
        (image.layer(0, 0), "missing"),
        (image.layer(0, 1), "unavailable"),
    ]);
}
