//! What a file shows of a manifest or a blob.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use crate::oci::descriptor::Promise;
use crate::oci::digest::Hasher;
use crate::walk::cause::Cause;
use crate::walk::source::{Blob, CONFIG_LIMIT, Fault, FaultKind, Look};

/// How much of a file is read at once, in bytes.
const PIECE: usize = 256 * 1024;

/// A blob whose content is kept; one of more than [`CONFIG_LIMIT`] bytes is looked at without.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn config(file: &File, promise: &Promise) -> io::Result<Blob> {
    let length = file.metadata()?.len();
    if length > CONFIG_LIMIT {
        return Ok(other_length(length, promise.size).unwrap_or(Blob::Stated { length }));
    }
    whole(file, promise)
}

/// What a file of this length, in bytes, shows of a blob without being read.
pub(crate) fn length(length: u64, promise: &Promise) -> Blob {
    other_length(length, promise.size).unwrap_or(Blob::Stated { length })
}

/// What a file of a length other than the promised one shows.
pub(super) fn other_length(length: u64, promised: u64) -> Option<Blob> {
    match length {
        _ if length == promised => None,
        _ if length < promised => Some(Blob::Cut {
            received: Some(length),
        }),
        _ => Some(Blob::OtherLength { length }),
    }
}

fn whole(mut file: &File, promise: &Promise) -> io::Result<Blob> {
    let Some(mut hasher) = Hasher::like(&promise.digest) else {
        let length = file.metadata()?.len();
        return Ok(Blob::Stated { length });
    };
    let mut piece = vec![0; PIECE.min(usize::try_from(promise.size).unwrap_or(PIECE) + 1)];
    let (mut length, mut kept) = (0, Vec::new());
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => &piece[..read],
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => continue,
            Err(failure) => return Err(failure),
        };
        hasher.update(read);
        length += read.len() as u64;
        kept.extend_from_slice(read);
    }
    Ok(match other_length(length, promise.size) {
        Some(cut @ Blob::Cut { .. }) => cut,
        _ => Blob::Whole {
            length,
            digest: hasher.finish(),
            bytes: Some(kept),
        },
    })
}

/// How long a second look waits. A file system has no memory of what is gone, and a push that is under
/// way writes its links in this time.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until it is time for a question that is put in this way.
pub(crate) async fn pause(look: Look) {
    if let Look::Again(since) = look {
        tokio::time::sleep_until(since + PAUSE).await;
    }
}

/// That something is not there, for this reason.
pub(crate) fn missing(cause: Cause) -> Fault {
    Fault {
        kind: FaultKind::NotFound,
        cause,
    }
}

/// That a file below a root could not be read.
pub(crate) fn unreadable(path: impl AsRef<Path>, failure: &io::Error) -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        cause: Cause::Unreadable {
            path: path.as_ref().display().to_string().into(),
            words: failure.to_string().into(),
        },
    }
}
