//! A registry that speaks HTTP/2, as the big ones do.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::authority::Authority;
use crate::support::command::{Pullproof, verify};
use crate::support::fake::Registry;
use crate::support::http::Break;
use crate::support::recipe::platforms;

fn verify_trusting(authority: &Authority, registry: &Registry) -> Pullproof {
    verify(&registry.reference("app:1")).variable("PLUGIN_CA", authority.pem())
}

#[test]
fn a_whole_image_passes_over_one_connection() {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&["127.0.0.1"]));
    registry.image("app:1", &platforms(3).attested());
    verify_trusting(&authority, &registry).run().passes();
    let connections: BTreeSet<usize> = registry
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections.len(), 1);
}

#[test]
fn a_layer_without_data_is_found_behind_right_headers() {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&["127.0.0.1"]));
    let image = registry.image("app:1", &platforms(2));
    registry.on("GET", image.layer(1, 0)).empties();
    // What a proxy does that loses the registry behind it.
    registry
        .on("GET", image.layer(0, 1))
        .breaks(Break::Reset, 0);
    for depth in ["tail", "full"] {
        let report = verify_trusting(&authority, &registry)
            .arguments(["--depth", depth])
            .run()
            .exits(1)
            .report();
        let empty = [image.layer(1, 0), image.layer(0, 1)]
            .map(|digest| (digest.to_owned(), "empty".to_owned()));
        assert_eq!(report.faults(), BTreeMap::from(empty), "at {depth}");
    }
}

#[test]
fn a_stream_that_is_reset_for_a_while_is_asked_again() {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&["127.0.0.1"]));
    let image = registry.image("app:1", &platforms(2));
    registry
        .on("GET", image.layer(0, 0))
        .times(2)
        .breaks_anywhere(Break::Reset, 0);
    registry
        .on("GET", image.child(1))
        .times(2)
        .breaks(Break::Reset, 100);
    verify_trusting(&authority, &registry).run().passes();
}
