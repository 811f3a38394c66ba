//! An interrupted run ends at once, with what was found.

use std::time::{Duration, Instant};

use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::http::{Break, Reply, Server};
use crate::support::image::Image;
use crate::support::recipe::single;

/// A second is promised; a busy machine gets some more.
const AT_ONCE: Duration = Duration::from_secs(3);

fn verify(reference: &str) -> Pullproof {
    pullproof()
        .arguments([
            "verify",
            reference,
            "--settle",
            "30s",
            "--format",
            "text",
            "--report",
            "report.json",
        ])
        .arguments(["--junit", "junit.xml"])
}

fn stalled_at(place: &str, image: &Image) -> Registry {
    let registry = Registry::start();
    registry.serve("app:1", image);
    registry
        .on("GET", place)
        .alters(|_, reply| reply.breaks(Break::Stall, 40));
    registry
}

/// Waits until the registry was asked for something whose path ends so.
fn wait_for(registry: &Registry, path: &str) {
    let began = Instant::now();
    while registry.asked(path).is_empty() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{path} was not requested"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn both_signals_end_a_run_at_once_with_its_reports() {
    let image = single().make();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        for place in ["/manifests/1", image.config(0), image.layer(0, 2)] {
            let registry = stalled_at(place, &image);
            registry.lose(image.layer(0, 0));
            let running = verify(&registry.reference("app:1")).start();
            wait_for(&registry, place);
            let sent = Instant::now();
            running.signal(signal);
            let finished = running.wait().exits(code);
            assert!(
                sent.elapsed() < AT_ONCE,
                "SIG{signal} at {place}: {:?}",
                sent.elapsed()
            );
            let report = finished.report_in("report.json");
            assert_eq!(report.0["exit_code"], code);
            assert!(
                finished.read("junit.xml").ends_with("</testsuites>\n"),
                "{finished}"
            );
            assert!(
                finished.stdout.contains("pullproof: INTERRUPTED"),
                "{finished}"
            );
        }
    }
}

#[test]
fn a_signal_interrupts_a_run_that_waits_for_a_missing_tag() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.on("GET", "/manifests/1").loses();
    let running = verify(&registry.reference("app:1")).start();
    wait_for(&registry, "/manifests/1");
    let sent = Instant::now();
    running.signal("TERM");
    running.wait().exits(143);
    assert!(sent.elapsed() < AT_ONCE, "{:?}", sent.elapsed());
}

#[test]
fn a_signal_interrupts_a_rebuild() {
    let server = Server::start(|_| Reply::status(200).breaks(Break::Stall, 0));
    let running = pullproof()
        .arguments([
            "rebuild",
            "--woodpecker-url",
            &server.url(""),
            "--woodpecker-repo",
            "7@main",
        ])
        .variable("PLUGIN_WOODPECKER_TOKEN", "t")
        .start();
    let began = Instant::now();
    while server.requests().is_empty() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "nothing was requested"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Instant::now();
    running.signal("INT");
    running.wait().exits(130);
    assert!(sent.elapsed() < AT_ONCE, "{:?}", sent.elapsed());
}
