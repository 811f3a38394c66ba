//! The documents: their pipelines work, their names exist, and their quotes are current.

mod ci;
mod contributing;
mod design;
mod examples;
mod how_it_works;
mod links;
mod messages;
mod operations;
mod page;
mod readme;
mod release;
mod runbook;
mod security;
mod uses;

use std::path::PathBuf;

/// The text of a file of the project.
#[track_caller]
pub(crate) fn text(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
