//! A Markdown page: its blocks, headings and links, and the parts of it that are generated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Only one test at a time rewrites a page.
static WRITING: Mutex<()> = Mutex::new(());

/// The fenced blocks of one language, in order, without their indentation.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let fence = line.trim_start();
        let Some(info) = fence.strip_prefix("```") else {
            continue;
        };
        let indentation = line.len() - fence.len();
        let block: Vec<_> = lines
            .by_ref()
            .take_while(|line| line.trim() != "```")
            .collect();
        if info == language {
            blocks.push(
                block
                    .iter()
                    .map(|line| line.get(indentation..).unwrap_or_default())
                    .collect::<Vec<_>>()
                    .join("\n"),
            );
        }
    }
    blocks
}

/// The lines outside of fenced blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Level and text of every heading, in order.
pub(crate) fn headings(page: &str) -> Vec<(usize, String)> {
    prose(page)
        .filter_map(|line| {
            let text = line.trim_start_matches('#');
            let level = line.len() - text.len();
            (level > 0 && text.starts_with(' ')).then(|| (level, text.trim().to_owned()))
        })
        .collect()
}

/// The anchor of every heading, in order, as GitHub makes them.
pub(crate) fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (_, text) in headings(page) {
        let anchor: String = text
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let earlier = seen.entry(anchor.clone()).or_default();
        anchors.push(if *earlier == 0 {
            anchor
        } else {
            format!("{anchor}-{earlier}")
        });
        *earlier += 1;
    }
    anchors
}

/// The targets of all links, in order.
pub(crate) fn links(page: &str) -> Vec<String> {
    let lines: Vec<&str> = prose(page).collect();
    let text = lines.join("\n");
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

/// The headings that are nothing but code, below the heading of that name.
#[track_caller]
pub(crate) fn quoted_headings(page: &str, below: &str) -> Vec<String> {
    let (_, rest) = page
        .split_once(&format!("\n{below}\n"))
        .unwrap_or_else(|| panic!("there is no {below}"));
    let section = rest.split("\n## ").next().unwrap_or(rest);
    headings(section)
        .into_iter()
        .filter(|(_, heading)| heading.starts_with('`') && heading.ends_with('`'))
        .map(|(_, heading)| heading.trim_matches('`').trim().to_owned())
        .collect()
}

/// Compares the text between two marks of a page with `expected`, both after `comparable`.
/// `PULLPROOF_UPDATE_DOCS=1` rewrites it instead.
#[track_caller]
pub(crate) fn is_current(page: &str, mark: &str, expected: &str, comparable: fn(&str) -> String) {
    let _lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        format!("<!-- {mark}:begin -->\n"),
        format!("<!-- {mark}:end -->"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (between, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{page} has no {end}"));
    if comparable(between) == comparable(expected) {
        return;
    }
    if std::env::var_os("PULLPROOF_UPDATE_DOCS").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    } else {
        assert_eq!(
            between, expected,
            "{page} is not up to date: PULLPROOF_UPDATE_DOCS=1 cargo test"
        );
    }
}

#[test]
fn blocks_are_found_by_their_language_and_lose_their_indentation() {
    let page = "a\n```yaml\nb: 1\n```\n1. c\n\n   ```yaml\n   - d\n     e\n   ```\n```sh\nf\n```\n";
    assert_eq!(blocks(page, "yaml"), ["b: 1", "- d\n  e"]);
    assert_eq!(blocks(page, "sh"), ["f"]);
}

#[test]
fn quoted_headings_are_read_from_one_section() {
    let page = "\n## A\n### `x`\n## B\n### y\n### `y …`\n### `` z `1` ``\n## C\n### `v`\n";
    assert_eq!(quoted_headings(page, "## B"), ["y …", "z `1`"]);
}

#[test]
fn anchors_are_those_of_github() {
    let page = "# A b-c\n```sh\n# not a heading\n```\n#no\n## `d`: e, f?\n## A b-c\n";
    assert_eq!(anchors(page), ["a-b-c", "d-e-f", "a-b-c-1"]);
}

#[test]
fn links_in_code_blocks_are_not_links() {
    let page = "[a](b.md#c) and [d](#e)\n```yaml\n[f](g)\n```\n- [h\ni](j)\n";
    assert_eq!(links(page), ["b.md#c", "#e", "j"]);
}
