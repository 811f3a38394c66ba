//! 5xx: a lasting one for one digest is a fault of that digest, for every digest one of the
//! registry.

use super::trial::{DEPTHS, trial};
use crate::support::digest::nobodys;
use crate::support::fake::Registry;
use crate::support::http::{Reply, Server};
use crate::support::recipe::{platforms, single};

#[test]
fn a_500_that_stays_on_one_digest_is_definite() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        registry.on("*", image.layer(1, 0)).answers_status(500);
        let seen = trial(registry.reference("app:1"))
            .depth(depth)
            .flag("attempts", "2")
            .run();
        seen.finds(&[(image.layer(1, 0), "unavailable")])
            .prints("the registry fails on sha256:");
    }
}

#[test]
fn no_other_5xx_on_one_digest_is_definite() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    let run = |part: &str, reply: Reply, verdict| {
        registry.forget_rules();
        registry.on("*", part).answers(reply);
        trial(registry.reference("app:1"))
            .flag("attempts", "2")
            .run()
            .leaves_open(&[(part, verdict)]);
    };
    for status in (501..=599).chain([408]) {
        run(image.layer(1, 0), Reply::status(status), "unavailable");
    }
    run(image.layer(1, 0), Reply::status(429), "rate_limited");
    for part in [image.child(1), image.config(1), image.layer(1, 0)] {
        for status in [502, 503, 504] {
            let busy = Reply::status(status).header("Retry-After", "0");
            run(part, busy, "unavailable");
        }
    }
}

#[test]
fn a_registry_that_goes_down_midway_is_undecided() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.on("GET", image.layer(1, 0)).answers_status(500);
    registry
        .on("GET", image.root())
        .after(1)
        .answers_status(502);
    registry
        .on("GET", image.child(0))
        .after(1)
        .answers_status(502);
    registry
        .on("GET", image.child(1))
        .after(1)
        .answers_status(502);
    let seen = trial(registry.reference("app:1")).run();
    seen.leaves_open(&[(image.layer(1, 0), "unavailable")]);
}

#[test]
fn a_5xx_for_one_manifest_is_definite_too() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2));
    registry.on("GET", image.child(1)).answers_status(500);
    trial(registry.reference("app:1"))
        .run()
        .finds(&[(image.child(1), "unavailable")]);
    // Five attempts, and five more when everything else was asked.
    assert_eq!(registry.asked(image.child(1)).len(), 10);
}

#[test]
fn a_5xx_for_every_digest_is_undecided() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.on("*", "").answers_status(503);
    trial(registry.reference("app:1"))
        .run()
        .leaves_open(&[("", "unavailable")]);
    let root = registry.reference(&format!("app@{}", image.root()));
    trial(root)
        .run()
        .leaves_open(&[(image.root(), "unavailable")]);
}

#[test]
fn a_5xx_for_two_digests_is_undecided() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.lose(&nobodys());
    let layers = [image.layer(0, 0), image.layer(0, 2)];
    for layer in layers {
        registry.on("*", layer).answers_status(500);
    }
    trial(registry.reference("app:1"))
        .run()
        .leaves_open(&layers.map(|layer| (layer, "unavailable")));
}

#[test]
fn a_5xx_that_passes_is_retried() {
    for status in [408, 429, 500, 502, 503, 504] {
        for depth in DEPTHS {
            let registry = Registry::start();
            let image = registry.image("app:1", &platforms(2));
            for part in [
                "manifests/1",
                image.child(0),
                image.config(1),
                image.layer(0, 1),
                image.layer(1, 1),
            ] {
                registry.on("*", part).times(4).answers_status(status);
            }
            trial(registry.reference("app:1"))
                .depth(depth)
                .run()
                .passes();
        }
    }
}

#[test]
fn an_answer_of_not_implemented_is_not_retried() {
    // A server that refuses ranges like this may serve everything, so that is requested.
    for (status, asked) in [
        (501, 2),
        (400, 2),
        (505, 1),
        (406, 1),
        (204, 1),
        (202, 1),
        (418, 1),
    ] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        registry.on("GET", image.layer(0, 0)).answers_status(status);
        let seen = trial(registry.reference("app:1")).run();
        assert_eq!(
            registry.asked(image.layer(0, 0)).len(),
            asked,
            "{status}: {seen}"
        );
        assert_eq!(
            seen.report.verdict(image.layer(0, 0)),
            "unavailable",
            "{status}"
        );
    }
}

#[test]
fn a_definite_fault_counts_although_the_rest_is_down() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    registry.lose(image.layer(0, 0));
    registry.on("*", image.layer(0, 1)).answers_status(503);
    registry.on("*", image.layer(0, 2)).answers_status(503);
    let down = [1, 2].map(|layer| (image.layer(0, layer), "unavailable"));
    trial(registry.reference("app:1"))
        .run()
        .finds(&[&[(image.layer(0, 0), "missing")], &down[..]].concat());
}

#[test]
fn a_404_from_something_else_than_a_registry_is_undecided() {
    let page = "<html><body><h1>404 Not Found</h1></body></html>";
    for (body, kind) in [
        ("404 page not found\n", "text/plain"),
        (page, "text/html"),
        ("", "text/plain"),
    ] {
        let other = Server::start(move |_| Reply::ok(kind, body).but_status(404));
        let seen = trial(format!("{}/app:1", other.host()))
            .run()
            .leaves_open(&[("", "unavailable")]);
        seen.says("", "no registry answers at /v2/")
            .prints("what answers there is not a registry");
        let page = Server::start(move |request| match request.path.as_str() {
            "/v2/" => Reply::ok("text/html", "<html>welcome</html>"),
            _ => Reply::ok(kind, body).but_status(404),
        });
        trial(format!("{}/app:1", page.host()))
            .run()
            .leaves_open(&[("", "unavailable")]);
        // Some registries have no words for it either.
        let signs: [fn() -> Reply; 3] = [
            || Reply::ok("application/json", "{}"),
            || Reply::status(401).header("WWW-Authenticate", "Bearer realm=\"https://a.test/t\""),
            || Reply::error(403, "DENIED", "not here"),
        ];
        for sign in signs {
            let registry = Server::start(move |request| match request.path.as_str() {
                "/v2/" => sign(),
                _ => Reply::ok(kind, body).but_status(404),
            });
            trial(format!("{}/app:1", registry.host()))
                .run()
                .finds(&[("", "missing")]);
        }
    }
}

#[test]
fn an_unknown_host_is_reported_with_advice() {
    // https://www.rfc-editor.org/rfc/rfc6761#section-6.4
    let seen = trial("registry.invalid/app:1".to_owned())
        .run()
        .leaves_open(&[("", "unavailable")]);
    seen.says("", "registry.invalid")
        .prints("could not be resolved");
}
