//! Plain HTTP where TLS was expected, TLS where plain HTTP was, and certificates that are not
//! trusted.

use super::trial::{Trial, trial};
use crate::support::authority::Authority;
use crate::support::fake::{Registry, guard};
use crate::support::http::Reply;
use crate::support::recipe::single;

/// A reference below a name that is not this machine's own, pinned to where the registry listens.
fn named(registry: &Registry) -> Trial {
    let port = registry.server().port();
    trial(format!("registry.test:{port}/app:1"))
        .flag("resolve", format!("registry.test:{port}:127.0.0.1"))
}

fn tls(names: &[&str]) -> (Authority, Registry) {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(names));
    registry.image("app:1", &single());
    (authority, registry)
}

fn plain() -> Registry {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
}

#[test]
fn loopback_may_use_http_or_https() {
    let registry = plain();
    trial(registry.reference("app:1")).run().passes();
    let (authority, registry) = tls(&["127.0.0.1"]);
    trial(registry.reference("app:1"))
        .trusting(&authority)
        .run()
        .passes();
}

#[test]
fn a_plain_text_demand_for_https_is_followed() {
    // What Go's server and nginx answer to plain HTTP on a port for TLS.
    for words in [
        "Client sent an HTTP request to an HTTPS server.\n",
        "The plain HTTP request was sent to HTTPS port",
    ] {
        let registry = plain();
        registry
            .on("GET", "manifests/1")
            .answers(Reply::ok("text/plain", words).but_status(400));
        let seen = trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[("", "unavailable")]);
        seen.says("", "answered 400")
            .says("", words.trim())
            .prints("remove its host from `insecure`");
        registry.forget_rules();
        trial(registry.reference("app:1")).run().passes();
    }
}

#[test]
fn plain_http_is_used_only_for_hosts_that_insecure_names() {
    let registry = plain();
    let seen = named(&registry).run().leaves_open(&[("", "unavailable")]);
    seen.says("", "does not speak TLS")
        .prints("name its host in `insecure`");
    assert!(registry.requests().is_empty());
    for insecure in [
        "true",
        "registry.test",
        &format!("registry.test:{}", registry.server().port()),
    ] {
        named(&registry).flag("insecure", insecure).run().passes();
    }
    named(&registry)
        .flag("insecure", "other.test")
        .run()
        .leaves_open(&[("", "unavailable")]);
}

#[test]
fn an_insecure_host_may_use_tls() {
    let (authority, registry) = tls(&["registry.test"]);
    for insecure in ["true", "registry.test"] {
        named(&registry)
            .trusting(&authority)
            .flag("insecure", insecure)
            .run()
            .passes();
    }
}

#[test]
fn no_password_is_sent_in_the_clear_where_that_is_not_allowed() {
    let registry = plain();
    registry.guarded(guard::basic("robot", "hunter2"));
    let port = registry.server().port();
    let verify = named(&registry).login(&format!("registry.test:{port}"), "robot", "hunter2");
    verify.run().leaves_open(&[("", "unavailable")]);
    assert!(registry.requests().is_empty());
    verify.flag("insecure", "registry.test").run().passes();
}

#[test]
fn an_unknown_authority_is_reported_with_advice() {
    for host in ["127.0.0.1", "registry.test"] {
        let (_authority, registry) = tls(&[host]);
        let verify = if host == "127.0.0.1" {
            trial(registry.reference("app:1"))
        } else {
            named(&registry)
        };
        let seen = verify
            .trusting(&Authority::new())
            .run()
            .leaves_open(&[("", "unavailable")]);
        seen.says("", "unknown authority").prints("set `ca` to");
    }
}

#[test]
fn ca_adds_to_the_roots_of_the_system() {
    let (systems, one) = tls(&["127.0.0.1"]);
    let (own, two) = tls(&["127.0.0.1"]);
    let verify = |registry: &Registry, roots: &str| {
        crate::support::command::verify(&registry.reference("app:1"))
            .file("roots.pem", systems.pem())
            .arguments(["--attempts", "1", "--ca", &own.pem()])
            .variable("SSL_CERT_FILE", roots)
            .run()
    };
    verify(&one, "roots.pem").exits(0);
    verify(&two, "roots.pem").exits(0);
    verify(&one, "none.pem").exits(4);
    verify(&two, "none.pem").exits(0);
}

#[test]
fn a_certificate_for_another_name_or_time_is_reported() {
    let (authority, registry) = tls(&["other.test"]);
    let seen = named(&registry)
        .trusting(&authority)
        .run()
        .leaves_open(&[("", "unavailable")]);
    seen.says("", "another name")
        .prints("not valid for this name at this time");
    let expired = Registry::start_tls(&authority.issue_expired(&["registry.test"]));
    expired.image("app:1", &single());
    let seen = named(&expired)
        .trusting(&authority)
        .run()
        .leaves_open(&[("", "unavailable")]);
    seen.says("", "expired")
        .prints("not valid for this name at this time");
    named(&expired)
        .flag("skip-tls-verify", "registry.test")
        .run()
        .passes();
    named(&expired)
        .flag("skip-tls-verify", "other.test")
        .run()
        .leaves_open(&[("", "unavailable")]);
}

#[test]
fn one_invalid_response_does_not_change_the_protocol() {
    let registry = plain();
    registry
        .on("GET", "manifests/1")
        .times(1)
        .answers(Reply::raw("nonsense"));
    trial(registry.reference("app:1")).run().passes();
}
