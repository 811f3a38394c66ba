//! What an audit writes.

use super::audit;
use crate::support::command::pullproof;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::recipe::{platforms, single};

/// Two repositories, one of them with a broken tag; gives the lost digest.
fn damaged() -> (Registry, String) {
    let registry = Registry::start();
    registry.image("team/app:1.4", &single());
    let broken = registry.image("infra/ci:latest", &platforms(2).seed(7));
    let lost = broken.child(0).to_owned();
    registry.lose(&lost);
    (registry, lost)
}

#[test]
fn the_text_names_what_is_broken_and_ends_with_the_verdict() {
    let (registry, lost) = damaged();
    let finished = pullproof()
        .arguments(["audit", &registry.host(), "--backoff", "10ms"])
        .run()
        .exits(1);
    let text = &finished.stdout;
    let head = format!("auditing {} at depth tail", registry.host());
    assert!(text.lines().next().unwrap().ends_with(&head), "{text}");
    assert!(
        text.contains("✗ infra/ci:latest  linux/amd64 manifest missing (404)"),
        "{text}"
    );
    assert!(
        text.contains(&format!("    manifest {lost} missing")),
        "{text}"
    );
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for row in [
        vec!["repository", "tags", "broken"],
        vec!["infra/ci", "1", "1"],
        vec!["1", "other", "1", "0"],
    ] {
        assert!(rows.contains(&row), "{row:?}: {text}");
    }
    assert!(
        text.contains("2 repositories, 2 tags: 1 ok, 1 broken; "),
        "{text}"
    );
    assert_eq!(
        text.lines().last().unwrap(),
        "pullproof: FAILED: 1 of 2 tags cannot be pulled (exit code 1)"
    );
}

#[test]
fn the_table_has_every_repository_at_debug() {
    let (registry, _) = damaged();
    let table = |level: &str| {
        let finished = pullproof()
            .arguments(["audit", &registry.host(), "--backoff", "10ms"])
            .arguments(["--log-level", level])
            .run();
        let is_row = |line: &&str| line.starts_with("team/app") || line.starts_with("1 other");
        let rows = finished.stdout.lines().filter(is_row);
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(table("info"), ["1 other 1 0"]);
    assert_eq!(table("debug"), ["team/app 1 0"]);
}

#[test]
fn files_get_everything() {
    let (registry, lost) = damaged();
    let finished = audit(&registry.host())
        .arguments(["--report", "out/audit.json", "--junit", "audit.xml"])
        .arguments(["--broken-list", "broken.txt"])
        .run()
        .exits(1);
    assert_eq!(finished.read("out/audit.json"), finished.stdout);
    let report = finished.report();
    assert_eq!(report.0["kind"], "audit");
    // Only what is not ok is there.
    let nodes = report.nodes();
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    assert_eq!(nodes[0]["digest"], lost);
    let broken = finished.read("broken.txt");
    let line: Vec<&str> = broken.trim_end().split(' ').collect();
    assert_eq!(line[..2], [registry.reference("infra/ci"), "latest".into()]);
    assert!(line[2].starts_with("sha256:"));
    let junit = finished.read("audit.xml");
    assert!(
        junit.contains("failures=\"1\"") && junit.contains("name=\"latest\""),
        "{junit}"
    );
    assert!(junit.contains(&lost));
}

#[test]
fn a_file_that_cannot_be_written_ends_the_run_before_anything_is_asked() {
    let (registry, _) = damaged();
    for flag in ["--report", "--junit", "--broken-list"] {
        let finished = audit(&registry.host())
            .arguments([flag, "/proc/none/x"])
            .run()
            .exits(2);
        assert!(
            finished.stderr.contains("cannot write /proc/none/x"),
            "{finished}"
        );
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn fail_on_never_only_reports() {
    let (registry, _) = damaged();
    let finished = audit(&registry.host())
        .arguments(["--fail-on", "never"])
        .run()
        .exits(0);
    assert_eq!(finished.report().result(), "failed");
}

#[test]
fn github_gets_annotations_a_summary_and_outputs() {
    let (registry, lost) = damaged();
    let finished = pullproof()
        .variable("GITHUB_ACTIONS", "true")
        .variable("INPUT_MODE", "audit")
        .variable("INPUT_REGISTRY", registry.host())
        .variable("INPUT_BACKOFF", "10ms")
        .variable("GITHUB_OUTPUT", "outputs")
        .variable("GITHUB_STEP_SUMMARY", "summary.md")
        .run()
        .exits(1);
    assert!(
        finished
            .stdout
            .contains("::error title=infra/ci%3Alatest::linux/amd64 manifest")
    );
    let annotation = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("::error"));
    assert!(
        annotation
            .unwrap()
            .contains("%0Ahint: some manifests that the index lists answer 404"),
        "{finished}"
    );
    let summary = finished.read("summary.md");
    assert!(
        summary.contains("| ❌ | infra/ci&#58;latest |  | linux/amd64 manifest missing"),
        "{summary}"
    );
    let outputs = finished.read("outputs");
    assert!(
        outputs.contains("\nfailed\n") && outputs.contains("infra/ci:latest"),
        "{outputs}"
    );
    assert!(finished.stdout.contains(&lost));
}

#[test]
fn a_signal_ends_it_with_what_was_found() {
    let (registry, _) = damaged();
    registry
        .on("*", "/v2/team/app/manifests/1.4")
        .delays(std::time::Duration::from_secs(30));
    let running = audit(&registry.host())
        .arguments(["--report", "audit.json"])
        .start();
    while registry.asked("/v2/team/app/manifests/1.4").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    running.signal("TERM");
    let finished = running.wait().exits(143);
    assert_eq!(finished.report_in("audit.json").0["exit_code"], 143);
}

#[test]
fn a_registry_that_repeats_the_login_is_not_quoted() {
    const WORD: &str = "open-sesame-0123";
    for path in ["/v2/_catalog", "/v2/infra/ci/tags/list"] {
        for status in [403, 500] {
            let (registry, _) = damaged();
            registry.mount(path, move |_| {
                Reply::error(status, "DENIED", &format!("{WORD} is wrong"))
            });
            let finished = audit(&registry.host())
                .arguments(["--username", "ci", "--password", WORD, "--attempts", "2"])
                .arguments(["--log-level", "trace", "--junit", "audit.xml"])
                .run();
            assert!(finished.stdout.contains("is wrong"), "{finished}");
            let junit = finished.read("audit.xml");
            for text in [&finished.stdout, &finished.stderr, &junit] {
                assert!(!text.contains(WORD), "{finished}");
            }
        }
    }
}
