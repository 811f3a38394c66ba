//! DESIGN.md: every package has its reason, every room its purpose.

use std::path::Path;

use super::text;

#[test]
fn every_dependency_has_a_reason() {
    let (manifest, design) = (text("Cargo.toml"), text("DESIGN.md"));
    let sections = manifest
        .split("\n[")
        .filter(|section| section.starts_with("dependencies]") || section.starts_with("dev-"));
    let lines = sections.flat_map(|section| section.lines().skip(1));
    let names: Vec<_> = lines
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(
            design.contains(&format!("`{name}`")),
            "DESIGN.md does not say why {name}"
        );
    }
}

#[test]
fn every_room_is_in_the_table() {
    let design = text("DESIGN.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let name = if entry.path().is_dir() {
            format!("`{name}/`")
        } else {
            format!("`{name}`")
        };
        assert!(
            design.contains(&name),
            "DESIGN.md does not say what {name} holds"
        );
    }
}
