//! What the user wants: every setting of the table, read, checked against the others, and typed.

mod arguments;
mod auto_tag;
mod build_only;
mod ci;
mod command;
mod completions;
#[cfg(test)]
mod documentation;
mod environment;
mod error;
mod extent;
mod files;
mod help;
mod in_use;
mod kind;
mod list_source;
mod load;
mod logins;
mod manual;
mod metrics;
mod network;
mod output;
pub(crate) mod parse;
mod permission;
mod policy;
mod prune;
mod pushed;
mod raw;
mod rebuild;
mod repair;
mod rules;
mod secret_files;
mod suggest;
#[cfg(test)]
pub(crate) mod support;
pub mod table;
mod value;
mod wanted;

pub use command::{
    AuditSettings, Command, CommandName, OnBroken, PruneSettings, RebuildSettings, RepairSettings,
    VerifySettings,
};
pub use error::Error;
pub use extent::{Extent, Shard, Target};
pub use files::Files;
pub use in_use::{InUseSettings, InUseSource};
pub use kind::ValueKind;
pub use list_source::ListSource;
pub use load::{Environment, read, read_output};
pub use metrics::MetricsSettings;
pub use output::Stream;
pub(crate) use parse::{digest as parse_digest, list as parse_list};
pub use permission::{Deletion, GcStopped, Permission};
pub use prune::Backup;
pub use pushed::NothingPushed;
pub use wanted::{Metadata, Wanted};
