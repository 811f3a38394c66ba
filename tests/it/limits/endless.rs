//! Bodies, headers and redirects without end: only a limited part is read.

use std::time::Duration;

use serde_json::json;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::fake::{Registry, Tokens};
use crate::support::http::message::Body;
use crate::support::http::{Reply, Server};
use crate::support::image::{CONFIG, Descriptor, Image, LAYER, MANIFEST, manifest_of};
use crate::support::recipe::single;

const MEGABYTE: u64 = 1024 * 1024;

/// More than a test has time to read.
const ENDLESS: Body = Body::Zeros(1 << 50);

fn verify(reference: &str, depth: &str) -> Pullproof {
    pullproof()
        .arguments([
            "verify",
            reference,
            "--depth",
            depth,
            "--settle",
            "0s",
            "--backoff",
            "1ms",
            "--attempts",
            "2",
        ])
        .arguments(["--format", "json", "--timeout", "20s"])
}

/// It ended long before its `timeout`, and read no more than this.
#[track_caller]
fn read_at_most(finished: &Finished, bytes: u64) {
    let report = finished.report();
    assert!(
        report.count("bytes") <= bytes,
        "it read {} bytes",
        report.count("bytes")
    );
    assert!(
        finished.took < Duration::from_secs(15),
        "it took {:?}",
        finished.took
    );
}

/// An image with a config of its promised size and a layer.
fn image(config_size: u64) -> (Image, Descriptor, Descriptor) {
    let mut image = Image::empty();
    let config = image.blob(CONFIG, "{}").with("size", config_size);
    let layer = image.blob(LAYER, "layer").with("size", 3 * MEGABYTE);
    let root = image.document(&manifest_of(&config, std::slice::from_ref(&layer)));
    (image.begins_with(&root), config, layer)
}

#[test]
fn a_manifest_without_end_is_read_up_to_its_limit() {
    for (reply, code) in [
        (Reply::ok(MANIFEST, "").content(ENDLESS), 1),
        (
            Reply::ok(MANIFEST, "")
                .content(ENDLESS)
                .without("Content-Length"),
            1,
        ),
    ] {
        let server = Server::start(move |_| reply.clone());
        let finished = verify(&format!("{}/app:1", server.host()), "tail")
            .run()
            .exits(code);
        // Once to find it, once to confirm it, and once to see whether the tag has moved.
        read_at_most(&finished, 3 * 5 * MEGABYTE);
        assert!(
            finished.stdout.contains("larger than 4393216 bytes"),
            "{finished}"
        );
    }
}

#[test]
fn a_blob_without_end_is_read_up_to_its_promise() {
    for depth in ["tail", "full"] {
        for stated in [true, false] {
            let (image, config, layer) = image(100);
            let registry = Registry::start();
            registry.serve("app:1", &image);
            for digest in [config.digest(), layer.digest()] {
                let body = Reply::ok("application/octet-stream", "").content(ENDLESS);
                let body = if stated {
                    body
                } else {
                    body.without("Content-Length")
                };
                registry.on("GET", digest).answers(body);
            }
            let finished = verify(&registry.reference("app:1"), depth).run().exits(1);
            // Each is read to its promised end and a piece beyond it, twice at most.
            read_at_most(&finished, 2 * (3 * MEGABYTE + 2 * MEGABYTE));
        }
    }
}

#[test]
fn a_config_larger_than_any_is_not_fetched_whole() {
    let (image, config, layer) = image(100 * MEGABYTE);
    let registry = Registry::start();
    registry.serve("app:1", &image);
    for digest in [config.digest(), layer.digest()] {
        registry.on("GET", digest).answers(
            Reply::ok("application/octet-stream", "").content(Body::Zeros(100 * MEGABYTE)),
        );
    }
    let finished = verify(&registry.reference("app:1"), "tail").run().exits(1);
    read_at_most(&finished, 2 * MEGABYTE);
}

#[test]
fn errors_and_tokens_without_end_are_read_up_to_their_limit() {
    for status in [400, 403, 404, 429, 500] {
        let server = Server::start(move |_| {
            Reply::ok("text/plain", "")
                .content(ENDLESS)
                .without("Content-Length")
                .but_status(status)
        });
        let finished = verify(&format!("{}/app:1", server.host()), "tail").run();
        assert!(
            matches!(finished.code, Some(1 | 3 | 4)),
            "{status}: {finished}"
        );
        read_at_most(&finished, 2 * MEGABYTE);
    }
    for status in [200, 401, 500] {
        let server = Server::start(move |_| {
            Reply::ok("application/json", "")
                .content(ENDLESS)
                .without("Content-Length")
                .but_status(status)
        });
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.guarded(Tokens::new().guard(&server.url("/token")));
        let finished = verify(&registry.reference("app:1"), "tail").run();
        assert!(matches!(finished.code, Some(3 | 4)), "{status}: {finished}");
        read_at_most(&finished, 4 * MEGABYTE);
    }
}

#[test]
fn bombs_of_headers_are_refused() {
    let many = (0..100_000).fold(String::new(), |many, number| {
        many + "X-" + &number.to_string() + ": 1\r\n"
    });
    let long = format!("X-Long: {}\r\n", "x".repeat(10_000_000));
    let informed = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n".repeat(50_000);
    for bomb in [
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\n{long}\r\n"),
        format!("HTTP/1.1 200 {}\r\n\r\n", "OK".repeat(5_000_000)),
        informed,
        "\r\n".repeat(1_000_000),
    ] {
        let server = Server::start(move |_| Reply::raw(bomb.clone()));
        let finished = verify(&format!("{}/app:1", server.host()), "tail")
            .run()
            .exits(4);
        read_at_most(&finished, MEGABYTE);
    }
}

#[test]
fn answers_of_woodpecker_without_end_are_read_up_to_their_limit() {
    let step = json!({"id": 1, "name": "push", "state": "failure", "exit_code": 3, "started": 5});
    let workflow = json!({"name": "build", "state": "failure", "children": [step]});
    let pipeline = json!({"id": 112, "number": 12, "status": "failure", "workflows": [workflow]});
    let repository = json!({"id": 7, "full_name": "me/app", "default_branch": "main"});
    for (endless, status, exit) in [
        ("/api/repos/7", 200, 5),
        ("/api/repos/7", 500, 5),
        ("/api/repos/7/pipelines", 422, 5),
        ("/api/repos/7/logs/12/1", 200, 6),
        ("/api/repos/7/logs/12/1", 500, 6),
    ] {
        let (pipeline, repository) = (pipeline.clone(), repository.clone());
        let server = Server::start(move |request| {
            let is_new = request.method == "POST";
            match request.path.as_str() {
                path if path == endless && (is_new || !path.ends_with("pipelines")) => {
                    Reply::ok("application/json", "")
                        .content(ENDLESS)
                        .without("Content-Length")
                        .but_status(status)
                }
                "/api/repos/7" => Reply::json(&repository),
                "/api/repos/7/pipelines" if !is_new => Reply::json(&json!([])),
                _ => Reply::json(&pipeline),
            }
        });
        let finished = pullproof()
            .arguments([
                "rebuild",
                "--woodpecker-repo",
                "7",
                "--woodpecker-url",
                &server.url(""),
            ])
            .arguments([
                "--poll-interval",
                "100ms",
                "--backoff",
                "1ms",
                "--attempts",
                "2",
            ])
            .arguments(["--wait-timeout", "30s", "--logs", "all"])
            .variable("PLUGIN_WOODPECKER_TOKEN", "hunter2-hunter2")
            .run()
            .exits(exit);
        let asked = server.requests();
        assert!(
            asked.iter().any(|request| request.path == endless),
            "{finished}"
        );
        assert!(
            finished.took < Duration::from_secs(20),
            "{endless}: {finished}"
        );
    }
}

#[test]
fn challenges_and_links_of_any_length_cost_nothing() {
    let challenge = format!("Bearer realm=\"/token\",{}", "scope=\"a\",".repeat(700));
    let open = format!("Bearer realm=\"{}", "\\\"".repeat(3000));
    for header in [challenge, open, "Basic ".repeat(1300), "=,".repeat(3500)] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/token" => Reply::json(&json!({"token": "x"})),
            _ => (0..20).fold(Reply::status(401), |reply, _| {
                reply.header("WWW-Authenticate", &*header)
            }),
        });
        let finished = verify(&format!("{}/app:1", server.host()), "tail").run();
        assert!(matches!(finished.code, Some(3 | 4)), "{finished}");
        read_at_most(&finished, MEGABYTE);
        assert!(server.requests().len() < 20, "{}", server.requests().len());
    }
    let mut image = single().make();
    image.referrer("application/vnd.test.signature", "signed");
    let registry = Registry::start();
    registry.lenient().serve("app:1", &image);
    let links = format!(
        "{}</next?a=b>; rel=\"next\"",
        "<x>; rel=\"no\", ".repeat(400)
    );
    registry
        .on("GET", &format!("/referrers/{}", image.root()))
        .alters(move |_, reply| reply.header("Link", &*links));
    let finished = verify(&registry.reference("app:1"), "tail")
        .arguments(["--referrers", "warn"])
        .run()
        .exits(0);
    // A list that always has another page has a hundred.
    assert!(
        registry.requests().len() < 120,
        "{}",
        registry.requests().len()
    );
    read_at_most(&finished, 2 * MEGABYTE);
}

#[test]
fn no_server_can_make_a_run_send_more_requests_than_its_limit() {
    // Redirected in a circle, asked for a login again and again, and asked to come back.
    let circle =
        Server::start(|request| Reply::status(307).header("Location", request.path.clone()));
    verify(&format!("{}/app:1", circle.host()), "tail")
        .run()
        .exits(4);
    assert!(circle.requests().len() <= 6, "{}", circle.requests().len());
    let tokens = Server::start(|_| Reply::json(&json!({"token": "never good"})));
    let realm = tokens.url("/token");
    let doubting = Server::start(move |_| {
        Reply::status(401).header("WWW-Authenticate", format!("Bearer realm=\"{realm}\""))
    });
    verify(&format!("{}/app:1", doubting.host()), "tail")
        .run()
        .exits(3);
    assert!(
        doubting.requests().len() <= 3,
        "{}",
        doubting.requests().len()
    );
    assert!(tokens.requests().len() <= 2, "{}", tokens.requests().len());
    let busy = Server::start(|_| Reply::status(503).header("Retry-After", "0"));
    verify(&format!("{}/app:1", busy.host()), "tail")
        .run()
        .exits(4);
    assert_eq!(busy.requests().len(), 2);
}
