//! What is released: in which order, from what, and which version the documents name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_norway::Value;

use super::text;
use crate::support::distribution::require_success;
use crate::support::scratch::Scratch;

fn jobs() -> BTreeMap<String, Value> {
    let workflow: Value = serde_norway::from_str(&text(".github/workflows/release.yml")).unwrap();
    serde_norway::from_value(workflow["jobs"].clone()).unwrap()
}

/// The jobs that have to succeed before this one starts.
fn before(jobs: &BTreeMap<String, Value>, name: &str) -> BTreeSet<String> {
    let needs = match &jobs[name]["needs"] {
        Value::String(one) => vec![one.clone()],
        Value::Sequence(several) => several
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    let further: Vec<_> = needs.iter().flat_map(|need| before(jobs, need)).collect();
    needs.into_iter().chain(further).collect()
}

/// Everything that a job runs or uses.
fn steps(job: &Value) -> String {
    let steps = job["steps"].as_sequence().unwrap().iter();
    let words = steps.flat_map(|step| [step["uses"].as_str(), step["run"].as_str()]);
    words.flatten().collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_built_before_the_tests_pass_and_nothing_is_tagged_before_all_else() {
    let jobs = jobs();
    assert_eq!(jobs["test"]["uses"], "./.github/workflows/ci.yml");
    for name in jobs.keys().filter(|name| *name != "test") {
        assert!(before(&jobs, name).contains("test"), "{name}");
    }
    let others: BTreeSet<_> = jobs.keys().filter(|name| *name != "tag").cloned().collect();
    assert_eq!(before(&jobs, "tag"), others);
    let ci: Value = serde_norway::from_str(&text(".github/workflows/ci.yml")).unwrap();
    assert!(ci["on"].get("workflow_call").is_some());
}

#[test]
fn images_are_verified_then_signed_and_archives_attested() {
    let jobs = jobs();
    let images = steps(&jobs["images"]);
    let places = [
        "imagetools create",
        "\" verify ",
        "cosign sign ",
        "cosign verify ",
    ]
    .map(|words| {
        images
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {images}"))
    });
    assert!(places.is_sorted(), "{images}");
    let archives = steps(&jobs["archives"]);
    let places = [
        "make completions",
        "scripts/archive",
        "actions/attest-build-provenance@",
    ]
    .map(|words| {
        archives
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {archives}"))
    });
    assert!(places.is_sorted(), "{archives}");
    for name in ["images", "archives"] {
        assert_eq!(jobs[name]["permissions"]["id-token"], "write", "{name}");
    }
}

#[test]
fn base_images_are_pinned_by_digest() {
    let dockerfile = text("Dockerfile");
    let bases: Vec<_> = ["BUILDER", "SHELL_BASE"]
        .iter()
        .map(|argument| {
            let (_, rest) = dockerfile
                .split_once(&format!("\nARG {argument}="))
                .unwrap();
            rest.lines().next().unwrap()
        })
        .collect();
    for base in bases {
        let (name, digest) = base
            .split_once("@sha256:")
            .unwrap_or_else(|| panic!("{base}"));
        assert!(
            name.contains(':'),
            "{base} names no tag for Renovate to follow"
        );
        assert_eq!(digest.len(), 64, "{base}");
    }
    for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
        let from = line.split(' ').nth(1).unwrap();
        assert!(
            ["${BUILDER}", "${SHELL_BASE}", "scratch", "program"].contains(&from),
            "{line}"
        );
    }
}

/// The pages and pipelines in these folders, without those below.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "",
        "docs",
        "docs/ci",
        "docs/runbooks",
        "examples",
        "examples/operations",
        "plugin",
    ];
    let entries = folders
        .iter()
        .flat_map(|folder| root.join(folder).read_dir().unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("md" | "yaml" | "sh")) && !path.ends_with("CHANGELOG.md")
        })
        .collect()
}

#[test]
fn every_use_of_the_image_and_of_the_action_names_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let mut found = 0;
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let uses = |mark: &'static str| text.split(mark).skip(1);
        let after = ["image: ", "name: ", "docker run --rm ", "\n  "]
            .into_iter()
            .flat_map(uses)
            .filter_map(|rest| rest.strip_prefix("ghcr.io/pullproof/pullproof"))
            .map(|rest| (':', rest))
            .chain(uses("uses: pullproof/pullproof").map(|rest| ('@', rest)));
        for (separator, rest) in after {
            let named = rest
                .strip_prefix(separator)
                .map(|rest| rest.trim_start_matches('v'))
                .and_then(|rest| rest.strip_prefix(version));
            assert!(
                named.is_some_and(|rest| rest.starts_with(['\n', ' ', '-'])),
                "{}: {}",
                page.display(),
                rest.lines().next().unwrap_or_default()
            );
            found += 1;
        }
    }
    assert!(found > 25, "{found}");
}

#[test]
fn other_plugins_in_the_documents_name_their_version() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for rest in text.split("image: woodpeckerci/").skip(1) {
            let image = rest.split_whitespace().next().unwrap();
            let (_, version) = image.split_once(':').unwrap_or_else(|| panic!("{image}"));
            assert_eq!(version.split('.').count(), 3, "{}: {image}", page.display());
        }
    }
}

#[test]
fn every_version_in_scripts_and_workflows_is_one_that_renovate_bumps() {
    let renovate: Value = serde_norway::from_str(&text("renovate.json")).unwrap();
    let managers = renovate["customManagers"].as_sequence().unwrap();
    assert_eq!(managers.len(), 2);
    let mut found = 0;
    for file in [
        "scripts/lint-dependencies",
        "scripts/lint-workflows",
        ".github/workflows/ci.yml",
    ] {
        let text = text(file);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (comment, line) in lines.iter().zip(&lines[1..]) {
            if line.contains("_version=") || line.starts_with("RUST: ") {
                let expected = "# renovate: datasource=";
                assert!(comment.starts_with(expected), "{file}: {line}");
                assert!(comment.contains(" depName="), "{file}: {line}");
                found += 1;
            }
        }
    }
    assert_eq!(found, 5);
}

/// Runs `scripts/archive` in a directory with what a build and `make completions` leave.
fn archive(scratch: &Path) -> Vec<u8> {
    let built = scratch.join("built");
    let completions = scratch.join("completions");
    std::fs::create_dir_all(built.join("licenses")).unwrap();
    std::fs::create_dir_all(&completions).unwrap();
    for file in [
        "pullproof",
        "licenses/pullproof.txt",
        "licenses/third-party.txt.gz",
    ] {
        std::fs::write(built.join(file), file).unwrap();
    }
    for file in [
        "pullproof.bash",
        "_pullproof",
        "pullproof.fish",
        "pullproof.1",
    ] {
        std::fs::write(completions.join(file), file).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/archive");
    let output = Command::new(script)
        .args(["1.2.3", "linux-arm64"])
        .arg(&built)
        .env("COMPLETIONS", &completions)
        .current_dir(scratch)
        .output()
        .unwrap();
    require_success(&output, "scripts/archive");
    std::fs::read(scratch.join("pullproof-1.2.3-linux-arm64.tar.gz")).unwrap()
}

#[test]
fn an_archive_has_the_program_its_licences_completions_and_man_page() {
    let scratch = Scratch::new("archive");
    archive(scratch.path());
    let output = Command::new("tar")
        .args([
            "--list",
            "--verbose",
            "--file",
            "pullproof-1.2.3-linux-arm64.tar.gz",
        ])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    require_success(&output, "tar");
    let listing = String::from_utf8(output.stdout).unwrap();
    let files: Vec<_> = listing
        .lines()
        .filter(|line| !line.ends_with('/'))
        .map(|line| {
            let (_, path) = line.split_once("pullproof-1.2.3-linux-arm64/").unwrap();
            (&line[..10], path)
        })
        .collect();
    let expected = [
        ("-rw-r--r--", "CHANGELOG.md"),
        ("-rw-r--r--", "README.md"),
        ("-rw-r--r--", "completions/_pullproof"),
        ("-rw-r--r--", "completions/pullproof.bash"),
        ("-rw-r--r--", "completions/pullproof.fish"),
        ("-rw-r--r--", "licenses/pullproof.txt"),
        ("-rw-r--r--", "licenses/third-party.txt.gz"),
        ("-rw-r--r--", "man/man1/pullproof.1"),
        ("-rwxr-xr-x", "pullproof"),
    ];
    assert_eq!(files, expected);
}

#[test]
fn the_same_input_makes_the_same_archive() {
    let [one, other] = ["archive", "again"].map(|name| archive(Scratch::new(name).path()));
    assert!(one == other && !one.is_empty());
}
