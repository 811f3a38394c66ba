//! The result of a run, as data: every format is a function of it.

pub mod counts;
pub mod diagnosis;
pub mod escape;
#[cfg(test)]
pub(crate) mod example;
pub mod exit;
pub mod headline;
pub mod hint;
pub mod human;
pub mod hurt;
pub mod judgement;
pub mod text;

use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use crate::graph::{Graph, NodeId};
use crate::reference::Reference;
use crate::settings::Depth;

/// One verification.
#[derive(Debug)]
pub struct Report {
    /// How blobs were checked.
    pub depth: Depth,
    /// When the run started.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The images in the order in which they were asked for.
    pub images: Vec<Image>,
    /// One graph for each repository; images point into them.
    pub graphs: Vec<Graph>,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stop>,
    /// `dry_run`: nothing was pushed, nothing was asked.
    pub skipped: bool,
    /// `fail_on: never`.
    pub never_fail: bool,
    /// Whether a login of `docker/login-action` may be what the user counted on, and there are no credentials.
    pub login_not_visible: bool,
    /// The pipeline that was started to mend the image.
    pub pipeline: Option<Pipeline>,
    /// The verification before the rebuild.
    pub before: Option<Box<Report>>,
}

/// One image of a report.
#[derive(Clone, Debug)]
pub struct Image {
    /// As it was asked for.
    pub reference: Reference,
    /// Which graph of [`Report::graphs`] it is in.
    pub graph: usize,
    /// The node the reference resolved to, or the one that says why it did not; its digest is the image's.
    pub root: NodeId,
    /// What is wrong with the image rather than with a node.
    pub findings: Vec<Finding>,
    /// Whether it was expected to be the same digest as its siblings of one repository.
    pub alike: bool,
    /// What it must resolve to.
    pub expected: Option<Digest>,
}

/// What is wrong with an image rather than with a node; always definite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub kind: FindingKind,
    /// What was expected and what came.
    pub detail: String,
}

/// The kinds of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// The reference resolves to another digest than expected.
    WrongDigest,
    /// Tags that should be the same digest are not.
    TagsDiffer,
    /// An expected platform is not in the index.
    PlatformMissing,
}

/// Why a run ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `timeout` was over.
    Timeout,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// A Woodpecker pipeline, as far as a report tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its number in its repository.
    pub number: u64,
    /// Its page, for a person.
    pub url: String,
    /// Its status, or the status of the workflows that decide.
    pub status: String,
}
