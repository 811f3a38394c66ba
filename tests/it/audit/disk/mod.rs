//! The disk of a registry, without the registry.

mod beyond;
mod damage;
mod hostile;
mod inputs;
mod living;
mod real;
mod reports;
mod zot;

use serde_json::Value;

use crate::support::command::{Pullproof, Report, pullproof};
use crate::support::recipe::{Recipe, platforms};
use crate::support::tree::Tree;

/// `pullproof audit DIR`, with the JSON report on standard output.
fn audit(tree: &Tree) -> Pullproof {
    let path = tree.path().display().to_string();
    pullproof().arguments(["audit", &path, "--format", "json"])
}

/// The same with its text.
fn text(tree: &Tree) -> String {
    let path = tree.path().display().to_string();
    pullproof().arguments(["audit", &path]).run().stdout
}

/// An index of two platforms with attestations.
fn recipe(seed: u64) -> Recipe {
    platforms(2).layers(2).attested().seed(seed)
}

/// What the report says of the disk.
fn disk(report: &Report) -> &Value {
    &report.0["disk"]
}

/// The node of a digest.
fn node<'r>(report: &'r Report, digest: &str) -> &'r Value {
    let is_it = |node: &&Value| node["digest"] == digest;
    let found = report.nodes().into_iter().find(is_it);
    found.unwrap_or_else(|| panic!("{digest} is not in {:#}", report.0))
}
