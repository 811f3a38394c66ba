//! The pipelines in `examples/`, run by the real server: only what a test cannot have is replaced.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::server::Woodpecker;
use crate::support::command::binary;
use crate::support::distribution::{Distribution, PASSWORD, USERNAME, write_layout};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

const TARGET: &str = include_str!("../../../examples/woodpecker-rebuild-target.yaml");
const CALLER: &str = include_str!("../../../examples/woodpecker-rebuild-caller.yaml");
const BY_HAND: &str = include_str!("../../../examples/woodpecker-rebuild.sh");

/// The image of this version.
const PUBLISHED: &str = concat!("ghcr.io/pullproof/pullproof:", env!("CARGO_PKG_VERSION"));

/// A registry that wants a login, and a repository with the example of a rebuild in it.
struct Example {
    registry: Distribution,
    image: Image,
    woodpecker: Woodpecker,
    scratch: Scratch,
}

impl Example {
    fn new() -> Self {
        let registry = Distribution::htpasswd();
        let image = platforms(2).make();
        let scratch = Scratch::new("builder");
        let woodpecker = Woodpecker::start();
        let own = Self {
            registry,
            image,
            woodpecker,
            scratch,
        };
        let builder = own.builder();
        let target = own.adapted(
            TARGET,
            &[("woodpeckerci/plugin-docker-buildx:6.1.1", &builder)],
        );
        // There is nothing to build, and the local backend has no git to clone with.
        own.woodpecker
            .forge
            .workflow("rebuild", &format!("skip_clone: true\n{target}"));
        own.woodpecker
            .secret("registry_username", USERNAME, &["manual", "cron"]);
        own.woodpecker
            .secret("registry_password", PASSWORD, &["manual", "cron"]);
        own
    }

    /// A plugin that takes the settings of the build plugin, and pushes the image as if it had
    /// built it.
    fn builder(&self) -> String {
        write_layout(&self.scratch, &self.image);
        let path = self.scratch.path();
        let copy = "skopeo --insecure-policy copy --all --preserve-digests --quiet --dest-tls-verify=false";
        let login = r#"--dest-creds "$PLUGIN_USERNAME:$PLUGIN_PASSWORD""#;
        let (from, to) = (
            format!("oci:{}:pushed", path.display()),
            r#""docker://$PLUGIN_REPO:$PLUGIN_TAGS""#,
        );
        executable(
            &path.join("builder"),
            &format!("#!/bin/sh\nexec {copy} {login} {from} {to}\n"),
        )
    }

    /// An example with the names of this test in the place of its own.
    fn adapted(&self, text: &str, more: &[(&str, &str)]) -> String {
        let program = binary().display().to_string();
        let own = [
            ("registry.example", &*self.registry.host()),
            (PUBLISHED, &program),
        ];
        replaced(text, own.iter().chain(more))
    }
}

/// Writes a program, and says where it is.
fn executable(path: &Path, script: &str) -> String {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A text with other words, all of which must have been in it.
#[track_caller]
fn replaced<'a>(text: &str, words: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    words.into_iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old} is not in\n{text}");
        text.replace(old, new)
    })
}

#[test]
fn the_target_runs_for_its_variable_and_not_for_manual_starts() {
    let example = Example::new();
    let woodpecker = &example.woodpecker;
    for variables in [json!({}), json!({"REBUILD": "other"})] {
        let answer = woodpecker.trigger("main", &variables);
        assert_eq!(
            (answer.status, answer.header("Pipeline-Filtered")),
            (204, Some("true")),
            "{variables}"
        );
    }
    let path = example.scratch.path();
    std::fs::write(path.join("token"), format!("{}\n", woodpecker.token)).unwrap();
    let names = [
        ("https://ci.example", &*woodpecker.url),
        ("team/app@main", "infra/image@main"),
    ];
    let script = executable(&path.join("by-hand"), &replaced(BY_HAND, &names));
    let directory = binary().parent().unwrap().display().to_string();
    let finished = Command::new(script)
        .env_clear()
        .env(
            "PATH",
            format!("{directory}:{}", std::env::var("PATH").unwrap()),
        )
        .env("HOME", path)
        .env("WOODPECKER_TOKEN_FILE", path.join("token"))
        .env("PLUGIN_POLL_INTERVAL", "100ms")
        .output()
        .unwrap();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let pipeline = woodpecker.pipeline(1);
    let log = woodpecker.log_to_the_verdict(&pipeline, "verify");
    assert!(
        log.contains(&format!(
            "{}/team/app:latest: passed",
            example.registry.host()
        )),
        "{log}"
    );
    assert!(
        log.lines()
            .any(|line| line.starts_with("pullproof: PASSED: 1 image, ")),
        "{log}"
    );
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn the_caller_finds_the_image_broken_and_the_target_fixes_it() {
    let mut example = Example::new();
    example.registry.push("team/app:latest", &example.image);
    example.registry.stop().garbage_collect_untagged().start();
    // Only to save time.
    let quick = (
        "wait_timeout: 45m",
        "wait_timeout: 45m\n      poll_interval: 100ms\n      settle: 0s",
    );
    let caller = example.adapted(CALLER, &[("team/app@main", "infra/image@main"), quick]);
    let woodpecker = &example.woodpecker;
    woodpecker.forge.workflow("integrity", &caller);
    woodpecker.secret("woodpecker_token", &woodpecker.token, &["cron"]);
    let nightly = woodpecker.finished(woodpecker.run_cron("nightly"));
    let log = woodpecker.log_to_the_verdict(&nightly, "verify, rebuild when broken");
    assert_eq!(
        (&nightly["status"], woodpecker.pipelines()),
        (&json!("success"), vec![2, 1]),
        "{log}"
    );
    let rebuilt = woodpecker.pipeline(2);
    let workflows: Vec<_> = rebuilt["workflows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(workflows, ["rebuild"]);
    let said = [
        "before the rebuild:",
        "FAILED: 1 of 1 image cannot be pulled",
        "pipeline 2: success",
        "PASSED: 1 image",
    ];
    let places = said.map(|words| {
        log.find(words)
            .unwrap_or_else(|| panic!("{words:?} is not in\n{log}"))
    });
    assert!(places.is_sorted(), "{log}");
    assert!(
        ![PASSWORD, &woodpecker.token]
            .iter()
            .any(|secret| log.contains(secret)),
        "{log}"
    );
}
