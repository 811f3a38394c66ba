//! A page of markdown, taken apart, and rewritten where a part of it follows from something else.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Whoever rewrites a page has it alone.
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

/// The code in headings that are nothing but code, below the heading of that name.
pub(crate) fn quoted_headings(page: &str, below: &str) -> Vec<String> {
    let (_, rest) = page
        .split_once(&format!("\n{below}\n"))
        .unwrap_or_else(|| panic!("there is no {below}"));
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let headings = section
        .lines()
        .filter_map(|line| line.strip_prefix("#### "));
    headings
        .map(|heading| heading.trim_matches('`').trim().to_owned())
        .collect()
}

/// Holds what stands between two marks of a page against what it should be; `PULLPROOF_UPDATE_DOCS=1` writes it anew.
/// Both are compared as `comparable` leaves them.
#[track_caller]
pub(crate) fn holds(page: &str, mark: &str, expected: &str, comparable: fn(&str) -> String) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
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
fn headings_are_read_out_of_one_section() {
    let page = "\n## A\n#### `x`\n## B\n#### `y …`\n#### `` z `1` ``\n## C\n#### `v`\n";
    assert_eq!(quoted_headings(page, "## B"), ["y …", "z `1`"]);
}
