//! Registries that fail, lie or die while something is deleted: nothing that stays is harmed, what is
//! gone is said, and the next run finishes.

use std::time::{Duration, Instant};

use super::{manifests, prune, tags};
use crate::support::command::{Finished, Pullproof, verify};
use crate::support::fake::Registry;
use crate::support::http::Request;
use crate::support::http::message::Break;
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const REPOSITORY: &str = "team/app";

/// A registry with an image that stays and two that go, and which share a layer with it.
struct Place {
    registry: Registry,
    backup: Scratch,
    kept: Image,
    gone: Vec<Image>,
}

impl Place {
    fn new() -> Self {
        let registry = Registry::start();
        registry.writable();
        let image = |tag: &str, seed: u64| {
            let recipe = platforms(2).attested().shared(1).seed(seed);
            registry.image(&format!("{REPOSITORY}:{tag}"), &recipe)
        };
        let kept = image("kept", 1);
        let gone = vec![image("old", 2), image("older", 3)];
        Self {
            registry,
            backup: Scratch::new("backup"),
            kept,
            gone,
        }
    }

    /// A run could not delete an index, so it has left that with all below it.
    fn with_left_overs() -> Self {
        let place = Self::new();
        let root = place.gone[0].root();
        place.registry.on("DELETE", root).answers_status(500);
        place.apply().run().exits(8);
        place.registry.forget_rules();
        place
    }

    fn apply(&self) -> Pullproof {
        let folder = self.backup.path().join("layout").display().to_string();
        prune(&self.registry.reference(REPOSITORY))
            .arguments([
                "--keep",
                "kept",
                "--apply",
                "--max-deleted",
                "80%",
                "--attempts",
                "2",
            ])
            .arguments(["--backup", &folder])
    }

    /// Every manifest that goes.
    fn going(&self) -> Vec<String> {
        let of = |image: &Image| {
            let all = [image.root(), image.child(0), image.child(1)];
            let attestations = [image.attestation(0), image.attestation(1)];
            all.into_iter()
                .chain(attestations)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        self.gone.iter().flat_map(of).collect()
    }

    fn left(&self) -> usize {
        let has = |digest: &&String| self.registry.has(REPOSITORY, digest);
        self.going().iter().filter(has).count()
    }

    fn require_kept(&self) {
        for digest in self.kept.reachable() {
            assert!(self.registry.has(REPOSITORY, &digest), "{digest}");
        }
        verify(&self.registry.reference(&format!("{REPOSITORY}:kept")))
            .run()
            .passes();
    }

    /// The next run does what is left.
    fn finishes(&self) {
        self.registry.forget_rules();
        self.require_kept();
        self.apply().run().exits(0);
        assert_eq!(self.left(), 0);
        assert_eq!(self.registry.tagged(REPOSITORY, "old"), None);
        self.require_kept();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < limit, "{what} never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_deletion_that_is_refused_is_said_and_done_by_the_next_run() {
    for status in [401, 403, 405, 429, 500] {
        let place = Place::new();
        let digest = place.gone[0].child(0);
        place.registry.on("DELETE", digest).answers_status(status);
        let finished = place.apply().run().exits(8);
        let ends = manifests(&finished);
        assert!(!ends[digest], "{status}");
        assert_eq!(ends.values().filter(|done| !**done).count(), 1, "{status}");
        assert_eq!(tags(&finished)["old"], ("delete".to_owned(), true));
        assert_eq!(finished.report().error(), "1 deletion failed", "{status}");
        assert_eq!(place.left(), 1, "{status}");
        place.finishes();
    }
}

/// Somebody may push while a registry has its pause.
#[test]
fn a_deletion_is_not_repeated_without_a_look_at_the_tags() {
    let place = Place::new();
    let root = place.gone[0].root();
    let delete = place.registry.on("DELETE", root).times(1);
    delete.throttles("1");
    place.apply().run().exits(0);
    assert_eq!(place.left(), 0);
    let requests = place.registry.requests();
    let is_deletion =
        |request: &&Request| request.method == "DELETE" && request.path.ends_with(root);
    let between = requests.iter().skip_while(|one| !is_deletion(one)).skip(1);
    let between: Vec<_> = between.take_while(|one| !is_deletion(one)).collect();
    assert!(between.len() < requests.len() / 2, "it was asked twice");
    assert!(between.iter().any(|one| one.path.ends_with("/tags/list")));
}

#[test]
fn what_is_below_something_that_was_refused_goes_with_the_next_run() {
    let place = Place::new();
    let root = place.gone[0].root();
    place.registry.on("DELETE", root).answers_status(500);
    let finished = place.apply().run().exits(8);
    assert_eq!(finished.report().error(), "1 deletion failed");
    assert_eq!(
        place.left(),
        5,
        "an index with two children and attestations"
    );
    // The second run has no tag to delete, and says what is still refused.
    let finished = place.apply().run().exits(8);
    assert!(!manifests(&finished)[root], "{finished}");
    assert_eq!(place.left(), 5);
    place.finishes();
}

#[test]
fn a_plan_that_lacks_what_an_earlier_run_has_left_does_not_make_it_forgotten() {
    let place = Place::with_left_overs();
    place
        .registry
        .image(&format!("{REPOSITORY}:new"), &platforms(1).seed(9));
    let plan = place.backup.path().join("plan.json").display().to_string();
    let rules = ["--keep", "kept", "--max-deleted", "80%", "--plan", &plan];
    prune(&place.registry.reference(REPOSITORY))
        .arguments(rules)
        .run()
        .exits(0);
    place.apply().arguments(["--plan", &plan]).run().exits(0);
    assert_eq!(place.registry.tagged(REPOSITORY, "new"), None);
    assert_eq!(place.left(), 5);
    place.finishes();
}

#[test]
fn a_signature_goes_with_its_image_even_if_a_run_is_killed_between_them() {
    // Three tags, ten manifests and the signature.
    for deletions in 0..14 {
        let place = Place::new();
        let hash = place.gone[0].root().strip_prefix("sha256:").unwrap();
        let tag = format!("sha256-{hash}.sig");
        let recipe = platforms(1).seed(9);
        let signature = place
            .registry
            .image(&format!("{REPOSITORY}:{tag}"), &recipe);
        let stalls = place.registry.on("DELETE", "").after(deletions);
        stalls.breaks_anywhere(Break::Stall, 0);
        let running = place.apply().start();
        until("the deletion", || {
            let writes = place.registry.writes();
            let all = writes.iter().filter(|one| one.starts_with("DELETE"));
            all.count() > deletions
        });
        running.signal("KILL");
        running.wait();
        place.finishes();
        assert_eq!(place.registry.tagged(REPOSITORY, &tag), None, "{deletions}");
        assert!(
            !place.registry.has(REPOSITORY, signature.root()),
            "{deletions}"
        );
    }
}

#[test]
fn a_run_that_ends_early_forgets_nothing_of_an_earlier_one() {
    let place = Place::with_left_overs();
    place
        .registry
        .on("GET", "/tags/list")
        .after(1)
        .answers_status(500);
    place.apply().run().exits(8);
    assert_eq!(place.left(), 5);
    place.finishes();
}

#[test]
fn what_could_not_be_read_for_the_backup_is_in_it_before_it_goes() {
    let place = Place::new();
    let child = place.gone[0].child(0);
    // The walk has it, and the backup has not.
    place.registry.on("GET", child).after(1).answers_status(500);
    let finished = place.apply().run().exits(8);
    assert!(!manifests(&finished)[child], "{finished}");
    place.finishes();
    let hash = child.strip_prefix("sha256:").unwrap();
    let blobs = place.backup.path().join("layout/blobs/sha256");
    assert!(blobs.join(hash).is_file());
}

#[test]
fn what_was_not_deleted_is_not_freed() {
    let place = Place::new();
    let frees = |finished: &Finished| finished.report().0["frees"].as_u64().unwrap();
    let rules = ["--keep", "kept", "--max-deleted", "80%"];
    let plan = prune(&place.registry.reference(REPOSITORY)).arguments(rules);
    let all = frees(&plan.run().exits(0));
    place.registry.on("DELETE", "").answers_status(403);
    assert_eq!(frees(&place.apply().run().exits(8)), 0);
    place.registry.forget_rules();
    place
        .registry
        .on("DELETE", place.gone[0].root())
        .answers_status(403);
    let some = frees(&place.apply().run().exits(8));
    assert!(some > 0 && some < all, "{some} of {all}");
}

#[test]
fn nothing_is_swept_out_without_a_backup_of_what_is_left_of_it() {
    for is_unwritable in [true, false] {
        let place = Place::new();
        place.registry.lose(place.gone[0].child(0));
        let blobs = place.backup.path().join("layout/blobs");
        if is_unwritable {
            std::fs::create_dir_all(&blobs).unwrap();
            std::fs::write(blobs.join("sha256"), "").unwrap();
        }
        let before = place.left();
        let run = place.apply().argument("--delete-broken");
        if is_unwritable {
            // What is broken and stays is the worse news.
            let finished = run.run().exits(1);
            assert!(
                finished.stdout.contains("the backup could not be written"),
                "{finished}"
            );
            assert_eq!(place.left(), before);
            assert!(place.registry.tagged(REPOSITORY, "old").is_some());
        } else {
            run.run().exits(0);
            assert_eq!(place.left(), 0);
        }
        place.require_kept();
    }
}

#[test]
fn a_registry_that_forbids_deletion_names_the_setting_that_allows_it() {
    let place = Place::new();
    place.registry.on("DELETE", "").refuses(405, "UNSUPPORTED");
    let finished = place.apply().run().exits(8);
    assert!(tags(&finished).values().all(|(_, done)| !done));
    assert_eq!(place.left(), 10);
    let text = crate::support::command::pullproof()
        .arguments([
            "prune",
            &place.registry.reference(REPOSITORY),
            "--keep",
            "kept",
            "--apply",
        ])
        .arguments(["--settle", "0s", "--min-age", "0s", "--max-deleted", "80%"])
        .arguments(["--backup", "none"])
        .run()
        .exits(8);
    assert!(
        text.stdout.contains("storage.delete.enabled: true"),
        "{text}"
    );
    place.finishes();
}

#[test]
fn what_is_said_to_be_gone_and_is_not_is_found_out() {
    let place = Place::new();
    place.registry.on("DELETE", "").keeps_nothing();
    let finished = place.apply().run().exits(8);
    assert!(
        tags(&finished).values().all(|(_, done)| !done),
        "{finished}"
    );
    assert!(
        manifests(&finished).values().all(|done| !done),
        "{finished}"
    );
    assert!(
        finished.stdout.contains("answered as if it were gone"),
        "{finished}"
    );
    place.finishes();
}

#[test]
fn a_run_that_is_killed_at_any_deletion_is_finished_by_the_next() {
    // Two tags and ten manifests.
    for deletions in 0..12 {
        let place = Place::new();
        place
            .registry
            .on("DELETE", "")
            .after(deletions)
            .breaks_anywhere(Break::Stall, 0);
        let running = place.apply().start();
        until("the deletion", || {
            let writes = place.registry.writes();
            writes
                .iter()
                .filter(|one| one.starts_with("DELETE"))
                .count()
                > deletions
        });
        running.signal("KILL");
        assert_eq!(running.wait().code, None);
        place.finishes();
    }
}

#[test]
fn a_registry_that_dies_in_the_middle_leaves_a_report_of_what_is_gone() {
    for lists_break in [false, true] {
        let place = Place::new();
        let breaks = |method: &str, path: &str| {
            let when = place.registry.on(method, path).after(3);
            when.breaks_anywhere(Break::Reset, 0);
        };
        breaks("DELETE", "");
        if lists_break {
            breaks("GET", "/tags/list");
        }
        // Whoever can look afterwards knows that only the answers were lost.
        let finished = place.apply().run().exits(if lists_break { 8 } else { 0 });
        let done = manifests(&finished).values().filter(|done| **done).count();
        let gone = 10 - place.left();
        assert!(done == gone || (lists_break && done < gone), "{finished}");
        place.finishes();
    }
}

#[test]
fn a_signal_ends_a_prune_with_what_was_done() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        place
            .registry
            .on("DELETE", "")
            .after(2)
            .delays(Duration::from_millis(500));
        let running = place.apply().start();
        until("a deletion", || place.registry.writes().len() > 2);
        running.signal(signal);
        let ended = running.wait().exits(code);
        assert!(tags(&ended).values().any(|(_, done)| !done), "{ended}");
        place.finishes();
    }
}
