//! Where a list of references is: in a file, or on standard input.

use std::path::PathBuf;

use super::files::Disk;

/// How standard input is named.
pub(super) const STANDARD_INPUT: &str = "-";

/// Where a list of references is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// In a file.
    File(PathBuf),
    /// On standard input.
    StandardInput,
}

impl ListSource {
    /// The source that a setting names.
    pub(super) fn named(text: &str, disk: &Disk<'_>) -> Self {
        match text {
            STANDARD_INPUT => Self::StandardInput,
            path => Self::File(disk.resolve(path)),
        }
    }
}
