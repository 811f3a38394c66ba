//! One checked repository: what a walk found, and what else is expected of it.

use oci_spec::image::Digest;

use super::cause::Cause;
use super::graph::{Graph, NodeId, finished};
use super::known::Known;
use super::product::Product;
use super::verdict::Verdict;
use crate::oci::client::{Client, Clients};
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
    /// What else is known of it, for hints.
    pub known: Known,
}

impl Checked {
    /// Whether an image is definitely not what these clients need.
    #[must_use]
    pub fn is_failing(&self, subject: &Subject, clients: Clients) -> bool {
        let stops = |id: &NodeId| self.graph.node(*id).stops().meet(clients);
        let fails = |finding: &Finding| finding.is_definite() && finding.stops().meet(clients);
        subject.findings.iter().any(fails) || self.graph.required(subject.root).iter().any(stops)
    }

    /// Whether nothing is wrong and nothing open.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_fine = |verdict| matches!(verdict, Verdict::Ok | Verdict::Skipped);
        self.graph.iter().all(|(_, node)| is_fine(node.verdict()))
            && self
                .subjects
                .iter()
                .all(|subject| subject.findings.is_empty())
    }

    /// Whether access to anything was refused.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.graph.count(Verdict::Denied) > 0
    }

    /// The tags that answer 404.
    pub fn missing_tags(&self) -> impl Iterator<Item = &str> {
        let is_missing = |subject: &&Subject| {
            let root = self.graph.node(subject.root);
            root.verdict() == Verdict::Missing && root.is_nameless()
        };
        let missing = self.subjects.iter().filter(is_missing);
        missing.filter_map(|subject| subject.reference.tag.as_deref())
    }

    /// Gives the images the references that they were asked for by, which were pinned for the walk.
    pub(crate) fn name(&mut self, references: &[Reference]) {
        for (subject, reference) in self.subjects.iter_mut().zip(references) {
            subject.reference.clone_from(reference);
            // What came instead of the manifest has no type.
            if self.graph.node(subject.root).verdict() != Verdict::Ok {
                let is_type = |finding: &Finding| matches!(finding, Finding::ContentType { .. });
                subject.findings.retain(|finding| !is_type(finding));
            }
        }
    }

    /// Ends the walk: every foreign text is redacted, and then cut to what is ever shown.
    pub fn finish(&mut self, redact: impl Fn(&str) -> String) {
        self.graph.finish(&redact);
        let findings = self
            .subjects
            .iter_mut()
            .flat_map(|subject| &mut subject.findings);
        for text in findings.flat_map(Finding::texts) {
            *text = finished(text, &redact);
        }
    }
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

/// What is wrong with an image rather than with a node; definite but for
/// [`Finding::HeadUnanswered`] and [`Finding::NotListed`].
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
    /// It is no image, but an artifact of this type.
    NotAnImage(Box<str>),
    /// `HEAD` of the reference is refused with this status, while `GET` is answered.
    HeadRefused(u16),
    /// There is no usable answer to `HEAD`, while `GET` is answered.
    HeadUnanswered(Box<Cause>),
    /// `HEAD` and `GET` state different things.
    HeadDisagrees {
        /// The header.
        header: &'static str,
        /// What `HEAD` states.
        head: Box<str>,
        /// What `GET` delivers.
        get: Box<str>,
        /// The clients that go by it.
        stops: Clients,
    },
    /// The answer to `HEAD` lacks this header, without which docker stops.
    HeadLacks(&'static str),
    /// It is there, and the lists of its registry leave it out.
    NotListed,
    /// The reference is answered with a `Content-Type` that is not its manifest's; empty for none.
    ContentType {
        /// The type.
        media_type: Box<str>,
        /// The clients that read it.
        stops: Clients,
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
            Self::NotAnImage(_) => "not_an_image",
            Self::HeadRefused(_) => "head_refused",
            Self::HeadUnanswered(_) => "head_unanswered",
            Self::HeadDisagrees { .. } => "head_disagrees",
            Self::HeadLacks(_) => "head_lacks",
            Self::NotListed => "not_listed",
            Self::ContentType { .. } => "content_type",
        }
    }

    /// The clients that it stops.
    #[must_use]
    pub fn stops(&self) -> Clients {
        match self {
            Self::HeadRefused(_) | Self::HeadUnanswered(_) => Clients::CONTAINERD,
            Self::HeadLacks(_) => Clients::of(&[Client::Docker]),
            Self::NotListed => Clients::NONE,
            Self::HeadDisagrees { stops, .. } | Self::ContentType { stops, .. } => *stops,
            _ => Clients::ALL,
        }
    }

    /// Whether it is certain.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::HeadUnanswered(_) | Self::NotListed)
    }

    /// Whether an expectation is not met, so that another build could meet it.
    #[must_use]
    pub fn is_expectation(&self) -> bool {
        matches!(
            self,
            Self::WrongDigest { .. }
                | Self::StillWrong(_)
                | Self::TagsDiffer(_)
                | Self::PlatformMissing { .. }
        )
    }

    /// Whether it may pass by itself: a registry may show a moved tag late.
    #[must_use]
    pub fn may_settle(&self) -> bool {
        match self {
            Self::HeadRefused(status) => *status == 404,
            Self::HeadDisagrees { .. } => true,
            other => other.is_expectation(),
        }
    }

    /// The foreign texts in it.
    fn texts(&mut self) -> Vec<&mut Box<str>> {
        match self {
            Self::NotAnImage(text)
            | Self::ContentType {
                media_type: text, ..
            } => vec![text],
            Self::HeadDisagrees { head, get, .. } => vec![head, get],
            Self::HeadUnanswered(cause) => cause.texts(),
            _ => Vec::new(),
        }
    }
}
