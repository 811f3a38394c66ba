//! How many connections a run makes: in HTTP/1.1 at most one per permit, in HTTP/2 one.

use crate::support::authority::Authority;
use crate::support::command::{Pullproof, verify};
use crate::support::fake::{Registry, Storage, Tokens};
use crate::support::recipe::platforms;

/// Verifies ten tags that have nothing in common, so that all want a connection at once.
fn verify_ten(registry: &Registry, host: &str) -> Pullproof {
    for tag in 0..10 {
        registry.image(&format!("app:{tag}"), &platforms(3).layers(10).seed(tag));
    }
    let references = (1..10).map(|tag| format!("{host}/app:{tag}"));
    verify(&format!("{host}/app:0")).arguments(references)
}

/// The same over TLS: under a name, since loopback addresses are tried in plain HTTP first.
fn verify_ten_over_tls(registry: &Registry, authority: &Authority) -> Pullproof {
    let host = format!("{NAME}:{}", registry.server().port());
    let run = verify_ten(registry, &host).variable("PLUGIN_CA", authority.pem());
    run.arguments(["--resolve", &format!("{host}:127.0.0.1")])
}

const NAME: &str = "registry.example";

#[test]
fn no_more_connections_than_permits_are_made() {
    for (concurrency, most) in [("1", 1), ("4", 4), ("16", 16)] {
        for depth in ["head", "tail", "full"] {
            let registry = Registry::start();
            verify_ten(&registry, &registry.host())
                .arguments(["--depth", depth, "--concurrency", concurrency])
                .run()
                .passes();
            let made = registry.server().connections();
            assert!(
                made <= most,
                "{made} connections at depth {depth} with {most} permits"
            );
        }
    }
}

#[test]
fn a_body_of_many_pieces_gives_its_connection_back_in_time() {
    let registry = Registry::start();
    // Manifests of 60 kB each.
    registry.image("app:1", &platforms(30).layers(300).shared(300));
    verify(&registry.reference("app:1"))
        .arguments(["--concurrency", "4"])
        .run()
        .passes();
    let made = registry.server().connections();
    assert!(made <= 4, "{made} connections with 4 permits");
}

#[test]
fn slow_answers_never_open_more_connections_than_permits() {
    let authority = Authority::new();
    for (concurrency, most) in [("1", 1), ("4", 4), ("16", 16)] {
        let registry = Registry::start_tls(&authority.issue(&[NAME]));
        verify_ten_over_tls(&registry, &authority)
            .arguments(["--concurrency", concurrency])
            .run()
            .passes();
        let made = registry.server().connections();
        assert!(made <= most, "{made} connections with {most} permits");
    }
}

#[test]
fn a_login_does_not_cost_connections() {
    let registry = Registry::start();
    let tokens = Tokens::new();
    registry.mount("/token", tokens.endpoint());
    let realm = registry.server().url("/token");
    registry.guarded(tokens.guard(&realm));
    verify_ten(&registry, &registry.host())
        .arguments(["--concurrency", "4"])
        .run()
        .passes();
    let made = registry.server().connections();
    assert!(made <= 4, "{made} connections");
}

#[test]
fn redirects_do_not_cost_connections() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(6).layers(20));
    let storage = Storage::of(&image);
    storage.is_behind(&registry);
    verify(&registry.reference("app:1"))
        .arguments(["--concurrency", "4"])
        .run()
        .passes();
    for (server, name) in [
        (registry.server(), "registry"),
        (storage.server(), "storage"),
    ] {
        let made = server.connections();
        assert!(made <= 4, "{made} connections to the {name}");
    }
}

#[test]
fn http_2_needs_one_connection_for_any_number_of_requests() {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&[NAME]));
    verify_ten_over_tls(&registry, &authority).run().passes();
    assert_eq!(registry.server().connections(), 1);
}
