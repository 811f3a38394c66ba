//! 404 is "not yet" while the settle window is open, and "missing" when it closes.

use std::time::Duration;

use super::trial::{DEPTHS, trial};
use crate::support::fake::Registry;
use crate::support::recipe::platforms;

#[test]
fn what_appears_late_passes_and_the_report_states_the_delay() {
    for depth in DEPTHS {
        for part in 0..4 {
            let registry = Registry::start();
            let image = registry.image("app:1", &platforms(1));
            let late = [
                "manifests/1",
                image.child(0),
                image.config(0),
                image.layer(0, 0),
            ][part];
            registry.on("*", late).times(3).loses();
            let seen = trial(registry.reference("app:1"))
                .depth(depth)
                .flag("settle", "10s")
                .run()
                .passes();
            let digest = if part == 0 { image.root() } else { late };
            let seen = seen.says(digest, "appeared after ");
            // What is whole below a manifest is folded into one line there.
            if part < 2 {
                seen.prints("appeared after ");
            }
            // The tag is asked for by HEAD as well, as soon as it is there.
            let times = if part == 0 { 5 } else { 4 };
            assert_eq!(registry.asked(late).len(), times, "{late} at {depth}");
        }
    }
}

#[test]
fn what_never_appears_is_missing_when_the_window_closes() {
    for depth in DEPTHS {
        let registry = Registry::start();
        let image = registry.image("app:1", &platforms(2));
        let lost = [
            image.child(0),
            image.layer(1, 0),
            image.layer(1, 1),
            image.config(1),
        ];
        for digest in lost {
            registry.lose(digest);
        }
        let seen = trial(registry.reference("app:1"))
            .depth(depth)
            .flag("settle", "300ms")
            .run();
        let seen = seen.finds(&lost.map(|digest| (digest, "missing")));
        assert!(seen.took >= Duration::from_millis(300), "{seen}");
        // One window for the run, and not one for each digest.
        assert!(seen.took < Duration::from_secs(5), "{seen}");
        assert!(
            lost.iter().any(|digest| registry.asked(digest).len() > 2),
            "it was not checked again"
        );
    }
}

#[test]
fn a_404_counts_at_once_without_a_settle_window() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    registry.lose(image.layer(0, 0));
    trial(registry.reference("app:1"))
        .run()
        .finds(&[(image.layer(0, 0), "missing")]);
    // Once to find it, and once to confirm it: it is not waited for.
    assert_eq!(registry.asked(image.layer(0, 0)).len(), 2);
}

#[test]
fn a_tag_that_never_appears_is_missing() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(1));
    registry.lose("1");
    trial(registry.reference("app:1"))
        .flag("settle", "30ms")
        .run()
        .finds(&[("", "missing")]);
}

#[test]
fn absences_do_not_use_up_the_attempts() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    registry.on("GET", image.layer(0, 0)).times(10).loses();
    trial(registry.reference("app:1"))
        .flag("settle", "10s")
        .flag("attempts", "1")
        .run()
        .passes();
}
