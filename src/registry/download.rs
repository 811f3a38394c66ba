//! Fetches a blob whole and hashes it; resumes after a broken connection.

use std::cell::RefCell;

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::RegistryRepository;
use super::answer::Answer;
use super::failed::Unread;
use super::form::{content_length, disguise, encoding};
use super::hashing::Hashing;
use super::look::{READ_WHOLE, again, content_range, path, range};
use crate::http::{Problem, ProblemKind};
use crate::oci::descriptor::Promise;
use crate::walk::source::{Asked, Blob, CONFIG_LIMIT};

/// Fetches and hashes everything; `keep` says whether to keep the bytes. After a broken connection
/// only the missing part is fetched, where the registry does ranges.
pub(super) async fn whole(
    repository: &RegistryRepository<'_>,
    promise: &Promise,
    keep: bool,
) -> Asked<Blob> {
    let question = repository.question(Method::GET, path(promise));
    let download = RefCell::new(Some(Download::new(promise, keep)));
    let headers = || match download.borrow().as_ref().map_or(0, Download::received) {
        0 => HeaderMap::new(),
        received => range(received, promise.size - 1),
    };
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| {
        let before = download.take().expect("tries follow each other");
        let (mut after, result) = before.resume(answer, promise).await;
        if result.is_err() {
            after.pause(promise).await;
        }
        download.replace(Some(after));
        result
    };
    repository
        .transport
        .ask(&question, headers, accept, read)
        .await
}

/// How much of a config is held between two tries, in bytes: hundreds of them may wait.
const USUAL_CONFIG: usize = 16 * 1024;

/// What an answer to the request for the missing part of a blob delivers.
enum Delivered {
    /// The missing part.
    Rest,
    /// The whole blob.
    Everything,
    /// A part, although everything was asked for.
    Part,
    /// That the blob has no more bytes.
    End,
    /// Something else.
    Other,
}

/// A blob as far as it has come.
pub(super) struct Download {
    hashing: Option<Hashing>,
    received: u64,
    kept: Option<Vec<u8>>,
}

impl Download {
    pub(super) fn new(promise: &Promise, keep: bool) -> Self {
        Self {
            hashing: Hashing::like(&promise.digest),
            received: 0,
            kept: keep.then(Vec::new),
        }
    }

    fn received(&self) -> u64 {
        self.received
    }

    /// Holds as little as possible until the next try: a config that is large is fetched again.
    async fn pause(&mut self, promise: &Promise) {
        let keeps_little = self
            .kept
            .as_ref()
            .is_none_or(|kept| kept.len() <= USUAL_CONFIG);
        match &mut self.hashing {
            Some(hashing) if keeps_little => hashing.catch_up().await,
            _ => *self = Self::new(promise, self.kept.is_some()),
        }
    }

    /// What an answer to the request for the missing part delivers.
    fn delivered(&self, answer: &Answer<'_>) -> Delivered {
        let range = content_range(answer);
        let fits = matches!(range, Some((Some((from, _)), _)) if from == self.received);
        let length = range.and_then(|(_, length)| length);
        match answer.status() {
            206 if self.received > 0 && fits && disguise(answer).is_none() => Delivered::Rest,
            200 => Delivered::Everything,
            _ if self.received == 0 => Delivered::Part,
            416 if length.is_some_and(|length| length <= self.received) => Delivered::End,
            _ => Delivered::Other,
        }
    }

    /// Reads an answer to the request for the missing part; gives what there is afterwards.
    async fn resume(
        mut self,
        answer: &mut Answer<'_>,
        promise: &Promise,
    ) -> (Self, Result<Blob, Unread<Blob>>) {
        let before = self.received;
        let nothing = Self::new(promise, self.kept.is_some());
        match self.delivered(answer) {
            Delivered::Rest => match self.read(answer, promise).await {
                Ok(blob) if is_right(&blob, promise) => (self, Ok(blob)),
                // The two parts may come from different contents: only one that comes in one piece
                // is judged.
                Ok(_) => {
                    let why = "what came after a break does not match what came before";
                    (nothing, Err(again(why).into()))
                }
                Err(unread) => {
                    let farther = self.received > before;
                    let rest = self.unless_complete(promise);
                    (rest, Err(Unread { farther, ..unread }))
                }
            },
            Delivered::Everything => {
                let mut fresh = nothing;
                let result = fresh.read(answer, promise).await;
                (fresh.unless_complete(promise), result)
            }
            Delivered::Part => {
                let why = "answered with a part although the whole was requested";
                (self, Err(Problem::new(ProblemKind::Refused, why).into()))
            }
            Delivered::End => {
                let received = Some(before);
                let unread = Unread::ended(cannot_resume(), before, Blob::Cut { received });
                (nothing, Err(unread))
            }
            Delivered::Other => (nothing, Err(cannot_resume().into())),
        }
    }

    /// Itself, or nothing where everything was received and was wrong.
    fn unless_complete(self, promise: &Promise) -> Self {
        if self.hashing.is_none() || self.received >= promise.size {
            Self::new(promise, self.kept.is_some())
        } else {
            self
        }
    }

    /// Reads the rest, unless its stated length is wrong already.
    pub(super) async fn read(
        &mut self,
        answer: &mut Answer<'_>,
        promise: &Promise,
    ) -> Result<Blob, Unread<Blob>> {
        let missing = promise.size.saturating_sub(self.received);
        let stated = content_length(answer);
        let other = stated.filter(|length| *length != missing);
        // The content may be right and its size misstated, which some clients do not mind.
        let is_read_all_the_same = self.received == 0 && other.is_some_and(|it| it <= READ_WHOLE);
        if let Some(length) = other.filter(|_| !is_read_all_the_same) {
            return Ok(another_length(
                answer,
                self.received.saturating_add(length),
            )?);
        }
        loop {
            let piece = match answer.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // All of it came: how the connection ends afterwards does not matter.
                Err(problem) if problem.kind == ProblemKind::Cut => {
                    if self.received == promise.size && !is_read_all_the_same {
                        break;
                    }
                    let received = self.received;
                    let cut = Blob::Cut {
                        received: Some(received),
                    };
                    return Err(Unread::ended(problem, received, cut));
                }
                Err(problem) => return Err(problem.into()),
            };
            self.received += piece.as_ref().len() as u64;
            if self.received > promise.size && !is_read_all_the_same {
                return Ok(another_length(answer, self.received)?);
            }
            self.keep(answer, piece.as_ref(), promise).await;
            if let Some(hashing) = &mut self.hashing {
                hashing.update(Box::new(piece)).await;
            }
        }
        let blob = self.finish().await;
        if is_right(&blob, promise)
            && let Some(encoding) = encoding(answer)
        {
            return Ok(Blob::Encoded(encoding));
        }
        match disguise(answer).filter(|_| !is_right(&blob, promise)) {
            Some(problem) => Err(problem.into()),
            // Without a stated length a broken connection looks like the end.
            None if self.received < promise.size && !is_read_all_the_same => {
                let problem = again("the body ended too early");
                Err(Unread::ended(problem, self.received, blob))
            }
            None => Ok(blob),
        }
    }

    async fn keep(&mut self, answer: &mut Answer<'_>, piece: &[u8], promise: &Promise) {
        if self.received > promise.size.max(CONFIG_LIMIT) {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            let limit = usize::try_from(promise.size.max(self.received)).unwrap_or(0);
            answer.make_room(kept, piece.len(), limit).await;
            kept.extend_from_slice(piece);
        }
    }

    async fn finish(&mut self) -> Blob {
        let hashing = self.hashing.take();
        let hashing = hashing.expect("unknown algorithms are never asked for");
        Blob::Whole {
            length: self.received,
            digest: hashing.finish().await,
            bytes: self.kept.take(),
        }
    }
}

fn another_length(answer: &Answer<'_>, length: u64) -> Result<Blob, Problem> {
    disguise(answer).map_or(Ok(Blob::OtherLength { length }), Err)
}

fn is_right(blob: &Blob, promise: &Promise) -> bool {
    matches!(
        blob,
        Blob::Whole { length, digest, .. }
            if *length == promise.size && *digest == promise.digest
    )
}

fn cannot_resume() -> Problem {
    again("cannot resume in the middle of the blob")
}
