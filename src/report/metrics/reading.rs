//! What earlier runs said: read from a page of metrics that they, or a Pushgateway, have written.

use std::collections::BTreeMap;

use super::super::audit::MOST;
use super::{BROKEN_TAGS, FAILURES, IN_USE, Known, LAST_SUCCESS, REPOSITORY};

/// One line of a page.
#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, String>,
    value: f64,
}

/// What a page says of a registry, and of this `shard` of it; `None` where it says nothing. A
/// Pushgateway adds `job`, which then has to be this one.
#[must_use]
pub(crate) fn read(text: &str, job: &str, registry: &str, shard: Option<&str>) -> Option<Known> {
    let mut known = None;
    for Sample {
        name,
        labels,
        value,
    } in text.lines().filter_map(sample)
    {
        let label = |name| labels.get(name).map(String::as_str);
        let is_it = label("registry") == Some(registry)
            && label("shard").filter(|shard| !shard.is_empty()) == shard
            && label("job").is_none_or(|of| of == job);
        let Some(number) = whole(value).filter(|_| is_it) else {
            continue;
        };
        let known: &mut Known = known.get_or_insert_default();
        match (name, label("repository")) {
            (FAILURES, _) => known.failures = Some(number),
            (BROKEN_TAGS, _) => known.broken_tags = Some(number),
            (IN_USE, _) => known.broken_in_use = Some(number),
            (LAST_SUCCESS, _) => known.last_success = Some(number),
            (REPOSITORY, Some(repository)) if known.repositories.len() < MOST => {
                known.repositories.insert(repository.to_owned(), number);
            }
            _ => {}
        }
    }
    known
}

/// A count or a time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a whole number of that size"
)]
fn whole(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..1e15).contains(&value)).then_some(value as u64)
}

/// Reads `name{label="value",…} value`; anything after that is the time that a scrape ignores, too.
fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, rest) = line.split_once('{')?;
    let (labels, rest) = labels(rest)?;
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name,
        labels,
        value,
    })
}

/// The labels up to the brace that closes them, and what follows it.
fn labels(mut text: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.insert(name, value);
        text = rest;
    }
}

/// The value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::support::scrambled_texts;

    const PAGE: &str = r#"# HELP push_time_seconds Last Unix time when changing this group succeeded.
# TYPE push_time_seconds gauge
push_time_seconds{instance="r:5000",job="pullproof",registry="r:5000"} 1.7e+09
registry_manifest_integrity_failures{instance="r:5000",job="pullproof",registry="r:5000"} 5
registry_manifest_integrity_failures{instance="r:5000",job="pullproof",registry="r:5000",shard="1/2"} 6
registry_manifest_integrity_failures{instance="r:5000",job="other",registry="r:5000"} 7
registry_manifest_integrity_failures{instance="s:5000",job="pullproof",registry="s:5000"} 8
pullproof_audit_broken_tags{instance="r:5000",job="pullproof",registry="r:5000",shard=""} 3 1700000
pullproof_audit_duration_seconds{instance="r:5000",job="pullproof",registry="r:5000"} 1.5
pullproof_audit_last_success_timestamp_seconds{instance="r:5000",job="pullproof",registry="r:5000"} 1.700000123e+09
pullproof_audit_repository_broken_tags{instance="r:5000",job="pullproof",registry="r:5000",repository="a/\"b}"} 2
go_goroutines 12
"#;

    #[test]
    fn a_pushgateways_page_is_read() {
        let of = |registry, shard| read(PAGE, "pullproof", registry, shard);
        let known = of("r:5000", None).unwrap();
        assert_eq!(known.failures, Some(5));
        assert_eq!(known.broken_tags, Some(3));
        assert_eq!(known.last_success, Some(1_700_000_123));
        let repositories: Vec<_> = known.repositories.into_iter().collect();
        assert_eq!(repositories, [("a/\"b}".to_owned(), 2)]);
        assert_eq!(of("r:5000", Some("1/2")).unwrap().failures, Some(6));
        assert_eq!(of("s:5000", None).unwrap().failures, Some(8));
        assert_eq!(of("t:5000", None), None);
        assert_eq!(of("r:5000", Some("2/2")), None);
    }

    #[test]
    fn what_is_no_page_says_nothing() {
        for text in [
            "",
            "<!doctype html>",
            "x{registry=\"r\"",
            "x{registry=\"r\"}",
            "x{registry=\"r\"} many",
            "x{registry=\"r\"} -1",
            "x{registry=\"r\"} NaN",
            "x{registry=\"r\"} +Inf",
            "x{registry=\"r\"} 0.5",
            "x{registry=\"r\\",
            "x{registry=r} 1",
        ] {
            assert_eq!(read(text, "", "r", None), None, "{text}");
        }
        for text in scrambled_texts(2000) {
            let line = format!("pullproof_audit_broken_tags{{{text}}} {text}");
            let _ = read(&line, "", "r", None);
        }
    }
}
