//! The folder `examples`: the program reads each file as intended.

use std::collections::BTreeSet;
use std::path::Path;

use pullproof::http::network::Hosts;
use pullproof::rebuild::plan::Method;
use pullproof::walk::rules::Depth;

use super::page::links;
use super::text;
use super::uses::{Use, calls, uses};

#[track_caller]
fn only(mut found: Vec<Use>) -> Use {
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn references(found: &Use) -> Vec<String> {
    found
        .targets
        .iter()
        .map(|target| target.reference.to_string())
        .collect()
}

/// The files in `examples` and below, by their paths from there.
fn files() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut folders = vec![root.clone()];
    let mut files = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let path = path.strip_prefix(&root).unwrap();
                files.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    files
}

#[test]
fn every_example_has_a_test() {
    let tested = include_str!("examples.rs");
    let operated = include_str!("operations.rs");
    let checked = include_str!("../../../scripts/lint-operations");
    for file in files() {
        let is_tested = match file.strip_prefix("operations/") {
            Some(name) => operated.contains(name) || checked.contains(name),
            None => tested.contains(&format!("\"examples/{file}\"")),
        };
        assert!(is_tested, "examples/{file} is in no test");
    }
}

#[test]
fn the_list_of_examples_has_every_file_once() {
    let page = text("examples/README.md");
    let mut listed = links(&page);
    listed.retain(|link| !link.starts_with("../"));
    let mut expected = files();
    expected.remove("README.md");
    assert_eq!(listed.len(), expected.len());
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    for line in page.lines().filter(|line| line.starts_with("- ")) {
        let (_, description) = line.split_once("): ").unwrap_or_else(|| panic!("{line}"));
        assert!(description.len() > 20, "{line}");
    }
}

#[test]
fn the_woodpecker_example_shares_settings_with_the_build_step() {
    let found = only(uses(&text("examples/woodpecker-build-verify.yaml")));
    assert_eq!(
        references(&found),
        [
            "registry.example/infra/ci:latest",
            "registry.example/infra/ci:0123abcd",
            "ghcr.io/example/infra-ci:latest",
            "ghcr.io/example/infra-ci:0123abcd",
        ]
    );
    assert!(found.targets.iter().all(|target| target.alike));
    assert_eq!(found.settings().rules.platforms.len(), 2);
    let logins: Vec<_> = found
        .settings()
        .login
        .given
        .iter()
        .map(|login| login.registry.as_str())
        .collect();
    assert_eq!(logins, ["https://registry.example", "https://ghcr.io"]);
}

/// What the examples for a private registry have in common: a port, and a login for it alone.
#[track_caller]
fn is_for_the_private_registry(found: &Use) {
    assert!(found.targets.len() == 2 && found.settings().rules.platforms.len() == 2);
    for target in &found.targets {
        assert_eq!(
            target.reference.repository.to_string(),
            "registry.example:5000/team/app"
        );
    }
    let [login] = &found.settings().login.given[..] else {
        panic!("{:?}", found.settings().login)
    };
    assert_eq!(login.registry, "registry.example:5000");
}

#[test]
fn the_private_woodpecker_example_trusts_an_authority_of_its_own() {
    let found = only(uses(&text("examples/woodpecker-private-ca.yaml")));
    is_for_the_private_registry(&found);
    let network = &found.settings().network;
    assert_eq!(network.ca.len(), 1);
    assert_eq!(network.insecure, Hosts::None);
    assert_eq!(network.skip_tls_verify, Hosts::None);
}

#[test]
fn the_private_woodpecker_example_without_tls_names_the_host() {
    let found = only(uses(&text("examples/woodpecker-private-http.yaml")));
    is_for_the_private_registry(&found);
    let insecure = &found.settings().network.insecure;
    assert!(insecure.contain("registry.example", 5000), "{insecure:?}");
    assert!(!insecure.contain("registry.example", 443), "{insecure:?}");
}

#[test]
fn the_private_github_example_verifies_after_the_clean_up_and_before_the_deployment() {
    let workflow = text("examples/github-private-registry.yaml");
    let found = only(uses(&workflow));
    is_for_the_private_registry(&found);
    assert!(found.targets.iter().all(|target| target.expected.is_some()));
    verifies_between_clean_up_and_deployment(&workflow);
}

#[test]
fn the_nightly_woodpecker_example_reads_every_byte() {
    let found = only(uses(&text("examples/woodpecker-nightly.yaml")));
    assert_eq!(
        (found.targets.len(), found.settings().rules.depth),
        (3, Depth::Full)
    );
    assert!(found.settings().patience.settle.is_zero());
}

#[test]
fn the_github_example_verifies_after_the_clean_up_and_before_the_deployment() {
    let workflow = text("examples/github-build-verify-deploy.yaml");
    let [pruned, found] = <[Use; 2]>::try_from(uses(&workflow))
        .unwrap_or_else(|found| panic!("{} uses", found.len()));
    assert_eq!(found.targets.len(), 2);
    assert!(found.targets.iter().all(|target| target.expected.is_some()));
    assert!(found.settings().login.github.is_some());
    let pruned = pruned.prune();
    let target = &pruned.audit.extent.targets[0];
    assert_eq!(
        (target.registry.as_str(), target.name().as_deref()),
        ("ghcr.io", Some("example/app"))
    );
    assert!(pruned.apply.is_some() && pruned.audit.login.github.is_some());
    verifies_between_clean_up_and_deployment(&workflow);
}

#[track_caller]
fn verifies_between_clean_up_and_deployment(workflow: &str) {
    let workflow: serde_norway::Value = serde_norway::from_str(workflow).unwrap();
    let needs = |job: &str| format!("{:?}", workflow["jobs"][job]["needs"]);
    assert!(
        needs("clean").contains("push")
            && needs("verify").contains("clean")
            && needs("deploy").contains("verify")
    );
}

#[test]
fn the_nightly_github_example_writes_a_report() {
    let found = only(uses(&text("examples/github-nightly.yaml")));
    assert_eq!(
        (found.targets.len(), found.settings().rules.depth),
        (3, Depth::Full)
    );
    assert_eq!(
        found.settings().output.report.as_deref(),
        Some(Path::new("pullproof.json"))
    );
}

#[test]
fn the_gitlab_example_uses_the_image_with_a_shell() {
    let pipeline = text("examples/gitlab.yaml");
    let found = only(uses(&pipeline));
    assert_eq!(
        references(&found),
        [
            "registry.example/team/app:0123abcd",
            "registry.example/team/app:latest"
        ]
    );
    assert!(found.targets.iter().all(|target| target.alike));
    assert!(pipeline.contains(concat!(
        "ghcr.io/pullproof/pullproof:",
        env!("CARGO_PKG_VERSION"),
        "-alpine\n"
    )));
}

#[test]
fn the_docker_example_shows_three_ways_to_log_in() {
    let found = calls(&text("examples/docker-run.sh"));
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].settings().rules.platforms.len(), 2);
    assert!(!found[1].settings().login.docker_configs.is_empty());
    assert!(found[2].settings().login.anonymous);
}

#[test]
fn the_rebuild_examples_start_what_their_target_accepts() {
    let caller = only(uses(&text("examples/woodpecker-rebuild-caller.yaml")));
    let caller = caller.settings().rebuild().unwrap();
    assert!(caller.plan.wait);
    let from_github = only(uses(&text("examples/github-woodpecker-rebuild.yaml")));
    let from_github = from_github.settings().rebuild().unwrap();
    assert!(from_github.plan.wait);
    let by_hand = only(calls(&text("examples/woodpecker-rebuild.sh")));
    let target = text("examples/woodpecker-rebuild-target.yaml");
    for settings in [&caller.plan, &from_github.plan, &by_hand.rebuild().plan] {
        assert_eq!(settings.method, Method::Create);
        assert_eq!(settings.workflows, ["rebuild"]);
        assert_eq!(settings.branch.as_deref(), Some("main"));
        for (name, value) in &settings.variables {
            assert!(
                target.contains(&format!("evaluate: '{name} == \"{value}\"'")),
                "{name}={value}"
            );
        }
    }
    let verified = only(uses(&target));
    assert!(verified.settings().rebuild().is_none());
    assert_eq!(references(&verified), ["registry.example/team/app:latest"]);
}

#[test]
fn other_actions_are_pinned_to_a_commit_and_name_their_version() {
    for file in [
        "examples/github-build-verify-deploy.yaml",
        "examples/github-nightly.yaml",
        "examples/github-private-registry.yaml",
        "examples/operations/github-audit.yaml",
        "README.md",
        "docs/ci/github.md",
    ] {
        for line in text(file)
            .lines()
            .filter(|line| line.contains("uses: ") && !line.contains("uses: pullproof/"))
        {
            let (_, pin) = line
                .split_once('@')
                .unwrap_or_else(|| panic!("{file}: {line}"));
            let (commit, version) = pin
                .split_once(" # v")
                .unwrap_or_else(|| panic!("{file}: {line}"));
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{file}: {line}"
            );
            assert!(version.split('.').count() == 3, "{file}: {line}");
        }
    }
}
