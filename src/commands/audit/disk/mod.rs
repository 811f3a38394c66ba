//! An audit of the disk of registries. Threads walk the repositories, large ones in parts; what they
//! find comes to one place, which judges, writes and drops it in a stable order.

mod jobs;
mod layouts;
mod part;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use log::{debug, info};
use tokio::sync::mpsc::{Sender, channel};

use self::jobs::{Jobs, Named, Work};
use super::{deployed, in_use, judged};
use crate::layout::Layout;
use crate::oci::in_use::InUse;
use crate::report::audit::{self, Audit, Unread};
use crate::report::exit::Exit;
use crate::report::judged::{Context, Judged};
use crate::report::sentence;
use crate::settings::{AuditSettings, Error, Extent};
use crate::storage::catalog::StorageCatalog;
use crate::storage::census::{Beyond, Census};
use crate::storage::hashed::Hashed;
use crate::storage::kind::{self, Storage};
use crate::storage::tree::Tree;
use crate::terminal::progress::{Progress, Standing, with_updates};
use crate::terminal::signals::Signals;
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::rules::{AllowMissing, Concern, Rules};
use crate::walk::stop::Stop;

/// How many threads walk: more than there are cores, so that a disk has something to do.
const THREADS: usize = 16;

/// How many parts may be done before the first of them is written.
const AHEAD: usize = 2 * THREADS;

/// What a part of a repository comes to.
enum Found {
    /// It is not there, or has no tags that count.
    Gone(String),
    /// Its tags could not be listed.
    Unread(Unread),
    /// Its tags were walked; in several graphs where they moved, or are too much for one.
    Checked(Vec<Checked>),
    /// The run ended before.
    Nothing,
}

/// The storage of a registry, and what is known of it.
struct Store {
    registry: String,
    tree: Tree,
    rules: Rules,
    hashed: Hashed,
    /// Where what is beyond the tags is gathered, if all of them are looked at.
    census: Option<Census>,
    /// Repositories that have nothing but uploads.
    begun: Vec<String>,
}

/// What all threads share.
struct Run {
    extent: Extent,
    stores: Vec<Store>,
    /// Image layouts: named ones, and the repositories of zot.
    layouts: Vec<layouts::Named>,
    deployed: Option<InUse>,
    jobs: Mutex<Jobs>,
    stopped: OnceLock<Stop>,
    timeout: Duration,
    /// How many parts were written.
    written: Mutex<usize>,
    progressed: Condvar,
}

/// Sees that the directories are what can be audited.
///
/// # Errors
///
/// When one is not.
pub(super) fn check(registries: &[String]) -> Result<(), Error> {
    for path in registries {
        if let Some(directory) = layouts::directory(path) {
            Layout::open(directory).map_err(|why| Error::new(why.to_string()))?;
            continue;
        }
        kind::open(Path::new(path))?;
    }
    Ok(())
}

/// Audits the storage of registries in these directories.
pub(super) async fn audited(
    settings: &AuditSettings,
    mut audit: Audit,
    list: Option<&in_use::List>,
    signals: &Signals,
    progress: &mut Progress,
    write: &mut dyn FnMut(&Judged<'_>),
) -> Audit {
    let started = Instant::now();
    let registries = &audit.registries.clone();
    let stopping = signals.or_after(settings.patience.timeout);
    let (deployed, not_known) = tokio::select! {
        known = deployed(settings, registries, list) => known,
        _ = stopping.clone() => (None, None),
    };
    let is_partial = deployed.as_ref().is_none_or(|list| list.is_partial);
    audit.in_use = list.map(|_| audit::InUse::new(is_partial));
    let (mut run, unread) = Run::open(settings, registries, deployed);
    for unread in unread.into_iter().chain(not_known) {
        audit.add_unread(unread);
    }
    let (named, unread) = run.list();
    for unread in unread {
        audit.add_unread(unread);
    }
    let all = named.len();
    run.jobs = Mutex::new(Jobs::new(named));
    let run = Arc::new(run);
    for one in &run.layouts {
        let layout = layouts::audited(settings, &run, one);
        let found = tokio::select! {
            found = layout => found,
            stop = stopping.clone() => {
                run.stop(stop);
                Found::Nothing
            }
        };
        let context = context(settings, &run, &audit);
        take(&mut audit, write, found, context, run.deployed.as_ref());
    }
    let (sender, mut results) = channel(THREADS);
    for _ in 0..THREADS {
        let (run, sender) = (Arc::clone(&run), sender.clone());
        std::thread::spawn(move || work(&run, &sender));
    }
    drop(sender);
    let mut waiting = BTreeMap::new();
    let (mut next, mut done) = (0, 0);
    loop {
        let seen = |progress: &mut Progress, settled| {
            let standing = Standing {
                found: all,
                settled,
                bytes: 0,
            };
            progress.update(standing, Instant::now());
        };
        let found = tokio::select! {
            biased;
            stop = stopping.clone(), if run.stopped.get().is_none() => {
                run.stop(stop);
                continue;
            }
            found = with_updates(results.recv(), || seen(progress, done)) => found,
        };
        let Some((number, is_last, found)) = found else {
            break;
        };
        waiting.insert(number, found);
        done += usize::from(is_last);
        seen(progress, done);
        while let Some(found) = waiting.remove(&next) {
            let context = context(settings, &run, &audit);
            take(&mut audit, write, found, context, run.deployed.as_ref());
            next += 1;
            run.went_on(next);
        }
    }
    let looking = {
        let run = Arc::clone(&run);
        tokio::task::spawn_blocking(move || beyond(&run))
    };
    let beyond = tokio::select! {
        biased;
        stop = stopping.clone() => {
            run.stop(stop);
            None
        }
        found = looking => found.expect("it does not panic"),
    };
    audit.stopped = run.stopped.get().copied();
    if !run.stores.is_empty() {
        audit.disk = Some(audit::Disk {
            files: run.stores.iter().map(|store| store.tree.files()).sum(),
            beyond,
        });
    }
    audit.duration = started.elapsed();
    audit.finish();
    audit
}

fn context(settings: &AuditSettings, run: &Run, audit: &Audit) -> Context {
    Context {
        stopped: run.stopped.get().copied(),
        login_not_visible: false,
        clients: settings.rules.clients,
        now: audit.started_at,
    }
}

/// Judges what was found, writes and drops it.
fn take(
    audit: &mut Audit,
    write: &mut dyn FnMut(&Judged<'_>),
    found: Found,
    context: Context,
    deployed: Option<&InUse>,
) {
    match found {
        Found::Nothing => {}
        Found::Gone(repository) => debug!("{repository} has no tags"),
        Found::Unread(unread) => audit.add_unread(unread),
        Found::Checked(parts) => {
            for checked in &parts {
                let judged = judged(checked, context, deployed);
                write(&judged);
                audit.add(&judged);
            }
        }
    }
}

/// What the disks hold beyond their tags, when all of them were walked.
fn beyond(run: &Run) -> Option<Beyond> {
    let mut beyond: Option<Beyond> = None;
    for store in run.stores.iter().filter(|_| run.stopped.get().is_none()) {
        let census = store.census.as_ref()?;
        for name in &store.begun {
            census.look_at_uploads(&store.tree, name);
        }
        let found = census.finish(&store.tree, THREADS);
        beyond.get_or_insert_default().add(found);
    }
    beyond
}

/// Walks parts until there is none left.
fn work(run: &Run, results: &Sender<(usize, bool, Found)>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without input and output takes nothing from the system");
    loop {
        let work = run.next();
        let sent = match work {
            None => return,
            Some(Work::Found(number, found)) => results.blocking_send((number, true, found)),
            Some(Work::Part(part)) => {
                let number = part.number;
                let (is_last, found) = runtime.block_on(part::walked(run, part));
                results.blocking_send((number, is_last, found))
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

impl Run {
    /// Opens the storages; those that cannot be opened are unread.
    fn open(
        settings: &AuditSettings,
        registries: &[String],
        deployed: Option<InUse>,
    ) -> (Self, Vec<Unread>) {
        let (mut stores, mut named, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for registry in registries {
            if let Some(directory) = layouts::directory(registry) {
                named.push(layouts::Named::alone(registry, directory));
                continue;
            }
            match kind::open(Path::new(registry)) {
                Ok(Storage::Distribution { tree, is_cache }) => {
                    stores.push(Store::new(registry, tree, is_cache, settings));
                }
                Ok(Storage::Layouts(root)) => match layouts::of_zot(registry, &root, settings) {
                    Ok((found, missed)) => {
                        named.extend(found);
                        unread.extend(missed);
                    }
                    Err(unlisted) => unread.push(unlisted),
                },
                Err(why) => {
                    unread.push(Unread::new(registry.clone(), why.why, Exit::Configuration));
                }
            }
        }
        let run = Self {
            extent: settings.extent.clone(),
            stores,
            layouts: named,
            deployed,
            jobs: Mutex::default(),
            stopped: OnceLock::new(),
            timeout: settings.patience.timeout,
            written: Mutex::default(),
            progressed: Condvar::new(),
        };
        (run, unread)
    }

    /// The repositories that are covered, what is in use first; and the lists that could not be
    /// read.
    fn list(&mut self) -> (Vec<Named>, Vec<Unread>) {
        let (mut named, mut unread) = (Vec::new(), Vec::new());
        for (place, store) in self.stores.iter_mut().enumerate() {
            let targets = self.extent.targets.iter();
            let own = targets.filter(|target| target.registry == store.registry);
            let mut covered: Vec<(String, bool)> = own
                .filter_map(|target| Some((target.name()?, true)))
                .collect();
            match StorageCatalog::new(&store.tree).all() {
                Ok(found) => {
                    let catalog = format!("the catalog of {}", store.registry);
                    super::listing::warn_of_unusable(&catalog, &found.list);
                    unread.extend(super::listing::incomplete(&store.registry, &found.list));
                    covered.extend(found.list.names.into_iter().map(|name| (name, false)));
                    store.begun = found.begun;
                }
                Err(fault) => {
                    let why = sentence::cause(&fault.cause);
                    let why = format!("its repositories could not be listed: {why}");
                    unread.push(Unread::new(store.registry.clone(), why, Exit::Unknown));
                }
            }
            let used = self.deployed.iter().flat_map(InUse::repositories);
            let used = used.filter(|used| used.registry == store.registry);
            covered.extend(used.map(|used| (used.name.clone(), false)));
            covered.retain(|(name, _)| self.extent.covers(&store.registry, name));
            covered.sort_by(|one, other| (&one.0, !one.1).cmp(&(&other.0, !other.1)));
            covered.dedup_by(|later, first| later.0 == first.0);
            named.extend(covered.into_iter().map(|(name, by_user)| Named {
                store: place,
                name,
                by_user,
            }));
        }
        // So that what is in use comes first in a report that is written as it goes.
        if let Some(list) = &self.deployed {
            let is_used = |one: &Named| list.of(&one.repository(&self.stores)).is_some();
            named.sort_by_cached_key(|one| !is_used(one));
        }
        (named, unread)
    }

    /// The next that is to be done; it waits while too much is done that is not written.
    fn next(&self) -> Option<Work> {
        let work = {
            let mut jobs = self.jobs.lock().expect("no thread panics with it");
            if self.stopped.get().is_some() {
                return None;
            }
            jobs.next(self)?
        };
        let number = work.number();
        let mut written = self.written.lock().expect("no thread panics with it");
        while number >= *written + AHEAD && self.stopped.get().is_none() {
            written = (self.progressed.wait(written)).expect("no thread panics with it");
        }
        Some(work)
    }

    /// Notes how many parts were written.
    fn went_on(&self, parts: usize) {
        *self.written.lock().expect("no thread panics with it") = parts;
        self.progressed.notify_all();
    }

    /// Ends the run early.
    fn stop(&self, stop: Stop) {
        let _ = self.stopped.set(stop);
        let _written = self.written.lock().expect("no thread panics with it");
        self.progressed.notify_all();
    }

    /// Why what was not looked at is not known.
    fn cause(&self) -> Option<Cause> {
        self.stopped.get().map(|stop| Cause::Stopped {
            stop: *stop,
            timeout: self.timeout,
            settle: None,
        })
    }
}

impl Store {
    fn new(registry: &str, tree: Tree, is_cache: bool, settings: &AuditSettings) -> Self {
        let mut rules = settings.rules.clone();
        if is_cache {
            info!(
                "{registry} is a pull-through cache, which fetches what it lacks: missing content \
                 below a tag is no fault"
            );
            rules.allow_missing = AllowMissing::Fetched;
        }
        let is_whole = settings.extent.is_whole()
            && rules.only_platforms.is_empty()
            && rules.attestations != Concern::Ignore;
        if !is_whole {
            info!("only a part is audited, so what is beyond the tags of {registry} is left out");
        }
        Self {
            registry: registry.to_owned(),
            tree: tree.at_rate(settings.patience.rate),
            rules,
            hashed: Hashed::default(),
            census: is_whole.then(Census::new),
            begun: Vec::new(),
        }
    }
}
