//! What no rule keeps goes from Gitea by its packages API, where each child of an index is a version
//! of its own.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::TEAM;
use super::gitea::{Gitea, PASSWORD, start};
use crate::support::command::{Finished, pullproof, verify};
use crate::support::distribution::{push, put_root};
use crate::support::image::Image;
use crate::support::recipe::platforms;

/// A name with a slash in its package.
const NAME: &str = "team/group/app";

fn recipe(seed: u64) -> Image {
    platforms(2).attested().shared(1).seed(seed).make()
}

/// A Gitea with four images, the newest last; that has another tag.
fn filled() -> (Gitea, Vec<Image>) {
    let gitea = start();
    let images: Vec<Image> = (1..=4).map(recipe).collect();
    for (image, number) in images.iter().zip(1..) {
        push(&gitea.door, &format!("{NAME}:v{number}"), image);
        // Its dates are to the second.
        sleep(Duration::from_millis(1100));
    }
    put_root(&gitea.door, &format!("{NAME}:latest"), &images[3]);
    (gitea, images)
}

/// The versions that the packages API lists, the newest first.
fn versions(gitea: &Gitea) -> Vec<String> {
    let version = |one: &Value| one["version"].as_str().expect("it has one").to_owned();
    gitea.versions().iter().map(version).collect()
}

fn reference(gitea: &Gitea, tag: &str) -> String {
    format!("{}/{NAME}:{tag}", gitea.server.host())
}

fn prune(gitea: &Gitea, arguments: &[&str]) -> Finished {
    let host = gitea.server.host();
    pullproof()
        .arguments(["prune", &format!("{host}/{NAME}"), "--format", "json"])
        .arguments(["--registry", host, "--username", TEAM])
        .arguments(["--password", PASSWORD, "--settle", "0s", "--min-age", "0s"])
        .arguments(arguments.iter().copied())
        .run()
}

/// Everything that an image has as versions of their own.
fn below_root(image: &Image) -> BTreeSet<String> {
    let manifests = image.contents().filter(|(_, content)| content.manifest);
    let digests = manifests.map(|(digest, _)| digest.to_owned());
    digests.filter(|digest| digest != image.root()).collect()
}

#[test]
fn the_newest_stay_whole_and_nothing_is_left_of_the_others() {
    let (gitea, images) = filled();
    let apply = ["--keep-newest", "2", "--apply", "--backup", "none"];
    let done = prune(&gitea, &apply).exits(0);
    for tag in ["v3", "v4", "latest"] {
        verify(&reference(&gitea, tag)).run().passes();
    }
    for tag in ["v1", "v2"] {
        verify(&reference(&gitea, tag)).run().exits(1);
    }
    let mut expected: BTreeSet<String> = ["v3", "v4", "latest"].map(str::to_owned).into();
    for image in &images[2..] {
        expected.extend(below_root(image));
    }
    let left: BTreeSet<String> = versions(&gitea).into_iter().collect();
    assert_eq!(left, expected, "{done}");
}

#[test]
fn what_has_no_tag_goes_only_by_its_age_and_never_from_below_what_stays() {
    let (gitea, images) = filled();
    // The first image loses its tag, and is left without any.
    put_root(&gitea.door, &format!("{NAME}:v1"), &images[2]);
    let keep = ["--keep", "*", "--apply", "--backup", "none"];
    let older = |age| [&keep[..], &["--delete-untagged", age]].concat();
    let before = versions(&gitea);
    prune(&gitea, &keep).exits(0);
    prune(&gitea, &older("1h")).exits(0);
    assert_eq!(versions(&gitea), before);
    prune(&gitea, &older("0s")).exits(0);
    let left: BTreeSet<String> = versions(&gitea).into_iter().collect();
    assert!(left.is_disjoint(&below_root(&images[0])), "{left:?}");
    for tag in ["v1", "v2", "v3", "v4", "latest"] {
        verify(&reference(&gitea, tag)).run().passes();
    }
}

#[test]
fn to_keep_the_newest_versions_alone_breaks_what_is_kept() {
    let (gitea, _) = filled();
    // The newest three are two tags of one index and a single manifest below it.
    for version in versions(&gitea).iter().skip(3) {
        let path = format!("/api/v1/packages/{TEAM}/container/group%2Fapp/{version}");
        let answer = gitea.api().ask("DELETE", &path, &[], &[]).expect("it runs");
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    verify(&reference(&gitea, "latest")).run().exits(1);
}

#[test]
fn nothing_goes_without_a_login_for_the_packages() {
    let (gitea, _) = filled();
    let before = versions(&gitea);
    let host = gitea.server.host();
    let refused = pullproof()
        .arguments(["prune", &format!("{host}/{NAME}"), "--anonymous", "true"])
        .arguments(["--keep-newest", "2", "--settle", "0s", "--min-age", "0s"])
        .arguments(["--apply", "--backup", "none"])
        .run()
        .exits(3);
    let why = "the packages API does not say when its tags were pushed";
    assert!(refused.stdout.contains(why), "{refused}");
    assert_eq!(versions(&gitea), before);
}
