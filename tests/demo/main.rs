//! Shows the program at work on a registry that is started for it: one whole image, two that cannot
//! be pulled, and an audit that finds these two among all.

// Its own copy of the tests' support, of which it needs little.
#[path = "../it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "a vocabulary is larger than what is said with it here"
)]
mod support;

use std::process::ExitCode;

use support::command::pullproof;
use support::fake::Registry;
use support::recipe::platforms;

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
    let mut is_as_expected = true;
    for (number, scene) in (1..).zip(&SCENES) {
        let reference = registry.reference(&format!("team/app:{}", scene.name));
        // A registry on loopback needs no time to settle.
        let arguments = ["verify", &reference, "--settle", "0s"];
        is_as_expected &= play(number, scene.story, &arguments, scene.exit_code);
    }
    let story = "All tags of the registry, without naming one: which of them are broken?";
    let number = SCENES.len() + 1;
    is_as_expected &= play(number, story, &["audit", &registry.host()], 1);
    if is_as_expected {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the program, shows what it says, and returns whether its exit code is the expected one.
#[expect(clippy::print_stdout, reason = "this is what a demonstration is for")]
fn play(number: usize, story: &str, arguments: &[&str], exit_code: i32) -> bool {
    // A demonstration should not wait.
    let arguments = [arguments, &["--backoff", "10ms"]].concat();
    println!("{number}. {story}\n\n$ pullproof {}", arguments.join(" "));
    let finished = pullproof().arguments(arguments).run();
    let expected = finished.code == Some(exit_code);
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
    expected
}
