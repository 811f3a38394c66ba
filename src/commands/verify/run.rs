//! A verification from its settings to its end: the walks and, where the settings ask for it, a
//! rebuild of what is broken and a second look.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use indicatif::ProgressBar;
use log::{info, warn};

use super::layouts;
use super::listed::listed;
use super::targets::{Target, hosts_added, idle_logins, targets};
use super::verify;
use crate::commands::finished::{Finished, Unfinished};
use crate::commands::rebuild::{self, RebuildOutcome};
use crate::commands::repair::{self, Mending};
use crate::commands::until_a_signal;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::oci::reference::Repository;
use crate::registry::logins::Logins;
use crate::report::exit::Exit;
use crate::report::{Report, github};
use crate::settings::{NothingPushed, OnBroken, RebuildSettings, VerifySettings};
use crate::terminal::deliver::announce;
use crate::terminal::output::{Detail, Format, Output};
use crate::terminal::progress::{Progress, Unit};
use crate::terminal::signals::Signals;
use crate::text::human;

/// Verifies.
///
/// # Errors
///
/// When there is nothing to verify, settings contradict each other, or the program cannot start.
pub(crate) fn run(settings: &VerifySettings, progress: Progress) -> Result<Finished, Unfinished> {
    let targets = targets(&settings.wanted, listed(settings.wanted.list.as_ref())?)?;
    let remote = targets.iter().filter(|target| target.is_in_a_registry());
    let hosts = remote.map(|target| {
        let Repository { registry, .. } = &target.reference.repository;
        registry.clone()
    });
    let server = settings.rebuild().map(|rebuild| rebuild.plan.host());
    if let Some(warning) = settings.network.unverified(hosts.chain(server)) {
        warn!("{warning}");
    }
    if let Some(warning) = idle_logins(&settings.login, &targets) {
        warn!("{warning}");
    }
    if let Some(why) = &settings.wanted.nothing_pushed {
        return Ok(skipped(settings, why));
    }
    let targets = layouts::expanded(targets)?;
    for line in hosts_added(&settings.wanted) {
        info!("{line}");
    }
    until_a_signal(async |signals| {
        let mut progress = progress;
        verified(settings, &targets, signals, &mut progress).await
    })
}

/// Where the progress is shown: as a bar on a terminal, else as lines.
pub(crate) fn progress(output: &Output, unit: Unit) -> (Progress, ProgressBar) {
    let progress = if output.detail == Detail::Quiet {
        Progress::lines(unit, Instant::now(), Box::new(io::sink()))
    } else if output.terminal {
        Progress::bar(unit, Instant::now())
    } else {
        Progress::lines(unit, Instant::now(), Box::new(io::stderr()))
    };
    let bar = progress.handle();
    (progress, bar)
}

/// Asks GitHub to mask the secrets that it cannot know, before anything else is written.
pub(crate) fn mask(login: &Logins, output: &Output) {
    if login.in_github_actions && output.format == Format::Github {
        // A reader that closed standard output reads nothing else either.
        let _ = github::write_masks(&login.parsed_secrets(), &mut io::stdout());
    }
}

fn skipped(settings: &VerifySettings, why: &NothingPushed) -> Finished {
    let finished = Finished::of(Report {
        skipped: true,
        ..Report::empty(settings.rules.depth, SystemTime::now())
    });
    match why {
        NothingPushed::DryRun => finished,
        NothingPushed::Because(reason) => {
            finished.remarking(format!("{reason}; nothing was checked"))
        }
    }
}

/// The verification, and what follows when it finds something broken.
async fn verified(
    settings: &VerifySettings,
    targets: &[Target],
    signals: &Signals,
    progress: &mut Progress,
) -> Finished {
    warn_of_a_long_settle(&settings.patience);
    announce(
        targets.iter().map(|target| &target.reference),
        settings.rules.depth,
        &settings.output,
    );
    let clients = Arc::new(Clients::new(settings.network.clone()));
    let mut check = async |targets: &[Target]| {
        progress.begin(Instant::now());
        let stopping = signals.or_after(settings.patience.timeout);
        let clients = Arc::clone(&clients);
        let seen = |standing| progress.update(standing, Instant::now());
        let report = verify(settings, targets, clients, stopping, seen).await;
        progress.finish();
        report
    };
    let mut finished = Finished::of(check(targets).await);
    if finished.judgement().cause() == Exit::Verified
        && let Some(rebuild) = settings.rebuild()
    {
        rebuild::try_token(rebuild, &clients, signals).await;
    }
    for step in &settings.on_broken {
        if !finished.judgement().is_for_a_rebuild() {
            break;
        }
        let report = finished.into_report();
        finished = match step {
            OnBroken::Repair(sources) => {
                info!("definitely broken, so what is missing is looked for elsewhere");
                let mending = Mending {
                    settings,
                    sources,
                    clients: &clients,
                    allowed: None,
                };
                let stopping = signals.or_after(Patience::NO_TIMEOUT);
                match mending.of(&report, stopping.clone()).await {
                    Ok(plan) if plan.possible() > 0 => {
                        info!("verified again after the repair");
                        repair::concluded(report, plan, check(targets).await)
                    }
                    Ok(plan) => Finished::of(repair::unchanged(report, plan, &stopping)),
                    Err(error) => {
                        warn!("nothing is put back: {error}");
                        Finished::of(report)
                    }
                }
            }
            OnBroken::Rebuild(rebuild) => {
                rebuilt(rebuild, report, targets, &clients, signals, &mut check).await
            }
        };
    }
    finished
}

/// Rebuilds what is broken, and verifies again.
async fn rebuilt(
    rebuild: &RebuildSettings,
    report: Report,
    targets: &[Target],
    clients: &Clients,
    signals: &Signals,
    check: &mut impl AsyncFnMut(&[Target]) -> Report,
) -> Finished {
    info!(
        "definitely broken, so a rebuild is requested from {}",
        rebuild.plan.host()
    );
    let outcome = rebuild::rebuild(rebuild, clients, signals).await;
    if outcome.exit != Exit::Verified || !rebuild.plan.wait {
        return not_verified_again(report, outcome);
    }
    info!("{}, so the image is verified again", outcome.line);
    let after = check(&rebuild::without_old_digests(targets, &report)).await;
    Finished::of(Report {
        pipeline: outcome.pipeline,
        last_hint: outcome.hint,
        before: Some(Box::new(report)),
        ..after
    })
}

/// The end of a run whose rebuild failed or is not waited for: the image is as broken as before.
fn not_verified_again(report: Report, outcome: RebuildOutcome) -> Finished {
    let RebuildOutcome {
        pipeline,
        exit,
        line,
        hint,
    } = outcome;
    let finished = Finished::of(Report {
        pipeline,
        last_hint: hint,
        ..report
    });
    match exit {
        Exit::Verified => finished.remarking(line),
        _ => finished.ending_in(exit, Some(line)),
    }
}

fn warn_of_a_long_settle(patience: &Patience) {
    let Patience {
        settle, timeout, ..
    } = *patience;
    if settle >= timeout {
        warn!(
            "settle ({}) is not shorter than timeout ({}): the run ends before it can believe a \
             404",
            human::duration(settle),
            human::duration(timeout)
        );
    }
}
