//! The real registry in its four forms: with access the image passes, without it the result is
//! denied.

use crate::support::authority::Authority;
use crate::support::command::{Pullproof, pullproof};
use crate::support::distribution::{Distribution, PASSWORD, USERNAME};
use crate::support::image::Image;
use crate::support::recipe::platforms;

/// The step of a Woodpecker pipeline that verifies `app:1` there.
fn step(registry: &Distribution) -> Pullproof {
    pullproof()
        .variable("CI", "woodpecker")
        .variable("PLUGIN_IMAGES", registry.reference("app:1"))
        .variable("PLUGIN_FORMAT", "json")
        .variable("PLUGIN_SETTLE", "0s")
        .variable("PLUGIN_BACKOFF", "10ms")
}

/// The same step, with a login.
fn step_as(registry: &Distribution, password: &str) -> Pullproof {
    step(registry)
        .variable("PLUGIN_REGISTRY", registry.host())
        .variable("PLUGIN_USERNAME", USERNAME)
        .variable("PLUGIN_PASSWORD", password)
}

fn push(registry: &Distribution) -> Image {
    let image = platforms(2).attested().make();
    registry.push_by_skopeo("app:1", &image);
    image
}

/// The step passes on the whole image, and fails once a layer is lost.
fn assert_passes_then_fails(mut registry: Distribution, step: impl Fn(&Distribution) -> Pullproof) {
    let image = push(&registry);
    let report = step(&registry).run().passes();
    assert_eq!(report.count("broken"), 0);
    assert_eq!(
        report.count("ok"),
        u64::try_from(image.reachable().len()).unwrap()
    );
    registry.damage(
        "app",
        image.layer(0, 0),
        crate::support::distribution::Damage::Deleted,
    );
    registry.restart();
    let report = step(&registry).run().exits(1).report();
    assert_eq!(report.verdict(image.layer(0, 0)), "missing");
}

#[test]
fn an_open_registry_needs_nothing() {
    assert_passes_then_fails(Distribution::open(), step);
}

#[test]
fn htpasswd_needs_the_login() {
    assert_passes_then_fails(Distribution::htpasswd(), |registry| {
        step_as(registry, PASSWORD)
    });
}

#[test]
fn htpasswd_denies_anonymous_access_and_wrong_passwords() {
    let registry = Distribution::htpasswd();
    push(&registry);
    step(&registry).run().exits(3);
    step_as(&registry, "wrong horse").run().exits(3);
}

#[test]
fn a_private_authority_is_trusted_when_it_is_given() {
    let authority =
        |registry: &Distribution| step(registry).variable("PLUGIN_CA", registry.authority().pem());
    assert_passes_then_fails(Distribution::tls(), authority);
}

#[test]
fn a_private_authority_can_be_given_as_a_file() {
    let registry = Distribution::tls();
    push(&registry);
    step(&registry)
        .file("ca.pem", registry.authority().pem())
        .variable("PLUGIN_CA", "ca.pem")
        .run()
        .passes();
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let registry = Distribution::tls();
    push(&registry);
    step(&registry).run().exits(4);
    step(&registry)
        .variable("PLUGIN_CA", Authority::new().pem())
        .run()
        .exits(4);
}

#[test]
fn tls_is_not_verified_when_skip_tls_verify_is_set() {
    let registry = Distribution::tls();
    push(&registry);
    step(&registry)
        .variable("PLUGIN_SKIP_TLS_VERIFY", "true")
        .run()
        .passes();
}

#[test]
fn the_token_server_gives_a_token_for_the_login() {
    assert_passes_then_fails(Distribution::token(), |registry| {
        step_as(registry, PASSWORD)
    });
}

#[test]
fn the_token_server_denies_anonymous_access_and_wrong_passwords() {
    let registry = Distribution::token();
    push(&registry);
    step(&registry).run().exits(3);
    step_as(&registry, "wrong horse").run().exits(3);
}

#[test]
fn one_token_serves_a_whole_run() {
    let registry = Distribution::token();
    push(&registry);
    step_as(&registry, PASSWORD).run().passes();
    assert_eq!(registry.token_server().requests().len(), 1);
}
