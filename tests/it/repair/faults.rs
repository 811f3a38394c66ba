//! Registries and sources that fail: nothing is worse than before, what was done is said, and the
//! next run finishes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Act, act, actions, reasons, repair};
use crate::support::command::{Finished, Pullproof, pullproof, verify};
use crate::support::fake::Registry;
use crate::support::fake::guard::{basic, refusal_of_all};
use crate::support::http::Reply;
use crate::support::http::message::Break;
use crate::support::image::{Image, LAYER, index_of};
use crate::support::port;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const NAME: &str = "team/app:1";
const REPOSITORY: &str = "team/app";

/// A registry that lacks a layer and the manifest above it, and one that has a copy.
struct Pair {
    registry: Registry,
    mirror: Registry,
    image: Image,
}

impl Pair {
    fn new() -> Self {
        let (registry, mirror) = (Registry::start(), Registry::start());
        registry.writable();
        let image = registry.image(NAME, &platforms(2).layers(2));
        mirror.serve(NAME, &image);
        for digest in [image.layer(0, 1), image.child(0)] {
            registry.lose_in(REPOSITORY, digest);
        }
        Self {
            registry,
            mirror,
            image,
        }
    }

    /// What a run does that finds everything and is refused nothing.
    fn all(&self, done: bool) -> Vec<Act> {
        vec![
            act("upload", self.image.layer(0, 1), done),
            act("put", self.image.child(0), done),
        ]
    }

    fn plan(&self) -> Pullproof {
        repair(&self.registry.reference(NAME)).arguments(["--from", &self.mirror.host()])
    }

    fn apply(&self) -> Pullproof {
        self.plan().argument("--apply")
    }

    fn faults(&self) -> BTreeMap<String, String> {
        verify(&self.registry.reference(NAME))
            .run()
            .report()
            .faults()
    }

    /// Is right again, and the next run finishes.
    #[track_caller]
    fn finishes(&self) {
        self.registry.forget_rules();
        self.mirror.forget_rules();
        self.apply().run().exits(0);
        verify(&self.registry.reference(NAME)).run().passes();
    }
}

#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "waited until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn says(finished: &Finished, digest: &str, words: &str) {
    let reasons = reasons(finished);
    let reason = reasons.get(digest).map(String::as_str).unwrap_or_default();
    assert!(reason.contains(words), "{words}: {reasons:#?}");
}

#[test]
fn a_plan_asks_and_writes_nothing() {
    let pair = Pair::new();
    let planned = pair.plan().run().exits(1);
    assert_eq!(actions(&planned), pair.all(false));
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
}

#[test]
fn before_an_upload_nothing_is_asked_by_head() {
    let pair = Pair::new();
    pair.apply().run().exits(0);
    let requests = pair.registry.requests();
    let heads = requests.iter().filter(|request| request.method == "HEAD");
    let mut heads = heads.filter(|request| request.path.contains("/blobs/"));
    assert!(heads.next().is_none());
    assert_eq!(pair.registry.open_uploads(), 0);
}

#[test]
fn a_registry_that_refuses_is_left_as_it_was() {
    for (status, code) in [
        (401, "UNAUTHORIZED"),
        (403, "DENIED"),
        (405, "UNSUPPORTED"),
        (413, "TOO_LARGE"),
    ] {
        let pair = Pair::new();
        let before = pair.faults();
        pair.registry.on_uploads("POST").refuses(status, code);
        let refused = pair.apply().run().exits(1);
        assert_eq!(actions(&refused), pair.all(false), "{status}");
        says(&refused, pair.image.layer(0, 1), code);
        says(
            &refused,
            pair.image.child(0),
            "below it could not be put back",
        );
        assert_eq!(pair.registry.writes().len(), 1, "{status}");
        assert_eq!(pair.faults(), before, "{status}");
        pair.finishes();
    }
}

#[test]
fn manifests_that_are_refused_leave_blobs_that_are_taken() {
    for status in [401, 403, 405, 400] {
        let pair = Pair::new();
        pair.registry
            .on("PUT", pair.image.child(0))
            .refuses(status, "DENIED");
        let refused = pair.apply().run().exits(1);
        let mut expected = pair.all(false);
        expected[0].2 = true;
        assert_eq!(actions(&refused), expected, "{status}");
        says(&refused, pair.image.child(0), "DENIED");
        assert!(
            refused.stderr.contains("verified again") && refused.report().0["before"].is_object(),
            "{refused}"
        );
        pair.finishes();
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    let pair = Pair::new();
    pair.registry.on_uploads("POST").times(1).throttles("0");
    pair.registry.on_uploads("PUT").times(1).answers_status(500);
    pair.registry
        .on("PUT", pair.image.child(0))
        .times(2)
        .answers_status(503);
    pair.registry.server().closes_in_bodies(1, 10);
    let done = pair.apply().run().exits(0);
    assert_eq!(actions(&done), pair.all(true));
    assert_eq!(pair.registry.open_uploads(), 0);
}

#[test]
fn a_registry_that_fails_all_the_time_is_said_to() {
    let pair = Pair::new();
    let before = pair.faults();
    pair.registry.on_uploads("*").answers_status(500);
    let failed = pair.apply().arguments(["--attempts", "2"]).run().exits(1);
    assert_eq!(actions(&failed), pair.all(false));
    says(&failed, pair.image.layer(0, 1), "500");
    assert_eq!(pair.faults(), before);
    pair.finishes();
}

#[test]
fn a_registry_that_keeps_nothing_of_what_it_takes_is_found_out() {
    const WORDS: &str = "it was taken, and is as broken as before";
    let pair = Pair::new();
    pair.registry.serve(NAME, &pair.image);
    pair.registry.lose_in(REPOSITORY, pair.image.layer(0, 1));
    pair.registry.on_uploads("PUT").keeps_nothing();
    let taken = pair.apply().run().exits(1);
    assert_eq!(actions(&taken), pair.all(false)[..1]);
    says(&taken, pair.image.layer(0, 1), WORDS);
    pair.finishes();
    let pair = Pair::new();
    pair.registry.on("PUT", pair.image.child(0)).keeps_nothing();
    let taken = pair.apply().run().exits(1);
    let mut expected = pair.all(false);
    expected[0].2 = true;
    assert_eq!(actions(&taken), expected);
    says(&taken, pair.image.child(0), WORDS);
    pair.finishes();
}

#[test]
fn a_tag_that_is_not_kept_is_found_out() {
    let pair = Pair::new();
    pair.registry.lose_in(REPOSITORY, "1");
    pair.registry.on("PUT", "/manifests/1").keeps_nothing();
    let taken = pair.apply().run().exits(1);
    let last = actions(&taken).pop().unwrap();
    assert_eq!(last, act("tag", pair.image.root(), false));
    pair.finishes();
    assert!(pair.registry.tagged(REPOSITORY, "1").is_some());
}

#[test]
fn a_tag_that_was_pushed_meanwhile_is_left_alone() {
    let pair = Pair::new();
    pair.registry.lose_in(REPOSITORY, "1");
    let other = platforms(1).seed(7).make();
    // Whoever uploads last is slow, and another one pushes the tag.
    pair.registry
        .on("PUT", pair.image.child(0))
        .delays(Duration::from_secs(2));
    let running = pair.apply().start();
    until("the manifest is put", || {
        pair.registry.has(REPOSITORY, pair.image.child(0))
    });
    pair.registry.serve(NAME, &other);
    let done = running.wait().exits(8);
    says(&done, pair.image.root(), "pushed the tag meanwhile");
    let tagged = pair.registry.tagged(REPOSITORY, "1");
    assert_eq!(tagged.as_deref(), Some(other.root()));
}

#[test]
fn without_a_list_of_tags_no_tag_is_put_back() {
    let pair = Pair::new();
    pair.registry.lose_in(REPOSITORY, "1");
    pair.registry.on("GET", "/tags/list").answers_status(403);
    let done = pair.apply().run().exits(1);
    assert!(actions(&done).iter().all(|(action, ..)| action != "tag"));
    assert!(done.stderr.contains("could not be listed"), "{done}");
    assert_eq!(pair.registry.tagged(REPOSITORY, "1"), None);
}

#[test]
fn a_source_that_cannot_be_asked_leaves_open_what_it_has() {
    let closed = format!("127.0.0.1:{}", port::next());
    let pair = Pair::new();
    let before = pair.faults();
    let down = repair(&pair.registry.reference(NAME))
        .arguments(["--from", &closed, "--apply", "--attempts", "2"])
        .run()
        .exits(1);
    assert_eq!(
        actions(&down),
        [act("lost", pair.image.child(0), false)],
        "{down}"
    );
    says(
        &down,
        pair.image.child(0),
        "not known: a source could not be asked",
    );
    pair.mirror.guarded(refusal_of_all());
    let refused = pair.apply().run().exits(1);
    says(&refused, pair.image.child(0), "not known");
    assert!(refused.stderr.contains("could not be asked"), "{refused}");
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    assert_eq!(pair.faults(), before);
}

#[test]
fn other_bytes_than_those_that_are_missing_are_never_written() {
    let flipped = |reply: Reply| {
        let mut bytes = reply.body_bytes();
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
        reply.body(bytes)
    };
    let pair = Pair::new();
    pair.mirror
        .on("GET", pair.image.child(0))
        .alters(move |_, reply| flipped(reply));
    let wrong = pair.apply().run().exits(1);
    says(&wrong, pair.image.child(0), "found nowhere");
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    let pair = Pair::new();
    pair.mirror
        .on("GET", pair.image.layer(0, 1))
        .alters(move |_, reply| flipped(reply));
    let wrong = pair.apply().run().exits(1);
    assert_eq!(actions(&wrong), pair.all(false));
    says(&wrong, pair.image.layer(0, 1), "delivers something else");
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    pair.finishes();
}

#[test]
fn a_source_that_breaks_off_is_asked_again_and_then_given_up() {
    let pair = Pair::new();
    pair.mirror
        .on("GET", pair.image.layer(0, 1))
        .after(1)
        .breaks(Break::Reset, 10);
    let broken = pair.apply().arguments(["--attempts", "2"]).run().exits(1);
    assert_eq!(actions(&broken), pair.all(false));
    says(
        &broken,
        pair.image.layer(0, 1),
        "its source does not deliver it",
    );
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    pair.finishes();
}

#[test]
fn a_mirror_that_repeats_a_password_does_not_show_it() {
    let pair = Pair::new();
    let guard = basic("me", "correct-horse-7");
    let echo = Reply::error(403, "DENIED", "not with the password correct-horse-7");
    let refusal = move |request: &_| guard(request).or_else(|| Some(echo.clone().but_status(403)));
    pair.mirror.guarded(Box::new(refusal));
    let logins = format!(
        r#"{{"auths":{{"{}":{{"auth":"bWU6Y29ycmVjdC1ob3JzZS03"}}}}}}"#,
        pair.mirror.host()
    );
    for format in ["json", "text"] {
        let reference = pair.registry.reference(NAME);
        let refused = pullproof()
            .arguments([
                "repair",
                &reference,
                "--from",
                &pair.mirror.host(),
                "--apply",
            ])
            .arguments(["--settle", "0s", "--backoff", "10ms"])
            .arguments(["--format", format, "--log-level", "trace"])
            .file(".docker/config.json", &logins)
            .run()
            .exits(1);
        assert!(refused.stderr.contains("could not be asked"), "{refused}");
        let all = format!("{}{}", refused.stdout, refused.stderr);
        assert!(!all.contains("correct-horse-7"), "{refused}");
        assert!(!all.contains("bWU6Y29ycmVjdC1ob3JzZS03"), "{refused}");
    }
}

#[test]
fn a_blob_that_cannot_be_mounted_is_uploaded() {
    let registry = Registry::start();
    registry.writable();
    let image = registry.image(NAME, &platforms(1));
    registry.serve("other/copy:1", &image);
    registry.lose_in(REPOSITORY, image.layer(0, 0));
    registry
        .on_uploads("POST")
        .times(1)
        .asks_for(|request| request.query.clear(), |_, reply| reply);
    let from = registry.reference("other/copy");
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &from, "--apply"])
        .run()
        .exits(0);
    assert_eq!(actions(&done), [act("mount", image.layer(0, 0), true)]);
    let writes = registry.writes();
    assert!(
        writes.iter().any(|one| one.starts_with("PUT")),
        "{writes:?}"
    );
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn a_repository_that_nobody_named_is_no_source() {
    let registry = Registry::start();
    registry.writable();
    let image = registry.image(NAME, &platforms(1));
    registry.serve("other/copy:1", &image);
    registry.lose_in(REPOSITORY, image.layer(0, 0));
    // Nor is the registry itself: it would be its own source.
    let nowhere = repair(&registry.reference(NAME))
        .arguments(["--from", &registry.host(), "--apply"])
        .run()
        .exits(1);
    assert_eq!(actions(&nowhere), [act("lost", image.layer(0, 0), false)]);
    says(&nowhere, image.layer(0, 0), "found nowhere");
    let requests = registry.requests();
    assert!(requests.iter().all(|one| !one.path.contains("other/")));
    assert!(requests.iter().all(|one| !one.query.contains("other")));
    assert_eq!(registry.writes(), Vec::<String>::new());
}

#[test]
fn a_kill_in_the_middle_leaves_nothing_worse() {
    for at in ["layer", "manifest", "tag"] {
        let pair = Pair::new();
        pair.registry.lose_in(REPOSITORY, "1");
        let slow = Duration::from_secs(20);
        let (path, wanted) = match at {
            "layer" => ("/blobs/uploads/", "PUT /v2/team/app/blobs/uploads/"),
            "manifest" => (pair.image.child(0), "PUT /v2/team/app/manifests/sha256"),
            _ => ("/manifests/1", "PUT /v2/team/app/manifests/1"),
        };
        match at {
            "layer" => pair.registry.on_uploads("PUT").delays(slow),
            _ => pair.registry.on("PUT", path).delays(slow),
        }
        let temporary = Scratch::new("temporary");
        let folder = temporary.path().display().to_string();
        let running = pair.apply().variable("TMPDIR", &folder).start();
        until(at, || {
            let writes = pair.registry.writes();
            writes.iter().any(|one| one.starts_with(wanted))
        });
        running.signal("KILL");
        assert_eq!(running.wait().code, None);
        let left = std::fs::read_dir(temporary.path()).unwrap();
        assert_eq!(left.count(), 0, "{at}");
        let has = |digest| pair.registry.has(REPOSITORY, digest);
        assert!(!has(pair.image.child(0)) || has(pair.image.layer(0, 1)));
        pair.finishes();
    }
}

#[test]
fn a_signal_ends_a_repair_with_what_was_done() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let pair = Pair::new();
        pair.registry
            .on("PUT", pair.image.child(0))
            .breaks_anywhere(Break::Stall, 0);
        let running = pair.apply().start();
        until("the manifest is put", || {
            let writes = pair.registry.writes();
            writes.iter().any(|one| one.contains("/manifests/"))
        });
        running.signal(signal);
        let ended = running.wait().exits(code);
        assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
        let mut expected = pair.all(false);
        expected[0].2 = true;
        assert_eq!(actions(&ended), expected, "{signal}");
        says(&ended, pair.image.child(0), "the run ended before");
        pair.finishes();
    }
}

#[test]
fn a_signal_ends_the_search() {
    let pair = Pair::new();
    pair.mirror
        .on("GET", pair.image.child(0))
        .breaks_anywhere(Break::Stall, 0);
    let running = pair.apply().start();
    until("the mirror is asked", || {
        !pair.mirror.asked(pair.image.child(0)).is_empty()
    });
    running.signal("TERM");
    let ended = running.wait().exits(143);
    assert!(ended.took < Duration::from_secs(20), "{:?}", ended.took);
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    pair.finishes();
}

#[test]
fn two_at_once_do_no_harm() {
    let pair = Pair::new();
    let slow = Duration::from_millis(300);
    pair.registry.on_uploads("PUT").delays(slow);
    pair.registry.on("PUT", pair.image.child(0)).delays(slow);
    let running = [pair.apply().start(), pair.apply().start()];
    for run in running {
        run.wait().exits(0);
    }
    verify(&pair.registry.reference(NAME)).run().passes();
    assert_eq!(pair.registry.open_uploads(), 0);
}

#[test]
fn a_disk_is_of_one_registry() {
    let (one, other) = (Pair::new(), Pair::new());
    let storage = Scratch::new("storage");
    std::fs::create_dir_all(storage.path().join("docker/registry/v2/repositories")).unwrap();
    let refused = one
        .apply()
        .argument(other.registry.reference(NAME))
        .arguments(["--storage", &storage.path().display().to_string()])
        .run()
        .exits(2);
    assert!(
        refused.stderr.contains("the disk of one registry"),
        "{refused}"
    );
    assert_eq!(one.registry.writes(), Vec::<String>::new());
}

#[test]
fn a_plan_is_not_widened_by_another_tag_or_a_part_that_it_lacks() {
    let pair = Pair::new();
    let folder = Scratch::new("plan");
    let plan = folder.path().join("plan.json").display().to_string();
    pair.plan().arguments(["--plan", &plan]).run().exits(1);
    let mut text: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    // Somebody takes the layer out, and leaves the manifest above it.
    let items = text["plan"].as_array_mut().unwrap();
    items.retain(|item| item["action"] != "upload");
    std::fs::write(&plan, text.to_string()).unwrap();
    let done = pair.apply().arguments(["--plan", &plan]).run().exits(1);
    says(&done, pair.image.layer(0, 1), "not in the plan");
    says(&done, pair.image.child(0), "something below it is lost");
    assert_eq!(pair.registry.writes(), Vec::<String>::new());
    // A tag of the same digest that the plan does not have.
    let pair = Pair::new();
    for tag in ["1", "2"] {
        pair.mirror.serve(&format!("team/app:{tag}"), &pair.image);
    }
    pair.registry.lose_in(REPOSITORY, "1");
    pair.plan().arguments(["--plan", &plan]).run().exits(1);
    let done = pair
        .apply()
        .argument(pair.registry.reference("team/app:2"))
        .arguments(["--plan", &plan])
        .run()
        .exits(1);
    assert_eq!(pair.registry.tagged(REPOSITORY, "2"), None, "{done}");
    assert!(pair.registry.tagged(REPOSITORY, "1").is_some(), "{done}");
}

#[test]
fn what_is_lost_in_thousands_of_images_is_planned_in_a_moment() {
    const TAGS: usize = 2000;
    let registry = Registry::start();
    registry.writable();
    let mirror = Registry::start();
    let recipe = |seed| platforms(1).shared(1).layer_size(64).seed(seed);
    let mut list = String::new();
    for seed in 0..TAGS {
        let image = recipe(u64::try_from(seed).unwrap()).make();
        registry.serve(&format!("team/app:{seed}"), &image);
        mirror.serve(&format!("team/app:{seed}"), &image);
        registry.lose_in(REPOSITORY, image.child(0));
        list += &registry.reference(&format!("team/app:{seed}\n"));
    }
    let planned = pullproof()
        .arguments(["repair", "--images-file", "-", "--from", &mirror.host()])
        .arguments(["--settle", "0s", "--format", "json", "--depth", "head"])
        .arguments(["--backoff", "1ms", "--concurrency", "64"])
        .input(list)
        .run()
        .exits(1);
    assert_eq!(actions(&planned).len(), TAGS);
}

#[test]
fn indexes_that_list_one_another_many_times_are_planned_in_a_moment() {
    let (registry, mirror) = (Registry::start(), Registry::start());
    registry.writable();
    let mut image = Image::empty();
    let layer = image.blob(LAYER, "content");
    let mut inner = image.image_of(&[layer]).platform("linux/amd64");
    let mut indexes = Vec::new();
    for _ in 0..7 {
        inner = image.document(&index_of(&vec![inner; 40]));
        indexes.push(inner.digest().to_owned());
    }
    let image = image.begins_with(&inner);
    for registry in [&registry, &mirror] {
        registry.serve(NAME, &image);
    }
    for digest in &indexes {
        registry.lose_in(REPOSITORY, digest);
    }
    let done = repair(&registry.reference(NAME))
        .arguments(["--from", &mirror.host(), "--apply"])
        .run();
    let put: Vec<Act> = actions(&done);
    let expected: Vec<Act> = indexes.iter().map(|one| act("put", one, true)).collect();
    assert_eq!(put[..expected.len()], expected, "{done}");
}
