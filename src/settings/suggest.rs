//! Did you mean: the known name nearest to one that is not.

use super::table::TABLE;

/// The setting's name or alias that is nearest to `name`, unless none is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let names = TABLE.iter().flat_map(super::table::Setting::names);
    // Of several, the one that differs in a letter rather than in its length; of those, the first in the table.
    let rank = |known: &&str| (distance(name, known), known.len().abs_diff(name.len()));
    let known = names.min_by_key(rank)?;
    (distance(name, known) <= (name.len() / 3).clamp(1, 3)).then_some(known)
}

/// How many letters must be put in, taken out or replaced to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, &wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != wanted);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
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
            ("ab", "ba", 2),
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
            ("xy", None),
            ("", None),
            ("completely_different", None),
        ] {
            assert_eq!(nearest(name), expected, "{name}");
        }
    }
}
