//! zot hides a blob whose size is wrong, except from a whole download.

use serde_json::json;

use super::server::{Server, each_is_reported};
use super::{advised, case, passes, pushed};
use crate::support::distribution::Damage;
use crate::support::skopeo;

pub(super) fn start() -> Server {
    Server::start_as("E2E_ZOT", |directory, port| {
        let configuration = directory.join("zot.json");
        let json = json!({
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": directory.join("store"), "gc": false},
            "http": {
                "address": "127.0.0.1",
                "port": port.to_string(),
                // Without it, docker's types are refused.
                "compat": ["docker2s2"],
            },
            "log": {"level": "warn"},
        });
        std::fs::write(&configuration, json.to_string()).expect("the directory is ours");
        vec!["serve".to_owned(), configuration.display().to_string()]
    })
}

#[test]
fn a_whole_image_passes_at_every_depth() {
    let registry = start();
    pushed(registry.host());
    passes(&registry.reference());
}

#[test]
fn a_damaged_child_is_reported_as_a_pull_meets_it() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Emptied, ["missing"; 3]),
        // It answers 500 for a manifest that is not JSON, and 404 for one it does not have.
        case(Damage::Truncated, ["unavailable"; 3]),
    ];
    each_is_reported(start, |image| image.child(1), &cases);
}

#[test]
fn a_damaged_layer_is_reported_as_a_pull_meets_it() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Emptied, ["missing"; 3]),
        case(Damage::Truncated, ["missing", "missing", "truncated"]),
        case(Damage::Flipped, ["ok", "ok", "digest_mismatch"]),
    ];
    each_is_reported(start, |image| image.layer(1, 1), &cases);
}

#[test]
fn a_damaged_layer_in_two_repositories_is_fixed_as_the_hint_says() {
    let registry = start();
    let image = pushed(registry.host());
    let push_to_the_other = || skopeo::push(registry.host(), "team/other:1", &image);
    push_to_the_other();
    registry.damage(image.layer(1, 1), Damage::Truncated);
    let command = advised(&registry.reference());
    assert!(
        command.starts_with("find . -path '*/blobs/sha256/"),
        "{command}"
    );
    registry.run_in_root(&command);
    skopeo::push(registry.host(), super::NAME, &image);
    passes(&registry.reference());
    push_to_the_other();
    passes(&format!("{}/team/other:1", registry.host()));
}
