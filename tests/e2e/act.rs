//! A workflow that uses the action, run by `act`, which is also what the runners of Gitea and
//! Forgejo are made of.
//!
//! The host is the runner. In that mode act gives an action's container neither the files for
//! outputs nor the host's network, so what is seen here is the inputs' way into the container and
//! the exit code's way out.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::scratch::Scratch;

/// The action as it is released, with an image rather than the `Dockerfile`: the one that `make
/// e2e` has built.
fn action() -> String {
    let action = include_str!("../../action.yml");
    let released = action.replace("image: Dockerfile", "image: docker://pullproof:e2e");
    assert_ne!(action, released, "action.yml does not build the Dockerfile");
    released
}

/// Commits the action and a workflow of these steps, runs it, and gives all that act says.
fn run(steps: &str) -> String {
    let scratch = Scratch::new("act");
    let repository = scratch.path().join("repository");
    let workflow = format!(
        "on: push\njobs:\n  verify:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: \
         actions/checkout@v4\n{steps}"
    );
    std::fs::create_dir_all(repository.join(".github/workflows")).unwrap();
    std::fs::write(repository.join("action.yml"), action()).unwrap();
    std::fs::write(repository.join(".github/workflows/verify.yml"), workflow).unwrap();
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "--all"]);
    git(
        &repository,
        &[
            "-c",
            "user.name=dev",
            "-c",
            "user.email=dev@localhost",
            "commit",
            "--quiet",
            "-m",
            "all",
        ],
    );
    let act = std::env::var("E2E_ACT").expect("`make e2e` says where act is");
    let output = Command::new(&act)
        .args([
            "push",
            "--platform",
            "ubuntu-latest=-self-hosted",
            "--pull=false",
            "--no-cache-server",
        ])
        .env("HOME", scratch.path())
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_CONFIG_HOME")
        .current_dir(&repository)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start {act}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn git(directory: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

#[test]
fn inputs_arrive_and_the_exit_code_decides() {
    let said = run(r"
      - uses: ./
        id: nothing-pushed
        with:
          images: registry.invalid/app:1
          dry-run: true
      - uses: ./
        id: mistyped
        continue-on-error: true
        with:
          images: registry.invalid/app:1
          request-timeout: soon
      - run: echo outcomes ${{ steps.nothing-pushed.outcome }} ${{ steps.mistyped.outcome }}
");
    assert!(said.contains("outcomes success failure"), "{said}");
    assert!(
        said.contains("request-timeout") && said.contains("soon"),
        "{said}"
    );
}
