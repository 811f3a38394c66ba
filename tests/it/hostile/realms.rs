//! Where a registry may send clients for a token, and what may be sent there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::trial::{Seen, Trial, trial};
use crate::support::authority::Authority;
use crate::support::fake::guard::refusal;
use crate::support::fake::{Registry, Tokens};
use crate::support::http::{Reply, Request, Server};
use crate::support::recipe::single;

const SECRET: &str = "hunter2";

fn as_robot(registry: &Registry) -> Trial {
    trial(registry.reference("app:1")).login(&registry.host(), "robot", SECRET)
}

/// Verifies at a registry that names this realm; the answer stays open, and nothing but the
/// question was sent.
#[track_caller]
fn refused_at(registry: &Registry, verify: &Trial, realm: &str) -> String {
    registry.image("app:1", &single());
    let challenge = format!("Bearer realm=\"{realm}\",service=\"tests\"");
    registry.guarded(Box::new(move |_| {
        Some(refusal(std::slice::from_ref(&challenge)))
    }));
    let seen = verify.run();
    assert!([3, 4].contains(&seen.exit), "{seen}");
    assert_eq!(seen.report.result(), "error", "{seen}");
    assert!(
        !seen.report.0.to_string().contains(SECRET) && !seen.text.contains(SECRET),
        "{seen}"
    );
    let asked = registry.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.header("Authorization").is_none()),
        "{asked:#?}"
    );
    seen.detail("")
}

#[test]
fn a_realm_at_a_link_local_address_is_refused() {
    for host in [
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "2852039166",
        "100.100.100.200",
    ] {
        for scheme in ["http", "https"] {
            let registry = Registry::start();
            let detail = refused_at(
                &registry,
                &as_robot(&registry),
                &format!("{scheme}://{host}/token"),
            );
            assert!(
                detail.contains("link-local") || detail.contains("not encrypted"),
                "{host}: {detail}"
            );
        }
    }
}

#[test]
fn a_realm_at_a_name_of_a_link_local_address_is_refused() {
    for address in [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "127.0.0.1,169.254.169.254",
    ] {
        let registry = Registry::start();
        let pin = format!("auth.test:8443:{address}");
        let verify = as_robot(&registry).flag("resolve", pin);
        let detail = refused_at(&registry, &verify, "https://auth.test:8443/token");
        assert!(detail.contains("link-local"), "{address}: {detail}");
    }
}

#[test]
fn a_realm_over_http_is_refused_by_an_https_registry() {
    let authority = Authority::new();
    let tokens = Server::start(|_| Reply::json(&json!({"token": "t"})));
    let registry = Registry::start_tls(&authority.issue(&["127.0.0.1"]));
    let verify = as_robot(&registry).trusting(&authority);
    let detail = refused_at(&registry, &verify, &tokens.url("/token"));
    assert!(detail.contains("expected https"), "{detail}");
    assert!(tokens.requests().is_empty());
}

#[test]
fn a_realm_with_a_user_or_of_another_scheme_is_refused() {
    for realm in [
        "https://a:b@auth.test/token",
        "https://a@auth.test/token",
        "ftp://auth.test/",
        "data:x",
        "https://[",
    ] {
        let registry = Registry::start();
        refused_at(&registry, &as_robot(&registry), realm);
    }
}

#[test]
fn no_password_goes_to_a_realm_over_http_elsewhere() {
    let registry = Registry::start();
    let verify = as_robot(&registry).flag("resolve", "auth.test:80:127.0.0.1");
    let detail = refused_at(&registry, &verify, "http://auth.test/token");
    assert!(detail.contains("not encrypted"), "{detail}");
}

#[test]
fn a_relative_realm_is_at_the_registry() {
    for realm in ["/token", "../token", "token"] {
        let registry = Registry::start();
        registry.image("app:1", &single());
        let tokens = Tokens::new().login("robot", SECRET);
        for path in ["/token", "/v2/token"] {
            registry.mount(path, tokens.endpoint());
        }
        registry.guarded(tokens.guard(realm));
        as_robot(&registry).run().passes();
    }
}

/// Verifies where the token server answers so; gives how often it was asked, too.
fn token_server(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (Seen, usize) {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let server = Server::start(move |request| {
        counting.fetch_add(1, Ordering::SeqCst);
        answer(request)
    });
    let challenge = format!(
        "Bearer realm=\"{}\",service=\"tests\"",
        server.url("/token")
    );
    registry.guarded(Box::new(move |request| {
        let right = request.header("Authorization") == Some("Bearer good");
        (!right).then(|| refusal(std::slice::from_ref(&challenge)))
    }));
    let seen = as_robot(&registry).run();
    (seen, count.load(Ordering::SeqCst))
}

#[test]
fn a_redirect_of_the_token_call_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let elsewhere = Server::start(|_| Reply::json(&json!({"token": "good"})));
        let location = elsewhere.url("/token");
        let (seen, asked) =
            token_server(move |_| Reply::status(status).header("Location", &location));
        seen.leaves_open(&[("", "unavailable")])
            .says("", "a login never follows a redirect");
        assert_eq!(asked, 1);
        assert!(elsewhere.requests().is_empty());
    }
}

#[test]
fn an_answer_without_a_token_is_a_refusal() {
    for body in [
        "",
        "<html>",
        "{}",
        "null",
        "[]",
        r#"{"token":""}"#,
        r#"{"token":7}"#,
        r#"{"token":"a\nb: c"}"#,
    ] {
        let (seen, _) = token_server(move |_| Reply::ok("application/json", body));
        seen.leaves_open(&[("", "denied")]);
    }
}

#[test]
fn an_endless_answer_of_a_token_server_is_not_read() {
    let (seen, asked) = token_server(|_| {
        let endless = crate::support::http::message::Body::Zeros(u64::MAX / 2);
        Reply::ok("application/json", "").content(endless)
    });
    seen.leaves_open(&[("", "unavailable")]).says("", "64 KiB");
    assert_eq!(asked, 1);
}

#[test]
fn a_token_server_that_is_down_for_a_while_is_retried() {
    let count = AtomicUsize::new(0);
    let (seen, asked) = token_server(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(503),
        1 => Reply::ok("text/plain", "slow down\n")
            .but_status(429)
            .header("Retry-After", "0"),
        2 => Reply::status(500).breaks(crate::support::http::Break::Reset, 10),
        _ => Reply::json(&json!({"access_token": "good", "expires_in": "soon"})),
    });
    // A nonsensical time of expiry must not cost a token that is good.
    seen.passes();
    assert_eq!(asked, 4);
}

#[test]
fn a_token_server_that_stays_down_is_undecided() {
    for (status, verdict) in [
        (500, "unavailable"),
        (503, "unavailable"),
        (429, "rate_limited"),
        (403, "denied"),
    ] {
        let (seen, asked) = token_server(move |_| Reply::status(status));
        let seen = seen
            .leaves_open(&[("", verdict)])
            .says("", "token server http://127.0.0.1");
        if verdict == "unavailable" {
            seen.prints("hint: the token server http://127.0.0.1");
        }
        assert!(asked <= 5, "asked {asked} times");
    }
}

#[test]
fn a_token_server_that_is_gone_is_named_in_the_hint() {
    let gone = Server::start(|_| Reply::status(500)).url("/token");
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(Tokens::new().guard(&gone));
    let seen = as_robot(&registry).flag("attempts", "2").run();
    let seen = seen.leaves_open(&[("", "unavailable")]);
    let server = gone.strip_suffix("/token").expect("it ends so");
    let seen = seen.prints(&format!(
        "hint: the token server {server}, which the registry names"
    ));
    assert!(
        !seen.text.contains("where the registry should be"),
        "{seen}"
    );
}
