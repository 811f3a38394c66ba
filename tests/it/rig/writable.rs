//! The fake registry is written to as distribution is, except where a test makes it wrong.

use crate::support::command::pullproof;
use crate::support::digest::sha256;
use crate::support::distribution::{Door, push};
use crate::support::fake::{Registry, Tokens};
use crate::support::http::Reply;
use crate::support::http::client::Answer;
use crate::support::image::{Image, MANIFEST};
use crate::support::recipe::{platforms, single};
use crate::support::skopeo;

fn ask(registry: &Registry, method: &str, path: &str, body: &[u8]) -> Answer {
    let headers = [("Content-Type", MANIFEST)];
    Door::open(&registry.host())
        .ask(method, path, &headers, body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Opens an upload; gives the path of the session with its query.
fn opened(registry: &Registry) -> String {
    let answer = ask(registry, "POST", "/v2/app/blobs/uploads/", b"");
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.header("Location").unwrap().to_owned()
}

/// Completes an upload with these bytes; gives the status.
fn completed(registry: &Registry, session: &str, bytes: &[u8]) -> u16 {
    let path = format!("{session}&digest={}", sha256(bytes));
    ask(registry, "PUT", &path, bytes).status
}

fn writable() -> Registry {
    let registry = Registry::start();
    registry.writable();
    registry
}

#[test]
fn what_skopeo_pushes_is_whole_and_no_upload_is_left() {
    let registry = writable();
    let image = platforms(2).attested().make();
    skopeo::push(&registry.host(), "team/app:1", &image);
    assert_eq!(registry.open_uploads(), 0);
    assert_eq!(
        registry.tagged("team/app", "1").as_deref(),
        Some(image.root())
    );
    let reference = registry.reference("team/app:1");
    let run = pullproof().arguments(["verify", &reference, "--depth", "full"]);
    run.run().exits(0);
    push(&Door::open(&registry.host()), "other:1", &image);
    let (pulls, printed) = skopeo::pulls(&registry.reference(&format!("other@{}", image.root())));
    assert!(pulls, "{printed}");
}

#[test]
fn an_upload_may_come_in_chunks_and_may_be_cancelled() {
    let registry = writable();
    let session = opened(&registry);
    let answer = ask(&registry, "PATCH", &session, b"one ");
    assert_eq!((answer.status, answer.header("Range")), (202, Some("0-3")));
    let path = format!("{session}&digest={}", sha256(b"one two"));
    assert_eq!(ask(&registry, "PUT", &path, b"two").status, 201);
    assert!(registry.has("app", &sha256(b"one two")));
    let session = opened(&registry);
    assert_eq!(registry.open_uploads(), 1);
    for expected in [204, 404] {
        assert_eq!(ask(&registry, "DELETE", &session, b"").status, expected);
    }
    assert_eq!(registry.open_uploads(), 0);
    let session = opened(&registry);
    let without_state = session.split('?').next().unwrap();
    assert_eq!(
        completed(&registry, &format!("{without_state}?x"), b"x"),
        404
    );
    let path = format!("{session}&digest={}", sha256(b"other"));
    let answer = ask(&registry, "PUT", &path, b"x");
    assert!(
        answer.text().contains("DIGEST_INVALID"),
        "{}",
        answer.text()
    );
}

/// A registry with an image, and its manifest.
fn with_image() -> (Registry, Image, Vec<u8>) {
    let registry = writable();
    let image = registry.image("app:1", &single());
    let manifest = image.content(image.root()).unwrap().bytes.to_vec();
    (registry, image, manifest)
}

#[test]
fn a_manifest_is_taken_when_all_that_it_lists_is_there() {
    let (registry, image, manifest) = with_image();
    let path = format!("/v2/app/manifests/{}", image.root());
    registry.lose_in("app", image.root());
    registry.lose_in("app", image.layer(0, 0));
    assert_eq!(ask(&registry, "GET", &path, b"").status, 404);
    let answer = ask(&registry, "PUT", &path, &manifest);
    assert!(
        answer.text().contains("MANIFEST_BLOB_UNKNOWN"),
        "{}",
        answer.text()
    );
    let layer = image.content(image.layer(0, 0)).unwrap().bytes.to_vec();
    assert_eq!(completed(&registry, &opened(&registry), &layer), 201);
    assert_eq!(ask(&registry, "PUT", &path, b"{}").status, 400);
    assert_eq!(ask(&registry, "PUT", &path, &manifest).status, 201);
    assert_eq!(registry.tagged("app", "1"), None, "its tag went with it");
    assert_eq!(
        ask(&registry, "PUT", "/v2/app/manifests/1", &manifest).status,
        201
    );
    assert_eq!(registry.tagged("app", "1").as_deref(), Some(image.root()));
}

#[test]
fn a_blob_is_mounted_from_a_repository_that_has_it() {
    let (registry, image, _) = with_image();
    let layer = image.layer(0, 0);
    let mount = |from: &str| {
        let path = format!("/v2/new/blobs/uploads/?mount={layer}&from={from}");
        ask(&registry, "POST", &path, b"").status
    };
    assert_eq!((mount("gone"), registry.open_uploads()), (202, 1));
    assert!(!registry.has("new", layer));
    assert_eq!((mount("app"), registry.open_uploads()), (201, 1));
    assert!(registry.has("new", layer));
}

#[test]
fn it_refuses_forgets_cuts_and_keeps_nothing_where_a_test_says_so() {
    let registry = writable();
    let digest = sha256(b"x");
    registry
        .on_uploads("POST")
        .times(1)
        .refuses(405, "UNSUPPORTED");
    let answer = ask(&registry, "POST", "/v2/app/blobs/uploads/", b"");
    assert_eq!(answer.status, 405);
    assert!(answer.text().contains("UNSUPPORTED"));
    registry.on_uploads("PUT").times(1).forgets_session();
    let session = opened(&registry);
    assert_eq!(completed(&registry, &session, b"x"), 404);
    registry.on_uploads("PUT").times(1).keeps_nothing();
    assert_eq!(completed(&registry, &session, b"x"), 201);
    assert!(!registry.has("app", &digest));
    registry.server().closes_in_bodies(1, 0);
    let before = registry.requests().len();
    let path = format!("{session}&digest={digest}");
    let cut = Door::open(&registry.host()).ask("PUT", &path, &[], b"x");
    assert!(cut.is_err());
    assert_eq!(registry.requests().len(), before);
    assert_eq!(completed(&registry, &session, b"x"), 201);
    assert!(registry.has("app", &digest));
    registry.on_uploads("POST").times(1).has_absolute_location();
    let here = registry.server().url("/v2/app/blobs/uploads/");
    assert!(opened(&registry).starts_with(&here));
    registry
        .on_uploads("POST")
        .has_location("https://elsewhere.example/x?y");
    assert_eq!(opened(&registry), "https://elsewhere.example/x?y");
}

#[test]
fn a_token_to_read_is_none_to_write() {
    let tokens = Tokens::new();
    let registry = writable();
    registry.mount("/token", tokens.endpoint());
    registry.guarded(tokens.guard(&registry.server().url("/token")));
    let with = |scopes: &str| {
        let answer = ask(&registry, "GET", &format!("/token?{scopes}"), b"");
        let token: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let door = Door {
            host: registry.host(),
            authorization: Some(format!("Bearer {}", token["token"].as_str().unwrap())),
        };
        let status = |path: &str| door.ask("POST", path, &[], b"").unwrap().status;
        let mount = format!("/v2/app/blobs/uploads/?mount={}&from=base", sha256(b"x"));
        (status("/v2/app/blobs/uploads/"), status(&mount))
    };
    let (pull, push) = (
        "scope=repository:app:pull",
        "scope=repository:app:pull,push",
    );
    assert_eq!(with(pull), (401, 401));
    assert_eq!(with(push), (202, 401));
    assert_eq!(
        with(&format!("{push}&scope=repository:base:pull")),
        (202, 202)
    );
}

#[test]
#[should_panic(expected = "the registry was written to")]
fn a_registry_that_is_only_read_fails_the_test_that_writes() {
    let registry = Registry::start();
    registry.lenient();
    registry
        .on("POST", "/v2/app/blobs/uploads/")
        .answers(Reply::status(202));
    ask(&registry, "POST", "/v2/app/blobs/uploads/", b"");
}
