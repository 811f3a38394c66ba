//! Plain HTTP where TLS was expected, TLS where plain HTTP was, and certificates that are not
//! trusted.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::trial::{Trial, trial};
use crate::support::authority::Authority;
use crate::support::fake::{Registry, guard};
use crate::support::http::{Break, Reply};
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
        .prints("add `insecure: registry.test:");
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

/// Stands before a registry on plain HTTP and takes its time to refuse a TLS handshake, another
/// time for each connection; gives its port.
fn slow_front(registry: &Registry) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    let host = registry.host();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let host = host.clone();
            // Either side may go at any time.
            std::thread::spawn(move || relay(stream, &host, number));
        }
    });
    port
}

fn relay(mut client: TcpStream, host: &str, number: usize) -> io::Result<()> {
    let mut first = [0; 8192];
    let length = client.read(&mut first)?;
    std::thread::sleep(Duration::from_millis((number * 7 % 19) as u64));
    if first[0] == 0x16 {
        return client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    }
    let mut server = TcpStream::connect(host)?;
    server.write_all(&first[..length])?;
    let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || io::copy(&mut answers, &mut back));
    io::copy(&mut client, &mut server)?;
    Ok(())
}

#[test]
fn many_repositories_of_an_insecure_registry_agree_on_plain_http() {
    let registry = Registry::start();
    let names: Vec<_> = (0..8).map(|number| format!("app{number}:1")).collect();
    for name in &names {
        registry.image(name, &single());
    }
    let port = slow_front(&registry);
    let reference = |name| format!("registry.test:{port}/{name}");
    let verify = names[1..]
        .iter()
        .fold(trial(reference(&names[0])), |verify, name| {
            verify.and(reference(name))
        });
    let verify = verify
        .flag("insecure", "true")
        .flag("attempts", "1")
        .flag("resolve", format!("registry.test:{port}:127.0.0.1"));
    for _ in 0..100 {
        verify.run().passes();
    }
}

#[test]
fn an_insecure_registry_that_hangs_is_a_timeout_and_asked_again() {
    let registry = plain();
    let verify = named(&registry)
        .flag("insecure", "true")
        .flag("request-timeout", "1s")
        .flag("attempts", "2");
    let hangs = || Reply::status(200).breaks(Break::Stall, 0);
    registry.on("*", "").times(1).answers(hangs());
    verify.run().passes();
    registry.on("*", "").answers(hangs());
    let asked = registry.requests().len();
    let seen = verify.run().leaves_open(&[("", "unavailable")]);
    assert!(!seen.text.contains("TLS"), "{seen}");
    seen.says("", "no answer within 1.0 s");
    assert_eq!(registry.requests().len(), asked + 2);
}

#[test]
fn a_server_that_never_answers_a_handshake_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    // The system accepts connections for it.
    for insecure in ["true", "false"] {
        let seen = trial(format!("registry.test:{port}/app:1"))
            .flag("resolve", format!("registry.test:{port}:127.0.0.1"))
            .flag("insecure", insecure)
            .flag("request-timeout", "100ms")
            .flag("attempts", "2")
            .run()
            .leaves_open(&[("", "unavailable")]);
        assert!(!seen.text.contains("TLS"), "{seen}");
        seen.says("", "no answer within 0.1 s");
    }
}
