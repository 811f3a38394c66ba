//! Content in a file that can be read as often as it takes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use oci_spec::image::Digest;

use crate::oci::descriptor::Promise;
use crate::oci::digest::Hasher;

/// How much is read at once, in bytes.
pub(crate) const PIECE: usize = 256 * 1024;

/// A part of a file.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    file: Arc<File>,
    /// Where it begins, in bytes.
    offset: u64,
    /// In bytes.
    length: u64,
}

impl Content {
    /// A whole file.
    ///
    /// # Errors
    ///
    /// When its length cannot be read.
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self::part(Arc::new(file), 0, length))
    }

    /// The `length` bytes of a file from `offset` on.
    pub(crate) fn part(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            length,
        }
    }

    /// How long it is, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Fills a buffer from `position` on; returns how many bytes there were, 0 at the end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or ends before it should.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let left = self.length.saturating_sub(position);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self
            .file
            .read_at(&mut buffer[..most], self.offset + position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(read)
    }

    /// All of it in its order, in pieces of at most [`PIECE`] bytes.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or `take` fails.
    pub(crate) fn for_each(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        let mut position = 0;
        loop {
            match self.read_at(&mut piece, position)? {
                0 => return Ok(()),
                read => {
                    take(&piece[..read])?;
                    position += read as u64;
                }
            }
        }
    }

    /// What it hashes to.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn digest(&self, mut hasher: Hasher) -> io::Result<Digest> {
        self.for_each(|piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok(hasher.finish())
    }

    /// Whether it is what a descriptor promises: its length, and its digest.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn is(&self, promise: &Promise) -> io::Result<bool> {
        let hasher = Hasher::like(&promise.digest).filter(|_| self.length == promise.size);
        let found = hasher.map(|hasher| self.digest(hasher)).transpose()?;
        Ok(found.as_ref() == Some(&promise.digest))
    }

    /// All of it in memory; for what is small.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(crate) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.for_each(|piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}
