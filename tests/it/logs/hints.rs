//! What hints know: the nearest tags, the login, the setting, who answers in the registry's place.

use super::verify;
use crate::support::command::{Finished, Pullproof};
use crate::support::fake::{Registry, guard};
use crate::support::http::{Reply, Server};
use crate::support::recipe::{platforms, single};

#[track_caller]
fn assert_says(finished: &Finished, words: &str) {
    assert!(finished.stdout.contains(words), "{words:?}: {finished}");
}

#[test]
fn a_missing_tag_costs_one_page_of_the_list_and_a_whole_image_none() {
    let registry = Registry::start();
    registry.image("app:1.4", &single());
    verify(&registry.reference("app:1.4")).run().exits(0);
    assert_eq!(registry.asked("tags/list").len(), 0);
    registry.lose("1.5");
    let finished = verify(&registry.reference("app:1.5")).run().exits(1);
    assert_eq!(registry.asked("tags/list").len(), 1);
    assert_says(
        &finished,
        "hint: app has no tag 1.5; nearest: 1.4. Compare it",
    );
}

#[test]
fn a_list_that_fails_changes_no_verdict_and_is_asked_for_once() {
    for status in [401, 403, 404, 429, 500, 503] {
        let registry = Registry::start();
        registry.image("app:1.4", &single());
        registry.lose("1.5");
        registry.on("GET", "tags/list").answers_status(status);
        let finished = verify(&registry.reference("app:1.5")).run().exits(1);
        assert_eq!(registry.asked("tags/list").len(), 1, "{status}");
        assert_says(&finished, "/app:1.5 does not exist, exit code 1\n");
        let said = match status {
            404 => "there is no repository app on 127.0.0.1",
            _ => "the registry does not know 127.0.0.1",
        };
        assert_says(&finished, said);
    }
}

#[test]
fn a_tag_that_is_listed_has_lost_its_manifest() {
    let registry = Registry::start();
    registry.image("app:1.4", &single());
    registry.lose("1.4");
    let finished = verify(&registry.reference("app:1.4")).run().exits(1);
    assert_says(
        &finished,
        "app still lists the tag 1.4, but the manifest that it leads to is gone",
    );
    assert_says(
        &finished,
        "app:1.4 cannot be pulled: the tag is there, its manifest is gone",
    );
}

fn refused(registry: &Registry) -> Pullproof {
    verify(&registry.reference("app:1"))
}

#[test]
fn a_refused_login_names_its_setting() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(guard::basic("ci", "correct horse"));
    let host = registry.host();
    let login = format!("[{{registry: '{host}', username: ci, password: wrong}}]");
    let auth = format!(r#"{{"auths":{{"{host}":{{"username":"ci","password":"wrong"}}}}}}"#);
    for (run, setting) in [
        (
            refused(&registry).arguments([
                &format!("--registry={host}"),
                "--username=ci",
                "--password=wrong",
            ]),
            "`username` and `password`",
        ),
        (
            refused(&registry).argument(format!("--logins={login}")),
            "`logins`",
        ),
        (
            refused(&registry).argument(format!("--docker-config={auth}")),
            "docker's configuration (`docker_config`)",
        ),
    ] {
        let finished = run.run().exits(3);
        let hint = format!("hint: {host} refuses the login of ci, which comes from {setting}: the");
        assert_says(&finished, &hint);
        assert_says(
            &finished,
            &format!("{host} refuses the login of ci, exit code 3\n"),
        );
    }
    let other = login.replace(&host, "other.example");
    let finished = refused(&registry).argument(format!("--logins={other}"));
    let hint = format!("no entry of `logins` is for {host}; the first is for other.example.");
    assert_says(&finished.run().exits(3), &hint);
    let none = refused(&registry).run().exits(3);
    assert_says(
        &none,
        &format!("set `registry: {host}`, `username` and `password`\n"),
    );
}

#[test]
fn a_proxys_error_is_not_the_registrys() {
    const PAGE: &str = "<html><title>Bad Gateway</title></html>";
    let page = |status| Reply::ok("text/html", PAGE).but_status(status);
    let own = |reply: Reply| reply.header("Docker-Distribution-Api-Version", "registry/2.0");
    for (reply, is_proxy) in [
        (page(502), true),
        (page(503), true),
        (page(504), true),
        (Reply::status(502), true),
        (Reply::status(503), false),
        (own(page(503)), false),
        (own(Reply::status(502)), false),
        (Reply::error(504, "UNAVAILABLE", "busy"), false),
        (page(500), false),
    ] {
        let server = Server::start(move |_| reply.clone());
        let finished = verify(&format!("{}/app:1", server.host())).run().exits(4);
        let proxy = "is that of a proxy in front of 127.0.0.1";
        let registry = " has an error of its own: answered 50";
        assert_says(&finished, if is_proxy { proxy } else { registry });
        assert_eq!(finished.stdout.matches("\nhint").count(), 1, "{finished}");
    }
}

#[test]
fn a_wait_that_the_server_asks_for_says_so() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let busy = Reply::error(429, "TOOMANYREQUESTS", "slow down").header("Retry-After", "0");
    registry.on("GET", "manifests/1").times(1).answers(busy);
    let finished = verify(&registry.reference("app:1")).run().exits(0);
    let said = "waiting 0 ms, as the server asks (attempt 1 of 2)\n";
    assert!(finished.stderr.ends_with(said), "{finished}");
}

#[test]
fn several_images_are_named_above_the_number() {
    let registry = Registry::start();
    let image = registry.image("team/app:1", &platforms(2));
    registry.image("whole:1", &single().seed(7));
    registry.image("other:1", &single().seed(9));
    registry.lose(image.layer(1, 0)).lose("latst");
    let references = ["whole:1", "other:latst"].map(|name| registry.reference(name));
    let finished = verify(&registry.reference("team/app:1"))
        .arguments(references)
        .run()
        .exits(1);
    let lines: Vec<&str> = finished.stdout.lines().rev().take(3).collect();
    assert_eq!(
        lines,
        [
            "pullproof: FAILED: 2 of 3 images cannot be pulled (2 broken digests), exit code 1",
            &format!("✗ {}/other:latst does not exist", registry.host()),
            "✗ linux/arm64 of team/app:1 cannot be pulled: 1 layer is missing",
        ]
    );
}
