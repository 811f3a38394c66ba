//! The fake registry is right except where a test makes it wrong.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::authority::Authority;
use crate::support::digest::sha256;
use crate::support::fake::guard::basic_credentials;
use crate::support::fake::{Registry, Storage, Tokens, guard};
use crate::support::http::client::{ask, ask_tls, get};
use crate::support::http::{Break, Reply, Server};
use crate::support::image::{INDEX, MANIFEST};
use crate::support::recipe::{platforms, single};

fn url(registry: &Registry, path: &str) -> String {
    registry.server().url(path)
}

#[test]
fn manifests_are_served_by_tag_and_by_digest() {
    let registry = Registry::start();
    let image = registry.image("team/app:1", &platforms(2).attested());
    for reference in ["1", image.root()] {
        let answer = ask(
            "GET",
            &url(&registry, &format!("/v2/team/app/manifests/{reference}")),
            &[("Accept", INDEX)],
            &[],
        );
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(sha256(&answer.body), image.root());
        assert_eq!(answer.header("content-type"), Some(INDEX));
        assert_eq!(answer.header("docker-content-digest"), Some(image.root()));
    }
}

#[test]
fn a_type_that_is_not_accepted_is_a_404_as_in_distribution() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(2));
    let answer = ask(
        "GET",
        &url(&registry, "/v2/app/manifests/1"),
        &[("Accept", MANIFEST)],
        &[],
    )
    .unwrap();
    assert_eq!(answer.status, 404);
}

#[test]
fn a_blob_is_served_whole_or_as_the_requested_range() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layer_size(1000));
    let layer = image.layer(0, 0);
    let url = url(&registry, &format!("/v2/app/blobs/{layer}"));
    assert_eq!(sha256(&get(&url).body), layer);
    for (range, status, length, stated) in [
        ("bytes=999-999", 206, 1, "bytes 999-999/1000"),
        ("bytes=0-0", 206, 1, "bytes 0-0/1000"),
        ("bytes=990-", 206, 10, "bytes 990-999/1000"),
        ("bytes=-3", 206, 3, "bytes 997-999/1000"),
        ("bytes=0-5000", 206, 1000, "bytes 0-999/1000"),
        ("bytes=1000-1000", 416, 0, "bytes */1000"),
    ] {
        let answer = ask("GET", &url, &[("Range", range)], &[]).unwrap();
        assert_eq!(
            (answer.status, answer.header("content-range")),
            (status, Some(stated)),
            "{range}"
        );
        if status == 206 {
            assert_eq!(answer.body.len(), length, "{range}");
        }
    }
}

#[test]
fn head_has_the_length_and_no_body() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layer_size(1000));
    let answer = ask(
        "HEAD",
        &url(&registry, &format!("/v2/app/blobs/{}", image.layer(0, 0))),
        &[],
        &[],
    )
    .unwrap();
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, Some("1000"))
    );
}

#[test]
fn what_is_lost_is_404_until_it_is_found() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let url = url(&registry, &format!("/v2/app/blobs/{}", image.layer(0, 1)));
    registry.lose(image.layer(0, 1));
    assert_eq!(get(&url).status, 404);
    registry.find(image.layer(0, 1));
    assert_eq!(get(&url).status, 200);
}

#[test]
#[should_panic(expected = "asked for what it does not know")]
fn an_unknown_request_fails_the_test() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    get(&url(&registry, "/v2/app/manifests/2"));
}

#[test]
fn a_rule_applies_as_often_as_it_states() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .after(1)
        .times(2)
        .throttles("7");
    let url = url(&registry, &format!("/v2/app/blobs/{}", image.layer(0, 0)));
    let statuses: Vec<u16> = (0..4).map(|_| get(&url).status).collect();
    assert_eq!(statuses, [200, 429, 429, 200]);
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 4);
}

#[test]
fn responses_break_where_the_test_sets_it() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layer_size(1000));
    let path = |layer| format!("/v2/app/blobs/{}", image.layer(0, layer));
    registry.on("GET", image.layer(0, 0)).empties();
    registry
        .on("GET", image.layer(0, 1))
        .breaks(Break::Close, 400);
    registry
        .on("GET", image.layer(0, 2))
        .breaks_anywhere(Break::Reset, 20);
    for (layer, length) in [(0, 0), (1, 400)] {
        let answer = get(&url(&registry, &path(layer)));
        assert_eq!(
            (
                answer.header("content-length"),
                answer.body.len(),
                answer.cut
            ),
            (Some("1000"), length, true)
        );
    }
    let error = ask("GET", &url(&registry, &path(2)), &[], &[]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_stalled_answer_ends_with_the_server() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry
        .on("GET", image.layer(0, 0))
        .breaks(Break::Stall, 10);
    let mut stream = TcpStream::connect(registry.host()).unwrap();
    let question = format!("GET /v2/app/blobs/{} HTTP/1.1\r\n\r\n", image.layer(0, 0));
    stream.write_all(question.as_bytes()).unwrap();
    let mut came = Vec::new();
    let mut byte = [0];
    while came
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .is_none_or(|head| came.len() < head + 4 + 10)
    {
        stream.read_exact(&mut byte).unwrap();
        came.push(byte[0]);
    }
    drop(registry);
    assert_eq!(
        stream.read(&mut byte).unwrap(),
        0,
        "more than ten bytes came"
    );
}

#[test]
fn ranges_are_ignored_when_the_test_sets_it() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single().layer_size(1000));
    registry.on("GET", image.layer(0, 0)).ignores_range();
    let url = url(&registry, &format!("/v2/app/blobs/{}", image.layer(0, 0)));
    let answer = ask("GET", &url, &[("Range", "bytes=999-999")], &[]).unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 1000));
}

#[test]
fn chunks_and_drips_arrive_whole() {
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let sent = bytes.clone();
    let server = Server::start(move |request| match request.path.as_str() {
        "/chunked" => Reply::ok("text/plain", sent.clone()).chunked(),
        "/unframed" => Reply::ok("text/plain", sent.clone()).without("Content-Length"),
        _ => Reply::ok("text/plain", sent.clone()).dripping(1000, Duration::from_millis(1)),
    });
    for path in ["/chunked", "/unframed", "/dripping"] {
        assert_eq!(get(&server.url(path)).body, bytes, "{path}");
    }
}

#[test]
fn referrers_are_found_by_their_subject() {
    let registry = Registry::start();
    let mut image = single().make();
    let signature = image.referrer("application/vnd.test.signature", "signed");
    registry.serve("app:1", &image);
    let answer = get(&url(
        &registry,
        &format!("/v2/app/referrers/{}", image.root()),
    ));
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["manifests"][0]["digest"], signature.manifest.digest());
    assert_eq!(json["manifests"].as_array().unwrap().len(), 1);
}

#[test]
fn lists_come_in_pages_with_links() {
    let registry = Registry::start();
    for tag in ["app:a", "app:b", "app:c"] {
        registry.image(tag, &single());
    }
    let first = get(&url(&registry, "/v2/app/tags/list?n=2"));
    assert_eq!(
        first.header("link"),
        Some("</v2/app/tags/list?last=b&n=2>; rel=\"next\"")
    );
    let second = get(&url(&registry, "/v2/app/tags/list?last=b&n=2"));
    assert_eq!(second.text(), r#"{"name":"app","tags":["c"]}"#);
    assert_eq!(second.header("link"), None);
}

#[test]
fn basic_wants_the_right_password() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(guard::basic("me", "secret"));
    let url = url(&registry, "/v2/");
    let ask_as = |password| {
        ask(
            "GET",
            &url,
            &[("Authorization", &basic_credentials("me", password))],
            &[],
        )
        .unwrap()
        .status
    };
    assert_eq!(
        (get(&url).status, ask_as("wrong"), ask_as("secret")),
        (401, 401, 200)
    );
}

#[test]
fn a_token_is_good_for_its_scope_and_its_time() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.image("other:1", &single().seed(1));
    let tokens = Tokens::new().good_for(2, 400);
    registry.mount("/token", tokens.endpoint());
    registry.guarded(tokens.guard("/token"));
    let blob = url(&registry, &format!("/v2/app/blobs/{}", image.layer(0, 0)));
    let refused = get(&blob);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"/token\",service=\"tests\",scope=\"repository:app:pull\"")
    );
    let json = get(&url(
        &registry,
        "/token?service=tests&scope=repository:app:pull",
    ))
    .text();
    assert_eq!(json, r#"{"expires_in":300,"token":"opaque-token-0"}"#);
    let with_token = |url: &str| {
        ask(
            "GET",
            url,
            &[("Authorization", "Bearer opaque-token-0")],
            &[],
        )
        .unwrap()
        .status
    };
    assert_eq!(
        with_token(&url(&registry, "/v2/other/tags/list")),
        401,
        "another repository"
    );
    assert_eq!([(); 3].map(|()| with_token(&blob)), [200, 200, 400]);
}

#[test]
fn storage_wants_the_signature_and_no_credentials() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let storage = Storage::of(&image);
    storage.is_behind(&registry);
    let layer = image.layer(0, 0);
    let answer = get(&url(&registry, &format!("/v2/app/blobs/{layer}")));
    let location = answer.header("location").unwrap();
    assert_eq!(sha256(&get(location).body), layer);
    assert_eq!(ask("HEAD", location, &[], &[]).unwrap().status, 403);
    assert_eq!(
        ask("GET", location, &[("Authorization", "Bearer x")], &[])
            .unwrap()
            .status,
        400
    );
    assert_eq!(get(location.split('?').next().unwrap()).status, 403);
}

#[test]
fn https_needs_trust_in_the_authority() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["127.0.0.1"]));
    registry.image("app:1", &single());
    let url = url(&registry, "/v2/");
    assert_eq!(
        ask_tls(&authority.client(), "GET", &url, &[])
            .unwrap()
            .status,
        200
    );
    assert!(ask_tls(&Authority::new().client(), "GET", &url, &[]).is_err());
}
