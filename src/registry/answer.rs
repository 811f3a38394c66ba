//! A registry's answer: its bytes are counted, and a large body waits for its turn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName};
use tokio::sync::SemaphorePermit;

use super::error;
use super::gate::Gate;
use crate::http::{Problem, Reply, append};

/// The largest body that may be held while others are, in bytes; for a larger one there is room
/// once per registry.
const SMALL_BODY: usize = 64 * 1024;

/// From how many bytes on a body lies apart from the heap. glibc maps what is asked for in more than
/// 32 MiB, so such a body asks for that much, of which what is not used takes no memory; in the heap
/// each of a few large bodies leaves a hole that the next does not fit into.
/// <https://man7.org/linux/man-pages/man3/mallopt.3.html> (`M_MMAP_THRESHOLD`)
const LARGE_BODY: usize = 1024 * 1024;
const APART: usize = 33 * 1024 * 1024;

/// An answer whose body is still to come.
pub(super) struct Answer<'a> {
    reply: Reply,
    /// Where bytes are counted.
    bytes: &'a AtomicU64,
    gate: Option<&'a Gate>,
    room: Option<SemaphorePermit<'a>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(reply: Reply, bytes: &'a AtomicU64) -> Self {
        Self {
            reply,
            bytes,
            gate: None,
            room: None,
        }
    }

    /// An answer whose large body waits for its turn at this gate.
    pub(super) fn at(self, gate: &'a Gate) -> Self {
        Self {
            gate: Some(gate),
            ..self
        }
    }

    pub(super) fn status(&self) -> u16 {
        self.reply.status()
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.reply.header(name)
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.reply.headers()
    }

    /// Every value of a header that may be there several times.
    pub(super) fn all(&self, name: &HeaderName) -> Vec<String> {
        self.reply.all(name)
    }

    /// `Retry-After`, as a wait from now.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.reply.retry_after()
    }

    /// Whether the headers say that it is a web page.
    pub(super) fn is_page(&self) -> bool {
        self.reply.is_page()
    }

    /// The next piece of the body.
    pub(super) async fn piece(
        &mut self,
    ) -> Result<Option<impl AsRef<[u8]> + Send + 'static + use<>>, Problem> {
        let piece = self.reply.piece().await?;
        let length = piece.as_ref().map_or(0, |piece| piece.as_ref().len());
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
        Ok(piece)
    }

    /// Makes room for another `piece` of a body of which at most `limit` bytes are kept; a large
    /// one waits for its turn.
    pub(super) async fn make_room(&mut self, body: &mut Vec<u8>, piece: usize, limit: usize) {
        if body.len() + piece <= SMALL_BODY {
            return;
        }
        let stated = self
            .header(&CONTENT_LENGTH)
            .and_then(|length| length.trim().parse::<usize>().ok())
            .unwrap_or_default();
        if self.room.is_none()
            && let Some(gate) = self.gate
        {
            self.room = Some(gate.hold().await);
        }
        let stated = stated.min(limit);
        let is_large = stated.max(body.len() + piece) > LARGE_BODY;
        let room = if is_large { APART } else { stated };
        if body.capacity() < room {
            body.reserve_exact(room - body.len());
        }
    }

    /// The whole body, or its first `limit` bytes and whether there is more; or what came before it
    /// broke off.
    pub(super) async fn body(
        &mut self,
        limit: usize,
    ) -> Result<(Vec<u8>, bool), (Problem, Vec<u8>)> {
        let mut body = Vec::new();
        loop {
            match self.piece().await {
                Err(problem) => return Err((problem, body)),
                Ok(None) => return Ok((body, false)),
                Ok(Some(piece)) => {
                    let piece = piece.as_ref();
                    self.make_room(&mut body, piece.len(), limit).await;
                    if !append(&mut body, piece, limit) {
                        return Ok((body, true));
                    }
                }
            }
        }
    }

    /// What an error answer says, as far as it came, and why there is no more of it.
    pub(super) async fn error_body(&mut self) -> (Vec<u8>, Option<Problem>) {
        match self.body(error::ERROR_LIMIT).await {
            Ok((body, _)) => (body, None),
            Err((problem, body)) => (body, Some(problem)),
        }
    }
}
