//! Shows the program at work: on a registry that is started for it, with one whole image, two that
//! cannot be pulled and an audit that finds these two; then on the disk of a registry and over HTTP,
//! where it puts back what is lost; last, what a clean-up would delete.

// Its own copy of the tests' support, of which it needs little.
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "a vocabulary is larger than what is said with it here"
)]
mod support;

use std::fs;
use std::process::ExitCode;

use support::command::pullproof;
use support::fake::Registry;
use support::recipe::platforms;
use support::tree::Tree;

/// One image to see.
struct Scene {
    story: &'static str,
    name: &'static str,
    exit_code: i32,
}

const SCENES: [Scene; 3] = [
    Scene {
        story: "An image for two platforms, with attestations, and all of it is there.",
        name: "whole",
        exit_code: 0,
    },
    Scene {
        story: "Its arm64 manifest is gone: a clean-up job took it for untagged. The tag looks healthy.",
        name: "gone",
        exit_code: 1,
    },
    Scene {
        story: "One layer is gone, and the registry remembers it: HEAD says 200 and the right length, GET gives nothing.",
        name: "lying",
        exit_code: 1,
    },
];

fn main() -> ExitCode {
    let mut stage = Stage::default();
    on_a_registry(&mut stage);
    on_its_disk(&mut stage);
    over_http(&mut stage);
    a_clean_up(&mut stage);
    if stage.has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn on_a_registry(stage: &mut Stage) {
    let registry = Registry::start();
    for scene in &SCENES {
        // Other content for each, so that what one loses the others keep.
        let seed = u64::from(scene.name.as_bytes()[0]);
        let image = registry.image(
            &format!("team/app:{}", scene.name),
            &platforms(2).attested().seed(seed),
        );
        match scene.name {
            "gone" => {
                registry.lose(image.child(1));
            }
            "lying" => registry.on("GET", image.layer(0, 1)).empties(),
            _ => {}
        }
    }
    for scene in &SCENES {
        let reference = registry.reference(&format!("team/app:{}", scene.name));
        // A registry on loopback needs no time to settle.
        let arguments = ["verify", &reference, "--settle", "0s"];
        stage.play(scene.story, &arguments, scene.exit_code);
    }
    let story = "All tags of the registry, without naming one: which of them are broken?";
    stage.play(story, &["audit", &registry.host()], 1);
}

/// A clean-up has deleted links. Their bytes are still on the disk.
fn on_its_disk(stage: &mut Stage) {
    let (tree, image) = (Tree::new(), platforms(2).make());
    tree.push("team/app:1.4", &image);
    for link in [
        tree.revision("team/app", image.child(1)),
        tree.layer("team/app", image.layer(0, 0)),
    ] {
        fs::remove_file(link).expect("the tree is ours");
    }
    let disk = tree.path().display().to_string();
    let story =
        "A registry's disk after a clean-up: links are gone, and the bytes are still there.";
    stage.play(story, &["audit", &disk], 1);
    let story = "What can be put back? A plan, which changes nothing.";
    stage.play(story, &["repair", &disk, "--gc-stopped"], 1);
    let story = "Do it. The disk alone is enough: no build, no push, no restart.";
    stage.play(story, &["repair", &disk, "--gc-stopped", "--apply"], 0);
    let story = "The same disk again.";
    stage.play(story, &["audit", &disk], 0);
}

/// A registry has lost a manifest and a layer below it, and a mirror has both.
fn over_http(stage: &mut Stage) {
    let (registry, mirror) = (Registry::start(), Registry::start());
    let image = platforms(2).make();
    registry.writable().serve("team/app:1.4", &image);
    mirror.serve("team/app:1.4", &image);
    registry.lose_in("team/app", image.child(1));
    registry.lose_in("team/app", image.layer(1, 0));
    let (reference, mirror) = (registry.reference("team/app:1.4"), mirror.host());
    let repair = ["repair", &reference, "--from", &mirror, "--apply"];
    let arguments = [&repair[..], &["--settle", "0s"]].concat();
    let story = "A registry that lost a manifest and its layer gets both from a mirror.";
    stage.play(story, &arguments, 0);
}

/// Releases stay, and so does what they share with the builds that go.
fn a_clean_up(stage: &mut Stage) {
    let registry = Registry::start();
    registry.writable();
    for (seed, tag) in (1..).zip(["v1.0", "v1.1", "latest", "build-7", "build-8", "build-9"]) {
        let recipe = platforms(2).attested().shared(1).seed(seed);
        registry.image(&format!("team/app:{tag}"), &recipe);
    }
    let target = registry.reference("team/app");
    let prune = ["prune", &target, "--keep", "v*,latest"];
    let arguments = [&prune[..], &["--settle", "0s"]].concat();
    let story =
        "What would a clean-up delete that knows what an index is? A plan, which changes nothing.";
    stage.play(story, &arguments, 0);
}

/// Where commands are shown.
#[derive(Default)]
struct Stage {
    shown: usize,
    has_failed: bool,
}

impl Stage {
    /// Runs the program and shows what it says; it fails with another exit code than this.
    #[expect(clippy::print_stdout, reason = "this is what a demonstration is for")]
    fn play(&mut self, story: &str, arguments: &[&str], exit_code: i32) {
        self.shown += 1;
        // A demonstration should not wait.
        let arguments = [arguments, &["--backoff", "10ms"]].concat();
        let number = self.shown;
        println!("{number}. {story}\n\n$ pullproof {}", arguments.join(" "));
        let finished = pullproof().arguments(arguments).run();
        let expected = finished.code == Some(exit_code);
        self.has_failed |= !expected;
        let code = finished
            .code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        let judgement = if expected {
            "as it should be".to_owned()
        } else {
            format!("and not {exit_code}")
        };
        println!(
            "{}{}\nexit code {code}, {judgement}\n",
            finished.stderr, finished.stdout
        );
    }
}
