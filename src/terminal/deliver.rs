//! Writes a judgement wherever it is expected: standard output, report files, GitHub's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use log::{LevelFilter, error, warn};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::oci::reference::Reference;
use crate::report::audit::{self, Audit};
use crate::report::exit::{Conclusion, Exit};
use crate::report::github::Extras;
use crate::report::judgement::Judgement;
use crate::report::plan::Plan;
use crate::report::prune::Prune;
use crate::report::text::Style;
use crate::report::{github, json, junit, text};
use crate::terminal::output::{Detail, Format, Output};
use crate::terminal::streams::Streams;
use crate::walk::rules::Depth;

/// What writes a report, or a part of it.
type Writing<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

/// Delivers, whatever the verdict, and says how the run ends: a requested report that cannot be
/// written is an error of the settings, unless something worse is to be reported.
pub(crate) fn deliver(judgement: &Judgement<'_>, output: &Output) -> Exit {
    let mut complete = true;
    let mut file =
        |setting: &str, path: Option<&Path>, write: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
            let written = path.map(|path| {
                write_new(path, write).map_err(|failure| unwritable(setting, path, &failure))
            });
            if let Some(Err(message)) = &written {
                error!("{message}");
                complete = false;
            }
            matches!(written, Some(Ok(())))
        };
    let is_reported = file("report", output.report.as_deref(), &|out| {
        json::write(judgement, out)
    });
    file("junit", output.junit.as_deref(), &|out| {
        junit::write(judgement, out)
    });
    let report = output
        .report
        .as_ref()
        .filter(|_| is_reported)
        .map(|path| path.display().to_string());
    if let Some(path) = &output.step_outputs {
        let place = Extras {
            report: report.as_deref(),
            seed: seed(),
        };
        append("GITHUB_OUTPUT", path, &|out| {
            github::write_outputs(judgement, place, out)
        });
    }
    if let Some(path) = output.step_summary.as_ref().filter(|_| output.summary) {
        append("GITHUB_STEP_SUMMARY", path, &|out| {
            github::write_summary(judgement, out)
        });
    }
    let style = style(output);
    let passes = judgement.conclusion() == Conclusion::Passed;
    complete &= print_json(output, &|out| json::write(judgement, out));
    complete &= print_text(output, passes, &|out| match output.format {
        Format::Github => github::write(judgement, style, out),
        Format::Text | Format::Json => text::write(judgement, style, out),
    });
    if complete || judgement.exit != Exit::Verified {
        judgement.exit
    } else {
        Exit::Configuration
    }
}

/// Writes the plan of a repair to a file.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_plan(path: &Path, plan: &Plan) -> io::Result<()> {
    write_new(path, &|out| json::write_plan(plan, SystemTime::now(), out))
}

/// Writes the plan of a prune to its file.
///
/// # Errors
///
/// When it cannot be written.
pub(crate) fn write_prune(path: &Path, prune: &Prune) -> io::Result<()> {
    write_new(path, &|out| json::write_prune(prune, out))
}

/// Delivers an audit, whatever the verdict, and says how the run ends; see [`deliver`].
pub(crate) fn deliver_audit(audit: &Audit, streams: Streams, output: &Output) -> Exit {
    let mut complete = streams.close(audit);
    let report = output.report.as_ref().filter(|_| complete);
    let report = report.map(|path| path.display().to_string());
    if let Some(path) = &output.step_outputs {
        let place = Extras {
            report: report.as_deref(),
            seed: seed(),
        };
        append("GITHUB_OUTPUT", path, &|out| {
            audit::write_outputs(audit, place, out)
        });
    }
    if let Some(path) = output.step_summary.as_ref().filter(|_| output.summary) {
        append("GITHUB_STEP_SUMMARY", path, &|out| {
            audit::write_summary(audit, out)
        });
    }
    let passes = audit.conclusion() == Conclusion::Passed;
    complete &= print_text(output, passes, &|out| match output.format {
        Format::Github => audit::write_github(audit, style(output), out),
        Format::Text | Format::Json => audit::write(audit, style(output), out),
    });
    if complete || audit.exit() != Exit::Verified {
        audit.exit()
    } else {
        Exit::Configuration
    }
}

fn style(output: &Output) -> Style {
    Style {
        colour: output.text_screen().colour,
        only_failures: output.detail < Detail::All,
        verbose: output.log_level >= LevelFilter::Debug,
    }
}

/// Writes what is going to be audited.
pub(crate) fn announce_audit(
    registries: &[String],
    depth: Depth,
    remembered: Option<usize>,
    output: &Output,
) {
    announce_with(output, &|out| {
        audit::write_header(registries, depth, remembered, "auditing", out)
    });
}

/// Writes what is going to be pruned.
pub(crate) fn announce_prune(registries: &[String], depth: Depth, output: &Output) {
    announce_with(output, &|out| {
        audit::write_header(registries, depth, None, "pruning", out)
    });
}

/// Checks that the reports can be written before the run starts; a path that cannot be written is
/// dropped.
///
/// # Errors
///
/// When there is such a path, with the setting and the reason.
pub(crate) fn probe(output: &mut Output) -> Result<(), String> {
    let (report, junit) = (
        problem("report", &mut output.report),
        problem("junit", &mut output.junit),
    );
    report.or(junit).map_or(Ok(()), Err)
}

/// Checks that a file can be written.
///
/// # Errors
///
/// When it cannot, with the setting and the reason.
pub(crate) fn probe_file(setting: &str, path: Option<&Path>) -> Result<(), String> {
    problem(setting, &mut path.map(Path::to_owned)).map_or(Ok(()), Err)
}

/// Why a file cannot be written, which is dropped then.
fn problem(setting: &str, place: &mut Option<PathBuf>) -> Option<String> {
    let failure = open_and_leave(place.as_deref()?).err()?;
    Some(unwritable(setting, &place.take()?, &failure))
}

/// Opens an existing file for writing, or creates one and removes it again.
fn open_and_leave(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // The reader of a pipe or a device would notice.
        Ok(there) if !there.is_file() && !there.is_dir() => Ok(()),
        Ok(_) => OpenOptions::new().write(true).open(path).map(drop),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
            make_folder(path)?;
            OpenOptions::new().write(true).create_new(true).open(path)?;
            fs::remove_file(path)
        }
        Err(failure) => Err(failure),
    }
}

pub(super) fn unwritable(setting: &str, path: &Path, failure: &io::Error) -> String {
    format!("{setting}: cannot write {}: {failure}", path.display())
}

/// Why standard output did not get everything; `None` if the reader closed it, which reads at most
/// the exit code then.
pub(crate) fn unprinted(printed: io::Result<()>) -> Option<String> {
    let failure = printed
        .err()
        .filter(|failure| failure.kind() != io::ErrorKind::BrokenPipe)?;
    Some(format!("cannot write to standard output: {failure}"))
}

/// Writes what is going to be checked, so that the log of a killed run shows at least that.
pub(crate) fn announce<'a>(
    references: impl Iterator<Item = &'a Reference>,
    depth: Depth,
    output: &Output,
) {
    let references: Vec<_> = references.collect();
    announce_with(output, &|out| {
        text::write_header(depth, references.iter().copied(), out)
    });
}

fn announce_with(output: &Output, write: &Writing<'_>) {
    if let Some(out) = output.text().filter(|_| output.detail > Detail::Quiet) {
        let mut out = BufWriter::new(out);
        // A reader that closed the stream reads no report either.
        let _ = write(&mut out).and_then(|()| out.flush());
    }
}

/// Writes the JSON report to standard output, if it belongs there; whether nothing went wrong.
fn print_json(output: &Output, write: &Writing<'_>) -> bool {
    if !output.prints_json() {
        return true;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    is_printed(write(&mut out).and_then(|()| out.flush()))
}

/// Writes the text, unless nobody wants it; whether nothing went wrong.
fn print_text(output: &Output, passes: bool, write: &Writing<'_>) -> bool {
    let Some(out) = output
        .text()
        .filter(|_| !(passes && output.detail == Detail::Quiet))
    else {
        return true;
    };
    let mut out = BufWriter::new(out);
    is_printed(write(&mut out).and_then(|()| out.flush()))
}

/// Whether a stream took everything; else the reason is logged.
pub(super) fn is_printed(printed: io::Result<()>) -> bool {
    match unprinted(printed) {
        None => true,
        Some(message) => {
            error!("{message}");
            false
        }
    }
}

fn write_new(path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    make_folder(path)?;
    write_all(File::create(path)?, write)
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), fs::create_dir_all)
}

/// GitHub's files are there already and belong to the runner: not being able to write there is no
/// fault of the image.
fn append(name: &str, path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) {
    let appended = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|file| write_all(file, write));
    if let Err(failure) = appended {
        warn!("{name}: cannot write {}: {failure}", path.display());
    }
}

fn write_all(file: File, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

/// A random word that the author of a registry's texts cannot guess.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system gives random numbers");
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::exit::FailOn;
    use crate::terminal::output::Screen;

    /// An output with these two places for reports.
    fn output(report: &Path, junit: &Path) -> Output {
        Output {
            report: Some(report.to_owned()),
            prints_report: false,
            junit: Some(junit.to_owned()),
            format: Format::Text,
            summary: true,
            log_level: LevelFilter::Info,
            detail: Detail::All,
            fail_on: FailOn::Broken,
            stdout: Screen::default(),
            stderr: Screen::default(),
            terminal: false,
            step_outputs: None,
            step_summary: None,
        }
    }

    #[test]
    fn a_probe_leaves_everything_as_it_was() {
        let folder =
            std::env::temp_dir().join(format!("pullproof-probe-{}-{}", std::process::id(), seed()));
        fs::create_dir_all(&folder).unwrap();
        let (old, new) = (folder.join("old"), folder.join("new"));
        fs::write(&old, "before").unwrap();
        let mut places = output(&old, &new);
        assert_eq!(probe(&mut places), Ok(()));
        assert_eq!(
            (places.report.as_deref(), places.junit.as_deref()),
            (Some(&*old), Some(&*new))
        );
        assert_eq!(fs::read_to_string(&old).unwrap(), "before");
        assert!(!new.exists());
        let mut places = output(&folder, &old.join("below"));
        let error = probe(&mut places).unwrap_err();
        assert!(
            error.starts_with(&format!("report: cannot write {}: ", folder.display())),
            "{error}"
        );
        assert_eq!((places.report, places.junit), (None, None));
        let mut places = output(&old, &folder);
        assert!(probe(&mut places).unwrap_err().starts_with("junit: "));
        assert_eq!((places.report, places.junit), (Some(old), None));
        fs::remove_dir_all(&folder).unwrap();
    }
}
