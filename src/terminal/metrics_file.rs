//! `metrics_file`: replaced as a whole, so that who reads it meanwhile reads the old one or the new
//! one.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::deliver::{make_folder, unwritable};

/// The most that is read of an earlier file, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Checks that the file can be replaced; leaves everything as it was.
///
/// # Errors
/// When it cannot be, with the setting and the reason.
pub(crate) fn probe(path: Option<&Path>) -> Result<(), String> {
    path.map_or(Ok(()), |path| {
        try_out(path).map_err(|failure| unwritable("metrics_file", path, &failure))
    })
}

fn try_out(path: &Path) -> io::Result<()> {
    // A device or a pipe would be replaced by a file.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::other("it is there and is not a file"));
    }
    make_folder(path)?;
    let beside = beside(path)?;
    File::create(&beside)?;
    fs::remove_file(beside)
}

/// Replaces the file.
///
/// # Errors
/// When it cannot be, with the setting and the reason.
pub(crate) fn replace(path: &Path, page: &str) -> Result<(), String> {
    let written = beside(path).and_then(|beside| {
        let replaced = write(&beside, page).and_then(|()| fs::rename(&beside, path));
        if replaced.is_err() {
            // It may not be there.
            let _ = fs::remove_file(&beside);
        }
        replaced
    });
    written.map_err(|failure| unwritable("metrics_file", path, &failure))
}

fn write(path: &Path, page: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(page.as_bytes())?;
    // Else a crash may leave the new name with nothing in it.
    file.sync_all()
}

/// What an earlier run has left; nothing where there is no such file.
pub(crate) fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is as good as nothing.
    let _ = File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file in the same directory, which the textfile collector does not read: it has another end.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_stays_beside_it() {
        let folder = std::env::temp_dir().join(format!("pullproof-metrics-{}", std::process::id()));
        let path = folder.join("below/audit.prom");
        assert_eq!(read(&path), "");
        assert_eq!(probe(Some(&path)), Ok(()));
        assert!(!path.exists());
        for page in ["one\n", "two\n"] {
            assert_eq!(replace(&path, page), Ok(()));
            assert_eq!(read(&path), page);
        }
        let names = fs::read_dir(folder.join("below")).unwrap();
        assert_eq!(names.count(), 1);
        let wrong = probe(Some(&folder)).unwrap_err();
        assert!(wrong.ends_with("it is there and is not a file"), "{wrong}");
        assert!(probe(Some(&path.join("below"))).is_err());
        assert!(probe(Some(Path::new("/dev/null"))).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
