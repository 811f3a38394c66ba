//! Taking back the links that repairs wrote to the disk of a registry.

use std::path::PathBuf;
use std::time::SystemTime;

use log::info;

use crate::commands::finished::{Finished, Unfinished};
use crate::layout::root::Root;
use crate::report::Report;
use crate::report::exit::Exit;
use crate::settings::{Error, RepairSettings};
use crate::storage::undo::{Why, undo};
use crate::text::escape;
use crate::text::human::count;
use crate::walk::rules::Depth;

/// Takes back what the journal says, and says what stays.
///
/// # Errors
///
/// When the settings do not name the disk, or do not permit it.
pub(super) fn undone(settings: &RepairSettings) -> Result<Finished, Unfinished> {
    let sources = &settings.sources;
    let (Some(path), Some(permission), Some(gc_stopped)) =
        (directory(settings), sources.permission, sources.gc_stopped)
    else {
        return Err(Error::new("undo needs the registry's disk and gc_stopped")
            .with_hint("pullproof repair --undo --storage DIR --gc-stopped")
            .into());
    };
    let root = Root::open(&path).map_err(|why| {
        Error::new(format!(
            "storage: {} cannot be opened: {why}",
            path.display()
        ))
    })?;
    let report = Report {
        command: "repair",
        ..Report::empty(Depth::Tail, SystemTime::now())
    };
    match undo(&root, permission, gc_stopped) {
        Ok(undone) => {
            for link in &undone.removed {
                info!("removed {}", escape::line(link));
            }
            for (path, why) in &undone.left {
                let why = match why {
                    Why::Data => "it is content, which a garbage collection removes",
                    Why::Replaced => "what it replaced was damaged",
                    Why::Changed => "somebody has written it since",
                    Why::Used => "an image was pushed since that may need it",
                };
                info!("left {}: {why}", escape::line(path));
            }
            let line = format!(
                "{} removed, {} left",
                count(undone.removed.len(), "link"),
                count(undone.left.len(), "file")
            );
            Ok(Finished::of(report)
                .ending_in(Exit::Verified, None)
                .remarking(line))
        }
        Err(why) => Ok(Finished::of(report).ending_in(Exit::RepairFailed, Some(why.to_string()))),
    }
}

/// The disk that is named: by `storage`, or as what to repair.
fn directory(settings: &RepairSettings) -> Option<PathBuf> {
    let named = settings.audit.as_ref().filter(|audit| audit.extent.is_disk);
    let named = named.and_then(|audit| audit.extent.targets.first());
    let named = named.map(|target| PathBuf::from(&target.registry));
    settings.sources.storage.clone().or(named)
}
