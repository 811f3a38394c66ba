//! What a walk follows, how deep it looks, and how much each kind of content matters.

use crate::oci::client::Clients;
use crate::oci::platform::Platform;

/// What the walk follows, and how much each kind of content matters.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `platforms`: must be present in every index.
    pub platforms: Vec<Platform>,
    /// `only_platforms`: the only ones that are walked; empty for all.
    pub only_platforms: Vec<Platform>,
    /// `clients`: what stops one of these is broken.
    pub clients: Clients,
    /// `artifacts: pass`.
    pub accept_artifacts: bool,
    /// `attestations`.
    pub attestations: Concern,
    /// `allow_missing`.
    pub allow_missing: AllowMissing,
    /// `referrers`.
    pub referrers: Concern,
    /// `depth`.
    pub depth: Depth,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            platforms: Vec::new(),
            only_platforms: Vec::new(),
            clients: Clients::CONTAINERD,
            accept_artifacts: false,
            attestations: Concern::Check,
            allow_missing: AllowMissing::default(),
            referrers: Concern::Ignore,
            depth: Depth::Tail,
        }
    }
}

/// `allow_missing`: which of an index's children may be absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowMissing {
    /// Every one.
    All,
    /// Every one, and their content: a pull-through cache fetches what it lacks.
    Fetched,
    /// Those for these platforms.
    Platforms(Vec<Platform>),
}

impl Default for AllowMissing {
    fn default() -> Self {
        Self::Platforms(Vec::new())
    }
}

impl AllowMissing {
    /// Whether a child for this platform may be absent.
    #[must_use]
    pub fn allows(&self, platform: Option<&Platform>) -> bool {
        match self {
            Self::All | Self::Fetched => true,
            Self::Platforms(allowed) => platform
                .is_some_and(|platform| allowed.iter().any(|allowed| platform.satisfies(allowed))),
        }
    }
}

/// How much a kind of node matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// A fault breaks the image.
    Check,
    /// A fault is reported and breaks nothing.
    Warn,
    /// Not asked for.
    Ignore,
}

/// `depth`: what is asked of every blob, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Nothing.
    Manifests,
    /// `HEAD`.
    Head,
    /// `GET` of the last byte.
    Tail,
    /// `GET` of everything, hashed.
    Full,
}

impl Depth {
    /// The word for it in settings and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
            Self::Head => "head",
            Self::Tail => "tail",
            Self::Full => "full",
        }
    }
}
