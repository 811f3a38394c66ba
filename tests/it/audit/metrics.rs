//! Where the numbers of an audit go: a file, a Pushgateway, a page.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::audit;
use crate::support::command::{Finished, Pullproof, Running, pullproof};
use crate::support::fake::Registry;
use crate::support::fake::guard::basic_credentials;
use crate::support::http::client::{ask, get};
use crate::support::http::{Reply, Request, Server};
use crate::support::recipe::{platforms, single};

const FAILURES: &str = "registry_manifest_integrity_failures";
const ACCESSIBLE: &str = "registry_manifest_integrity_catalog_accessible";
const BROKEN_TAGS: &str = "pullproof_audit_broken_tags";
const REPOSITORY: &str = "pullproof_audit_repository_broken_tags";
const LAST_RUN: &str = "pullproof_audit_last_run_timestamp_seconds";
const LAST_SUCCESS: &str = "pullproof_audit_last_success_timestamp_seconds";

/// A registry with two repositories, one of them with a broken tag; gives the lost digest.
fn damaged() -> (Registry, String) {
    let registry = Registry::start();
    registry.image("team/app:1", &single());
    let broken = registry.image("infra/ci:latest", &platforms(2).seed(7));
    let lost = broken.child(0).to_owned();
    registry.lose(&lost);
    (registry, lost)
}

/// Its catalog answers 500 from now on.
fn darken(registry: &Registry) {
    registry.on("GET", "/v2/_catalog").answers_status(500);
}

/// The value of each series of a metric, by its labels, on a page.
fn values(page: &str, name: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter_map(|line| line.strip_prefix(name));
    lines
        .filter_map(|rest| rest.strip_prefix('{')?.rsplit_once("} "))
        .map(|(labels, value)| (labels.to_owned(), value.parse().unwrap()))
        .collect()
}

/// The value of the only series of a metric.
#[track_caller]
fn value(page: &str, name: &str) -> Option<f64> {
    let values = values(page, name);
    assert!(values.len() < 2, "{values:?}");
    values.into_values().next()
}

fn to_file(target: &str) -> Pullproof {
    audit(target).arguments(["--attempts", "1", "--metrics-file", "audit.prom"])
}

fn file(finished: &Finished) -> String {
    finished.read("audit.prom")
}

#[test]
fn a_file_has_the_numbers_of_the_last_run() {
    let (registry, lost) = damaged();
    let finished = to_file(&registry.host()).run().exits(1);
    let page = file(&finished);
    let count = |name| f64::from(u32::try_from(finished.report().count(name)).unwrap());
    for (name, expected) in [
        (FAILURES, 1.0),
        (ACCESSIBLE, 1.0),
        ("registry_manifest_integrity_repos_checked", 2.0),
        ("registry_manifest_integrity_tags_checked", 2.0),
        ("registry_manifest_integrity_indexes_checked", 1.0),
        (BROKEN_TAGS, 1.0),
        ("pullproof_audit_undecided_tags", 0.0),
        ("pullproof_audit_requests", count("requests")),
        ("pullproof_audit_received_bytes", count("bytes")),
    ] {
        assert_eq!(value(&page, name), Some(expected), "{name}: {page}");
    }
    assert!(value(&page, "pullproof_audit_duration_seconds").unwrap() > 0.0);
    let run = value(&page, LAST_RUN);
    assert_eq!(run, value(&page, LAST_SUCCESS));
    assert_eq!(
        run,
        value(&page, "registry_manifest_integrity_last_run_timestamp")
    );
    let host = registry.host();
    let labels = format!("instance=\"{host}\",registry=\"{host}\",repository=\"infra/ci\"");
    assert_eq!(values(&page, REPOSITORY), BTreeMap::from([(labels, 1.0)]));
    assert!(!page.contains(&lost) && page.ends_with('\n'));
    // Nothing stays beside it.
    let files = std::fs::read_dir(finished.path()).unwrap();
    assert_eq!(files.count(), 1);
}

#[test]
fn a_failed_look_leaves_what_was_known_in_the_file() {
    let (registry, lost) = damaged();
    let before = file(&to_file(&registry.host()).run().exits(1));
    let earlier = before
        .lines()
        .map(|line| match line.strip_prefix(LAST_SUCCESS) {
            Some(rest) => {
                let labels = rest.rsplit_once(' ').unwrap().0;
                format!("{LAST_SUCCESS}{labels} 1600000000\n")
            }
            None => format!("{line}\n"),
        })
        .collect::<String>();
    darken(&registry);
    let dark = to_file(&registry.host())
        .file("audit.prom", &earlier)
        .run()
        .exits(4);
    let page = file(&dark);
    assert_eq!(value(&page, ACCESSIBLE), Some(0.0));
    assert_eq!(value(&page, FAILURES), Some(1.0));
    assert_eq!(value(&page, BROKEN_TAGS), Some(1.0));
    assert_eq!(values(&page, REPOSITORY).len(), 1);
    assert_eq!(value(&page, LAST_SUCCESS), Some(1_600_000_000.0));
    assert!(value(&page, LAST_RUN) > Some(1_600_000_000.0));
    // The next look that succeeds says what it finds.
    registry.forget_rules();
    registry.find(&lost);
    let whole = to_file(&registry.host())
        .file("audit.prom", &page)
        .run()
        .exits(0);
    let page = file(&whole);
    assert_eq!(value(&page, FAILURES), Some(0.0));
    assert_eq!(values(&page, REPOSITORY).len(), 0);
    assert_eq!(value(&page, LAST_SUCCESS), value(&page, LAST_RUN));
}

#[test]
fn a_failed_look_never_says_that_nothing_is_broken() {
    let registry = Registry::start();
    registry.image("team/app:1", &single());
    let before = file(&to_file(&registry.host()).run().exits(0));
    assert_eq!(value(&before, FAILURES), Some(0.0));
    darken(&registry);
    for earlier in [&*before, "", "no metrics at all {\""] {
        let run = to_file(&registry.host()).file("audit.prom", earlier);
        let page = file(&run.run().exits(4));
        assert_eq!(value(&page, FAILURES), None, "{page}");
        assert_eq!(value(&page, BROKEN_TAGS), None);
        assert_eq!(value(&page, ACCESSIBLE), Some(0.0));
        assert_eq!(value(&page, LAST_SUCCESS).is_some(), earlier == before);
    }
}

#[test]
fn a_list_of_tags_that_cannot_be_read_is_no_success() {
    let (registry, _) = damaged();
    registry
        .on("GET", "/v2/team/app/tags/list")
        .answers_status(500);
    let page = file(&to_file(&registry.host()).run().exits(1));
    assert_eq!(value(&page, ACCESSIBLE), Some(1.0));
    assert_eq!(value(&page, FAILURES), Some(1.0));
    assert_eq!(value(&page, LAST_SUCCESS), None);
}

#[test]
fn undecided_tags_are_counted_and_the_run_is_a_success() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.image("app:2", &single().seed(2));
    registry.on("*", "/v2/app/manifests/2").answers_status(503);
    let page = file(&to_file(&registry.host()).run().exits(4));
    assert_eq!(value(&page, "pullproof_audit_undecided_tags"), Some(1.0));
    assert_eq!(value(&page, FAILURES), Some(0.0));
    assert!(value(&page, LAST_SUCCESS).is_some());
}

#[test]
fn each_registry_has_series_of_its_own() {
    let ((one, _), other) = (damaged(), Registry::start());
    other.image("app:1", &single());
    let finished = to_file(&one.host()).argument(other.host()).run().exits(1);
    let page = file(&finished);
    let of = |name: &str, registry: &Registry| {
        let host = registry.host();
        values(&page, name)[&format!("instance=\"{host}\",registry=\"{host}\"")].to_string()
    };
    assert_eq!([of(FAILURES, &one), of(FAILURES, &other)], ["1", "0"]);
    let requests = "pullproof_audit_requests";
    for registry in [&one, &other] {
        let sent = registry.requests().len().to_string();
        assert_eq!(of(requests, registry), sent);
    }
    assert_eq!(page.matches(&format!("# TYPE {FAILURES} gauge")).count(), 1);
}

#[test]
fn a_shard_is_a_label() {
    let (registry, _) = damaged();
    let run = to_file(&registry.host()).arguments(["--shard", "1/1"]);
    let page = file(&run.run().exits(1));
    let labels = values(&page, FAILURES).into_keys().next().unwrap();
    assert!(labels.ends_with(",shard=\"1/1\""), "{labels}");
}

#[test]
fn a_file_that_cannot_be_written_ends_the_run_before_anything_is_asked() {
    let (registry, _) = damaged();
    for path in [
        ".",
        "/dev/null",
        "/proc/nowhere/audit.prom",
        "taken/audit.prom",
    ] {
        let run = audit(&registry.host())
            .file("taken", "a file")
            .arguments(["--metrics-file", path]);
        let finished = run.run().exits(2);
        let error = finished.stderr;
        assert!(error.contains("metrics_file: cannot write "), "{error}");
    }
    assert!(registry.requests().is_empty());
}

/// A Pushgateway that keeps the groups that were put, and shows them as the real one does.
struct Gateway {
    server: Server,
}

impl Gateway {
    fn start() -> Self {
        let groups: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let server = Server::start(move |request: &Request| {
            let mut groups = groups.lock().unwrap();
            match (&*request.method, &*request.path) {
                ("GET", "/metrics") => {
                    let page: String = groups.values().map(String::as_str).collect();
                    Reply::ok("text/plain", page)
                }
                ("PUT", path) => {
                    let job = path.split('/').nth(3).unwrap();
                    let page = String::from_utf8(request.body.clone()).unwrap();
                    let page = page.replace("registry=", &format!("job=\"{job}\",registry="));
                    groups.insert(path.to_owned(), page);
                    Reply::status(200)
                }
                _ => Reply::status(405),
            }
        });
        Self { server }
    }

    fn url(&self) -> String {
        self.server.url("")
    }

    fn page(&self) -> String {
        get(&self.server.url("/metrics")).text()
    }

    /// `METHOD path` of what pullproof asked.
    fn asked(&self) -> Vec<String> {
        let requests = self.server.requests().into_iter();
        requests
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }
}

fn to_gateway(registry: &Registry, gateway: &str) -> Pullproof {
    audit(&registry.host()).arguments(["--attempts", "1", "--pushgateway", gateway])
}

#[test]
fn a_pushgateway_gets_a_group_for_each_registry_and_shard() {
    let (registry, _) = damaged();
    let gateway = Gateway::start();
    to_gateway(&registry, &gateway.url()).run().exits(1);
    let sharded = ["--shard", "1/1", "--pushgateway-job", "nightly"];
    let run = to_gateway(&registry, &gateway.url()).arguments(sharded);
    run.run().exits(1);
    let host = registry.host();
    assert_eq!(
        gateway.asked(),
        [
            format!("PUT /metrics/job/pullproof/registry/{host}"),
            format!("PUT /metrics/job/nightly/registry/{host}/shard@base64/MS8x"),
        ]
    );
    let request = &gateway.server.requests()[0];
    assert_eq!(
        request.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let page = String::from_utf8(request.body.clone()).unwrap();
    assert_eq!(value(&page, FAILURES), Some(1.0));
}

#[test]
fn a_failed_look_leaves_what_the_pushgateway_knows() {
    let (registry, _) = damaged();
    let gateway = Gateway::start();
    to_gateway(&registry, &gateway.url()).run().exits(1);
    let before = gateway.page();
    darken(&registry);
    to_gateway(&registry, &gateway.url()).run().exits(4);
    let page = gateway.page();
    assert_eq!(value(&page, ACCESSIBLE), Some(0.0));
    assert_eq!(value(&page, FAILURES), Some(1.0));
    assert_eq!(value(&page, LAST_SUCCESS), value(&before, LAST_SUCCESS));
    // It never had another look.
    let other = Registry::start();
    darken(&other);
    let gateway = Gateway::start();
    to_gateway(&other, &gateway.url()).run().exits(4);
    let page = gateway.page();
    assert_eq!(value(&page, ACCESSIBLE), Some(0.0));
    assert_eq!(value(&page, FAILURES), None);
    assert_eq!(value(&page, LAST_SUCCESS), None);
}

#[test]
fn a_failed_look_pushes_nothing_where_the_earlier_metrics_are_not_known() {
    let registry = Registry::start();
    darken(&registry);
    let gateway = Server::start(|request| match &*request.method {
        "GET" => Reply::status(404),
        _ => Reply::status(200),
    });
    let finished = to_gateway(&registry, &gateway.url("")).run().exits(4);
    let methods: Vec<_> = gateway
        .requests()
        .into_iter()
        .map(|one| one.method)
        .collect();
    assert_eq!(methods, ["GET"]);
    let words = "nothing is pushed for";
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
}

#[test]
fn a_pushgateway_that_fails_is_a_warning_and_the_verdict_stands() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let answers = |status: u16, body: &'static str| {
        Server::start(move |_| Reply::ok("text/plain", body).but_status(status))
    };
    let down = format!("http://{address}");
    let bad = answers(400, "text format parsing error in line 1\n");
    let away =
        Server::start(|_| Reply::status(302).header("Location", "http://127.0.0.1:1/elsewhere"));
    let refusing = answers(401, "");
    for (url, words) in [
        (down, "could not be pushed"),
        (
            bad.url(""),
            "status 400: text format parsing error in line 1",
        ),
        (away.url(""), "it redirects (302)"),
        (refusing.url(""), "it refuses the login (401)"),
    ] {
        for (registry, code) in [(damaged().0, 1), (Registry::start(), 0)] {
            let run = to_gateway(&registry, &url).argument("--allow-empty");
            let finished = run.run().exits(code);
            assert!(
                finished.stderr.contains(words),
                "{words}: {}",
                finished.stderr
            );
        }
    }
}

#[test]
fn a_pushgateway_that_is_busy_is_asked_again() {
    let (registry, _) = damaged();
    let seen = Mutex::new(0);
    let gateway = Server::start(move |_| {
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        Reply::status(if *seen < 3 { 503 } else { 202 })
    });
    let run = audit(&registry.host()).arguments(["--pushgateway", &gateway.url("")]);
    let finished = run.run().exits(1);
    assert_eq!(gateway.requests().len(), 3);
    assert!(
        !finished.stderr.contains("pushgateway"),
        "{}",
        finished.stderr
    );
}

#[test]
fn a_pushgateway_gets_its_own_login_and_no_other() {
    let (registry, _) = damaged();
    registry.guarded(crate::support::fake::guard::basic("ci", "open-sesame"));
    // It repeats what it gets.
    let gateway = Server::start(|request| {
        let login = request.header("Authorization").unwrap_or_default();
        let words = format!("who is {login} with push-password-7\n");
        Reply::ok("text/plain", words).but_status(400)
    });
    let run = |login: &[&str]| {
        audit(&registry.host())
            .arguments(["--username", "ci", "--pushgateway", &gateway.url("")])
            .arguments(["--log-level", "trace", "--report", "report.json"])
            .arguments(login.iter().copied())
            .variable("PLUGIN_PASSWORD", "open-sesame")
            .file("secret", "push-password-7\n")
            .run()
            .exits(1)
    };
    run(&[]);
    assert_eq!(gateway.requests()[0].header("Authorization"), None);
    let own = [
        "--pushgateway-username",
        "me",
        "--pushgateway-password-file",
    ];
    let finished = run(&[&own[..], &["secret"]].concat());
    let sent = basic_credentials("me", "push-password-7");
    let last = gateway.requests().pop().unwrap();
    assert_eq!(last.header("Authorization"), Some(&*sent));
    let encoded = sent.strip_prefix("Basic ").unwrap();
    let outputs = [
        finished.stdout.clone(),
        finished.stderr.clone(),
        finished.read("report.json"),
    ];
    for output in outputs {
        assert!(!output.contains("push-password-7"), "{output}");
        assert!(!output.contains(encoded), "{output}");
    }
    assert!(finished.stderr.contains("status 400"));
    for request in registry.requests() {
        let login = request.header("Authorization").unwrap_or_default();
        assert!(!login.contains(encoded));
    }
}

/// Audits again and again, and serves the numbers; gives where.
fn serving(registry: &Registry, flags: &[&str]) -> (Running, String) {
    let running = pullproof()
        .arguments(["audit", &registry.host(), "--backoff", "10ms"])
        .arguments(["--attempts", "1", "--listen", "127.0.0.1:0"])
        .arguments(flags.iter().copied())
        .start();
    let words = "metrics are at ";
    until(|| running.has_said(words));
    let said = running.said();
    let (_, rest) = said.split_once(words).unwrap();
    let url = rest.lines().next().unwrap().trim().to_owned();
    (running, url)
}

fn until(mut so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_page_follows_the_audits_until_a_signal_comes() {
    let (registry, lost) = damaged();
    let (running, url) = serving(&registry, &["--interval", "1s"]);
    until(|| value(&get(&url).text(), FAILURES) == Some(1.0));
    let answer = get(&url);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let success = value(&answer.text(), LAST_SUCCESS);
    // Dark, it keeps what it knew; light again, it says what it finds.
    darken(&registry);
    until(|| value(&get(&url).text(), ACCESSIBLE) == Some(0.0));
    let dark = get(&url).text();
    assert_eq!(value(&dark, FAILURES), Some(1.0));
    assert!(value(&dark, LAST_SUCCESS) >= success);
    // Both are whole seconds, and the next run is a second later.
    until(|| {
        let page = get(&url).text();
        value(&page, LAST_RUN) > value(&page, LAST_SUCCESS)
    });
    let healthz = url.replace("/metrics", "/healthz");
    assert_eq!(get(&healthz).status, 200, "alive, whatever the verdicts");
    registry.forget_rules();
    registry.find(&lost);
    until(|| value(&get(&url).text(), FAILURES) == Some(0.0));
    assert_eq!(ask("POST", &url, &[], b"x 1\n").unwrap().status, 405);
    assert_eq!(get(&url.replace("/metrics", "/")).status, 404);
    running.signal("TERM");
    let finished = running.wait().exits(143);
    assert!(finished.stdout.matches("auditing").count() > 2);
}

#[test]
fn the_page_is_empty_before_the_first_audit_has_ended() {
    let (registry, _) = damaged();
    registry
        .on("GET", "/v2/_catalog")
        .delays(Duration::from_secs(20));
    let (running, url) = serving(&registry, &["--interval", "1h"]);
    let answer = get(&url);
    assert_eq!((answer.status, &*answer.text()), (200, ""));
    running.signal("INT");
    running.wait().exits(130);
}

#[test]
fn a_run_that_takes_longer_than_the_interval_is_followed_at_once() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
        .on("GET", "/v2/_catalog")
        .delays(Duration::from_millis(1300));
    let (running, _) = serving(&registry, &["--interval", "1s"]);
    until(|| registry.asked("/_catalog").len() == 3);
    assert!(
        running.said().contains("the next audit begins in 0 "),
        "{}",
        running.said()
    );
    running.signal("TERM");
    running.wait().exits(143);
}

#[test]
fn a_signal_does_not_wait_for_a_pushgateway() {
    let (registry, _) = damaged();
    let gateway = Server::start(|_| Reply::status(200).delayed(Duration::from_secs(30)));
    let running = audit(&registry.host())
        .arguments(["--pushgateway", &gateway.url(""), "--interval", "1h"])
        .start();
    until(|| !gateway.requests().is_empty());
    let signalled = std::time::Instant::now();
    running.signal("TERM");
    running.wait().exits(143);
    assert!(signalled.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_address_that_cannot_be_had_ends_the_run_before_anything_is_asked() {
    let (registry, _) = damaged();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (flags, words) in [
        (
            &["--listen", &*taken, "--interval", "1h"][..],
            "cannot listen at 127.0.0.1:",
        ),
        (
            &["--listen", "192.0.2.1:9464", "--interval", "1h"],
            "cannot listen at 192.0.2.1:9464",
        ),
        (
            &["--listen", "nowhere", "--interval", "1h"],
            "is not an address to listen at",
        ),
        (&["--listen", ":0"], "without interval the run ends"),
        (&["--interval", "soon"], "is not a duration"),
    ] {
        let run = audit(&registry.host()).arguments(flags.iter().copied());
        let finished = run.run().exits(2);
        assert!(
            finished.stderr.contains(words),
            "{words}: {}",
            finished.stderr
        );
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn who_asks_nothing_keeps_nobody_from_the_page() {
    let (registry, _) = damaged();
    let (running, url) = serving(&registry, &["--interval", "1h"]);
    let host = url.trim_start_matches("http://").split('/').next().unwrap();
    let idle: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(host).unwrap())
        .collect();
    let begun = std::time::Instant::now();
    until(|| value(&get(&url).text(), FAILURES) == Some(1.0));
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "it waited for them"
    );
    drop(idle);
    running.signal("TERM");
    running.wait().exits(143);
}
