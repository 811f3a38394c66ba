//! A look at a blob: at its header, its last byte, or all of it.

use std::cell::{Cell, RefCell};

use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use super::hashing::Hashing;
use super::transport::{Answer, Unread};
use super::{RegistryRepository, content_length, encoded, encoding};
use crate::http::{Problem, ProblemKind};
use crate::settings::Depth;
use crate::source::{Asked, Blob};
use crate::verdict::Promise;

/// Up to this size, in bytes, a blob that comes whole although its last byte was asked for is read and hashed.
const SMALL: u64 = 1024 * 1024;

/// What one question showed, or which one to put instead.
enum Seen {
    Blob(Blob),
    /// The header says nothing: ask for the last byte.
    AskTail,
    /// The server cannot do ranges, or does them wrongly: ask for everything.
    AskAll,
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
        let Asked { answer, status, attempts, duration, appeared_after } = asked;
        let done = |answer| Asked { answer, status, attempts, duration, appeared_after };
        let next = match answer {
            Err(fault) => return done(Err(fault)),
            Ok(Seen::Blob(blob)) => return done(Ok(blob)),
            Ok(Seen::AskTail) => tail(repository, promise).await,
            Ok(Seen::AskAll) => all(repository, promise).await,
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
    // A registry that refuses HEAD, or redirects it to a URL that is signed for GET, is asked otherwise.
    let accept = |status| matches!(status, 200 | 400 | 403 | 405 | 501);
    let read = async |answer: &mut Answer<'_>| {
        Ok(match (answer.status(), content_length(answer)) {
            (200, Some(length)) if length > 0 => Seen::Blob(Blob::Stated { length }),
            _ => Seen::AskTail,
        })
    };
    repository.transport.ask(&question, HeaderMap::new, accept, read).await
}

async fn tail(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let last = promise.size - 1;
    let question = repository.question(Method::GET, path(promise));
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| match answer.status() {
        206 => read_last(answer, promise, last).await,
        416 => Ok(match content_range(answer) {
            Some((None, Some(length))) if length < promise.size => Seen::Blob(Blob::Shorter { length: Some(length) }),
            _ => Seen::AskAll,
        }),
        _ => read_all(answer, promise).await,
    };
    repository.transport.ask(&question, || range(last, last), accept, read).await
}

async fn read_last(answer: &mut Answer<'_>, promise: &Promise, last: u64) -> Result<Seen, Unread<Seen>> {
    let length = match content_range(answer) {
        Some((_, Some(length))) if length != promise.size => {
            return Ok(Seen::Blob(Blob::LastByte { length: Some(length) }));
        }
        Some((Some((from, to)), length)) if from == last && to == last => length,
        _ => return Ok(Seen::AskAll),
    };
    let gone = || match last {
        0 => Seen::Blob(Blob::Cut { received: Some(0) }),
        _ => Seen::AskFirst,
    };
    match answer.body(1).await {
        Ok((_, true)) => Ok(Seen::AskAll),
        Ok((byte, false)) if byte.len() == 1 => Ok(Seen::Blob(Blob::LastByte { length })),
        Ok(_) => Err(Unread { problem: cut(), otherwise: Some(gone()) }),
        Err((problem, _)) => {
            let otherwise = (problem.kind == ProblemKind::Cut).then(gone);
            Err(Unread { problem, otherwise })
        }
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
    repository.transport.ask(&question, || range(0, 0), accept, read).await
}

/// Everything, read as far as it takes to judge the length.
async fn all(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Seen> {
    let question = repository.question(Method::GET, path(promise));
    let read = async |answer: &mut Answer<'_>| read_all(answer, promise).await;
    repository.transport.ask(&question, HeaderMap::new, |status| status == 200, read).await
}

async fn read_all(answer: &mut Answer<'_>, promise: &Promise) -> Result<Seen, Unread<Seen>> {
    let stated = content_length(answer);
    if let Some(length) = stated.filter(|length| *length != promise.size) {
        return match encoding(answer) {
            Some(encoding) => Err(encoded(&encoding).into()),
            None => Ok(Seen::Blob(Blob::OtherLength { length })),
        };
    }
    if stated.is_some() && promise.size > SMALL {
        // The rest is not worth its transfer: the length is stated, and the first bytes prove that there are some.
        return match answer.piece().await {
            Ok(Some(piece)) if !piece.as_ref().is_empty() => Ok(Seen::Blob(Blob::Stated { length: promise.size })),
            Ok(_) => Err(Unread { problem: cut(), otherwise: Some(Seen::Blob(Blob::Cut { received: Some(0) })) }),
            Err(problem) => {
                let otherwise =
                    (problem.kind == ProblemKind::Cut).then_some(Seen::Blob(Blob::Cut { received: Some(0) }));
                Err(Unread { problem, otherwise })
            }
        };
    }
    let mut progress = Progress::new(promise, false);
    let blob = progress.read(answer, promise).await;
    blob.map(Seen::Blob)
        .map_err(|unread| Unread { problem: unread.problem, otherwise: unread.otherwise.map(Seen::Blob) })
}

/// Fetches and hashes everything; `keep` the bytes where they are read later. What was received before a broken connection is not
/// fetched again, when the registry can begin in the middle.
///
/// Data that ends twice at the same byte ends there; data that comes farther each time is only slow to come, which says nothing
/// about the content.
pub(super) async fn whole(repository: &RegistryRepository<'_>, promise: &Promise, keep: bool) -> Asked<Blob> {
    let question = repository.question(Method::GET, path(promise));
    let progress = RefCell::new(Some(Progress::new(promise, keep)));
    let ended_before = Cell::new(None);
    let headers = || match progress.borrow().as_ref().map_or(0, Progress::received) {
        0 => HeaderMap::new(),
        received => range(received, promise.size - 1),
    };
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| {
        let mut now = progress.take().expect("tries follow each other");
        let resumed = answer.status() == 206
            && matches!(content_range(answer), Some((Some((from, _)), _)) if from == now.received());
        let mut result = if answer.status() == 416 && now.received() > 0 {
            let received = Some(now.received());
            Err(Unread { problem: cut(), otherwise: Some(Blob::Cut { received }) })
        } else {
            if !resumed {
                now = Progress::new(promise, keep);
            }
            if answer.status() == 200 || resumed {
                now.read_stated(answer, promise).await
            } else {
                Err(Problem::new(ProblemKind::Refused, "answered a part although everything was asked for").into())
            }
        };
        if let Err(unread) = &mut result
            && ended_before.replace(Some(now.received())).is_some_and(|before| before != now.received())
        {
            unread.otherwise = None;
        }
        progress.replace(Some(now));
        result
    };
    repository.transport.ask(&question, headers, accept, read).await
}

/// A blob on its way in.
struct Progress {
    hashing: Option<Hashing>,
    received: u64,
    kept: Option<Vec<u8>>,
}

impl Progress {
    fn new(promise: &Promise, keep: bool) -> Self {
        Self { hashing: Hashing::like(&promise.digest), received: 0, kept: keep.then(Vec::new) }
    }

    fn received(&self) -> u64 {
        self.received
    }

    /// Reads the answer unless its stated length is wrong already.
    async fn read_stated(&mut self, answer: &mut Answer<'_>, promise: &Promise) -> Result<Blob, Unread<Blob>> {
        let promised = promise.size - self.received.min(promise.size);
        match content_length(answer).filter(|length| *length != promised) {
            None => self.read(answer, promise).await,
            Some(length) => match encoding(answer) {
                Some(encoding) => Err(encoded(&encoding).into()),
                None => Ok(Blob::OtherLength { length: self.received + length }),
            },
        }
    }

    async fn read(&mut self, answer: &mut Answer<'_>, promise: &Promise) -> Result<Blob, Unread<Blob>> {
        loop {
            match answer.piece().await {
                Ok(Some(piece)) => {
                    self.received += piece.as_ref().len() as u64;
                    if self.received > promise.size {
                        return Ok(Blob::OtherLength { length: self.received });
                    }
                    if let Some(kept) = &mut self.kept {
                        kept.extend_from_slice(piece.as_ref());
                    }
                    if let Some(hashing) = &mut self.hashing {
                        hashing.update(Box::new(piece)).await;
                    }
                }
                Ok(None) => break,
                Err(problem) => {
                    let otherwise =
                        (problem.kind == ProblemKind::Cut).then_some(Blob::Cut { received: Some(self.received) });
                    return Err(Unread { problem, otherwise });
                }
            }
        }
        let digest = self.hashing.take().expect("unknown algorithms are never asked for").finish().await;
        let right = self.received == promise.size && digest == promise.digest;
        match encoding(answer).filter(|_| !right) {
            Some(encoding) => Err(encoded(&encoding).into()),
            None => Ok(Blob::Whole { length: self.received, digest, bytes: self.kept.take() }),
        }
    }
}

fn cut() -> Problem {
    Problem::new(ProblemKind::Cut, "the registry says it is there and sends no bytes")
}

type ContentRange = (Option<(u64, u64)>, Option<u64>);

/// Reads `Content-Range`: first and last byte, and the whole length; see <https://www.rfc-editor.org/rfc/rfc9110#section-14.4>.
fn content_range(answer: &Answer<'_>) -> Option<ContentRange> {
    read_content_range(answer.header(&CONTENT_RANGE)?)
}

fn read_content_range(value: &str) -> Option<ContentRange> {
    let (part, length) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let length = match length {
        "*" => None,
        length => Some(length.parse().ok()?),
    };
    let part = match part {
        "*" => None,
        part => {
            let (from, to) = part.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()?))
        }
    };
    Some((part, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        for (value, expected) in [
            ("bytes 9-9/10", Some((Some((9, 9)), Some(10)))),
            ("bytes 0-4/*", Some((Some((0, 4)), None))),
            ("bytes */10", Some((None, Some(10)))),
            (" bytes  9-9/10 ", Some((Some((9, 9)), Some(10)))),
            ("bytes=9-9/10", None),
            ("bytes 9/10", None),
            ("bytes 9-9", None),
            ("bytes -1-9/10", None),
            ("items 9-9/10", None),
            ("bytes 9-9/99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(read_content_range(value), expected, "{value:?}");
        }
    }
}
