//! The whole loop: a broken image in the real registry, a rebuild by the real server that pushes it again, verified.

use serde_json::json;

use super::server::{Woodpecker, workflow};
use crate::support::command::{Pullproof, binary, pullproof};
use crate::support::distribution::Distribution;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// A registry whose garbage collector took what `app:1` consists of, and a pipeline that can push it again.
struct Bakery {
    registry: Distribution,
    image: Image,
    woodpecker: Woodpecker,
    _layout: Scratch,
}

impl Bakery {
    fn with_a_broken_image() -> Self {
        let mut registry = Distribution::open();
        let image = platforms(2).make();
        registry.push_by_skopeo("app:1", &image);
        let layout = Scratch::new("layout");
        let source = format!("oci:{}:app", layout.path().display());
        let target = format!("docker://{}", registry.reference("app:1"));
        skopeo(&format!("--src-tls-verify=false {target} {source}"));
        registry.stop().garbage_collect_untagged().start();
        let woodpecker = Woodpecker::start();
        let push = format!("skopeo {SKOPEO} --dest-tls-verify=false {source} {target}");
        let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
        woodpecker.forge.workflow("rebuild", &workflow(&when, &push));
        Self { registry, image, woodpecker, _layout: layout }
    }

    /// Puts something else in the place of the pipeline that mends.
    fn whose_rebuild(self, command: &str) -> Self {
        let when = json!([{"event": "manual", "evaluate": "REBUILD == \"app\""}]);
        self.woodpecker.forge.workflow("rebuild", &workflow(&when, command));
        self
    }

    fn verify(&self) -> Pullproof {
        pullproof()
            .arguments(["verify", &self.registry.reference("app:1"), "--settle", "0s", "--backoff", "10ms"])
            .arguments(["--format", "json", "--report", "report.json", "--on-broken", "rebuild"])
            .arguments(["--woodpecker-url", &self.woodpecker.url, "--woodpecker-repo", "infra/image"])
            .arguments(["--variables", "REBUILD=app", "--workflow", "rebuild", "--poll-interval", "100ms"])
            .variable("PLUGIN_WOODPECKER_TOKEN", &self.woodpecker.token)
    }
}

const SKOPEO: &str = "--insecure-policy copy --all --preserve-digests --quiet";

fn skopeo(arguments: &str) {
    let words = SKOPEO.split(' ').chain(arguments.split(' '));
    let status = std::process::Command::new("skopeo").args(words).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "skopeo {arguments}: {status:?}");
}

#[test]
fn a_broken_image_is_rebuilt_once_and_verified_again() {
    let bakery = Bakery::with_a_broken_image();
    let finished = bakery.verify().run().exits(0);
    let report = finished.report_in("report.json");
    assert_eq!(report.result(), "passed");
    assert_eq!(report.verdict(bakery.image.child(0)), "ok");
    assert_eq!(report.0["pipeline"]["number"], 1, "{:#}", report.0);
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
    bakery.verify().run().exits(0);
    assert_eq!(bakery.woodpecker.pipelines(), [1], "a whole image needs no rebuild");
}

#[test]
fn a_rebuild_that_mends_nothing_leaves_the_image_broken() {
    let bakery = Bakery::with_a_broken_image().whose_rebuild("true");
    let finished = bakery.verify().run().exits(1);
    assert_eq!(finished.report_in("report.json").result(), "failed");
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
}

#[test]
fn a_rebuild_that_fails_is_exit_6() {
    let bakery = Bakery::with_a_broken_image().whose_rebuild("exit 1");
    bakery.verify().run().exits(6);
}

#[test]
fn what_cannot_be_found_out_is_never_rebuilt() {
    let mut bakery = Bakery::with_a_broken_image();
    bakery.registry.stop();
    bakery.verify().arguments(["--attempts", "2"]).run().exits(4);
    assert_eq!(bakery.woodpecker.pipelines(), Vec::<u64>::new());
}

#[test]
fn a_plugin_step_heals_the_image_from_inside_a_pipeline() {
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
    bakery.woodpecker.forge.workflow("check", &check.to_string());
    bakery.woodpecker.secret("woodpecker_token", &bakery.woodpecker.token, &["manual"]);
    let started = bakery.woodpecker.trigger("main", &json!({"CHECK": "app"}));
    assert_eq!(started.status, 200, "{}", started.text());
    let pipeline = bakery.woodpecker.finished(1);
    let log = bakery.woodpecker.log(&pipeline, "verify");
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
    bakery.woodpecker.forge.workflow("rebuild", &loops.to_string());
    bakery.woodpecker.secret("woodpecker_token", &bakery.woodpecker.token, &["manual"]);
    bakery.verify().run().exits(6);
    assert_eq!(bakery.woodpecker.pipelines(), [1]);
    let log = bakery.woodpecker.log(&bakery.woodpecker.finished(1), "verify");
    assert!(log.contains("max_rebuilds"), "{log}");
}
