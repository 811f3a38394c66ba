//! One checked repository: what a walk found, and what else is expected of it.

use oci_spec::image::Digest;

use super::graph::{Graph, NodeId};
use super::product::Product;
use crate::oci::platform::Platform;
use crate::oci::reference::{Reference, Repository};

/// One repository, walked.
#[derive(Debug)]
pub struct Checked {
    /// Which repository.
    pub repository: Repository,
    /// Which registry it is in, as far as its answers showed.
    pub product: Product,
    /// Every digest with its verdict.
    pub graph: Graph,
    /// What was asked for, in that order.
    pub subjects: Vec<Subject>,
}

/// A reference of a repository, or a revision: a digest alone.
#[derive(Clone, Debug)]
pub struct Subject {
    /// As it was asked for.
    pub reference: Reference,
    /// The node it resolved to, or the one that states why it did not; its digest is the image's.
    pub root: NodeId,
    /// What its manifest hashes to by the other of the two usual algorithms, if its bytes came.
    pub also: Option<Digest>,
    /// What is wrong with the image rather than with a node.
    pub findings: Vec<Finding>,
}

/// What is wrong with an image rather than with a node; always definite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It resolves to another digest than expected.
    WrongDigest {
        /// What was expected.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// It still resolves to the digest that was wrong before the rebuild.
    StillWrong(Digest),
    /// Two tags of a repository should have one digest and do not.
    TagsDiffer(Box<TagsDiffer>),
    /// An expected platform is not there.
    PlatformMissing {
        /// Which one.
        expected: Platform,
        /// The first of those that are there.
        present: Vec<Platform>,
    },
}

/// Two tags of a repository with different digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsDiffer {
    /// The first of the tags.
    pub first: Reference,
    /// Its digest.
    pub theirs: Digest,
    /// The tag in question.
    pub reference: Reference,
    /// Its digest.
    pub ours: Digest,
}

impl Finding {
    /// The word for it in the JSON report and in text.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::WrongDigest { .. } | Self::StillWrong(_) => "wrong_digest",
            Self::TagsDiffer(_) => "tags_differ",
            Self::PlatformMissing { .. } => "platform_missing",
        }
    }
}
