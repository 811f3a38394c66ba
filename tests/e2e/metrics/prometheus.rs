//! Prometheus scrapes the page, and its own linter has nothing to say about it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::program::Program;
use super::{FAILURES, audit, damaged, darken};
use crate::support::fake::Registry;
use crate::support::http::client::get;
use crate::support::recipe::single;
use crate::until;

/// Fails if `promtool check metrics` has anything to say about a page.
#[track_caller]
fn lints(page: &str) {
    let program = std::env::var("E2E_PROMTOOL").expect("`make e2e` says where it is");
    let mut child = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(page.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}{page}");
}

#[test]
fn promtool_accepts_every_page() {
    let (registry, _) = damaged();
    let other = Registry::start();
    other.image("app:1", &single());
    let page = |registry: &Registry, flags: &[&str]| {
        let run = audit(registry).arguments(["--metrics-file", "audit.prom"]);
        let finished = run.arguments(flags.iter().copied()).run();
        finished.read("audit.prom")
    };
    let several = page(&registry, &[&other.host(), "--shard", "1/1"]);
    assert!(several.contains(&other.host()) && several.contains("shard="));
    lints(&several);
    lints(&page(&registry, &[]));
    lints(&page(&other, &[]));
    darken(&registry);
    lints(&page(&registry, &[]));
}

/// The only sample that Prometheus has of an expression: its labels and its value.
fn sample(prometheus: &Program, expression: &str) -> Option<(Value, String)> {
    let query: String = byte_serialize(expression.as_bytes()).collect();
    let answer = get(&prometheus.at(&format!("/api/v1/query?query={query}"))).text();
    let answer: Value = serde_json::from_str(&answer).expect("it answers in JSON");
    match answer["data"]["result"].as_array()?.as_slice() {
        [one] => Some((one["metric"].clone(), one["value"][1].as_str()?.to_owned())),
        _ => None,
    }
}

#[test]
fn the_page_is_scraped() {
    let (registry, lost) = damaged();
    let running = audit(&registry)
        .arguments(["--interval", "1s", "--listen", "127.0.0.1:0"])
        .start();
    let words = "metrics are at http://";
    until("it listens", || running.has_said(words));
    let said = running.said();
    let (_, rest) = said.split_once(words).unwrap();
    let address = rest.split_once('/').unwrap().0;
    let prometheus = Program::start("E2E_PROMETHEUS", "/-/ready", |directory| {
        let file = directory.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\n\
             scrape_configs:\n  \
             - job_name: pullproof\n    \
             static_configs: [{{targets: ['{address}']}}]\n"
        );
        std::fs::write(&file, text).expect("the directory is ours");
        let data = directory.join("data");
        vec![
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", data.display()),
        ]
    });
    until("the failure is seen", || {
        sample(&prometheus, FAILURES).is_some_and(|(_, value)| value == "1")
    });
    let (labels, _) = sample(&prometheus, FAILURES).unwrap();
    assert_eq!(labels["registry"], registry.host());
    assert_eq!(labels["exported_instance"], registry.host());
    assert_eq!(labels["instance"], address);
    let (_, up) = sample(&prometheus, "up{job=\"pullproof\"}").unwrap();
    assert_eq!(up, "1");
    registry.find(&lost);
    until("the repair is seen", || {
        sample(&prometheus, FAILURES).is_some_and(|(_, value)| value == "0")
    });
    let repository = sample(&prometheus, "pullproof_audit_repository_broken_tags");
    assert_eq!(repository, None);
    running.signal("TERM");
    running.wait().exits(143);
}
