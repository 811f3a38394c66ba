//! The way through a proxy, and around it.

use super::trial::trial;
use crate::support::authority::Authority;
use crate::support::fake::{Proxy, Registry, guard};
use crate::support::recipe::single;

#[test]
fn https_goes_through_a_tunnel_and_stays_encrypted() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["registry.test"]));
    registry.image("app:1", &single());
    let proxy = Proxy::to(&[("registry.test:443", registry.server().port())]);
    for variable in ["https_proxy", "HTTPS_PROXY"] {
        trial("registry.test/app:1")
            .trusting(&authority)
            .variable(variable, proxy.url())
            .run()
            .passes();
    }
    let asked = proxy.asked();
    assert!(
        !asked.is_empty()
            && asked
                .iter()
                .all(|line| line.starts_with("CONNECT registry.test:443 ")),
        "{asked:?}"
    );
}

#[test]
fn http_goes_through_a_proxy_by_its_whole_address() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let proxy = Proxy::to(&[("registry.test:5000", registry.server().port())]);
    let verify = trial("registry.test:5000/app:1").flag("insecure", "registry.test:5000");
    verify.variable("http_proxy", proxy.url()).run().passes();
    let asked = proxy.asked();
    let whole = ["GET", "HEAD"].map(|method| format!("{method} http://registry.test:5000/v2/app/"));
    assert!(
        asked
            .iter()
            .all(|line| whole.iter().any(|start| line.starts_with(start))),
        "{asked:?}"
    );
}

#[test]
fn no_proxy_names_exceptions() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let proxy = Proxy::to(&[]);
    let port = registry.server().port();
    for around in [
        "registry.test",
        ".test",
        "*",
        &format!("other.test, registry.test:{port}"),
        "test",
    ] {
        let verify = trial(format!("registry.test:{port}/app:1")).flag("insecure", "registry.test");
        let verify = verify.flag("resolve", format!("registry.test:{port}:127.0.0.1"));
        let verify = verify
            .variable("http_proxy", proxy.url())
            .variable("no_proxy", around);
        let seen = verify.run();
        assert_eq!(seen.exit, 0, "no_proxy={around}: {seen}");
    }
    assert!(proxy.asked().is_empty());
}

#[test]
fn loopback_never_goes_through_a_proxy() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let proxy = Proxy::to(&[]);
    let verify = trial(registry.reference("app:1")).variable("http_proxy", proxy.url());
    verify.variable("https_proxy", proxy.url()).run().passes();
    assert!(proxy.asked().is_empty());
}

#[test]
fn a_refusing_proxy_is_undecided_and_its_password_redacted() {
    let proxy = Proxy::to(&[]);
    let with_password = proxy.url().replacen("http://", "http://me:hunter2@", 1);
    let seen = trial("registry.test/app:1")
        .variable("https_proxy", &with_password)
        .run();
    let seen = seen.leaves_open(&[("", "unavailable")]);
    assert!(
        !seen.text.contains("hunter2") && !seen.report.0.to_string().contains("hunter2"),
        "{seen}"
    );
    assert!(
        proxy
            .headers()
            .contains("uthorization: Basic bWU6aHVudGVyMg=="),
        "{}",
        proxy.headers()
    );
}

#[test]
fn the_registrys_password_is_not_the_proxys() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["registry.test"]));
    registry.image("app:1", &single());
    registry.guarded(guard::basic("robot", "hunter2"));
    let proxy = Proxy::to(&[("registry.test:443", registry.server().port())]);
    let verify = trial("registry.test/app:1").trusting(&authority).login(
        "registry.test",
        "robot",
        "hunter2",
    );
    verify.variable("https_proxy", proxy.url()).run().passes();
    assert!(
        !proxy
            .headers()
            .to_ascii_lowercase()
            .contains("authorization"),
        "{}",
        proxy.headers()
    );
}
