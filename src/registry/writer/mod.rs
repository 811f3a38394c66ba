//! Puts content into a repository of a registry; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>.
//!
//! A blob is uploaded in one piece (`POST`, then `PUT` with the whole body). A registry that
//! refuses that is sent nothing else, and nothing is asked before an upload: a cache might answer.

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::answer::Answer;
use super::attempt::Attempt;
use super::failed::Failed;
use super::payload::Payload;
use super::quirks::some_answer_200_202_or_204_for_what_they_took as is_taken;
use super::retry::Ended;
use super::scope::Scope;
use super::transport::{Question, Transport};
use super::{form, name_of};
use crate::http::{Problem, ProblemKind};
use crate::layout::content::Content;
use crate::oci::descriptor::Promise;
use crate::oci::digest;
use crate::oci::reference::{Reference, Repository};
use crate::repair::writer::Writer;
use crate::settings::Permission;
use crate::text::quote::quoted;
use crate::walk::cause::{Cause, Place, Trouble};
use crate::walk::source::{Asked, Fault, FaultKind};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// One repository of a registry, to be written to.
pub(crate) struct RegistryWriter<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
}

impl<'a> RegistryWriter<'a> {
    /// Somebody who may write to `repository`.
    #[must_use]
    pub(crate) fn new(
        transport: &'a Transport,
        repository: &'a Repository,
        _permission: Permission,
    ) -> Self {
        Self {
            transport,
            repository,
        }
    }

    /// A question whose first 404 is believed: repositories come into being when they are written
    /// to, so there is nothing to wait for.
    fn question<'b>(
        &'b self,
        method: Method,
        path: String,
        scope: Scope,
        delivers: &'b AtomicBool,
    ) -> Question<'b> {
        Question {
            repository: self.repository,
            scope,
            method,
            path: Some(path),
            payload: Payload::Nothing,
            with_login: false,
            may_be_absent: true,
            fresh: false,
            once: false,
            delivers,
        }
    }

    /// Sends the content to an open session. One that fails is closed, because a registry keeps
    /// what it was sent for days.
    async fn send(
        &self,
        opening: &Attempt<'_>,
        session: &Url,
        promise: &Promise,
        content: &Content,
    ) -> Result<u16, Failed> {
        let delivers = AtomicBool::new(false);
        let question = Question {
            payload: Payload::Content(content),
            ..self.question(Method::PUT, String::new(), opening.scope(), &delivers)
        };
        let mut attempt = opening.at_session(&question, &complete(session, &promise.digest));
        let sent = match attempt.run(&HeaderMap::new, &is_taken).await {
            Ok(answer) => {
                return stores(&answer, |stated| expected(promise, stated))
                    .map(|()| answer.status());
            }
            Err(failed) => failed.at_session(),
        };
        let is_silent = matches!(
            &sent.ended,
            Ended::Problem(problem) if problem.kind == ProblemKind::Timeout
        );
        // Nobody waits for a registry that does not answer.
        if sent.status != Some(404) && !is_silent {
            self.close(opening, session).await;
        }
        Err(sent)
    }

    /// Closes a session that is not needed; it does not matter whether that succeeds.
    async fn close(&self, opening: &Attempt<'_>, session: &Url) {
        let delivers = AtomicBool::new(false);
        let question = self.question(Method::DELETE, String::new(), opening.scope(), &delivers);
        let mut attempt = opening.at_session(&question, session);
        if attempt.is_at_registry() {
            // Any status is accepted: no token to delete is asked for.
            let _ = attempt.run(&HeaderMap::new, &|_| true).await;
        }
    }
}

impl Writer for RegistryWriter<'_> {
    async fn upload(&self, promise: &Promise, content: &Content) -> Asked<()> {
        let delivers = AtomicBool::new(false);
        let path = "blobs/uploads/".to_owned();
        let scope = Scope::push(self.repository);
        let question = self.question(Method::POST, path, scope, &delivers);
        let attempt = async |lane| {
            let mut opening = self.transport.attempt(&question, lane)?;
            let answer = opening
                .run(&HeaderMap::new, &|status| status == 202)
                .await?;
            let session = opening.session(&answer)?;
            drop(answer);
            let status = self.send(&opening, &session, promise, content).await?;
            Ok((status, Ok(())))
        };
        let what = format!("upload of {}", promise.digest);
        self.transport.repeat(&question, &what, attempt).await
    }

    async fn mount(&self, promise: &Promise, from: &Repository) -> Asked<bool> {
        if from.registry != self.repository.registry {
            return Asked::unasked(Ok(false));
        }
        let delivers = AtomicBool::new(false);
        let path = format!("blobs/uploads/?mount={}&from={}", promise.digest, from.name);
        let scope = Scope::mount(self.repository, from);
        let question = self.question(Method::POST, path, scope, &delivers);
        let attempt = async |lane| {
            let mut opening = self.transport.attempt(&question, lane)?;
            let accept = |status| matches!(status, 201 | 202);
            let answer = opening.run(&HeaderMap::new, &accept).await?;
            let status = answer.status();
            if status == 201 {
                stores(&answer, |stated| expected(promise, stated))?;
                return Ok((status, Ok(true)));
            }
            if let Ok(session) = opening.session(&answer) {
                self.close(&opening, &session).await;
            }
            Ok((status, Ok(false)))
        };
        let what = format!("mount of {}", promise.digest);
        self.transport.repeat(&question, &what, attempt).await
    }

    async fn put(&self, reference: &Reference, media_type: &str, bytes: &[u8]) -> Asked<()> {
        let delivers = AtomicBool::new(false);
        let path = format!("manifests/{}", name_of(reference));
        let what = path.clone();
        let scope = Scope::push(self.repository);
        let question = Question {
            payload: Payload::Bytes(bytes),
            ..self.question(Method::PUT, path, scope, &delivers)
        };
        let media_type = HeaderValue::from_str(media_type);
        let attempt = async |lane| {
            let media_type = media_type.as_ref().map_err(|_| {
                let why = "its media type has characters that no header may contain";
                Failed::from(Problem::new(ProblemKind::Refused, why))
            })?;
            let headers = || HeaderMap::from_iter([(CONTENT_TYPE, media_type.clone())]);
            let mut attempt = self.transport.attempt(&question, lane)?;
            let answer = attempt.run(&headers, &is_taken).await?;
            stores(&answer, |stated| digest::of_bytes(bytes, stated))?;
            Ok((answer.status(), Ok(())))
        };
        self.transport.repeat(&question, &what, attempt).await
    }
}

/// The URL that completes an upload: the session's, whose query is kept, with the digest.
fn complete(session: &Url, digest: &Digest) -> Url {
    let mut url = session.clone();
    url.query_pairs_mut().append_pair("digest", digest.as_ref());
    url
}

/// The digest that a registry should state for a promise where it stated this one; nothing if that
/// is by another algorithm.
fn expected(promise: &Promise, stated: &Digest) -> Option<Digest> {
    (promise.digest.algorithm() == stated.algorithm()).then(|| promise.digest.clone())
}

/// Refuses an answer that is a web page, or states another digest than it should.
fn stores(answer: &Answer<'_>, expected: impl Fn(&Digest) -> Option<Digest>) -> Result<(), Failed> {
    if answer.is_page() {
        return Err(form::page("registry's answer").into());
    }
    let Some(written) = answer.header(&CONTENT_DIGEST) else {
        return Ok(());
    };
    let is_right = written
        .parse::<Digest>()
        .is_ok_and(|stated| expected(&stated).is_none_or(|expected| expected == stated));
    if is_right {
        return Ok(());
    }
    let why = format!("the registry says that it stored {}", quoted(written));
    let failed = Failed::from(Problem::new(ProblemKind::Refused, why.clone()));
    Err(Failed {
        fault: Fault {
            kind: FaultKind::Unavailable,
            cause: Cause::Unreached {
                trouble: Trouble::Garbled,
                place: Place::Registry,
                words: why.into(),
            },
        },
        status: Some(answer.status()),
        ..failed
    })
}
