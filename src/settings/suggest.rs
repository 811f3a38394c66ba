//! "Did you mean": the known name that is nearest to an unknown one.

use strsim::osa_distance;

use super::table::{Setting, TABLE};

/// How many letters of a name are enough to complete it.
const BEGINNING: usize = 3;

/// The setting's name or alias that is nearest to `name` or begins with it, if one is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(
        &TABLE.iter().flat_map(Setting::names).collect::<Vec<_>>(),
        name,
    )
}

/// The one of `names` that is nearest to `name` or begins with it, if one is near.
pub(super) fn nearest_of(names: &[&'static str], name: &str) -> Option<&'static str> {
    let names = || names.iter().copied();
    // Of several, the one that differs in a letter rather than in its length.
    let rank = |known: &&str| (osa_distance(name, known), known.len().abs_diff(name.len()));
    let known = names().min_by_key(rank)?;
    if osa_distance(name, known) <= (name.len() / 3).clamp(1, 3) {
        return Some(known);
    }
    names().find(|known| name.len() >= BEGINNING && known.starts_with(name))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("platf", Some("platforms")),
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
