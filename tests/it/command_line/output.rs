//! What is printed, and where: `--report -`, `--quiet` and `--only-failures`.

use serde_json::Value;

use crate::support::command::{Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};

/// `good:1` is whole, `bad:1` lacks a layer.
fn registry() -> (Registry, Image) {
    let registry = Registry::start();
    registry.image("good:1", &single().seed(9));
    let bad = registry.image("bad:1", &platforms(1));
    registry.lose(bad.layer(0, 0));
    (registry, bad)
}

fn verify(registry: &Registry, images: &[&str]) -> Pullproof {
    pullproof()
        .argument("verify")
        .arguments(images.iter().map(|image| registry.reference(image)))
        .arguments(["--settle=0s", "--backoff=10ms"])
}

#[test]
fn a_report_for_standard_output_leaves_the_text_on_standard_error() {
    let (registry, bad) = registry();
    let finished = verify(&registry, &["good:1", "bad:1"])
        .arguments(["--report", "-"])
        .run()
        .exits(1);
    let report = finished.report();
    assert_eq!(report.verdict(bad.layer(0, 0)), "missing");
    let header = format!("pullproof {}, depth tail\n", env!("CARGO_PKG_VERSION"));
    assert!(finished.stderr.starts_with(&header), "{finished}");
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.starts_with("pullproof: FAILED: "), "{finished}");
    assert!(!finished.path().join("-").exists());
    // With JSON as the format there is one document, and no text.
    let json = verify(&registry, &["good:1"])
        .arguments(["--report=-", "--format=json"])
        .run();
    assert_eq!(json.stderr, "");
    json.passes();
}

#[test]
fn an_audit_and_wrong_settings_report_to_standard_output_as_well() {
    let (registry, _) = registry();
    let finished = pullproof()
        .arguments(["audit", &registry.host(), "--report=-", "--backoff=10ms"])
        .run()
        .exits(1);
    assert_eq!(finished.report().0["kind"], "audit");
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.starts_with("pullproof: FAILED: "), "{finished}");
    let refused = pullproof()
        .arguments(["verify", "App", "--report", "-"])
        .run()
        .exits(2);
    assert_eq!(refused.report().result(), "error");
    assert!(refused.stderr.starts_with("error: images: "), "{refused}");
}

#[test]
fn a_quiet_run_says_nothing_when_everything_passes() {
    let (registry, _) = registry();
    let finished = verify(&registry, &["good:1"])
        .argument("--quiet")
        .run()
        .exits(0);
    assert_eq!((&*finished.stdout, &*finished.stderr), ("", ""));
    let json = verify(&registry, &["good:1"])
        .arguments(["--quiet", "--report", "-"])
        .run();
    assert_eq!(json.stderr, "");
    json.passes();
    let audit = pullproof()
        .argument("audit")
        .arguments([registry.reference("good"), "--quiet".to_owned()])
        .run()
        .exits(0);
    assert_eq!((&*audit.stdout, &*audit.stderr), ("", ""));
}

#[test]
fn a_quiet_run_says_what_fails() {
    let (registry, bad) = registry();
    let quiet = verify(&registry, &["good:1", "bad:1"])
        .argument("--quiet")
        .run()
        .exits(1);
    assert!(!quiet.stdout.contains("depth tail"), "{quiet}");
    assert!(!quiet.stdout.contains("good:1"), "{quiet}");
    assert!(quiet.stdout.contains(bad.layer(0, 0)), "{quiet}");
    assert!(quiet.stdout.contains("\nhint"), "{quiet}");
    let last = quiet.stdout.lines().last().unwrap();
    assert!(last.starts_with("pullproof: FAILED: "), "{quiet}");
    let refused = pullproof()
        .arguments(["verify", "App", "--quiet"])
        .run()
        .exits(2);
    assert!(refused.stderr.contains("\nhint: "), "{refused}");
}

#[test]
fn images_that_pass_may_be_left_out_of_the_text_alone() {
    let (registry, _) = registry();
    let finished = verify(&registry, &["good:1", "bad:1"])
        .arguments(["--only-failures", "--report=report.json"])
        .run()
        .exits(1);
    let body = finished.stdout.split_once("\n\n").unwrap().1;
    assert!(
        body.contains("/bad:1: failed") && !body.contains("good:1"),
        "{finished}"
    );
    // They are counted all the same.
    assert!(
        body.contains("images         2: 1 passed, 1 failed"),
        "{finished}"
    );
    let images = finished.report_in("report.json").images().len();
    assert_eq!(images, 2);
    let all = verify(&registry, &["good:1", "bad:1"]).run().exits(1);
    assert!(all.stdout.contains("/good:1: passed"), "{all}");
    let refused = pullproof()
        .arguments([
            "audit",
            "r.example",
            "--only-failures",
            "--report=report.json",
        ])
        .run()
        .exits(2);
    let error: Value = refused.report_in("report.json").0;
    assert_eq!(
        error["error"],
        "--only-failures is a setting of verify; audit does not take it"
    );
}
