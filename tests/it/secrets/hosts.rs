//! Each host gets its own credentials, never another's; a foreign layer's host gets no request.

use std::collections::BTreeSet;

use serde_json::json;

use super::plant::{Face, Planted, received, set, shows_nothing, verify};
use crate::support::authority::Authority;
use crate::support::command::Pullproof;
use crate::support::fake::content::ranged;
use crate::support::fake::{Registry, Storage, Tokens, guard};
use crate::support::http::message::Body;
use crate::support::http::{Reply, Server};
use crate::support::image::{FOREIGN_LAYER, Image};
use crate::support::recipe::{platforms, single};

/// A registry with an image that wants this password.
fn guarded(planted: &Planted) -> (Registry, Image) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.guarded(guard::basic("me", &planted.value));
    (registry, image)
}

fn login(run: Pullproof, face: Face, host: &str, planted: &Planted) -> Pullproof {
    let login = json!([{"registry": host, "username": "me", "password": planted.value}]);
    set(run, face, "logins", login.to_string())
}

/// Nothing secret was in any request.
#[track_caller]
fn got_nothing(server: &Server, secrets: &[&Planted]) {
    let text = received(&server.requests());
    assert!(
        !text.to_ascii_lowercase().contains("authorization"),
        "credentials came:\n{text}"
    );
    assert!(
        secrets.iter().all(|secret| !secret.is_in(&text)),
        "a secret came:\n{text}"
    );
}

#[test]
fn two_registries_get_a_login_each() {
    let (one, two, token) = (
        Planted::password("one"),
        Planted::password("two"),
        Planted::token("github"),
    );
    let ((here, _), (there, _)) = (guarded(&one), guarded(&two));
    shows_nothing(&[&one, &two, &token], 0, |face, run| {
        let logins = json!([
            {"registry": here.host(), "username": "me", "password": one.value},
            {"registry": there.host(), "username": "me", "password": two.value},
        ]);
        let run = set(run, face, "logins", logins.to_string());
        set(run, face, "github_token", &token.value)
            .arguments([here.reference("app:1"), there.reference("app:1")])
    });
    let (here, there) = (received(&here.requests()), received(&there.requests()));
    assert!(
        one.is_in(&here) && two.is_in(&there),
        "they were never sent"
    );
    assert!(
        !two.is_in(&here) && !one.is_in(&there),
        "they were mixed up"
    );
    assert!(
        !token.is_in(&here) && !token.is_in(&there),
        "GitHub's token went elsewhere"
    );
}

#[test]
fn a_login_for_one_port_or_path_is_not_for_another() {
    let planted = Planted::password("other");
    let registry = Registry::start();
    registry.image("team/app:1", &single());
    registry.guarded(guard::refusal_of_all());
    for key in [
        "127.0.0.1:1".to_owned(),
        "127.0.0.1".to_owned(),
        format!("{}/other", registry.host()),
    ] {
        shows_nothing(&[&planted], 3, |face, run| {
            login(
                run.argument(registry.reference("team/app:1")),
                face,
                &key,
                &planted,
            )
        });
        got_nothing(registry.server(), &[&planted]);
    }
}

#[test]
fn the_github_token_is_for_githubs_registry_alone() {
    let (authority, planted) = (Authority::new(), Planted::token("github"));
    let registry = Registry::start_tls(&authority.issue(&["ghcr.io"]));
    registry.image("team/app:1", &single());
    registry.guarded(guard::basic("x-access-token", &planted.value));
    let port = registry.server().port();
    // A pin is for one port, and so is a name: with a port it is another registry.
    shows_nothing(&[&planted], 3, |face, run| {
        let run = run.arguments([
            "--resolve",
            &format!("ghcr.io:{port}:127.0.0.1"),
            "--ca",
            &authority.pem(),
        ]);
        set(run, face, "github_token", &planted.value)
            .argument(format!("ghcr.io:{port}/team/app:1"))
    });
    got_nothing(registry.server(), &[&planted]);
}

#[test]
fn a_redirect_to_another_host_carries_no_credentials() {
    let planted = Planted::password("redirected");
    let signature = Planted::token("signature");
    for status in [200, 403, 404, 500] {
        let (registry, image) = guarded(&planted);
        let layer = Body::Bytes(image.content(image.layer(0, 0)).unwrap().bytes.clone());
        let store = Server::start(move |request| match status {
            200 => ranged(request, &layer),
            _ => Reply::ok(
                "text/plain",
                format!(
                    "bad: https://store.example{}?{}",
                    request.path, request.query
                ),
            )
            .but_status(status),
        });
        let url = store.url(&format!("/store?X-Amz-Signature={}", signature.value));
        registry.on("GET", image.layer(0, 0)).redirects_to(&url);
        let exit = match status {
            200 => 0,
            404 => 1,
            // It is not the registry that fails or refuses.
            _ => 4,
        };
        shows_nothing(&[&planted, &signature], exit, |face, run| {
            login(
                run.argument(registry.reference("app:1")),
                face,
                &registry.host(),
                &planted,
            )
        });
        got_nothing(&store, &[&planted]);
        assert!(
            signature.is_in(&received(&store.requests())),
            "{status}: it was never asked"
        );
    }
}

#[test]
fn a_user_inside_a_redirect_is_neither_used_nor_reported() {
    let (planted, inside) = (Planted::password("redirected"), Planted::token("inside"));
    let (registry, image) = guarded(&planted);
    let store = Storage::of(&image);
    for digest in [image.layer(0, 0), image.layer(0, 1)] {
        let url = store
            .url(digest)
            .replacen("://", &format!("://me:{}@", inside.value), 1);
        registry.on("GET", digest).redirects_to(&url);
    }
    shows_nothing(&[&planted, &inside], 0, |face, run| {
        login(
            run.argument(registry.reference("app:1")),
            face,
            &registry.host(),
            &planted,
        )
    });
    got_nothing(store.server(), &[&planted, &inside]);
}

#[test]
fn failing_redirects_are_reported_without_their_query() {
    let (planted, signature) = (Planted::password("redirected"), Planted::token("signature"));
    let value = &signature.value;
    for location in [
        format!("http://127.0.0.1:1/x?sig={value}"),
        format!("https://127.0.0.1:1/{value}/x?sig={value}#{value}"),
        format!("ftp://store.example/?sig={value}"),
        format!("http://169.254.169.254/{value}?sig={value}"),
        format!("https://[bad/?sig={value}"),
        format!("?sig={value}"),
    ] {
        let (registry, image) = guarded(&planted);
        registry
            .on("GET", image.layer(0, 0))
            .redirects_to(&location);
        shows_nothing(&[&planted, &signature], 4, |face, run| {
            login(
                run.argument(registry.reference("app:1")),
                face,
                &registry.host(),
                &planted,
            )
        });
    }
}

#[test]
fn a_foreign_layers_host_is_never_asked() {
    let planted = Planted::password("foreign");
    let unused = Server::start(|_| Reply::status(200));
    let registry = Registry::start();
    let mut image = single().make();
    let elsewhere = image
        .blob(FOREIGN_LAYER, "kept elsewhere")
        .urls(&[&unused.url("/layer?key=1")]);
    let here = image.images[0].layers[0].clone();
    let root = image.image_of(&[here, elsewhere.clone()]);
    registry.serve("app:1", &image.begins_with(&root));
    registry.guarded(guard::basic("me", &planted.value));
    for depth in ["head", "tail", "full"] {
        shows_nothing(&[&planted], 0, |face, run| {
            let run = run.arguments([&registry.reference("app:1"), "--depth", depth]);
            login(run, face, &registry.host(), &planted)
        });
    }
    assert!(unused.requests().is_empty());
    assert!(registry.asked(elsewhere.digest()).is_empty());
}

#[test]
fn an_https_registry_cannot_redirect_credentials_to_plain_http() {
    let (authority, planted) = (Authority::new(), Planted::password("downgrade"));
    let registry = Registry::start_tls(&authority.issue(&["registry.test"]));
    let image = registry.image("app:1", &platforms(1));
    let plain = Server::start(|_| Reply::json(&json!({"token": "plain"})));
    let port = registry.server().port();
    let reference = format!("registry.test:{port}/app:1");
    let run_on = |exit| {
        shows_nothing(&[&planted], exit, |face, run| {
            let run = run.arguments([
                "--resolve",
                &format!("registry.test:{port}:127.0.0.1"),
                "--ca",
                &authority.pem(),
            ]);
            login(
                run.argument(&reference),
                face,
                &format!("registry.test:{port}"),
                &planted,
            )
        });
    };
    registry.guarded(Tokens::new().guard(&plain.url("/token")));
    run_on(3);
    assert!(
        plain.requests().is_empty(),
        "the realm was asked: {:?}",
        plain.requests()
    );
    registry.guarded(guard::basic("me", &planted.value));
    for place in ["/manifests/1", image.config(0), image.layer(0, 0)] {
        registry
            .on("GET", place)
            .redirects_to(&plain.url("/elsewhere"));
    }
    run_on(4);
    assert!(
        plain.requests().is_empty(),
        "the redirect was followed: {:?}",
        plain.requests()
    );
}

#[test]
fn credentials_go_over_plain_http_only_to_hosts_that_the_user_names() {
    let planted = Planted::password("plain");
    let tokens = Tokens::new().login("me", &planted.value);
    let server = Server::start(tokens.endpoint());
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(tokens.guard(&format!("http://auth.test:{}/token", server.port())));
    let run_with = |exit, insecure: &str| {
        shows_nothing(&[&planted], exit, |face, run| {
            let run = run.arguments([
                "--resolve",
                &format!("auth.test:{}:127.0.0.1", server.port()),
            ]);
            let run = set(run, face, "insecure", insecure).argument(registry.reference("app:1"));
            login(run, face, &registry.host(), &planted)
        });
    };
    run_with(3, "");
    run_with(3, "other.test");
    assert!(
        server.requests().is_empty(),
        "it was asked: {:?}",
        server.requests()
    );
    run_with(0, "auth.test");
    assert!(
        planted.is_in(&received(&server.requests())),
        "it was never sent"
    );
}

#[test]
fn a_plain_http_registry_gets_nothing_unless_insecure_names_it() {
    let planted = Planted::password("plain");
    let (registry, _) = guarded(&planted);
    let port = registry.server().port();
    let run_with = |exit, insecure: &str| {
        shows_nothing(&[&planted], exit, |face, run| {
            let run = run.arguments(["--resolve", &format!("registry.test:{port}:127.0.0.1")]);
            let run = set(run, face, "insecure", insecure)
                .argument(format!("registry.test:{port}/app:1"));
            login(run, face, &format!("registry.test:{port}"), &planted)
        });
    };
    run_with(4, "");
    got_nothing(registry.server(), &[&planted]);
    run_with(0, "registry.test");
    assert!(
        planted.is_in(&received(&registry.requests())),
        "it was never sent"
    );
}

#[test]
fn an_untrusted_certificate_gets_no_credentials() {
    let (authority, planted) = (Authority::new(), Planted::password("tls"));
    for name in ["registry.test", "other.test"] {
        let registry = Registry::start_tls(&authority.issue(&[name]));
        registry.image("app:1", &single());
        registry.guarded(guard::basic("me", &planted.value));
        let port = registry.server().port();
        shows_nothing(&[&planted], 4, |face, run| {
            let run = run.arguments(["--resolve", &format!("registry.test:{port}:127.0.0.1")]);
            // For another name its authority is known, and for this one it is not.
            let run = if name == "other.test" {
                run.arguments(["--ca", &authority.pem()])
            } else {
                run
            };
            login(
                run.argument(format!("registry.test:{port}/app:1")),
                face,
                &format!("registry.test:{port}"),
                &planted,
            )
        });
        assert!(registry.requests().is_empty(), "{:?}", registry.requests());
    }
}

#[test]
fn a_proxy_gets_its_own_login_and_no_other() {
    let (planted, own) = (Planted::password("registry"), Planted::token("proxy"));
    for status in [407, 502, 200] {
        let proxy = Server::start(move |request| {
            Reply::ok("text/plain", format!("not for {:?}", request.headers)).but_status(status)
        });
        let address = format!("http://me:{}@{}", own.value, proxy.host());
        for variable in ["https_proxy", "HTTPS_PROXY"] {
            shows_nothing(&[&planted, &own], 4, |face, run| {
                let run = run
                    .variable(variable, &address)
                    .argument("registry.test/app:1");
                login(run, face, "registry.test", &planted)
            });
        }
        let text = received(&proxy.requests());
        assert!(own.is_in(&text), "{status}: it was never asked");
        assert!(!planted.is_in(&text), "{status}: {text}");
    }
}

#[test]
fn a_plain_proxy_gets_nothing_before_the_registry_asks_for_it() {
    let (planted, own) = (Planted::password("registry"), Planted::token("proxy"));
    let proxy = Server::start(|_| Reply::error(502, "BAD", "no"));
    shows_nothing(&[&planted, &own], 4, |face, run| {
        let run = run.variable(
            "http_proxy",
            format!("http://me:{}@{}", own.value, proxy.host()),
        );
        let run = set(run, face, "insecure", "registry.test").argument("registry.test/app:1");
        login(run, face, "registry.test", &planted)
    });
    let text = received(&proxy.requests());
    assert!(own.is_in(&text) && !planted.is_in(&text), "{text}");
}

#[test]
fn a_registry_is_only_ever_read() {
    let planted = Planted::password("read");
    let (registry, image) = guarded(&planted);
    for (lost, exit) in [
        (None, 0),
        (Some(image.layer(0, 0)), 1),
        (Some(image.root()), 1),
    ] {
        for depth in ["head", "tail", "full"] {
            if let Some(lost) = lost {
                registry.lose(lost);
            }
            let run = login(
                verify(Face::Text, "info"),
                Face::Text,
                &registry.host(),
                &planted,
            );
            let run = run.argument(registry.reference("app:1"));
            run.arguments(["--referrers", "check", "--depth", depth])
                .run()
                .exits(exit);
        }
    }
    let methods: BTreeSet<String> = registry
        .requests()
        .into_iter()
        .map(|request| request.method)
        .collect();
    let read = ["GET", "HEAD"].map(str::to_owned);
    assert!(
        methods.iter().all(|method| read.contains(method)),
        "{methods:?}"
    );
}
