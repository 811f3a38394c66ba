//! Where the result goes, and in which form.

use std::path::Path;

use log::LevelFilter;

use super::Error;
use super::ci::{Facts, System};
use super::raw::Typed;
use crate::report::exit::FailOn;
use crate::terminal::output::{Detail, Format, Output, Screen};

/// The standard streams.
#[derive(Clone, Copy)]
pub(super) struct Terminals {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

/// What is known of one of the standard streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// How wide that is, in characters, if it says so.
    pub columns: Option<usize>,
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
    let format = match typed.format().word()? {
        "json" => Format::Json,
        "github" => Format::Github,
        "auto" if in_github => Format::Github,
        _ => Format::Text,
    };
    let report = typed.report().map(|value| value.path());
    let prints_report = report.as_deref() == Some(Path::new("-"));
    let report = report.filter(|_| !prints_report);
    let junit = typed.junit().map(|value| value.path());
    if let Some(value) = typed.junit().filter(|_| report == junit) {
        return Err(value.error("the JSON report and the JUnit report cannot be the same file"));
    }
    let only_failures = typed.only_failures().boolean()?;
    let detail = match typed.quiet().boolean()? {
        true => Detail::Quiet,
        false if only_failures => Detail::OnlyFailures,
        false => Detail::All,
    };
    let color = typed.color().word()?.to_owned();
    let screen = |stream: Stream| Screen {
        colour: shows_colour(&color, facts, stream),
        columns: stream.columns.filter(|_| stream.is_terminal),
    };
    let stdout = match format {
        Format::Text | Format::Github if !prints_report => screen(terminals.stdout),
        _ => Screen::default(),
    };
    Ok(Output {
        report,
        prints_report,
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
        stdout,
        stderr: screen(terminals.stderr),
        terminal: terminals.stderr.is_terminal,
        step_outputs: facts.path("GITHUB_OUTPUT").filter(|_| in_github),
        step_summary: facts.path("GITHUB_STEP_SUMMARY").filter(|_| in_github),
    })
}

/// Whether text on a stream is coloured: as `color` says, else as the user's environment says, else
/// where colours are shown.
fn shows_colour(color: &str, facts: &Facts<'_>, stream: Stream) -> bool {
    let is_on = |name| {
        facts
            .get(name)
            .is_some_and(|text| !matches!(text, "0" | "false"))
    };
    match color {
        "always" => true,
        "never" => false,
        _ if facts.get("NO_COLOR").is_some() => false,
        _ if is_on("FORCE_COLOR") || is_on("CLICOLOR_FORCE") => true,
        _ if stream.is_terminal => facts.get("TERM") != Some("dumb"),
        _ => facts.system() != System::Other || is_on("GITLAB_CI"),
    }
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
    use super::super::support::{Surroundings, given, typed};
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

    /// Whether standard output and the log are coloured.
    fn colours(surroundings: &Surroundings) -> (bool, bool) {
        let output = surroundings.settings().output;
        (output.stdout.colour, output.stderr.colour)
    }

    #[test]
    fn logs_are_coloured_where_ci_systems_show_it() {
        let colours = |pairs: &[(&str, &str)]| colours(&given(pairs));
        for shown in [
            ("CI", "woodpecker"),
            ("CI_SYSTEM_NAME", "woodpecker"),
            ("CI", "drone"),
            ("GITHUB_ACTIONS", "true"),
            ("GITLAB_CI", "true"),
        ] {
            assert_eq!(colours(&[shown]), (true, true), "{shown:?}");
            assert_eq!(colours(&[shown, ("NO_COLOR", "1")]), (false, false));
            assert_eq!(colours(&[shown, ("NO_COLOR", "")]), (true, true));
            assert_eq!(colours(&[shown, ("TERM", "dumb")]), (true, true));
        }
        for plain in [
            ("CI", "true"),
            ("GITHUB_ACTIONS", "false"),
            ("GITLAB_CI", "false"),
            ("TERM", "xterm-256color"),
        ] {
            assert_eq!(colours(&[plain]), (false, false), "{plain:?}");
        }
        let json = [("CI", "woodpecker"), ("PLUGIN_FORMAT", "json")];
        assert_eq!(colours(&json), (false, true));
    }

    #[test]
    fn the_setting_wins_over_the_environment_and_that_over_the_terminal() {
        for (pairs, flags, expected) in [
            (&[][..], &[][..], false),
            (&[("FORCE_COLOR", "1")], &[], true),
            (&[("CLICOLOR_FORCE", "1")], &[], true),
            (&[("FORCE_COLOR", "0")], &[], false),
            (&[("CLICOLOR_FORCE", "0")], &[], false),
            (&[("FORCE_COLOR", "")], &[], false),
            (&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], &[], false),
            (&[("FORCE_COLOR", "1"), ("TERM", "dumb")], &[], true),
            (&[("NO_COLOR", "1")], &["--color", "always"], true),
            (&[("FORCE_COLOR", "1")], &["--color", "never"], false),
            (&[("CI", "woodpecker")], &["--color=never"], false),
            (&[("CI", "woodpecker")], &["--color=auto"], true),
        ] {
            let arguments = [&["verify"], flags].concat();
            let surroundings = given(pairs).and_arguments(&arguments);
            let expected = (expected, expected);
            assert_eq!(colours(&surroundings), expected, "{pairs:?} {flags:?}");
        }
        let always = typed(&["verify", "--color", "always", "--format", "json"]);
        assert_eq!(colours(&always), (false, true));
        assert_eq!(
            typed(&["verify", "--color", "red"]).error(),
            r#"--color: "red" is not one of auto, always, never"#
        );
    }

    #[test]
    fn a_terminal_shows_colours_unless_it_is_dumb() {
        let at_a_terminal = |pairs: &[(&str, &str)]| {
            let run = given(pairs).and_arguments(&["verify"]).at_a_terminal();
            run.settings().output
        };
        let plain = at_a_terminal(&[]);
        assert!(plain.stdout.colour && plain.stderr.colour && plain.terminal);
        assert_eq!(plain.stdout.columns, Some(80));
        for dark in [("TERM", "dumb"), ("NO_COLOR", "1")] {
            let output = at_a_terminal(&[dark]);
            assert!(!output.stdout.colour && !output.stderr.colour, "{dark:?}");
        }
        assert!(
            !at_a_terminal(&[("CI", "woodpecker"), ("TERM", "dumb")])
                .stdout
                .colour
        );
        assert_eq!(given(&[]).settings().output.stdout.columns, None);
        let json = at_a_terminal(&[("PLUGIN_FORMAT", "json")]);
        assert_eq!(json.stdout, Screen::default());
        assert_eq!(json.stderr.columns, Some(80));
    }

    #[test]
    fn a_report_for_standard_output_sends_the_text_elsewhere() {
        let output = typed(&["verify", "app", "--report", "-"]).settings().output;
        assert_eq!((output.prints_report, output.report), (true, None));
        let file = typed(&["verify", "app", "--report", "./-"])
            .settings()
            .output;
        assert_eq!(file.report.as_deref(), Some(Path::new("./-")));
        assert!(!file.prints_report);
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
