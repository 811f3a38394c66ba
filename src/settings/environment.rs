//! Settings from variables with a prefix, as CI systems hand them over.

use super::Error;
use super::build_only::is_build_only;
use super::ci::{Facts, System};
use super::pushed::is_build_output;
use super::raw::Gathered;
use super::suggest::nearest;
use super::table;
use crate::rebuild::plan::{COUNT_VARIABLE, RUN_VARIABLE};

/// Reads the `PLUGIN_` or `INPUT_` variables, whichever the platform uses, and outside CI systems the
/// `PULLPROOF_` variables too, with a warning for each unknown one; the error is the first setting that has different values under two of its names.
pub(super) fn gather(facts: &Facts<'_>, warnings: &mut Vec<String>) -> (Gathered, Option<Error>) {
    let mut gathered = Gathered::default();
    let mut error = None;
    for (variable, text) in facts.variables() {
        let Some(name) = setting_name(facts.system(), variable) else {
            continue;
        };
        let spelled = spelling(facts.system(), variable, &name);
        match table::find(&name) {
            Some(_) if is_build_output(&name, text) => {}
            Some(setting) if setting.is_flag_only() => {
                if !text.trim().is_empty() && !is_build_only(&name) {
                    warnings.push(format!("{spelled} is ignored: it is a flag alone"));
                }
            }
            Some(setting) => {
                let added = gathered.add(setting, &spelled, text);
                error = error.or(added.err());
            }
            None if text.trim().is_empty() || is_build_only(&name) => {}
            // Others than settings may begin so.
            None if is_own(variable) && nearest(&name).is_none() => {}
            None => warnings.push(match nearest(&name) {
                Some(known) => {
                    format!("unknown setting {spelled} is ignored; did you mean {known}?")
                }
                None => format!("unknown setting {spelled} is ignored"),
            }),
        }
    }
    (gathered, error)
}

/// How variables begin outside CI systems, beside `PLUGIN_`.
const OWN: &str = "pullproof_";

fn is_own(variable: &str) -> bool {
    variable.to_ascii_lowercase().starts_with(OWN)
}

/// Whether a variable says something of a rebuild that was started.
fn is_of_a_run(variable: &str) -> bool {
    [RUN_VARIABLE, COUNT_VARIABLE].contains(&variable)
}

/// Whether there is any setting in the environment.
pub(super) fn has_settings(facts: &Facts<'_>) -> bool {
    facts.variables().any(|(variable, text)| {
        !text.trim().is_empty()
            && setting_name(facts.system(), variable)
                .and_then(|name| table::find(&name))
                .is_some_and(|setting| !setting.is_flag_only())
    })
}

/// `PLUGIN_TAGS_FILE`, `INPUT_TAGS-FILE` → `tags_file`.
pub(super) fn setting_name(system: System, variable: &str) -> Option<String> {
    let name: String = variable
        .chars()
        .map(|letter| {
            if matches!(letter, '-' | '.' | ' ') {
                '_'
            } else {
                letter.to_ascii_lowercase()
            }
        })
        .collect();
    let rest = match system {
        System::GithubActions => name.strip_prefix("input_"),
        System::Woodpecker | System::Drone => name.strip_prefix("plugin_"),
        System::Other => {
            let own = || name.strip_prefix(OWN).filter(|_| !is_of_a_run(variable));
            name.strip_prefix("plugin_").or_else(own)
        }
    };
    rest.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// The name as the user probably wrote it: in a pipeline's YAML, or the variable itself.
fn spelling(system: System, variable: &str, name: &str) -> String {
    match system {
        System::Woodpecker | System::Drone => name.to_owned(),
        System::GithubActions => name.replace('_', "-"),
        System::Other => variable.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    #[test]
    fn outside_ci_systems_the_programs_own_name_begins_a_setting_too() {
        assert_eq!(tags(&[("PULLPROOF_TAGS", "a")]).as_deref(), Some("a"));
        for ci in ["woodpecker", "drone"] {
            assert_eq!(tags(&[("CI", ci), ("PULLPROOF_TAGS", "a")]), None);
        }
        let actions = [("GITHUB_ACTIONS", "true"), ("PULLPROOF_TAGS", "a")];
        assert_eq!(tags(&actions), None);
        assert!(read(&[("PULLPROOF_TAGS", "a"), ("PLUGIN_TAGS", "b")]).is_err());
        let (_, warnings) = read(&[
            ("PULLPROOF_TAGZ", "a"),
            ("PULLPROOF_SOMETHING_ELSE", "b"),
            (RUN_VARIABLE, "7"),
            (COUNT_VARIABLE, "1"),
        ])
        .unwrap();
        assert_eq!(
            warnings,
            ["unknown setting PULLPROOF_TAGZ is ignored; did you mean tags?"]
        );
    }

    use super::super::raw::Typed;
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn read(pairs: &[(&str, &str)]) -> Result<(Typed, Vec<String>), Error> {
        let variables = variables(pairs);
        let mut warnings = Vec::new();
        match gather(&Facts::new(&variables), &mut warnings) {
            (gathered, None) => Ok((Typed::merge([gathered]), warnings)),
            (_, Some(error)) => Err(error.after(warnings)),
        }
    }

    fn tags(pairs: &[(&str, &str)]) -> Option<String> {
        read(pairs).unwrap().0.raw().tags.clone()
    }

    #[test]
    fn the_platform_chooses_the_prefix_and_never_both() {
        let both = [("PLUGIN_TAGS", "plugin"), ("INPUT_TAGS", "input")];
        for (platform, expected) in [
            (("CI", "woodpecker"), "plugin"),
            (("CI_SYSTEM_NAME", "woodpecker"), "plugin"),
            (("CI", "drone"), "plugin"),
            (("GITHUB_ACTIONS", "true"), "input"),
            (("CI", "true"), "plugin"),
            (("GITHUB_ACTIONS", "false"), "plugin"),
        ] {
            assert_eq!(
                tags(&[platform, both[0], both[1]]).as_deref(),
                Some(expected),
                "{platform:?}"
            );
        }
        assert_eq!(
            tags(&[("CI", "woodpecker"), ("GITHUB_ACTIONS", "true"), both[1]]),
            None
        );
        assert_eq!(tags(&[both[1]]), None);
        assert_eq!(tags(&[("GITHUB_ACTIONS", "true"), both[0]]), None);
        assert_eq!(tags(&[("TAGS", "unprefixed")]), None);
    }

    #[test]
    fn names_come_with_hyphens_dots_blanks_and_in_any_case() {
        for variable in [
            "INPUT_TAGS-FILE",
            "INPUT_TAGS_FILE",
            "INPUT_TAGS.FILE",
            "INPUT_TAG FILE",
            "input_tags-file",
        ] {
            let (typed, warnings) =
                read(&[("GITHUB_ACTIONS", "true"), (variable, " file ")]).unwrap();
            assert_eq!(typed.raw().tags_file.as_deref(), Some("file"), "{variable}");
            assert!(warnings.is_empty());
        }
    }

    #[test]
    fn a_setting_is_named_as_the_user_wrote_it() {
        let spelled = |pairs: &[(&str, &str)]| {
            read(pairs)
                .unwrap()
                .0
                .tags_file()
                .unwrap()
                .spelled
                .to_owned()
        };
        assert_eq!(
            spelled(&[("CI", "woodpecker"), ("PLUGIN_TAG_FILE", "x")]),
            "tag_file"
        );
        assert_eq!(
            spelled(&[("GITHUB_ACTIONS", "true"), ("INPUT_TAG-FILE", "x")]),
            "tag-file"
        );
        assert_eq!(spelled(&[("PLUGIN_TAG_FILE", "x")]), "PLUGIN_TAG_FILE");
    }

    #[test]
    fn empty_is_unset() {
        assert_eq!(tags(&[("PLUGIN_TAGS", " ")]), None);
        assert_eq!(
            tags(&[("PLUGIN_TAGS", ""), ("PLUGIN_TAG", "a")]).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn aliases_that_disagree_are_an_error() {
        let error = read(&[
            ("CI", "woodpecker"),
            ("PLUGIN_TAG", "a"),
            ("PLUGIN_TAGS", "b"),
        ])
        .err()
        .unwrap();
        assert_eq!(
            error.to_string(),
            "tag and tags are the same setting, and were given different values"
        );
        assert!(read(&[("PLUGIN_TAG", "a"), ("PLUGIN_TAGS", "a")]).is_ok());
        let error = read(&[
            ("PLUGIN_TAG", "a"),
            ("PLUGIN_TAGS", "b"),
            ("PLUGIN_TAGZ", "c"),
        ])
        .err()
        .unwrap();
        assert_eq!(
            error.warnings(),
            ["unknown setting PLUGIN_TAGZ is ignored; did you mean tags?"]
        );
    }

    #[test]
    fn an_unknown_setting_is_a_warning_with_the_nearest_name() {
        let warnings = |name: &str| read(&[("CI", "woodpecker"), (name, "x")]).unwrap().1;
        assert_eq!(
            warnings("PLUGIN_TAGZ"),
            ["unknown setting tagz is ignored; did you mean tags?"]
        );
        assert_eq!(
            warnings("PLUGIN_WHATEVER_ELSE"),
            ["unknown setting whatever_else is ignored"]
        );
        for name in [
            "PLUGIN_DOCKERFILE",
            "PLUGIN_BUILD_ARGS",
            "PLUGIN_CACHE_FROM",
            "PLUGIN_LABELS",
            "PLUGIN_",
        ] {
            assert!(warnings(name).is_empty(), "{name}");
        }
        assert!(read(&[("PLUGIN_TAGZ", "")]).unwrap().1.is_empty());
    }

    #[test]
    fn what_is_a_flag_alone_is_not_read_from_the_environment() {
        let (typed, warnings) = read(&[
            ("CI", "woodpecker"),
            ("PLUGIN_QUIET", "true"),
            ("PLUGIN_ONLY_FAILURES", "true"),
        ])
        .unwrap();
        assert_eq!(
            (&typed.raw().quiet, &typed.raw().only_failures),
            (&None, &None)
        );
        // `quiet` is a build plugin's.
        assert_eq!(warnings, ["only_failures is ignored: it is a flag alone"]);
        let variables = variables(&[("PLUGIN_ONLY_FAILURES", "true")]);
        assert!(!has_settings(&Facts::new(&variables)));
    }

    #[test]
    fn the_output_of_a_build_step_is_not_our_report() {
        for (text, report) in [
            ("type=registry", None),
            ("dest=out,type=local", None),
            ("\"type=image\",\"name=a,b\"", None),
            ("\ntype=local,dest=out\ntype=registry\n", None),
            (r#"["type=local,dest=out","type=registry"]"#, None),
            (r#"[{"type":"registry"}]"#, None),
            (r#"{"dest":"out","type":"local"}"#, None),
            ("type-local.json", Some("type-local.json")),
            ("out/prototype=1.json", Some("out/prototype=1.json")),
        ] {
            let read = read(&[("PLUGIN_OUTPUT", text)]).unwrap().0;
            assert_eq!(read.raw().report.as_deref(), report, "{text}");
        }
    }
}
