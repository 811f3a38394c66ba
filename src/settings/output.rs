//! Where the result goes, and in which form.

use std::path::Path;

use log::LevelFilter;

use super::Error;
use super::ci::{Facts, System};
use super::raw::Typed;
use crate::report::exit::FailOn;
use crate::terminal::output::{Detail, Format, Output, Stdout};

/// Which of the standard streams are terminals.
#[derive(Clone, Copy)]
pub(super) struct Terminals {
    /// Whether standard output is one.
    pub(super) stdout: bool,
    /// Whether standard error is one.
    pub(super) stderr: bool,
}

/// Reads where the result goes.
///
/// # Errors
///
/// When a value is not what its setting takes, or both reports would go into one file.
pub(super) fn output(
    typed: &Typed,
    facts: &Facts<'_>,
    terminals: Terminals,
) -> Result<Output, Error> {
    let in_github = facts.system() == System::GithubActions;
    let in_woodpecker = matches!(facts.system(), System::Woodpecker | System::Drone);
    let format = match typed.format().word()? {
        "json" => Format::Json,
        "github" => Format::Github,
        "auto" if in_github => Format::Github,
        _ => Format::Text,
    };
    let report = typed.report().map(|value| value.path());
    let stdout = if report.as_deref() == Some(Path::new("-")) {
        Stdout::Report
    } else {
        Stdout::Format
    };
    let report = report.filter(|_| stdout == Stdout::Format);
    let junit = typed.junit().map(|value| value.path());
    if let Some(value) = typed.junit().filter(|_| report == junit) {
        return Err(value.error("the JSON report and the JUnit report cannot be the same file"));
    }
    let shows_text = match stdout {
        Stdout::Format => terminals.stdout,
        Stdout::Report => terminals.stderr,
    };
    let renders_colour = in_woodpecker || (shows_text && facts.get("TERM") != Some("dumb"));
    let only_failures = typed.only_failures().boolean()?;
    let detail = match typed.quiet().boolean()? {
        true => Detail::Quiet,
        false if only_failures => Detail::OnlyFailures,
        false => Detail::All,
    };
    Ok(Output {
        report,
        stdout,
        junit,
        format,
        summary: typed.summary().boolean()?,
        log_level: log_level(typed, facts, detail)?,
        detail,
        fail_on: match typed.fail_on().word()? {
            "never" => FailOn::Never,
            "in_use" => FailOn::InUse,
            _ => FailOn::Broken,
        },
        colour: format == Format::Text && renders_colour && facts.get("NO_COLOR").is_none(),
        terminal: terminals.stderr,
        step_outputs: facts.path("GITHUB_OUTPUT").filter(|_| in_github),
        step_summary: facts.path("GITHUB_STEP_SUMMARY").filter(|_| in_github),
    })
}

/// Where the result goes when nothing is set.
pub(super) fn unset(facts: &Facts<'_>, terminals: Terminals) -> Output {
    output(&Typed::default(), facts, terminals).expect("the defaults are accepted")
}

/// `log_level`; the build plugins' words are understood too, and a job with debug logging gets at
/// least `debug`. With `quiet` it is `warn`, unless it is given.
fn log_level(typed: &Typed, facts: &Facts<'_>, detail: Detail) -> Result<LevelFilter, Error> {
    let value = typed.log_level();
    if detail == Detail::Quiet && !value.is_given {
        return Ok(LevelFilter::Warn);
    }
    let level = match value.text.to_ascii_lowercase().as_str() {
        "fatal" | "panic" => LevelFilter::Error,
        "warning" => LevelFilter::Warn,
        _ => value.word()?.parse().unwrap_or(LevelFilter::Info),
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
    fn a_report_for_standard_output_sends_the_text_elsewhere() {
        let output = typed(&["verify", "app", "--report", "-"]).settings().output;
        assert_eq!((output.stdout, output.report), (Stdout::Report, None));
        let file = typed(&["verify", "app", "--report", "./-"])
            .settings()
            .output;
        assert_eq!(file.report.as_deref(), Some(Path::new("./-")));
        assert_eq!(file.stdout, Stdout::Format);
    }

    #[test]
    fn a_quiet_run_logs_warnings_alone_unless_a_level_is_given() {
        let output = |flags: &[&str]| {
            let arguments = [&["verify", "app"], flags].concat();
            typed(&arguments).settings().output
        };
        let quiet = output(&["--quiet"]);
        assert_eq!(
            (quiet.detail, quiet.log_level),
            (Detail::Quiet, LevelFilter::Warn)
        );
        let debug = output(&["--quiet", "--log-level=debug"]);
        assert_eq!(debug.log_level, LevelFilter::Debug);
        let failures = output(&["--only-failures"]);
        assert_eq!(failures.detail, Detail::OnlyFailures);
        assert_eq!(failures.log_level, LevelFilter::Info);
    }

    #[test]
    fn debug_logging_of_a_github_job_is_followed() {
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
    fn githubs_files_are_written_in_github_actions_alone() {
        let files = [("GITHUB_OUTPUT", "/o"), ("GITHUB_STEP_SUMMARY", "/s")];
        let output = given(&[("GITHUB_ACTIONS", "true"), files[0], files[1]])
            .settings()
            .output;
        assert_eq!(
            (output.step_outputs, output.step_summary),
            (Some("/o".into()), Some("/s".into()))
        );
        let output = given(&[("CI", "woodpecker"), files[0], files[1]])
            .settings()
            .output;
        assert_eq!((output.step_outputs, output.step_summary), (None, None));
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
        assert!(output.fail_on == FailOn::Never && !output.summary);
        assert_eq!(
            typed(&["--report", "a", "--junit", "a"]).error(),
            "--junit: the JSON report and the JUnit report cannot be the same file"
        );
    }
}
