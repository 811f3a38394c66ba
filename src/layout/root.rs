//! A directory that somebody gave us, below which files are read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _, ReadDir};

/// `O_NONBLOCK` of Linux: whoever opens a pipe or a device does not wait for it.
pub(super) const WITHOUT_WAITING: i32 = 0o4000;

/// A directory, below which no symbolic link leads out of it.
#[derive(Debug)]
pub(crate) struct Root {
    dir: Dir,
    path: PathBuf,
}

impl Root {
    /// # Errors
    ///
    /// When there is no such directory, or it cannot be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            dir: Dir::open_ambient_dir(path, ambient_authority())?,
            path: path.to_owned(),
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory itself.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// A directory below it; none where there is none.
    ///
    /// # Errors
    ///
    /// As [`Root::file`].
    pub(crate) fn below(&self, path: impl AsRef<Path>) -> io::Result<Option<Self>> {
        let dir = present(self.dir.open_dir(&path))?;
        Ok(dir.map(|dir| Self {
            dir,
            path: self.path.join(path),
        }))
    }

    /// The regular file at a path below it; none where there is nothing, or something else.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is behind a symbolic link that leads out.
    pub(crate) fn file(&self, path: impl AsRef<Path>) -> io::Result<Option<File>> {
        Ok(self.sized(path)?.map(|(file, _)| file))
    }

    /// The same with its length in bytes.
    ///
    /// # Errors
    ///
    /// As [`Root::file`].
    pub(crate) fn sized(&self, path: impl AsRef<Path>) -> io::Result<Option<(File, u64)>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(WITHOUT_WAITING);
        let Some(file) = present(self.dir.open_with(path, &options))? else {
            return Ok(None);
        };
        let metadata = file.metadata()?;
        Ok(metadata
            .is_file()
            .then(|| (file.into_std(), metadata.len())))
    }

    /// The content of a file; none where there is no regular file. One that is longer than `limit`
    /// bytes is cut after one byte more.
    ///
    /// # Errors
    ///
    /// As [`Root::file`].
    pub(crate) fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(path)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// What is in a directory below it; none where there is none.
    ///
    /// # Errors
    ///
    /// As [`Root::file`].
    pub(crate) fn entries(&self, path: impl AsRef<Path>) -> io::Result<Option<ReadDir>> {
        present(self.dir.read_dir(path))
    }
}

/// The same, where "there is nothing" is no error.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) => match failure.kind() {
            // A device without a driver, or a pipe, cannot be opened either.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ if failure.raw_os_error() == Some(NO_SUCH_DEVICE) => Ok(None),
            _ => Err(failure),
        },
    }
}

/// `ENXIO` of Linux.
const NO_SUCH_DEVICE: i32 = 6;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_out_of_it_is_not_followed_and_what_is_no_file_is_nothing() {
        let folder = tempdir();
        let outside = folder.join("outside");
        let inside = folder.join("root");
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::write(&outside, "secret").unwrap();
        std::fs::write(inside.join("a/file"), "content").unwrap();
        symlink("../outside", inside.join("out")).unwrap();
        symlink(&outside, inside.join("far")).unwrap();
        symlink("a/file", inside.join("in")).unwrap();
        let root = Root::open(&inside).unwrap();
        for path in ["out", "far", "../outside", "a/../../outside"] {
            assert!(root.file(path).is_err(), "{path}");
        }
        for path in ["a", "gone", "a/file/x"] {
            assert!(root.file(path).unwrap().is_none(), "{path}");
        }
        assert_eq!(root.read("in", 100).unwrap().unwrap(), b"content");
        assert_eq!(root.read("a/file", 3).unwrap().unwrap(), b"cont");
        assert_eq!(root.entries("a").unwrap().unwrap().count(), 2);
        assert!(root.entries("a/file").unwrap().is_none());
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn tempdir() -> PathBuf {
        let name = format!("pullproof-root-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}
