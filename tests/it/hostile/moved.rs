//! Tags that move while they are walked, and tags that show an old image for a while.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::trial::trial;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};

/// What a tag delivers, as an answer.
fn reply(image: &Image) -> Reply {
    let content = image.content(image.root()).unwrap();
    Reply::ok(&content.media_type, content.bytes.to_vec())
        .header("Docker-Content-Digest", image.root())
}

/// Lets a tag show the first image until it was asked for so many times by `GET`.
fn moves_after(registry: &Registry, tag: &str, times: usize, from: &Image, to: &Image) {
    let (from, to) = (reply(from), reply(to));
    let gets = Arc::new(Mutex::new(0));
    registry
        .on("*", &format!("/manifests/{tag}"))
        .alters(move |request, _| {
            let mut gets = gets.lock().unwrap();
            *gets += usize::from(request.method == "GET");
            if *gets <= times {
                from.clone()
            } else {
                to.clone()
            }
        });
}

/// A registry with an image in its repository that no tag points to, and another that lacks a
/// layer.
fn old_and_new() -> (Registry, Image, Image) {
    let registry = Registry::start();
    let old = registry.image("app:1", &single());
    let new = platforms(2).seed(1).make();
    registry.serve("app", &new);
    (registry, old, new)
}

#[test]
fn a_tag_that_moves_while_it_is_walked_is_walked_anew() {
    let (registry, old, new) = old_and_new();
    // A garbage collection takes what the tag does not hold any more.
    registry.lose(old.layer(0, 1));
    moves_after(&registry, "1", 1, &old, &new);
    let seen = trial(registry.reference("app:1")).run().passes();
    assert_eq!(seen.report.images()[0]["digest"], new.root(), "{seen}");
    assert!(!seen.text.contains(old.layer(0, 1)), "{seen}");
    registry.forget_rules();
    let standing = trial(registry.reference("app:1")).run();
    standing.finds(&[(old.layer(0, 1), "missing")]);
}

#[test]
fn a_tag_that_moves_between_get_and_head_passes() {
    let (registry, old, new) = old_and_new();
    registry
        .on("HEAD", "/manifests/1")
        .times(1)
        .answers(reply(&new));
    trial(registry.reference("app:1")).run().passes();
    moves_after(&registry, "1", 0, &old, &new);
    let seen = trial(registry.reference("app:1")).run().passes();
    assert_eq!(seen.report.images()[0]["digest"], new.root(), "{seen}");
}

#[test]
fn a_digest_that_is_pinned_is_never_walked_anew() {
    let (registry, old, _) = old_and_new();
    registry.lose(old.layer(0, 1));
    let pinned = registry.reference(&format!("app@{}", old.root()));
    trial(pinned).run().finds(&[(old.layer(0, 1), "missing")]);
    assert_eq!(registry.asked(old.root()).len(), 2, "GET and HEAD");
}

/// The kinds of all findings.
fn findings(seen: &super::trial::Seen) -> Vec<String> {
    let images = seen.report.images();
    let all = images
        .iter()
        .filter_map(|image| image["findings"].as_array());
    all.flatten()
        .map(|one| one["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn expectations_may_be_met_late_within_the_settle_window() {
    for (expectation, kind) in [
        ("digest", "wrong_digest"),
        ("platforms", "platform_missing"),
        ("same-digest", "tags_differ"),
    ] {
        let (registry, old, new) = old_and_new();
        registry.serve("app:2", &new);
        moves_after(&registry, "1", 4, &old, &new);
        let verify = trial(registry.reference("app:1"));
        let verify = match expectation {
            "digest" => verify.flag("digest", new.root()),
            "platforms" => verify.flag("platforms", "linux/arm64"),
            _ => verify
                .and(registry.reference("app:2"))
                .flag("same-digest", "true"),
        };
        let seen = verify.clone().flag("settle", "30s").run().passes();
        assert_eq!(findings(&seen), [""; 0], "{seen}");
        assert!(seen.took < Duration::from_secs(15), "{seen}");
        // The tag is looked at again and again, and the repository is walked again once.
        let walks = 1 + usize::from(kind == "tags_differ");
        let asked = registry.asked(new.layer(1, 0)).len();
        assert_eq!(asked, walks, "{expectation}");
        registry.forget_rules();
        let seen = verify.flag("settle", "300ms").run();
        assert_eq!(seen.exit, 1, "{seen}");
        assert_eq!(findings(&seen), [kind], "{seen}");
        assert!(seen.took >= Duration::from_millis(300), "{seen}");
    }
}
