//! What the real registry answers for a damaged layer, to each kind of request. Why `tail` is the
//! default depth: the registry remembers what it served (warm), and then `HEAD` says nothing about
//! the disk.

use crate::support::digest::sha256;
use crate::support::distribution::{Damage, Distribution};
use crate::support::http::client::ask;
use crate::support::recipe::single;

const SIZE: usize = 3_000_705;

/// Pushes an image, damages its first layer, and shows what four questions are answered with.
fn measure(damage: Option<Damage>, warm: bool) -> [String; 4] {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &single().layers(1).layer_size(SIZE));
    let layer = image.layer(0, 0);
    let url = format!("http://{}/v2/app/blobs/{layer}", registry.host());
    if warm {
        assert_eq!(ask("HEAD", &url, &[], &[]).unwrap().status, 200);
    }
    if let Some(damage) = damage {
        registry.damage("app", layer, damage);
    }
    if !warm {
        registry.restart();
    }
    let last = format!("bytes={}-{}", SIZE - 1, SIZE - 1);
    let questions = [
        ("HEAD", None),
        ("GET", Some("bytes=0-0")),
        ("GET", Some(last.as_str())),
        ("GET", None),
    ];
    questions.map(|(method, range)| {
        let headers: Vec<_> = range.map(|range| ("Range", range)).into_iter().collect();
        let answer = ask(method, &url, &headers, &[]).unwrap();
        let right_length = answer.header("content-length") == Some(&SIZE.to_string());
        let what = match (method, answer.status) {
            ("HEAD", 200) if right_length => "right length",
            ("GET", 200) if sha256(&answer.body) == layer => "right bytes",
            ("GET", 200 | 206) if answer.cut => "cut",
            ("GET", 200) if answer.body.is_empty() => "no bytes",
            ("GET", 200) if right_length => "wrong bytes",
            (_, 200) => "wrong length",
            ("GET", 206) if answer.body.len() == 1 => "1 byte",
            _ => "nothing",
        };
        format!("{} {what}", answer.status)
    })
}

#[track_caller]
fn assert_measured(damage: Option<Damage>, warm: bool, expected: [&str; 4]) {
    assert_eq!(
        measure(damage, warm),
        expected,
        "{damage:?}, {}",
        if warm { "warm" } else { "cold" }
    );
}

const RIGHT: [&str; 4] = [
    "200 right length",
    "206 1 byte",
    "206 1 byte",
    "200 right bytes",
];
const GONE: [&str; 4] = ["404 nothing"; 4];

#[test]
fn a_whole_layer_is_whole_to_every_question() {
    assert_measured(None, true, RIGHT);
    assert_measured(None, false, RIGHT);
}

#[test]
fn head_does_not_see_that_a_warm_layer_has_no_data() {
    for damage in [Damage::Emptied, Damage::Deleted] {
        assert_measured(
            Some(damage),
            true,
            ["200 right length", "206 cut", "206 cut", "200 cut"],
        );
    }
}

#[test]
fn every_question_sees_that_a_cold_layer_has_no_data() {
    let expected = [
        "200 wrong length",
        "416 nothing",
        "416 nothing",
        "200 no bytes",
    ];
    assert_measured(Some(Damage::Emptied), false, expected);
    assert_measured(Some(Damage::Deleted), false, GONE);
}

#[test]
fn the_last_byte_shows_a_truncated_layer_and_the_first_does_not() {
    let warm = ["200 right length", "206 1 byte", "206 cut", "200 cut"];
    assert_measured(Some(Damage::Truncated), true, warm);
    let cold = [
        "200 wrong length",
        "206 1 byte",
        "416 nothing",
        "200 wrong length",
    ];
    assert_measured(Some(Damage::Truncated), false, cold);
}

#[test]
fn only_reading_everything_sees_a_flipped_byte() {
    let expected = [
        "200 right length",
        "206 1 byte",
        "206 1 byte",
        "200 wrong bytes",
    ];
    assert_measured(Some(Damage::Flipped), true, expected);
    assert_measured(Some(Damage::Flipped), false, expected);
}

#[test]
fn a_removed_link_is_noticed_when_the_registry_is_cold() {
    assert_measured(Some(Damage::Unlinked), true, RIGHT);
    assert_measured(Some(Damage::Unlinked), false, GONE);
}
