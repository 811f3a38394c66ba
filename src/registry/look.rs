//! A look at a blob: at its header, its last byte, or all of it.
//!
//! Whoever pulls asks for everything. So a header may say that all is well, and a byte may prove that it is not; but how long a blob is
//! counts only as the answer to a question for everything states it.

use std::cell::RefCell;

use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use super::answer::Answer;
use super::content_range::{self, ContentRange};
use super::failed::Unread;
use super::hashing::Hashing;
use super::{RegistryRepository, content_length, disguise};
use crate::http::{Problem, ProblemKind};
use crate::oci::descriptor::Promise;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, FaultKind};

/// Up to this size, in bytes, a blob that comes whole although its last byte was asked for is read and hashed.
const SMALL: u64 = 1024 * 1024;

/// What one question showed, or which one to put instead.
enum Seen {
    Blob(Blob),
    /// The header does not say that all is well: ask for the last byte.
    AskTail,
    /// The server cannot do ranges, or does them wrongly: ask for everything, and read what it takes to judge the length.
    AskAll,
    /// The server contradicts the promised size: ask for everything, and read it.
    ReadAll,
    /// The last byte did not come: is there a first one?
    AskFirst,
}

/// Looks at a blob as deep as the run wants it.
pub(super) async fn look(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Blob> {
    let mut asked = match repository.depth {
        Depth::Full => return whole(repository, promise, false).await,
        // An empty blob has no last byte; all of it is nothing.
        _ if promise.size == 0 => return whole(repository, promise, false).await,
        Depth::Head => head(repository, promise).await,
        Depth::Tail => tail(repository, promise).await,
    };
    loop {
        let Asked {
            answer,
            status,
            attempts,
            duration,
            appeared_after,
        } = asked;
        let done = |answer| Asked {
            answer,
            status,
            attempts,
            duration,
            appeared_after,
        };
        let next = match answer {
            Err(fault) => return done(Err(fault)),
            Ok(Seen::Blob(blob)) => return done(Ok(blob)),
            Ok(Seen::AskTail) => tail(repository, promise).await,
            Ok(Seen::AskAll) => all(repository, promise).await,
            Ok(Seen::ReadAll) => read_whole(repository, promise).await,
            Ok(Seen::AskFirst) => first(repository, promise).await,
        };
        asked = Asked {
            attempts: attempts + next.attempts,
            duration: duration + next.duration,
            appeared_after: next.appeared_after.or(appeared_after),
            ..next
        };
    }
}

fn path(promise: &Promise) -> String {
    format!("blobs/{}", promise.digest)
}

fn range(from: u64, to: u64) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("bytes={from}-{to}")).expect("digits fit a header");
    HeaderMap::from_iter([(RANGE, value)])
}

async fn head(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let question = repository.question(Method::HEAD, path(promise));
    let read = async |answer: &mut Answer<'_>| {
        let fits = answer.status() == 200
            && content_length(answer) == Some(promise.size)
            && disguise(answer).is_none();
        Ok(if fits {
            Seen::Blob(Blob::Stated {
                length: promise.size,
            })
        } else {
            Seen::AskTail
        })
    };
    // A registry that cannot do HEAD, or redirects it to a URL that is signed for GET, says so in many ways, 404 among them.
    let accept = |status| matches!(status, 200 | 400 | 403 | 405 | 501);
    let asked = repository
        .transport
        .ask(&question, HeaderMap::new, accept, read)
        .await;
    match &asked.answer {
        Err(fault) if asked.status.is_some() && fault.kind != FaultKind::RateLimited => Asked {
            answer: Ok(Seen::AskTail),
            ..asked
        },
        _ => asked,
    }
}

async fn tail(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let last = promise.size - 1;
    let question = repository.question(Method::GET, path(promise));
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| match answer.status() {
        206 => read_last(answer, promise, last).await,
        416 => Ok(Seen::ReadAll),
        _ => read_all(answer, promise).await,
    };
    let asked = repository
        .transport
        .ask(&question, || range(last, last), accept, read)
        .await;
    match asked.status {
        // A server that refuses ranges may serve everything.
        Some(400 | 403 | 405 | 501) if asked.answer.is_err() => Asked {
            answer: Ok(Seen::AskAll),
            ..asked
        },
        _ => asked,
    }
}

async fn read_last(
    answer: &mut Answer<'_>,
    promise: &Promise,
    last: u64,
) -> Result<Seen, Unread<Seen>> {
    let length = match content_range(answer) {
        Some((_, Some(length))) if length != promise.size => return Ok(Seen::ReadAll),
        Some((Some((from, to)), length))
            if from == last && to == last && disguise(answer).is_none() =>
        {
            length
        }
        _ => return Ok(Seen::AskAll),
    };
    let gone = |problem| match last {
        0 => Unread::ended(problem, 0, Seen::Blob(Blob::Cut { received: Some(0) })),
        _ => Unread::ended(problem, 0, Seen::AskFirst),
    };
    match answer.body(1).await {
        Ok((_, true)) => Ok(Seen::AskAll),
        Ok((byte, false)) if byte.len() == 1 => Ok(Seen::Blob(Blob::LastByte { length })),
        Ok(_) => Err(gone(cut())),
        Err((problem, byte)) if problem.kind == ProblemKind::Cut => {
            if byte.is_empty() {
                Err(gone(problem))
            } else {
                Ok(Seen::Blob(Blob::LastByte { length }))
            }
        }
        Err((problem, _)) => Err(problem.into()),
    }
}

/// Whether a blob without its last byte has any.
async fn first(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let question = repository.question(Method::GET, path(promise));
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| {
        let some = |received| Seen::Blob(Blob::Cut { received });
        match answer.piece().await {
            Ok(Some(piece)) if !piece.as_ref().is_empty() => Ok(some(None)),
            Ok(_) => Ok(some(Some(0))),
            Err(problem) if problem.kind == ProblemKind::Cut => Ok(some(Some(0))),
            Err(problem) => Err(problem.into()),
        }
    };
    repository
        .transport
        .ask(&question, || range(0, 0), accept, read)
        .await
}

/// Everything, read as far as it takes to judge the length.
async fn all(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let question = repository.question(Method::GET, path(promise));
    let read = async |answer: &mut Answer<'_>| read_all(answer, promise).await;
    repository
        .transport
        .ask(&question, HeaderMap::new, |status| status == 200, read)
        .await
}

/// Everything, read and hashed.
async fn read_whole(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let Asked {
        answer,
        status,
        attempts,
        duration,
        appeared_after,
    } = whole(repository, promise, false).await;
    Asked {
        answer: answer.map(Seen::Blob),
        status,
        attempts,
        duration,
        appeared_after,
    }
}

async fn read_all(answer: &mut Answer<'_>, promise: &Promise) -> Result<Seen, Unread<Seen>> {
    let stated = content_length(answer);
    if stated == Some(promise.size) && promise.size > SMALL {
        // The rest is not worth its transfer: the length is stated, and the first bytes prove that there are some.
        let gone = |problem| Unread::ended(problem, 0, Seen::Blob(Blob::Cut { received: Some(0) }));
        return match answer.piece().await {
            Ok(Some(piece)) if !piece.as_ref().is_empty() => Ok(Seen::Blob(Blob::Stated {
                length: promise.size,
            })),
            Ok(_) => Err(gone(cut())),
            Err(problem) if problem.kind == ProblemKind::Cut => Err(gone(problem)),
            Err(problem) => Err(problem.into()),
        };
    }
    let blob = Progress::new(promise, false).read(answer, promise).await;
    blob.map(Seen::Blob).map_err(|unread| Unread {
        problem: unread.problem,
        otherwise: unread.otherwise.map(|(at, blob)| (at, Seen::Blob(blob))),
        farther: false,
    })
}

/// Fetches and hashes everything; `keep` the bytes where they are read later. What was received before a broken connection is not
/// fetched again, when the registry can begin in the middle.
pub(super) async fn whole(
    repository: &RegistryRepository<'_>,
    promise: &Promise,
    keep: bool,
) -> Asked<Blob> {
    let question = repository.question(Method::GET, path(promise));
    let progress = RefCell::new(Some(Progress::new(promise, keep)));
    let headers = || match progress.borrow().as_ref().map_or(0, Progress::received) {
        0 => HeaderMap::new(),
        received => range(received, promise.size - 1),
    };
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| {
        let before = progress.take().expect("tries follow each other");
        let (mut after, result) = before.go_on(answer, promise).await;
        if result.is_err() {
            after.pause(promise).await;
        }
        progress.replace(Some(after));
        result
    };
    repository
        .transport
        .ask(&question, headers, accept, read)
        .await
}

/// How much of a config is held between two tries, in bytes: there may be hundreds that wait.
const USUAL_CONFIG: usize = 16 * 1024;

/// A blob on its way in.
struct Progress {
    hashing: Option<Hashing>,
    received: u64,
    kept: Option<Vec<u8>>,
}

impl Progress {
    fn new(promise: &Promise, keep: bool) -> Self {
        Self {
            hashing: Hashing::like(&promise.digest),
            received: 0,
            kept: keep.then(Vec::new),
        }
    }

    fn received(&self) -> u64 {
        self.received
    }

    /// Holds as little as possible until the next try; more than a usual config is fetched again.
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

    /// Reads an answer to the question for what is missing; gives what there is afterwards.
    async fn go_on(
        mut self,
        answer: &mut Answer<'_>,
        promise: &Promise,
    ) -> (Self, Result<Blob, Unread<Blob>>) {
        let before = self.received;
        let complete =
            |progress: &Self| progress.hashing.is_none() || progress.received >= promise.size;
        let nothing = Self::new(promise, self.kept.is_some());
        let fits = matches!(content_range(answer), Some((Some((from, _)), _)) if from == before);
        match answer.status() {
            206 if before > 0 && fits && disguise(answer).is_none() => {
                match self.read(answer, promise).await {
                    Ok(blob) if is_right(&blob, promise) => (self, Ok(blob)),
                    // One of the two parts may be somebody else's: only what comes in one piece is judged.
                    Ok(_) => (
                        nothing,
                        Err(again("what came after a break does not fit what came before").into()),
                    ),
                    Err(unread) => {
                        let farther = self.received > before;
                        (
                            if complete(&self) { nothing } else { self },
                            Err(Unread { farther, ..unread }),
                        )
                    }
                }
            }
            200 => {
                let mut anew = Self::new(promise, self.kept.is_some());
                let result = anew.read(answer, promise).await;
                (if complete(&anew) { nothing } else { anew }, result)
            }
            _ if before == 0 => {
                let why = "answered a part although everything was asked for";
                (self, Err(Problem::new(ProblemKind::Refused, why).into()))
            }
            status => {
                let problem = again("cannot go on in the middle of the blob");
                let length = content_range(answer).and_then(|(_, length)| length);
                let ends_here = status == 416 && length.is_some_and(|length| length <= before);
                let blob = Blob::Cut {
                    received: Some(before),
                };
                let unread = if ends_here {
                    Unread::ended(problem, before, blob)
                } else {
                    problem.into()
                };
                (nothing, Err(unread))
            }
        }
    }

    /// Reads the rest, unless its stated length is wrong already.
    async fn read(
        &mut self,
        answer: &mut Answer<'_>,
        promise: &Promise,
    ) -> Result<Blob, Unread<Blob>> {
        let missing = promise.size.saturating_sub(self.received);
        if let Some(length) = content_length(answer).filter(|length| *length != missing) {
            return Ok(another_length(
                answer,
                self.received.saturating_add(length),
            )?);
        }
        loop {
            match answer.piece().await {
                Ok(Some(piece)) => {
                    self.received += piece.as_ref().len() as u64;
                    if self.received > promise.size {
                        return Ok(another_length(answer, self.received)?);
                    }
                    if let Some(kept) = &mut self.kept {
                        let piece = piece.as_ref();
                        answer
                            .make_room(
                                kept,
                                piece.len(),
                                usize::try_from(promise.size).unwrap_or(0),
                            )
                            .await;
                        kept.extend_from_slice(piece);
                    }
                    if let Some(hashing) = &mut self.hashing {
                        hashing.update(Box::new(piece)).await;
                    }
                }
                Ok(None) => break,
                // All of it came: how the connection ends afterwards does not matter.
                Err(problem)
                    if problem.kind == ProblemKind::Cut && self.received == promise.size =>
                {
                    break;
                }
                Err(problem) if problem.kind == ProblemKind::Cut => {
                    let received = self.received;
                    return Err(Unread::ended(
                        problem,
                        received,
                        Blob::Cut {
                            received: Some(received),
                        },
                    ));
                }
                Err(problem) => return Err(problem.into()),
            }
        }
        let length = self.received;
        let digest = self
            .hashing
            .take()
            .expect("unknown algorithms are never asked for")
            .finish()
            .await;
        let blob = Blob::Whole {
            length,
            digest,
            bytes: self.kept.take(),
        };
        match disguise(answer).filter(|_| !is_right(&blob, promise)) {
            Some(problem) => Err(problem.into()),
            // Without a stated length a broken connection looks like the end.
            None if length < promise.size => Err(Unread::ended(
                again("the body ended too early"),
                length,
                blob,
            )),
            None => Ok(blob),
        }
    }
}

fn another_length(answer: &Answer<'_>, length: u64) -> Result<Blob, Problem> {
    disguise(answer).map_or(Ok(Blob::OtherLength { length }), Err)
}

fn is_right(blob: &Blob, promise: &Promise) -> bool {
    matches!(blob, Blob::Whole { length, digest, .. } if *length == promise.size && *digest == promise.digest)
}

fn cut() -> Problem {
    again("the registry says it is there and sends no bytes")
}

/// A reason to ask again.
fn again(why: &str) -> Problem {
    Problem::new(ProblemKind::Cut, why)
}

/// `Content-Range` of an answer.
fn content_range(answer: &Answer<'_>) -> Option<ContentRange> {
    content_range::read(answer.header(&CONTENT_RANGE)?)
}
