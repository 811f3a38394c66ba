//! SECURITY.md: every test that it names exists, and what it says about the package is so.

use std::path::Path;

use super::text;

/// The source of a group of tests: integration tests first, then unit tests, then those that need a
/// container engine.
fn source(group: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = group.replace("::", "/");
    let files = ["tests/it", "src", "tests/e2e"]
        .into_iter()
        .flat_map(|folder| {
            [
                root.join(folder).join(format!("{path}.rs")),
                root.join(folder).join(format!("{path}/mod.rs")),
            ]
        });
    files
        .into_iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = text("SECURITY.md");
    let tables = page.split("\n\n").filter(|part| {
        part.lines()
            .next()
            .is_some_and(|head| head.ends_with("| tested by |"))
    });
    let rows: Vec<&str> = tables.flat_map(|table| table.lines().skip(2)).collect();
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {row}");
        for name in names {
            let (group, test) = match name.strip_suffix("::") {
                Some(group) => (group, None),
                None => name
                    .rsplit_once("::")
                    .map(|(group, test)| (group, Some(test)))
                    .unwrap(),
            };
            let source = source(group).unwrap_or_else(|| panic!("there are no tests {group}"));
            assert!(
                test.is_none_or(|test| source.contains(&format!("fn {test}()"))),
                "there is no test {name}"
            );
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_and_tls_is_rustls_with_ring() {
    let manifest = text("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    let lock = text("Cargo.lock");
    for (package, is_there) in [
        ("rustls", true),
        ("ring", true),
        ("openssl-sys", false),
        ("native-tls", false),
        ("aws-lc-rs", false),
    ] {
        let name = format!("\nname = \"{package}\"\n");
        assert_eq!(lock.contains(&name), is_there, "{package}");
    }
}

#[test]
fn dependencies_are_limited_by_licence_source_and_advisories() {
    let rules = text("deny.toml");
    for section in ["[advisories]", "[licenses]", "[sources]", "[bans]"] {
        assert!(rules.contains(section), "{section}");
    }
    assert!(rules.contains("unknown-registry = \"deny\""), "{rules}");
    assert!(rules.contains("unknown-git = \"deny\""), "{rules}");
}
