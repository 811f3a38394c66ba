//! Tokens that are used up faster than they are issued: no request fails because of another.

use std::time::Duration;

use super::trial::{DEPTHS, Seen, trial};
use crate::support::fake::{Registry, Tokens};
use crate::support::recipe::platforms;

/// Verifies two tags of forty digests with sixteen questions at once, each token good for so many
/// requests.
fn verify_with(tokens: &Tokens, depth: &str) -> (Registry, Seen) {
    let registry = Registry::start();
    registry.image("app:1", &platforms(4).layers(6));
    registry.image("app:2", &platforms(4).layers(6).seed(1));
    registry
        .mount("/token", tokens.endpoint())
        .guarded(tokens.guard("/token"));
    // So long that questions are really under way at once.
    registry.on("*", "").delays(Duration::from_millis(2));
    let verify = trial(registry.reference("app:1")).and(registry.reference("app:2"));
    let seen = verify
        .depth(depth)
        .flag("concurrency", "16")
        .flag("attempts", "1")
        .run();
    (registry, seen)
}

#[test]
fn a_token_that_is_good_for_a_few_requests_is_enough() {
    for uses in [1, 2, 5] {
        for status in [401, 400] {
            for depth in DEPTHS {
                let tokens = Tokens::new().good_for(uses, status);
                let (registry, seen) = verify_with(&tokens, depth);
                let seen = seen.passes();
                assert!(seen.report.count("checked") >= 66, "{seen}");
                assert!(
                    registry.server().peak() > 4,
                    "too few requests at once: {}",
                    registry.server().peak()
                );
                let issued = tokens.issued();
                assert!(
                    issued <= 2 * 66 + 2,
                    "{issued} tokens, each good for {uses}"
                );
            }
        }
    }
}

#[test]
fn a_token_that_is_always_refused_is_denied_without_endless_renewal() {
    for status in [401, 400] {
        let tokens = Tokens::new().good_for(0, status);
        let (_registry, seen) = verify_with(&tokens, "tail");
        seen.leaves_open(&[("", "denied")]);
        assert!(tokens.issued() <= 4, "{} tokens", tokens.issued());
    }
}

#[test]
fn a_token_without_a_lifetime_is_shared() {
    let tokens = Tokens::new().expires_in(None);
    let (_registry, seen) = verify_with(&tokens, "tail");
    seen.passes();
    assert_eq!(tokens.issued(), 1);
}

#[test]
fn a_token_that_expires_at_once_serves_its_own_request() {
    for seconds in [0, 1] {
        let tokens = Tokens::new().expires_in(Some(seconds));
        let (_registry, seen) = verify_with(&tokens, "tail");
        seen.passes();
    }
}
