//! What is deployed: it comes first, it must be there, and a run may fail for it alone.

use serde_json::Value;

use super::audit;
use crate::support::command::{Finished, Pullproof, Report, pullproof};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::Image;
use crate::support::recipe::platforms;

fn serve(registry: &Registry, name: &str, seed: u64) -> Image {
    registry.image(name, &platforms(2).layers(1).seed(seed))
}

/// `app:1` and `zoo:1` are broken, `app:2` is whole; gives their digests in that order.
fn damaged() -> (Registry, [String; 3]) {
    let registry = Registry::start();
    let images = [("app:1", 1), ("zoo:1", 2), ("app:2", 3)];
    let images = images.map(|(name, seed)| serve(&registry, name, seed));
    registry.lose(images[0].child(1)).lose(images[1].child(1));
    (registry, images.map(|image| image.root().to_owned()))
}

/// An audit with this list of what is deployed; `HOST` in it is the registry.
fn audited(registry: &Registry, list: &str) -> Pullproof {
    let list = list.replace("HOST", &registry.host());
    audit(&registry.host())
        .file("deployed.txt", list)
        .arguments(["--in-use", "deployed.txt"])
}

fn image<'r>(report: &'r Report, reference: &str) -> &'r Value {
    let is_it = |image: &&Value| image["reference"].as_str().unwrap().ends_with(reference);
    let images = report.images();
    let found = images.into_iter().find(is_it);
    found.unwrap_or_else(|| panic!("{reference} is not in {:#}", report.0))
}

/// The first image of the repository `app`.
fn first_of_app(report: &Report) -> Value {
    let is_app = |image: &&Value| image["reference"].as_str().unwrap().contains("/app:");
    report.images().into_iter().find(is_app).unwrap().clone()
}

fn verdict(finished: &Finished) -> &str {
    finished.stdout.lines().last().unwrap()
}

#[test]
fn what_is_broken_and_in_use_comes_first_and_is_marked() {
    let (registry, _) = damaged();
    let host = registry.host();
    let finished = pullproof()
        .file("deployed.txt", format!("{host}/zoo:1 {host}/app:2\n"))
        .arguments(["audit", &host, "--backoff", "10ms", "--in-use"])
        .argument("deployed.txt")
        .run()
        .exits(1);
    let marked: Vec<&str> = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with('✗'))
        .collect();
    assert_eq!(
        marked,
        [
            "✗ zoo:1  in use  linux/arm64 manifest missing (404)",
            "✗ app:1          linux/arm64 manifest missing (404)",
        ],
        "{finished}"
    );
    assert_eq!(
        verdict(&finished),
        "pullproof: FAILED: 2 of 3 tags cannot be pulled, 1 of them in use (exit code 1)"
    );
}

#[test]
fn a_report_says_of_every_image_whether_it_is_in_use() {
    let (registry, _) = damaged();
    let finished = audited(&registry, "HOST/zoo:1 HOST/app:2").run().exits(1);
    let report = finished.report();
    for (reference, is_used) in [("zoo:1", true), ("app:2", true), ("app:1", false)] {
        assert_eq!(image(&report, reference)["in_use"], is_used, "{reference}");
    }
    // In its repository it stands before what is not in use.
    let report = audited(&registry, "HOST/app:2").run().exits(1).report();
    assert_eq!(first_of_app(&report)["tag"], "2");
    let without = audit(&registry.host()).run().exits(1).report();
    assert_eq!(image(&without, "zoo:1").get("in_use"), None);
}

#[test]
fn an_image_is_in_use_by_the_digest_that_runs() {
    let (registry, [broken, ..]) = damaged();
    let list = format!("docker-pullable://HOST/app@{broken}");
    let report = audited(&registry, &list).run().exits(1).report();
    assert_eq!(image(&report, "app:1")["in_use"], true);
    assert_eq!(image(&report, "app:2")["in_use"], false);
    assert_eq!(report.count("images"), 3);
    // It comes first, although another tag was listed before it.
    serve(&registry, "app:0", 4);
    let report = audited(&registry, &list).run().exits(1).report();
    assert_eq!(first_of_app(&report)["tag"], "1");
}

#[test]
fn one_platforms_digest_marks_the_image_that_lists_it() {
    let (registry, _) = damaged();
    let whole = serve(&registry, "multi:1", 9);
    let list = format!("HOST/multi@{}", whole.child(0));
    let report = audited(&registry, &list).run().exits(1).report();
    assert_eq!(image(&report, "multi:1")["in_use"], true);
    assert_eq!(report.count("images"), 4);
}

#[test]
fn what_is_in_use_and_not_in_the_registry_is_broken() {
    let registry = Registry::start();
    registry.lenient();
    serve(&registry, "app:1", 1);
    let other = format!("sha256:{}", "7".repeat(64));
    for (deployed, reference) in [
        ("HOST/app:gone".to_owned(), "app:gone".to_owned()),
        (format!("HOST/app@{other}"), format!("app@{other}")),
        // A repository that no catalog lists.
        ("HOST/lost:1".to_owned(), "lost:1".to_owned()),
    ] {
        let finished = audited(&registry, &deployed)
            .arguments(["--broken-list", "broken.txt", "--junit", "audit.xml"])
            .run()
            .exits(1);
        let report = finished.report();
        let image = image(&report, &reference);
        assert_eq!(image["result"], "failed", "{deployed}");
        assert_eq!(image["in_use"], true, "{deployed}");
        assert_eq!(report.count("images"), 2);
        let repositories = if reference == "lost:1" { 2 } else { 1 };
        assert_eq!(report.count("repositories"), repositories, "{deployed}");
        let name = reference.split_once(['@', ':']).unwrap().1;
        assert!(finished.read("broken.txt").contains(name), "{deployed}");
        assert!(finished.read("audit.xml").contains("in use"), "{deployed}");
    }
}

#[test]
fn a_digest_without_a_tag_that_is_in_use_is_walked() {
    let registry = Registry::start();
    serve(&registry, "app:1", 1);
    let old = platforms(2).layers(1).seed(5).make();
    registry.serve("app", &old);
    let list = format!("HOST/app@{}", old.root());
    let report = audited(&registry, &list).run().exits(0).report();
    assert_eq!(report.count("images"), 2);
    registry.lose(old.child(0));
    let report = audited(&registry, &list).run().exits(1).report();
    assert_eq!(report.verdict(old.child(0)), "missing");
}

#[test]
fn a_tag_that_is_listed_late_is_no_fault() {
    let registry = Registry::start();
    serve(&registry, "app:1", 1);
    serve(&registry, "app:2", 2);
    // Some listings drop names.
    let page = "{\"name\":\"app\",\"tags\":[\"1\"]}";
    registry
        .on("GET", "/v2/app/tags/list")
        .answers(Reply::ok("application/json", page));
    let report = audited(&registry, "HOST/app:2").run().exits(0).report();
    assert_eq!(report.count("images"), 2);
}

#[test]
fn only_what_the_audit_covers_is_asked_for() {
    let registry = Registry::start();
    registry.lenient();
    serve(&registry, "app:1", 1);
    let list = format!(
        "HOST/app:gone HOST/other:1 HOST/app@sha256:{}",
        "7".repeat(64)
    );
    let run = |flags: &[&str]| {
        let target = registry.reference("app");
        audit(&target)
            .file("deployed.txt", list.replace("HOST", &registry.host()))
            .arguments(["--in-use", "deployed.txt"])
            .arguments(flags.iter().copied())
            .run()
    };
    let report = run(&["--tags", "1"]).exits(0).report();
    assert_eq!(report.count("images"), 1);
    let report = run(&["--exclude", "app:gone"]).exits(1).report();
    assert_eq!(report.count("images"), 2);
}

#[test]
fn a_run_can_fail_for_what_is_in_use_alone() {
    let (registry, _) = damaged();
    let run = |list: &str, flags: &[&str]| {
        pullproof()
            .file("deployed.txt", list.replace("HOST", &registry.host()))
            .arguments(["audit", &registry.host(), "--backoff", "10ms"])
            .arguments(["--in-use", "deployed.txt", "--fail-on", "in_use"])
            .arguments(flags.iter().copied())
            .run()
    };
    let fine = run("HOST/app:2", &["--report", "audit.json"]).exits(0);
    assert_eq!(
        verdict(&fine),
        "pullproof: FAILED: 2 of 3 tags cannot be pulled, none of them in use (exit code 0 because \
         of `fail_on: in_use`)"
    );
    assert_eq!(fine.report_in("audit.json").result(), "failed");
    let broken = run("HOST/app:1", &[]).exits(1);
    assert!(verdict(&broken).ends_with("1 of them in use (exit code 1)"));
    // What cannot be looked at may be in use.
    registry.on("GET", "/v2/app/tags/list").answers_status(403);
    run("HOST/app:2", &[]).exits(3);
}

#[test]
fn a_list_comes_from_standard_input() {
    let (registry, _) = damaged();
    let finished = audit(&registry.host())
        .arguments(["--in-use", "-"])
        .input(registry.reference("app:1"))
        .run()
        .exits(1);
    assert_eq!(image(&finished.report(), "app:1")["in_use"], true);
}

#[test]
fn a_list_that_says_little_is_a_warning() {
    let (registry, _) = damaged();
    let id = format!("sha256:{}", "1".repeat(64));
    for (list, warning) in [
        (
            String::new(),
            "in_use: the list is empty, so nothing counts as deployed",
        ),
        (
            "other.example/app:1 nginx".to_owned(),
            "in_use: nothing in it is on 127.0.0.1:",
        ),
        (
            format!("HOST/app:2 {id}"),
            "in_use: 1 image ID without a repository, left out",
        ),
        (
            "HOST/app:2 <none> HOST/App:1".to_owned(),
            "in_use: 2 words are not references and are ignored; the first is \"<none>\"",
        ),
    ] {
        let finished = audited(&registry, &list).run().exits(1);
        assert!(finished.stderr.contains(warning), "{list}: {finished}");
    }
    let text = pullproof()
        .file("deployed.txt", "")
        .arguments(["audit", &registry.host(), "--backoff", "10ms"])
        .arguments(["--in-use", "deployed.txt"])
        .run()
        .exits(1);
    assert!(
        verdict(&text).contains("none of them known to be in use"),
        "{text}"
    );
}

#[test]
fn other_names_of_the_registry_count() {
    let (registry, _) = damaged();
    let finished = audited(&registry, "registry.kube-system.svc:5000/app:1")
        .arguments(["--in-use-host", "registry.kube-system.svc:5000"])
        .run()
        .exits(1);
    assert_eq!(image(&finished.report(), "app:1")["in_use"], true);
    assert!(!finished.stderr.contains("in_use:") || !finished.stderr.contains("nothing in it"));
}

#[test]
fn a_list_that_cannot_be_read_ends_the_run_before_anything_is_asked() {
    let (registry, _) = damaged();
    let run = |list: &str| {
        audit(&registry.host())
            .file("binary", b"\xff\xfe\x00a")
            .arguments(["--in-use", list])
            .run()
            .exits(2)
    };
    assert!(run("none.txt").stderr.contains("in_use: cannot read "));
    assert!(run("binary").stderr.contains("is not UTF-8 text"));
    let endless = run("/dev/zero").stderr;
    assert!(
        endless.contains("in_use: /dev/zero is longer than "),
        "{endless}"
    );
    assert!(registry.requests().is_empty());
}

#[test]
fn github_sees_what_is_in_use_first() {
    let (registry, _) = damaged();
    let finished = pullproof()
        .variable("GITHUB_ACTIONS", "true")
        .variable("INPUT_MODE", "audit")
        .variable("INPUT_REGISTRY", registry.host())
        .variable("INPUT_BACKOFF", "10ms")
        .variable("INPUT_IN_USE", "deployed.txt")
        .variable("GITHUB_STEP_SUMMARY", "summary.md")
        .file("deployed.txt", registry.reference("zoo:1"))
        .run()
        .exits(1);
    let summary = finished.read("summary.md");
    let rows: Vec<&str> = summary
        .lines()
        .filter(|line| line.starts_with("| ❌"))
        .collect();
    assert!(
        rows[0].contains("zoo") && rows[0].contains("in use"),
        "{summary}"
    );
    assert!(
        rows[1].contains("app") && !rows[1].contains("in use"),
        "{summary}"
    );
    let annotation = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("::error"));
    assert!(
        annotation.unwrap().contains("zoo%3A1::in use: "),
        "{finished}"
    );
}

#[test]
fn every_child_may_be_absent() {
    let registry = Registry::start();
    let image = serve(&registry, "app:1", 1);
    registry.lose(image.child(1));
    audit(&registry.host()).run().exits(1);
    let report = audit(&registry.host())
        .arguments(["--allow-missing", "all"])
        .run()
        .exits(0)
        .report();
    assert_eq!(report.verdict(image.child(1)), "skipped");
    crate::support::command::verify(&registry.reference("app:1"))
        .arguments(["--allow-missing", "all"])
        .run()
        .exits(0);
    registry.lose(image.layer(0, 0));
    audit(&registry.host())
        .arguments(["--allow-missing", "all"])
        .run()
        .exits(1);
}
