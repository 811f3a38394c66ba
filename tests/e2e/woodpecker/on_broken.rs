//! The whole loop: a broken image in the real registry, a rebuild by the real server that pushes it
//! again, verified.

use serde_json::json;

use super::server::{Woodpecker, workflow};
use crate::support::command::{Pullproof, Report, binary, pullproof};
use crate::support::distribution::{Distribution, write_layout};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// A registry whose garbage collector took what `app:1` consists of, and a pipeline that can push
/// it again.
struct Bakery {
    registry: Distribution,
    image: Image,
    /// The command that pushes it again.
    push: String,
    woodpecker: Woodpecker,
    _layout: Scratch,
}

impl Bakery {
    fn with_a_broken_image() -> Self {
        let mut registry = Distribution::open();
        let image = platforms(2).make();
        registry.push_by_skopeo("app:1", &image);
        let layout = Scratch::new("layout");
        write_layout(&layout, &image);
        let source = format!("oci:{}:pushed", layout.path().display());
        let target = format!("docker://{}", registry.reference("app:1"));
        registry.stop().garbage_collect_untagged().start();
        let woodpecker = Woodpecker::start();
        let copy = "skopeo --insecure-policy copy --all --preserve-digests --quiet --dest-tls-verify=false";
        let push = format!("{copy} {source} {target}");
        let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
        woodpecker
            .forge
            .workflow("rebuild", &workflow(&when, &push));
        Self {
            registry,
            image,
            push,
            woodpecker,
            _layout: layout,
        }
    }

    /// Replaces the pipeline that fixes the image.
    fn whose_rebuild(self, command: &str) -> Self {
        let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
        self.woodpecker
            .forge
            .workflow("rebuild", &workflow(&when, command));
        self
    }

    fn verify(&self) -> Pullproof {
        pullproof()
            .arguments([
                "verify",
                &self.registry.reference("app:1"),
                "--settle",
                "0s",
                "--backoff",
                "10ms",
            ])
            .arguments(["--report", "report.json", "--on-broken", "rebuild"])
            .arguments([
                "--woodpecker-url",
                &self.woodpecker.url,
                "--woodpecker-repo",
                "infra/image",
            ])
            .arguments([
                "--variables",
                "REBUILD=app",
                "--workflow",
                "rebuild",
                "--poll-interval",
                "100ms",
            ])
            .variable("PLUGIN_WOODPECKER_TOKEN", &self.woodpecker.token)
    }
}

#[test]
fn a_broken_image_is_rebuilt_once_and_verified_again() {
    let bakery = Bakery::with_a_broken_image();
    let finished = bakery.verify().run().exits(0);
    let report = finished.report_in("report.json");
    assert_eq!(report.result(), "passed");
    assert_eq!(report.verdict(bakery.image.child(0)), "ok");
    let link = format!("{}/repos/1/pipeline/1", bakery.woodpecker.url);
    assert_eq!(
        report.0["pipeline"],
        json!({"number": 1, "url": link, "status": "success"}),
        "{:#}",
        report.0
    );
    let before = Report(report.0["before"].clone());
    assert_eq!(
        (before.result(), before.verdict(bakery.image.child(0))),
        ("failed", "missing"),
        "{:#}",
        report.0
    );
    let said = [
        "before the rebuild:",
        "before the rebuild: FAILED: app:1 cannot be pulled: 2 manifests are missing\n",
        &format!("pipeline 1: success, {link}\n"),
        "app:1: passed\n",
    ];
    let out = &finished.stdout;
    let places = said.map(|words| {
        out.find(words)
            .unwrap_or_else(|| panic!("{words:?} is not said: {finished}"))
    });
    assert!(
        places.is_sorted()
            && out
                .lines()
                .last()
                .unwrap()
                .starts_with("pullproof: PASSED: 1 image"),
        "{finished}"
    );
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
    bakery.verify().run().exits(0);
    assert_eq!(
        bakery.woodpecker.pipelines(),
        [1],
        "a whole image needs no rebuild"
    );
}

#[test]
fn a_token_that_the_server_does_not_accept_shows_while_the_image_is_whole() {
    let bakery = Bakery::with_a_broken_image();
    bakery.verify().run().exits(0);
    let whole = bakery.verify().run().exits(0);
    assert_eq!(whole.stderr, "", "{whole}");
    let refused = bakery.verify().variable("PLUGIN_WOODPECKER_TOKEN", "wrong");
    let refused = refused.run().exits(0);
    let warning = format!(
        "warning: `on_broken: rebuild` would start nothing now: failed to try woodpecker_token: \
         {} does not accept the token (401)\nhint: woodpecker_token must be",
        bakery.woodpecker.url
    );
    assert!(refused.stderr.starts_with(&warning), "{refused}");
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
}

#[test]
fn a_rebuild_that_fixes_nothing_leaves_the_image_broken() {
    let bakery = Bakery::with_a_broken_image().whose_rebuild("true");
    let finished = bakery.verify().run().exits(1);
    assert_eq!(finished.report_in("report.json").result(), "failed");
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
}

#[test]
fn a_rebuild_that_fails_is_exit_6() {
    let bakery = Bakery::with_a_broken_image().whose_rebuild("exit 1");
    let finished = bakery.verify().run().exits(6);
    let reason =
        "(2 broken digests), and the rebuild ran and failed: pipeline #1 ended with failure after ";
    assert!(finished.stdout.contains(reason), "{finished}");
    let link = format!(
        "exit code 6: {}/repos/1/pipeline/1\n",
        bakery.woodpecker.url
    );
    assert!(finished.stdout.ends_with(&link), "{finished}");
}

#[test]
fn a_rebuild_that_is_not_awaited_leaves_exit_1_with_the_link() {
    let bakery = Bakery::with_a_broken_image();
    let finished = bakery
        .verify()
        .arguments(["--wait", "false"])
        .run()
        .exits(1);
    let link = format!(
        "exit code 1: {}/repos/1/pipeline/1\n",
        bakery.woodpecker.url
    );
    let verdict = "(2 broken digests): pipeline #1 was started, and its end is not awaited, ";
    assert!(
        finished.stdout.ends_with(&format!("{verdict}{link}")),
        "{finished}"
    );
    assert_eq!(finished.report_in("report.json").0["pipeline"]["number"], 1);
}

#[test]
fn a_rebuild_that_cannot_start_is_exit_5_with_the_fault() {
    let bakery = Bakery::with_a_broken_image();
    let finished = bakery
        .verify()
        .arguments(["--branch", "missing"])
        .run()
        .exits(5);
    let reason = "(2 broken digests), and the rebuild was not started: failed to start a pipeline on the branch missing";
    assert!(finished.stdout.contains(reason), "{finished}");
    assert_eq!(bakery.woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn an_undecided_image_is_never_rebuilt() {
    let mut bakery = Bakery::with_a_broken_image();
    bakery.registry.stop();
    bakery
        .verify()
        .arguments(["--attempts", "2"])
        .run()
        .exits(4);
    assert_eq!(bakery.woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn a_plugin_step_fixes_the_image_from_inside_a_pipeline() {
    let bakery = Bakery::with_a_broken_image();
    let settings = json!({
        "images": [bakery.registry.reference("app:1")],
        "settle": "0s",
        "on_broken": "rebuild",
        "woodpecker_token": {"from_secret": "woodpecker_token"},
        "variables": {"REBUILD": "app"},
        "workflow": "rebuild",
        "poll_interval": "100ms",
    });
    let step = json!({"name": "verify", "image": binary(), "settings": settings});
    let when = json!([{"event": "manual", "evaluate": "CHECK == \"app\""}]);
    let check = json!({"when": when, "skip_clone": true, "steps": [step]});
    bakery
        .woodpecker
        .forge
        .workflow("check", &check.to_string());
    bakery
        .woodpecker
        .secret("woodpecker_token", &bakery.woodpecker.token, &["manual"]);
    let started = bakery.woodpecker.trigger("main", &json!({"CHECK": "app"}));
    assert_eq!(started.status, 200, "{}", started.text());
    let pipeline = bakery.woodpecker.finished(1);
    let log = bakery.woodpecker.log_to_the_verdict(&pipeline, "verify");
    assert_eq!(pipeline["status"], "success", "{log}");
    assert_eq!(bakery.woodpecker.pipelines(), [2, 1], "{log}");
    assert!(!log.contains(&bakery.woodpecker.token), "{log}");
}

#[test]
fn a_rebuild_whose_own_check_finds_the_image_broken_starts_no_other() {
    let bakery = Bakery::with_a_broken_image();
    let settings = json!({
        "images": [bakery.registry.reference("app:1")],
        "settle": "0s",
        "on_broken": "rebuild",
        "woodpecker_token": {"from_secret": "woodpecker_token"},
        "variables": {"REBUILD": "app"},
        "poll_interval": "100ms",
    });
    let step = json!({"name": "verify", "image": binary(), "settings": settings});
    let loops = json!({"when": {"event": "manual"}, "skip_clone": true, "steps": [step]});
    bakery
        .woodpecker
        .forge
        .workflow("rebuild", &loops.to_string());
    bakery
        .woodpecker
        .secret("woodpecker_token", &bakery.woodpecker.token, &["manual"]);
    bakery.verify().run().exits(6);
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
    let pipeline = bakery.woodpecker.finished(1);
    let log = bakery.woodpecker.log_to_the_verdict(&pipeline, "verify");
    assert_eq!(
        pipeline["workflows"][0]["children"][0]["exit_code"], 5,
        "{log}"
    );
    let refusal = "the rebuild was not started: no rebuild is started: 1 led to this pipeline already, and max_rebuilds is 1";
    assert!(log.contains(refusal), "{log}");
}

#[test]
fn a_pipeline_fixes_its_image_by_restarting_itself() {
    let bakery = Bakery::with_a_broken_image();
    let settings = json!({
        "images": [bakery.registry.reference("app:1")],
        "settle": "0s",
        "on_broken": "rebuild",
        "method": "restart",
        "woodpecker_token": {"from_secret": "woodpecker_token"},
        "poll_interval": "100ms",
    });
    // What it pushed the first time, the registry has lost.
    let push = format!("test $CI_PIPELINE_PARENT = 0 || {}", bakery.push);
    let steps = json!([
        {"name": "push", "image": "bash", "commands": [push]},
        {"name": "verify", "image": binary(), "settings": settings},
    ]);
    let build = json!({"when": {"event": "push"}, "skip_clone": true, "steps": steps});
    bakery
        .woodpecker
        .forge
        .workflow("build", &build.to_string());
    bakery
        .woodpecker
        .secret("woodpecker_token", &bakery.woodpecker.token, &["push"]);
    bakery.woodpecker.cancels_previous(&[]);
    let pipeline = bakery.woodpecker.finished(bakery.woodpecker.push());
    let log = bakery.woodpecker.log_to_the_verdict(&pipeline, "verify");
    assert_eq!(
        (&pipeline["status"], bakery.woodpecker.pipelines()),
        (&json!("success"), vec![2, 1]),
        "{log}"
    );
}
