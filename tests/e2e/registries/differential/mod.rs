//! Random images on real registries, with random damage, with tags that move and with registries
//! that restart: what a download of every digest gives decides what verify has to report.
//!
//! `PULLPROOF_ROUNDS` says how many images each test takes (20 if it does not, and 10 where
//! something happens meanwhile), and `PULLPROOF_SEED` with which seed they begin. What a round does
//! depends on its seed alone; when it happens, on the machine.

mod compare;
mod damaged;
mod harm;
mod moved;
mod pull;
mod restarted;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::gitea::Gitea;
use super::server::Server;
use crate::support::digest::Random;
use crate::support::distribution::{Distribution, Door};

/// A real registry whose disk can be damaged.
trait Registry {
    /// Where it is, and how to push.
    fn door(&self) -> Door;
    /// Kills it.
    fn stop(&mut self);
    /// Starts it again on the same port.
    fn start(&mut self);
    /// The file with the content of a digest.
    fn data(&self, repository: &str, digest: &str) -> PathBuf;
    /// The files with what else it knows of a repository, if it keeps that in files.
    fn records(&self, _repository: &str) -> Vec<PathBuf> {
        Vec::new()
    }
}

impl Registry for Distribution {
    fn door(&self) -> Door {
        Door::open(&self.host())
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn data(&self, _: &str, digest: &str) -> PathBuf {
        Self::data(self, digest)
    }

    fn records(&self, repository: &str) -> Vec<PathBuf> {
        files(&self.repository(repository))
    }
}

impl Registry for Server {
    fn door(&self) -> Door {
        Door::open(self.host())
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn data(&self, repository: &str, digest: &str) -> PathBuf {
        let blobs = self.layout(repository).join("blobs");
        blobs.join(digest.replace(':', "/"))
    }

    fn records(&self, repository: &str) -> Vec<PathBuf> {
        let layout = self.layout(repository);
        let mut files = files(&layout);
        files.retain(|path| !path.starts_with(layout.join("blobs")));
        files
    }
}

/// olareg reads `index.json` and `oci-layout` again every second, so what a download gives when
/// these are damaged is a matter of time: only its content is damaged.
struct Olareg(Server);

impl Registry for Olareg {
    fn door(&self) -> Door {
        self.0.door()
    }

    fn stop(&mut self) {
        self.0.stop();
    }

    fn start(&mut self) {
        self.0.start();
    }

    fn data(&self, repository: &str, digest: &str) -> PathBuf {
        self.0.data(repository, digest)
    }
}

impl Registry for Gitea {
    fn door(&self) -> Door {
        self.door.clone()
    }

    fn stop(&mut self) {
        self.server.stop();
    }

    fn start(&mut self) {
        self.server.start();
    }

    fn data(&self, _: &str, digest: &str) -> PathBuf {
        Self::data(self, digest)
    }
}

/// Every file below a directory, in a stable order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![directory.to_owned()];
    while let Some(path) = next.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("the directory is ours");
            next.extend(entries.map(|entry| entry.expect("the directory is ours").path()));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Waits for a random part of this time.
fn pause(random: &mut Random, longest: Duration) {
    let share = u16::try_from(random.below(1000)).expect("it is below 1000");
    std::thread::sleep(longest.mul_f64(f64::from(share) / 1000.0));
}

/// What the rounds of a test came to.
struct Summary {
    /// In words, with numbers.
    text: String,
    /// What no rule of the documents explains.
    unexplained: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} unexplained", self.text, self.unexplained.len())
    }
}

impl Summary {
    /// Fails if anything is unexplained, and shows the first of it.
    #[track_caller]
    fn assert_explained(&self) {
        const SHOWN: usize = 10;
        let shown = self.unexplained.iter().take(SHOWN);
        let shown: Vec<&str> = shown.map(String::as_str).collect();
        assert!(
            self.unexplained.is_empty(),
            "{} unexplained:\n\n{}",
            self.unexplained.len(),
            shown.join("\n\n")
        );
    }
}

macro_rules! on {
    ($($name:ident: $start:expr;)+) => {$(
        mod $name {
            #[test]
            fn what_a_download_gives_is_what_is_reported() {
                let summary = super::damaged::rounds(&mut $start);
                println!("{}: {summary}", stringify!($name));
                summary.assert_explained();
            }

            #[test]
            fn a_tag_that_moves_meanwhile_is_no_fault() {
                let summary = super::moved::rounds(&$start);
                println!("{}: {summary}", stringify!($name));
                summary.assert_explained();
            }

            #[test]
            fn a_restart_meanwhile_is_no_fault() {
                let summary = super::restarted::rounds(&mut $start);
                println!("{}: {summary}", stringify!($name));
                summary.assert_explained();
            }
        }
    )+};
}

on! {
    debian: crate::support::distribution::Distribution::open();
    distribution: crate::registries::distribution::start();
    gitea: crate::registries::gitea::start();
    olareg: super::Olareg(crate::registries::olareg::start());
    zot: crate::registries::zot::start();
}
