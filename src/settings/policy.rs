//! The rules of a prune for each repository, as YAML.

use std::num::NonZero;

use serde_norway::{Mapping, Value};
use wildmatch::WildMatch;

use super::Error;
use super::files::Disk;
use super::suggest::nearest_of;
use super::table;
use super::value::SettingText;
use crate::prune::rules::{Policy, Rules};
use crate::text::human;
use crate::text::quote::quoted;

const QUOTE: &str = "quote what looks like a number, or 1.10 arrives as 1.1";

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
        Err(error) => return Err(no_yaml(setting, &error)),
    };
    let read = |(pattern, rules): (&Value, &Value)| {
        let pattern = pattern_in(pattern)
            .map_err(|why| setting.error(format!("a pattern: {why}")).with_hint(QUOTE))?;
        let place = || format!("{}: {}", setting.spelled, quoted(&pattern));
        let rules = rules_in(rules).map_err(|why| why.about(&place()))?;
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

/// What is not YAML is often a pattern that begins with `*`, which is the name of an alias there.
fn no_yaml(setting: &SettingText<'_>, error: &serde_norway::Error) -> Error {
    let why = error.to_string();
    let error = setting.error(format!("it is not YAML: {why}"));
    if why.contains("alias") || why.contains("anchor") {
        return error.with_hint("quote what begins with *, as in \"*\": {keep_newest: 10}");
    }
    error
}

fn rules_in(value: &Value) -> Result<Rules, Error> {
    let Value::Mapping(fields) = value else {
        let came = shown(value);
        return Err(Error::new(format!(
            "{came} is not a map of {}",
            rule_names()
        )));
    };
    let mut rules = Rules::default();
    for (name, value) in fields {
        let name = text_in(name).unwrap_or_else(|| shown(name));
        match name.replace('-', "_").as_str() {
            "keep" => rules.keep = patterns(value)?,
            "keep_newest" => {
                let text = text_for("keep_newest", value)?;
                rules.newest = newest(&setting("keep_newest", &text))?;
            }
            "keep_younger" => {
                let text = text_for("keep_younger", value)?;
                rules.younger = Some(setting("keep_younger", &text).duration()?);
            }
            other => {
                let advice = match nearest_of(&FIELDS, other) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("the rules are {}", rule_names()),
                };
                return Err(Error::new(format!(
                    "{} is no rule, {advice}",
                    quoted(&name)
                )));
            }
        }
    }
    if rules.is_empty() {
        return Err(Error::new(format!("it has no rule: {}", rule_names())));
    }
    Ok(rules)
}

fn rule_names() -> String {
    human::list(&FIELDS)
}

/// The patterns of `keep`: a list, or text as the setting takes it.
fn patterns(value: &Value) -> Result<Vec<WildMatch>, Error> {
    let patterns = match value {
        Value::Sequence(items) => items.iter().map(pattern_in).collect(),
        Value::Bool(_) | Value::Number(_) => pattern_in(value).map(|one| vec![one]),
        _ => Ok(setting("keep", &text_for("keep", value)?).list()?),
    };
    let patterns: Vec<String> =
        patterns.map_err(|why: String| Error::new(format!("keep: {why}")).with_hint(QUOTE))?;
    Ok(patterns.iter().map(|text| WildMatch::new(text)).collect())
}

/// How many digests stay.
///
/// # Errors
///
/// When it is no number, or out of range.
pub(super) fn newest(value: &SettingText<'_>) -> Result<Option<NonZero<usize>>, Error> {
    Ok(NonZero::new(value.number()? as usize))
}

/// The text of a value, for the setting with the same name.
fn text_for(name: &'static str, value: &Value) -> Result<String, Error> {
    text_in(value).ok_or_else(|| {
        let (came, expected) = (shown(value), setting(name, "").setting.kind.expected());
        Error::new(format!("{name}: {came} is not {expected}"))
    })
}

/// A text that is read as that setting's.
fn setting<'a>(name: &'static str, text: &'a str) -> SettingText<'a> {
    SettingText {
        setting: table::find(name).expect("each rule is a setting, too"),
        spelled: name,
        text,
        is_given: true,
    }
}

/// A pattern. A number is none: YAML may have changed it already.
fn pattern_in(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(_) => Err(format!("{} is a number and not text", shown(value))),
        other => Err(format!("{} is not text", shown(other))),
    }
}

fn text_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A value in an error message.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(is_true) => is_true.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a map".to_owned(),
        Value::Tagged(_) => "a value with a tag".to_owned(),
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

    #[test]
    fn a_wrong_rule_is_shown_with_what_is_accepted() {
        let duration = "a duration (30 for seconds, 500ms, 30s, 5m, 1h30m, 14d; a year at most)";
        for (rules, why) in [
            (
                "{keep_newest: many}",
                "keep_newest: \"many\" is not a whole number from 1 to 1000000".to_owned(),
            ),
            (
                "{keep_newest: 0}",
                "keep_newest: \"0\" is not a whole number from 1 to 1000000".to_owned(),
            ),
            (
                "{keep_newest: [1]}",
                "keep_newest: a list is not a whole number from 1 to 1000000".to_owned(),
            ),
            (
                "{keep-younger: 2w}",
                format!("keep_younger: \"2w\" is not {duration}"),
            ),
            (
                "{keep: {a: b}}",
                "keep: a map is not a list: a JSON array, lines, or items separated by commas"
                    .to_owned(),
            ),
            ("{keep: [[a]]}", "keep: a list is not text".to_owned()),
            (
                "{kep: [a]}",
                "\"kep\" is no rule, did you mean keep?".to_owned(),
            ),
            (
                "{colour: red}",
                "\"colour\" is no rule, the rules are keep, keep_newest and keep_younger"
                    .to_owned(),
            ),
            (
                "{keep: []}",
                "it has no rule: keep, keep_newest and keep_younger".to_owned(),
            ),
            (
                "9",
                "9 is not a map of keep, keep_newest and keep_younger".to_owned(),
            ),
        ] {
            let policy = format!("team/*: {rules}");
            assert_eq!(
                with(&policy).error(),
                format!("--policy: \"team/*\": {why}")
            );
        }
    }

    #[test]
    fn a_number_is_no_pattern() {
        for (policy, why) in [
            (
                "a: {keep: [latest, 1.10]}",
                "\"a\": keep: 1.1 is a number and not text",
            ),
            (
                "a: {keep: 1.10}",
                "\"a\": keep: 1.1 is a number and not text",
            ),
            ("a: {keep: [true]}", "\"a\": keep: true is not text"),
            (
                "1.10: {keep: [a]}",
                "a pattern: 1.1 is a number and not text",
            ),
        ] {
            let error = with(policy).command().unwrap_err();
            assert_eq!(error.to_string(), format!("--policy: {why}"));
            let hint = "quote what looks like a number, or 1.10 arrives as 1.1";
            assert_eq!(error.hint(), Some(hint));
        }
        let quoted = with("a: {keep: ['1.10']}").prune().policy;
        assert!(quoted.entries[0].1.keep[0].matches("1.10"));
    }

    #[test]
    fn a_star_without_quotes_gets_the_advice_to_quote_it() {
        for policy in [
            "*: {keep_newest: 9}",
            "a: {keep: [*-rc]}",
            "*/app:\n  keep_newest: 9",
        ] {
            let error = with(policy).command().unwrap_err();
            let advice = "quote what begins with *, as in \"*\": {keep_newest: 10}";
            assert_eq!(error.hint(), Some(advice), "{policy}: {error}");
        }
        assert_eq!(with("a: {keep: [b}").command().unwrap_err().hint(), None);
    }
}
