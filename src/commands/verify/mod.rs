//! One verification: a walk for each repository, all at once, and a report on them.

pub(crate) mod expectations;
mod job;
mod layouts;
pub(crate) mod listed;
pub(crate) mod metadata;
pub(crate) mod run;
pub mod targets;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;

use self::job::Job;
use crate::commands::verify::targets::Target;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::oci::reference::Repository;
use crate::registry::Transport;
use crate::report::exit::FailOn;
use crate::report::{Report, sentence};
use crate::settings::VerifySettings;
use crate::terminal::progress::{Standing, with_updates};
use crate::terminal::signals::Stopping;
use crate::walk::cause::Cause;

/// Verifies `targets`; `seen` hears how far it is, with every answer and every second.
pub async fn verify(
    settings: &VerifySettings,
    targets: &[Target],
    clients: Arc<Clients>,
    stopping: Stopping,
    seen: impl FnMut(Standing),
) -> Report {
    let started_at = SystemTime::now();
    let started = Instant::now();
    let (patience, logins) = (settings.patience.clone(), settings.login.clone());
    let transport = Transport::new(clients, patience, logins, sentence::cause);
    let repositories = by_repository(targets);
    let seen = RefCell::new(seen);
    let progress: Vec<Cell<(usize, usize)>> =
        repositories.iter().map(|_| Cell::default()).collect();
    let update = || {
        let (found, settled) = progress
            .iter()
            .map(Cell::get)
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (seen.borrow_mut())(Standing {
            found,
            settled,
            bytes: transport.bytes(),
        });
    };
    let stopped = Cell::new(None);
    let walks = repositories
        .iter()
        .enumerate()
        .map(|(at, (repository, members))| {
            let (progress, update) = (&progress, &update);
            let (stopping, stopped) = (&stopping, &stopped);
            let job = Job {
                settings,
                repository,
                transport: &transport,
                targets: members.iter().map(|member| &targets[*member]).collect(),
                stop: async move || {
                    let stop = stopping.clone().await;
                    stopped.set(Some(stop));
                    Cause::Stopped {
                        stop,
                        timeout: settings.patience.timeout,
                        settle: settle_outlasts_the_run(settings),
                    }
                },
            };
            async move {
                let seen = |found, settled| {
                    progress[at].set((found, settled));
                    update();
                };
                job.run(seen).await
            }
        });
    let walked = with_updates(join_all(walks), update).await;
    let mut order = vec![(0, 0); targets.len()];
    for (at, (_, members)) in repositories.iter().enumerate() {
        for (subject, member) in members.iter().enumerate() {
            order[*member] = (at, subject);
        }
    }
    Report {
        duration: started.elapsed(),
        repositories: walked,
        order,
        requests: transport.requests(),
        bytes: transport.bytes(),
        stopped: stopped.get(),
        settling: settle_outlasts_the_run(settings),
        clients: settings.rules.clients,
        never_fail: settings.output.fail_on == FailOn::Never,
        login_not_visible: login_not_visible(settings),
        ..Report::empty(settings.rules.depth, started_at)
    }
}

/// The repositories in the order of their first target, with the places of their targets.
fn by_repository(targets: &[Target]) -> Vec<(&Repository, Vec<usize>)> {
    let mut repositories: Vec<(&Repository, Vec<usize>)> = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        let repository = &target.reference.repository;
        match repositories
            .iter_mut()
            .find(|(known, _)| *known == repository)
        {
            Some((_, members)) => members.push(at),
            None => repositories.push((repository, vec![at])),
        }
    }
    repositories
}

/// The settle window, when the run ends before it does.
fn settle_outlasts_the_run(settings: &VerifySettings) -> Option<Duration> {
    let Patience {
        settle, timeout, ..
    } = settings.patience;
    (settle >= timeout).then_some(settle)
}

/// Whether the user may count on a login that a container action cannot see.
fn login_not_visible(settings: &VerifySettings) -> bool {
    let login = &settings.login;
    login.in_github_actions
        && !login.anonymous
        && login.given.is_empty()
        && login.docker_configs.is_empty()
}
