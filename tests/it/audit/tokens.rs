//! Registries with a token server: which tokens an audit fetches, and what it shows of a login.

use serde_json::json;

use super::audit;
use crate::secrets::plant::{FACES, Planted, left, received, run, set};
use crate::support::fake::guard::{self, refusal};
use crate::support::fake::{Registry, Tokens};
use crate::support::http::Reply;
use crate::support::recipe::{platforms, single};

/// Three repositories behind a token server at `/token`.
fn guarded(tokens: &Tokens) -> Registry {
    let registry = Registry::start();
    for (seed, name) in (1..).zip(["app:1", "app:2", "team/other:1", "third:1"]) {
        registry.image(name, &platforms(2).seed(seed));
    }
    registry.mount("/token", tokens.endpoint());
    let realm = registry.server().url("/token");
    registry.guarded(tokens.guard(&realm));
    registry
}

#[test]
fn each_list_is_asked_for_with_the_scope_that_it_needs() {
    let tokens = Tokens::new();
    let registry = guarded(&tokens);
    audit(&registry.host()).run().exits(0);
    let scopes = [
        "registry:catalog:*",
        "repository:app:pull",
        "repository:team/other:pull",
        "repository:third:pull",
    ];
    assert_eq!(tokens.scopes(), scopes);
}

#[test]
fn a_challenge_without_a_scope_is_answered_with_the_right_one() {
    let tokens = Tokens::new();
    let registry = guarded(&tokens);
    let realm = registry.server().url("/token");
    let guard = tokens.guard(&realm);
    registry.guarded(Box::new(move |request| {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"tests\"");
        guard(request).map(|_| refusal(&[challenge]))
    }));
    audit(&registry.host()).run().exits(0);
    assert_eq!(tokens.scopes()[0], "registry:catalog:*");
    assert_eq!(tokens.issued(), 4);
}

#[test]
fn tokens_that_expire_in_mid_run_are_renewed() {
    for (requests, status) in [(1, 401), (3, 401), (3, 400), (7, 401)] {
        let tokens = Tokens::new().good_for(requests, status);
        let registry = guarded(&tokens);
        let report = audit(&registry.host()).run().exits(0).report();
        assert_eq!(report.count("images"), 4, "{requests} {status}");
        assert!(tokens.issued() > 4, "{requests} {status}");
    }
    // They say themselves that they are good for no time.
    let tokens = Tokens::new().expires_in(Some(0));
    let report = audit(&guarded(&tokens).host()).run().exits(0).report();
    assert_eq!(report.count("images"), 4);
}

#[test]
fn a_login_that_may_not_list_the_catalog_is_refused_with_the_way_out() {
    let tokens = Tokens::new();
    let registry = guarded(&tokens);
    registry.mount("/v2/_catalog", |_| {
        Reply::error(403, "DENIED", "requested access is denied").but_status(403)
    });
    let finished = audit(&registry.host()).run().exits(3);
    assert!(finished.report().error().contains("name its repositories"));
    audit(&registry.reference("team/*"))
        .argument(registry.reference("third"))
        .run()
        .exits(3);
    audit(&registry.reference("app")).run().exits(0);
}

/// Audits a registry that wants a login and answers for a list so; nothing of the login may be left
/// in any output.
#[track_caller]
fn hides(planted: &Planted, path: &str, code: i32, answer: &Reply) {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry
        .lenient()
        .guarded(guard::basic("me", &planted.value));
    let answer = answer.clone();
    registry.on("GET", path).alters(
        move |request, reply| match request.header("Authorization") {
            Some(_) => answer.clone(),
            None => reply,
        },
    );
    for face in FACES {
        let run = run("audit", face, "trace").arguments(["--broken-list", "broken.txt"]);
        let run = set(run, face, "registry", registry.host());
        let run = set(run, face, "username", "me");
        let finished = set(run, face, "password", &planted.value).run().exits(code);
        let broken = ("broken_list", finished.read("broken.txt"));
        for (place, text) in left(&finished).into_iter().chain([broken]) {
            assert!(
                !planted.is_in(&text),
                "{path}: it is in {place} ({face:?}):\n{text}"
            );
        }
    }
    assert!(planted.is_in(&received(&registry.requests())), "never sent");
}

#[test]
fn a_login_that_a_list_repeats_is_shown_nowhere() {
    let planted = Planted::password("listed");
    let said = &planted.value;
    for (path, key) in [("/v2/_catalog", "repositories"), ("/tags/list", "tags")] {
        for (code, answer) in [
            (3, Reply::error(403, "DENIED", said)),
            (4, Reply::error(500, "UNKNOWN", said)),
            (4, Reply::ok("text/plain", said.clone())),
            (4, Reply::json(&json!({ key: said }))),
            (
                0,
                Reply::json(&json!({ key: [said, if key == "tags" { "1" } else { "app" }] })),
            ),
        ] {
            hides(&planted, path, code, &answer);
        }
    }
}

#[test]
fn a_name_that_repeats_a_login_is_left_out_and_the_run_is_undecided() {
    // It could be the name of a repository, and of a tag.
    let planted = Planted::digits();
    for (path, key) in [("/v2/_catalog", "repositories"), ("/tags/list", "tags")] {
        let other = if key == "tags" { "1" } else { "app" };
        for name in [planted.value.clone(), format!("x-{}-y", planted.value)] {
            let answer = Reply::json(&json!({ key: [name, other] }));
            hides(&planted, path, 4, &answer);
        }
    }
}
