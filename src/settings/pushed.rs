//! Whether the build step that shares these settings can have pushed something: only where it
//! cannot is there nothing to verify.

use serde_json::Value;

use super::ci::{Facts, System};
use super::environment::setting_name;
use super::raw::Typed;
use super::{Error, parse};
use crate::text::quote::quoted;

/// Why there is nothing to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NothingPushed {
    /// `dry_run` says so.
    DryRun,
    /// Something else does: this, as a fragment.
    Because(String),
}

/// Says why nothing can have been pushed, if that is so; with a warning where a setting only seems
/// to say it, and one that says why the run is skipped.
///
/// # Errors
///
/// When `dry_run` is not a boolean.
pub(super) fn nothing_pushed(
    typed: &Typed,
    facts: &Facts<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<NothingPushed>, Error> {
    let given = typed.dry_run().if_given();
    let stated = given.map(|value| value.boolean()).transpose()?;
    if given.is_some_and(|value| value.spelled.starts_with("--")) {
        return Ok(stated.filter(|stated| *stated).map(|_| dry_run()));
    }
    let build = BuildStep::of(facts);
    Ok(match (given, stated) {
        (Some(value), Some(true)) => match build.pushes_despite_dry_run() {
            None => Some(dry_run()),
            Some(why) => {
                warnings.push(format!(
                    "{} may not have kept the build step from pushing ({why}), so the image is \
                     verified",
                    value.spelled
                ));
                None
            }
        },
        // Nothing else outweighs an explicit no.
        (_, Some(false)) => None,
        _ => build.pushes_nothing().map(|why| {
            let because =
                format!("the build step that shares these settings pushes nothing ({why})");
            warnings.push(because.clone());
            NothingPushed::Because(because)
        }),
    })
}

fn dry_run() -> NothingPushed {
    NothingPushed::DryRun
}

/// Whether this is the `output` of a build step (`type=registry`) rather than ours.
pub(super) fn is_build_output(name: &str, text: &str) -> bool {
    name == "output" && !exporters(text).is_empty()
}

/// The settings of a build step that decide whether it pushes.
#[derive(Debug, Default)]
struct BuildStep {
    /// `push`, as docker's build action has it.
    push: Option<bool>,
    /// `output` of the buildx plugins, `outputs` of docker's build action: all exporters.
    exporters: Vec<Exporter>,
    /// A `dry_run` that the buildx plugin understands and the kaniko plugin does not.
    odd_dry_run: Option<String>,
}

impl BuildStep {
    fn of(facts: &Facts<'_>) -> Self {
        let mut build = Self::default();
        for (variable, text) in facts.variables() {
            match setting_name(facts.system(), variable).as_deref() {
                Some("push") => build.push = parse::boolean(text.trim()),
                Some("output" | "outputs") => build.exporters.extend(exporters(text)),
                // The kaniko plugin compares with the literal word; it does not run on GitHub.
                Some("dry_run") if facts.system() != System::GithubActions && text != "true" => {
                    build.odd_dry_run = Some(text.trim().to_owned());
                }
                _ => {}
            }
        }
        build
    }

    /// The setting that makes a build step push although it has a `dry_run`, or may do so.
    fn pushes_despite_dry_run(&self) -> Option<String> {
        let exporter = self
            .exporters
            .iter()
            .find(|one| one.reach() == Reach::Pushed);
        if let Some(exporter) = exporter {
            return Some(format!("output: {exporter}"));
        }
        if self.push == Some(true) {
            return Some("push: true".to_owned());
        }
        let odd = self.odd_dry_run.as_deref()?;
        Some(format!(
            "the kaniko plugin understands \"true\" alone, and not {}",
            quoted(odd)
        ))
    }

    /// The setting that keeps a build step without `dry_run` from pushing.
    fn pushes_nothing(&self) -> Option<String> {
        let reach = self.exporters.iter().map(Exporter::reach).max();
        match (self.push, reach) {
            (Some(true), _) | (_, Some(Reach::Pushed)) => None,
            (_, Some(Reach::Nowhere)) => Some(format!("output: {}", self.exporters[0])),
            (Some(false), _) => Some("push: false".to_owned()),
            (None, _) => None,
        }
    }
}

/// How far what is built can get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Into a file or a directory, or nowhere at all.
    Nowhere,
    /// To where it was built: the buildx plugin runs `docker push` afterwards, unless it has a
    /// `dry_run`.
    Builder,
    /// Into a registry.
    Pushed,
}

/// One exporter of a build: `type=image,push=true`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exporter {
    kind: String,
    has_destination: bool,
    push: Option<bool>,
}

impl Exporter {
    fn reach(&self) -> Reach {
        match (self.kind.as_str(), self.push) {
            (_, Some(true)) => Reach::Pushed,
            ("local" | "tar" | "oci" | "cacheonly", _) | ("image", Some(false)) => Reach::Nowhere,
            ("docker", _) if self.has_destination => Reach::Nowhere,
            ("docker" | "image", _) => Reach::Builder,
            // `registry` pushes whatever its `push` says.
            _ => Reach::Pushed,
        }
    }
}

impl std::fmt::Display for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.push {
            Some(push) if self.kind == "image" => write!(f, "push={push}"),
            _ => write!(f, "type={}", self.kind),
        }
    }
}

/// The exporters that an `output` names: one, or several as lines, as a JSON list or joined by
/// commas; none when it is something else.
fn exporters(text: &str) -> Vec<Exporter> {
    let lines: Vec<Vec<String>> = match serde_json::from_str(text.trim()) {
        Ok(Value::Array(items)) => items.iter().map(fields_of).collect(),
        Ok(object @ Value::Object(_)) => vec![fields_of(&object)],
        _ => text.lines().map(comma_separated).collect(),
    };
    lines
        .iter()
        .flat_map(|fields| exporters_in(fields))
        .collect()
}

/// An exporter of a JSON list: a text, or an object as bake has it.
fn fields_of(value: &Value) -> Vec<String> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| format!("{key}={}", plain(value)))
            .collect(),
        other => comma_separated(&plain(other)),
    }
}

/// The fields of one line of CSV.
fn comma_separated(line: &str) -> Vec<String> {
    let mut is_quoted = false;
    line.split(|letter| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    })
    .map(|field| field.trim().trim_matches('"').to_owned())
    .collect()
}

/// Each `type` begins an exporter; what stands before the first one belongs to it.
fn exporters_in(fields: &[String]) -> Vec<Exporter> {
    let mut exporters: Vec<Exporter> = Vec::new();
    let mut current = Exporter::default();
    for field in fields {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "type" => {
                if !current.kind.is_empty() {
                    exporters.push(std::mem::take(&mut current));
                }
                value.clone_into(&mut current.kind);
            }
            "dest" => current.has_destination = true,
            // As BuildKit reads it: nothing means yes, and so does what is unclear here.
            "push" => {
                let is_false = matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False");
                current.push = Some(!is_false || current.push == Some(true));
            }
            _ => {}
        }
    }
    if !current.kind.is_empty() {
        exporters.push(current);
    }
    exporters
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};
    use super::*;

    const BUILDX: &[(&str, &str)] = &[("REPO", "r.io/app"), ("BUILDKIT_CONFIG", "debug = true")];
    const KANIKO: &[(&str, &str)] = &[
        ("REPO", "r.io/app"),
        ("DESTINATIONS", "r.io/app:1"),
        ("CACHE_REPO", "team/cache"),
    ];
    const BUILDAH: &[(&str, &str)] = &[("REPO", "r.io/app"), ("SKIP_BUILD", "false")];
    const ALONE: &[(&str, &str)] = &[("IMAGES", "r.io/app:1")];

    /// Nothing was given.
    const UNSET: (&str, &str) = ("DEPTH", "tail");

    fn surroundings(system: (&str, &str), groups: &[&[(&str, &str)]]) -> Surroundings {
        let prefix = if system.0 == "GITHUB_ACTIONS" {
            "INPUT"
        } else {
            "PLUGIN"
        };
        let named: Vec<_> = groups
            .concat()
            .into_iter()
            .map(|(name, text)| (format!("{prefix}_{name}"), text))
            .collect();
        let mut pairs: Vec<_> = named
            .iter()
            .map(|(name, text)| (name.as_str(), *text))
            .collect();
        pairs.push(system);
        given(&pairs)
    }

    fn is_skipped(system: (&str, &str), groups: &[&[(&str, &str)]]) -> bool {
        let settings = surroundings(system, groups).settings();
        settings.wanted.nothing_pushed.is_some()
    }

    /// What each output means: whether it is skipped without any other word, and whether a
    /// `dry_run` is believed beside it.
    const OUTPUTS: &[(&str, bool, bool)] = &[
        ("type=local,dest=out", true, true),
        ("dest=out,type=local", true, true),
        ("type=tar,dest=x.tar", true, true),
        ("type=oci,dest=x.tar", true, true),
        ("type=cacheonly", true, true),
        ("type=docker,dest=x.tar", true, true),
        ("type=image,push=false", true, true),
        ("type=image,\"name=r.io/a,r.io/b\",push=false", true, true),
        ("type=local,dest=out\ntype=oci,dest=x.tar", true, true),
        // The buildx plugin runs `docker push` afterwards.
        ("type=docker", false, true),
        ("type=docker,push=false", false, true),
        ("type=image", false, true),
        ("type=image,name=r.io/app", false, true),
        ("type=local,dest=out\ntype=docker", false, true),
        // These push by themselves.
        ("type=registry", false, false),
        ("type=registry,push=false", false, false),
        ("type=image,push=true", false, false),
        ("type=image,push=1", false, false),
        ("type=image,push=", false, false),
        ("type=image,push", false, false),
        ("type=image,push=${PUSH}", false, false),
        (
            "\"type=image\",\"name=r.io/a,r.io/b\",push=true",
            false,
            false,
        ),
        ("TYPE=image,Push=true", false, false),
        ("type=nydus", false, false),
        // One of several exporters is enough.
        ("type=local,dest=out\ntype=registry", false, false),
        ("type=registry\ntype=local,dest=out", false, false),
        ("type=local,dest=out,type=registry", false, false),
        ("type=image,push=true,type=local,dest=out", false, false),
        (r#"["type=local,dest=out","type=registry"]"#, false, false),
        (
            r#"[{"type":"local","dest":"out"},{"type":"registry"}]"#,
            false,
            false,
        ),
        (r#"{"push":true,"type":"image"}"#, false, false),
        (r#"["type=local,dest=out"]"#, true, true),
        // This is our report.
        ("out/report.json", false, true),
    ];

    #[test]
    fn a_run_is_skipped_only_where_nothing_can_have_been_pushed() {
        let woodpecker = ("CI", "woodpecker");
        let systems = [woodpecker, ("GITHUB_ACTIONS", "true")];
        let yes = ["true", "True", "1", "yes"];
        let mut combinations = 0;
        for system in systems {
            for plugin in [BUILDX, KANIKO, BUILDAH, ALONE] {
                for &(output, alone, with_dry_run) in OUTPUTS {
                    for push in [UNSET, ("PUSH", "true"), ("PUSH", "false")] {
                        let build = [("OUTPUT", output), push];
                        let pushes = push.1 == "true";
                        let is_refused = push.0 == "PUSH" && !pushes;
                        let check = |dry_run: (&str, &str), expected: bool| {
                            assert_eq!(
                                is_skipped(system, &[plugin, &build, &[dry_run]]),
                                expected,
                                "{system:?} {plugin:?} {build:?} {dry_run:?}"
                            );
                        };
                        check(UNSET, !pushes && (alone || is_refused && with_dry_run));
                        for name in ["DRY_RUN", "SKIP_PUSH", "NO_PUSH"] {
                            for no in ["false", "No"] {
                                check((name, no), false);
                            }
                            for yes in yes {
                                // The kaniko plugin takes `true` alone, and knows `dry_run` alone.
                                let is_believed = yes == "true"
                                    || name != "DRY_RUN"
                                    || system.0 == "GITHUB_ACTIONS";
                                check((name, yes), with_dry_run && !pushes && is_believed);
                                combinations += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(combinations > 9_000, "{combinations}");
    }

    #[test]
    fn the_outputs_of_dockers_build_action_count_as_well() {
        let github = ("GITHUB_ACTIONS", "true");
        for (outputs, push, expected) in [
            ("type=registry", ("PUSH", "false"), false),
            (
                "type=local,dest=out\ntype=image,push=true",
                ("PUSH", "false"),
                false,
            ),
            ("type=local,dest=out", ("PUSH", "false"), true),
            ("type=local,dest=out", ("PUSH", "true"), false),
            ("type=local,dest=out", UNSET, true),
            ("type=docker", ("PUSH", "false"), true),
        ] {
            let build = [("OUTPUTS", outputs), push];
            assert_eq!(is_skipped(github, &[ALONE, &build]), expected, "{build:?}");
        }
    }

    #[test]
    fn only_the_word_true_itself_stops_the_kaniko_plugin() {
        let warnings =
            |text| surroundings(("CI", "woodpecker"), &[KANIKO, &[("DRY_RUN", text)]]).warnings();
        assert_eq!(
            warnings("Yes"),
            [
                "dry_run may not have kept the build step from pushing (the kaniko plugin \
                 understands \"true\" alone, and not \"Yes\"), so the image is verified"
            ]
        );
        assert_eq!(warnings(" true ").len(), 1);
        assert!(warnings("true").is_empty());
        assert!(warnings("0").is_empty());
    }

    #[test]
    fn a_flag_is_the_last_word() {
        let build = [
            ("OUTPUT", "type=registry"),
            ("DRY_RUN", "yes"),
            ("PUSH", "true"),
        ];
        let nothing = [("OUTPUT", "type=local,dest=out"), ("PUSH", "false")];
        for (build, flag, expected) in [
            (build, "--dry-run", true),
            (build, "--skip-push=yes", true),
            (build, "--dry-run=false", false),
            ([nothing[0], nothing[1], UNSET], "--dry-run=0", false),
            ([nothing[0], nothing[1], UNSET], "--no-push", true),
        ] {
            let run = surroundings(("CI", "woodpecker"), &[BUILDX, &build])
                .and_arguments(&["verify", flag]);
            let (settings, warnings) = run.run();
            let is_skipped = settings.wanted.nothing_pushed.is_some();
            assert_eq!(is_skipped, expected, "{build:?} {flag}");
            assert!(warnings.is_empty(), "{warnings:?}");
        }
    }

    #[test]
    fn the_reason_is_named() {
        let woodpecker = ("CI", "woodpecker");
        for (pairs, reason) in [
            (&[("PUSH", "false")][..], "push: false"),
            (&[("OUTPUT", "type=local,dest=x")], "output: type=local"),
            (&[("OUTPUT", "type=image,push=false")], "output: push=false"),
        ] {
            let warning =
                format!("the build step that shares these settings pushes nothing ({reason})");
            let (settings, warnings) = surroundings(woodpecker, &[BUILDX, pairs]).run();
            assert_eq!(warnings, std::slice::from_ref(&warning));
            let expected = Some(NothingPushed::Because(warning));
            assert_eq!(settings.wanted.nothing_pushed, expected);
        }
        for (pair, reason) in [
            (("OUTPUT", "type=registry"), "output: type=registry"),
            (("OUTPUT", "type=image,push=true"), "output: push=true"),
            (("PUSH", "true"), "push: true"),
        ] {
            let pairs = [("SKIP_PUSH", "true"), pair];
            assert_eq!(
                surroundings(woodpecker, &[BUILDX, &pairs]).warnings(),
                [format!(
                    "skip_push may not have kept the build step from pushing ({reason}), so the \
                     image is verified"
                )]
            );
        }
    }

    #[test]
    fn no_output_panics() {
        for text in super::super::support::scrambled_texts(5_000) {
            for text in [
                text.clone(),
                format!("type={text}"),
                format!("[\"type={text}\"]"),
            ] {
                let _ = exporters(&text);
            }
        }
    }
}
