//! The commands, by name and with their settings.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::extent::Extent;
use super::in_use::InUseSettings;
use super::metrics::MetricsSettings;
use super::permission::{Deletion, GcStopped, Permission};
use super::prune::Backup;
use super::wanted::Wanted;
use crate::http::network::Network;
use crate::http::patience::Patience;
use crate::prune::rules::{Brakes, Policy};
use crate::rebuild::Plan;
use crate::registry::logins::Logins;
use crate::repair::Sources;
use crate::state::Tiers;
use crate::terminal::output::Output;
use crate::walk::rules::Rules;

/// A command without its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandName {
    /// Resolve, walk, report.
    Verify,
    /// The same for every tag of a registry.
    Audit,
    /// Put back what is missing.
    Repair,
    /// Delete the tags that no rule keeps.
    Prune,
    /// Start a Woodpecker pipeline and follow it.
    Rebuild,
}

impl CommandName {
    /// Every command that takes settings.
    pub const ALL: &[Self] = &[
        Self::Verify,
        Self::Audit,
        Self::Repair,
        Self::Prune,
        Self::Rebuild,
    ];

    /// Their words, in the same order.
    pub(super) const WORDS: &[&str] = &[
        Self::Verify.word(),
        Self::Audit.word(),
        Self::Repair.word(),
        Self::Prune.word(),
        Self::Rebuild.word(),
    ];

    /// The word for it on the command line and in `mode`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Audit => "audit",
            Self::Repair => "repair",
            Self::Prune => "prune",
            Self::Rebuild => "rebuild",
        }
    }

    /// The command with this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.word() == word)
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What to do, with what it needs.
#[derive(Debug)]
pub enum Command {
    /// Print this text and succeed.
    Help(String),
    /// Print this line and succeed.
    Version(String),
    /// Print this for another program, and succeed.
    Generated(String),
    /// Resolve, walk, report.
    Verify(Box<VerifySettings>),
    /// The same for every tag of a registry.
    Audit(Box<AuditSettings>),
    /// Put back what is missing.
    Repair(Box<RepairSettings>),
    /// Delete the tags that no rule keeps.
    Prune(Box<PruneSettings>),
    /// Start a Woodpecker pipeline and follow it.
    Rebuild(Box<RebuildSettings>),
}

/// The settings of `verify`.
#[derive(Clone, Debug)]
pub struct VerifySettings {
    /// Which images, and what they should be.
    pub wanted: Wanted,
    /// What the walk follows, and how much each kind of content matters.
    pub rules: Rules,
    /// How hosts are reached.
    pub network: Network,
    /// The logins for registries.
    pub login: Logins,
    /// How long and how often to ask.
    pub patience: Patience,
    /// Where the result goes.
    pub output: Output,
    /// `on_broken`: what is done about images that are definitely broken, in this order.
    pub on_broken: Vec<OnBroken>,
}

/// What is done about images that are definitely broken.
#[derive(Clone, Debug)]
pub enum OnBroken {
    /// What is missing is put back.
    Repair(Sources),
    /// They are built again.
    Rebuild(Box<RebuildSettings>),
}

impl VerifySettings {
    /// How to rebuild, with `on_broken: rebuild`.
    #[must_use]
    pub fn rebuild(&self) -> Option<&RebuildSettings> {
        self.on_broken.iter().find_map(|step| match step {
            OnBroken::Rebuild(rebuild) => Some(&**rebuild),
            OnBroken::Repair(_) => None,
        })
    }
}

/// The settings of `audit`.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Which repositories and tags.
    pub extent: Extent,
    /// What the walk follows, and how much each kind of content matters.
    pub rules: Rules,
    /// How hosts are reached.
    pub network: Network,
    /// The logins for registries.
    pub login: Logins,
    /// How long and how often to ask.
    pub patience: Patience,
    /// Where the result goes.
    pub output: Output,
    /// `in_use` and `in_use_host`.
    pub in_use: Option<InUseSettings>,
    /// `broken_list`: where the broken tags go, one a line.
    pub broken_list: Option<PathBuf>,
    /// `state`: where what is remembered of each registry is.
    pub state: Option<PathBuf>,
    /// `recheck_…`: how long what is remembered counts as proven.
    pub tiers: Tiers,
    /// Where the metrics go, and how often the audit is repeated.
    pub metrics: MetricsSettings,
}

/// The settings of `repair`.
#[derive(Clone, Debug)]
pub struct RepairSettings {
    /// How images are verified, before and after; and which, where images are named.
    pub verify: VerifySettings,
    /// The audit that finds what is broken, where no images are named.
    pub audit: Option<AuditSettings>,
    /// Where content may come from, and what may be written.
    pub sources: Sources,
    /// `plan`: where the plan goes, or comes from.
    pub plan: Option<PathBuf>,
    /// `undo`: take back what earlier repairs wrote to the disk.
    pub undo: bool,
}

/// The settings of `prune`.
#[derive(Clone, Debug)]
pub struct PruneSettings {
    /// How repositories are walked, and which.
    pub audit: AuditSettings,
    /// What stays.
    pub policy: Policy,
    /// `delete_broken`.
    pub sweeps: bool,
    /// `delete_untagged`.
    pub untagged: Option<Duration>,
    /// `packages_api`.
    pub packages_api: Option<Url>,
    /// What holds the run back.
    pub brakes: Brakes,
    /// `plan`: where the plan goes, or comes from.
    pub plan: Option<PathBuf>,
    /// `backup`.
    pub backup: Option<Backup>,
    /// `apply`: to delete, and to put back what should not have gone.
    pub apply: Option<(Deletion, Permission)>,
    /// `gc_stopped`.
    pub gc_stopped: Option<GcStopped>,
}

/// The settings of `rebuild`.
#[derive(Clone, Debug)]
pub struct RebuildSettings {
    /// How to start the pipeline.
    pub plan: Plan,
    /// How the Woodpecker server is reached.
    pub network: Network,
    /// How often to ask.
    pub patience: Patience,
    /// Where the result goes.
    pub output: Output,
}
