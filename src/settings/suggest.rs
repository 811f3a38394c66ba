//! Did you mean: the known name nearest to one that is not.

use super::table::TABLE;

/// A beginning of a name that says enough, in letters.
const BEGINNING: usize = 3;

/// The setting's name or alias that is nearest to `name`, or that begins with it, unless none is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(
        &TABLE
            .iter()
            .flat_map(super::table::Setting::names)
            .collect::<Vec<_>>(),
        name,
    )
}

/// The one of these names that is nearest to `name`, or that begins with it, unless none is near.
pub(super) fn nearest_of(names: &[&'static str], name: &str) -> Option<&'static str> {
    let names = || names.iter().copied();
    // Of several, the one that differs in a letter rather than in its length; of those, the first in the table.
    let rank = |known: &&str| (distance(name, known), known.len().abs_diff(name.len()));
    let known = names().min_by_key(rank)?;
    if distance(name, known) <= (name.len() / 3).clamp(1, 3) {
        return Some(known);
    }
    names().find(|known| name.len() >= BEGINNING && known.starts_with(name))
}

/// How many letters must be put in, taken out, replaced, or exchanged with the next one to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // The rows of the two letters before, and of the one at hand.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for line in 1..=one.len() {
        let mut row = vec![line];
        for column in 1..=other.len() {
            let replaced = last[column - 1] + usize::from(one[line - 1] != other[column - 1]);
            let mut nearest = replaced.min(last[column] + 1).min(row[column - 1] + 1);
            let crossed = line > 1
                && column > 1
                && one[line - 1] == other[column - 2]
                && one[line - 2] == other[column - 1];
            if crossed {
                nearest = nearest.min(before[column - 2] + 1);
            }
            row.push(nearest);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("tagz", "tags", 1),
            ("ab", "ba", 1),
            ("depht", "depth", 1),
            ("abc", "cab", 2),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        for (name, expected) in [
            ("tagz", Some("tags")),
            ("plattforms", Some("platforms")),
            ("meta_data_file", Some("metadata_file")),
            ("time_out", Some("timeout")),
            ("depht", Some("depth")),
            ("tgas", Some("tags")),
            ("regsitry", Some("registry")),
            ("loglevel", Some("log_level")),
            ("plat", Some("platforms")),
            ("pass", Some("password")),
            ("xy", None),
            ("st", None),
            ("", None),
            ("completely_different", None),
        ] {
            assert_eq!(nearest(name), expected, "{name}");
        }
    }
}
