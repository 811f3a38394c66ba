//! What reads never writes: each request to a registry that could be written to is `GET` or `HEAD`.

use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::{Registry, Tokens};
use crate::support::recipe::{platforms, single};
use crate::woodpecker::server;

/// A registry that takes whatever is written to it, and whose tokens are to be had by `POST` alone.
fn registry(tokens: &Tokens) -> Registry {
    let registry = Registry::start();
    registry.writable();
    registry.mount("/token", tokens.endpoint());
    registry.guarded(tokens.guard(&registry.server().url("/token")));
    registry
}

fn with_login(run: Pullproof, registry: &Registry) -> Pullproof {
    let logins = serde_json::json!([
        {"registry": registry.host(), "username": "me", "password": "hunter2-hunter2"}
    ]);
    run.variable("PLUGIN_LOGINS", logins.to_string())
        .arguments(["--settle", "0s", "--backoff", "1ms", "--attempts", "2"])
}

#[test]
fn verify_audit_and_rebuild_send_a_registry_nothing_but_get_and_head() {
    let tokens = Tokens::new().login("me", "hunter2-hunter2").by(&["POST"]);
    let registry = registry(&tokens);
    let image = registry.image("app:1", &platforms(2).attested());
    let other = registry.image("app:2", &single().seed(7));
    let reference = registry.reference("app:1");
    for (lost, exit) in [
        (None, 0),
        (Some(image.layer(0, 0)), 1),
        (Some(other.config(0)), 1),
        (Some(image.root()), 1),
    ] {
        lost.map(|lost| registry.lose_in("app", lost));
        for depth in ["head", "tail", "full"] {
            let verify = pullproof().arguments(["verify", &reference, "--depth", depth]);
            let verify = verify.arguments(["--referrers", "check"]);
            with_login(verify, &registry).run().exits(exit);
            let audit = pullproof().arguments(["audit", &registry.host(), "--depth", depth]);
            let audit = audit.arguments(["--state", "state"]);
            with_login(audit, &registry).run().exits(exit);
        }
    }
    let woodpecker = server();
    let rebuild = pullproof().arguments(["verify", &reference, "--on-broken", "rebuild"]);
    with_login(rebuild, &registry)
        .arguments(["--woodpecker-url", woodpecker.url("").as_str()])
        .arguments(["--woodpecker-repo", "7", "--poll-interval", "100ms"])
        .variable("PLUGIN_WOODPECKER_TOKEN", crate::woodpecker::TOKEN)
        .run()
        .exits(1);
    let alone = pullproof().arguments(["rebuild", "--poll-interval", "100ms"]);
    alone
        .arguments(["--woodpecker-url", woodpecker.url("").as_str()])
        .arguments(["--woodpecker-repo", "7"])
        .variable("PLUGIN_WOODPECKER_TOKEN", crate::woodpecker::TOKEN)
        .run()
        .exits(0);
    let writes = registry.writes();
    assert!(writes.len() > 20, "it was hardly asked: {writes:?}");
    assert!(
        writes.iter().all(|write| write == "POST /token"),
        "{writes:?}"
    );
    let scopes = tokens.scopes();
    assert!(
        !scopes.iter().any(|scope| scope.contains("push")),
        "{scopes:?}"
    );
}
