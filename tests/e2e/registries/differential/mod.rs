//! Random images on real registries, with random damage, with tags that move and with registries
//! that restart: what a download of every digest gives decides what verify has to report.
//!
//! `PULLPROOF_ROUNDS` says how many images each test takes (20 if it does not, and 10 where
//! something happens meanwhile), and `PULLPROOF_SEED` with which seed they begin. What a round does
//! depends on its seed alone; when it happens, on the machine.

mod compare;
mod damaged;
pub(super) mod harm;
mod moved;
mod pull;
mod restarted;

use std::fmt;
use std::time::Duration;

use super::real::{Olareg, Registry};
use crate::support::digest::Random;

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
