//! The images: their size, entry points, labels and users.

use std::process::Command;

use super::docker::{NONROOT, PROGRAM, SHELL, container, docker};
use crate::support::scratch::Scratch;

fn inspect(image: &str, format: &str) -> String {
    docker(["image", "inspect", "--format", format, image])
        .exits(0)
        .stdout
        .trim_end()
        .to_owned()
}

#[test]
fn the_image_is_smaller_than_8_megabytes() {
    let size: u64 = inspect(PROGRAM, "{{.Size}}").parse().unwrap();
    assert!(size < 8_000_000, "{size} bytes");
}

#[test]
fn every_flavour_starts_the_program_by_its_absolute_path_and_nothing_else() {
    for image in [PROGRAM, NONROOT, SHELL] {
        assert_eq!(
            inspect(image, "{{json .Config.Entrypoint}} {{json .Config.Cmd}}"),
            r#"["/pullproof"] null"#
        );
    }
}

#[test]
fn only_the_nonroot_flavour_names_a_user_and_by_number() {
    let users = [PROGRAM, NONROOT, SHELL].map(|image| inspect(image, "{{.Config.User}}"));
    assert_eq!(users, ["", "65532:65532", ""]);
}

#[test]
fn labels_say_what_it_is_and_where_it_came_from() {
    for image in [PROGRAM, NONROOT, SHELL] {
        for (label, value) in [
            ("title", "pullproof"),
            ("version", "0.0.0-e2e"),
            ("source", "https://example.com/pullproof"),
            ("licenses", "Apache-2.0"),
        ] {
            let format =
                format!("{{{{index .Config.Labels \"org.opencontainers.image.{label}\"}}}}");
            assert_eq!(inspect(image, &format), value, "{image}: {label}");
        }
    }
}

#[test]
fn every_flavour_says_its_version() {
    let version = format!("pullproof {}\n", env!("CARGO_PKG_VERSION"));
    for image in [PROGRAM, NONROOT, SHELL] {
        assert_eq!(container(image).run(&["version"]).exits(0).stdout, version);
    }
}

#[test]
fn the_shell_flavour_has_what_runners_start_containers_with() {
    let script = "env | grep -q ^PATH= && echo a | tail -n 1 > /dev/null && pullproof version";
    let finished = container(SHELL)
        .flags(["--entrypoint", ""])
        .run(&["sh", "-c", script])
        .exits(0);
    assert!(finished.stdout.starts_with("pullproof "), "{finished:?}");
}

/// The packages that are linked into the program on this processor, as `name version`.
fn linked() -> Vec<String> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--format", "{p}", "--target", &target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    let packages = tree.lines().skip(1);
    packages
        .map(|line| line.trim_end_matches(" (*)").replacen(" v", " ", 1))
        .collect()
}

#[test]
fn every_flavour_has_the_licences_of_what_is_linked() {
    let packages = linked();
    assert!(packages.len() > 100, "{packages:?}");
    for image in [PROGRAM, NONROOT, SHELL] {
        let scratch = Scratch::new("licences");
        let created = docker(["create", image]).exits(0).stdout;
        let from = format!("{}:/licenses", created.trim());
        docker(["cp", &from, &scratch.path().display().to_string()]).exits(0);
        docker(["rm", created.trim()]).exits(0);
        let licences = scratch.path().join("licenses");
        let compressed = licences.join("third-party.txt.gz");
        let unpacked = Command::new("gunzip").arg(compressed).status().unwrap();
        assert!(unpacked.success(), "{image}");
        let read = |name: &str| std::fs::read_to_string(licences.join(name)).unwrap();
        assert_eq!(read("pullproof.txt"), include_str!("../../../LICENSE"));
        let texts = read("third-party.txt");
        for package in &packages {
            let listed = texts.contains(&format!("\n{package}: "));
            let with_text = texts.contains(&format!("\n{package}\n"));
            assert!(listed && with_text, "{image}: {package}");
        }
        for words in [
            "copyright notice and this permission notice shall be included",
            "Copyright notices for The Rust Standard Library",
            "GNU LESSER GENERAL PUBLIC LICENSE",
        ] {
            assert!(texts.contains(words), "{image}: {words}");
        }
    }
}
