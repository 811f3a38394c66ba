//! Measures pullproof and its peers side by side, on a real registry on this machine, with and without a round-trip time.
//!
//! `make bench` runs it; `PULLPROOF_BENCH` may name some of the cases: latency, loopback, full, scale, tags,
//! audit, audit-cost, audit-quarter, audit-memory, disk, disk-full, disk-memory, size, build.

// Its own copy of the tests' support, of which it needs little.
#[path = "../../tests/it/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "a vocabulary is larger than what is said with it here"
)]
mod support;

mod audit;
mod disk;
mod images;
mod link;
mod peers;
mod race;
mod start;
mod table;
mod zot;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use images::{Plan, plant, with_layers};
use link::Link;
use peers::{Peers, Target};
use race::{Contestant, race};
use support::distribution::Distribution;
use support::fake::Registry;
use support::recipe::platforms;
use support::scratch::Scratch;
use table::{Page, Table, megabytes, put_into, time};

const ROUND_TRIP: Duration = Duration::from_millis(20);

/// What pullproof has in flight at most, by default.
const CONCURRENCY: usize = 16;

/// Six platforms with thirty layers each, five of which are the same for all.
const USUAL: Plan = Plan {
    platforms: 6,
    layers: 30,
    shared: 5,
    layer_size: 1000,
    seed: 1,
    own_seed: 2,
};

/// Something to measure, and where it writes what it found.
type Case = fn(&Peers, &mut Page);

fn main() -> ExitCode {
    let peers = Peers::find();
    let wanted = std::env::var("PULLPROOF_BENCH").unwrap_or_default();
    let cases: [(&str, Case); 14] = [
        ("latency", latency),
        ("loopback", loopback),
        ("full", full),
        ("scale", scale),
        ("tags", tags),
        ("audit", audit::far_away),
        ("audit-cost", audit::on_disk),
        ("audit-quarter", audit::every_quarter),
        ("audit-memory", audit::memory),
        ("disk", disk::disk),
        ("disk-full", disk::full),
        ("disk-memory", disk::memory),
        ("size", size),
        ("build", build),
    ];
    let mut page = Page::default();
    for (name, case) in cases {
        // A release build takes minutes, and is measured only by its name.
        let chosen = if wanted.is_empty() {
            name != "build"
        } else {
            wanted.split(',').any(|word| word.trim() == name)
        };
        if chosen {
            let started = Instant::now();
            tell(&format!("bench: {name}"));
            case(&peers, &mut page);
            tell(&format!("bench: {name} took {}", time(started.elapsed())));
        }
    }
    if !peers.missing().is_empty() {
        page.paragraph(&format!(
            "Missing here, and so not compared: {}.",
            peers.missing().join(", ")
        ));
    }
    show(page.text());
    match std::env::var_os("PULLPROOF_BENCH_README")
        .map(|path| put_into(Path::new(&path), page.text()))
    {
        None | Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            tell(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The usual image, twenty milliseconds away.
fn latency(peers: &Peers, page: &mut Page) {
    let registry = Distribution::open();
    let image = plant(&registry, "app:1", USUAL);
    // Where answers cost next to nothing, what is left is the line and whoever asks.
    let memory = Registry::start();
    memory.serve("app:1", &with_layers(&registry, image.clone()));
    let link = Link::to(&memory.host(), ROUND_TRIP);
    let host = link.host();
    let target = Target {
        host: &host,
        name: "app",
        tag: "1",
    };
    let contestants: Vec<Contestant> = [
        Some(peers.pullproof("tail", &[target.reference()])),
        peers.crane_fast(target),
        peers.head_loop(target).map(|peer| peer.at_most(3)),
        peers.crane(target).map(|peer| peer.at_most(1)),
        peers.skopeo(target).map(|peer| peer.at_most(1)),
        peers.regctl(target).map(|peer| peer.at_most(1)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let results = race(&contestants, 5);
    link.take_connections();
    contestants[0].run();
    let connections = link.take_connections();
    let round_trips = floor(image.images.len(), USUAL.blobs(), false);
    let floor = ROUND_TRIP * round_trips;
    let times = |result: &race::Result| {
        format!("{:.2}", result.median().as_secs_f64() / floor.as_secs_f64())
    };
    page.heading(
        "20 ms away",
        &format!(
            "6 platforms × 30 layers, 5 of them shared: {} blobs of 1 kB, in a registry in memory.",
            USUAL.blobs()
        ),
    );
    page.race(&results);
    page.paragraph(&format!(
        "The floor is {round_trips} round trips (connection, tag, platforms, blobs by {CONCURRENCY}) or {}; pullproof takes \
         {} times as long, over {connections} connections.",
        time(floor),
        times(&results[0])
    ));
    let link = Link::to(&registry.host(), ROUND_TRIP);
    let host = link.host();
    let target = Target {
        host: &host,
        name: "app",
        tag: "1",
    };
    let contestants: Vec<Contestant> = [
        Some(peers.pullproof("tail", &[target.reference()])),
        Some(peers.pullproof("head", &[target.reference()])),
        peers.crane_fast(target).map(|peer| peer.at_most(3)),
        peers.head_loop(target).map(|peer| peer.at_most(1)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let results = race(&contestants, 5);
    page.paragraph(
        "The same in distribution 2.8.2, which shares the cores and takes a buffer of 4 MiB for every part of a blob:",
    );
    page.race(&results);
    page.paragraph(&format!(
        "That is {} times the floor at depth `tail`, and {} at `head`.",
        times(&results[0]),
        times(&results[1])
    ));
}

/// The fewest round trips that it can take.
fn floor(children: usize, blobs: usize, token: bool) -> u32 {
    let rounds =
        1 + usize::from(token) + 1 + children.div_ceil(CONCURRENCY) + blobs.div_ceil(CONCURRENCY);
    u32::try_from(rounds).expect("it is a small number")
}

/// The same without any distance: what starting and working cost by themselves.
fn loopback(peers: &Peers, page: &mut Page) {
    let registry = Distribution::open();
    plant(&registry, "app:1", USUAL);
    let host = registry.host();
    let target = Target {
        host: &host,
        name: "app",
        tag: "1",
    };
    let contestants: Vec<Contestant> = [
        Some(peers.pullproof("tail", &[target.reference()])),
        Some(peers.pullproof("head", &[target.reference()])),
        peers.crane_fast(target),
        peers.head_loop(target).map(|peer| peer.at_most(3)),
        peers.crane(target).map(|peer| peer.at_most(3)),
        peers.skopeo(target).map(|peer| peer.at_most(3)),
        peers.regctl(target).map(|peer| peer.at_most(3)),
    ]
    .into_iter()
    .flatten()
    .collect();
    page.heading(
        "On the same machine",
        "The same image; the registry shares the cores.",
    );
    page.race(&race(&contestants, 15));
    let mut table = Table::new(&["from start to first request", "median", "min–max"]);
    for (what, tls) in [
        ("HTTP", false),
        ("HTTPS, the system's certificates read", true),
    ] {
        let times = start::first_request(&peers.pullproof, tls, 21);
        let (least, most) = (times[0], times[times.len() - 1]);
        table.row(&[
            what.to_owned(),
            time(times[times.len() / 2]),
            format!("{}–{}", time(least), time(most)),
        ]);
    }
    page.table(&table);
}

/// Every byte of eight large layers.
fn full(peers: &Peers, page: &mut Page) {
    const PLAN: Plan = Plan {
        platforms: 1,
        layers: 8,
        shared: 0,
        layer_size: 200_000_000,
        seed: 1,
        own_seed: 2,
    };
    let registry = Distribution::open();
    plant(&registry, "app:1", PLAN);
    let host = registry.host();
    let target = Target {
        host: &host,
        name: "app",
        tag: "1",
    };
    let mut contestants = vec![peers.pullproof("full", &[target.reference()])];
    contestants.extend(peers.hash_loops(target));
    contestants.extend(peers.crane(target).map(|peer| peer.at_most(1)));
    contestants.extend(peers.skopeo(target).map(|peer| peer.at_most(1)));
    contestants.extend(peers.regctl(target).map(|peer| peer.at_most(1)));
    page.heading(
        "Every byte",
        "8 layers of 200 MB, on the same machine; the registry shares the cores.",
    );
    page.race(&race(&contestants, 5));
}

/// Ten times as many blobs, and again; in memory, because distribution takes a new buffer of 4 MiB for every part of a blob.
fn scale(peers: &Peers, page: &mut Page) {
    let registry = Registry::start();
    let mut contestants = Vec::new();
    let mut sizes = Vec::new();
    for (place, (children, layers)) in [(1, 99), (5, 199), (50, 199)].into_iter().enumerate() {
        let reference = format!("app{place}:1");
        let image = registry.image(
            &reference,
            &platforms(children).layers(layers).layer_size(10),
        );
        contestants.push(peers.pullproof("tail", &[registry.reference(&reference)]));
        sizes.push(image.reachable().len());
    }
    let results = race(&contestants, 5);
    page.heading("From 100 to 10,000 blobs", "On the same machine.");
    let mut table = Table::new(&[
        "digests",
        "median",
        "min–max",
        "per digest",
        "memory at most",
    ]);
    for (digests, result) in sizes.into_iter().zip(&results) {
        let each = result.median() / u32::try_from(digests).expect("it is a small number");
        table.row(&[
            digests.to_string(),
            time(result.median()),
            format!("{}–{}", time(result.least()), time(result.most())),
            format!("{} µs", each.as_micros()),
            megabytes(result.peak),
        ]);
    }
    page.table(&table);
}

/// Ten tags that have most of their layers in common, against one.
fn tags(peers: &Peers, page: &mut Page) {
    let registry = Distribution::open();
    let link = Link::to(&registry.host(), ROUND_TRIP);
    let references: Vec<String> = (0..10)
        .map(|tag| {
            let reference = format!("app:{tag}");
            plant(
                &registry,
                &reference,
                Plan {
                    platforms: 2,
                    layers: 30,
                    shared: 28,
                    own_seed: 100 + tag,
                    ..USUAL
                },
            );
            format!("{}/{reference}", link.host())
        })
        .collect();
    let one = peers.pullproof("tail", &references[..1]);
    let ten = peers.pullproof("tail", &references);
    let mut results = race(&[one, ten], 7);
    for (result, name) in results
        .iter_mut()
        .zip(["one tag: 34 blobs", "ten tags: 88 blobs"])
    {
        name.clone_into(&mut result.name);
    }
    page.heading(
        "Ten tags, 20 ms away",
        "2 platforms × 30 layers each, 28 of them shared by all.",
    );
    page.race(&results);
}

/// How large the program is.
fn size(peers: &Peers, page: &mut Page) {
    let bytes = std::fs::metadata(&peers.pullproof).map_or(0, |metadata| metadata.len());
    page.paragraph(&format!("The program is {} large.", megabytes(bytes)));
}

/// How long a release build takes that begins with nothing.
fn build(_: &Peers, page: &mut Page) {
    let target = Scratch::new("target");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let started = Instant::now();
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--bin",
            "pullproof",
            "--target-dir",
        ])
        .arg(target.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the release build fails"
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    page.paragraph(&format!(
        "A clean release build takes {} on {cores} cores.",
        time(started.elapsed())
    ));
}

#[expect(
    clippy::print_stderr,
    reason = "this is what people look at while they wait"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn show(text: &str) {
    print!("{text}");
}
