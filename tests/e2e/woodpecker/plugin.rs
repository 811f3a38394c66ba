//! Woodpecker's own way to hand settings to a plugin: `woodpecker-cli exec` runs a real pipeline
//! file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::server::program;
use crate::support::command::binary;
use crate::support::distribution::{Distribution, PASSWORD as REGISTRY_PASSWORD, USERNAME};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// A secret with what is awkward in a list and in JSON.
const PASSWORD: &str = r"hunter,2\";

/// Runs a pipeline file with the local backend.
fn exec(directory: &Path, pipeline: &str) -> Output {
    let secrets = format!("password: '{PASSWORD}'\nregistry_password: '{REGISTRY_PASSWORD}'\n");
    std::fs::write(directory.join("pipeline.yaml"), pipeline).unwrap();
    std::fs::write(directory.join("secrets.yaml"), secrets).unwrap();
    Command::new(program("woodpecker-cli"))
        .args([
            "exec",
            "--backend-engine",
            "local",
            "--secrets-file",
            "secrets.yaml",
            "--repo-path",
            ".",
        ])
        .arg("pipeline.yaml")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .env("WOODPECKER_DISABLE_UPDATE_CHECK", "true")
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot start woodpecker-cli: {error}"))
}

/// A program that writes down the settings it is given.
fn notary(directory: &Path) -> String {
    let path = directory.join("notary");
    let notes = directory.join("notes");
    let script = format!(
        "#!/bin/sh\nenv -0 | grep -z -a ^PLUGIN_ | sort -z > '{}'\n",
        notes.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn settings_arrive_as_text_joined_by_commas_or_as_json() {
    let scratch = Scratch::new("exec");
    let pipeline = format!(
        r#"
skip_clone: true
steps:
  - name: verify
    image: {}
    settings:
      repo: registry.test/app
      tags: [latest, "1.10"]
      allow-missing: []
      same_digest: false
      attempts: 3
      backoff: 1.5
      username: ~
      images: |
        registry.test/app:1
        registry.test/app:2
      variables: {{tag: v1, number: 3}}
      password: {{from_secret: password}}
      logins:
        - registry: registry.test
          username: 6543
          password: {{from_secret: password}}
"#,
        notary(scratch.path())
    );
    let output = exec(scratch.path(), &pipeline);
    let notes = std::fs::read_to_string(scratch.path().join("notes"))
        .unwrap_or_else(|_| panic!("{output:?}"));
    let expected = [
        "PLUGIN_ALLOW_MISSING=",
        "PLUGIN_ATTEMPTS=3",
        "PLUGIN_BACKOFF=1.5",
        "PLUGIN_IMAGES=registry.test/app:1\nregistry.test/app:2\n",
        r#"PLUGIN_LOGINS=[{"password":"hunter,2\\","registry":"registry.test","username":6543}]"#,
        r"PLUGIN_PASSWORD=hunter,2\",
        "PLUGIN_REPO=registry.test/app",
        "PLUGIN_SAME_DIGEST=false",
        "PLUGIN_TAGS=latest,1.10",
        r#"PLUGIN_VARIABLES={"number":3,"tag":"v1"}"#,
    ];
    assert_eq!(
        notes.trim_end_matches('\0').split('\0').collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn the_program_understands_what_arrives() {
    let registry = Distribution::htpasswd();
    let image = registry.image("team/app:1.10", &platforms(2));
    registry.push("team/app:latest", &image);
    let scratch = Scratch::new("exec");
    let pipeline = format!(
        r#"
skip_clone: true
steps:
  - name: verify
    image: {}
    settings:
      repo: {}
      tags: [latest, "1.10"]
      platforms: [linux/amd64, linux/arm64]
      allow-missing: []
      same_digest: true
      settle: 0
      backoff: 10ms
      logins:
        - registry: {}
          username: {USERNAME}
          password: {{from_secret: registry_password}}
      report: {}
"#,
        binary().display(),
        registry.reference("team/app"),
        registry.host(),
        scratch.path().join("report.json").display(),
    );
    let output = exec(scratch.path(), &pipeline);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = std::fs::read_to_string(scratch.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["result"], "passed");
    let references: Vec<_> = report["repositories"][0]["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| &image["reference"])
        .collect();
    assert_eq!(
        references,
        [
            &registry.reference("team/app:latest"),
            &registry.reference("team/app:1.10")
        ]
    );
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        !said.contains("unknown setting") && !said.contains(REGISTRY_PASSWORD),
        "{said}"
    );
}

#[test]
fn a_plugin_that_fails_fails_the_run() {
    let scratch = Scratch::new("exec");
    let pipeline =
        "skip_clone: true\nsteps: [{name: verify, image: 'false', settings: {repo: a}}]\n";
    let output = exec(scratch.path(), pipeline);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("exit code 1"), "{said}");
}
