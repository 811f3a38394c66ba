//! docs/how-it-works.md: the table of verdicts is complete.

use pullproof::walk::verdict::Verdict;

use super::text;

#[test]
fn every_verdict_is_explained_and_in_order() {
    let page = text("docs/how-it-works.md");
    let (_, section) = page.split_once("\n## When an image passes\n").unwrap();
    let rows: Vec<(String, &str)> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(verdict, meaning)| (verdict.to_owned(), meaning))
        .collect();
    let expected: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| verdict.as_str().to_owned())
        .collect();
    let verdicts: Vec<&String> = rows.iter().map(|(verdict, _)| verdict).collect();
    assert_eq!(verdicts, expected.iter().collect::<Vec<_>>());
    for (verdict, (_, meaning)) in Verdict::ALL.iter().zip(rows) {
        let says = |word: &str| meaning.contains(&format!("| {word}"));
        assert_eq!(says("broken"), verdict.is_definite(), "{meaning}");
        assert_eq!(says("undecided"), verdict.is_undecided(), "{meaning}");
    }
}
