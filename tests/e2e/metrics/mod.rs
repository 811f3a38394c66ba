//! The metrics of an audit among the programs that read them.

mod node_exporter;
mod program;
mod prometheus;
mod pushgateway;

use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::recipe::{platforms, single};

const FAILURES: &str = "registry_manifest_integrity_failures";
const ACCESSIBLE: &str = "registry_manifest_integrity_catalog_accessible";
const REPOSITORY: &str = "pullproof_audit_repository_broken_tags";
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

fn audit(registry: &Registry) -> Pullproof {
    pullproof()
        .arguments(["audit", &registry.host()])
        .arguments(["--attempts", "1", "--backoff", "10ms"])
}

/// The lines of a page about one metric of one registry.
fn lines<'a>(page: &'a str, name: &str, registry: &str) -> Vec<&'a str> {
    let (name, label) = (format!("{name}{{"), format!("registry=\"{registry}\""));
    page.lines()
        .filter(|line| line.starts_with(&name) && line.contains(&label))
        .collect()
}

/// The value of the only line of a page about one metric of one registry.
#[track_caller]
fn value(page: &str, name: &str, registry: &str) -> Option<f64> {
    let lines = lines(page, name, registry);
    assert!(lines.len() < 2, "{lines:#?}");
    let (_, value) = lines.first()?.rsplit_once(' ')?;
    value.parse().ok()
}
