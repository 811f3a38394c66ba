//! One run: read the settings, verify, rebuild what is broken where that is set, and report.

mod rebuild;
pub mod verify;

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use indicatif::ProgressBar;
use log::{error, info, warn};

use crate::commands::rebuild::Outcome;
use crate::commands::verify::targets::{Target, idle_logins, targets};
use crate::commands::verify::verify;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::report::{Report, github};
use crate::settings::{
    Command, Environment, Error, Mode, NothingPushed, Settings, read, read_output,
};
use crate::terminal::deliver::{announce, deliver, probe, unprinted};
use crate::terminal::log_lines::{HINT, LogLines, Reader};
use crate::terminal::output::{Format, Output};
use crate::terminal::progress::Progress;
use crate::terminal::signals::Signals;
use crate::text::human;
use crate::walk::rules::Depth;

/// Runs with what the process found around itself, and says how it ended.
#[must_use]
pub fn run(environment: &Environment) -> Exit {
    match read(environment, &|path| std::fs::read_to_string(path)) {
        Ok(Command::Help(text) | Command::Version(text)) => print(&text, environment),
        Ok(Command::Run { settings, warnings }) => {
            if settings.login.in_github_actions && settings.output.format == Format::Github {
                // Whoever closed standard output reads nothing else either.
                let _ = github::write_masks(&settings.login.parsed_secrets(), &mut io::stdout());
            }
            let progress = start_progress(&settings.output);
            start_log(&settings.output, progress.handle());
            for warning in warnings {
                warn!("{warning}");
            }
            work(&settings, progress)
        }
        Err(error) => {
            let output = read_output(environment);
            start_log(&output, ProgressBar::hidden());
            for warning in error.warnings() {
                warn!("{warning}");
            }
            refuse(&output, &error)
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
        info!(target: HINT, "{hint}");
    }
    let report = Report::empty(Depth::Tail, SystemTime::now());
    deliver(
        &Judgement::of(&report).ending_in(Exit::Configuration, Some(reason)),
        output,
    )
}

fn work(settings: &Settings, progress: Progress) -> Exit {
    let mut writable = settings.output.clone();
    if let Err(error) = probe(&mut writable) {
        return refuse(&writable, &error);
    }
    let wanted = match settings.mode {
        Mode::Verify => targets(&settings.wanted),
        Mode::Rebuild => Ok(Vec::new()),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return refuse(&settings.output, &error),
    };
    if let Some(warning) = idle_logins(&settings.login, &wanted) {
        warn!("{warning}");
    }
    if let (Mode::Verify, Some(why)) = (settings.mode, &settings.wanted.nothing_pushed) {
        let report = Report {
            skipped: true,
            ..Report::empty(settings.rules.depth, SystemTime::now())
        };
        let judgement = Judgement::of(&report);
        let judgement = match why {
            NothingPushed::DryRun => judgement,
            NothingPushed::Because(reason) => {
                judgement.remarking(format!("{reason}; nothing was checked"))
            }
        };
        return deliver(&judgement, &settings.output);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(failure) => {
            error!("failed to start: {failure}");
            return Exit::Bug;
        }
    };
    let exit = runtime.block_on(async {
        match Signals::listen() {
            Ok(signals) => go(settings, &wanted, &signals, progress).await,
            Err(failure) => {
                error!("failed to listen for signals: {failure}");
                Exit::Bug
            }
        }
    });
    // A credential helper that does not end is not waited for.
    runtime.shutdown_background();
    exit
}

async fn go(
    settings: &Settings,
    wanted: &[Target],
    signals: &Signals,
    mut progress: Progress,
) -> Exit {
    let clients = Arc::new(Clients::new(settings.network.clone()));
    if let (Mode::Rebuild, Some(plan)) = (settings.mode, &settings.rebuild) {
        let report = Report::empty(settings.rules.depth, SystemTime::now());
        let started = Instant::now();
        let Outcome {
            pipeline,
            exit,
            line,
        } = rebuild::rebuild(plan, settings, &clients, signals).await;
        let report = Report {
            pipeline,
            duration: started.elapsed(),
            ..report
        };
        let judgement = Judgement::of(&report);
        let judgement = match exit {
            Exit::Verified => judgement.ending_in(exit, None).remarking(line),
            _ => judgement.ending_in(exit, Some(line)),
        };
        return deliver(&judgement, &settings.output);
    }
    let Patience {
        settle, timeout, ..
    } = settings.patience;
    if settle >= timeout {
        warn!(
            "settle ({}) is not shorter than timeout ({}): the run ends before it can believe a 404",
            human::duration(settle),
            human::duration(timeout)
        );
    }
    announce(wanted, settings.rules.depth, &settings.output);
    let mut check = async |wanted: &[Target]| {
        let stopping = signals.or_after(settings.patience.timeout);
        verify(
            settings,
            wanted,
            Arc::clone(&clients),
            stopping,
            |standing| progress.update(standing, Instant::now()),
        )
        .await
    };
    let report = check(wanted).await;
    let is_broken = Judgement::of(&report).cause() == Exit::Broken;
    let Some(plan) = settings.rebuild.as_ref().filter(|_| is_broken) else {
        progress.finish();
        return deliver(&Judgement::of(&report), &settings.output);
    };
    info!("definitely broken, so a rebuild is started");
    let Outcome {
        pipeline,
        exit,
        line,
    } = rebuild::rebuild(plan, settings, &clients, signals).await;
    if exit != Exit::Verified || !plan.wait {
        progress.finish();
        let report = Report { pipeline, ..report };
        let judgement = Judgement::of(&report);
        let judgement = match exit {
            // Nobody knows yet what became of it, so the image is as broken as before.
            Exit::Verified => judgement.remarking(line),
            _ => judgement.ending_in(exit, Some(line)),
        };
        return deliver(&judgement, &settings.output);
    }
    info!("{line}, so the image is verified again");
    let after = check(&rebuild::without_old_digests(wanted, &report)).await;
    progress.finish();
    let report = Report {
        pipeline,
        before: Some(Box::new(report)),
        ..after
    };
    deliver(&Judgement::of(&report), &settings.output)
}

fn start_progress(output: &Output) -> Progress {
    if output.terminal {
        Progress::bar(Instant::now())
    } else {
        Progress::lines(Instant::now(), Box::new(io::stderr()))
    }
}

fn start_log(output: &Output, bar: ProgressBar) {
    let reader = if output.format == Format::Github {
        Reader::GitHub
    } else {
        Reader::Person
    };
    // There is one already only where this is called as a library, whose log it then is.
    let _ = LogLines::new(output.log_level, reader, bar, Box::new(io::stderr())).install();
}

fn print(text: &str, environment: &Environment) -> Exit {
    use io::Write as _;
    if let Some(failure) = unprinted(writeln!(io::stdout(), "{text}")) {
        start_log(&read_output(environment), ProgressBar::hidden());
        error!("{failure}");
        return Exit::Configuration;
    }
    Exit::Verified
}
