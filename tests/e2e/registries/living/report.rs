//! What an audit of a registry in use may report.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::command::Finished;

/// What is known of an audit.
pub(super) struct Run<'a> {
    /// The tags that had lost something before it began.
    pub(super) lost: &'a BTreeSet<String>,
    /// The tags that were whole all the time, and that nobody moved.
    pub(super) kept: BTreeSet<String>,
    /// Whether the registry was restarted meanwhile; then a run may leave something open.
    pub(super) is_restarted: bool,
}

/// What is reported that is not true, or not reported that is.
pub(super) fn differences(
    finished: &Finished,
    run: &Run<'_>,
    history: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut found = Vec::new();
    let is_expected = match finished.code {
        Some(0) => run.is_restarted || run.lost.is_empty(),
        Some(1) => !run.lost.is_empty(),
        Some(4) => run.is_restarted,
        _ => false,
    };
    if !is_expected {
        found.push(format!("exit code {:?}", finished.code));
    }
    if !matches!(finished.code, Some(0 | 1 | 4)) {
        return found;
    }
    let report = finished.report();
    let mut results = BTreeMap::new();
    for image in report.images() {
        let text = |key: &str| image[key].as_str().unwrap_or_default().to_owned();
        let reference = text("reference");
        let (_, tagged) = reference.split_once('/').expect("it has a host");
        let is_known = (history.get(tagged)).is_some_and(|all| all.contains(&text("digest")));
        if text("result") == "passed" && !is_known {
            found.push(format!("{tagged} passed as what it never was"));
        }
        if results.insert(tagged.to_owned(), text("result")).is_some() {
            found.push(format!("{tagged} is there twice"));
        }
    }
    for (tagged, result) in &results {
        match &**result {
            "passed" => {}
            "failed" if run.lost.contains(tagged) => {}
            "failed" => found.push(format!("{tagged} is whole, and called broken")),
            _ if run.is_restarted => {}
            other => found.push(format!("{tagged}: {other}")),
        }
    }
    if run.is_restarted {
        return found;
    }
    let all = (run.lost.iter().map(|one| (one, "failed")))
        .chain(run.kept.iter().map(|one| (one, "passed")));
    for (tagged, expected) in all {
        let result = results.get(tagged).map_or("absent", String::as_str);
        if result != expected {
            found.push(format!("{tagged} is {result} instead of {expected}"));
        }
    }
    found
}
