//! What is lost is put back: planned first, done with `--apply`, and verified again.

mod disk;
mod faults;
mod full;
mod logins;
mod on_broken;
mod registry;
mod reports;
mod targets;

use std::collections::BTreeMap;

use crate::support::command::{Finished, Pullproof, pullproof};

/// `pullproof repair OPERAND`, with waits as short as a test wants them and the JSON report on
/// standard output.
fn repair(operand: &str) -> Pullproof {
    pullproof().arguments([
        "repair",
        operand,
        "--format",
        "json",
        "--settle",
        "0s",
        "--backoff",
        "10ms",
    ])
}

/// A step of a plan: its action, its digest, and whether it was done.
type Act = (String, String, bool);

fn act(action: &str, digest: &str, done: bool) -> Act {
    (action.to_owned(), digest.to_owned(), done)
}

/// The steps of the plan in a report.
fn actions(finished: &Finished) -> Vec<Act> {
    let report = finished.report();
    let Some(plan) = report.0["plan"].as_array() else {
        panic!("there is no plan: {finished}");
    };
    let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
    let act = |item| {
        (
            text(item, "action"),
            text(item, "digest"),
            item["done"] == true,
        )
    };
    plan.iter().map(act).collect()
}

/// Why each digest of a plan is where it is, or is not.
fn reasons(finished: &Finished) -> BTreeMap<String, String> {
    let report = finished.report();
    let plan = report.0["plan"].as_array().cloned().unwrap_or_default();
    let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
    plan.iter()
        .map(|item| (text(item, "digest"), text(item, "reason")))
        .collect()
}
