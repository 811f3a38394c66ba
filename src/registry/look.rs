//! Checks a blob: by its header, by its last byte, or by all of it.
//!
//! A pull asks for everything. So a header or the last byte can show that a blob is fine, but a
//! wrong length counts only where the answer to a request for everything states it.

use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use super::answer::Answer;
use super::content_range::{self, ContentRange};
use super::download::{self, Download};
use super::failed::Unread;
use super::form::{content_length, disguise};
use super::{RegistryRepository, quirks};
use crate::http::{Problem, ProblemKind};
use crate::oci::descriptor::Promise;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob};

/// Up to this size, in bytes, a blob that comes in place of its last byte is read and hashed.
pub(super) const READ_WHOLE: u64 = 64 * 1024 * 1024;

/// What one question showed, or which question follows.
enum LookResult {
    Blob(Blob),
    /// The header does not show that all is well: ask for the last byte.
    AskTail,
    /// The server does not do ranges, or does them wrongly: ask for everything, and read as much as
    /// it takes to judge the length.
    AskAll,
    /// The server contradicts the promised size: ask for everything, and read it.
    ReadAll,
    /// The last byte was not delivered: ask for the first one.
    AskFirst,
}

/// Checks a blob at the depth of the run.
pub(super) async fn look(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<Blob> {
    let mut asked = match repository.depth {
        Depth::Full => return download::whole(repository, promise, false).await,
        // An empty blob has no last byte; all of it is nothing.
        _ if promise.size == 0 => return download::whole(repository, promise, false).await,
        // At the first of these a walk asks for no blob.
        Depth::Manifests | Depth::Head => head(repository, promise).await,
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
            Ok(LookResult::Blob(blob)) => return done(Ok(blob)),
            Ok(LookResult::AskTail) => tail(repository, promise).await,
            Ok(LookResult::AskAll) => all(repository, promise).await,
            Ok(LookResult::ReadAll) => read_whole(repository, promise).await,
            Ok(LookResult::AskFirst) => first(repository, promise).await,
        };
        asked = Asked {
            attempts: attempts + next.attempts,
            duration: duration + next.duration,
            appeared_after: next.appeared_after.or(appeared_after),
            ..next
        };
    }
}

pub(super) fn path(promise: &Promise) -> String {
    format!("blobs/{}", promise.digest)
}

pub(super) fn range(from: u64, to: u64) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("bytes={from}-{to}")).expect("digits fit a header");
    HeaderMap::from_iter([(RANGE, value)])
}

async fn head(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<LookResult> {
    let question = repository.question(Method::HEAD, path(promise));
    let read = async |answer: &mut Answer<'_>| {
        let fits = answer.status() == 200
            && content_length(answer) == Some(promise.size)
            && disguise(answer).is_none();
        Ok(if fits {
            LookResult::Blob(Blob::Stated {
                length: promise.size,
            })
        } else {
            LookResult::AskTail
        })
    };
    let accept =
        |status| status == 200 || quirks::s3_answers_403_for_head_on_a_url_signed_for_get(status);
    let asked = repository
        .transport
        .ask(&question, HeaderMap::new, accept, read)
        .await;
    match &asked.answer {
        Err(fault) if quirks::head_fails_where_get_works(asked.status, fault.kind) => Asked {
            answer: Ok(LookResult::AskTail),
            ..asked
        },
        _ => asked,
    }
}

async fn tail(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<LookResult> {
    let last = promise.size - 1;
    let question = repository.question(Method::GET, path(promise));
    // Whether it is the range or the content that is refused shows without a range.
    let accept = |status| matches!(status, 200 | 206 | 403 | 416);
    let read = async |answer: &mut Answer<'_>| match answer.status() {
        206 => read_last(answer, promise, last).await,
        403 => Ok(LookResult::AskAll),
        416 => Ok(LookResult::ReadAll),
        _ => read_all(answer, promise).await,
    };
    let asked = repository
        .transport
        .ask(&question, || range(last, last), accept, read)
        .await;
    if asked.answer.is_err() && quirks::some_refuse_ranges_and_deliver_everything(asked.status) {
        return Asked {
            answer: Ok(LookResult::AskAll),
            ..asked
        };
    }
    asked
}

async fn read_last(
    answer: &mut Answer<'_>,
    promise: &Promise,
    last: u64,
) -> Result<LookResult, Unread<LookResult>> {
    let length = match content_range(answer) {
        Some((_, Some(length))) if length != promise.size => return Ok(LookResult::ReadAll),
        Some((Some((from, to)), length))
            if from == last && to == last && disguise(answer).is_none() =>
        {
            length
        }
        _ => return Ok(LookResult::AskAll),
    };
    let gone = |problem| match last {
        0 => Unread::ended(
            problem,
            0,
            LookResult::Blob(Blob::Cut { received: Some(0) }),
        ),
        _ => Unread::ended(problem, 0, LookResult::AskFirst),
    };
    match answer.body(1).await {
        Ok((_, true)) => Ok(LookResult::AskAll),
        Ok((byte, false)) if byte.len() == 1 => Ok(LookResult::Blob(Blob::LastByte { length })),
        Ok(_) => Err(gone(cut())),
        Err((problem, byte)) if problem.kind == ProblemKind::Cut => {
            if byte.is_empty() {
                Err(gone(problem))
            } else {
                Ok(LookResult::Blob(Blob::LastByte { length }))
            }
        }
        Err((problem, _)) => Err(problem.into()),
    }
}

/// Whether a blob without its last byte has any.
async fn first(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<LookResult> {
    let question = repository.question(Method::GET, path(promise));
    let accept = |status| matches!(status, 200 | 206 | 416);
    let read = async |answer: &mut Answer<'_>| {
        let some = |received| LookResult::Blob(Blob::Cut { received });
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
async fn all(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<LookResult> {
    let question = repository.question(Method::GET, path(promise));
    let read = async |answer: &mut Answer<'_>| read_all(answer, promise).await;
    repository
        .transport
        .ask(&question, HeaderMap::new, |status| status == 200, read)
        .await
}

/// Everything, read and hashed.
async fn read_whole(repository: &RegistryRepository<'_>, promise: &Promise) -> Asked<LookResult> {
    let Asked {
        answer,
        status,
        attempts,
        duration,
        appeared_after,
    } = download::whole(repository, promise, false).await;
    Asked {
        answer: answer.map(LookResult::Blob),
        status,
        attempts,
        duration,
        appeared_after,
    }
}

async fn read_all(
    answer: &mut Answer<'_>,
    promise: &Promise,
) -> Result<LookResult, Unread<LookResult>> {
    let stated = content_length(answer);
    if stated == Some(promise.size) && promise.size > READ_WHOLE {
        // The length is stated and the first bytes are there: the rest need not be transferred.
        let gone = |problem| {
            Unread::ended(
                problem,
                0,
                LookResult::Blob(Blob::Cut { received: Some(0) }),
            )
        };
        return match answer.piece().await {
            Ok(Some(piece)) if !piece.as_ref().is_empty() => Ok(LookResult::Blob(Blob::Begun {
                length: promise.size,
            })),
            Ok(_) => Err(gone(cut())),
            Err(problem) if problem.kind == ProblemKind::Cut => Err(gone(problem)),
            Err(problem) => Err(problem.into()),
        };
    }
    let blob = Download::new(promise, false).read(answer, promise).await;
    blob.map(LookResult::Blob).map_err(|unread| Unread {
        problem: unread.problem,
        otherwise: unread
            .otherwise
            .map(|(at, blob)| (at, LookResult::Blob(blob))),
        farther: false,
    })
}

fn cut() -> Problem {
    again("the registry says it is there but sends no bytes")
}

/// A reason to retry.
pub(super) fn again(why: &str) -> Problem {
    Problem::new(ProblemKind::Cut, why)
}

/// `Content-Range` of an answer.
pub(super) fn content_range(answer: &Answer<'_>) -> Option<ContentRange> {
    content_range::read(answer.header(&CONTENT_RANGE)?)
}
