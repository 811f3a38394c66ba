//! Lets programs run in turns, so that what disturbs one of them disturbs all.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::support::scratch::Scratch;

/// A program that takes part.
pub(crate) struct Contestant {
    /// What the table calls it.
    pub(crate) name: String,
    /// Its command line; `{}` stands for an empty directory.
    command: Vec<String>,
    /// How often it runs at most: the slow ones would take all the time.
    most: usize,
}

impl Contestant {
    pub(crate) fn new<T: Into<String>>(name: &str, command: impl IntoIterator<Item = T>) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self {
            name: name.to_owned(),
            command,
            most: usize::MAX,
        }
    }

    /// Runs at most so often.
    pub(crate) fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// Runs once. A program that fails ends everything: its time would say nothing.
    pub(crate) fn run(&self) -> Run {
        let directory = Scratch::new("contestant");
        let words: Vec<String> = self
            .command
            .iter()
            .map(|word| word.replace("{}", &directory.path().display().to_string()))
            .collect();
        let log = directory.path().join("log");
        let file = std::fs::File::create(&log).expect("the directory is ours");
        let started = Instant::now();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("HOME", directory.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file can be shared"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", words[0]));
        let (took, seen) = watch(child, started, &words, &log);
        Run {
            took,
            peak: seen.peak,
            cpu: seen.cpu,
            requests: requests(&directory.path().join("report.json")),
        }
    }
}

/// How many requests a report counts, if there is one.
fn requests(report: &Path) -> Option<u64> {
    let report = std::fs::read(report).ok()?;
    let report: serde_json::Value = serde_json::from_slice(&report).ok()?;
    report["counts"]["requests"].as_u64()
}

/// What is seen of a program while it runs.
#[derive(Clone, Copy, Default)]
struct Seen {
    peak: u64,
    cpu: Duration,
}

/// Waits for the end, and looks at the memory and the CPU meanwhile, every millisecond.
fn watch(mut child: Child, started: Instant, words: &[String], log: &Path) -> (Duration, Seen) {
    let process = child.id();
    let status_file = format!("/proc/{process}/status");
    let (ended, end) = channel::<()>();
    let watcher = std::thread::spawn(move || {
        let mut seen = Seen::default();
        while end.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            seen.peak = seen.peak.max(high_water(&status_file).unwrap_or(0));
            seen.cpu = seen.cpu.max(cpu_of(process).unwrap_or_default());
        }
        seen
    });
    let status = child.wait().expect("the child is ours");
    let took = started.elapsed();
    drop(ended);
    let said = std::fs::read_to_string(log).unwrap_or_default();
    assert!(status.success(), "{words:?}: {status}\n{said}");
    (
        took,
        watcher.join().expect("looking at memory does not panic"),
    )
}

/// The CPU that a process took so far, without its children
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
pub(crate) fn cpu_of(process: u32) -> Option<Duration> {
    /// The kernel's unit towards programs, on every platform of today.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in brackets, which may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

/// `VmHWM`, the most memory a process had so far, in bytes.
fn high_water(status_file: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status_file).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kilobytes| kilobytes * 1024)
}

/// What one run took.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) took: Duration,
    /// The most memory it ever had, in bytes.
    pub(crate) peak: u64,
    /// Its CPU, without that of programs that it started.
    pub(crate) cpu: Duration,
    /// How many requests it reports, if it does.
    pub(crate) requests: Option<u64>,
}

/// What all runs of one program took.
pub(crate) struct Result {
    pub(crate) name: String,
    times: Vec<Duration>,
    /// The most memory it ever had, in bytes.
    pub(crate) peak: u64,
}

impl Result {
    /// The time in the middle.
    pub(crate) fn median(&self) -> Duration {
        self.times[self.times.len() / 2]
    }

    /// The shortest time.
    pub(crate) fn least(&self) -> Duration {
        self.times[0]
    }

    /// The longest time.
    pub(crate) fn most(&self) -> Duration {
        self.times[self.times.len() - 1]
    }

    /// How often it ran.
    pub(crate) fn rounds(&self) -> usize {
        self.times.len()
    }
}

/// Lets every contestant run once a round, each round beginning with another one.
pub(crate) fn race(contestants: &[Contestant], rounds: usize) -> Vec<Result> {
    // Once for nothing: registry and disk are warm for all of them then.
    contestants[0].run();
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); contestants.len()];
    for round in 0..rounds {
        for place in 0..contestants.len() {
            let place = (place + round) % contestants.len();
            if round < contestants[place].most {
                runs[place].push(contestants[place].run());
            }
        }
    }
    let results = contestants.iter().zip(runs).map(|(contestant, runs)| {
        let mut times: Vec<Duration> = runs.iter().map(|run| run.took).collect();
        times.sort_unstable();
        Result {
            name: contestant.name.clone(),
            times,
            peak: runs.iter().map(|run| run.peak).max().unwrap_or(0),
        }
    });
    results.collect()
}
