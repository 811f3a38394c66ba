//! A repair: what is broken is looked for elsewhere, put back, and verified again.

mod disk;
mod mending;
mod plan_file;
mod undoing;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use log::{info, warn};
use oci_spec::image::Digest;

pub(crate) use self::mending::Mending;
use crate::commands::audit;
use crate::commands::finished::{Finished, Unfinished};
use crate::commands::until_a_signal;
use crate::commands::verify::listed::listed;
use crate::commands::verify::targets::{Target, hosts_added, idle_logins, targets};
use crate::commands::verify::verify;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::oci::reference::Repository;
use crate::repair::{Action, Failure};
use crate::report::Report;
use crate::report::audit::Audit;
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::report::plan::Plan;
use crate::settings::{RepairSettings, VerifySettings};
use crate::terminal::deliver::announce;
use crate::terminal::progress::Progress;
use crate::terminal::signals::Signals;
use crate::text::human::count;

/// Repairs, or plans to.
///
/// # Errors
///
/// When there is nothing to repair, settings contradict each other, or the program cannot start.
pub(crate) fn run(settings: &RepairSettings, progress: Progress) -> Result<Finished, Unfinished> {
    if settings.undo {
        return undoing::undone(settings);
    }
    until_a_signal(async |signals| {
        let mut progress = progress;
        match &settings.audit {
            None => {
                let targets = images(&settings.verify)?;
                repaired(settings, &targets, signals, &mut progress).await
            }
            Some(audit) => {
                disk::check(audit)?;
                let (audit, lost) = audit::losses(audit, signals, &mut progress).await?;
                info!("{}", found(&audit, lost.len()));
                let finished = if lost.is_empty() || audit.stopped.is_some() {
                    nothing_lost(&audit)
                } else {
                    let targets: Vec<Target> = lost.into_iter().map(Target::of).collect();
                    repaired(settings, &targets, signals, &mut progress).await?
                };
                Ok(with_the_rest(finished, &audit))
            }
        }
    })?
}

/// The images that are named.
fn images(settings: &VerifySettings) -> Result<Vec<Target>, Unfinished> {
    let targets = targets(&settings.wanted, listed(settings.wanted.list.as_ref())?)?;
    let hosts = targets.iter().map(|target| {
        let Repository { registry, .. } = &target.reference.repository;
        registry.clone()
    });
    if let Some(warning) = settings.network.unverified(hosts) {
        warn!("{warning}");
    }
    if let Some(warning) = idle_logins(&settings.login, &targets) {
        warn!("{warning}");
    }
    for line in hosts_added(&settings.wanted) {
        info!("{line}");
    }
    Ok(targets)
}

/// What an audit found, for the log.
fn found(audit: &Audit, lost: usize) -> String {
    let tags = count(audit.tags.all, "tag");
    format!("{tags} audited, content is missing or damaged of {lost}")
}

/// The end where nothing is to be put back.
fn nothing_lost(audit: &Audit) -> Finished {
    let report = Report {
        command: "repair",
        started_at: audit.started_at,
        duration: audit.duration,
        stopped: audit.stopped,
        ..Report::empty(audit.depth, audit.started_at)
    };
    let tags = count(audit.tags.all, "tag");
    match audit.exit() {
        Exit::Verified => {
            let line = format!("nothing is missing of {tags}");
            Finished::of(report)
                .ending_in(Exit::Verified, None)
                .remarking(line)
        }
        exit => {
            let line = format!("nothing can be put back of {tags}");
            let line = audit.reason().unwrap_or(line);
            Finished::of(report).ending_in(exit, Some(line))
        }
    }
}

/// The same, where some tags were not looked at: then not everything is known to be whole.
fn with_the_rest(finished: Finished, audit: &Audit) -> Finished {
    let unread = audit.unread.iter().map(|unread| unread.exit);
    let undecided = (audit.tags.undecided > 0).then_some(Exit::Unknown);
    let rest = unread.chain(undecided).fold(Exit::Verified, Exit::or);
    if rest == Exit::Verified || finished.judgement().exit != Exit::Verified {
        return finished;
    }
    let undecided = format!("{} undecided", count(audit.tags.undecided, "tag"));
    finished.ending_in(rest, Some(audit.reason().unwrap_or(undecided)))
}

async fn repaired(
    settings: &RepairSettings,
    targets: &[Target],
    signals: &Signals,
    progress: &mut Progress,
) -> Result<Finished, Unfinished> {
    let verify = &settings.verify;
    announce(
        targets.iter().map(|target| &target.reference),
        verify.rules.depth,
        &verify.output,
    );
    let clients = Arc::new(Clients::new(verify.network.clone()));
    let mut look = Look {
        settings: verify,
        clients: &clients,
        signals,
        progress,
    };
    let before = Report {
        command: "repair",
        ..look.at(targets).await
    };
    let allowed = plan_file::allowed(settings)?;
    let mending = Mending {
        settings: verify,
        sources: &settings.sources,
        clients: &clients,
        allowed: allowed.as_ref(),
    };
    let stopping = signals.or_after(Patience::NO_TIMEOUT);
    let plan = mending.of(&before, stopping).await?;
    if let (Some(path), None) = (&settings.plan, settings.sources.permission) {
        plan_file::write(path, &plan)?;
    }
    if !plan.is_applied || plan.possible() == 0 {
        return Ok(Finished::of(Report {
            plan: Some(plan),
            ..before
        }));
    }
    info!("verified again after the repair");
    let after = look.at(targets).await;
    Ok(concluded(before, plan, after))
}

/// The end of a run that has put something back: the second look counts.
pub(crate) fn concluded(before: Report, mut plan: Plan, after: Report) -> Finished {
    let lost = lost(&after);
    let mut hint = None;
    let done = plan
        .steps
        .iter_mut()
        .filter(|step| step.end == Some(Ok(())));
    for step in done.filter(|step| lost.contains(&(&step.repository, step.digest.clone()))) {
        let is_on_disk = matches!(step.action, Action::Link | Action::Replace(_));
        let (failure, text) = if is_on_disk {
            (Failure::Remembered, ("repair-remembered", REMEMBERED))
        } else {
            (Failure::NotKept, ("repair-not-kept", NOT_KEPT))
        };
        step.end = Some(Err(failure));
        hint = Some((text.0, text.1.to_owned()));
    }
    let (done, failed) = (plan.done(), plan.failed());
    let after = Report {
        command: before.command,
        plan: Some(plan),
        before: Some(Box::new(before)),
        last_hint: hint,
        ..after
    };
    let verdict = Judgement::of(&after).cause();
    let done = format!("{} put back", count(done, "digest"));
    if failed == 0 {
        return Finished::of(after).remarking(done);
    }
    let line = format!("{done}, {failed} failed");
    match verdict.or(Exit::RepairFailed) {
        Exit::RepairFailed => Finished::of(after).ending_in(Exit::RepairFailed, Some(line)),
        _ => Finished::of(after).remarking(line),
    }
}

/// What to do where a registry took content and does not have it.
const NOT_KEPT: &str = "a registry does not replace a file that it has, however damaged, and answers \
                        as if it did: mend its disk, with its garbage collection stopped, by \
                        --storage DIR --gc-stopped --apply";

/// What to do where a registry does not see what its disk has.
const REMEMBERED: &str = "the disk is mended, and the registry remembers what was there before: \
                          restart the registry, and verify again";

/// What a report shows to be lost.
fn lost(report: &Report) -> HashSet<(&Repository, Digest)> {
    let all = report.repositories.iter().flat_map(|checked| {
        let lost = checked.graph.iter().filter(|(_, node)| node.is_lost());
        lost.filter_map(|(_, node)| Some((&checked.repository, node.digest()?)))
    });
    all.collect()
}

/// A verification, as often as it takes.
struct Look<'a> {
    settings: &'a VerifySettings,
    clients: &'a Arc<Clients>,
    signals: &'a Signals,
    progress: &'a mut Progress,
}

impl Look<'_> {
    async fn at(&mut self, targets: &[Target]) -> Report {
        self.progress.begin(Instant::now());
        let stopping = self.signals.or_after(self.settings.patience.timeout);
        let clients = Arc::clone(self.clients);
        let seen = |standing| self.progress.update(standing, Instant::now());
        let report = match disk::is_on_disk(targets) {
            true => disk::verify(self.settings, targets, stopping).await,
            false => verify(self.settings, targets, clients, stopping, seen).await,
        };
        self.progress.finish();
        report
    }
}
