//! Links between the documents: every target and every anchor exists.

use std::path::{Component, Path, PathBuf};

use super::page::{anchors, headings, links};
use super::text;

/// Every Markdown page that a person reads, relative to the project's root.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![
        root.to_owned(),
        root.join("docs"),
        root.join("docs/ci"),
        root.join("docs/runbooks"),
        root.join("examples"),
        root.join("plugin"),
    ];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let page = path.strip_prefix(root).unwrap();
                pages.push(page.to_str().unwrap().to_owned());
            }
        }
    }
    pages.sort();
    pages
}

/// The file that a link on `page` leads to, relative to the project's root, and its anchor.
fn target(page: &str, link: &str) -> (String, Option<String>) {
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    if path.is_empty() {
        return (page.to_owned(), anchor);
    }
    let mut resolved = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(path).components() {
        match part {
            Component::ParentDir => assert!(resolved.pop(), "{page}: {link} leaves the project"),
            part => resolved.push(part),
        }
    }
    (resolved.to_str().unwrap().to_owned(), anchor)
}

#[test]
fn every_link_has_a_target_and_every_anchor_a_heading() {
    let pages = pages();
    for known in ["README.md", "docs/ci/github.md", "examples/README.md"] {
        assert!(pages.iter().any(|page| page == known), "{pages:?}");
    }
    let mut checked = 0;
    for page in &pages {
        for link in links(&text(page)) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = target(page, &link);
            let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).exists();
            assert!(exists, "{page}: {link}");
            if let Some(anchor) = anchor {
                assert!(anchors(&text(&path)).contains(&anchor), "{page}: {link}");
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn every_page_of_the_documentation_is_linked_from_the_readme() {
    let links: Vec<String> = links(&text("README.md"))
        .iter()
        .map(|link| target("README.md", link).0)
        .collect();
    for page in pages().iter().filter(|page| page.starts_with("docs/")) {
        assert!(links.contains(page), "{page}");
    }
}

#[test]
fn a_table_of_contents_lists_every_section_in_order() {
    for page in [
        "README.md",
        "docs/audit.md",
        "docs/ci/github.md",
        "docs/ci/woodpecker.md",
        "docs/how-it-works.md",
        "docs/rebuild.md",
        "docs/troubleshooting.md",
    ] {
        let page_text = text(page);
        let contents: Vec<(String, String)> = page_text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("- [")?
                    .strip_suffix(')')?
                    .split_once("](#")
            })
            .map(|(title, anchor)| (title.to_owned(), anchor.to_owned()))
            .collect();
        let sections: Vec<(String, String)> = headings(&page_text)
            .into_iter()
            .zip(anchors(&page_text))
            .filter(|((level, title), _)| *level == 2 && title != "Contents")
            .map(|((_, title), anchor)| (title, anchor))
            .collect();
        assert!(sections.len() > 2, "{page}");
        assert_eq!(contents, sections, "{page}");
    }
}
