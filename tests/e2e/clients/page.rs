//! The table in docs/clients.md, as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::pull::{ALL, Client};

const MARKS: (&str, &str) = ("<!-- clients:begin -->\n", "<!-- clients:end -->");

/// How a cell begins where the client pulls.
pub(super) const PULLS: &str = "pulls";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md")
}

/// What is before the marks, between and after them.
fn parts() -> [String; 3] {
    let page = fs::read_to_string(path()).expect("the page is there");
    let (before, rest) = page.split_once(MARKS.0).expect("the page has marks");
    let (between, after) = rest.split_once(MARKS.1).expect("the page has marks");
    [before, between, after].map(str::to_owned)
}

/// Puts another table into the page.
pub(super) fn rewrite(table: &str) {
    let [before, _, after] = parts();
    let text = format!("{before}{}\n{table}\n{}{after}", MARKS.0, MARKS.1);
    fs::write(path(), text).expect("the page can be written");
}

/// The cells of each image: what is served, and what each client does.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) words: BTreeMap<Client, String>,
}

/// The page's table, by the images' names.
pub(super) fn written() -> BTreeMap<String, Row> {
    let [_, between, _] = parts();
    let mut lines = between.lines().filter(|line| line.starts_with("| "));
    let titles = cells(lines.next().unwrap_or_default());
    let rows = lines.map(|line| {
        let cells = cells(line);
        let words = titles.iter().zip(&cells).filter_map(|(title, cell)| {
            let client = ALL.into_iter().find(|client| client.title() == title)?;
            Some((client, cell.clone()))
        });
        let row = Row {
            what: cells.get(1).cloned().unwrap_or_default(),
            words: words.collect(),
        };
        (cells[0].trim_matches('`').to_owned(), row)
    });
    rows.collect()
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|')
        .split(" | ")
        .map(|cell| cell.trim().to_owned())
        .collect()
}
