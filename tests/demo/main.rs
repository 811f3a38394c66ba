//! Shows the program at work on a registry that is started for it: one whole image, and two that
//! cannot be pulled.

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

/// One thing to see.
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
    let surprises = (1..)
        .zip(&SCENES)
        .filter(|(number, scene)| !play(*number, scene, &registry))
        .count();
    if surprises == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the program on one image, shows what it says, and returns whether its exit code is the
/// expected one.
#[expect(clippy::print_stdout, reason = "this is what a demonstration is for")]
fn play(number: usize, scene: &Scene, registry: &Registry) -> bool {
    let reference = registry.reference(&format!("team/app:{}", scene.name));
    // A registry on loopback needs no time to settle, and a demonstration should not wait.
    let arguments = ["verify", &reference, "--settle", "0s", "--backoff", "10ms"];
    println!(
        "{number}. {}\n\n$ pullproof {}",
        scene.story,
        arguments.join(" ")
    );
    let finished = pullproof().arguments(arguments).run();
    let expected = finished.code == Some(scene.exit_code);
    let code = finished
        .code
        .map_or_else(|| "none".to_owned(), |code| code.to_string());
    let judgement = if expected {
        "as it should be".to_owned()
    } else {
        format!("and not {}", scene.exit_code)
    };
    println!(
        "{}{}\nexit code {code}, {judgement}\n",
        finished.stderr, finished.stdout
    );
    expected
}
