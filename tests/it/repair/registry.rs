//! Over the API of a real registry.

use super::repair;
use crate::support::command::{Finished, verify};
use crate::support::distribution::Distribution;
use crate::support::image::Image;
use crate::support::recipe::platforms;

const NAME: &str = "team/app:1";

/// A registry that an image was pushed to, and one that has a copy of it.
fn pair() -> (Distribution, Distribution, Image) {
    let (registry, mirror) = (Distribution::open(), Distribution::open());
    let image = registry.image(NAME, &platforms(2).attested());
    mirror.push(NAME, &image);
    (registry, mirror, image)
}

/// What a plan has to say: each action with the digest.
fn actions(finished: &Finished) -> Vec<(String, String)> {
    let plan = finished.report().0["plan"].as_array().unwrap().clone();
    let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
    plan.iter()
        .map(|item| (text(item, "action"), text(item, "digest")))
        .collect()
}

#[test]
fn a_lost_child_is_put_back_from_a_mirror() {
    let (registry, mirror, image) = pair();
    registry.delete("team/app", image.child(1));
    let reference = registry.reference(NAME);
    let planned = repair(&reference)
        .arguments(["--from", &mirror.host()])
        .run()
        .exits(1);
    assert_eq!(
        actions(&planned),
        [("put".to_owned(), image.child(1).to_owned())]
    );
    verify(&reference).run().exits(1);
    let done = repair(&reference)
        .arguments(["--from", &mirror.host(), "--apply"])
        .run()
        .exits(0);
    assert_eq!(done.report().0["plan"][0]["done"], true);
    verify(&reference).run().passes();
}
