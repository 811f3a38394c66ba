//! The container as Woodpecker's agent runs a plugin: `PLUGIN_` variables, a shared workspace, no
//! command.

use super::docker::{Container, Finished, PROGRAM, container};
use crate::support::distribution::{Damage, Distribution};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const WORKSPACE: &str = "/woodpecker/src/forge.test/infra/image";

fn step(workspace: &Scratch) -> Container {
    container(PROGRAM)
        .mount(workspace.path(), "/woodpecker")
        .flags(["--workdir", WORKSPACE])
        .variable("CI", "woodpecker")
        .variable("CI_SYSTEM_NAME", "woodpecker")
        .variable("CI_WORKSPACE", WORKSPACE)
        .variable("PLUGIN_SETTLE", "0")
}

fn run(step: Container) -> Finished {
    step.run(&[])
}

#[test]
fn tags_that_the_build_step_left_in_the_workspace_are_verified() {
    let registry = Distribution::open();
    let image = registry.image("app:1.2", &platforms(2));
    registry.push("app:latest", &image);
    let workspace = Scratch::new("workspace");
    let directory = workspace.path().join("src/forge.test/infra/image");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(".tags"), "1.2\nlatest\n").unwrap();
    let finished =
        run(step(&workspace).variable("PLUGIN_REPO", &registry.reference("app"))).exits(0);
    for tag in ["app:1.2", "app:latest"] {
        assert!(
            finished.stdout.contains(tag),
            "{tag} is not named: {finished:?}"
        );
    }
    assert!(
        !finished.stdout.contains("::"),
        "that is for GitHub: {finished:?}"
    );
}

#[test]
fn a_broken_image_fails_the_step_with_the_verdict_last() {
    let registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2));
    registry.damage("app", image.layer(1, 0), Damage::Deleted);
    let workspace = Scratch::new("workspace");
    let step = step(&workspace)
        .variable("PLUGIN_REPO", &registry.reference("app"))
        .variable("PLUGIN_TAGS", "1");
    let finished = run(step).exits(1);
    assert!(finished.stdout.contains(image.layer(1, 0)), "{finished:?}");
    assert!(finished.last_line().contains("exit code 1"), "{finished:?}");
}

/// In the image there is nothing but what we put there, and a layer from a mirror needs a place.
#[test]
fn a_step_puts_back_what_a_mirror_has() {
    let (registry, mirror) = (Distribution::open(), Distribution::open());
    let image = registry.image("app:1", &platforms(2));
    mirror.push("app:1", &image);
    registry.damage("app", image.layer(1, 0), Damage::Deleted);
    let workspace = Scratch::new("workspace");
    let step = step(&workspace)
        .variable("PLUGIN_IMAGES", &registry.reference("app:1"))
        .variable("PLUGIN_ON_BROKEN", "repair")
        .variable("PLUGIN_FROM", &mirror.host());
    let finished = run(step).exits(0);
    assert!(
        finished.stdout.contains("repair: 1 digest put back"),
        "{finished:?}"
    );
}

#[test]
fn an_invalid_setting_is_named_before_any_request() {
    let workspace = Scratch::new("workspace");
    let step = step(&workspace)
        .variable("PLUGIN_REPO", "registry.invalid/app")
        .variable("PLUGIN_DEPTH", "bottom");
    let finished = run(step).exits(2);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert!(
        said.contains("depth") && said.contains("bottom") && said.contains("tail"),
        "{finished:?}"
    );
}

#[test]
fn the_settings_of_the_build_step_can_be_shared() {
    let registry = Distribution::open();
    registry.image("app:1", &platforms(1));
    let workspace = Scratch::new("workspace");
    let step = step(&workspace)
        .variable("PLUGIN_REPO", &registry.reference("app"))
        .variable("PLUGIN_TAGS", "1")
        .variable("PLUGIN_DOCKERFILE", "Dockerfile")
        .variable("PLUGIN_BUILD_ARGS", "A=b,C=d")
        .variable("PLUGIN_CACHE_FROM", "type=registry")
        .variable("PLUGIN_PROVENANCE", "false");
    let finished = run(step).exits(0);
    assert!(!finished.stderr.contains("unknown"), "{finished:?}");
}
