//! What no rule keeps is deleted: planned first, done with `--apply`, and nothing that stays is
//! harmed.

mod disk;
mod faults;
mod packages;
mod refusals;
mod registry;
mod reports;

use std::collections::BTreeMap;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::distribution::Distribution;
use crate::support::image::{Image, index_of};
use crate::support::recipe::{artifact, platforms};

/// `pullproof prune TARGET`, with waits as short as a test wants them and the JSON report on standard
/// output.
fn prune(target: &str) -> Pullproof {
    pullproof().arguments([
        "prune",
        target,
        "--format",
        "json",
        "--settle",
        "0s",
        "--backoff",
        "10ms",
        "--min-age",
        "0s",
    ])
}

/// What becomes of each tag of a plan: `keep` or `delete`, and whether that was done.
fn tags(finished: &Finished) -> BTreeMap<String, (String, bool)> {
    let report = finished.report();
    let plan = report.0["plan"].as_array().cloned();
    let plan = plan.unwrap_or_else(|| panic!("there is no plan: {finished}"));
    let of_tags = plan
        .iter()
        .filter_map(|item| Some((item["tag"].as_str()?, item)));
    let fate = |item: &serde_json::Value| {
        let action = item["action"].as_str().unwrap().to_owned();
        (action, item["done"] == true)
    };
    of_tags
        .map(|(tag, item)| (tag.to_owned(), fate(item)))
        .collect()
}

/// The manifests that a plan deletes beside tags, and whether that was done.
fn manifests(finished: &Finished) -> BTreeMap<String, bool> {
    let report = finished.report();
    let plan = report.0["plan"].as_array().cloned().unwrap_or_default();
    let alone = plan.iter().filter(|item| item["tag"].is_null());
    let digest = |item: &serde_json::Value| item["digest"].as_str().unwrap().to_owned();
    alone
        .map(|item| (digest(item), item["done"] == true))
        .collect()
}

/// An image that is signed and has lost its tag: `v1` has moved on, and `old` has one of its children.
fn signed_without_a_tag(registry: &Distribution) -> Image {
    let signed = registry.image("team/app:v1", &platforms(2));
    let mut part = signed.clone();
    let index = part.document(&index_of(&[signed.images[0].manifest.clone()]));
    registry.push("team/app:old", &part.begins_with(&index));
    let signature = artifact("application/vnd.dev.cosign.simplesigning.v1+json", &[b"{}"]);
    let tag = signed.root().replace(':', "-");
    registry.push(&format!("team/app:{tag}.sig"), &signature);
    registry.image("team/app:v1", &platforms(2).seed(2));
    signed
}
