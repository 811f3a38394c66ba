//! Registries that are pruned: what stays can be pulled, what goes is gone, and a plain collection
//! then frees what the plan said.

mod forty;
mod histories;
mod state;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::real::files;
use crate::support::command::{Pullproof, Report, pullproof};
use crate::support::distribution::Distribution;

/// A command with the JSON report on standard output, and waits as short as a test wants them.
fn command(words: &[&str], login: Option<&str>) -> Pullproof {
    let login = login.and_then(|login| login.split_once(':'));
    let login = login.map(|(user, password)| ["--username", user, "--password", password]);
    pullproof()
        .arguments(words.iter().copied())
        .arguments(["--format", "json", "--settle", "0s", "--backoff", "10ms"])
        .arguments(login.into_iter().flatten())
}

fn prune(target: &str, login: Option<&str>) -> Pullproof {
    command(&["prune", target, "--apply", "--min-age", "0s"], login)
}

/// Brings back what a backup has.
fn restore(target: &str, backup: &str, login: Option<&str>) -> Pullproof {
    let backup = format!("oci:{backup}");
    command(&["repair", target, "--from", &backup, "--apply"], login)
}

/// The tags that a plan deletes, and whether that was done.
fn deleted(report: &Report) -> BTreeMap<String, bool> {
    let plan = report.0["plan"].as_array().expect("there is a plan");
    let deleted = plan.iter().filter(|item| item["action"] == "delete");
    let tags = deleted.filter_map(|item| Some((item["tag"].as_str()?, item["done"] == true)));
    tags.map(|(tag, done)| (tag.to_owned(), done)).collect()
}

/// How many bytes a collection can free by now, as the report has it.
fn frees(report: &Report) -> u64 {
    let frees = report.0["frees"].as_u64();
    frees.unwrap_or_else(|| panic!("it does not say what it frees: {:#}", report.0))
}

/// A collection that takes what nothing refers to, and leaves manifests without tags alone.
fn collected(registry: &mut Distribution) {
    registry.stop().garbage_collect().start();
}

/// The files below a directory with their content, by their paths there; without those that go
/// meanwhile.
fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let relative = |path: &Path| {
        let path = path.strip_prefix(directory).expect("it is below it");
        path.display().to_string()
    };
    let files = files(directory).into_iter();
    let content = files.filter_map(|path| match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        read => Some((relative(&path), read.expect("the directory is ours"))),
    });
    content.collect()
}

/// How to start a registry, and how many of the histories it has in per cent: all of them on
/// distribution, and some more on the others.
macro_rules! on {
    ($($name:ident: $start:expr, $share:expr;)+) => {$(
        mod $name {
            /// `PULLPROOF_HISTORIES` says how many, and `PULLPROOF_SEED` with which seed they
            /// begin.
            #[test]
            fn random_histories_leave_every_tag_whole_and_free_what_was_said() {
                let summary = super::histories::run($start, $share);
                println!("{}: {summary}", stringify!($name));
            }
        }
    )+};
}

mod random {
    use super::histories;

    on! {
        debian: crate::support::distribution::Distribution::open(), 50;
        distribution: crate::registries::distribution::start(), 50;
        gitea: crate::registries::gitea::start(), 5;
        olareg: crate::registries::real::Olareg(crate::registries::olareg::start()), 5;
        zot: crate::registries::zot::start(), 5;
    }
}
