//! A body that is sent piece by piece, and how far it is.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use reqwest::Body;
use tokio::time::Instant;

/// Reads the piece of a body at a position; an empty one is its end.
type Read = dyn Fn(u64) -> io::Result<Vec<u8>> + Send + Sync;

/// A body that is read while it is sent, so that only a piece of it is in memory.
#[derive(Clone)]
pub struct Outgoing {
    read: Arc<Read>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// When it moved last: a piece was asked for, or read.
    moved: Instant,
    /// Why a piece could not be read.
    failure: Option<String>,
}

impl Outgoing {
    /// A body whose pieces are read so, on a thread that may block.
    pub fn new(read: impl Fn(u64) -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Self {
        let state = State {
            moved: Instant::now(),
            failure: None,
        };
        Self {
            read: Arc::new(read),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The body itself, for one request.
    #[must_use]
    pub fn body(&self) -> Body {
        let start = (self.clone(), 0);
        Body::wrap_stream(stream::try_unfold(start, |(this, position)| async move {
            let piece = this.piece(position).await?;
            let next = position + piece.len() as u64;
            Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, (this, next))))
        }))
    }

    async fn piece(&self, position: u64) -> io::Result<Vec<u8>> {
        self.state().moved = Instant::now();
        let read = Arc::clone(&self.read);
        let piece = tokio::task::spawn_blocking(move || read(position)).await;
        let piece = piece.map_err(io::Error::other).flatten();
        let mut state = self.state();
        state.moved = Instant::now();
        state.failure = piece.as_ref().err().map(ToString::to_string);
        piece
    }

    /// Why it could not be read, if that is why it was not sent.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a future gives, unless it takes longer than `limit` after it began and after each piece of
/// the body that is sent meanwhile.
pub(super) async fn within<T>(
    limit: Duration,
    outgoing: Option<&Outgoing>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut last = Instant::now();
    loop {
        let left = limit.saturating_sub(last.elapsed());
        if let Ok(done) = tokio::time::timeout(left, &mut future).await {
            return Some(done);
        }
        let moved = outgoing.map_or(last, |outgoing| outgoing.state().moved);
        if moved <= last {
            return None;
        }
        last = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_moves_may_take_longer_than_the_limit() {
        const LIMIT: Duration = Duration::from_secs(30);
        let outgoing = Outgoing::new(|_| Ok(vec![0]));
        let slow = async |pieces: u32| {
            for _ in 0..pieces {
                tokio::time::sleep(Duration::from_secs(29)).await;
                outgoing.state().moved = Instant::now();
            }
        };
        let began = Instant::now();
        assert!(within(LIMIT, Some(&outgoing), slow(10)).await.is_some());
        assert_eq!(began.elapsed().as_secs(), 290);
        assert!(within(LIMIT, None, slow(2)).await.is_none());
        let stuck = async {
            slow(2).await;
            std::future::pending::<()>().await;
        };
        let began = Instant::now();
        assert!(within(LIMIT, Some(&outgoing), stuck).await.is_none());
        assert_eq!(began.elapsed().as_secs(), 88);
    }
}
