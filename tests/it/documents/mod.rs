//! What newcomers read and paste, held to the truth: it is understood, every name in it exists, and what it quotes is said.

mod ci;
mod design;
mod examples;
mod page;
mod readme;
mod security;
mod uses;

use std::path::PathBuf;

/// The text of a file of the project.
#[track_caller]
pub(crate) fn text(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
