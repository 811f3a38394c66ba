//! A whole registry: what an audit of ten thousand tags costs us, a registry, and those who do it
//! with other tools.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::link::Link;
use super::peers::Peers;
use super::race::{Run, cpu_of};
use super::support::distribution::{Distribution, Door, push};
use super::support::fake::Registry;
use super::support::image::Image;
use super::support::recipe::{platforms, single};
use super::support::scratch::Scratch;
use super::table::{Page, Table, megabytes, time};
use super::zot::Zot;
use super::{CONCURRENCY, ROUND_TRIP};

const REPOSITORIES: usize = 1_000;

const TAGS: usize = 10;

const LAYERS: usize = 30;

/// How many repositories the slow ones check: a hundred tags.
const SAMPLE: usize = 10;

/// How many repositories a real registry has: a thousand tags.
const ON_DISK: usize = 100;

/// The kinds of runs, each after the one before it, and the arguments that make them.
const RUNS: [(&str, &[&str]); 5] = [
    ("a first run", &[]),
    ("a run with nothing due", &[]),
    ("every manifest is due", &["--recheck-manifests", "0s"]),
    ("every header is due", &["--recheck-blobs", "0s"]),
    ("a scrub: every last byte is due", &["--recheck-tail", "0s"]),
];

/// How many runs a usual one is the mean of: an hour, at one run every 15 minutes.
const HOUR: u32 = 4;

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("it is a small number")
}

fn name(number: usize) -> String {
    format!("app-{number:04}")
}

/// The tags of every repository: indexes of two platforms and two attestations, all with the same
/// layers.
fn images() -> BTreeMap<String, Image> {
    let recipe = platforms(2)
        .layers(LAYERS)
        .shared(LAYERS)
        .base(1)
        .attested();
    (1..)
        .take(TAGS)
        .map(|seed| (format!("v{seed}"), recipe.clone().seed(seed).make()))
        .collect()
}

/// How many requests a run takes at least: the catalog, which comes in one page, and for each
/// repository its tags, each tag twice, and each digest once.
fn fewest(repositories: usize, images: &BTreeMap<String, Image>) -> usize {
    let mut digests: Vec<String> = images.values().flat_map(Image::reachable).collect();
    digests.sort();
    digests.dedup();
    1 + repositories * (1 + 2 * images.len() + digests.len())
}

/// Twenty milliseconds away, next to the tools that people write such a check with.
pub(crate) fn far_away(peers: &Peers, page: &mut Page) {
    let images = images();
    let memory = Registry::start();
    for repository in 0..REPOSITORIES {
        for (tag, image) in &images {
            memory.serve(&format!("{}:{tag}", name(repository)), image);
        }
    }
    let link = Link::to(&memory.host(), ROUND_TRIP);
    let concurrency = CONCURRENCY.to_string();
    let ours = peers.audit(&link.host(), &["--concurrency", &concurrency]);
    let run = ours.run();
    let requests = memory.requests().len();
    let fewest = fewest(REPOSITORIES, &images);
    let floor = ROUND_TRIP * number(fewest) / number(CONCURRENCY);
    let mut table = Table::new(&["", "time", "times as long"]);
    let all = number(REPOSITORIES / SAMPLE);
    let mut row = |name: &str, took: Duration| {
        let times = took.as_secs_f64() / run.took.as_secs_f64();
        table.row(&[name.to_owned(), time(took), format!("{times:.2}")]);
    };
    row(&ours.name, run.took);
    let sample: Vec<String> = (0..SAMPLE).map(name).collect();
    for other in peers.audits(&link.host(), &sample) {
        row(&other.name, other.run().took * all);
    }
    page.heading(
        "Ten thousand tags, 20 ms away",
        &format!(
            "{REPOSITORIES} repositories × {TAGS} tags × (an index, 2 platforms, 2 attestations), and \
             {LAYERS} layers in each repository that its tags share; in a registry in memory, \
             {CONCURRENCY} requests at a time. The other tools checked {} tags, and their time is \
             multiplied by {all}.",
            SAMPLE * TAGS
        ),
    );
    page.table(&table);
    page.paragraph(&format!(
        "pullproof sends {requests} requests; {fewest} are the fewest. At 20 ms and {CONCURRENCY} at a \
         time they take {} (the floor); pullproof takes {:.2} times as long, {} of CPU and {} of memory.",
        time(floor),
        run.took.as_secs_f64() / floor.as_secs_f64(),
        time(run.cpu),
        megabytes(run.peak)
    ));
}

/// A version of distribution, if it is there.
fn distribution_3() -> Option<PathBuf> {
    let component = format!("{}/scripts/component", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(component)
        .arg("distribution")
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().into())
}

/// A real registry, and what the table calls it.
struct Side {
    name: &'static str,
    registry: Real,
}

enum Real {
    Distribution(Box<Distribution>),
    Zot(Zot),
}

impl Side {
    fn distribution(name: &'static str, registry: Distribution) -> Self {
        let registry = Real::Distribution(Box::new(registry));
        Self { name, registry }
    }

    fn host(&self) -> String {
        match &self.registry {
            Real::Distribution(registry) => registry.host(),
            Real::Zot(zot) => zot.host().to_owned(),
        }
    }

    fn cpu(&self) -> Duration {
        let process = match &self.registry {
            Real::Distribution(registry) => registry.process_id(),
            Real::Zot(zot) => zot.process_id(),
        };
        cpu_of(process).unwrap_or_default()
    }

    /// Pushes one repository; the others are the same files under other names.
    fn fill(&self, repositories: usize, images: &BTreeMap<String, Image>) {
        let door = Door::open(&self.host());
        for (tag, image) in images {
            push(&door, &format!("{}:{tag}", name(0)), image);
        }
        let directory = |name: &str| match &self.registry {
            Real::Distribution(registry) => registry.repository(name),
            Real::Zot(zot) => zot.repository(name),
        };
        let first = directory(&name(0));
        for other in (1..repositories).map(name) {
            // zot does not list what is a link.
            let copied = match &self.registry {
                Real::Distribution(_) => {
                    std::os::unix::fs::symlink(&first, directory(&other)).is_ok()
                }
                Real::Zot(_) => Command::new("cp")
                    .arg("-al")
                    .args([&first, &directory(&other)])
                    .status()
                    .is_ok_and(|status| status.success()),
            };
            assert!(copied, "the registry's directory is ours");
        }
    }

    /// Audits it, and says what that cost it.
    fn audit(&self, peers: &Peers, arguments: &[&str]) -> (Run, Duration) {
        let before = self.cpu();
        let run = peers.audit(&self.host(), arguments).run();
        (run, self.cpu().saturating_sub(before))
    }

    /// The mean of an hour of runs, which is as much shorter here as `pace` is than 15 minutes.
    fn usual(&self, peers: &Peers, state: &str, pace: Duration) -> (Run, Duration) {
        let intervals = [4, 96, 672].map(|runs| format!("{}s", (pace * runs).as_secs()));
        let [manifests, blobs, tail] = &intervals;
        let arguments = [
            "--state",
            state,
            "--recheck-manifests",
            manifests,
            "--recheck-blobs",
            blobs,
            "--recheck-tail",
            tail,
        ];
        // The first one finds due what came due before.
        let mut runs = Vec::new();
        for _ in 0..=HOUR {
            let started = Instant::now();
            runs.push(self.audit(peers, &arguments));
            std::thread::sleep(pace.saturating_sub(started.elapsed()));
        }
        let runs = &runs[1..];
        let mean =
            |what: fn(&(Run, Duration)) -> Duration| runs.iter().map(what).sum::<Duration>() / HOUR;
        let run = Run {
            took: mean(|run| run.0.took),
            peak: runs.iter().map(|run| run.0.peak).max().unwrap_or_default(),
            cpu: mean(|run| run.0.cpu),
            requests: runs
                .iter()
                .map(|run| run.0.requests)
                .sum::<Option<u64>>()
                .map(|sum| sum / u64::from(HOUR)),
        };
        (run, mean(|run| run.1))
    }

    fn row(&self, table: &mut Table, kind: &str, (run, theirs): (Run, Duration)) {
        let requests = run.requests.unwrap_or_default();
        let each = theirs / u32::try_from(requests.max(1)).expect("it is a small number");
        table.row(&[
            self.name.to_owned(),
            kind.to_owned(),
            requests.to_string(),
            time(run.took),
            time(run.cpu),
            megabytes(run.peak),
            time(theirs),
            time(each),
        ]);
    }
}

/// What it costs a real registry.
pub(crate) fn on_disk(peers: &Peers, page: &mut Page) {
    let sides = [
        Some(Side::distribution(
            "distribution 2.8.2",
            Distribution::open(),
        )),
        distribution_3()
            .map(|program| Side::distribution("distribution 3", Distribution::open_by(program))),
        Zot::find().map(|zot| Side {
            name: "zot",
            registry: Real::Zot(zot),
        }),
    ];
    let images = images();
    let mut table = Table::new(&HEADS);
    for side in sides.into_iter().flatten() {
        side.fill(ON_DISK, &images);
        let directory = Scratch::new("state");
        let state = directory.path().display().to_string();
        for (kind, arguments) in RUNS {
            let arguments = [&["--state", &state], arguments].concat();
            side.row(&mut table, kind, side.audit(peers, &arguments));
        }
        let usual = side.usual(peers, &state, Duration::from_secs(10));
        side.row(&mut table, "a usual run", usual);
    }
    page.heading(
        "What an audit costs a registry",
        &format!(
            "{ON_DISK} such repositories, so {} tags, on the same machine, with the default of 4 \
             requests at a time, and with `state`. The repositories have their content in common on \
             the disk. A usual run is the mean of {HOUR} that follow each other, with all intervals \
             as much shorter as the runs are closer together than 15 minutes.",
            ON_DISK * TAGS
        ),
    );
    page.table(&table);
}

const HEADS: [&str; 8] = [
    "",
    "",
    "requests",
    "time",
    "our CPU",
    "our memory",
    "the registry's CPU",
    "per request",
];

/// Whether a hundred thousand tags can be audited every 15 minutes.
pub(crate) fn every_quarter(peers: &Peers, page: &mut Page) {
    const EXTRAPOLATED: u32 = 10;
    let Some(program) = distribution_3() else {
        return;
    };
    let side = Side::distribution("distribution 3", Distribution::open_by(program));
    side.fill(REPOSITORIES, &images());
    let directory = Scratch::new("state");
    let state = directory.path().display().to_string();
    let mut table = Table::new(&HEADS);
    let first = side.audit(peers, &["--state", &state]);
    side.row(&mut table, "a first run", first);
    let usual = side.usual(peers, &state, Duration::from_secs(60));
    let share = (usual.1 * EXTRAPOLATED).as_secs_f64() / (15.0 * 60.0);
    side.row(&mut table, "a usual run", usual);
    page.heading(
        "Ten thousand tags every 15 minutes",
        &format!(
            "The same with {REPOSITORIES} repositories, so {} tags.",
            REPOSITORIES * TAGS
        ),
    );
    page.table(&table);
    page.paragraph(&format!(
        "Extrapolated, not measured: {EXTRAPOLATED} times as many tags every 15 minutes take {:.1} % of \
         a core of the registry.",
        share * 100.0
    ));
}

/// A hundred times as many repositories.
pub(crate) fn memory(peers: &Peers, page: &mut Page) {
    let image = single().make();
    let mut table = Table::new(&["repositories", "time", "our CPU", "memory at most"]);
    for repositories in [100, 10_000] {
        let registry = Registry::start();
        for repository in 0..repositories {
            registry.serve(&format!("{}:v1", name(repository)), &image);
        }
        let concurrency = CONCURRENCY.to_string();
        let run = peers
            .audit(&registry.host(), &["--concurrency", &concurrency])
            .run();
        table.row(&[
            repositories.to_string(),
            time(run.took),
            time(run.cpu),
            megabytes(run.peak),
        ]);
    }
    page.heading(
        "From 100 to 10,000 repositories",
        "An audit of one small image in each, on the same machine.",
    );
    page.table(&table);
}
