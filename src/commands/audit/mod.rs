//! An audit: every tag of registries or repositories. Repositories are walked side by side; each is
//! judged, written and dropped.

mod disk;
mod in_use;
mod listing;
mod publish;
mod remembered;
mod repository;
mod sifted;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use log::{LevelFilter, debug, info, warn};

use self::listing::repositories;
use self::publish::Publisher;
use self::remembered::Remembered;
use self::repository::{Found, Job};
pub(crate) use self::sifted::Sifted;
use crate::commands::finished::Unfinished;
use crate::commands::until_a_signal;
use crate::http::Clients;
use crate::http::listen::{Listener, Page};
use crate::oci::in_use::{InUse, Uses};
use crate::oci::reference::Reference;
use crate::registry::Transport;
use crate::report::audit::{self, Audit, Unread};
use crate::report::exit::Exit;
use crate::report::judged::{Context, Judged};
use crate::report::metrics::CONTENT_TYPE;
use crate::report::sentence;
use crate::settings::{AuditSettings, Error, MetricsSettings};
use crate::state::{Moment, Summary};
use crate::terminal::deliver::{announce_audit, deliver_audit};
use crate::terminal::metrics_file;
use crate::terminal::progress::{Progress, Standing, with_updates};
use crate::terminal::signals::Signals;
use crate::terminal::streams::Streams;
use crate::text::human;
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::stop::Stop;

/// How many repositories are walked at a time for each request in flight: a walk often waits for one
/// answer.
const SIDE_BY_SIDE: usize = 2;

/// Audits, once or again and again; says how the last run ended, or what ended it.
///
/// # Errors
///
/// When the metrics cannot go where the settings say, or the program cannot start.
pub(crate) fn run(settings: &AuditSettings, progress: Progress) -> Result<Exit, Unfinished> {
    let registries = registries(settings);
    if settings.extent.is_disk {
        disk::check(&registries)?;
    }
    metrics_file::probe(settings.metrics.file.as_deref()).map_err(Error::new)?;
    let asked = registries.iter().filter(|_| !settings.extent.is_disk);
    let hosts = asked.cloned().chain(settings.metrics.host());
    if let Some(warning) = settings.network.unverified(hosts) {
        warn!("{warning}");
    }
    // Before anything is asked, because the directory may be of no use.
    let mut remembered = Some(Remembered::open(settings, &registries)?);
    let list = in_use::open(settings)?;
    until_a_signal(async |signals| {
        let remembered = remembered.take().flatten();
        let page = Page::default();
        let Some(listener) = listener(&settings.metrics).await? else {
            return Ok(repeated(
                settings,
                &registries,
                list.as_ref(),
                remembered,
                signals,
                progress,
                &page,
            )
            .await);
        };
        let list = list.as_ref();
        tokio::select! {
            exit = repeated(settings, &registries, list, remembered, signals, progress, &page) => Ok(exit),
            never = listener.serve(&page, CONTENT_TYPE) => match never {},
        }
    })?
}

/// Takes the port of `listen`.
async fn listener(settings: &MetricsSettings) -> Result<Option<Listener>, Error> {
    if settings.listen.is_empty() {
        return Ok(None);
    }
    let taken = Listener::bind(&settings.listen).await;
    let listener = taken.map_err(|failure| {
        let address = settings.listen[0];
        Error::new(format!("listen: cannot listen at {address}: {failure}"))
    })?;
    info!("metrics are at http://{}/metrics", listener.address());
    Ok(Some(listener))
}

/// Audits, and delivers what was found: once, or with `interval` until a signal comes.
async fn repeated(
    settings: &AuditSettings,
    registries: &[String],
    list: Option<&in_use::List>,
    mut remembered: Option<Remembered<'_>>,
    signals: &Signals,
    mut progress: Progress,
    page: &Page,
) -> Exit {
    let mut publisher = Publisher::new(settings, registries, page);
    loop {
        let begun = tokio::time::Instant::now();
        let tags = remembered.as_ref().map(Remembered::tags);
        announce_audit(registries, settings.rules.depth, tags, &settings.output);
        progress.begin(begun.into_std());
        let memory = remembered.as_ref();
        let audit = unfinished(settings, registries, memory);
        let mut streams = Streams::open(settings, "audit", audit.started_at);
        let mut write = |judged: &Judged<'_>| streams.add(judged);
        let audit = if settings.extent.is_disk {
            disk::audited(settings, audit, list, signals, &mut progress, &mut write).await
        } else {
            audited(
                settings,
                audit,
                list,
                memory,
                signals,
                &mut progress,
                &mut write,
            )
            .await
        };
        // Between two audits somebody else may write to it.
        drop(remembered.take());
        progress.finish();
        let is_written = publisher.show(&audit);
        tokio::select! {
            biased;
            _ = signals.stopping() => {}
            () = publisher.push(&audit) => {}
        }
        let exit = match deliver_audit(&audit, streams, &settings.output) {
            Exit::Verified if !is_written => Exit::Configuration,
            exit => exit,
        };
        let is_ended = matches!(audit.stopped, Some(Stop::Interrupt | Stop::Terminate));
        let Some(interval) = settings.metrics.interval.filter(|_| !is_ended) else {
            return exit;
        };
        let next = begun + interval;
        let wait = next.saturating_duration_since(tokio::time::Instant::now());
        info!("the next audit begins in {}", human::duration(wait));
        tokio::select! {
            biased;
            stop = signals.stopping() => return match stop {
                Stop::Interrupt => Exit::Interrupted,
                _ => Exit::Terminated,
            },
            () = tokio::time::sleep_until(next) => {}
        }
        remembered = Remembered::open(settings, registries).unwrap_or_else(|why| {
            warn!("{why}; nothing is remembered");
            None
        });
    }
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

/// An audit that has not looked at anything yet.
fn unfinished(
    settings: &AuditSettings,
    registries: &[String],
    remembered: Option<&Remembered<'_>>,
) -> Audit {
    let mut audit = Audit::new(
        registries.to_vec(),
        settings.rules.depth,
        settings.rules.clients,
    );
    audit.fail_on = settings.output.fail_on;
    audit.allow_empty = settings.extent.allow_empty;
    audit.remembered = remembered.map(|remembered| audit::Remembered {
        tags: remembered.tags(),
        ..audit::Remembered::default()
    });
    audit.shows_all = settings.output.log_level >= LevelFilter::Debug;
    audit
}

/// A transport for each registry, so that requests are counted for each.
fn transports(settings: &AuditSettings, registries: &[String]) -> Vec<Transport> {
    let clients = Arc::new(Clients::new(settings.network.clone()));
    let transport = |_| {
        let (patience, logins) = (settings.patience.clone(), settings.login.clone());
        Transport::new(Arc::clone(&clients), patience, logins, sentence::cause)
    };
    registries.iter().map(transport).collect()
}

/// Audits once, and for a repair: the images that content is missing or damaged of. Nothing that is
/// remembered counts as proven: it may be what was lost since.
///
/// # Errors
///
/// When a directory cannot be used.
pub(crate) async fn losses(
    settings: &AuditSettings,
    signals: &Signals,
    progress: &mut Progress,
) -> Result<(Audit, Vec<Reference>), Error> {
    let registries = registries(settings);
    if settings.extent.is_disk {
        disk::check(&registries)?;
    }
    let mut lost = Vec::new();
    let mut note = |judged: &Judged<'_>| {
        let images = judged.checked.subjects.iter().enumerate();
        let broken = images.filter(|(place, _)| judged.root(*place).has_lost_content());
        lost.extend(broken.map(|(_, image)| image.reference.clone()));
    };
    let audit = unfinished(settings, &registries, None);
    progress.begin(Instant::now());
    let audit = if settings.extent.is_disk {
        disk::audited(settings, audit, None, signals, progress, &mut note).await
    } else {
        audited(settings, audit, None, None, signals, progress, &mut note).await
    };
    progress.finish();
    Ok((audit, lost))
}

/// Audits; what was looked at is judged, given to `write` and dropped.
async fn audited(
    settings: &AuditSettings,
    audit: Audit,
    list: Option<&in_use::List>,
    remembered: Option<&Remembered<'_>>,
    signals: &Signals,
    progress: &mut Progress,
    write: &mut dyn FnMut(&Judged<'_>),
) -> Audit {
    let transports = transports(settings, &audit.registries);
    let round = Round {
        settings,
        transports: &transports,
        list,
        remembered,
    };
    let mut audit = round
        .walked(
            audit,
            signals,
            progress,
            &async |_, _| (),
            &mut |_, _, _: Option<()>| (),
            write,
        )
        .await;
    audit.finish();
    audit
}

/// One look at everything that an audit covers.
struct Round<'a> {
    settings: &'a AuditSettings,
    /// In the order of the registries.
    transports: &'a [Transport],
    list: Option<&'a in_use::List>,
    remembered: Option<&'a Remembered<'a>>,
}

/// What is done with a repository before it is judged: parts of it may be taken out. `T` is what else
/// was read of it, unless the run ended before.
type Sift<'s, T> = dyn FnMut(&mut Vec<Checked>, Option<&Uses>, Option<T>) + 's;

impl Round<'_> {
    async fn walked<T>(
        &self,
        mut audit: Audit,
        signals: &Signals,
        progress: &mut Progress,
        also: &impl AsyncFn(&Transport, &[Checked]) -> T,
        sift: &mut Sift<'_, T>,
        write: &mut dyn FnMut(&Judged<'_>),
    ) -> Audit {
        let Self {
            settings,
            transports,
            list,
            remembered,
        } = *self;
        let started = Instant::now();
        let registries = &audit.registries.clone();
        let stopping = signals.or_after(settings.patience.timeout);
        let stopped = Cell::new(None);
        let stop = async || {
            let stop = stopping.clone().await;
            stopped.set(Some(stop));
            stop
        };
        let (deployed, not_known) = tokio::select! {
            known = deployed(settings, &audit.registries, list) => known,
            _ = stop() => (None, None),
        };
        let is_partial = deployed.as_ref().is_none_or(|list| list.is_partial);
        audit.in_use = list.map(|_| audit::InUse::new(is_partial));
        let (names, unread) = tokio::select! {
            listed = repositories(settings, transports, registries, remembered, deployed.as_ref()) => listed,
            _ = stop() => Default::default(),
        };
        let unread = unread.into_iter().chain(not_known);
        unread.for_each(|unread| audit.add_unread(unread));
        let all = names.len();
        let mut done = 0;
        let uses_of = |repository: &_| deployed.as_ref().and_then(|list| list.of(repository));
        let is_stopped = || stopped.get().is_some() || stopping.peek().is_some();
        let walks = names.iter().map(async |named| {
            if is_stopped() {
                return None;
            }
            let repository = named.repository(registries);
            let transport = &transports[named.registry];
            let job = Job {
                settings,
                transport,
                repository: &repository,
                known: named.known,
                remembered,
                uses: uses_of(&repository),
                stop: async || Cause::Stopped {
                    stop: stop().await,
                    timeout: settings.patience.timeout,
                    settle: None,
                },
            };
            let found = job.run().await;
            let read = beside(&found, transport, also, stop()).await;
            transport.forget(&repository);
            Some((found, read))
        });
        let mut walks =
            stream::iter(walks).buffer_unordered(settings.patience.concurrency * SIDE_BY_SIDE);
        let bytes = || transports.iter().map(Transport::bytes).sum();
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
                now: audit.started_at,
            };
            match found {
                None => {}
                Some((Found::Gone(gone), _)) => debug!("{gone} is gone, or has no tags"),
                Some((Found::Unread(unread), _)) => audit.add_unread(unread),
                Some((Found::Checked(mut parts, summary), read)) => {
                    let repository = parts.first().map(|part| part.repository.clone());
                    let uses = repository.as_ref().and_then(uses_of);
                    sift(&mut parts, uses, read);
                    add(&mut audit, &parts, context, deployed.as_ref(), write);
                    if let Some(part) = parts.first() {
                        audit.add_remembered(&part.repository.registry, &remembered_of(summary));
                    }
                }
            }
        }
        drop(walks);
        audit.stopped = stopped.get().or_else(|| stopping.peek().copied());
        count_requests(&mut audit, transports);
        audit.duration = started.elapsed();
        audit
    }
}

/// What there is beside the tags of a repository, unless the run ends before it is read.
async fn beside<T, S>(
    found: &Found,
    transport: &Transport,
    also: &impl AsyncFn(&Transport, &[Checked]) -> T,
    stop: impl Future<Output = S>,
) -> Option<T> {
    let Found::Checked(parts, _) = found else {
        return None;
    };
    tokio::select! {
        biased;
        read = also(transport, parts) => Some(read),
        _ = stop => None,
    }
}

/// What is known of a repository's memory, for the report.
fn remembered_of(summary: Summary) -> audit::Remembered {
    audit::Remembered {
        tags: 0,
        new: summary.new,
        moved: summary.moved,
        oldest_check: summary.oldest.and_then(Moment::time),
        oldest_at_depth: summary.oldest_at_depth.and_then(Moment::time),
    }
}

/// Judges the parts of a repository, and adds them.
fn add(
    audit: &mut Audit,
    parts: &[Checked],
    context: Context,
    deployed: Option<&InUse>,
    write: &mut dyn FnMut(&Judged<'_>),
) {
    for checked in parts {
        let judged = judged(checked, context, deployed);
        write(&judged);
        audit.add(&judged);
    }
}

/// Judges a repository, with who uses its images where that is known.
fn judged<'c>(checked: &'c Checked, context: Context, deployed: Option<&InUse>) -> Judged<'c> {
    let judged = Judged::of(checked, context);
    match deployed {
        None => judged,
        Some(list) => judged.with_usages(in_use::usages(checked, list.of(&checked.repository))),
    }
}

/// Counts what was sent to each registry, and what came back.
fn count_requests(audit: &mut Audit, transports: &[Transport]) {
    for (sums, transport) in audit.sums.iter_mut().zip(transports) {
        sums.requests = transport.requests();
        sums.bytes = transport.bytes();
    }
    audit.requests = audit.sums.iter().map(|sums| sums.requests).sum();
    audit.bytes = audit.sums.iter().map(|sums| sums.bytes).sum();
}

/// What is deployed, where the settings ask for it and it can be found out.
async fn deployed(
    settings: &AuditSettings,
    registries: &[String],
    list: Option<&in_use::List>,
) -> (Option<InUse>, Option<Unread>) {
    let (Some(list), Some(in_use)) = (list, &settings.in_use) else {
        return (None, None);
    };
    match list.read(registries, &in_use.hosts).await {
        Ok(in_use) => (Some(in_use), None),
        Err(unread) => (None, Some(unread)),
    }
}
