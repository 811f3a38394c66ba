//! A file without a name, for content on its way from one registry to another.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file in the directory for temporary files, gone with the last that holds it open.
///
/// # Errors
///
/// When none can be made.
pub(super) fn file() -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".pullproof-{}-{number}", std::process::id());
        let path: PathBuf = std::env::temp_dir().join(name);
        let made = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => {}
            Err(failure) => return Err(failure),
        }
    }
}
