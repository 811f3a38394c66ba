//! A fault is said twice: what is definitely wrong is asked for again, on another connection, one
//! `backoff` later. What is right by then was answered wrongly once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::trial::{DEPTHS, Seen, Trial, single_image, trial};
use crate::support::digest::{nobodys, sha256};
use crate::support::fake::Registry;
use crate::support::http::{Break, Reply, Request, Server};
use crate::support::image::{DOCKER_MANIFEST, Image, MANIFEST};
use crate::support::recipe::{platforms, single};

const BACKOFF: Duration = Duration::from_millis(150);

/// One wrong answer to a request, and what it would be called.
type Wrong = (&'static str, fn(Reply) -> Reply);

const WRONG: [Wrong; 5] = [
    ("missing", |_| Reply::error(404, "BLOB_UNKNOWN", "unknown")),
    ("digest_mismatch", |reply| {
        let mut bytes = reply.body_bytes();
        bytes[0] ^= 1;
        reply.body(bytes)
    }),
    ("truncated", |reply| reply.body("cut")),
    ("size_mismatch", |reply| {
        let longer = [reply.body_bytes(), vec![7]].concat();
        reply.body(longer)
    }),
    ("empty", |reply| reply.body("")),
];

#[track_caller]
fn was_wrong_once(seen: Seen, digest: &str) {
    let seen = seen.passes().says(digest, "answered wrongly once (");
    let nodes = seen.report.nodes();
    let node = nodes.iter().find(|node| node["digest"] == digest).unwrap();
    assert_eq!(node["verdict"], "ok", "{seen}");
    assert_eq!(node["cause"], "wrong_once", "{seen}");
    assert_eq!(node["clients"], json!([]), "{seen}");
    let seen = seen.prints("answered wrongly once (");
    seen.prints("and right when asked again")
        .prints("PASSED, 1 warning");
}

#[test]
fn one_wrong_answer_that_is_right_when_asked_again_is_a_warning() {
    for depth in DEPTHS {
        for (verdict, spoil) in WRONG {
            for part in 0..3 {
                let registry = Registry::start();
                let image = registry.image("app:1", &platforms(2));
                let digest = [image.child(0), image.config(1), image.layer(1, 2)][part];
                let verify = trial(registry.reference("app:1")).depth(depth);
                let is_read = part < 2 || depth == "full";
                if !is_read && verdict != "missing" {
                    continue;
                }
                // At depth head a layer's 404 to HEAD is checked with a GET.
                let answers = if is_read || depth == "tail" { 1 } else { 2 };
                registry
                    .on("*", digest)
                    .times(answers)
                    .alters(move |_, reply| spoil(reply));
                was_wrong_once(verify.run(), digest);
                assert_eq!(registry.asked(digest).len(), answers + 1, "{verdict}");
                registry
                    .on("*", digest)
                    .alters(move |_, reply| spoil(reply));
                let seen = verify.run();
                assert_eq!(seen.exit, 1, "{verdict} at {depth}: {seen}");
                let found = seen.report.verdict(digest);
                assert_eq!(found, verdict, "at {depth}: {seen}");
            }
        }
    }
}

#[test]
fn a_wrong_length_of_a_layer_is_asked_for_again_at_every_depth() {
    for depth in DEPTHS {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 1);
        let requests = Mutex::new(0);
        // All requests of the first look: HEAD, for the last byte, and for everything.
        let first_look = match depth {
            "head" => 3,
            "tail" => 2,
            _ => 1,
        };
        registry.on("*", layer).alters(move |request, reply| {
            let mut requests = requests.lock().unwrap();
            *requests += 1;
            if *requests > first_look {
                return reply;
            }
            let body = crate::support::http::message::Body::Bytes(vec![7; 400].into());
            crate::support::fake::content::ranged(request, &body)
        });
        was_wrong_once(verify.depth(depth).run(), layer);
    }
}

#[test]
fn a_body_that_is_cut_throughout_one_look_is_asked_for_again() {
    for part in 0..3 {
        let (registry, image, verify) = single_image();
        let digest = [image.root(), image.config(0), image.layer(0, 0)][part];
        registry.on("GET", digest).times(5).breaks(Break::Close, 0);
        was_wrong_once(verify.depth("full").run(), digest);
        assert_eq!(registry.asked(digest).len(), 6);
    }
}

#[test]
fn a_tag_that_is_answered_wrongly_once_passes() {
    let foreign = single().seed(9).make();
    let bytes = foreign.content(foreign.root()).unwrap().bytes.to_vec();
    let nonsense = Reply::ok(MANIFEST, r#"{"schemaVersion": 2}"#);
    let unknown = Reply::error(404, "MANIFEST_UNKNOWN", "unknown");
    for (wrong, by_tag) in [
        (unknown.clone(), true),
        (Reply::ok(MANIFEST, ""), true),
        (nonsense.clone(), true),
        (unknown, false),
        (nonsense, false),
        (Reply::ok(MANIFEST, bytes), false),
    ] {
        let (registry, image, verify) = single_image();
        let by_digest = registry.reference(&format!("app@{}", image.root()));
        let verify = if by_tag { verify } else { trial(by_digest) };
        let path = if by_tag { "manifests/1" } else { image.root() };
        registry.on("GET", path).times(1).answers(wrong);
        was_wrong_once(verify.run(), image.root());
    }
}

#[test]
fn a_wrong_type_of_a_manifest_is_asked_for_again() {
    let spoils: [fn(Reply) -> Reply; 3] = [
        |reply| reply.without("Content-Type"),
        |reply| reply.but_header("Content-Type", "text/plain"),
        |reply| reply.but_header("Content-Type", DOCKER_MANIFEST),
    ];
    for spoil in spoils {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        let child = image.child(1);
        let verify = trial(registry.reference("app:1")).flag("clients", "docker");
        let spoiled = move |_: &Request, reply| spoil(reply);
        registry.on("GET", child).times(1).alters(spoiled);
        was_wrong_once(verify.run(), child);
        assert_eq!(registry.asked(child).len(), 2);
        registry.on("GET", child).alters(spoiled);
        let seen = verify.run();
        assert_eq!(seen.exit, 1, "{seen}");
        assert_eq!(registry.asked(child).len(), 4);
        let stopped = seen.report.images()[0]["clients"].clone();
        assert_eq!(stopped, json!(["docker", "podman"]), "{seen}");
    }
}

/// Notes when each request came.
fn clocked(registry: &Registry, path: &str, reply: &Reply) -> Arc<Mutex<Vec<Instant>>> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let (noted, reply) = (Arc::clone(&times), reply.clone());
    registry.on("GET", path).alters(move |_, _| {
        noted.lock().unwrap().push(Instant::now());
        reply.clone()
    });
    times
}

#[test]
fn the_second_look_comes_later_and_on_another_connection() {
    for what in 0..4 {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 1);
        let paths = [layer, image.config(0), image.root(), "manifests/1"];
        let path = paths[what];
        let unknown = Reply::error(404, "UNKNOWN", "unknown");
        let times = clocked(&registry, path, &unknown);
        let seen = verify
            .flag("backoff", format!("{}ms", BACKOFF.as_millis()))
            .flag("max-backoff", "1s")
            .run();
        assert_eq!(seen.exit, 1, "{seen}");
        let times = times.lock().unwrap();
        let between = times[1] - times[0];
        assert!(between >= BACKOFF, "only {between:?} between {path}");
        let requests = registry.requests();
        let on = requests.iter().filter(|one| one.path.ends_with(path));
        let connections: Vec<usize> = on.map(|one| one.connection).collect();
        let before = requests
            .iter()
            .position(|one| one.connection == connections[1]);
        let second = requests
            .iter()
            .enumerate()
            .filter(|(_, one)| one.path.ends_with(path))
            .nth(1);
        assert_eq!(before, second.map(|(at, _)| at), "{path}: it is no new one");
    }
}

#[test]
fn what_is_not_said_twice_before_the_timeout_is_undecided() {
    for part in 0..3 {
        let (registry, image, verify) = single_image();
        let digest = [image.config(0), image.layer(0, 1), image.root()][part];
        registry.on("GET", digest).loses();
        let seen = verify
            .flag("backoff", "20s")
            .flag("max-backoff", "20s")
            .flag("timeout", "300ms")
            .run();
        let seen = seen.leaves_open(&[(digest, "unavailable")]);
        assert_eq!(registry.asked(digest).len(), 1, "{seen}");
        assert!(seen.took < Duration::from_secs(10), "{seen}");
    }
    // The tag itself, and an expectation.
    let (registry, _, verify) = single_image();
    registry.lose("1");
    let hasty = |verify: &Trial| {
        let verify = verify
            .clone()
            .flag("backoff", "20s")
            .flag("max-backoff", "20s");
        verify.flag("timeout", "300ms").run()
    };
    hasty(&verify).leaves_open(&[("", "unavailable")]);
    registry.find("1");
    let other = sha256(b"another image");
    let seen = hasty(&verify.flag("digest", other));
    assert_eq!((seen.exit, seen.report.result()), (4, "error"), "{seen}");
    assert_eq!(seen.report.images()[0]["findings"], json!([]), "{seen}");
}

#[test]
fn a_404_in_a_strangers_words_is_believed_where_the_registry_still_answers() {
    let (registry, image, verify) = single_image();
    let stranger = Reply::ok("text/html", "<h1>Not Found</h1>").but_status(404);
    registry
        .on("*", image.layer(0, 1))
        .answers(stranger.clone());
    verify.run().finds(&[(image.layer(0, 1), "missing")]);
    // A proxy has lost its way to the registry: whatever is asked for now is answered so.
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 1).to_owned();
    let lost = Mutex::new(0);
    registry.on("*", "").alters(move |request, reply| {
        let mut lost = lost.lock().unwrap();
        *lost += usize::from(request.path.ends_with(&layer));
        // The second look shows that the way is lost for good.
        if *lost > 1 || request.path.ends_with(&layer) {
            stranger.clone()
        } else {
            reply
        }
    });
    verify
        .flag("backoff", "50ms")
        .flag("max-backoff", "50ms")
        .run()
        .leaves_open(&[(image.layer(0, 1), "unavailable")]);
}

/// What distribution says of a manifest that it does not have.
fn unknown_as_distribution_says_it(digest: &str) -> Reply {
    let detail = format!("unknown manifest name=app revision={digest}");
    let error =
        json!({"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": detail});
    as_distribution(Reply::json(&json!({"errors": [error]})).but_status(404))
}

fn as_distribution(reply: Reply) -> Reply {
    reply.header("Docker-Distribution-Api-Version", "registry/2.0")
}

/// A registry whose only manifest is damaged, and which says this of a digest that nobody has.
fn damaged(reply: Reply) -> (Registry, Image, Trial) {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    let unknown = nobodys();
    registry.on("*", &unknown).answers(reply);
    let own = || as_distribution(Reply::error(500, "UNKNOWN", "unknown error"));
    for path in ["manifests/1", image.root()] {
        registry.on("*", path).answers(own());
    }
    let by_digest = registry.reference(&format!("app@{}", image.root()));
    (registry, image, trial(by_digest).flag("attempts", "2"))
}

#[test]
fn a_damaged_top_manifest_is_definite_on_distribution_alone() {
    let unknown = nobodys();
    let (registry, image, verify) = damaged(unknown_as_distribution_says_it(&unknown));
    let seen = verify.run().finds(&[(image.root(), "unavailable")]);
    seen.prints("the registry fails on sha256:");
    // Two attempts, and two more after it is known that the registry tells what is missing.
    assert_eq!(registry.asked(image.root()).len(), 4);
    let by_tag = trial(registry.reference("app:1")).flag("attempts", "2");
    assert_eq!(by_tag.run().exit, 1);
    for elsewhere in [
        Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        as_distribution(Reply::error(500, "UNKNOWN", "unknown error")),
        unknown_as_distribution_says_it(&unknown).header("X-Request-Id", "8c2c4714"),
    ] {
        let (_registry, image, verify) = damaged(elsewhere);
        verify.run().leaves_open(&[(image.root(), "unavailable")]);
    }
}

#[test]
fn several_damaged_digests_are_definite_on_distribution_alone() {
    let unknown = nobodys();
    for is_distribution in [true, false] {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        let lost = [image.child(0), image.layer(1, 0)];
        for digest in lost {
            let own = as_distribution(Reply::error(500, "UNKNOWN", "unknown error"));
            registry.on("*", digest).answers(own);
        }
        let told = if is_distribution {
            unknown_as_distribution_says_it(&unknown)
        } else {
            Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        };
        registry.on("*", &unknown).answers(told);
        let seen = trial(registry.reference("app:1"))
            .flag("attempts", "2")
            .run();
        let expected = lost.map(|digest| (digest, "unavailable"));
        if is_distribution {
            seen.finds(&expected);
        } else {
            seen.leaves_open(&expected);
        }
    }
}

#[test]
fn a_tag_that_is_something_else_at_every_look_is_walked_ten_times_more() {
    let turn = Mutex::new(0_u64);
    let server = Server::start(move |request| {
        let mut turn = turn.lock().unwrap();
        *turn += 1;
        let image: Value = json!({"schemaVersion": 2, "mediaType": MANIFEST, "annotations": {"n": turn.to_string()}});
        let reply = Reply::ok(MANIFEST, image.to_string());
        if request.path == "/v2/" {
            return Reply::json(&json!({}));
        }
        as_distribution(reply)
    });
    let verify = trial(format!("{}/app:1", server.host()));
    let seen = verify.run();
    assert_eq!(seen.exit, 1, "{seen}");
    // Each walk asks twice by GET, once by HEAD, and once more whether the tag has moved.
    seen.prints("requests      44: ");
}
