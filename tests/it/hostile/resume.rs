//! Downloads that are cut off: what came is not fetched again, and what is missing is asked for at
//! the registry.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::trial::{Trial, trial};
use crate::support::fake::Registry;
use crate::support::fake::content::ranged;
use crate::support::http::message::Body;
use crate::support::http::{Break, Reply, Server};
use crate::support::image::Image;
use crate::support::recipe::single;

const SIZE: usize = 100_000;

fn registry() -> (Registry, Image, Trial) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layers(1).layer_size(SIZE));
    let verify = trial(registry.reference("app:1")).depth("full");
    (registry, image, verify)
}

/// The ranges that were asked for, in their order; nothing for the whole.
fn ranges(registry: &Registry, layer: &str) -> Vec<String> {
    let asked = registry
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with(layer));
    asked
        .map(|request| request.header("Range").unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let (registry, image, verify) = registry();
    registry
        .on("GET", image.layer(0, 0))
        .times(1)
        .breaks(Break::Close, 40_000);
    verify.run().passes();
    assert_eq!(
        ranges(&registry, image.layer(0, 0)),
        ["", "bytes=40000-99999"]
    );
}

#[test]
fn a_download_that_makes_progress_is_not_given_up() {
    let (registry, image, verify) = registry();
    for _ in 0..20 {
        registry
            .on("GET", image.layer(0, 0))
            .times(1)
            .breaks(Break::Close, 4_500);
    }
    let seen = verify.flag("attempts", "3").run().passes();
    assert_eq!(ranges(&registry, image.layer(0, 0)).len(), 21, "{seen}");
}

#[test]
fn a_download_that_never_gets_further_is_truncated() {
    let (registry, image, verify) = registry();
    let layer = image.layer(0, 0);
    registry.on("GET", layer).alters(|request, reply| {
        let from_start = request.header("Range").is_none();
        reply.breaks_in_body(Break::Close, if from_start { 40_000 } else { 0 })
    });
    verify
        .run()
        .finds(&[(layer, "truncated")])
        .says(layer, "the data ends after 40000");
}

#[test]
fn a_signed_url_is_never_used_twice() {
    let (registry, image, verify) = registry();
    let layer = image.layer(0, 0);
    let bytes = Arc::clone(&image.content(layer).unwrap().bytes);
    let used: Arc<Mutex<Vec<String>>> = Arc::default();
    let queries = Arc::clone(&used);
    let storage = Server::start(move |request| {
        let mut used = used.lock().unwrap();
        if used.contains(&request.query) {
            return Reply::ok("application/xml", "<Error>Request has expired</Error>")
                .but_status(403);
        }
        used.push(request.query.clone());
        let reply = ranged(request, &Body::Bytes(Arc::clone(&bytes)));
        if used.len() < 4 {
            reply.breaks_in_body(Break::Close, 20_000)
        } else {
            reply
        }
    });
    let (url, count) = (storage.url("/blob"), AtomicUsize::new(0));
    registry.on("GET", layer).alters(move |_, _| {
        let signature = count.fetch_add(1, Ordering::SeqCst);
        Reply::status(307).header("Location", format!("{url}?signature={signature}"))
    });
    verify.run().passes();
    assert_eq!(
        ranges(&registry, layer),
        [
            "",
            "bytes=20000-99999",
            "bytes=40000-99999",
            "bytes=60000-99999"
        ]
    );
    assert_eq!(
        *queries.lock().unwrap(),
        ["signature=0", "signature=1", "signature=2", "signature=3"]
    );
}

#[test]
fn a_download_that_cannot_resume_starts_again() {
    let answers: [fn(Reply) -> Reply; 5] = [
        // The whole again.
        |_| Reply::status(200),
        |_| {
            Reply::error(416, "RANGE_INVALID", "no such range")
                .header("Content-Range", "bytes */100000")
        },
        |_| Reply::error(416, "RANGE_INVALID", "no such range"),
        |reply| reply.but_header("Content-Range", "bytes 0-59999/100000"),
        |reply| reply.without("Content-Range"),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let (registry, image, verify) = registry();
        let layer = image.layer(0, 0);
        let bytes = image.content(layer).unwrap().bytes.to_vec();
        registry
            .on("GET", layer)
            .times(1)
            .breaks(Break::Close, 40_000);
        registry
            .on("GET", layer)
            .times(1)
            .alters(move |_, reply| match answer(reply) {
                reply if reply.get_header("Content-Type").is_none() => {
                    Reply::ok("x/y", bytes.clone())
                }
                reply => reply,
            });
        verify.run().passes();
        let count = ranges(&registry, layer).len();
        assert_eq!(count, if at == 0 { 2 } else { 3 });
    }
}

#[test]
fn wrong_bytes_before_a_cut_are_fetched_again() {
    // Half of the response came from something in between.
    let (registry, image, verify) = registry();
    let layer = image.layer(0, 0);
    registry.on("GET", layer).times(1).alters(|_, reply| {
        reply
            .body(vec![b'<'; SIZE])
            .breaks_in_body(Break::Close, 40_000)
    });
    verify.run().passes();
    assert_eq!(ranges(&registry, layer), ["", "bytes=40000-99999", ""]);
}

#[test]
fn a_wrong_byte_after_a_resume_is_found() {
    let (registry, image, verify) = registry();
    let layer = image.layer(0, 0);
    let mut bytes = image.content(layer).unwrap().bytes.to_vec();
    bytes[70_000] ^= 1;
    registry
        .on("GET", layer)
        .times(1)
        .breaks(Break::Close, 40_000);
    registry
        .on("GET", layer)
        .alters(move |request, _| ranged(request, &Body::Bytes(bytes.clone().into())));
    verify.run().finds(&[(layer, "digest_mismatch")]);
}

#[test]
fn a_response_that_overflows_every_count_does_not_panic() {
    let (registry, image, verify) = registry();
    let layer = image.layer(0, 0);
    registry
        .on("GET", layer)
        .times(1)
        .breaks(Break::Close, 40_000);
    registry.on("GET", layer).alters(|_, reply| {
        reply
            .but_header("Content-Length", "18446744073709551613")
            .breaks_in_body(Break::Close, 60_000)
    });
    let seen = verify.run();
    assert!([0, 1, 4].contains(&seen.exit), "{seen}");
}
