//! The container as GitHub's runner runs an action: `INPUT_` variables with hyphens, and files for
//! outputs and summary.

use std::collections::BTreeMap;

use serde_json::Value;

use super::docker::{Container, Finished, PROGRAM, container};
use crate::support::distribution::{Damage, Distribution};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// The directories that a runner shares with the container of an action.
struct Runner(Scratch);

/// What an action left.
struct Step {
    finished: Finished,
    outputs: BTreeMap<String, String>,
    summary: String,
}

impl Runner {
    fn new() -> Self {
        let scratch = Scratch::new("runner");
        for directory in ["work", "temp", "home", "workflow", "file_commands"] {
            std::fs::create_dir(scratch.path().join(directory)).unwrap();
        }
        for file in [
            "set_output_1",
            "step_summary_1",
            "add_path_1",
            "set_env_1",
            "save_state_1",
        ] {
            std::fs::write(scratch.path().join("file_commands").join(file), "").unwrap();
        }
        Self(scratch)
    }

    /// Runs the action with inputs by the names of `action.yml`. Every other input has its default,
    /// or is empty.
    fn run(&self, inputs: &[(&str, &str)]) -> Step {
        let root = self.0.path();
        let mut container = container(PROGRAM)
            .flags([
                "--label",
                "e2e",
                "--workdir",
                "/github/workspace",
                "--entrypoint",
                "/pullproof",
            ])
            .mount(&root.join("temp"), "/github/runner_temp")
            .mount(&root.join("home"), "/github/home")
            .mount(&root.join("workflow"), "/github/workflow")
            .mount(&root.join("file_commands"), "/github/file_commands")
            .mount(&root.join("work"), "/github/workspace");
        for (name, value) in [
            ("HOME", "/github/home"),
            ("GITHUB_ACTIONS", "true"),
            ("CI", "true"),
            ("GITHUB_WORKSPACE", "/github/workspace"),
            ("GITHUB_OUTPUT", "/github/file_commands/set_output_1"),
            (
                "GITHUB_STEP_SUMMARY",
                "/github/file_commands/step_summary_1",
            ),
            ("GITHUB_ENV", "/github/file_commands/set_env_1"),
            ("GITHUB_STATE", "/github/file_commands/save_state_1"),
            ("GITHUB_REPOSITORY", "infra/image"),
            ("GITHUB_ACTOR", "dev"),
            ("GITHUB_SERVER_URL", "https://github.test"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_TEMP", "/github/runner_temp"),
        ] {
            container = container.variable(name, value);
        }
        let finished = with_inputs(container, inputs).run(&[]);
        let read =
            |name: &str| std::fs::read_to_string(root.join("file_commands").join(name)).unwrap();
        for file in ["set_env_1", "save_state_1", "add_path_1"] {
            assert_eq!(read(file), "", "it wrote to {file}");
        }
        Step {
            finished,
            outputs: outputs(&read("set_output_1")),
            summary: rendered(&read("step_summary_1")),
        }
    }
}

/// Sets `INPUT_` variables as the runner does: upper case, and hyphens stay.
fn with_inputs(mut container: Container, given: &[(&str, &str)]) -> Container {
    let action: Value = serde_norway::from_str(include_str!("../../../action.yml")).unwrap();
    let declared = action["inputs"].as_object().unwrap();
    for (name, _) in given {
        assert!(
            declared.contains_key(*name),
            "action.yml has no input {name}"
        );
    }
    for (name, input) in declared {
        let given = given
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value);
        let default = input["default"].as_str().unwrap_or_default();
        let value = given.unwrap_or(if default.contains("github.token") {
            "token-of-the-job"
        } else {
            default
        });
        container = container.variable(&format!("INPUT_{}", name.to_uppercase()), value);
    }
    container
}

/// Text of a summary as it is shown: with the characters that stand behind `&#58;` and its like, and
/// words in one piece.
fn rendered(summary: &str) -> String {
    let summary = summary.replace("<wbr>", "");
    let mut parts = summary.split("&#");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        text.extend(number.parse().ok().and_then(char::from_u32));
        text.push_str(rest);
    }
    text
}

/// Reads `name=value` and `name<<END … END`.
fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match (line.split_once("<<"), line.split_once('=')) {
            (Some((name, end)), _) => {
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                outputs.insert(name.to_owned(), value.join("\n"));
            }
            (None, Some((name, value))) => {
                outputs.insert(name.to_owned(), value.to_owned());
            }
            (None, None) => panic!("neither name=value nor name<<END: {line:?}"),
        }
    }
    outputs
}

fn pushed() -> (Distribution, Image, String) {
    let registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2));
    let reference = registry.reference("app:1");
    (registry, image, reference)
}

#[test]
fn a_whole_image_passes_with_outputs_and_a_summary_and_without_annotations() {
    let (_registry, image, reference) = pushed();
    let step = Runner::new().run(&[("images", &reference), ("report", "report.json")]);
    let stdout = &step.finished.exits(0).stdout;
    assert!(
        !stdout.contains("::error") && !stdout.contains("::warning"),
        "{stdout}"
    );
    for (name, value) in [
        ("result", "passed"),
        ("exit-code", "0"),
        ("digest", image.root()),
        ("failures", "0"),
        ("checked", "11"),
        ("report", "report.json"),
    ] {
        assert_eq!(
            step.outputs.get(name).map(String::as_str),
            Some(value),
            "{name}: {:#?}",
            step.outputs
        );
    }
    let platforms: Value = serde_json::from_str(&step.outputs["platforms"]).unwrap();
    assert_eq!(platforms, serde_json::json!(["linux/amd64", "linux/arm64"]));
    assert!(step.summary.contains("app:1"), "{}", step.summary);
}

#[test]
fn the_outputs_are_those_that_the_action_declares() {
    let (_registry, _image, reference) = pushed();
    let step = Runner::new().run(&[("images", &reference)]);
    let action: Value = serde_norway::from_str(include_str!("../../../action.yml")).unwrap();
    let declared = action["outputs"].as_object().unwrap();
    for name in step.outputs.keys() {
        assert!(
            declared.contains_key(name),
            "action.yml does not declare {name}"
        );
    }
}

#[test]
fn a_broken_image_is_annotated_and_fails_with_its_outputs_written() {
    let (registry, image, reference) = pushed();
    registry.damage("app", image.layer(1, 0), Damage::Deleted);
    let step = Runner::new().run(&[("images", &reference), ("settle", "0")]);
    let finished = step.finished.exits(1);
    let annotations: Vec<_> = finished
        .stdout
        .lines()
        .filter(|line| line.starts_with("::error"))
        .collect();
    assert_eq!(annotations.len(), 1, "{}", finished.stdout);
    assert!(annotations[0].contains("app"), "{annotations:?}");
    assert_eq!(step.outputs["result"], "failed");
    assert_eq!(step.outputs["exit-code"], "1");
    assert!(step.summary.contains(image.layer(1, 0)), "{}", step.summary);
}

#[test]
fn an_invalid_input_is_annotated_by_its_name() {
    let step = Runner::new().run(&[
        ("images", "registry.invalid/app:1"),
        ("request-timeout", "soon"),
    ]);
    let finished = step.finished.exits(2);
    let annotation = finished
        .stdout
        .lines()
        .find(|line| line.starts_with("::error"));
    let annotation = annotation.unwrap_or_else(|| panic!("no annotation: {finished:?}"));
    assert!(
        annotation.contains("request-timeout") || annotation.contains("request_timeout"),
        "{annotation}"
    );
    assert_eq!(step.outputs["exit-code"], "2");
    assert_eq!(step.outputs["result"], "error");
}

#[test]
fn the_jobs_token_is_never_shown() {
    let (_registry, _image, reference) = pushed();
    let step = Runner::new().run(&[("images", &reference), ("log-level", "trace")]);
    let finished = step.finished.exits(0);
    let everything = format!(
        "{}{}{}{:?}",
        finished.stdout, finished.stderr, step.summary, step.outputs
    );
    let leaks = everything
        .lines()
        .filter(|line| line.contains("token-of-the-job") && !line.starts_with("::add-mask::"));
    assert_eq!(leaks.collect::<Vec<_>>(), Vec::<&str>::new());
}
