//! The rules of a prune for each repository, as YAML.

use serde_norway::{Mapping, Value};
use wildmatch::WildMatch;

use super::Error;
use super::files::Disk;
use super::parse;
use super::suggest::nearest_of;
use super::value::SettingText;
use crate::prune::rules::{Policy, Rules};
use crate::text::quote::quoted;

const FIELDS: [&str; 3] = ["keep", "keep_newest", "keep_younger"];

/// Reads the rules from the YAML itself, or from the file that the setting names.
///
/// # Errors
///
/// When the file cannot be read, or what it holds is not rules for patterns.
pub(super) fn policy(value: &SettingText<'_>, disk: &Disk<'_>) -> Result<Policy, Error> {
    if is_inline(value.text) {
        return read(value, value.text);
    }
    read(value, &disk.named(value)?)
}

/// Whether this is the YAML itself and not a path. What has a colon and a blank is, too: its
/// mistakes are those of YAML, as in `*: {keep_newest: 10}`.
fn is_inline(text: &str) -> bool {
    let is_mapping = || serde_norway::from_str::<Mapping>(text).is_ok();
    text.starts_with('{') || text.contains('\n') || text.contains(": ") || is_mapping()
}

/// ```yaml
/// team/*:
///   keep: [latest, v*]
///   keep_newest: 10
/// "*":
///   keep_younger: 30d
/// ```
fn read(setting: &SettingText<'_>, text: &str) -> Result<Policy, Error> {
    let entries = match serde_norway::from_str(text) {
        Ok(Value::Mapping(entries)) if !entries.is_empty() => entries,
        Ok(_) => {
            return Err(
                setting.error("it has no rules: patterns of repositories, each with its rules")
            );
        }
        Err(error) => return Err(setting.error(format!("it is not YAML: {error}"))),
    };
    let read = |(pattern, rules): (&Value, &Value)| {
        let pattern = text_in(pattern).ok_or_else(|| setting.error("a pattern is not text"))?;
        let rules =
            rules_in(rules).map_err(|why| setting.error(format!("{}: {why}", quoted(&pattern))))?;
        Ok((WildMatch::new(&pattern), rules))
    };
    let entries = entries
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, Error>>()?;
    let patterns: Vec<&WildMatch> = entries.iter().map(|(pattern, _)| pattern).collect();
    if let Some((general, special)) = never_met(&patterns) {
        let message = format!(
            "{} never counts: {} comes before it, and the first that matches counts",
            quoted(&special),
            quoted(&general)
        );
        return Err(setting.error(message).with_hint(
            "put the general pattern last; Woodpecker sorts the names of a map, so there write the \
             policy as text: policy: |",
        ));
    }
    Ok(Policy { entries })
}

/// A pattern that matches whatever a later one does, and the later one.
fn never_met(patterns: &[&WildMatch]) -> Option<(String, String)> {
    patterns.iter().enumerate().find_map(|(place, special)| {
        let general = patterns[..place].iter().find(|it| covers(it, special))?;
        Some((general.to_string(), special.to_string()))
    })
}

/// Whether one pattern matches all that the other does. A `*` is tried as nothing and as more
/// letters than a pattern could ask for one by one; they are letters that no pattern has.
fn covers(general: &WildMatch, special: &WildMatch) -> bool {
    let long = "\0".repeat(general.to_string().len() + 1);
    ["", &long].iter().all(|any| {
        let example = special.to_string().replace('*', any).replace('?', "\0");
        general.matches(&example)
    })
}

fn rules_in(value: &Value) -> Result<Rules, String> {
    let Value::Mapping(fields) = value else {
        return Err("its rules are not names with values".into());
    };
    let mut rules = Rules::default();
    for (name, value) in fields {
        let name = text_in(name).unwrap_or_default().replace('-', "_");
        let wrong = || format!("{name} is not what it should be");
        match name.as_str() {
            "keep" => {
                let patterns = match value {
                    Value::Sequence(patterns) => patterns.iter().map(text_in).collect(),
                    other => text_in(other).and_then(|text| parse::list(&text)),
                };
                let patterns: Vec<String> = patterns.ok_or_else(wrong)?;
                rules.keep = patterns.iter().map(|text| WildMatch::new(text)).collect();
            }
            "keep_newest" => {
                let number = text_in(value).and_then(|text| text.parse().ok());
                rules.newest = Some(number.ok_or_else(wrong)?);
            }
            "keep_younger" => {
                let duration = text_in(value).and_then(|text| parse::duration(&text));
                rules.younger = Some(duration.ok_or_else(wrong)?);
            }
            other => {
                let near = nearest_of(&FIELDS, other);
                let near = near.map(|near| format!(", did you mean {near}?"));
                return Err(format!(
                    "{} is no rule{}",
                    quoted(other),
                    near.unwrap_or_default()
                ));
            }
        }
    }
    if rules.is_empty() {
        return Err("it has no rule".into());
    }
    Ok(rules)
}

fn text_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given, typed};

    /// A prune with this policy.
    fn with(policy: &str) -> Surroundings {
        typed(&["prune", "r.example", "--policy", policy])
    }

    #[test]
    fn a_policy_is_yaml_json_or_a_path() {
        let newest = |surroundings: Surroundings| {
            let policy = surroundings.prune().policy;
            let place = policy.of("team/app").unwrap();
            policy.entries[place].1.newest.map(usize::from)
        };
        for text in [
            r#"{"team/*":{"keep_newest":9}}"#,
            "  {\"team/*\":{\"keep_newest\":9}}",
            "{team/*: {keep_newest: 9}}",
            "team/*: {keep_newest: 9}",
            "team/*:\n  keep_newest: 9",
            "\"team/*\":\n  keep_newest: 9\n",
        ] {
            assert_eq!(newest(with(text)), Some(9), "{text}");
        }
        let step = given(&[
            ("CI", "woodpecker"),
            ("PLUGIN_MODE", "prune"),
            ("PLUGIN_REGISTRY", "r.example"),
            ("PLUGIN_POLICY", r#"{"team/*":{"keep_newest":9}}"#),
        ]);
        assert_eq!(newest(step), Some(9));
        let file = with("keep.yml").and_file("/workspace/keep.yml", "team/*: {keep_newest: 9}");
        assert_eq!(newest(file), Some(9));
        assert_eq!(
            with("keep.yml").error(),
            "--policy: cannot read \"/workspace/keep.yml\": entity not found"
        );
    }

    #[test]
    fn an_entry_that_can_never_count_is_refused() {
        let policy = |patterns: &[&str]| {
            let entry = |pattern: &&str| format!("{pattern:?}:\n  keep_newest: 9\n");
            with(&patterns.iter().map(entry).collect::<String>())
        };
        for patterns in [
            ["*", "team/*"],
            ["team/*", "team/app"],
            ["team/*", "team/a*b"],
            ["team/a*", "team/a?"],
            ["t*p", "team/*/app"],
        ] {
            assert_eq!(
                policy(&patterns).error(),
                format!(
                    "--policy: {:?} never counts: {:?} comes before it, and the first that matches \
                     counts",
                    patterns[1], patterns[0]
                )
            );
        }
        for patterns in [
            ["team/*", "*"],
            ["team/*", "*/app"],
            ["team/a?", "team/a*"],
            ["team/a?*", "team/a*"],
            ["team/app", "team/*"],
            ["team/a", "team/b"],
        ] {
            assert_eq!(policy(&patterns).prune().policy.entries.len(), 2);
        }
    }
}
