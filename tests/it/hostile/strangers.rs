//! Servers that answer everything, and are no registries.

use super::trial::trial;
use crate::support::http::{Reply, Request, Server};

const STATUS: &str = r#"{"status":"ok"}"#;

/// What such servers answer to every request.
fn catch_alls() -> [Reply; 6] {
    [
        Reply::ok("application/json", STATUS),
        Reply::ok("application/json; charset=utf-8", r#"{"errors":[]}"#),
        Reply::ok("text/plain", "ok\n"),
        Reply::ok("text/plain", "ok\n").chunked(),
        Reply::ok("application/octet-stream", [0, 1, 2]),
        Reply::status(200),
    ]
}

/// A tag, and a digest that nothing has.
fn references(server: &Server) -> [String; 2] {
    let digest = format!("sha256:{}", "5".repeat(64));
    ["app:1".to_owned(), format!("app@{digest}")]
        .map(|reference| format!("{}/{reference}", server.host()))
}

#[test]
fn a_server_that_answers_everything_leaves_it_open() {
    for reply in catch_alls() {
        let server = Server::start(move |_| reply.clone());
        for reference in references(&server) {
            let seen = trial(reference).run();
            assert_eq!((seen.exit, seen.report.result()), (4, "error"), "{seen}");
            seen.prints("the answer is not a manifest, and no registry answers at /v2/")
                .prints("hint: what answers there is not a registry");
        }
    }
}

#[test]
fn a_login_page_leaves_it_open() {
    let login = || Reply::ok("text/html", "<!DOCTYPE html><title>Sign in</title>");
    let pages = [login(), login().but_status(401), login().but_status(403)];
    for page in pages {
        let sign_on = Server::start(move |_| page.clone());
        let there = sign_on.url("/login?to=app");
        let server = Server::start(move |_| Reply::status(302).header("Location", there.clone()));
        for reference in references(&server) {
            let seen = trial(reference).flag("attempts", "2").run();
            assert_eq!((seen.exit, seen.report.result()), (4, "error"), "{seen}");
        }
    }
}

#[test]
fn the_same_answer_of_a_registry_is_broken() {
    let signs: [fn() -> Reply; 5] = [
        || Reply::ok("application/json", "{}"),
        || Reply::status(200).header("Docker-Distribution-Api-Version", "registry/2.0"),
        || Reply::status(401).header("WWW-Authenticate", "Basic realm=\"registry\""),
        || Reply::error(403, "DENIED", ""),
        || Reply::error(404, "NAME_UNKNOWN", "").but_header("Content-Type", "text/plain"),
    ];
    for sign in signs {
        let server = Server::start(move |request: &Request| match request.path.as_str() {
            "/v2/" => sign(),
            _ => Reply::ok("application/json", STATUS),
        });
        for reference in references(&server) {
            let seen = trial(reference).run();
            assert_eq!((seen.exit, seen.report.result()), (1, "failed"), "{seen}");
        }
    }
}

#[test]
fn an_answer_with_a_registrys_header_is_broken() {
    let digest = format!("sha256:{}", "7".repeat(64));
    for reply in [
        Reply::ok("application/vnd.oci.image.manifest.v1+json", STATUS),
        Reply::ok("application/json", STATUS).header("Docker-Content-Digest", digest),
        Reply::ok("application/json", r#"{"schemaVersion":2}"#),
    ] {
        let server = Server::start(move |_| reply.clone());
        for reference in references(&server) {
            let seen = trial(reference).run();
            assert_eq!((seen.exit, seen.report.result()), (1, "failed"), "{seen}");
            let probes = server.requests();
            assert!(probes.iter().all(|request| request.path != "/v2/"));
        }
    }
}
