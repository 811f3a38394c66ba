//! An answer that ends at each of its bytes. A broken connection never proves anything; a body that
//! ends early in good order, every time at the same place, is what is there.

use super::trial::{Trial, trial};
use crate::support::fake::Registry;
use crate::support::http::Break;
use crate::support::image::Image;
use crate::support::recipe::single;

/// What is requested, and under which digest it is reported.
struct Part {
    path: String,
    digest: String,
    verify: Trial,
    headers: usize,
    length: usize,
}

/// The root manifest by its digest, the last byte of a layer, a config, and a whole layer.
fn parts(registry: &Registry) -> [Part; 4] {
    let image = registry.image("app:1", &single().layers(1).layer_size(300));
    let verify = trial(registry.reference(&format!("app@{}", image.root())));
    [
        (image.root(), "tail"),
        (image.layer(0, 0), "tail"),
        (image.config(0), "tail"),
        (image.layer(0, 0), "full"),
    ]
    .map(|(digest, depth)| measured(registry, &image, digest, &verify.depth(depth)))
}

/// Finds out how long the answer is, and how much of it headers.
fn measured(registry: &Registry, image: &Image, digest: &str, verify: &Trial) -> Part {
    let lengths = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
    let measure = std::sync::Arc::clone(&lengths);
    registry
        .on("GET", digest)
        .times(1)
        .alters(move |request, reply| {
            *measure.lock().unwrap() = (
                reply.wire_length("HEAD"),
                reply.wire_length(&request.method),
            );
            reply
        });
    verify.run().passes();
    let (headers, length) = *lengths.lock().unwrap();
    assert!(headers < length && image.content(digest).is_some());
    Part {
        path: digest.to_owned(),
        digest: digest.to_owned(),
        verify: verify.clone(),
        headers,
        length,
    }
}

#[test]
fn a_connection_reset_at_any_byte_is_undecided() {
    let registry = Registry::start();
    for part in parts(&registry) {
        for at in 0..part.length {
            registry
                .on("GET", &part.path)
                .breaks_anywhere(Break::Reset, at);
            let seen = part.verify.clone().flag("attempts", "1").run();
            assert_eq!(
                seen.exit, 4,
                "{} reset at {at} of {}: {seen}",
                part.digest, part.length
            );
            assert_eq!(seen.report.verdict(&part.digest), "unavailable");
            registry.forget_rules();
        }
    }
}

#[test]
fn a_connection_reset_once_at_any_byte_is_retried() {
    let registry = Registry::start();
    for part in parts(&registry) {
        for at in 0..part.length {
            registry
                .on("GET", &part.path)
                .times(1)
                .breaks_anywhere(Break::Reset, at);
            let seen = part.verify.clone().flag("attempts", "2").run();
            assert_eq!(
                seen.exit, 0,
                "{} reset at {at} of {}: {seen}",
                part.digest, part.length
            );
            registry.forget_rules();
        }
    }
}

#[test]
fn a_close_decides_only_within_the_body() {
    let registry = Registry::start();
    for part in parts(&registry) {
        for at in 0..part.length {
            match at.checked_sub(part.headers) {
                None => registry
                    .on("GET", &part.path)
                    .breaks_anywhere(Break::Close, at),
                Some(after) => registry
                    .on("GET", &part.path)
                    .alters(move |request, reply| {
                        // There is nothing after that, whichever way it is asked for.
                        let rest = request.header("Range").is_some();
                        reply.breaks_in_body(Break::Close, if rest { 0 } else { after })
                    }),
            }
            let seen = part.verify.clone().flag("attempts", "2").run();
            let verdict = match at.checked_sub(part.headers) {
                None => "unavailable",
                Some(0) => "empty",
                Some(_) => "truncated",
            };
            let exit = if verdict == "unavailable" { 4 } else { 1 };
            assert_eq!(
                seen.exit, exit,
                "{} closed at {at} of {}: {seen}",
                part.digest, part.length
            );
            assert_eq!(
                seen.report.verdict(&part.digest),
                verdict,
                "closed at {at}: {seen}"
            );
            registry.forget_rules();
        }
    }
}

#[test]
fn a_body_that_ends_elsewhere_each_time_is_not_broken() {
    let registry = Registry::start();
    for part in parts(&registry) {
        let body = part.length - part.headers;
        if body < 2 {
            continue;
        }
        for at in 0..3 {
            registry
                .on("GET", &part.path)
                .times(1)
                .breaks(Break::Close, at * body / 4 + 1);
        }
        part.verify.run().passes();
        registry.forget_rules();
        // Each time all that is new.
        for at in 0..3 {
            registry
                .on("GET", &part.path)
                .times(1)
                .alters(move |_, reply| reply.breaks_in_body(Break::Close, at));
        }
        let seen = part.verify.clone().flag("attempts", "3").run();
        assert_ne!(seen.exit, 1, "{seen}");
        registry.forget_rules();
    }
}
