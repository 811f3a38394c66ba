//! An audit of the disk of registries. Threads walk the repositories, large ones in parts; what they
//! find comes to one place, which judges, writes and drops it in a stable order.

mod jobs;
mod layouts;
mod part;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use log::{debug, info};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Sender, channel};

use self::jobs::{Jobs, Named, Work};
use super::{deployed, in_use};
use crate::layout::Layout;
use crate::oci::in_use::{InUse, Uses};
use crate::oci::reference::Repository;
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
use crate::terminal::signals::{Signals, Stopping};
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

/// The storages in these directories, where something may be deleted from them.
///
/// # Errors
///
/// When one cannot be opened, or nothing can be deleted from it.
pub(super) fn trees(registries: &[String]) -> Result<HashMap<String, Tree>, Error> {
    let tree = |path: &String| {
        if layouts::directory(path).is_some() {
            return Err(Error::new(format!("{path} cannot be pruned"))
                .with_hint("an image layout has no tags but those that its build gives it"));
        }
        match kind::open(Path::new(path))? {
            Storage::Distribution { tree, is_cache } if !is_cache => Ok((path.clone(), tree)),
            Storage::Distribution { .. } => Err(Error::new(format!(
                "{path} is the storage of a pull-through cache, which removes what is old by itself"
            ))),
            Storage::Layouts(_) => Err(kind::not_distribution(Path::new(path)).into()),
        }
    };
    registries.iter().map(tree).collect()
}

/// Audits the storage of registries in these directories.
pub(super) async fn audited(
    settings: &AuditSettings,
    audit: Audit,
    list: Option<&in_use::List>,
    signals: &Signals,
    progress: &mut Progress,
    write: &mut dyn FnMut(&Judged<'_>),
) -> Audit {
    let look = Look {
        settings,
        signals,
        progress,
        write,
        sift: None,
    };
    let mut audit = look.at_all(audit, list).await;
    audit.finish();
    audit
}

/// What is done with a repository before it is judged: parts of it may be taken out.
type SiftOnDisk<'s> = dyn FnMut(&mut Vec<Checked>, Option<&Uses>) + 's;

/// Walks everything, and has `sift` take out what is not to be judged yet, repository by repository.
/// What is beyond the tags is left out.
pub(super) async fn sifted(
    settings: &AuditSettings,
    audit: Audit,
    list: Option<&in_use::List>,
    signals: &Signals,
    progress: &mut Progress,
    sift: &mut SiftOnDisk<'_>,
    write: &mut dyn FnMut(&Judged<'_>),
) -> Audit {
    let look = Look {
        settings,
        signals,
        progress,
        write,
        sift: Some(sift),
    };
    look.at_all(audit, list).await
}

/// Walks a repository once more, and adds it.
pub(super) async fn walked_again(
    settings: &AuditSettings,
    audit: &mut Audit,
    repository: &Repository,
    signals: &Signals,
    write: &mut dyn FnMut(&Judged<'_>),
) {
    let registries = std::slice::from_ref(&repository.registry);
    let (mut run, unread) = Run::open(settings, registries, None);
    for unread in unread {
        audit.add_unread(unread);
    }
    run.leave_out_what_is_beyond();
    let named = Named {
        store: 0,
        name: repository.name.clone(),
        by_user: false,
    };
    run.jobs = Mutex::new(Jobs::new(vec![named]));
    let (run, stopping) = (Arc::new(run), signals.or_after(settings.patience.timeout));
    let mut taker = Taker {
        settings,
        run: &run,
        audit,
        write,
        sift: None,
        gathered: Vec::new(),
        unread: HashSet::new(),
    };
    each_found(&run, &stopping, &mut |_| (), &mut |found| taker.take(found)).await;
}

/// A look at directories.
struct Look<'a, 's> {
    settings: &'a AuditSettings,
    signals: &'a Signals,
    progress: &'a mut Progress,
    write: &'a mut dyn FnMut(&Judged<'_>),
    sift: Option<&'a mut SiftOnDisk<'s>>,
}

impl Look<'_, '_> {
    async fn at_all(self, mut audit: Audit, list: Option<&in_use::List>) -> Audit {
        let started = Instant::now();
        let settings = self.settings;
        let registries = &audit.registries.clone();
        let stopping = self.signals.or_after(settings.patience.timeout);
        let (deployed, not_known) = tokio::select! {
            known = deployed(settings, registries, list) => known,
            _ = stopping.clone() => (None, None),
        };
        let is_partial = deployed.as_ref().is_none_or(|list| list.is_partial);
        audit.in_use = list.map(|_| audit::InUse::new(is_partial));
        let (mut run, unread) = Run::open(settings, registries, deployed);
        if self.sift.is_some() {
            run.leave_out_what_is_beyond();
        }
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
        let mut taker = Taker {
            settings,
            run: &run,
            audit: &mut audit,
            write: self.write,
            sift: self.sift,
            gathered: Vec::new(),
            unread: HashSet::new(),
        };
        for one in &run.layouts {
            let layout = layouts::audited(settings, &run, one);
            let found = tokio::select! {
                found = layout => found,
                stop = stopping.clone() => {
                    run.stop(stop);
                    Found::Nothing
                }
            };
            taker.take(found);
        }
        let progress = self.progress;
        let mut seen = |settled| {
            let standing = Standing {
                found: all,
                settled,
                bytes: 0,
            };
            progress.update(standing, Instant::now());
        };
        each_found(&run, &stopping, &mut seen, &mut |found| taker.take(found)).await;
        taker.flush();
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
        audit
    }
}

/// Has threads do all that is to be done, and gives what they find in a stable order. `seen` is told
/// how many repositories are done.
async fn each_found(
    run: &Arc<Run>,
    stopping: &Stopping,
    seen: &mut dyn FnMut(usize),
    take: &mut dyn FnMut(Found),
) {
    let (sender, mut results) = channel(THREADS);
    for _ in 0..THREADS {
        let (run, sender) = (Arc::clone(run), sender.clone());
        std::thread::spawn(move || work(&run, &sender));
    }
    drop(sender);
    let mut waiting = BTreeMap::new();
    let (mut next, mut done) = (0, 0);
    loop {
        let found = tokio::select! {
            biased;
            stop = stopping.clone(), if run.stopped.get().is_none() => {
                run.stop(stop);
                continue;
            }
            found = with_updates(results.recv(), || seen(done)) => found,
        };
        let Some((number, is_last, found)) = found else {
            break;
        };
        waiting.insert(number, found);
        done += usize::from(is_last);
        seen(done);
        while let Some(found) = waiting.remove(&next) {
            take(found);
            next += 1;
            run.went_on(next);
        }
    }
}

/// Takes what was found, in a stable order.
struct Taker<'a, 's> {
    settings: &'a AuditSettings,
    run: &'a Run,
    audit: &'a mut Audit,
    write: &'a mut dyn FnMut(&Judged<'_>),
    sift: Option<&'a mut SiftOnDisk<'s>>,
    /// The parts of one repository, until all of them are there.
    gathered: Vec<Checked>,
    /// The repositories that a part of could not be read.
    unread: HashSet<String>,
}

impl Taker<'_, '_> {
    /// Judges what was found, writes and drops it; where it is sifted, when its repository is whole.
    fn take(&mut self, found: Found) {
        match found {
            Found::Nothing => {}
            Found::Gone(repository) => debug!("{repository} has no tags"),
            Found::Unread(unread) => {
                self.unread.insert(unread.name.clone());
                self.audit.add_unread(unread);
            }
            Found::Checked(parts) if self.sift.is_none() => self.judge(&parts),
            Found::Checked(parts) => {
                let of = |parts: &[Checked]| parts.first().map(|part| part.repository.clone());
                if of(&self.gathered) != of(&parts) {
                    self.flush();
                }
                self.gathered.extend(parts);
            }
        }
    }

    /// Sifts and judges what was gathered.
    fn flush(&mut self) {
        let mut parts = std::mem::take(&mut self.gathered);
        let Some(repository) = parts.first().map(|part| part.repository.clone()) else {
            return;
        };
        if self.is_known(&repository)
            && let Some(sift) = &mut self.sift
        {
            let uses = self.run.deployed.as_ref();
            sift(&mut parts, uses.and_then(|list| list.of(&repository)));
        }
        self.judge(&parts);
    }

    /// Whether all is known that tags of a repository lead to, so that something may be deleted there.
    fn is_known(&mut self, repository: &Repository) -> bool {
        let name = repository.to_string();
        if self.run.stopped.get().is_some() || self.unread.contains(&name) {
            return false;
        }
        let mut stores = self.run.stores.iter();
        let store = stores.find(|store| store.registry == repository.registry);
        let Some(store) = store else {
            return false;
        };
        let why = match StorageCatalog::new(&store.tree).has_linked_tags(&repository.name) {
            Ok(false) => return true,
            Ok(true) => "a symbolic link is among its tags, or leads to them".to_owned(),
            Err(fault) => sentence::cause(&fault.cause),
        };
        let why = format!("nothing is deleted there: {why}");
        self.audit.add_unread(Unread::new(name, why, Exit::Unknown));
        false
    }

    fn judge(&mut self, parts: &[Checked]) {
        let context = Context {
            stopped: self.run.stopped.get().copied(),
            login_not_visible: false,
            clients: self.settings.rules.clients,
            now: self.audit.started_at,
        };
        super::add(
            self.audit,
            parts,
            context,
            self.run.deployed.as_ref(),
            self.write,
        );
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

/// What a thread reads a disk with.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without input and output takes nothing from the system")
}

/// Walks parts until there is none left.
fn work(run: &Run, results: &Sender<(usize, bool, Found)>) {
    let runtime = runtime();
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

    /// Has nothing looked at but tags.
    fn leave_out_what_is_beyond(&mut self) {
        for store in &mut self.stores {
            store.census = None;
        }
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
