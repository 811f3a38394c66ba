//! DESIGN.md: no package and no room of the house is without its reason.

use std::path::Path;

use super::text;

#[test]
fn every_dependency_has_its_reason() {
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
fn every_room_is_on_the_map() {
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

#[test]
fn links_between_the_documents_lead_somewhere() {
    for page in [
        "README.md",
        "DESIGN.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        let page_text = text(page);
        for target in page_text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with("https://") {
                continue;
            }
            if let Some(anchor) = target.strip_prefix('#') {
                let is_it = |line: &str| {
                    line.trim_start_matches('#')
                        .trim()
                        .to_lowercase()
                        .replace(' ', "-")
                        == anchor
                };
                assert!(page_text.lines().any(is_it), "{page}: #{anchor}");
            } else {
                assert!(
                    Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(),
                    "{page}: {target}"
                );
            }
        }
    }
}
