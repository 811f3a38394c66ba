//! The disk of a registry: what an audit of it predicts without the registry, and what a repair makes
//! whole, is what a registry that was started anew delivers.

mod answers;
mod incident;
mod losses;
mod rounds;
mod zot;

use std::collections::BTreeMap;

use crate::support::command::{Finished, Pullproof, Report, pullproof};

/// A command with the JSON report on standard output, and waits as short as a test wants them.
fn command(words: &[&str]) -> Pullproof {
    pullproof().arguments(words.iter().copied()).arguments([
        "--format",
        "json",
        "--backoff",
        "10ms",
    ])
}

fn audit(target: &str, depth: &str) -> Finished {
    command(&["audit", target, "--depth", depth]).run()
}

fn repair(target: &str) -> Pullproof {
    command(&["repair", target, "--settle", "0s"])
}

/// What a report says of a target.
struct Said {
    /// The verdict and its detail on every digest that is not fine, by repository and digest.
    faults: BTreeMap<(String, String), (String, String)>,
    /// The result of every image, by repository and tag.
    images: BTreeMap<(String, String), String>,
}

impl Said {
    #[track_caller]
    fn of(report: &Report, target: &str) -> Self {
        let mut said = Self {
            faults: BTreeMap::new(),
            images: BTreeMap::new(),
        };
        let list = |value: &serde_json::Value| value.as_array().cloned().expect("it is a list");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for repository in list(&report.0["repositories"]) {
            let name = text(&repository["repository"]);
            let name = name.strip_prefix(target).expect("it is of the target");
            let name = name.trim_start_matches('/').to_owned();
            for node in list(&repository["nodes"]) {
                let verdict = text(&node["verdict"]);
                if verdict != "ok" && verdict != "skipped" {
                    let place = (name.clone(), text(&node["digest"]));
                    said.faults.insert(place, (verdict, text(&node["detail"])));
                }
            }
            for image in list(&repository["images"]) {
                let place = (name.clone(), text(&image["tag"]));
                said.images.insert(place, text(&image["result"]));
            }
        }
        said
    }

    /// The verdict on every digest that is not fine.
    fn verdicts(&self) -> BTreeMap<(String, String), String> {
        let faults = self.faults.iter();
        let faults = faults.map(|(place, (verdict, _))| (place.clone(), verdict.clone()));
        faults.collect()
    }

    /// The images that passed.
    fn passed(&self) -> impl Iterator<Item = &(String, String)> {
        let images = self.images.iter();
        images.filter_map(|(place, result)| (result == "passed").then_some(place))
    }
}

mod debian {
    use super::incident;
    use crate::support::distribution::Distribution;

    #[test]
    fn what_a_collection_took_is_seen_on_disk_as_over_the_api_and_comes_back_from_a_mirror() {
        incident::collected(Distribution::open, incident::Collected::Children);
    }

    #[test]
    fn links_come_back_from_the_disk_alone() {
        incident::unlinked(Distribution::open, incident::Hides::Some);
    }
}

mod distribution {
    use super::{incident, rounds};
    use crate::registries::distribution::start;

    #[test]
    fn what_a_collection_took_is_seen_on_disk_as_over_the_api_and_comes_back_from_a_mirror() {
        incident::collected(start, incident::Collected::Nothing);
    }

    #[test]
    fn links_come_back_from_the_disk_alone() {
        incident::unlinked(start, incident::Hides::All);
    }

    /// `PULLPROOF_ROUNDS` says how many trees are damaged, and `PULLPROOF_SEED` with which seed they
    /// begin.
    #[test]
    fn a_full_audit_predicts_every_answer_and_a_repair_every_pull() {
        println!("{}", rounds::compared(20));
    }
}
