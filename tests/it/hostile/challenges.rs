//! Challenges: several schemes at once, in several spellings, or only unknown ones.

use super::trial::{Seen, Trial, trial};
use crate::support::fake::guard::refusal;
use crate::support::fake::{Registry, Tokens, guard};
use crate::support::recipe::single;

const SECRET: &str = "hunter2";

fn as_robot(registry: &Registry) -> Trial {
    trial(registry.reference("app:1")).login(&registry.host(), "robot", SECRET)
}

/// Verifies where these challenges lead to a token server, and a token is wanted.
fn with_token(challenges: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Seen {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let tokens = Tokens::new().login("robot", SECRET);
    let wanted = tokens.guard("/token");
    registry.mount("/token", tokens.endpoint());
    registry.guarded(Box::new(move |request| {
        let refused = wanted(request)?;
        Some(refusal(&challenges(
            refused.get_header("WWW-Authenticate").unwrap(),
        )))
    }));
    as_robot(&registry).run()
}

#[test]
fn two_challenges_in_two_headers_are_both_read() {
    let negotiate = |bearer: &str| {
        vec![
            "Negotiate".to_owned(),
            "Basic realm=\"x\"".to_owned(),
            bearer.to_owned(),
        ]
    };
    with_token(negotiate).passes();
    with_token(|bearer| vec![bearer.to_owned(), "Basic realm=\"x\"".to_owned()]).passes();
    with_token(|bearer| vec!["nonsense=,,".to_owned(), bearer.to_owned()]).passes();
}

#[test]
fn two_challenges_in_one_header_are_both_read() {
    with_token(|bearer| vec![format!("Basic realm=\"x, y\", {bearer}")]).passes();
    with_token(|bearer| vec![format!("{bearer}, Basic realm=\"x\"")]).passes();
    with_token(|bearer| vec![format!("Negotiate, {bearer}")]).passes();
}

#[test]
fn a_challenge_without_a_scope_gets_the_scope_that_is_needed() {
    let without = |bearer: &str| vec![bearer.split(",scope").next().unwrap().to_owned()];
    with_token(without).passes();
}

#[test]
fn a_challenge_is_read_in_any_spelling() {
    with_token(|bearer| {
        vec![
            bearer
                .replace("Bearer ", "BEARER   ")
                .replace("realm", "Realm")
                .replace(',', " , "),
        ]
    })
    .passes();
}

#[test]
fn basic_is_used_beside_an_unknown_scheme() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    let wanted = guard::basic("robot", SECRET);
    registry.guarded(Box::new(move |request| {
        wanted(request)?;
        Some(refusal(&[
            "Negotiate".to_owned(),
            "NTLM, Basic realm=\"x\"".to_owned(),
        ]))
    }));
    as_robot(&registry).run().passes();
}

#[test]
fn only_unknown_schemes_mean_denied() {
    let silent: [&[&str]; 5] = [
        &[],
        &["Negotiate"],
        &["Bearer"],
        &["Bearer realm=\"\""],
        &["=[31m,"],
    ];
    for challenges in silent {
        let registry = Registry::start();
        registry.image("app:1", &single());
        let challenges: Vec<String> = challenges
            .iter()
            .map(|&challenge| challenge.to_owned())
            .collect();
        registry.guarded(Box::new(move |_| Some(refusal(&challenges))));
        as_robot(&registry).run().leaves_open(&[("", "denied")]);
        assert!(
            registry
                .requests()
                .iter()
                .all(|request| request.header("Authorization").is_none())
        );
    }
}

#[test]
fn a_registry_that_refuses_every_login_is_not_asked_forever() {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(guard::refusal_of_all());
    as_robot(&registry)
        .run()
        .leaves_open(&[("", "denied")])
        .says("", "refuses the login of robot");
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn a_refusal_of_one_digest_is_denied_and_not_broken() {
    for status in [401, 403] {
        let registry = Registry::start();
        let image = registry.image("app:1", &single());
        registry.on("*", image.layer(0, 1)).answers_status(status);
        trial(registry.reference("app:1"))
            .run()
            .leaves_open(&[(image.layer(0, 1), "denied")]);
    }
}
