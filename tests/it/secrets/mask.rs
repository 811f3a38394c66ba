//! GitHub's masks: the one place where a secret goes to standard output, and only where a runner
//! takes it out again.

use serde_json::json;

use super::plant::{Face, Planted, set, verify};
use crate::support::command::pullproof;
use crate::support::fake::{Registry, guard};
use crate::support::recipe::single;

#[test]
fn the_runner_learns_passwords_inside_other_inputs_before_it_reads_anything_else() {
    let (one, two) = (Planted::password("one"), Planted::password("two"));
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(guard::basic("me", &one.value));
    let logins = json!([
        {"registry": registry.host(), "username": "me", "password": one.value},
        {"registry": "elsewhere.example", "username": "me", "password": two.value},
    ]);
    let run = set(
        verify(Face::GitHub, "trace"),
        Face::GitHub,
        "logins",
        logins.to_string(),
    );
    let finished = run
        .variable("INPUT_UNKNOWN", "to be warned of")
        .argument(registry.reference("app:1"))
        .run()
        .exits(0);
    let masks: Vec<&str> = finished.stdout.lines().take(2).collect();
    let mask = |planted: &Planted| format!("::add-mask::{}", planted.value.replace('%', "%25"));
    assert_eq!(masks, [mask(&one), mask(&two)]);
    assert_eq!(finished.stdout.matches("::add-mask::").count(), 2);
    assert!(finished.stderr.contains("unknown setting"), "{finished}");
}

#[test]
fn only_githubs_runner_gets_masking_commands() {
    let planted = Planted::password("mask");
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.guarded(guard::basic("me", &planted.value));
    let logins =
        json!([{"registry": registry.host(), "username": "me", "password": planted.value}])
            .to_string();
    for (variables, format) in [
        (&[("GITHUB_ACTIONS", "true")][..], "text"),
        (&[("GITHUB_ACTIONS", "true")], "json"),
        (&[("CI", "woodpecker")], "github"),
        (&[], "github"),
    ] {
        let run = variables
            .iter()
            .fold(pullproof(), |run, (name, value)| run.variable(name, *value));
        let face = if variables.first() == Some(&("GITHUB_ACTIONS", "true")) {
            Face::GitHub
        } else {
            Face::Text
        };
        let run = set(run, face, "logins", &logins);
        let finished = run
            .arguments(["verify", &registry.reference("app:1"), "--format", format])
            .run()
            .exits(0);
        assert!(
            !finished.stdout.contains("add-mask") && !planted.is_in(&finished.stdout),
            "{finished}"
        );
    }
}
