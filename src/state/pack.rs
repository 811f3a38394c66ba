//! The bytes of what is remembered: one file for each repository, to which documents are added at
//! the end.
//!
//! A document is where its record says, and what its digest says, or it is not there. So nothing in
//! the file has to be believed, and nothing of it is read in advance.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;

use crate::oci::digest;

/// The longest document that is read, in bytes: more than any that is kept.
const LONGEST: u32 = 8 * 1024 * 1024;

/// Where a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// The documents of a repository.
#[derive(Debug, Default)]
pub(super) struct Pack {
    file: Option<File>,
    /// Where it is created when there is something to add; none where nothing may be written.
    path: Option<PathBuf>,
    end: u64,
    /// Why nothing more can be added.
    failure: Option<io::Error>,
}

impl Pack {
    /// The pack at a path, as long as it was when its places were written: what follows was added by
    /// a run that did not end.
    pub(super) fn open(path: &Path, length: u64, is_writable: bool) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(is_writable)
            .open(path)
            .ok();
        Self {
            path: is_writable.then(|| path.to_owned()),
            end: if file.is_some() { length } else { 0 },
            file,
            failure: None,
        }
    }

    /// How long it is, in bytes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// The document at a place, if it is what its digest says.
    pub(super) fn read(&self, place: Place, wanted: &Digest) -> Option<Vec<u8>> {
        let bytes = self.bytes(place)?;
        (digest::of_bytes(&bytes, wanted).as_ref() == Some(wanted)).then_some(bytes)
    }

    /// What is at a place, whatever it is.
    pub(super) fn bytes(&self, place: Place) -> Option<Vec<u8>> {
        let mut file = self.file.as_ref()?;
        let after = place.offset.checked_add(place.length.into())?;
        if after > self.end || place.length > LONGEST {
            return None;
        }
        let mut bytes = vec![0; place.length as usize];
        file.seek(SeekFrom::Start(place.offset)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Adds a document; none where it cannot be kept.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Option<Place> {
        let length = u32::try_from(bytes.len()).ok()?;
        if self.failure.is_some() || self.path.is_none() || length > LONGEST {
            return None;
        }
        match self.append(bytes) {
            Ok(offset) => Some(Place { offset, length }),
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let mut file = match (&self.file, &self.path) {
            (Some(file), _) => file,
            (None, Some(path)) => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let options = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .to_owned();
                self.file.insert(options.open(path)?)
            }
            (None, None) => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        };
        let offset = self.end;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    /// Makes sure that what was added stays.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        match &self.file {
            Some(file) => file.sync_data(),
            None => Ok(()),
        }
    }
}
