//! The images: their size, entry points, labels and users.

use super::docker::{NONROOT, PROGRAM, SHELL, container, docker};

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
