//! A repair: what is broken is looked for elsewhere, put back, and verified again.

mod disk;
mod layouts;
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
use crate::repair::{Action, Failure, Step};
use crate::report::Report;
use crate::report::audit::Audit;
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::report::plan::Plan;
use crate::settings::{Error, RepairSettings, VerifySettings};
use crate::terminal::deliver::announce;
use crate::terminal::progress::Progress;
use crate::terminal::signals::{Signals, Stopping};
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
                let named = layouts::named(&settings.sources, &audit.extent)?;
                let mut extended = audit.clone();
                // Then a repository without tags is what the layout is for.
                extended.extent.allow_empty |= !named.is_empty();
                let (audit, mut lost) = audit::losses(&extended, signals, &mut progress).await?;
                let broken = lost.len();
                info!("{}", found(&audit, broken));
                if audit.stopped.is_none() {
                    let gone = layouts::gone(&settings.verify, &lost, named).await;
                    lost.extend(gone);
                }
                let finished = if lost.is_empty() || audit.stopped.is_some() {
                    nothing_lost(&audit)
                } else {
                    let targets: Vec<Target> = lost.into_iter().map(Target::of).collect();
                    repaired(settings, &targets, signals, &mut progress).await?
                };
                Ok(with_the_rest(finished, &audit, broken))
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
    format!("{tags} audited; content is missing or damaged in {lost}")
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

/// The same with the tags that were left alone: those that could not be looked at, and those that are
/// broken although nothing is missing of them. `sought` is how many were not left alone.
fn with_the_rest(finished: Finished, audit: &Audit, sought: usize) -> Finished {
    let own = finished.judgement().exit;
    let unread = audit.unread.iter().map(|unread| unread.exit);
    let undecided = (audit.tags.undecided > 0).then_some(Exit::Unknown);
    let others = audit.tags.broken.saturating_sub(sought);
    let broken = (others > 0).then_some(Exit::Broken);
    let all = unread.chain(undecided).chain(broken).fold(own, Exit::or);
    if own.is_a_signal() || all == own {
        return finished;
    }
    let line = if all == Exit::Broken {
        let others = count(others, "other tag");
        format!("{others} broken, and nothing is missing of what cannot be pulled")
    } else {
        let undecided = format!("{} undecided", count(audit.tags.undecided, "tag"));
        audit.reason().unwrap_or(undecided)
    };
    finished.ending_in(all, Some(line))
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
        ..look.at(targets).await?
    };
    let allowed = plan_file::allowed(settings)?;
    let mending = Mending {
        settings: verify,
        sources: &settings.sources,
        clients: &clients,
        allowed: allowed.as_ref(),
    };
    let stopping = signals.or_after(Patience::NO_TIMEOUT);
    let plan = mending.of(&before, stopping.clone()).await?;
    if let (Some(path), None) = (&settings.plan, settings.sources.permission) {
        plan_file::write(path, &plan)?;
    }
    if !plan.is_applied || plan.possible() == 0 {
        return Ok(Finished::of(unchanged(before, plan, &stopping)));
    }
    info!("verified again after the repair");
    match look.at(targets).await {
        Ok(after) => Ok(concluded(before, plan, after)),
        Err(why) => Ok(Finished::of(unchanged(before, plan, &stopping))
            .ending_in(Exit::Unknown, Some(why.to_string()))),
    }
}

/// The report of a run that was not verified again.
pub(crate) fn unchanged(before: Report, plan: Plan, stopping: &Stopping) -> Report {
    Report {
        plan: Some(plan),
        stopped: before.stopped.or_else(|| stopping.peek().copied()),
        ..before
    }
}

/// The end of a run that has put something back: the second look counts.
pub(crate) fn concluded(before: Report, mut plan: Plan, after: Report) -> Finished {
    let (lost, gone) = (lost(&after), gone(&after));
    let mut hint = None;
    let done = plan
        .steps
        .iter_mut()
        .filter(|step| step.end == Some(Ok(())));
    let is_lost = |step: &&mut Step| match &step.action {
        Action::Tag(tag) => gone.contains(&(&step.repository, tag)),
        _ => lost.contains(&(&step.repository, step.digest.clone())),
    };
    for step in done.filter(is_lost) {
        let is_on_disk = matches!(step.action, Action::Link | Action::Replace(_));
        let (failure, text) = if is_on_disk {
            (Failure::Remembered, REMEMBERED)
        } else {
            (Failure::NotKept, NOT_KEPT)
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
    let done = match done {
        0 => "nothing put back".to_owned(),
        done => format!("{} put back", count(done, "digest")),
    };
    if failed == 0 {
        return Finished::of(after).remarking(done);
    }
    let line = format!("{done}, {failed} failed");
    match verdict.or(Exit::RepairFailed) {
        Exit::RepairFailed if !verdict.is_a_signal() => {
            Finished::of(after).ending_in(Exit::RepairFailed, Some(line))
        }
        _ => Finished::of(after).remarking(line),
    }
}

/// What to do where a registry took content and does not have it.
const NOT_KEPT: (&str, &str) = (
    "repair-not-kept",
    "a registry does not replace a file that it has, however damaged, and answers as if it did: \
     repair its disk, with its garbage collection stopped, by --storage DIR --gc-stopped --apply",
);

/// What to do where a registry does not see what its disk has.
const REMEMBERED: (&str, &str) = (
    "repair-remembered",
    "the disk is repaired, and the registry remembers what was there before: restart the \
     registry, and verify again",
);

/// What a report shows to be lost.
fn lost(report: &Report) -> HashSet<(&Repository, Digest)> {
    let all = report.repositories.iter().flat_map(|checked| {
        let lost = checked.graph.iter().filter(|(_, node)| node.is_lost());
        lost.filter_map(|(_, node)| Some((&checked.repository, node.digest()?)))
    });
    all.collect()
}

/// The tags that a report shows to be gone.
fn gone(report: &Report) -> HashSet<(&Repository, &String)> {
    let all = report.repositories.iter().flat_map(|checked| {
        let gone = checked.subjects.iter().filter(|subject| {
            let root = checked.graph.node(subject.root);
            root.is_nameless() && root.is_lost()
        });
        gone.filter_map(|subject| Some((&checked.repository, subject.reference.tag.as_ref()?)))
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
    async fn at(&mut self, targets: &[Target]) -> Result<Report, Error> {
        self.progress.begin(Instant::now());
        let stopping = self.signals.or_after(self.settings.patience.timeout);
        let clients = Arc::clone(self.clients);
        let seen = |standing| self.progress.update(standing, Instant::now());
        let report = if disk::is_on_disk(targets) {
            disk::verify(self.settings, targets, stopping).await
        } else {
            Ok(verify(self.settings, targets, clients, stopping, seen).await)
        };
        self.progress.finish();
        report
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_hint_heads_an_entry_on_the_troubleshooting_page() {
        let page = include_str!("../../../docs/troubleshooting.md");
        for (id, _) in [super::NOT_KEPT, super::REMEMBERED] {
            assert!(page.contains(&format!("\n### {id}\n")), "{id}");
        }
    }
}
