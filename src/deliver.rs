//! Takes a judgement to everybody who waits for it: standard output, the report's files, GitHub's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use log::{LevelFilter, error, warn};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::report::exit::Exit;
use crate::report::github::{self, Place};
use crate::report::judgement::Judgement;
use crate::report::text::{self, Style};
use crate::report::{json, junit};
use crate::settings::{Depth, Format, Output};
use crate::target::Target;

/// Delivers, whatever the verdict, and says how the run ends: a report that was asked for and cannot be written is an error of the
/// settings, unless something worse is to be told.
pub(crate) fn deliver(judgement: &Judgement<'_>, output: &Output) -> Exit {
    let mut exit = judgement.exit;
    let mut file = |setting: &str, path: Option<&Path>, write: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
        let Some(path) = path else { return };
        if let Err(failure) = write_new(path, write) {
            error!("{setting}: cannot write {}: {failure}", path.display());
            if exit == Exit::Verified {
                exit = Exit::Configuration;
            }
        }
    };
    file("report", output.report.as_deref(), &|out| json::write(judgement, out));
    file("junit", output.junit.as_deref(), &|out| junit::write(judgement, out));
    let report = output.report.as_ref().map(|path| path.display().to_string());
    if let Some(path) = &output.github_output {
        let place = Place { report: report.as_deref(), seed: seed() };
        append("GITHUB_OUTPUT", path, &|out| github::write_outputs(judgement, place, out));
    }
    if let Some(path) = output.github_step_summary.as_ref().filter(|_| output.summary) {
        append("GITHUB_STEP_SUMMARY", path, &|out| github::write_summary(judgement, out));
    }
    let style = Style { colour: output.colour, verbose: output.log_level >= LevelFilter::Debug };
    let mut out = BufWriter::new(io::stdout().lock());
    // The verdict is in the exit code too: whoever closed standard output gets it there.
    let _ = match output.format {
        Format::Text => text::write(judgement, style, &mut out),
        Format::Json => json::write(judgement, &mut out),
        Format::Github => github::write(judgement, style, &mut out),
    }
    .and_then(|()| out.flush());
    exit
}

/// Says at the start what is going to be checked, so that the log of a run that is killed tells that much.
pub(crate) fn announce(targets: &[Target], depth: Depth, output: &Output) {
    if output.format != Format::Json {
        let mut out = BufWriter::new(io::stdout().lock());
        let references = targets.iter().map(|target| &target.reference);
        // Whoever closed standard output reads no report either.
        let _ = text::write_header(depth, references, &mut out).and_then(|()| out.flush());
    }
}

fn write_new(path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    write_all(File::create(path)?, write)
}

/// GitHub's files are there already and belong to the runner: not being able to write there is no fault of the image.
fn append(name: &str, path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) {
    let appended = OpenOptions::new().append(true).create(true).open(path).and_then(|file| write_all(file, write));
    if let Err(failure) = appended {
        warn!("{name}: cannot write {}: {failure}", path.display());
    }
}

fn write_all(file: File, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()
}

/// What nobody can guess who writes texts into a registry.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random numbers");
    u64::from_be_bytes(bytes)
}
