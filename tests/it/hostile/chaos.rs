//! Many random faults at once, of a registry, its proxies and the network: what is whole is never
//! called broken, and what is lost is never called whole.
//!
//! `PULLPROOF_ROUNDS` says how many images (60 if it does not), and `PULLPROOF_SEED` with which
//! seed they begin.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use serde_json::Value;

use super::trial::{DEPTHS, Seen, trial};
use crate::support::digest::{Random, nobodys};
use crate::support::fake::{Registry, Tokens};
use crate::support::http::{Break, Reply, Request};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::rounds::seeds;

/// What an answer says about the way here.
enum Way {
    /// Its body ends early in good order.
    Ends,
    /// It is right but for its type.
    Untyped,
    /// "Not yet", "not so fast", or the right thing in another form: nothing.
    Silent,
    /// Anything else.
    Other,
}

/// One of many ways to go wrong for this one answer.
fn spoil(random: &mut Random, request: &Request, reply: Reply) -> (Reply, Way) {
    let body = reply.wire_length(&request.method) - reply.wire_length("HEAD");
    let somewhere = random.below(body.max(1));
    let spoiled = match random.below(16) {
        0 => Reply::status(500),
        1 => Reply::status(503).header("Retry-After", "0"),
        2 => {
            let slow = Reply::ok("text/plain", "slow down")
                .but_status(429)
                .header("Retry-After", "0");
            return (slow, Way::Silent);
        }
        3 => return (Reply::error(404, "UNKNOWN", "not here yet"), Way::Silent),
        4 => reply.breaks(Break::Reset, random.below(300)),
        5 => reply.breaks(Break::Close, random.below(100)),
        6 => return (reply.breaks_in_body(Break::Close, somewhere), Way::Ends),
        7 => reply.breaks_in_body(Break::Reset, somewhere),
        8 => {
            return (
                reply.chunked().breaks_in_body(Break::Close, somewhere),
                Way::Ends,
            );
        }
        // Half of an error's code is a different code.
        9 if reply.get_header("Content-Type") != Some("application/json") => {
            return (
                reply
                    .without("Content-Length")
                    .breaks_in_body(Break::Close, somewhere),
                Way::Ends,
            );
        }
        9 | 10 => Reply::ok("text/html", "<html>Please log in</html>"),
        11 => Reply::raw("nonsense"),
        12 => return (reply.chunked(), Way::Silent),
        13 => {
            return (
                reply
                    .without("Docker-Content-Digest")
                    .without("Content-Type"),
                Way::Untyped,
            );
        }
        14 if request.method == "HEAD" => return (Reply::status(405), Way::Silent),
        14 => return (reply.without_the_last_chunk(), Way::Silent),
        _ if request.header("Range").is_some() => {
            Reply::error(416, "RANGE_INVALID", "no such range")
        }
        _ => return (reply.with_bare_line_feeds(&request.method), Way::Silent),
    };
    (spoiled, Way::Other)
}

/// A registry with an image, every other answer of which is spoiled; by chance, but no content ends
/// early three times in a row, and none comes without its type twice: those would be proofs.
fn disturbed(seed: u64) -> (Registry, Image) {
    let mut random = Random::seeded(seed);
    let registry = Registry::start();
    let image = registry.image(
        "app:1",
        &platforms(2)
            .attested()
            .layer_size(1 + random.below(5000))
            .seed(seed),
    );
    registry.lose(&nobodys());
    if random.below(2) == 0 {
        // A 400 to HEAD has no words that could say that a token has expired.
        let tokens = Tokens::new().good_for(1 + random.below(6), 401);
        registry
            .mount("/token", tokens.endpoint())
            .guarded(tokens.guard("/token"));
    }
    let state = Mutex::new((random, HashMap::<String, u32>::new()));
    let untyped = Mutex::new(BTreeSet::new());
    registry.on("*", "").alters(move |request, reply| {
        let (random, ends) = &mut *state.lock().unwrap();
        if random.below(2) == 0 {
            return reply;
        }
        let (spoiled, way) = spoil(random, request, reply);
        let ends = ends.entry(request.path.clone()).or_default();
        match way {
            Way::Ends if *ends == 2 => {
                *ends = 0;
                return Reply::status(500);
            }
            Way::Ends => *ends += 1,
            Way::Untyped if !untyped.lock().unwrap().insert(request.path.clone()) => {
                return Reply::status(500);
            }
            Way::Untyped | Way::Silent => {}
            Way::Other => *ends = 0,
        }
        spoiled
    });
    (registry, image)
}

/// The digests that are definitely broken by the report.
fn broken(seen: &Seen) -> BTreeSet<String> {
    let definite = [
        "missing",
        "empty",
        "truncated",
        "size_mismatch",
        "digest_mismatch",
        "malformed",
        "unsupported",
    ];
    let is_definite = |node: &&Value| definite.contains(&node["verdict"].as_str().unwrap());
    let nodes = seen.report.nodes();
    nodes
        .iter()
        .copied()
        .filter(is_definite)
        .map(|node| node["digest"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_is_whole_passes_in_the_end() {
    for seed in seeds(60) {
        let (registry, _image) = disturbed(seed);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1"))
            .depth(depth)
            .flag("settle", "1m")
            .flag("attempts", "40");
        let seen = verify.run();
        assert_eq!(seen.exit, 0, "seed {seed}: {seen}");
    }
}

#[test]
fn what_is_lost_never_passes() {
    for seed in seeds(60) {
        let (registry, image) = disturbed(seed);
        let digests: Vec<_> = image
            .reachable()
            .into_iter()
            .filter(|digest| digest != image.root())
            .collect();
        let lost = &digests[Random::seeded(seed).below(digests.len())];
        registry.lose(lost);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1"))
            .depth(depth)
            .flag("settle", "150ms")
            .flag("attempts", "40");
        let seen = verify.run();
        // After the window a 404 by chance is the last word on other digests too, and may hide what
        // is below them.
        assert!(
            matches!(seen.exit, 1 | 4),
            "seed {seed}: {lost} was not missed: {seen}"
        );
        let nodes = seen.report.nodes();
        let called_whole = nodes
            .iter()
            .any(|node| node["digest"] == **lost && node["verdict"] == "ok");
        assert!(!called_whole, "seed {seed}: {lost} is called whole: {seen}");
    }
}

#[test]
fn few_attempts_never_report_a_fault_that_does_not_exist() {
    for seed in seeds(60) {
        let (registry, _image) = disturbed(seed);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1"))
            .depth(depth)
            .flag("settle", "1m")
            .flag("attempts", "3");
        let seen = verify.run();
        assert_eq!(broken(&seen), BTreeSet::new(), "seed {seed}: {seen}");
    }
}
