//! Servers that never finish: the run ends at `timeout`, with its report.

use std::time::{Duration, Instant};

use pullproof::http::patience::Patience;
use pullproof::rebuild::{NotStarted, Plan, rebuild};
use serde_json::{Value, json};

use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::{Registry, Tokens};
use crate::support::http::{Break, Reply, Server};
use crate::support::image::Image;
use crate::support::recipe::single;
use crate::woodpecker;

/// How long a run may take beyond its `timeout`: a moment for the report, and more where the
/// machine is busy.
const AFTERWARDS: Duration = Duration::from_secs(5);

type Slowly = fn(Reply) -> Reply;

/// The ways in which a server does not finish.
const SLOWNESS: [(&str, Slowly); 4] = [
    ("says nothing", |reply| reply.breaks(Break::Stall, 0)),
    ("stops within the headers", |reply| {
        reply.breaks(Break::Stall, 30)
    }),
    ("drips its headers", |reply| {
        reply.dripping(1, Duration::from_millis(100))
    }),
    ("stops within the body", |reply| {
        reply.breaks_in_body(Break::Stall, 1)
    }),
];

fn limited(reference: &str) -> Pullproof {
    pullproof()
        .arguments([
            "verify",
            reference,
            "--settle",
            "0s",
            "--backoff",
            "1ms",
            "--timeout",
            "700ms",
        ])
        .arguments(["--format", "text", "--report", "report.json"])
}

/// Everything the registry serves is slow in this way, at the path that ends so.
fn slow_at(path: &str, slow: Slowly, image: &Image) -> Registry {
    let registry = Registry::start();
    registry.serve("app:1", image);
    registry.on("*", path).alters(move |_, reply| slow(reply));
    registry
}

#[track_caller]
fn ends_in_time(run: Pullproof, what: &str) -> Value {
    let finished = run.run().exits(4);
    assert!(
        finished.took < Duration::from_millis(700) + AFTERWARDS,
        "{what}: it took {:?}",
        finished.took
    );
    let report = finished.report_in("report.json");
    assert_eq!(
        (report.result(), report.0["exit_code"].as_u64()),
        ("error", Some(4)),
        "{what}"
    );
    assert!(
        finished
            .stdout
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("pullproof: UNDECIDED")),
        "{finished}"
    );
    report.0
}

#[test]
fn a_registry_that_never_finishes_ends_at_the_timeout() {
    let image = single().make();
    for (how, slow) in SLOWNESS {
        for place in ["/manifests/1", image.config(0), image.layer(0, 1)] {
            let registry = slow_at(place, slow, &image);
            // At the last byte of a layer a body of one byte is whole; everything is asked for
            // instead.
            let report = ends_in_time(
                limited(&registry.reference("app:1")).arguments(["--depth", "full"]),
                how,
            );
            assert!(
                report["hints"].to_string().contains("timeout"),
                "{how} at {place}: {report}"
            );
        }
    }
}

#[test]
fn a_body_that_drips_forever_ends_at_the_timeout() {
    let image = single().layer_size(100_000).make();
    for (place, depth) in [("/manifests/1", "tail"), (image.layer(0, 1), "full")] {
        let registry = slow_at(
            place,
            |reply| reply.dripping(1, Duration::from_millis(20)),
            &image,
        );
        ends_in_time(
            limited(&registry.reference("app:1")).arguments(["--depth", depth]),
            place,
        );
    }
}

#[test]
fn findings_before_the_timeout_are_reported() {
    let image = single().make();
    let registry = slow_at(
        image.layer(0, 2),
        |reply| reply.breaks(Break::Stall, 0),
        &image,
    );
    registry.lose(image.layer(0, 0));
    let finished = limited(&registry.reference("app:1")).run().exits(1);
    let report = finished.report_in("report.json");
    assert_eq!(report.verdict(image.layer(0, 0)), "missing");
    assert_eq!(report.verdict(image.layer(0, 1)), "ok");
    assert_eq!(report.verdict(image.layer(0, 2)), "unavailable");
}

#[test]
fn a_token_server_that_never_finishes_ends_at_the_timeout() {
    for (how, slow) in SLOWNESS {
        let server =
            Server::start(move |_| slow(Reply::json(&json!({"token": "late", "expires_in": 300}))));
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.guarded(Tokens::new().guard(&server.url("/token")));
        ends_in_time(limited(&registry.reference("app:1")), how);
    }
}

#[test]
fn redirects_and_errors_that_never_finish_end_at_the_timeout() {
    let image = single().make();
    for (how, slow) in SLOWNESS {
        let store =
            Server::start(move |_| slow(Reply::ok("text/plain", "never whole").but_status(500)));
        let registry = Registry::start();
        registry.serve("app:1", &image);
        registry
            .on("GET", image.layer(0, 0))
            .redirects_to(&store.url("/layer"));
        ends_in_time(limited(&registry.reference("app:1")), how);
    }
}

#[test]
fn a_retry_after_never_outlasts_the_run() {
    for wait in [
        "999999999999",
        "18446744073709551615",
        "99999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.on("GET", "/manifests/1").throttles(wait);
        let finished = limited(&registry.reference("app:1"))
            .arguments(["--attempts", "3"])
            .run()
            .exits(4);
        assert!(
            finished.took < Duration::from_secs(1) + AFTERWARDS,
            "{wait}: {:?}",
            finished.took
        );
        assert!(registry.requests().len() <= 3, "{wait}");
    }
}

#[tokio::test]
async fn a_dripping_woodpecker_does_not_hold_up_a_rebuild_forever() {
    let repository =
        json!({"id": 7, "full_name": "me/app", "default_branch": "main", "active": true});
    let server =
        Server::start(move |_| Reply::json(&repository).dripping(1, Duration::from_millis(50)));
    let server: url::Url = server.url("").parse().unwrap();
    let lanes = woodpecker::lanes(&server);
    let plan = Plan {
        wait_timeout: Duration::from_millis(300),
        ..woodpecker::plan(server)
    };
    let client = plan.client(lanes, Duration::from_millis(500));
    let began = Instant::now();
    let patience = Patience::default();
    let started = rebuild(
        &plan,
        &client,
        &patience,
        "mark",
        &mut |_| {},
        std::future::pending(),
    )
    .await;
    assert!(
        matches!(started, Err(NotStarted::TooSlow(_))),
        "{started:?}"
    );
    assert!(
        began.elapsed() < Duration::from_millis(1300) + AFTERWARDS,
        "{:?}",
        began.elapsed()
    );
}
