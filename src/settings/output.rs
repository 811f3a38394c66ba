//! Where the result goes, and in which form.

use std::path::PathBuf;

use log::LevelFilter;

use super::ci::{Facts, System};
use super::raw::{Typed, Value};
use super::{Error, parse, words};
use crate::terminal::output::{Format, Output};

/// Reads where the result goes; the last two are whether standard output and standard error are terminals.
///
/// # Errors
///
/// When a value is not what its setting takes, or both reports would go into one file.
pub(super) fn output(
    typed: &Typed,
    facts: &Facts<'_>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
) -> Result<Output, Error> {
    let in_github = facts.system() == System::GithubActions;
    let format = match words(typed.format(), &["auto", "text", "json", "github"])? {
        Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some("github") => Format::Github,
        _ if in_github => Format::Github,
        _ => Format::Text,
    };
    let path = |value: Option<Value<'_>>| value.map(|value| PathBuf::from(value.text));
    let (report, junit) = (path(typed.report()), path(typed.junit()));
    if let Some(value) = typed.junit().filter(|_| report == junit) {
        return Err(value.error("the JSON report and the JUnit report cannot be the same file"));
    }
    let in_woodpecker = matches!(facts.system(), System::Woodpecker | System::Drone);
    let renders_colour = in_woodpecker || (stdout_is_terminal && facts.get("TERM") != Some("dumb"));
    Ok(Output {
        report,
        junit,
        format,
        summary: typed
            .summary()
            .map(|value| value.read("true or false", parse::boolean))
            .transpose()?
            .unwrap_or(true),
        log_level: log_level(typed, facts)?,
        never_fail: words(typed.fail_on(), &["broken", "never"])? == Some("never"),
        rebuild_when_broken: words(typed.on_broken(), &["fail", "rebuild"])? == Some("rebuild"),
        colour: format == Format::Text && renders_colour && facts.get("NO_COLOR").is_none(),
        terminal: stderr_is_terminal,
        github_output: facts.path("GITHUB_OUTPUT").filter(|_| in_github),
        github_step_summary: facts.path("GITHUB_STEP_SUMMARY").filter(|_| in_github),
    })
}

/// Where the result goes when nothing is set.
pub(super) fn unset(
    facts: &Facts<'_>,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
) -> Output {
    output(
        &Typed::default(),
        facts,
        stdout_is_terminal,
        stderr_is_terminal,
    )
    .expect("what is not set is not wrong")
}

/// `log_level`; the build plugins' words are understood too, and a job with debug logging gets at least `debug`.
fn log_level(typed: &Typed, facts: &Facts<'_>) -> Result<LevelFilter, Error> {
    let level = match typed.log_level() {
        None => LevelFilter::Info,
        Some(value) => value.read("one of error, warn, info, debug, trace", |text| match text
            .to_ascii_lowercase()
            .as_str()
        {
            "error" | "fatal" | "panic" => Some(LevelFilter::Error),
            "warn" | "warning" => Some(LevelFilter::Warn),
            "info" => Some(LevelFilter::Info),
            "debug" => Some(LevelFilter::Debug),
            "trace" => Some(LevelFilter::Trace),
            _ => None,
        })?,
    };
    Ok(if facts.get("RUNNER_DEBUG") == Some("1") {
        level.max(LevelFilter::Debug)
    } else {
        level
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::*;

    #[test]
    fn the_format_follows_the_platform_unless_it_is_named() {
        let format = |pairs: &[(&str, &str)]| given(pairs).settings().output.format;
        assert_eq!(format(&[]), Format::Text);
        assert_eq!(format(&[("GITHUB_ACTIONS", "true")]), Format::Github);
        assert_eq!(
            format(&[("GITHUB_ACTIONS", "true"), ("INPUT_FORMAT", "auto")]),
            Format::Github
        );
        assert_eq!(
            format(&[("GITHUB_ACTIONS", "true"), ("INPUT_FORMAT", "text")]),
            Format::Text
        );
        assert_eq!(
            format(&[("CI", "woodpecker"), ("PLUGIN_FORMAT", "JSON")]),
            Format::Json
        );
        assert_eq!(format(&[("PLUGIN_FORMAT", "github")]), Format::Github);
    }

    #[test]
    fn colours_appear_where_they_are_rendered() {
        let colour = |pairs: &[(&str, &str)]| given(pairs).settings().output.colour;
        assert!(!colour(&[]));
        assert!(colour(&[("CI", "woodpecker")]));
        assert!(!colour(&[("CI", "woodpecker"), ("NO_COLOR", "1")]));
        assert!(!colour(&[("CI", "woodpecker"), ("PLUGIN_FORMAT", "json")]));
        assert!(!colour(&[("GITHUB_ACTIONS", "true")]));
        let at_a_terminal = |pairs: &[(&str, &str)]| {
            given(pairs)
                .and_arguments(&["verify"])
                .at_a_terminal()
                .settings()
                .output
        };
        assert!(at_a_terminal(&[]).colour && at_a_terminal(&[]).terminal);
        assert!(!at_a_terminal(&[("TERM", "dumb")]).colour);
        assert!(at_a_terminal(&[("NO_COLOR", "")]).colour);
        assert!(!at_a_terminal(&[("NO_COLOR", "1")]).colour);
    }

    #[test]
    fn debug_logging_of_a_job_is_heard() {
        let level = |pairs: &[(&str, &str)]| given(pairs).settings().output.log_level;
        assert_eq!(level(&[]), LevelFilter::Info);
        assert_eq!(level(&[("RUNNER_DEBUG", "1")]), LevelFilter::Debug);
        assert_eq!(
            level(&[("RUNNER_DEBUG", "1"), ("PLUGIN_LOG_LEVEL", "error")]),
            LevelFilter::Debug
        );
        assert_eq!(
            level(&[("RUNNER_DEBUG", "1"), ("PLUGIN_LOG_LEVEL", "trace")]),
            LevelFilter::Trace
        );
        assert_eq!(level(&[("PLUGIN_LOG_LEVEL", "Warning")]), LevelFilter::Warn);
        assert_eq!(
            given(&[("PLUGIN_LOG_LEVEL", "loud")]).error(),
            r#"PLUGIN_LOG_LEVEL: "loud" is not one of error, warn, info, debug, trace"#
        );
    }

    #[test]
    fn githubs_files_are_githubs_alone() {
        let files = [("GITHUB_OUTPUT", "/o"), ("GITHUB_STEP_SUMMARY", "/s")];
        let output = given(&[("GITHUB_ACTIONS", "true"), files[0], files[1]])
            .settings()
            .output;
        assert_eq!(
            (output.github_output, output.github_step_summary),
            (Some("/o".into()), Some("/s".into()))
        );
        let output = given(&[("CI", "woodpecker"), files[0], files[1]])
            .settings()
            .output;
        assert_eq!(
            (output.github_output, output.github_step_summary),
            (None, None)
        );
    }

    #[test]
    fn reports_go_where_they_are_sent() {
        let output = typed(&[
            "--output",
            "a.json",
            "--junit=b.xml",
            "--fail-on=never",
            "--summary=off",
        ])
        .settings()
        .output;
        assert_eq!(
            (output.report, output.junit),
            (Some("a.json".into()), Some("b.xml".into()))
        );
        assert!(output.never_fail && !output.summary && !output.rebuild_when_broken);
        assert_eq!(
            typed(&["--report", "a", "--junit", "a"]).error(),
            "--junit: the JSON report and the JUnit report cannot be the same file"
        );
    }
}
