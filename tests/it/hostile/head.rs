//! HEAD can show that all is well; any other answer to it leads to a request for the last byte.

use super::trial::{DEPTHS, single_image};
use crate::support::fake::Storage;
use crate::support::http::{Break, Reply};

#[test]
fn an_empty_body_behind_right_headers_is_found() {
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 1);
    registry.on("GET", layer).empties();
    verify.depth("head").run().passes();
    for depth in ["tail", "full"] {
        let seen = verify.depth(depth).run().finds(&[(layer, "empty")]);
        seen.says(layer, "has no bytes")
            .prints("Restart the registry");
    }
}

#[test]
fn a_refused_head_decides_nothing() {
    for status in [400, 401, 403, 404, 405, 500, 501, 503] {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 1);
        registry.on("HEAD", layer).answers_status(status);
        verify.depth("head").run().passes();
        assert!(
            registry
                .asked(layer)
                .iter()
                .any(|asked| asked.starts_with("GET")),
            "HEAD {status}"
        );
    }
}

#[test]
fn a_head_that_is_throttled_or_unanswered_is_not_followed_up() {
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 1);
    registry.on("HEAD", layer).answers_status(429);
    verify
        .depth("head")
        .run()
        .leaves_open(&[(layer, "rate_limited")]);
    registry.forget_rules();
    registry.on("HEAD", layer).breaks_anywhere(Break::Reset, 0);
    verify
        .depth("head")
        .run()
        .leaves_open(&[(layer, "unavailable")]);
    assert!(
        registry
            .asked(layer)
            .iter()
            .all(|asked| asked.starts_with("HEAD")),
        "it went on"
    );
}

#[test]
fn what_is_gone_is_found_behind_a_refused_head() {
    for status in [403, 405, 501] {
        let (registry, image, verify) = single_image();
        registry
            .on("HEAD", image.layer(0, 1))
            .answers_status(status);
        registry.lose(image.layer(0, 1));
        verify
            .depth("head")
            .run()
            .finds(&[(image.layer(0, 1), "missing")]);
    }
}

#[test]
fn a_head_with_a_missing_or_wrong_length_decides_nothing() {
    let lies: [fn(Reply) -> Reply; 4] = [
        |reply| reply.without("Content-Length"),
        |reply| reply.but_header("Content-Length", "0"),
        |reply| reply.but_header("Content-Length", "7"),
        |reply| reply.but_header("Content-Length", "10000000000"),
    ];
    for lie in lies {
        let (registry, image, verify) = single_image();
        registry
            .on("HEAD", image.layer(0, 1))
            .alters(move |_, reply| lie(reply));
        verify.depth("head").run().passes();
        registry.on("GET", image.layer(0, 1)).empties();
        verify
            .depth("head")
            .run()
            .finds(&[(image.layer(0, 1), "empty")]);
    }
}

#[test]
fn a_head_refused_behind_a_redirect_signed_for_get_is_not_denied() {
    let (registry, image, verify) = single_image();
    let storage = Storage::of(&image);
    storage.is_behind(&registry);
    verify.depth("head").run().passes();
    assert!(
        storage
            .server()
            .requests()
            .iter()
            .any(|request| request.method == "HEAD"),
        "it was not tried"
    );
}

#[test]
fn a_blob_of_another_size_is_found_at_every_depth() {
    for (length, verdict) in [(400, "truncated"), (1100, "size_mismatch")] {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 1);
        registry.on("*", layer).alters(move |request, _| {
            let body = crate::support::http::message::Body::Bytes(vec![7; length].into());
            crate::support::fake::content::ranged(request, &body)
        });
        for depth in DEPTHS {
            verify
                .depth(depth)
                .run()
                .finds(&[(layer, verdict)])
                .says(layer, &format!("has {length}"));
        }
    }
}
