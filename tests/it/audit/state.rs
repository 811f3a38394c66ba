//! What a run remembers for the next one: what it asks for then, and what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::audit;
use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::Image;
use crate::support::recipe::{artifact, platforms, single};
use crate::support::scratch::Scratch;

/// An audit of all of a registry that remembers it in a directory. Nothing gets due.
fn remembering(registry: &Registry, state: &Scratch) -> Pullproof {
    due(registry, state, "")
}

/// The same where what is asked for by this setting is due at once.
fn due(registry: &Registry, state: &Scratch, tier: &str) -> Pullproof {
    let path = state.path().display().to_string();
    let run = audit(&registry.host()).arguments(["--state", &path]);
    TIERS.iter().fold(run, |run, name| {
        run.arguments([*name, if *name == tier { "0s" } else { "never" }])
    })
}

const TIERS: [&str; 4] = [MANIFESTS, BLOBS, TAIL, "--recheck-full"];
const MANIFESTS: &str = "--recheck-manifests";
const BLOBS: &str = "--recheck-blobs";
const TAIL: &str = "--recheck-tail";

/// What was asked in a run, in order: `HEAD /v2/app/manifests/1`.
fn asked_in(registry: &Registry, run: impl FnOnce() -> Finished) -> (Vec<String>, Finished) {
    let before = registry.requests().len();
    let finished = run();
    let requests = registry.requests();
    let mut asked: Vec<String> = requests[before..]
        .iter()
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    asked.sort();
    (asked, finished)
}

fn has(asked: &[String], method: &str, what: &str) -> usize {
    let is_it = |line: &&String| line.starts_with(&format!("{method} ")) && line.ends_with(what);
    asked.iter().filter(is_it).count()
}

/// What was asked beside lists and tags.
fn digests(asked: &[String]) -> Vec<&String> {
    asked
        .iter()
        .filter(|line| line.contains("sha256:"))
        .collect()
}

fn registry() -> (Registry, Image, Image) {
    let registry = Registry::start();
    let one = registry.image("team/app:1", &platforms(2).attested().shared(1).seed(1));
    let two = registry.image("team/app:2", &platforms(2).attested().shared(1).seed(2));
    registry.serve("team/app:latest", &two);
    registry.image("infra/ci:1", &single().seed(3));
    (registry, one, two)
}

fn folder(registry: &Registry, state: &Scratch) -> PathBuf {
    state.path().join(registry.host())
}

#[test]
fn a_second_run_sends_lists_and_one_head_for_each_tag() {
    let (registry, ..) = registry();
    let chart = artifact("application/vnd.cncf.helm.chart.v1", &[b"chart"]);
    registry.serve("team/chart:1", &chart);
    let state = Scratch::new("state");
    for depth in ["head", "tail", "full", "manifests"] {
        let run = || {
            remembering(&registry, &state)
                .arguments(["--depth", depth])
                .run()
        };
        run().exits(0);
        let (asked, finished) = asked_in(&registry, || run().exits(0));
        assert_eq!(
            asked,
            [
                "GET /v2/_catalog",
                "GET /v2/infra/ci/tags/list",
                "GET /v2/team/app/tags/list",
                "GET /v2/team/chart/tags/list",
                "HEAD /v2/infra/ci/manifests/1",
                "HEAD /v2/team/app/manifests/1",
                "HEAD /v2/team/app/manifests/2",
                "HEAD /v2/team/app/manifests/latest",
                "HEAD /v2/team/chart/manifests/1",
            ],
            "at {depth}"
        );
        let report = finished.report();
        assert_eq!((report.count("images"), report.count("requests")), (5, 9));
    }
}

#[test]
fn manifests_alone_are_asked_for_at_the_least_depth() {
    let (registry, one, _) = registry();
    registry.lose(one.layer(0, 0)).lose(one.config(1));
    let run = |depth: &str| audit(&registry.host()).arguments(["--depth", depth]).run();
    let (asked, _) = asked_in(&registry, || run("manifests").exits(0));
    assert!(
        !asked.iter().any(|line| line.contains("/blobs/")),
        "{asked:#?}"
    );
    run("head").exits(1);
    registry.lose(one.child(0));
    run("manifests").exits(1);
}

#[test]
fn what_is_new_or_has_moved_is_walked_whole() {
    let (registry, one, two) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    // Another image under a tag, one more tag for an image that is known, and a new one.
    let moved = registry.image("team/app:1", &platforms(2).seed(4));
    registry.serve("team/app:3", &two);
    let new = registry.image("infra/ci:2", &single().seed(5));
    let (asked, finished) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    for digest in moved.reachable().iter().chain(&new.reachable()) {
        assert_eq!(has(&asked, "GET", digest), 1, "{digest}: {asked:#?}");
    }
    for digest in two.reachable() {
        let times = has(&asked, "GET", &digest) + has(&asked, "HEAD", &digest);
        assert_eq!(times, 1, "{digest}: {asked:#?}");
    }
    assert_eq!(has(&asked, "GET", one.child(0)), 0);
    let report = finished.report();
    let remembered = &report.0["remembered"];
    let changes = ["tags", "new", "moved"].map(|name| remembered[name].as_u64().unwrap());
    assert_eq!(changes, [4, 2, 1]);
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(digests(&asked), Vec::<&String>::new());
}

#[test]
fn a_loss_in_a_tag_that_moved_is_found_at_once() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let moved = registry.image("team/app:1", &platforms(2).seed(4));
    registry.lose(moved.layer(1, 0));
    let finished = remembering(&registry, &state).run().exits(1);
    assert_eq!(finished.report().verdict(moved.layer(1, 0)), "missing");
    // Its push might not have been over.
    assert!(
        finished.took >= Duration::from_secs(15),
        "{:?}",
        finished.took
    );
}

#[test]
fn a_push_that_ends_meanwhile_is_no_fault() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let pushed = registry.image("team/app:9", &platforms(2).seed(9));
    // It is looked at twice with its repository, and twice with all of that.
    registry.on("*", pushed.child(1)).times(4).loses();
    let report = remembering(&registry, &state).run().exits(0).report();
    assert_eq!(report.count("broken"), 0);
}

#[test]
fn what_is_due_is_asked_for_as_deep_as_it_is_due() {
    let (registry, one, _) = registry();
    for (tier, manifest, layer) in [
        (MANIFESTS, "HEAD", ""),
        (BLOBS, "", "HEAD"),
        (TAIL, "GET", "GET"),
        ("--recheck-full", "GET", "GET"),
    ] {
        let state = Scratch::new("state");
        remembering(&registry, &state).run().exits(0);
        let run = || due(&registry, &state, tier).run();
        let (asked, _) = asked_in(&registry, || run().exits(0));
        for (digest, expected) in [
            (one.root(), manifest),
            (one.child(0), manifest),
            (one.attestation(0), manifest),
            (one.layer(0, 1), layer),
            (one.config(0), layer),
        ] {
            for method in ["GET", "HEAD"] {
                let times = usize::from(method == expected);
                assert_eq!(
                    has(&asked, method, digest),
                    times,
                    "{tier} {method} {digest}"
                );
            }
        }
        let conditional = registry.requests();
        let mut conditional = conditional
            .iter()
            .filter(|it| it.header("If-None-Match").is_some());
        assert!(conditional.next().is_none());
    }
}

#[test]
fn a_head_that_says_something_else_is_followed_by_a_get() {
    let (registry, one, _) = registry();
    let other = format!("sha256:{}", "0".repeat(64));
    let path = format!("/manifests/{}", one.child(0));
    let due = |change: &dyn Fn()| {
        let state = Scratch::new("state");
        remembering(&registry, &state).run().exits(0);
        change();
        let run = || due(&registry, &state, MANIFESTS).run().exits(0);
        let (asked, _) = asked_in(&registry, run);
        registry.forget_rules();
        has(&asked, "GET", one.child(0))
    };
    assert_eq!(due(&|| ()), 0);
    for (name, value) in [
        ("Content-Length", "7"),
        ("Content-Type", "text/plain"),
        ("Docker-Content-Digest", &*other),
    ] {
        let (name, value) = (name.to_owned(), value.to_owned());
        let change = || {
            let (name, value) = (name.clone(), value.clone());
            let head = registry.on("HEAD", &path);
            head.alters(move |_, reply| reply.but_header(&name, value.clone()));
        };
        assert_eq!(due(&change), 1, "{name}");
    }
    for status in [404, 405, 403] {
        let change = || registry.on("HEAD", &path).answers_status(status);
        assert_eq!(due(&change), 1, "{status}");
    }
}

#[test]
fn what_a_stranger_says_of_a_known_fault_is_not_believed() {
    let (registry, one, two) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    registry.lose(one.child(0));
    due(&registry, &state, MANIFESTS).run().exits(1);
    // Tags are answered, and digests by an ingress. What is remembered is no witness for it.
    for digest in one.reachable().into_iter().chain(two.reachable()) {
        let page = Reply::ok("text/html", "<html>not here</html>").but_status(404);
        registry.on("*", &digest).answers(page);
    }
    let report = remembering(&registry, &state).run().exits(4).report();
    assert_eq!(report.count("broken"), 0);
}

#[test]
fn what_lost_its_last_byte_is_found_when_that_is_due() {
    let (registry, one, _) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let path = format!("/blobs/{}", one.layer(0, 1));
    registry.on("GET", &path).empties();
    let run = |tier: &str| due(&registry, &state, tier).run();
    run(MANIFESTS).exits(0);
    run(BLOBS).exits(0);
    let fault = run(TAIL).exits(1).report();
    assert_eq!(fault.faults().len(), 1);
    // A fault is asked for as deep as it was found, in each run.
    run(MANIFESTS).exits(1);
}

#[test]
fn the_first_fault_of_a_repository_has_all_of_it_asked_for() {
    let (registry, one, two) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    // Only the manifest is due; the layer would not have been.
    registry.lose(one.child(0)).lose(two.layer(1, 1));
    let report = due(&registry, &state, MANIFESTS).run().exits(1).report();
    assert_eq!(report.verdict(one.child(0)), "missing");
    assert_eq!(report.verdict(two.layer(1, 1)), "missing");
    let images = report.images();
    let of = |tag: &str| images.iter().find(|image| image["tag"] == tag).unwrap()["result"].clone();
    assert_eq!(images.len(), 4);
    let other = images
        .iter()
        .filter(|image| image["result"] == "passed")
        .count();
    assert_eq!((of("latest"), other), ("failed".into(), 1));
}

#[test]
fn a_fault_is_asked_for_in_every_run_and_nothing_else() {
    let (registry, one, two) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let lost = [one.child(0), two.layer(1, 1)];
    registry.lose(lost[0]).lose(lost[1]);
    due(&registry, &state, MANIFESTS).run().exits(1);
    let (asked, finished) = asked_in(&registry, || remembering(&registry, &state).run().exits(1));
    let report = finished.report();
    for digest in lost {
        assert_eq!(
            has(&asked, "GET", digest),
            2,
            "twice before it counts: {asked:#?}"
        );
        assert_eq!(report.verdict(digest), "missing");
    }
    assert_eq!(digests(&asked).len(), 4, "{asked:#?}");
    // It is there again.
    registry.find(lost[0]).find(lost[1]);
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    // What is below the manifest was not proven since.
    assert_eq!(has(&asked, "GET", lost[0]), 1, "{asked:#?}");
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(digests(&asked), Vec::<&String>::new());
}

#[test]
fn a_registry_whose_storage_is_down_stays_undecided() {
    let (registry, one, two) = registry();
    registry.lenient();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    // One blob is lost behind its record: it alone fails.
    let lost = format!("/blobs/{}", one.layer(0, 0));
    registry.on("*", &lost).answers_status(500);
    let run = |tier: &str| due(&registry, &state, tier).arguments(["--attempts", "1"]);
    run(BLOBS).run().exits(1);
    // Now no blob is answered. That one is asked for because it failed before; no other is due.
    for image in [&one, &two] {
        for (digest, _) in image.contents().filter(|(_, content)| !content.manifest) {
            let path = format!("/blobs/{digest}");
            registry.on("*", &path).answers_status(500);
        }
    }
    for _ in 0..2 {
        let report = run("").run().exits(4).report();
        assert_eq!(report.count("broken"), 0);
    }
    registry.forget_rules();
    remembering(&registry, &state).run().exits(0);
}

#[test]
fn a_tag_that_is_not_listed_is_asked_for() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let list = |tags: &str| {
        let body = format!("{{\"name\":\"team/app\",\"tags\":[{tags}]}}");
        registry.mount("/v2/team/app/tags/list", move |_| {
            Reply::ok("application/json", body.clone())
        });
    };
    list("\"1\",\"latest\"");
    let finished = remembering(&registry, &state).run().exits(0);
    let report = finished.report();
    let images = report.images();
    let two = images.iter().find(|image| image["tag"] == "2").unwrap();
    assert_eq!(two["findings"][0]["kind"], "not_listed", "{two}");
    assert!(
        finished.stderr.contains("does not list 1 tag that it has"),
        "{}",
        finished.stderr
    );
    // It is really gone.
    registry.lose("2");
    let report = remembering(&registry, &state).run().exits(0).report();
    assert_eq!(report.count("images"), 3);
    registry.find("2");
    let report = remembering(&registry, &state).run().exits(0).report();
    assert_eq!(report.count("images"), 3, "it is forgotten");
}

#[test]
fn a_repository_that_is_not_listed_is_asked_for() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    registry.mount("/v2/_catalog", |_| {
        Reply::ok("application/json", "{\"repositories\":[\"team/app\"]}")
    });
    let report = remembering(&registry, &state).run().exits(0).report();
    assert_eq!(report.count("images"), 4);
    let images = report.images();
    let ci = images
        .iter()
        .find(|it| it["reference"].as_str().unwrap().contains("infra/ci"));
    assert_eq!(ci.unwrap()["findings"][0]["kind"], "not_listed");
    // It is gone, and forgotten.
    registry.lenient();
    registry.drop_repository("infra/ci");
    let report = remembering(&registry, &state).run().exits(0).report();
    assert_eq!(report.count("images"), 3);
    assert!(!folder(&registry, &state).join("infra").exists());
    assert!(folder(&registry, &state).join("team/app/@state").exists());
}

#[test]
fn what_is_in_use_goes_together_with_a_state() {
    let (registry, one, _) = registry();
    let state = Scratch::new("state");
    let running = format!(
        "{} {}\n",
        registry.reference(&format!("team/app@{}", one.root())),
        registry.reference("team/app:2")
    );
    let run = || {
        let run = remembering(&registry, &state).file("running", &running);
        run.arguments(["--in-use", "running"]).run()
    };
    run().exits(0);
    // The tag moves on; what runs is a digest without a tag now.
    registry.image("team/app:1", &platforms(2).seed(4));
    for new in [0, 0] {
        let report = run().exits(0).report();
        assert_eq!(report.0["remembered"]["tags"], 4);
        assert_eq!(report.0["remembered"]["new"], new);
    }
    let (asked, _) = asked_in(&registry, || run().exits(0));
    let asked = digests(&asked);
    assert!(
        asked.iter().all(|line| line.ends_with(one.root())),
        "{asked:#?}"
    );
    registry.lose(one.child(0));
    let due = due(&registry, &state, MANIFESTS).file("running", &running);
    due.arguments(["--in-use", "running"]).run().exits(1);
}

#[test]
fn the_text_says_what_is_remembered_and_how_old_it_is() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    registry.image("infra/ci:2", &single().seed(5));
    let path = state.path().display().to_string();
    std::thread::sleep(Duration::from_millis(1100));
    let run = pullproof().arguments(["audit", &registry.host(), "--state", &path]);
    let finished = run
        .arguments(["--metrics-file", "page.prom"])
        .run()
        .exits(0);
    let text = &finished.stdout;
    let first = text.lines().next().unwrap();
    assert!(
        first.ends_with("at depth tail; 4 tags remembered"),
        "{text}"
    );
    assert!(
        text.contains("2 repositories, 5 tags (1 new): 5 ok; "),
        "{text}"
    );
    assert!(
        text.contains("; oldest check ") && text.contains(" s ago\n"),
        "{text}"
    );
    // The metrics have it as a time.
    let page = finished.read("page.prom");
    let seconds = |name: &str| {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name}{{")));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value
            .unwrap_or_else(|| panic!("{page}"))
            .parse::<u64>()
            .unwrap()
    };
    let oldest = seconds("pullproof_audit_oldest_check_timestamp_seconds");
    let run = seconds("pullproof_audit_last_run_timestamp_seconds");
    assert!((1..60).contains(&(run - oldest)), "{oldest} {run}");
}

#[test]
fn a_state_of_garbage_costs_a_warning_and_a_full_run() {
    let (registry, one, _) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let file = folder(&registry, &state).join("team/app/@state");
    let good = std::fs::read(&file).unwrap();
    let other = [b"pullproof state 2\n", &good[18..]].concat();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for (bytes, words) in [
        (b"garbage".to_vec(), "is damaged"),
        (Vec::new(), "is damaged"),
        (flipped, "is damaged"),
        (good[..good.len() - 1].to_vec(), "is damaged"),
        (other, "is of another version for 1 repository"),
    ] {
        std::fs::write(&file, &bytes).unwrap();
        let (asked, finished) =
            asked_in(&registry, || remembering(&registry, &state).run().exits(0));
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
        assert_eq!(has(&asked, "GET", one.layer(0, 0)), 1);
        assert_eq!(finished.report().count("images"), 4);
        let finished = remembering(&registry, &state).run().exits(0);
        assert!(!finished.stderr.contains("state"), "{}", finished.stderr);
    }
    // Documents that are not what they were are fetched again.
    std::fs::write(file.with_file_name("@documents.0"), "garbage").unwrap();
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(has(&asked, "GET", one.child(0)), 1);
    assert_eq!(has(&asked, "GET", one.layer(0, 0)), 0);
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(digests(&asked), Vec::<&String>::new());
}

#[test]
fn a_locked_state_is_read_and_not_written() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    remembering(&registry, &state).run().exits(0);
    let folder = folder(&registry, &state);
    let lock = std::fs::File::open(folder.join("@lock")).unwrap();
    lock.lock().unwrap();
    let new = registry.image("infra/ci:2", &single().seed(5));
    for _ in 0..2 {
        let (asked, finished) =
            asked_in(&registry, || remembering(&registry, &state).run().exits(0));
        assert!(
            finished.stderr.contains("is read and not written"),
            "{}",
            finished.stderr
        );
        assert_eq!(digests(&asked).len(), new.reachable().len(), "{asked:#?}");
    }
    drop(lock);
    remembering(&registry, &state).run().exits(0);
    let (asked, finished) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert!(!finished.stderr.contains("state"), "{}", finished.stderr);
    assert_eq!(digests(&asked), Vec::<&String>::new());
}

#[test]
fn a_run_that_is_killed_leaves_what_it_had_written() {
    let (registry, one, _) = registry();
    let state = Scratch::new("state");
    // The last repository never ends.
    registry.image("zoo:1", &single().seed(6));
    registry
        .on("GET", "/v2/zoo/tags/list")
        .times(1)
        .delays(Duration::from_secs(30));
    let folder = folder(&registry, &state);
    let running = remembering(&registry, &state).start();
    let written = ["team/app", "infra/ci"].map(|name| folder.join(name).join("@state"));
    let began = std::time::Instant::now();
    while !written.iter().all(|path| path.exists()) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "nothing is written"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    running.signal("KILL");
    running.wait();
    // So it looks where it is killed while it writes.
    std::fs::write(written[0].with_file_name("@state.new"), "half").unwrap();
    let documents = written[0].with_file_name("@documents.0");
    append(&documents, b"half a manifest");
    let (asked, finished) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(finished.report().count("images"), 5);
    assert!(!finished.stderr.contains("damaged"), "{}", finished.stderr);
    assert_eq!(has(&asked, "GET", one.child(0)), 0, "{asked:#?}");
    assert_eq!(has(&asked, "GET", "/v2/zoo/manifests/1"), 1);
    // What is added to the documents afterwards is found again.
    registry.image("team/app:9", &single().seed(9));
    remembering(&registry, &state).run().exits(0);
    let (asked, _) = asked_in(&registry, || remembering(&registry, &state).run().exits(0));
    assert_eq!(digests(&asked), Vec::<&String>::new());
}

fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().append(true).open(path);
    file.unwrap().write_all(bytes).unwrap();
}

#[test]
fn each_part_of_a_registry_has_a_state_of_its_own() {
    let (registry, ..) = registry();
    let state = Scratch::new("state");
    for part in ["1/2", "2/2"] {
        let run = || remembering(&registry, &state).arguments(["--shard", part, "--allow-empty"]);
        run().run().exits(0);
        let (asked, _) = asked_in(&registry, || run().run().exits(0));
        assert_eq!(digests(&asked), Vec::<&String>::new());
        let name = format!("{}@{}", registry.host(), part.replace('/', "-of-"));
        assert!(state.path().join(name).join("@lock").exists());
    }
    assert!(!folder(&registry, &state).exists());
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_of_the_settings() {
    let (registry, ..) = registry();
    let finished = audit(&registry.host())
        .file("taken", "a file")
        .arguments(["--state", "taken"])
        .run()
        .exits(2);
    assert!(
        finished
            .report()
            .error()
            .starts_with("state: cannot be used: ")
    );
    assert!(registry.requests().is_empty());
}
