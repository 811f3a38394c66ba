//! What goes to a token server and what comes from it: each to the one it is for.

use serde_json::json;

use super::plant::{Planted, received, set, shows_nothing, shows_nothing_in, verify};
use crate::support::fake::guard::refusal;
use crate::support::fake::{Registry, Tokens, guard};
use crate::support::http::{Reply, Request, Server};
use crate::support::recipe::single;

fn registry() -> Registry {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
}

/// Everything a client showed, as an error text.
fn echo(request: &Request) -> String {
    let form = String::from_utf8_lossy(&request.body);
    let decoded = url::form_urlencoded::parse(&request.body)
        .fold(String::new(), |text, (_, value)| text + &value + " ");
    format!(
        "no: {} {form} {decoded}",
        request.header("Authorization").unwrap_or_default()
    )
}

#[test]
fn a_token_server_gets_the_password_and_the_registry_the_token() {
    let (registry, planted) = (registry(), Planted::password("tokenserver"));
    for methods in [&["GET"][..], &["POST"]] {
        let tokens = Tokens::new().login("me", &planted.value).by(methods);
        let server = Server::start(tokens.endpoint());
        registry.guarded(tokens.guard(&server.url("/token")));
        shows_nothing(&[&planted], 0, |face, run| {
            let run = set(
                set(run, face, "username", "me"),
                face,
                "password",
                &planted.value,
            );
            set(run, face, "registry", registry.host()).argument(registry.reference("app:1"))
        });
        let (there, here) = (received(&server.requests()), received(&registry.requests()));
        assert!(planted.is_in(&there), "{methods:?}: it was never sent");
        assert!(
            !planted.is_in(&here),
            "{methods:?}: the registry got the password:\n{here}"
        );
        assert!(
            here.contains("opaque-token-") && !there.contains("opaque-token-"),
            "{here}\n{there}"
        );
    }
}

#[test]
fn a_registry_that_writes_a_login_into_its_documents_is_not_quoted() {
    let (registry, planted) = (registry(), Planted::password("repeated"));
    registry.guarded(guard::basic("me", &planted.value));
    let secret = planted.value.clone();
    let digest = format!("sha256:{}", "0".repeat(64));
    let child = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 7,
        "platform": {"os": secret, "architecture": "amd64", "variant": secret}});
    let entry = json!({"mediaType": secret, "digest": secret, "size": 7});
    let kind = "application/vnd.oci.image.index.v1+json";
    for document in [
        json!({"schemaVersion": 2, "mediaType": kind, "manifests": [child, entry]}),
        json!({"schemaVersion": 2, "mediaType": secret, "manifests": []}),
    ] {
        registry.lenient().forget_rules();
        registry.on("GET", "").alters(move |request, reply| {
            match request.header("Authorization") {
                Some(_) => Reply::json(&document).but_header("Content-Type", kind),
                None => reply,
            }
        });
        shows_nothing(&[&planted], 1, |face, run| {
            let run = set(
                set(run, face, "username", "me"),
                face,
                "password",
                &planted.value,
            );
            set(run, face, "registry", registry.host()).argument(registry.reference("app:1"))
        });
    }
}

#[test]
fn a_token_server_that_repeats_what_it_got_is_not_quoted() {
    let (registry, planted) = (registry(), Planted::password("refused"));
    for status in [400, 401, 403, 404, 500] {
        let server = Server::start(move |request| Reply::error(status, "DENIED", &echo(request)));
        registry.guarded(Tokens::new().guard(&server.url("/token")));
        shows_nothing(
            &[&planted],
            if status == 500 { 4 } else { 3 },
            |face, run| {
                let login = json!([{"registry": registry.host(), "username": "me", "password": planted.value}]).to_string();
                set(run, face, "logins", login).argument(registry.reference("app:1"))
            },
        );
        assert!(
            planted.is_in(&received(&server.requests())),
            "{status}: it was never sent"
        );
    }
}

#[test]
fn an_identity_token_goes_to_the_token_server_alone() {
    let (registry, planted) = (registry(), Planted::token("identity"));
    let tokens = Tokens::new().identity(&planted.value);
    let server = Server::start(tokens.endpoint());
    registry.guarded(tokens.guard(&server.url("/token")));
    let config = json!({"auths": {registry.host(): {"identitytoken": planted.value}}}).to_string();
    shows_nothing(&[&planted], 0, |_, run| {
        run.file(".docker/config.json", &config)
            .argument(registry.reference("app:1"))
    });
    assert!(
        planted.is_in(&received(&server.requests())),
        "it was never sent"
    );
    assert!(
        !planted.is_in(&received(&registry.requests())),
        "the registry got it"
    );
    let refusing = Server::start(|request| Reply::error(401, "UNAUTHORIZED", &echo(request)));
    registry.guarded(Tokens::new().guard(&refusing.url("/token")));
    shows_nothing(&[&planted], 3, |_, run| {
        run.file(".docker/config.json", &config)
            .argument(registry.reference("app:1"))
    });
    assert!(
        planted.is_in(&received(&refusing.requests())),
        "it was never sent"
    );
}

#[test]
fn a_registry_token_goes_to_the_registry_alone() {
    let (registry, planted) = (registry(), Planted::token("registrytoken"));
    let server = Server::start(|request| Reply::error(401, "UNAUTHORIZED", &echo(request)));
    let realm = server.url("/token");
    registry.guarded(Box::new(move |request| {
        Some(refusal(&[format!("Bearer realm=\"{realm}\"")]).body(echo(request)))
    }));
    let config = json!({"auths": {registry.host(): {"registrytoken": planted.value}}}).to_string();
    shows_nothing(&[&planted], 3, |_, run| {
        run.file(".docker/config.json", &config)
            .argument(registry.reference("app:1"))
    });
    assert!(
        planted.is_in(&received(&registry.requests())),
        "it was never sent"
    );
    assert!(
        !planted.is_in(&received(&server.requests())),
        "the token server got it"
    );
}

#[test]
fn a_bearer_token_is_a_secret_too() {
    let planted = Planted::token("bearer");
    let token = planted.value.clone();
    let server = Server::start(move |_| Reply::json(&json!({"token": token, "expires_in": 300})));
    for status in [400, 401, 403, 418, 500] {
        let (registry, realm) = (registry(), server.url("/token"));
        registry.guarded(Box::new(move |request| {
            let refusal = refusal(&[format!(
                "Bearer realm=\"{realm}\",scope=\"repository:app:pull\""
            )]);
            match request.header("Authorization") {
                None => Some(refusal),
                Some(shown) => Some(
                    refusal
                        .but_status(status)
                        .body(format!("the token in {shown} is not good")),
                ),
            }
        }));
        shows_nothing(
            &[&planted],
            if matches!(status, 401 | 403) { 3 } else { 4 },
            |_, run| run.argument(registry.reference("app:1")),
        );
        assert!(
            planted.is_in(&received(&registry.requests())),
            "{status}: it was never sent"
        );
    }
    assert!(
        !planted.is_in(&received(&server.requests())),
        "the token server got it back"
    );
}

#[test]
fn an_answer_that_cannot_be_read_is_not_shown() {
    let planted = Planted::token("answer");
    let value = &planted.value;
    for body in [
        format!("{{\"token\": \"{value}\", \"expires_in\": \"{value}\"}}"),
        format!("{{\"token\": [\"{value}\"]}}"),
        format!("{{\"token\": \"{value}\\n{value}\"}}"),
        format!("{{\"no\": \"{value}\"}}"),
        format!("token={value}"),
        format!("{{\"token\": \"{value}\""),
    ] {
        let (registry, answer) = (registry(), body.clone());
        let server = Server::start(move |_| Reply::ok("application/json", answer.clone()));
        registry.guarded(Tokens::new().guard(&server.url("/token")));
        shows_nothing(&[&planted], 3, |_, run| {
            run.argument(registry.reference("app:1"))
        });
        assert!(!server.requests().is_empty(), "{body}");
    }
}

#[test]
fn a_realm_is_reported_without_its_secrets() {
    let planted = Planted::token("realm");
    let unused = Server::start(|_| Reply::status(500));
    let value = &planted.value;
    for realm in [
        format!("http://me:{value}@{}/token", unused.host()),
        format!("http://{}/{value}/token?key={value}", unused.host()),
        format!("ftp://auth.example/?key={value}"),
        format!("http://169.254.169.254/{value}?key={value}"),
        format!("https://[bad/?key={value}"),
    ] {
        let registry = registry();
        registry.guarded(Tokens::new().guard(&realm));
        let exit = if realm.starts_with("http://127") {
            4
        } else {
            3
        };
        shows_nothing(&[&planted], exit, |_, run| {
            run.argument(registry.reference("app:1"))
        });
    }
}

#[test]
fn no_log_level_shows_what_another_hides() {
    let (password, token, signature) = (
        Planted::password("every"),
        Planted::token("level"),
        Planted::token("signed"),
    );
    let bearer = token.value.clone();
    let server = Server::start(move |_| Reply::json(&json!({"token": bearer, "expires_in": 300})));
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let realm = server.url("/token");
    registry.guarded(Box::new(move |request| {
        match request.header("Authorization") {
            Some(_) => None,
            None => Some(refusal(&[format!("Bearer realm=\"{realm}\"")])),
        }
    }));
    registry
        .on("GET", image.config(0))
        .redirects_to(&format!("http://127.0.0.1:1/x?sig={}", signature.value));
    registry
        .on("GET", image.layer(0, 0))
        .alters(|request, _| Reply::error(503, "BUSY", &echo(request)));
    let levels = ["error", "warn", "info", "debug", "trace"];
    shows_nothing_in(
        &levels,
        &[&password, &token, &signature],
        4,
        |face, level| {
            let run = set(
                set(verify(face, level), face, "username", "me"),
                face,
                "password",
                &password.value,
            );
            set(run, face, "registry", registry.host()).argument(registry.reference("app:1"))
        },
    );
    assert!(
        token.is_in(&received(&registry.requests()))
            && password.is_in(&received(&server.requests()))
    );
}
