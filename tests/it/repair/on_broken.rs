//! `on_broken: repair`: what a verification finds is put back, and verified again.

use serde_json::json;

use super::{act, actions};
use crate::support::command::{Pullproof, pullproof};
use crate::support::distribution::write_layout;
use crate::support::fake::Registry;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;
use crate::woodpecker::{Fake, PIPELINE, Reply, TOKEN, pipeline, server};

const NAME: &str = "team/app:1";

fn pair() -> (Registry, Registry, Image) {
    let (registry, mirror) = (Registry::start(), Registry::start());
    registry.writable();
    let image = registry.image(NAME, &platforms(2));
    mirror.serve(NAME, &image);
    registry.lose_in("team/app", image.layer(0, 0));
    (registry, mirror, image)
}

fn verify(registry: &Registry, on_broken: &str) -> Pullproof {
    crate::support::command::verify(&registry.reference(NAME)).arguments(["--on-broken", on_broken])
}

fn with_woodpecker(run: Pullproof, fake: &Fake) -> Pullproof {
    let url = fake.url("");
    run.arguments(["--woodpecker-url", url.as_str(), "--woodpecker-repo", "7"])
        .arguments(["--poll-interval", "100ms"])
        .variable("PLUGIN_WOODPECKER_TOKEN", TOKEN)
}

#[test]
fn what_is_missing_is_put_back_and_the_second_verdict_counts() {
    let (registry, mirror, image) = pair();
    let done = verify(&registry, "repair")
        .arguments(["--from", &mirror.host()])
        .run()
        .exits(0);
    assert_eq!(actions(&done), [act("upload", image.layer(0, 0), true)]);
    let report = done.report();
    assert_eq!(
        (report.result(), &report.0["before"]["result"]),
        ("passed", &json!("failed"))
    );
}

#[test]
fn a_plugin_repairs_from_its_settings() {
    let (registry, mirror, image) = pair();
    let done = pullproof()
        .variable("PLUGIN_IMAGES", registry.reference(NAME))
        .variable("PLUGIN_ON_BROKEN", "repair")
        .variable("PLUGIN_FROM", mirror.host())
        .variable("PLUGIN_SETTLE", "0s")
        .variable("PLUGIN_REPORT", "report.json")
        .run()
        .exits(0);
    let report = done.report_in("report.json");
    assert_eq!(report.verdict(image.layer(0, 0)), "ok");
    assert_eq!(report.0["plan"][0]["done"], true);
}

#[test]
fn what_audits_remember_is_a_source() {
    let (registry, _, image) = pair();
    registry.serve(NAME, &image);
    let state = Scratch::new("state");
    let state = state.path().display().to_string();
    let audit = ["audit", &registry.host(), "--state", &state];
    pullproof().arguments(audit).run().exits(0);
    registry.lose_in("team/app", image.child(1));
    let done = verify(&registry, "repair")
        .arguments(["--state", &state])
        .run()
        .exits(0);
    assert_eq!(actions(&done), [act("put", image.child(1), true)]);
    assert!(!done.stderr.contains("ignored"), "{done}");
}

#[test]
fn what_is_whole_is_neither_repaired_nor_rebuilt() {
    let (registry, mirror, image) = pair();
    registry.serve(NAME, &image);
    let fake = server();
    let run = verify(&registry, "repair,rebuild").arguments(["--from", &mirror.host()]);
    let done = with_woodpecker(run, &fake).run().exits(0);
    assert!(done.report().0["plan"].is_null(), "{done}");
    assert_eq!((registry.writes().len(), fake.starts()), (0, 0));
    assert!(mirror.requests().is_empty());
}

#[test]
fn what_cannot_be_repaired_is_rebuilt_and_what_can_is_not() {
    let (registry, mirror, image) = pair();
    let fake = server();
    let run = || {
        let run = verify(&registry, "repair,rebuild").arguments(["--from", &mirror.host()]);
        with_woodpecker(run, &fake)
    };
    run().run().exits(0);
    assert_eq!(fake.starts(), 0);
    for registry in [&registry, &mirror] {
        registry.lose(image.layer(0, 0));
    }
    fake.on(PIPELINE, [Reply::json(&pipeline("running"))]);
    let running = run().start();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while fake.requests_to(PIPELINE).is_empty() {
        assert!(std::time::Instant::now() < deadline, "{}", running.said());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    registry.find(image.layer(0, 0));
    fake.on(PIPELINE, [Reply::json(&pipeline("success"))]);
    let done = running.wait().exits(0);
    assert_eq!(fake.starts(), 1);
    let report = done.report();
    assert_eq!(report.0["before"]["result"], "failed");
    assert_eq!(report.0["pipeline"]["number"], 12);
}

#[test]
fn a_repair_that_fails_leaves_it_broken() {
    let (registry, mirror, image) = pair();
    registry.on_uploads("POST").refuses(403, "DENIED");
    let failed = verify(&registry, "repair")
        .arguments(["--from", &mirror.host()])
        .run()
        .exits(1);
    assert_eq!(actions(&failed), [act("upload", image.layer(0, 0), false)]);
}

#[test]
fn what_cannot_be_is_refused() {
    let (registry, mirror, _) = pair();
    for (on_broken, words) in [
        ("fail,repair", "fail stands alone"),
        ("repair,repair", "repair stands twice"),
    ] {
        let refused = verify(&registry, on_broken)
            .arguments(["--from", &mirror.host()])
            .run()
            .exits(2);
        assert!(refused.stderr.contains(words), "{refused}");
    }
    let refused = verify(&registry, "repair").run().exits(2);
    assert!(refused.stderr.contains("repair has no source"), "{refused}");
    assert!(refused.stderr.contains("from"), "{refused}");
    assert!(registry.requests().is_empty());
}

#[test]
fn an_image_layout_is_not_repaired() {
    let (_, mirror, image) = pair();
    let layout = Scratch::new("layout");
    write_layout(&layout, &image);
    let lost = image.layer(0, 0).replace(':', "/");
    std::fs::remove_file(layout.path().join("blobs").join(lost)).unwrap();
    let name = format!("oci:{}", layout.path().display());
    let broken = crate::support::command::verify(&name)
        .arguments(["--on-broken", "repair", "--from", &mirror.host()])
        .run()
        .exits(1);
    assert_eq!(actions(&broken), []);
    assert!(mirror.requests().is_empty());
}
