//! The whole loop of `--on-broken rebuild`, between a fake registry and a fake Woodpecker.

use std::time::Instant;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::fake::registry::Registry;
use crate::support::image::Image;
use crate::support::recipe::{artifact, platforms, single};

use super::*;

/// A registry with an image that lacks a layer, and a server that starts pipeline #12, which does
/// not end by itself.
fn broken() -> (Registry, Image, Fake) {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.lose(image.layer(0, 0));
    let fake = server();
    fake.on(PIPELINE, [Reply::json(&pipeline("running"))]);
    (registry, image, fake)
}

fn verify(registry: &Registry, fake: &Fake) -> Pullproof {
    verify_with(registry, fake.url("").as_str())
}

fn verify_with(registry: &Registry, woodpecker: &str) -> Pullproof {
    pullproof()
        .arguments([
            "verify",
            &registry.reference("app:1"),
            "--settle",
            "0s",
            "--backoff",
            "1ms",
            "--attempts",
            "2",
        ])
        .arguments([
            "--on-broken",
            "rebuild",
            "--woodpecker-url",
            woodpecker,
            "--woodpecker-repo",
            "7",
        ])
        .arguments(["--poll-interval", "100ms", "--report", "report.json"])
        .variable("PLUGIN_WOODPECKER_TOKEN", TOKEN)
}

#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "waited until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_broken_image_is_rebuilt_and_the_second_verdict_counts() {
    let (registry, image, fake) = broken();
    let running = verify(&registry, &fake).start();
    until("the pipeline is looked at", || {
        !fake.requests_to(PIPELINE).is_empty()
    });
    registry.find(image.layer(0, 0));
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    let finished = running.wait().exits(0);
    let report = finished.report_in("report.json");
    assert_eq!(
        (report.result(), report.verdict(image.layer(0, 0))),
        ("passed", "ok")
    );
    assert_eq!(
        (
            &report.0["before"]["result"],
            &report.0["pipeline"]["number"]
        ),
        (&json!("failed"), &json!(12))
    );
    assert_eq!(fake.starts(), 1);
    let link = fake.url("/repos/7/pipeline/12");
    let begin = format!(
        "definitely broken, so a rebuild is requested from {}\npipeline #12 was started: {link}\n",
        link.authority()
    );
    assert!(finished.stderr.starts_with(&begin), "{finished}");
    assert_contains(&finished.stderr, "pipeline #12 succeeded after ");
    assert_one_verdict(&finished);
    let marked =
        "\nbefore the rebuild: FAILED: linux/amd64 of app:1 cannot be pulled: 1 layer is missing\n";
    assert_contains(&finished.stdout, marked);
    assert_eq!(fake.requests_to(USER).len(), 0, "it was used already");
}

/// Fails unless the only line that reads as a verdict is the last, and passes.
#[track_caller]
fn assert_one_verdict(finished: &Finished) {
    let verdicts: Vec<&str> = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("pullproof: "))
        .collect();
    assert_eq!(verdicts.len(), 1, "{finished}");
    assert!(
        verdicts[0].starts_with("pullproof: PASSED: 1 image, "),
        "{finished}"
    );
    assert_eq!(finished.stdout.lines().last(), Some(verdicts[0]));
    assert_eq!(
        finished.stdout.matches("exit code").count(),
        1,
        "{finished}"
    );
}

#[test]
fn the_second_look_counts_its_own_requests_and_its_own_time() {
    let (registry, image, fake) = broken();
    let begun = Instant::now();
    let running = verify(&registry, &fake).start();
    until("the pipeline is looked at", || {
        !fake.requests_to(PIPELINE).is_empty()
    });
    let (first, looked) = (registry.requests().len(), Instant::now());
    registry.find(image.layer(0, 0));
    // Longer than the log goes without a line about progress.
    std::thread::sleep(Duration::from_millis(10_200));
    let rebuild = looked.elapsed();
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    let finished = running.wait().exits(0);
    let report = finished.report_in("report.json");
    let second = registry.requests().len() - first;
    assert_eq!(
        report.0["counts"]["requests"],
        json!(second),
        "{:#}",
        report.0
    );
    assert_eq!(report.0["before"]["counts"]["requests"], json!(first));
    let both = [&report.0, &report.0["before"]]
        .map(|look| Duration::from_millis(look["duration_ms"].as_u64().unwrap()));
    assert!(!finished.stderr.contains("checked "), "{finished}");
    let (both, all) = (both[0] + both[1], begun.elapsed());
    assert!(
        both + rebuild <= all,
        "{both:?}, {rebuild:?}, {all:?}: {finished}"
    );
}

#[test]
fn what_was_not_started_was_requested_and_no_more() {
    let (registry, _, fake) = broken();
    fake.on(CREATE, [Reply::status(401)]);
    let finished = verify(&registry, &fake).run().exits(5);
    assert_contains(
        &finished.stderr,
        "so a rebuild is requested from 127.0.0.1:",
    );
    assert!(!finished.to_string().contains("was started"), "{finished}");
    assert!(!finished.to_string().contains("is started"), "{finished}");
}

#[test]
fn a_tag_that_the_rebuild_did_not_move_is_wrong() {
    let registry = Registry::start();
    let old = registry.image("app:1", &platforms(2));
    let new = platforms(2).seed(1).make();
    let fake = server();
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    let verify = || verify(&registry, &fake).arguments(["--digest", new.root()]);
    let report = verify().run().exits(1).report_in("report.json");
    assert_eq!(report.images()[0]["findings"][0]["kind"], "wrong_digest");
    assert_contains(
        report.images()[0]["findings"][0]["detail"]
            .as_str()
            .unwrap(),
        old.root(),
    );
    // Another build has another digest than the one that was expected, and that is right.
    fake.on(PIPELINE, [Reply::json(&pipeline("running"))]);
    let running = verify().start();
    until("another pipeline is started", || fake.starts() == 2);
    registry.serve("app:1", &platforms(2).seed(2).make());
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    running.wait().exits(0);
}

#[test]
fn a_pipeline_that_fixes_nothing_leaves_the_image_broken() {
    let (registry, _, fake) = broken();
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    let report = verify(&registry, &fake)
        .run()
        .exits(1)
        .report_in("report.json");
    assert_eq!(
        (report.result(), &report.0["before"]["result"]),
        ("failed", &json!("failed"))
    );
    assert_eq!(fake.starts(), 1);
}

#[test]
fn a_pipeline_that_is_not_awaited_leaves_exit_1_with_the_link() {
    let (registry, _, fake) = broken();
    let finished = verify(&registry, &fake)
        .arguments(["--wait", "false"])
        .run()
        .exits(1);
    let link = fake.url("/repos/7/pipeline/12");
    let verdict = format!(
        "pullproof: FAILED: linux/amd64 of app:1 cannot be pulled: 1 layer is missing; pipeline #12 was \
         started, and its end is not awaited, exit code 1: {link}\n"
    );
    assert!(finished.stdout.ends_with(&verdict), "{finished}");
    assert_eq!(
        finished.report_in("report.json").0.get("error"),
        None,
        "it is a verdict on the image"
    );
}

#[test]
fn an_undecided_image_is_never_rebuilt() {
    let (registry, image, fake) = broken();
    registry.find(image.layer(0, 0));
    registry
        .on("GET", "/v2/app/manifests/1")
        .answers(crate::support::http::Reply::status(503));
    verify(&registry, &fake).run().exits(4);
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn with_a_whole_image_the_token_is_tried_by_one_get() {
    let (registry, image, fake) = broken();
    registry.find(image.layer(0, 0));
    let finished = verify(&registry, &fake).run().exits(0);
    let asked: Vec<String> = fake.requests().into_iter().map(|one| one.route).collect();
    assert_eq!(asked, [USER]);
    assert_eq!(finished.stderr, "", "{finished}");
}

#[test]
fn a_token_that_is_no_longer_accepted_is_a_warning_while_the_image_is_whole() {
    let (registry, image, fake) = broken();
    registry.find(image.layer(0, 0));
    for (reply, said, hint) in [
        (
            Reply::status(401),
            "does not accept the token (401)",
            "woodpecker_token must be a personal access token",
        ),
        (
            Reply::web_page(),
            "is a web page",
            "woodpecker_url is http://127.0.0.1:",
        ),
    ] {
        fake.on(USER, [reply]);
        let before = fake.requests().len();
        let finished = verify(&registry, &fake).run().exits(0);
        let lines: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(lines.len(), 2, "{finished}");
        let warning = "warning: `on_broken: rebuild` would start nothing now: \
                       failed to try woodpecker_token: ";
        assert!(lines[0].starts_with(warning), "{finished}");
        assert_contains(lines[0], said);
        assert!(lines[1].starts_with("hint: "), "{finished}");
        assert_contains(lines[1], hint);
        assert_one_verdict(&finished);
        assert_eq!(fake.requests().len() - before, 1, "one attempt");
        assert_eq!(finished.report_in("report.json").result(), "passed");
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let finished = verify_with(&registry, &format!("http://{address}"))
        .run()
        .exits(0);
    assert_contains(
        &finished.stderr,
        &format!("http://{address} could not be reached"),
    );
}

#[test]
fn a_pipeline_that_becomes_unreadable_is_exit_4() {
    let (registry, _, fake) = broken();
    fake.on(
        PIPELINE,
        [Reply::json(&pipeline("running")), Reply::status(404)],
    );
    let finished = verify(&registry, &fake).run().exits(4);
    let verdict = "app:1 cannot be pulled: 1 layer is missing, and the rebuild's result could not be read: \
                   pipeline #12 can no longer be read; it was running after ";
    assert_contains(&finished.stdout, verdict);
}

#[test]
fn an_interruption_shows_what_is_broken_and_where_the_pipeline_runs() {
    let (registry, _, fake) = broken();
    let running = verify(&registry, &fake).start();
    until("the pipeline is reported as running", || {
        running.has_said("pipeline #12 is running")
    });
    running.signal("TERM");
    let finished = running.wait().exits(143);
    let verdict = format!(
        "pullproof: INTERRUPTED: so far linux/amd64 of app:1 cannot be pulled: 1 layer is missing; pipeline #12 (running) \
         keeps running, exit code 143: {}\n",
        fake.url("/repos/7/pipeline/12")
    );
    assert!(finished.stdout.ends_with(&verdict), "{finished}");
}

#[test]
fn what_another_build_cannot_help_against_starts_nothing() {
    type Broken = fn(&Registry);
    let breaks: [Broken; 4] = [
        // A registry that answers HEAD wrongly.
        |registry| {
            let refusal = crate::support::http::Reply::status(403);
            registry.on("HEAD", "/manifests/1").answers(refusal);
        },
        |registry| {
            let other = format!("sha256:{}", "5".repeat(64));
            registry
                .on("HEAD", "/manifests/1")
                .alters(move |_, reply| reply.but_header("Docker-Content-Digest", &*other));
        },
        // A form that clients refuse.
        |registry| {
            let mut image = single().make();
            let parts = image.images[0].clone();
            let root = image.manifest(&parts.config, &parts.layers[1..]);
            registry.serve("app:1", &image.begins_with(&root));
        },
        // No image at all.
        |registry| {
            let chart = artifact("application/vnd.cncf.helm.chart.v1", &[b"chart"]);
            registry.serve("app:1", &chart);
        },
    ];
    for spoil in breaks {
        let (registry, image, fake) = broken();
        registry.find(image.layer(0, 0));
        spoil(&registry);
        let finished = verify(&registry, &fake).run().exits(1);
        assert_eq!(fake.starts(), 0, "{finished}");
        assert_eq!(finished.report_in("report.json").result(), "failed");
    }
}

#[test]
fn missing_content_is_rebuilt_although_a_form_is_refused_as_well() {
    let (registry, _, fake) = broken();
    let refusal = crate::support::http::Reply::status(403);
    registry.on("HEAD", "/manifests/1").answers(refusal);
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    verify(&registry, &fake).run().exits(1);
    assert_eq!(fake.starts(), 1);
}
