//! What was hashed: a file that many repositories link is read once.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};

use oci_spec::image::Digest;

use super::seen::{Start, start};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::digest::Hasher;

/// The files that were hashed, and those that are being hashed.
#[derive(Debug, Default)]
pub(crate) struct Hashed {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    busy: HashSet<Start>,
    right: HashSet<Start>,
    wrong: HashMap<Start, Digest>,
}

impl Hashed {
    /// What the bytes of a file hash to, which has the promised length; hashed `anew`, or as it was
    /// found before. Ends early when `is_stopped`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the run ends.
    pub(crate) fn digest(
        &self,
        file: File,
        promise: &Promise,
        anew: bool,
        is_stopped: impl Fn() -> bool,
    ) -> io::Result<Digest> {
        let Some(start) = start(&promise.digest) else {
            return hash(file, promise, is_stopped);
        };
        let mut state = self.state();
        while state.busy.contains(&start) {
            state = (self.changed.wait(state)).expect("no thread panics with it");
        }
        if !anew && state.right.contains(&start) {
            return Ok(promise.digest.clone());
        }
        if !anew && let Some(other) = state.wrong.get(&start) {
            return Ok(other.clone());
        }
        state.busy.insert(start);
        drop(state);
        let hashed = hash(file, promise, is_stopped);
        let mut state = self.state();
        state.busy.remove(&start);
        state.right.remove(&start);
        state.wrong.remove(&start);
        match &hashed {
            Ok(digest) if *digest == promise.digest => {
                state.right.insert(start);
            }
            Ok(other) => {
                state.wrong.insert(start, other.clone());
            }
            Err(_) => {}
        }
        self.changed.notify_all();
        hashed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

fn hash(file: File, promise: &Promise, is_stopped: impl Fn() -> bool) -> io::Result<Digest> {
    let unknown = || io::Error::new(io::ErrorKind::Unsupported, "an unknown algorithm");
    let mut hasher = Hasher::like(&promise.digest).ok_or_else(unknown)?;
    Content::of(file)?.for_each(|piece| {
        hasher.update(piece);
        if is_stopped() {
            return Err(io::Error::other("the run ended"));
        }
        Ok(())
    })?;
    Ok(hasher.finish())
}
