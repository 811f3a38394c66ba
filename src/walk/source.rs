//! The boundary to registries: how manifests and blobs are requested, and what may come back.

use std::time::Duration;

use oci_spec::image::Digest;
use tokio::time::Instant;

use super::cause::Cause;
use super::product::Product;
use crate::oci::config::Facts;
use crate::oci::descriptor::Promise;
use crate::oci::reference::{Reference, Repository};

/// The largest manifest that is read, in bytes: containerd's own limit.
pub(crate) const MANIFEST_LIMIT: usize = 4 * 1048 * 1048;

/// The largest config that is fetched whole, in bytes; a larger one is looked at like a layer.
pub(crate) const CONFIG_LIMIT: u64 = 8 * 1024 * 1024;

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For the first time.
    First,
    /// The same for content that may be absent: a first 404 is believed.
    MayBeAbsent,
    /// As a control, whether content that was fine still is: a first 404 is believed, and no memory
    /// answers.
    Witness,
    /// Once more, to confirm the definite answer of that time: after a pause, and apart from earlier
    /// questions.
    Again(Instant),
}

impl Look {
    /// Once more, to confirm a definite answer that came just now.
    pub fn again() -> Self {
        Self::Again(Instant::now())
    }

    /// Whether a definite answer is to be confirmed.
    pub fn is_again(self) -> bool {
        matches!(self, Self::Again(_))
    }
}

/// One repository's content, wherever it is.
pub trait Source {
    /// The manifest that a tag or digest stands for.
    fn resolve(&self, reference: &Reference, look: Look) -> impl Future<Output = Asked<Manifest>>;

    /// What `HEAD` says of a tag or digest: containerd resolves it so.
    fn head(&self, reference: &Reference, look: Look) -> impl Future<Output = Head>;

    /// A manifest by its digest.
    fn manifest(&self, digest: &Digest, look: Look) -> impl Future<Output = Asked<Manifest>>;

    /// A look at a blob, as deep as the run wants it.
    fn blob(&self, promise: &Promise, look: Look) -> impl Future<Output = Asked<Blob>>;

    /// A blob fetched whole and kept, because its content is read; at most [`CONFIG_LIMIT`] bytes.
    fn config(&self, promise: &Promise, look: Look) -> impl Future<Output = Asked<Blob>>;

    /// The manifests that name `digest` as their subject; there may be none.
    fn referrers(&self, digest: &Digest, look: Look)
    -> impl Future<Output = Asked<Vec<Referring>>>;

    /// Whether what answers is what should answer, and no stranger in its place.
    fn is_there(&self) -> impl Future<Output = bool>;

    /// Which registry it is, as far as its answers have shown by now.
    fn product(&self) -> Product {
        Product::Unknown
    }
}

/// What repositories there are, and which tags they have, wherever that is.
pub(crate) trait Catalog {
    /// The names of all repositories.
    fn repositories(&self) -> impl Future<Output = Asked<List>>;

    /// The tags of a repository. One that is not there, or has none, is [`FaultKind::NotFound`] or
    /// an empty list.
    fn tags(&self, repository: &Repository) -> impl Future<Output = Asked<List>>;
}

/// A list of names, read page by page: each once, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    /// The names.
    pub names: Vec<String>,
    /// Entries that no reference allows, so that they are left out.
    pub unusable: usize,
    /// Entries that repeat a login, so that they are left out.
    pub secret: usize,
    /// Whether the list went on after the most that is read.
    pub is_cut: bool,
}

/// The answer to a question, with its cost.
#[derive(Clone, Debug)]
pub struct Asked<T> {
    /// The content, or why there is none.
    pub answer: Result<T, Fault>,
    /// The HTTP status of the answer that decided, if there was one.
    pub status: Option<u16>,
    /// How many requests it took.
    pub attempts: u32,
    /// From the first request to the end of the last answer.
    pub duration: Duration,
    /// How late the content appeared, when it did so within the settle window.
    pub appeared_after: Option<Duration>,
}

impl<T> Asked<T> {
    /// An answer that took no request.
    #[must_use]
    pub fn unasked(answer: Result<T, Fault>) -> Self {
        Self {
            answer,
            status: None,
            attempts: 0,
            duration: Duration::ZERO,
            appeared_after: None,
        }
    }
}

/// Why a question has no content in its answer. It says nothing about the content, except for
/// [`FaultKind::NotFound`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Why.
    pub cause: Cause,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// 404, to the end of the settle window.
    NotFound,
    /// 401 or 403.
    Denied,
    /// 429, after all attempts.
    RateLimited,
    /// No usable answer, after all attempts.
    Unavailable,
}

/// A manifest as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its bytes.
    pub body: Body,
    /// `Content-Type` without parameters.
    pub content_type: Option<String>,
    /// `Docker-Content-Digest`: what the registry says the digest is.
    pub claimed: Option<String>,
}

/// What `HEAD` says of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// Nothing: 405, after which a client asks for the content.
    Unsaid,
    /// The headers of its answer.
    Stated {
        /// `Content-Type` without parameters.
        content_type: Option<String>,
        /// `Docker-Content-Digest`.
        claimed: Option<String>,
        /// `Content-Length` in bytes.
        length: Option<u64>,
    },
    /// It is refused with this status, which a client believes.
    Refused(u16),
    /// There is no usable answer to it.
    Unanswered(Cause),
}

/// What refers to a manifest from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Referring {
    /// A page of the list that the Referrers API or the fallback tag gives.
    List(Manifest),
    /// A manifest under a tag made from the digest, as cosign stores signatures.
    Tagged(Manifest),
}

/// The bytes of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of them.
    Whole(Vec<u8>),
    /// More than [`MANIFEST_LIMIT`]; the rest was not read.
    TooLarge,
    /// The connection ended, cleanly and every time, before the stated length.
    Cut {
        /// How many bytes came.
        received: u64,
    },
}

/// What a look at a blob showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// The registry states a length; no byte was asked for.
    Stated {
        /// In bytes.
        length: u64,
    },
    /// It was proven in an earlier run, and is not due again; or only its header or last byte was.
    Proven {
        /// What it says, if it is a config.
        facts: Option<Box<Facts>>,
        /// Whether its last byte cannot be asked for alone, as with [`Blob::Begun`].
        is_begun: bool,
    },
    /// The registry states a length and sends bytes, but not the last one alone, and there are too
    /// many to read them all.
    Begun {
        /// In bytes.
        length: u64,
    },
    /// The last byte of the promised size was asked for and came.
    LastByte {
        /// The whole length by `Content-Range`; `None` when the registry does not know.
        length: Option<u64>,
    },
    /// The registry promised bytes and, every time, the answer ended without them.
    Cut {
        /// How many bytes from the start can be had: `Some(0)` for none; `None` for some, not all.
        received: Option<u64>,
    },
    /// Everything was received and is right, but is called encoded, so that clients decode it.
    Encoded(String),
    /// The registry states a length other than the promised one, so the body was not read.
    OtherLength {
        /// In bytes.
        length: u64,
    },
    /// Everything was received and hashed.
    Whole {
        /// In bytes.
        length: u64,
        /// What the bytes hash to, by the promised algorithm.
        digest: Digest,
        /// The bytes, when they were asked to be kept.
        bytes: Option<Vec<u8>>,
    },
}
