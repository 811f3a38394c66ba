//! Beside a registry that runs: what goes and moves is no fault.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{audit, recipe};
use crate::support::recipe::single;
use crate::support::tree::{Tree, write};

#[test]
fn tags_that_move_and_go_meanwhile_are_no_fault() {
    let tree = Arc::new(Tree::new());
    for tag in 0..200 {
        tree.push(&format!("team/app:v{tag}"), &single().seed(tag).make());
    }
    let is_done = Arc::new(AtomicBool::new(false));
    let busy = {
        let (tree, is_done) = (Arc::clone(&tree), Arc::clone(&is_done));
        std::thread::spawn(move || {
            // A push: everything before the tag; then what it led to before goes.
            for turn in 0_u64..2_000 {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                let tag = turn % 50;
                let next = recipe(1_000 + turn).make();
                let link = tree.tag("team/app", &format!("v{tag}"));
                let before = fs::read_to_string(&link).unwrap_or_default();
                tree.push_untagged("team/app", &next);
                let beside = link.with_extension("new");
                write(&beside, next.root());
                fs::rename(&beside, &link).unwrap();
                if !before.is_empty() {
                    let _ = fs::remove_file(tree.revision("team/app", &before));
                }
                let gone = tree.repository(
                    "team/app",
                    &format!("_manifests/tags/v{}", 100 + turn % 100),
                );
                let _ = fs::remove_dir_all(gone);
            }
        })
    };
    for _ in 0..3 {
        audit(&tree).run().exits(0);
    }
    is_done.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}

#[test]
fn a_signal_ends_an_audit_and_the_report_says_so() {
    let tree = Tree::new();
    let image = single().make();
    for tag in 0..3_000 {
        tree.push(&format!("team/app:v{tag}"), &image);
    }
    let run = audit(&tree).arguments(["--report", "report.json"]).start();
    run.signal("TERM");
    let finished = run.wait();
    // Before it listens for signals, a signal ends it at once.
    if finished.code.is_some() {
        let report = finished.exits(143).report_in("report.json");
        assert!(report.images().len() <= 3_000);
    }
}
