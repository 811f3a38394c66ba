//! The commands: reads the settings, runs the command, and delivers what it found.

mod audit;
mod finished;
mod list;
mod prune;
mod rebuild;
mod repair;
pub mod verify;

use std::io::{self, Write as _};
use std::time::SystemTime;

use indicatif::ProgressBar;
use log::{error, warn};

use crate::commands::finished::{Finished, Unfinished};
use crate::report::Report;
use crate::report::exit::Exit;
use crate::settings::{Command, Environment, Error, read, read_output};
use crate::terminal::deliver::{deliver, probe, probe_file, unprinted};
use crate::terminal::log_lines::{HINT, LogLines, Reader};
use crate::terminal::output::{Format, Output};
use crate::terminal::progress::Unit;
use crate::terminal::signals::Signals;
use crate::terminal::wrapping::Wrapping;
use crate::walk::rules::Depth;

/// Runs with what the process found around itself, and says how it ended.
#[must_use]
pub fn run(environment: &Environment) -> Exit {
    let read = read(environment, &|path| std::fs::read_to_string(path));
    match read {
        Ok((Command::Help(text) | Command::Version(text) | Command::Generated(text), _)) => {
            print(&text, environment)
        }
        Ok((Command::Verify(settings), warnings)) => {
            verify::run::mask(&settings.login, &settings.output);
            let (progress, bar) = verify::run::progress(&settings.output, Unit::Digest);
            start_log(&settings.output, bar, &warnings);
            let command = || verify::run::run(&settings, progress);
            finish(&settings.output, command, |found| {
                deliver(&found.judgement(), &settings.output)
            })
        }
        Ok((Command::Audit(settings), warnings)) => {
            verify::run::mask(&settings.login, &settings.output);
            let (progress, bar) = verify::run::progress(&settings.output, Unit::Repository);
            start_log(&settings.output, bar, &warnings);
            let list = probe_file("broken_list", settings.broken_list.as_deref());
            let command = || {
                list.map_err(Error::new)?;
                audit::run(&settings, progress)
            };
            finish(&settings.output, command, |exit| exit)
        }
        Ok((Command::Repair(settings), warnings)) => {
            let output = &settings.verify.output;
            verify::run::mask(&settings.verify.login, output);
            let (progress, bar) = verify::run::progress(output, Unit::Digest);
            start_log(output, bar, &warnings);
            finish(
                output,
                || repair::run(&settings, progress),
                |found| deliver(&found.judgement(), output),
            )
        }
        Ok((Command::Prune(settings), warnings)) => {
            let output = &settings.audit.output;
            verify::run::mask(&settings.audit.login, output);
            let (progress, bar) = verify::run::progress(output, Unit::Repository);
            start_log(output, bar, &warnings);
            finish(output, || prune::run(&settings, progress), |exit| exit)
        }
        Ok((Command::Rebuild(settings), warnings)) => {
            start_log(&settings.output, ProgressBar::hidden(), &warnings);
            finish(
                &settings.output,
                || rebuild::run(&settings),
                |found| deliver(&found.judgement(), &settings.output),
            )
        }
        Err(error) => {
            let output = read_output(environment);
            start_log(&output, ProgressBar::hidden(), error.warnings());
            refuse(&output, &error)
        }
    }
}

/// Runs a command, if its reports can be written, and delivers what it found.
fn finish<T>(
    output: &Output,
    command: impl FnOnce() -> Result<T, Unfinished>,
    deliver: impl FnOnce(T) -> Exit,
) -> Exit {
    let mut writable = output.clone();
    if let Err(message) = probe(&mut writable) {
        return refuse(&writable, &Error::new(message));
    }
    match command() {
        Ok(found) => deliver(found),
        Err(Unfinished::Refused(error)) => refuse(output, &error),
        Err(Unfinished::NotStarted(reason)) => {
            error!("{reason}");
            Exit::Bug
        }
    }
}

/// Wrong settings: nothing is asked, and the result says why.
fn refuse(output: &Output, error: &Error) -> Exit {
    let reason = error.to_string();
    // On GitHub the report's own annotation says it.
    if output.format != Format::Github {
        error!("{reason}");
    }
    if let Some(hint) = error.hint() {
        warn!(target: HINT, "{hint}");
    }
    let report = Report::empty(Depth::Tail, SystemTime::now());
    let refused = Finished::of(report).ending_in(Exit::Configuration, Some(reason));
    let refused = refused.hinting(error.hint().map(str::to_owned));
    deliver(&refused.judgement(), output)
}

/// Runs `work` to its end, with the signals that should end it earlier.
fn until_a_signal<T>(work: impl AsyncFnOnce(&Signals) -> T) -> Result<T, Unfinished> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|failure| Unfinished::NotStarted(format!("failed to start: {failure}")))?;
    let done = runtime.block_on(async {
        let signals = Signals::listen().map_err(|failure| {
            Unfinished::NotStarted(format!("failed to listen for signals: {failure}"))
        })?;
        Ok(work(&signals).await)
    });
    // A credential helper that does not end is not waited for.
    runtime.shutdown_background();
    done
}

fn start_log(output: &Output, bar: ProgressBar, warnings: &[String]) {
    let reader = if output.format == Format::Github {
        Reader::GitHub
    } else {
        Reader::Person
    };
    // There is one already only where this is called as a library, whose log it then is.
    let out = Box::new(io::stderr());
    let lines = LogLines::new(output.log_level, reader, output.stderr, bar, out);
    let _ = lines.on_terminal(output.terminal).install();
    for warning in warnings {
        warn!("{warning}");
    }
}

fn print(text: &str, environment: &Environment) -> Exit {
    let mut out = Wrapping::new(io::stdout(), environment.stdout.columns);
    if let Some(failure) = unprinted(writeln!(out, "{text}")) {
        start_log(&read_output(environment), ProgressBar::hidden(), &[]);
        error!("{failure}");
        return Exit::Configuration;
    }
    Exit::Verified
}
