//! Hashes a large body on other threads while its next bytes come in.

use oci_spec::image::Digest;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::oci::digest::Hasher;

/// How many bytes are handed over at once: enough to outweigh the hand-over, and few enough to hold
/// for every request in flight.
const BATCH: usize = 256 * 1024;

/// How many pieces are handed over at once, however small: a server may send single bytes.
const PIECES: usize = 256;

/// A part of a body, as the connection gave it.
pub(super) type Piece = Box<dyn AsRef<[u8]> + Send>;

/// Takes pieces in their order; at most two batches of them are held.
pub(super) struct Hashing {
    /// The hasher, unless a thread has it.
    idle: Option<Hasher>,
    busy: Option<JoinHandle<Hasher>>,
    batch: Vec<Piece>,
    length: usize,
}

impl Hashing {
    /// Hashing of the algorithm of `digest`; `None` when we do not know it.
    pub(super) fn like(digest: &Digest) -> Option<Self> {
        Some(Self {
            idle: Some(Hasher::like(digest)?),
            busy: None,
            batch: Vec::new(),
            length: 0,
        })
    }

    /// Adds the next piece; waits when hashing lags behind.
    pub(super) async fn update(&mut self, piece: Piece) {
        self.length += (*piece).as_ref().len();
        self.batch.push(piece);
        if self.length >= BATCH || self.batch.len() >= PIECES {
            let hasher = self.hasher().await;
            let batch = std::mem::take(&mut self.batch);
            self.length = 0;
            self.busy = Some(spawn_blocking(move || add(hasher, batch)));
        }
    }

    /// Hashes what is there, so that nothing stays in memory.
    pub(super) async fn catch_up(&mut self) {
        let hasher = self.hasher().await;
        self.idle = Some(add(hasher, std::mem::take(&mut self.batch)));
        self.length = 0;
    }

    /// The digest of all pieces. What is too small for a batch was never handed over.
    pub(super) async fn finish(mut self) -> Digest {
        let hasher = self.hasher().await;
        add(hasher, self.batch).finish()
    }

    async fn hasher(&mut self) -> Hasher {
        match self.busy.take() {
            Some(hashing) => hashing.await.expect("hashing does not panic"),
            None => self.idle.take().expect("no thread has it"),
        }
    }
}

fn add(mut hasher: Hasher, batch: Vec<Piece>) -> Hasher {
    for piece in batch {
        hasher.update((*piece).as_ref());
    }
    hasher
}
