//! Many faults at once, by chance: whatever a registry, its proxies and the network do in between, what is whole is never
//! called broken, what is lost is never called whole, and no fault is found where there is none.
//!
//! `PULLPROOF_ROUNDS` says how many images (60 if it does not), and `PULLPROOF_SEED` with which seed they begin.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use super::trial::{DEPTHS, Seen, trial};
use crate::support::digest::Random;
use crate::support::fake::{Registry, Storage, Tokens};
use crate::support::http::{Break, Reply, Request};
use crate::support::image::Image;
use crate::support::recipe::platforms;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("it is a number"))
}

/// One of many ways to go wrong for this one answer.
fn spoil(random: &mut Random, request: &Request, reply: Reply) -> Reply {
    let body = reply.wire_length(&request.method) - reply.wire_length("HEAD");
    let somewhere = |random: &mut Random| random.below(body.max(1));
    match random.below(16) {
        0 => Reply::status(500),
        1 => Reply::status(503).header("Retry-After", "0"),
        2 => Reply::ok("text/plain", "slow down").but_status(429).header("Retry-After", "0"),
        3 => Reply::error(404, "UNKNOWN", "not here yet"),
        4 => reply.breaks(Break::Reset, random.below(300)),
        5 => reply.breaks(Break::Close, random.below(150)),
        6 => reply.breaks_in_body(Break::Close, somewhere(random)),
        7 => reply.breaks_in_body(Break::Reset, somewhere(random)),
        8 => reply.chunked().breaks_in_body(Break::Close, somewhere(random)),
        9 => reply.without("Content-Length").breaks_in_body(Break::Close, somewhere(random)),
        10 => Reply::ok("text/html", "<html>Please log in</html>"),
        11 => Reply::raw("nonsense"),
        12 => reply.chunked(),
        13 => reply.without("Docker-Content-Digest").without("Content-Type"),
        14 if request.method == "HEAD" => Reply::status(405),
        14 => reply.without_the_last_chunk(),
        _ if request.header("Range").is_some() => Reply::error(416, "RANGE_INVALID", "no such range"),
        _ => reply.with_bare_line_feeds(&request.method),
    }
}

/// A registry with an image, every other answer of which is spoiled.
fn disturbed(seed: u64) -> (Registry, Image, Option<Storage>) {
    let mut random = Random::seeded(seed);
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(2).attested().layer_size(1 + random.below(5000)).seed(seed));
    if random.below(2) == 0 {
        let tokens = Tokens::new().good_for(1 + random.below(6), *random.pick(&[400, 401]));
        registry.mount("/token", tokens.endpoint()).guarded(tokens.guard("/token"));
    }
    let random = Mutex::new(random);
    registry.on("*", "").alters(move |request, reply| {
        let mut random = random.lock().unwrap();
        if random.below(2) == 0 { spoil(&mut random, request, reply) } else { reply }
    });
    (registry, image, None)
}

/// The digests that are definitely broken by the report.
fn broken(seen: &Seen) -> BTreeSet<String> {
    let definite = ["missing", "empty", "truncated", "size_mismatch", "digest_mismatch", "malformed", "unsupported"];
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
    let first = number("PULLPROOF_SEED", 1);
    for seed in first..first + number("PULLPROOF_ROUNDS", 60) {
        let (registry, _image, _storage) = disturbed(seed);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1")).depth(depth).flag("settle", "1m").flag("attempts", "40");
        let seen = verify.run();
        assert_eq!(seen.exit, 0, "seed {seed}: {seen}");
    }
}

#[test]
fn what_is_lost_is_found_and_nothing_else() {
    let first = number("PULLPROOF_SEED", 1);
    for seed in first..first + number("PULLPROOF_ROUNDS", 60) {
        let (registry, image, _storage) = disturbed(seed);
        let digests: Vec<_> = image.reachable().into_iter().filter(|digest| digest != image.root()).collect();
        let lost = &digests[Random::seeded(seed).below(digests.len())];
        registry.lose(lost);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1")).depth(depth).flag("settle", "150ms").flag("attempts", "40");
        let seen = verify.run();
        // A 404 by chance after the window is the last word on that digest; so the window has to outlast all others.
        let found = broken(&seen);
        assert!(seen.exit != 0, "seed {seed}: {seen}");
        assert!(found.contains(lost) || seen.exit == 4, "seed {seed}: {lost} was not found: {seen}");
    }
}

#[test]
fn few_attempts_leave_it_open_and_find_nothing_that_is_not_there() {
    let first = number("PULLPROOF_SEED", 1);
    for seed in first..first + number("PULLPROOF_ROUNDS", 60) {
        let (registry, _image, _storage) = disturbed(seed);
        let depth = DEPTHS[usize::try_from(seed % 3).unwrap()];
        let verify = trial(registry.reference("app:1")).depth(depth).flag("settle", "1m").flag("attempts", "3");
        let seen = verify.run();
        assert_eq!(broken(&seen), BTreeSet::new(), "seed {seed}: {seen}");
    }
}
