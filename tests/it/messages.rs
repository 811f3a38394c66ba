//! What a newcomer reads: wrong settings, a registry that is down, many faults, an interruption.

use std::time::Duration;

use crate::support::command::{Finished, pullproof};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::recipe::platforms;

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// `pullproof verify REFERENCE`, with short waits.
fn verify(reference: &str, arguments: &[&str]) -> Finished {
    let common = ["verify", reference, "--settle", "0s", "--backoff", "1ms"];
    pullproof()
        .arguments(common)
        .arguments(arguments.iter().copied())
        .run()
}

#[test]
fn a_wrong_setting_is_one_error_one_hint_and_the_verdict() {
    let finished = verify("registry.invalid/app", &["--depht", "full"]).exits(2);
    assert_eq!(
        lines(&finished.stderr),
        ["error: unknown flag --depht", "hint: did you mean --depth?"]
    );
    assert_eq!(
        lines(&finished.stdout),
        ["pullproof: ERROR: nothing was checked, exit code 2"]
    );
}

#[test]
fn a_wrong_output_setting_is_still_reported() {
    for (flag, value) in [
        ("--format", "yaml"),
        ("--log-level", "loud"),
        ("--fail-on", "monday"),
    ] {
        let finished = verify("registry.invalid/app", &[flag, value]).exits(2);
        assert!(
            finished
                .stderr
                .starts_with(&format!("error: {flag}: \"{value}\" is not ")),
            "{finished}"
        );
        assert_eq!(
            lines(&finished.stdout),
            ["pullproof: ERROR: nothing was checked, exit code 2"]
        );
    }
}

#[test]
fn github_annotates_a_wrong_input_once() {
    let run = pullproof()
        .variable("GITHUB_ACTIONS", "true")
        .variable("INPUT_IMAGES", "registry.invalid/app");
    let finished = run
        .variable("INPUT_DEPTH", "bottom")
        .variable("GITHUB_STEP_SUMMARY", "summary.md")
        .run()
        .exits(2);
    let reason = "depth: \"bottom\" is not one of head, tail, full, manifests";
    let said = format!("{}{}", finished.stderr, finished.stdout);
    assert_eq!(said.matches("::error").count(), 1, "{finished}");
    assert!(
        finished
            .stdout
            .starts_with(&format!("::error title=pullproof::{reason}\n")),
        "{finished}"
    );
    assert!(
        finished
            .read("summary.md")
            .contains("one of head, tail, full"),
        "{finished}"
    );
}

#[test]
fn a_rebuild_that_lacks_its_server_says_so_once() {
    let finished = pullproof().arguments(["rebuild"]).run().exits(2);
    assert_eq!(
        lines(&finished.stderr),
        [
            "error: a rebuild needs the setting woodpecker_url: the address of the Woodpecker server",
            "hint: inside Woodpecker it is known without the setting"
        ]
    );
}

#[test]
fn a_registry_that_is_down_ends_with_a_hint_and_the_verdict() {
    let server = crate::support::http::Server::start(|_| Reply::status(500));
    let host = server.host();
    drop(server);
    let finished = verify(&format!("{host}/app:1"), &["--attempts", "2"]).exits(4);
    let retry = format!("{host}: manifests/1: cannot connect: connection refused");
    assert!(finished.stderr.starts_with(&retry), "{finished}");
    assert!(
        finished.stderr.contains(" ms (attempt 1 of 2)\n"),
        "{finished}"
    );
    assert!(
        finished
            .stdout
            .contains("  ? reference unavailable: cannot connect: connection refused"),
        "{finished}"
    );
    assert!(
        finished
            .stdout
            .contains("\nhint: connection refused: nothing is listening at 127.0.0.1"),
        "{finished}"
    );
    let verdict = format!("pullproof: UNDECIDED: nothing is listening at {host}, exit code 4");
    assert_eq!(finished.stdout.lines().last(), Some(&*verdict));
}

#[test]
fn hundreds_of_repeated_requests_are_a_few_lines_of_log() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2).layers(40));
    let reference = registry.reference("app:1");
    for place in 0..2 {
        for layer in 0..40 {
            registry
                .on("GET", image.layer(place, layer))
                .answers_status(503);
        }
    }
    let finished = verify(&reference, &["--attempts", "3"]).exits(4);
    let log = lines(&finished.stderr);
    assert_eq!(log.len(), 1, "{finished}");
    assert!(log[0].contains(": blobs/sha256:") && log[0].contains("…: answered 503; retrying in "));
    let said = "? 40 layers unavailable: answered 503: sha256:";
    assert_eq!(finished.stdout.matches(said).count(), 2, "{finished}");
    assert_eq!(
        finished.stdout.matches(" and 37 more\n").count(),
        2,
        "{finished}"
    );
    let everything = verify(&reference, &["--attempts", "3", "--log-level", "debug"]).exits(4);
    assert!(everything.stderr.lines().count() > 100, "{everything}");
}

#[test]
fn a_wait_for_missing_content_is_logged_once() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.on("GET", image.child(0)).times(1).loses();
    registry.on("GET", image.child(1)).times(1).loses();
    let arguments = [
        "verify",
        &registry.reference("app:1"),
        "--settle",
        "20s",
        "--backoff",
        "1ms",
    ];
    let finished = pullproof().arguments(arguments).run().exits(0);
    assert_eq!(finished.stderr.lines().count(), 1, "{finished}");
    assert!(
        finished
            .stderr
            .contains("waiting up to 20.0 s for it to appear (`settle`)"),
        "{finished}"
    );
}

#[test]
fn an_interrupted_run_reports_what_it_found() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.lose(image.layer(0, 0));
    registry
        .on("GET", image.layer(1, 0))
        .delays(Duration::from_secs(30));
    let arguments = ["verify", &registry.reference("app:1"), "--settle", "0s"];
    let running = pullproof().arguments(arguments).start();
    while registry.asked(image.layer(1, 0)).is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("INT");
    let finished = running.wait().exits(130);
    assert!(finished.took < Duration::from_secs(20), "{finished}");
    assert!(
        finished.stdout.contains("interrupted before the answer"),
        "{finished}"
    );
    let verdict = finished.stdout.lines().last().unwrap();
    assert!(
        verdict.starts_with("pullproof: INTERRUPTED: "),
        "{finished}"
    );
    assert!(verdict.ends_with(", exit code 130"), "{finished}");
}

#[test]
fn a_killed_run_has_logged_what_it_checks() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(1));
    registry
        .on("GET", "manifests/1")
        .delays(Duration::from_secs(30));
    let reference = registry.reference("app:1");
    let running = pullproof()
        .arguments(["verify", &reference, "--depth", "full"])
        .start();
    while registry.asked("manifests/1").is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal("KILL");
    let finished = running.wait();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines(&finished.stdout),
        [
            format!("pullproof {version}, depth full"),
            format!("  {reference}")
        ]
    );
}

#[test]
fn a_run_that_cannot_outlast_its_settle_window_blames_no_registry() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(1));
    registry.lose("1");
    let reference = registry.reference("app:1");
    let arguments = [
        "verify",
        &reference,
        "--settle",
        "15s",
        "--timeout",
        "300ms",
        "--backoff",
        "50ms",
    ];
    let finished = pullproof().arguments(arguments).run().exits(4);
    let warning = "warning: settle (15.0 s) is not shorter than timeout (300 ms): ";
    assert!(finished.stderr.contains(warning), "{finished}");
    assert!(
        finished
            .stdout
            .contains("a 404 counts only after `settle` (15 s)"),
        "{finished}"
    );
    assert!(
        finished
            .stdout
            .contains("\nhint: the run was stopped at `timeout` within the window of `settle`")
    );
    assert!(!finished.stdout.contains("slow"), "{finished}");
}

#[test]
fn a_failing_registry_and_something_else_get_different_hints() {
    for (reply, status, hint) in [
        (
            Reply::ok("text/html", "<!DOCTYPE html><p>welcome"),
            "web page",
            "hint: what answered is not a registry",
        ),
        (Reply::status(503), "answered 503", "hint: 127.0.0.1"),
    ] {
        let server = crate::support::http::Server::start(move |_| reply.clone());
        let finished = verify(&format!("{}/app:1", server.host()), &["--attempts", "2"]).exits(4);
        assert!(finished.stdout.contains(status), "{finished}");
        assert_eq!(finished.stdout.matches("\nhint").count(), 1, "{finished}");
        assert!(finished.stdout.contains(&format!("\n{hint}")), "{finished}");
    }
}

#[test]
fn two_mistyped_references_are_distinguished_in_every_format() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(1));
    registry.lose("one");
    registry.lose("two");
    let run = verify(
        &registry.reference("app:one"),
        &[&registry.reference("app:two"), &registry.reference("app:1")],
    );
    let run = run.exits(1);
    assert!(
        run.stdout
            .contains("\nhint (app:one and app:two): app has no tag one; nearest: 1. app has"),
        "{run}"
    );
    let run = pullproof()
        .arguments([
            "verify",
            &registry.reference("app:one"),
            &registry.reference("app:two"),
            "--settle",
            "0s",
        ])
        .arguments(["--junit", "junit.xml"])
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_STEP_SUMMARY", "summary.md")
        .run()
        .exits(1);
    let (junit, summary) = (
        run.read("junit.xml"),
        run.read("summary.md")
            .replace("&#58;", ":")
            .replace("<wbr>", ""),
    );
    for tag in ["app:one", "app:two"] {
        let reference = registry.reference(tag);
        assert!(
            junit.contains(&format!("name=\"reference {reference}\"")),
            "{junit}"
        );
        assert!(
            summary.contains(&format!("| {reference} | reference | missing |")),
            "{summary}"
        );
    }
}
