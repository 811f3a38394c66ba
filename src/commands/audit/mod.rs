//! An audit: every tag of registries or repositories. Repositories are walked side by side; each is
//! judged, written and dropped.

mod listing;
mod remembered;
mod repository;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use log::{LevelFilter, debug, warn};

use self::listing::repositories;
use self::remembered::Remembered;
use self::repository::{Found, Job};
use crate::commands::finished::Unfinished;
use crate::commands::until_a_signal;
use crate::http::Clients;
use crate::registry::Transport;
use crate::report::audit::{self, Audit};
use crate::report::judged::{Context, Judged};
use crate::report::sentence;
use crate::settings::AuditSettings;
use crate::state::Moment;
use crate::terminal::deliver::announce_audit;
use crate::terminal::progress::{Progress, Standing, with_updates};
use crate::terminal::signals::Signals;
use crate::terminal::streams::Streams;
use crate::walk::cause::Cause;

/// How many repositories are walked at a time for each request in flight: a walk often waits for one
/// answer.
const SIDE_BY_SIDE: usize = 2;

/// Audits; what is written repository by repository goes to the streams.
///
/// # Errors
///
/// When the program cannot start.
pub(crate) fn run(
    settings: &AuditSettings,
    mut progress: Progress,
) -> Result<(Audit, Streams), Unfinished> {
    let registries = registries(settings);
    if let Some(warning) = settings.network.unverified(registries.iter().cloned()) {
        warn!("{warning}");
    }
    let remembered = Remembered::open(settings, &registries)?;
    let remembered = remembered.as_ref();
    let tags = remembered.map(Remembered::tags);
    announce_audit(&registries, settings.rules.depth, tags, &settings.output);
    until_a_signal(async |signals| {
        let found = audited(settings, registries, remembered, signals, &mut progress).await;
        progress.finish();
        found
    })
}

/// The registries, each once.
fn registries(settings: &AuditSettings) -> Vec<String> {
    let mut registries: Vec<String> = Vec::new();
    for target in &settings.extent.targets {
        if !registries.contains(&target.registry) {
            registries.push(target.registry.clone());
        }
    }
    registries
}

async fn audited(
    settings: &AuditSettings,
    registries: Vec<String>,
    remembered: Option<&Remembered<'_>>,
    signals: &Signals,
    progress: &mut Progress,
) -> (Audit, Streams) {
    let started = Instant::now();
    let clients = Arc::new(Clients::new(settings.network.clone()));
    let (patience, logins) = (settings.patience.clone(), settings.login.clone());
    let transport = Transport::new(clients, patience, logins, sentence::cause);
    let stopping = signals.or_after(settings.patience.timeout);
    let mut audit = Audit::new(registries, settings.rules.depth, settings.rules.clients);
    audit.never_fail = settings.output.never_fail;
    audit.allow_empty = settings.extent.allow_empty;
    audit.remembered = remembered.map(|remembered| audit::Remembered {
        tags: remembered.tags(),
        ..audit::Remembered::default()
    });
    audit.shows_all = settings.output.log_level >= LevelFilter::Debug;
    let mut streams = Streams::open(settings, audit.started_at);
    let stopped = Cell::new(None);
    let stop = async || {
        let stop = stopping.clone().await;
        stopped.set(Some(stop));
        stop
    };
    let (names, unread) = tokio::select! {
        listed = repositories(settings, &transport, &audit.registries, remembered) => listed,
        _ = stop() => Default::default(),
    };
    for unread in unread {
        audit.add_unread(unread);
    }
    let all = names.len();
    let mut done = 0;
    let jobs = names.iter().map(|named| Job {
        settings,
        transport: &transport,
        repository: &named.repository,
        known: named.known,
        remembered,
        stop: async || Cause::Stopped {
            stop: stop().await,
            timeout: settings.patience.timeout,
            settle: None,
        },
    });
    let is_stopped = || stopped.get().is_some() || stopping.peek().is_some();
    let walks = jobs.map(async |job| {
        if is_stopped() {
            return None;
        }
        Some(job.run().await)
    });
    let mut walks =
        stream::iter(walks).buffer_unordered(settings.patience.concurrency * SIDE_BY_SIDE);
    let bytes = || transport.bytes();
    loop {
        let seen = |progress: &mut Progress, settled| {
            let standing = Standing {
                found: all,
                settled,
                bytes: bytes(),
            };
            progress.update(standing, Instant::now());
        };
        let Some(found) = with_updates(walks.next(), || seen(progress, done)).await else {
            break;
        };
        done += 1;
        seen(progress, done);
        let context = Context {
            stopped: stopped.get(),
            login_not_visible: false,
            clients: settings.rules.clients,
        };
        match found {
            None => {}
            Some(Found::Gone(repository)) => debug!("{repository} is gone, or has no tags"),
            Some(Found::Unread(unread)) => audit.add_unread(unread),
            Some(Found::Checked(parts, summary)) => {
                if let Some(remembered) = &mut audit.remembered {
                    remembered.add(
                        (summary.new, summary.moved),
                        summary.oldest.and_then(Moment::time),
                        summary.oldest_at_depth.and_then(Moment::time),
                    );
                }
                for checked in &parts {
                    let judged = Judged::of(checked, context);
                    streams.add(&judged);
                    audit.add(&judged);
                }
            }
        }
    }
    drop(walks);
    audit.stopped = stopped.get().or_else(|| stopping.peek().copied());
    audit.requests = transport.requests();
    audit.bytes = transport.bytes();
    audit.duration = started.elapsed();
    audit.finish();
    (audit, streams)
}
