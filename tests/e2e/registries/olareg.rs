//! olareg answers with the content of the file, even if the digest differs.

use super::server::{Server, each_is_reported};
use super::{advised, case, passes, pushed};
use crate::support::distribution::Damage;
use crate::support::skopeo;

pub(super) fn start() -> Server {
    Server::start_as("E2E_OLAREG", |directory, port| {
        let store = directory.join("store");
        std::fs::create_dir(&store).expect("the directory is ours");
        let (port, store) = (port.to_string(), store.display().to_string());
        [
            "serve",
            "--api-delete",
            "--addr",
            "127.0.0.1",
            "--port",
            &port,
            "--dir",
            &store,
        ]
        .map(str::to_owned)
        .to_vec()
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
        case(Damage::Emptied, ["empty"; 3]),
        case(Damage::Truncated, ["truncated"; 3]),
    ];
    each_is_reported(start, |image| image.child(1), &cases);
}

#[test]
fn a_damaged_layer_is_reported_as_a_pull_meets_it() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Emptied, ["empty"; 3]),
        case(Damage::Truncated, ["truncated"; 3]),
        case(Damage::Flipped, ["ok", "ok", "digest_mismatch"]),
    ];
    each_is_reported(start, |image| image.layer(1, 1), &cases);
}

#[test]
fn a_damaged_layer_is_fixed_as_the_hint_says() {
    let registry = start();
    let image = pushed(registry.host());
    registry.damage(image.layer(1, 1), Damage::Truncated);
    // It shows itself by the words of a 404 alone.
    registry.damage(image.layer(0, 0), Damage::Deleted);
    let file = advised(&registry.reference());
    assert!(file.starts_with("team/app/blobs/sha256/"), "{file}");
    registry.run_in_root(&format!("rm '{file}'"));
    skopeo::push(registry.host(), super::NAME, &image);
    passes(&registry.reference());
}
