//! Registries in use: skopeo pushes, moves and deletes tags while audits run back to back. What was
//! lost is reported by the next run, and nothing else ever is; nor while the registry restarts.
//!
//! `PULLPROOF_LIVING_SECONDS` says how long each test goes on (a minute if it does not), and
//! `PULLPROOF_SEED` with which seed.

mod builder;
mod losses;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use self::builder::Builder;
use self::losses::Stock;
use self::report::{Run, differences};
use super::real::Registry;
use crate::support::command::{Finished, Running, pullproof};
use crate::support::digest::Random;
use crate::support::rounds::{living, seeds};

/// How many builders work at a time, each in a repository of its own.
const BUILDERS: u64 = 3;

/// One in so many audits sees a restart.
const RESTARTS: usize = 4;

/// What everybody in a test shares. Who writes to the registry holds it shared; who restarts it,
/// alone.
struct Shared<R> {
    registry: RwLock<R>,
    /// Every digest that each `repository:tag` ever had.
    history: Mutex<BTreeMap<String, BTreeSet<String>>>,
    is_over: AtomicBool,
}

impl<R: Registry> Shared<R> {
    fn registry(&self) -> RwLockReadGuard<'_, R> {
        self.registry.read().expect("nobody who held it panicked")
    }

    /// Notes what a tag is about to stand for.
    fn note(&self, tagged: &str, digest: &str) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let digests = history.entry(tagged.to_owned()).or_default();
        digests.insert(digest.to_owned());
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Ends the builders, also when the test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Audits a registry that is in use, until its time is over.
fn audits(registry: impl Registry + Send) -> String {
    let seed = seeds(1).start;
    let deadline = Instant::now() + living();
    let mut random = Random::seeded(seed);
    let shared = Shared {
        registry: RwLock::new(registry),
        history: Mutex::default(),
        is_over: AtomicBool::new(false),
    };
    let mut stock = Stock::fill(&shared, BUILDERS);
    let (mut runs, mut restarts) = (0, 0);
    let done = std::thread::scope(|scope| {
        let end = End(&shared.is_over);
        let shared = &shared;
        let builders: Vec<_> = (0..BUILDERS)
            .map(|number| {
                scope.spawn(move || Builder::new(shared, number, seed * BUILDERS + number).work())
            })
            .collect();
        while Instant::now() < deadline {
            let is_restarted = random.below(RESTARTS) == 0;
            stock.lose_content(shared, &mut random);
            let finished = if is_restarted {
                restarts += 1;
                audit_with_restart(shared, &mut random, &mut stock)
            } else {
                audit(shared, &mut random)
            };
            runs += 1;
            let run = Run {
                lost: stock.lost(),
                kept: stock.kept(),
                is_restarted,
            };
            let history = shared
                .history
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let found = differences(&finished, &run, &history);
            drop(history);
            assert!(
                found.is_empty(),
                "run {runs}, restarted: {is_restarted}\n{}\n{finished}",
                found.join("\n")
            );
        }
        drop(end);
        let done = builders.into_iter().map(ScopedJoinHandle::join);
        done.map(|one| one.expect("a builder failed"))
            .sum::<usize>()
    });
    format!(
        "{runs} audits, {restarts} with a restart, {} losses, {done} pushes, moves and deletes",
        stock.lost().len()
    )
}

/// Runs an audit, slower or faster.
fn start<R: Registry>(shared: &Shared<R>, random: &mut Random) -> Running {
    let host = shared.registry().door().host;
    let concurrency = *random.pick(&["1", "4", "16"]);
    // Shorter than the default: more that is not yet there would count.
    let backoff = *random.pick(&["100ms", "500ms"]);
    pullproof()
        .arguments(["audit", &host, "--format", "json"])
        .arguments(["--concurrency", concurrency, "--backoff", backoff])
        .patience(Duration::from_secs(180))
        .start()
}

fn audit<R: Registry>(shared: &Shared<R>, random: &mut Random) -> Finished {
    start(shared, random).wait()
}

/// Restarts the registry in mid-run; what it forgets meanwhile shows in later runs.
fn audit_with_restart<R: Registry>(
    shared: &Shared<R>,
    random: &mut Random,
    stock: &mut Stock,
) -> Finished {
    let running = start(shared, random);
    let pause = u64::try_from(random.below(1500)).expect("it is a small number");
    std::thread::sleep(Duration::from_millis(pause));
    let mut registry = shared
        .registry
        .write()
        .expect("nobody who held it panicked");
    registry.stop();
    stock.lose_link(&*registry, random);
    registry.start();
    drop(registry);
    running.wait()
}

macro_rules! on {
    ($($name:ident: $start:expr;)+) => {$(
        mod $name {
            #[test]
            fn audits_report_what_is_lost_and_nothing_else() {
                let summary = super::audits($start);
                println!("{}: {summary}", stringify!($name));
            }
        }
    )+};
}

on! {
    debian: crate::support::distribution::Distribution::open();
    distribution: crate::registries::distribution::start();
    gitea: crate::registries::gitea::start();
    zot: crate::registries::zot::start();
}
