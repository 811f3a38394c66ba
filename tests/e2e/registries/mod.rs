//! Other registries: images damaged on disk, where what `verify` reports is what a pull meets, and
//! everything on a registry that is in use, where what `audit` reports is what was lost. And tags are
//! pruned, where what stays is whole.

mod differential;
mod disk;
mod distribution;
mod gitea;
mod listing;
mod living;
mod olareg;
mod prune_gitea;
mod pruned;
mod real;
mod server;
mod zot;

use std::collections::BTreeMap;

use crate::support::command::verify;
use crate::support::distribution::Damage;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::skopeo;

/// Who owns every repository here.
const TEAM: &str = "team";

/// What every test here pushes: two platforms, three layers each.
const NAME: &str = "team/app:1";

/// Pushes the image with skopeo.
fn pushed(host: &str) -> Image {
    let image = platforms(2).layer_size(3000).make();
    skopeo::push(host, NAME, &image);
    image
}

/// What verify reports about one damaged digest at head, tail and full; `ok` is a pass.
struct Case {
    damage: Damage,
    verdicts: [&'static str; 3],
}

const fn case(damage: Damage, verdicts: [&'static str; 3]) -> Case {
    Case { damage, verdicts }
}

/// Fails unless the whole image passes at every depth, and skopeo pulls it.
#[track_caller]
fn passes(reference: &str) {
    for depth in ["head", "tail", "full"] {
        let report = verify(reference)
            .arguments(["--depth", depth])
            .run()
            .passes();
        // The index, and for each platform a manifest, a config and three layers.
        assert_eq!(report.count("ok"), 11, "{depth}");
    }
    assert_pulls(reference, true);
}

/// Fails unless verify reports this digest, and it alone, as the case says, and skopeo cannot pull.
#[track_caller]
fn reports(reference: &str, digest: &str, case: &Case) {
    for (depth, verdict) in ["head", "tail", "full"].into_iter().zip(case.verdicts) {
        let finished = verify(reference).arguments(["--depth", depth]).run();
        let context = format!("{:?}, {depth}: {finished}", case.damage);
        let (code, expected) = match verdict {
            "ok" => (0, BTreeMap::new()),
            _ => (1, BTreeMap::from([(digest.to_owned(), verdict.to_owned())])),
        };
        assert_eq!(finished.code, Some(code), "{context}");
        assert_eq!(finished.report().faults(), expected, "{context}");
    }
    assert_pulls(reference, false);
}

/// The path or command in the only hint for a broken image.
#[track_caller]
fn advised(reference: &str) -> String {
    let report = verify(reference).run().exits(1).report().0;
    let hints = report["hints"].as_array().expect("a report has hints");
    assert_eq!(hints.len(), 1, "{hints:#?}");
    let text = hints[0]["text"].as_str().expect("a hint has a text");
    let quoted = text.split('`').nth(1);
    quoted.expect("it has a path or a command").to_owned()
}

#[track_caller]
fn assert_pulls(reference: &str, expected: bool) {
    let (pulls, printed) = skopeo::pulls(reference);
    assert_eq!(pulls, expected, "{printed}");
}
