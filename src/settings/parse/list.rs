//! Lists and maps, as JSON, lines or commas.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde_json::value::RawValue;

/// A list: a JSON array, or lines with `#` comments and commas, `\,` for a literal comma; empty
/// items are dropped.
pub(crate) fn list(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) => {
                let items: Option<Vec<_>> = items
                    .into_iter()
                    .filter(|item| item.get() != "null")
                    .map(scalar)
                    .collect();
                return items.as_deref().map(dropping_empty);
            }
            Err(_) if !starts_with_ipv6(text) => return None,
            Err(_) => {}
        }
    }
    Some(dropping_empty(
        &lines(text)
            .flat_map(|line| split(line, ','))
            .collect::<Vec<_>>(),
    ))
}

/// A text, number or boolean of JSON as text: a number as it was written, because the tag `1.10` is
/// not `1.1`.
fn scalar(value: &RawValue) -> Option<String> {
    let written = value.get();
    match written.chars().next()? {
        '"' => serde_json::from_str(written).ok(),
        '[' | '{' => None,
        _ => Some(written.to_owned()),
    }
}

fn dropping_empty(items: &[String]) -> Vec<String> {
    items
        .iter()
        .map(|item| item.trim())
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Whether the text is `[address]…` rather than a broken JSON array.
fn starts_with_ipv6(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok())
}

/// The lines without their comments: `#` at the start or after a blank.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| {
        let comment = line.char_indices().find(|&(at, letter)| {
            letter == '#'
                && line[..at]
                    .chars()
                    .next_back()
                    .is_none_or(char::is_whitespace)
        });
        comment.map_or(line, |(at, _)| &line[..at])
    })
}

/// The pieces between separators, where a backslash takes a separator literally.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let last = pieces.last_mut().expect("there is a piece from the start");
        if letter == '\\' && letters.peek() == Some(&separator) {
            last.push(separator);
            letters.next();
        } else if letter == separator {
            pieces.push(String::new());
        } else {
            last.push(letter);
        }
    }
    pieces
}

/// A map: a JSON object, or `NAME=value` entries, one per line or separated by commas on one line.
pub(crate) fn map(text: &str) -> Option<BTreeMap<String, String>> {
    if text.starts_with('{') {
        let object: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        return object
            .into_iter()
            .filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| Some((name, scalar(value)?)))
            .filter(|entry| !matches!(entry, Some((name, _)) if name.is_empty()))
            .collect();
    }
    let entries = if text.starts_with('[') {
        list(text)?
    } else if text.contains('\n') {
        dropping_empty(&lines(text).map(str::to_owned).collect::<Vec<_>>())
    } else {
        dropping_empty(&split(text, ','))
    };
    entries
        .iter()
        .map(|entry| {
            let (name, value) = entry.split_once('=')?;
            (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_json_lines_or_commas() {
        let items: &[&str] = &["a", "b"];
        for text in [
            "a,b",
            " a , b ",
            "a,,b,",
            "a\nb",
            "a\r\nb\r\n",
            "# first\na # the one\n\nb",
            "a,\nb",
            r#"["a","b"]"#,
            r#"["a",null," b ",""]"#,
        ] {
            assert_eq!(list(text).unwrap(), items, "{text:?}");
        }
        assert_eq!(list(r"a\,b,c\d").unwrap(), ["a,b", r"c\d"]);
        assert_eq!(
            list(r#"[1, 2.5, true, "x,y"]"#).unwrap(),
            ["1", "2.5", "true", "x,y"]
        );
        assert_eq!(
            list("[1.10, 1e5, 20240131123456789012]").unwrap(),
            ["1.10", "1e5", "20240131123456789012"]
        );
        assert_eq!(list("a#b").unwrap(), ["a#b"]);
        assert_eq!(
            list("[::1]:5000/app:1,[::2]/b").unwrap(),
            ["[::1]:5000/app:1", "[::2]/b"]
        );
        assert!(list("").unwrap().is_empty());
        assert!(list("[]").unwrap().is_empty());
        assert!(list(" , ,\n# nothing").unwrap().is_empty());
    }

    #[test]
    fn a_broken_json_list_is_not_taken_as_text() {
        for text in [
            r#"["a""#,
            "[a, b]",
            r#"[["a"]]"#,
            r#"[{"a":1}]"#,
            "[",
            "[]x",
        ] {
            assert_eq!(list(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_map_is_json_or_entries() {
        let expected = BTreeMap::from([
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "x=y".to_owned()),
        ]);
        for text in [
            r#"{"A":1,"B":"x=y"}"#,
            r#"{"A":"1","B":"x=y","C":null}"#,
            "A=1,B=x=y",
            "A=1\nB=x=y # why",
            r#"["A=1","B=x=y"]"#,
        ] {
            assert_eq!(map(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(map("A=1,2\nB=\\,").unwrap()["A"], "1,2");
        assert_eq!(map(r"A=1\,2").unwrap()["A"], "1,2");
        assert_eq!(map("A=").unwrap()["A"], "");
        assert!(map("").unwrap().is_empty());
        for text in [
            "A",
            "=1",
            "A=1,B",
            r#"{"A":{"B":1}}"#,
            r#"{"A":1"#,
            r#"[{"A":1}]"#,
        ] {
            assert_eq!(map(text), None, "{text:?}");
        }
    }
}
