//! CONTRIBUTING.md: where a change goes, the glossary, and the targets of the Makefile.

use std::path::Path;

use super::text;

/// The first two cells of every row in a section's table.
#[track_caller]
fn rows(page: &str, heading: &str) -> Vec<(String, String)> {
    let (_, section) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("there is no {heading}"));
    let section = section.split("\n## ").next().unwrap_or(section);
    section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|row| {
            let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
            let mut cell = || cells.next().unwrap_or_default().to_owned();
            (cell(), cell())
        })
        .collect()
}

#[test]
fn every_change_has_at_most_three_rooms_and_all_exist() {
    let changes = rows(&text("CONTRIBUTING.md"), "Where does a change go");
    let names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "a new setting",
            "a new verdict",
            "a strange 404",
            "a new output format",
            "a wrong hint",
            "another CI system",
        ]
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (change, places) in &changes {
        let quoted: Vec<&str> = places.split('`').skip(1).step_by(2).collect();
        let rooms: Vec<&str> = quoted
            .iter()
            .copied()
            .filter(|name| name.ends_with('/'))
            .collect();
        assert!((1..=3).contains(&rooms.len()), "{change}: {rooms:?}");
        for room in &rooms {
            assert!(source.join(room).is_dir(), "{change}: {room}");
        }
        for file in quoted.iter().filter(|name| !name.contains('/')) {
            let exists = rooms
                .iter()
                .any(|room| source.join(room).join(file).exists());
            assert!(exists, "{change}: {file}");
        }
    }
}

#[test]
fn the_glossary_has_one_sentence_for_each_word() {
    let glossary = rows(&text("CONTRIBUTING.md"), "Glossary");
    let words: Vec<&str> = glossary.iter().map(|(word, _)| word.as_str()).collect();
    let expected = [
        "broken",
        "undecided",
        "warning",
        "affected",
        "depth",
        "settle",
    ];
    assert_eq!(words, expected);
    for (word, meaning) in &glossary {
        assert_eq!(meaning.matches(". ").count(), 0, "{word}: {meaning}");
        assert!(meaning.ends_with('.'), "{word}: {meaning}");
    }
}

#[test]
fn every_make_target_in_the_documents_is_in_the_makefile() {
    let makefile = text("Makefile");
    for page in ["CONTRIBUTING.md", "README.md"] {
        let page_text = text(page);
        let targets: Vec<&str> = page_text
            .lines()
            .filter_map(|line| line.strip_prefix("make "))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(
            targets.contains(&"demo") && targets.contains(&"test"),
            "{page}"
        );
        for target in targets {
            assert!(
                makefile.contains(&format!("\n{target}: ## ")),
                "{page}: {target}"
            );
        }
    }
}
