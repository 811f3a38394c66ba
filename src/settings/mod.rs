//! What the user wants: every setting of the contract, read, checked against the others, and typed.

mod arguments;
mod auto_tag;
mod ci;
pub mod documentation;
mod environment;
mod error;
mod files;
mod help;
mod load;
mod logins;
mod network;
mod output;
pub(crate) mod parse;
mod raw;
mod rebuild;
mod suggest;
#[cfg(test)]
pub(crate) mod support;
pub mod table;
mod wanted;

use oci_spec::image::Digest;

use crate::http::network::Network;
use crate::http::patience::Patience;
use crate::rebuild::Plan;
use crate::registry::logins::Logins;
use crate::terminal::output::Output;
use crate::walk::rules::Rules;

pub use error::Error;
pub use files::Files;
pub use load::{Command, Environment, read, read_output};
pub(crate) use parse::{digest as parse_digest, list as parse_list};
use raw::Value;

/// One of these words in any case, if it was given.
fn words<'a>(value: Option<Value<'_>>, accepted: &[&'a str]) -> Result<Option<&'a str>, Error> {
    let Some(value) = value else { return Ok(None) };
    value
        .read(&format!("one of {}", accepted.join(", ")), |text| {
            accepted
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .copied()
        })
        .map(Some)
}

/// Every setting with its meaning; one part for each room that reads it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `mode`.
    pub mode: Mode,
    /// Which images, and what they should be.
    pub wanted: Wanted,
    /// What the walk follows and how much it minds.
    pub rules: Rules,
    /// How hosts are reached.
    pub network: Network,
    /// Who we are to a registry.
    pub login: Logins,
    /// How long and how often to ask.
    pub patience: Patience,
    /// Where the result goes.
    pub output: Output,
    /// How to rebuild, when that is what to do, or what to do about a broken image.
    pub rebuild: Option<Plan>,
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Resolve, walk, report.
    Verify,
    /// Start a Woodpecker pipeline and follow it.
    Rebuild,
}

/// The images to verify, as they were named.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `images` and the command line's references.
    pub images: Vec<String>,
    /// `repo`.
    pub repositories: Vec<String>,
    /// The tags for `repo`, after `tags_file`, `.tags` and `auto_tag`.
    pub tags: Vec<String>,
    /// `registry`: prefixes a `repo` without a host.
    pub registry: Option<String>,
    /// `digest`: every image must resolve to it.
    pub digest: Option<Digest>,
    /// The content of `metadata_file`.
    pub metadata: Option<Metadata>,
    /// `same_digest`, when it was given.
    pub same_digest: Option<bool>,
    /// `dry_run`, or what else says that nothing was pushed.
    pub nothing_pushed: Option<NothingPushed>,
}

/// The content of `metadata_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The setting as it was spelled, and the file if it names one; for error messages.
    pub name: String,
    /// The content.
    pub text: String,
}

/// Why there is nothing to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NothingPushed {
    /// `dry_run` says so.
    DryRun,
    /// Something else does: this, as a fragment.
    Because(String),
}
