//! An answer, read as far as anybody wants it, and held within bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, HeaderName, RETRY_AFTER};
use tokio::sync::SemaphorePermit;

use super::gate::Gate;
use super::{error, retry};
use crate::http::{Problem, ProblemKind};

/// The largest body that may be held while others are, in bytes; for a larger one there is room once per registry.
const SMALL_BODY: usize = 64 * 1024;

/// An answer whose body is still to come.
pub(super) struct Answer<'a> {
    response: Response,
    /// The longest wait for the next piece of the body.
    limit: Duration,
    /// Where bytes are counted.
    bytes: &'a AtomicU64,
    gate: Option<&'a Gate>,
    room: Option<SemaphorePermit<'a>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: Response, limit: Duration, bytes: &'a AtomicU64) -> Self {
        Self {
            response,
            limit,
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
        self.response.status().as_u16()
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    /// Every value of a header that may be there several times.
    pub(super) fn all(&self, name: &HeaderName) -> Vec<String> {
        let values = self.response.headers().get_all(name);
        values
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect()
    }

    /// `Retry-After`, as a wait from now.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry::read_retry_after(self.header(&RETRY_AFTER)?, SystemTime::now())
    }

    /// The next piece of the body.
    pub(super) async fn piece(
        &mut self,
    ) -> Result<Option<impl AsRef<[u8]> + Send + 'static + use<>>, Problem> {
        match tokio::time::timeout(self.limit, self.response.chunk()).await {
            Err(_) => Err(Problem::new(
                ProblemKind::Timeout,
                format!("no byte came for {}", seconds(self.limit)),
            )),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(piece)) => {
                let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                self.bytes.fetch_add(length, Ordering::Relaxed);
                Ok(piece)
            }
        }
    }

    /// Makes room for another `piece` of a body that is kept; at most `limit` bytes are. What is large waits for its turn.
    pub(super) async fn make_room(&mut self, body: &mut Vec<u8>, piece: usize, limit: usize) {
        if body.len() + piece > SMALL_BODY && self.room.is_none() {
            if let Some(gate) = self.gate {
                self.room = Some(gate.hold().await);
            }
            let stated = self
                .header(&CONTENT_LENGTH)
                .and_then(|length| length.trim().parse::<usize>().ok());
            body.reserve_exact(stated.unwrap_or(0).min(limit).saturating_sub(body.len()));
        }
    }

    /// The whole body, or its first `limit` bytes and whether there is more; or what came before it broke off.
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
                    if body.len() + piece.len() > limit {
                        body.extend_from_slice(&piece[..limit - body.len()]);
                        return Ok((body, true));
                    }
                    body.extend_from_slice(piece);
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

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
