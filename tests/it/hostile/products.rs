//! Registries that look like others: a hint for a certain registry is only given where it is
//! certain which one it is.

use super::trial::{Trial, single_image};
use crate::support::fake::{Registry, Storage, Tokens};
use crate::support::http::message::Body;
use crate::support::http::{Reply, Request};
use crate::support::image::Image;

const OF_DISTRIBUTION: &str = "`docker/registry/v2/blobs/sha256/";
const OF_NONE: &str = "from your registry's storage";

/// The bytes of a layer, the first of which is another one.
fn changed(image: &Image) -> Vec<u8> {
    let mut bytes = image.content(image.layer(0, 0)).unwrap().bytes.to_vec();
    bytes[0] ^= 1;
    bytes
}

/// Answers as distribution does, with one header more, and one layer changed on its disk.
fn imitate(registry: &Registry, image: &Image, name: &'static str, value: &'static str) {
    let (layer, bytes) = (image.layer(0, 0).to_owned(), changed(image));
    let change = move |request: &Request, reply: Reply| {
        let reply = reply.header("Docker-Distribution-Api-Version", "registry/2.0");
        let reply = reply.header(name, value);
        let Some((_, digest)) = request.path.split_once("/blobs/") else {
            return reply;
        };
        let reply = reply
            .header("Etag", format!("\"{digest}\""))
            .header("Cache-Control", "max-age=31536000");
        if digest == layer {
            reply.content(Body::Bytes(bytes.clone().into()))
        } else {
            reply
        }
    };
    registry.on("*", "").alters(change);
}

#[track_caller]
fn assert_advised(verify: &Trial, words: &str) {
    let seen = verify.depth("full").run();
    let report = &seen.report;
    let hint = &report.0["hints"][0];
    assert_eq!(hint["id"], "content-changed", "{:#}", report.0);
    let text = hint["text"].as_str().unwrap();
    assert!(text.contains(words), "{text}");
}

#[test]
fn what_answers_as_distribution_does_gets_the_path_of_the_file() {
    let (registry, image, verify) = single_image();
    imitate(&registry, &image, "Server", "nginx/1.27.0");
    assert_advised(&verify, OF_DISTRIBUTION);
}

#[test]
fn one_foreign_header_is_enough_not_to_be_distribution() {
    for (name, value) in [
        ("X-Request-Id", "912c4745c9a9f9346bfa51818a7d30ec"),
        ("Set-Cookie", "sid=8c2c47148; Path=/; HttpOnly"),
        ("X-Registry-Supports-Signatures", "1"),
        ("Server", "cloudflare"),
    ] {
        let (registry, image, verify) = single_image();
        imitate(&registry, &image, name, value);
        assert_advised(&verify, OF_NONE);
    }
}

#[test]
fn a_registry_with_a_token_server_is_not_called_distribution() {
    let (registry, image, verify) = single_image();
    let tokens = Tokens::new();
    registry
        .mount("/token", tokens.endpoint())
        .guarded(tokens.guard("/token"));
    imitate(&registry, &image, "Vary", "Accept");
    assert_advised(&verify, OF_NONE);
}

#[test]
fn what_storage_behind_a_redirect_sends_does_not_name_the_registry() {
    let (registry, image, verify) = single_image();
    let bytes = changed(&image);
    let allowed = "Access-Control-Allow-Headers";
    let elsewhere = crate::support::http::Server::start(move |_| {
        Reply::ok("application/octet-stream", bytes.clone()).header(allowed, "X-ZOT-API-CLIENT")
    });
    let storage = Storage::of(&image);
    registry
        .on("*", &format!("/blobs/{}", image.layer(0, 0)))
        .redirects_to(&elsewhere.url("/layer"));
    storage.is_behind(&registry);
    assert_advised(&verify, OF_NONE);
}

#[test]
fn a_registry_names_itself_by_a_header_of_its_own() {
    let (registry, image, verify) = single_image();
    imitate(
        &registry,
        &image,
        "Access-Control-Allow-Headers",
        "Authorization,content-type,X-ZOT-API-CLIENT",
    );
    assert_advised(&verify, "`find . -path '*/blobs/sha256/");
}
