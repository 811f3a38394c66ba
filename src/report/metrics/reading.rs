//! What earlier runs said: read from a page of metrics that they, or a Pushgateway, have written.

use std::collections::BTreeMap;

use super::super::audit::MOST;
use super::{BROKEN_TAGS, FAILURES, Known, LAST_SUCCESS, REPOSITORY};

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
