//! Where the result goes, and in which form.

use std::path::PathBuf;

use log::LevelFilter;

use super::ci::{Facts, System};
use super::raw::{Typed, Value};
use super::{Error, Format, Output, parse, words};

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
        summary: typed.summary().map(|value| value.read("true or false", parse::boolean)).transpose()?.unwrap_or(true),
        log_level: log_level(typed, facts)?,
        never_fail: words(typed.fail_on(), &["broken", "never"])? == Some("never"),
        rebuild_when_broken: words(typed.on_broken(), &["fail", "rebuild"])? == Some("rebuild"),
        colour: format == Format::Text && renders_colour && facts.get("NO_COLOR").is_none(),
        terminal: stderr_is_terminal,
        github_output: facts.path("GITHUB_OUTPUT").filter(|_| in_github),
        github_step_summary: facts.path("GITHUB_STEP_SUMMARY").filter(|_| in_github),
    })
}

/// `log_level`; the build plugins' words are understood too, and a job with debug logging gets at least `debug`.
fn log_level(typed: &Typed, facts: &Facts<'_>) -> Result<LevelFilter, Error> {
    let level = match typed.log_level() {
        None => LevelFilter::Info,
        Some(value) => {
            value.read("one of error, warn, info, debug, trace", |text| match text.to_ascii_lowercase().as_str() {
                "error" | "fatal" | "panic" => Some(LevelFilter::Error),
                "warn" | "warning" => Some(LevelFilter::Warn),
                "info" => Some(LevelFilter::Info),
                "debug" => Some(LevelFilter::Debug),
                "trace" => Some(LevelFilter::Trace),
                _ => None,
            })?
        }
    };
    Ok(if facts.get("RUNNER_DEBUG") == Some("1") { level.max(LevelFilter::Debug) } else { level })
}
