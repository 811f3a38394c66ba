//! A whole registry: what an audit of ten thousand tags costs us, a registry, and those who do it
//! with other tools.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::link::Link;
use super::peers::Peers;
use super::race::cpu_of;
use super::support::distribution::Distribution;
use super::support::fake::Registry;
use super::support::image::Image;
use super::support::recipe::{platforms, single};
use super::table::{Page, Table, megabytes, time};
use super::{CONCURRENCY, ROUND_TRIP};

const REPOSITORIES: usize = 1_000;

const TAGS: usize = 10;

const LAYERS: usize = 30;

/// How many repositories the slow ones check: a hundred tags.
const SAMPLE: usize = 10;

/// How many repositories a real registry has: a thousand tags.
const ON_DISK: usize = 100;

/// The kinds of runs, and the arguments that make them.
const RUNS: [(&str, &[&str]); 1] = [("a first run", &[])];

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

/// What it costs a real registry.
pub(crate) fn on_disk(peers: &Peers, page: &mut Page) {
    let registries = [
        Some(("distribution 2.8.2", Distribution::open())),
        distribution_3().map(|program| ("distribution 3", Distribution::open_by(program))),
    ];
    let images = images();
    let mut table = Table::new(&[
        "",
        "",
        "requests",
        "time",
        "our CPU",
        "our memory",
        "the registry's CPU",
        "per request",
    ]);
    for (what, registry) in registries.into_iter().flatten() {
        fill(&registry, &images);
        for (kind, arguments) in RUNS {
            let ours = peers.audit(&registry.host(), arguments);
            let before = cpu_of(registry.process_id()).unwrap_or_default();
            let run = ours.run();
            let after = cpu_of(registry.process_id()).unwrap_or_default();
            let theirs = after.saturating_sub(before);
            let requests = run.requests.unwrap_or_default();
            let each = theirs / u32::try_from(requests.max(1)).expect("it is a small number");
            table.row(&[
                what.to_owned(),
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
    page.heading(
        "What an audit costs a registry",
        &format!(
            "{ON_DISK} such repositories, so {} tags, on the same machine, with the default of 4 \
             requests at a time. The repositories have their content in common on the disk.",
            ON_DISK * TAGS
        ),
    );
    page.table(&table);
}

/// Pushes one repository; the others are the same directory under other names.
fn fill(registry: &Distribution, images: &BTreeMap<String, Image>) {
    for (tag, image) in images {
        registry.push(&format!("{}:{tag}", name(0)), image);
    }
    let first = registry.repository(&name(0));
    for other in (1..ON_DISK).map(name) {
        std::os::unix::fs::symlink(&first, registry.repository(&other))
            .expect("the registry's directory is ours");
    }
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
