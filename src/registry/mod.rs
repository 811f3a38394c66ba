//! A registry over HTTP, as a [`Source`]; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

mod answer;
mod attempt;
mod auth;
pub(crate) mod challenge;
pub(crate) mod content_range;
pub(crate) mod credentials;
pub(crate) mod docker_config;
mod download;
pub(crate) mod error;
mod failed;
mod form;
mod gate;
mod hashing;
pub(crate) mod link;
pub(crate) mod logins;
mod look;
mod lookup;
#[cfg(test)]
mod loopback;
mod manifest;
mod presence;
mod quirks;
pub(crate) mod redirect;
mod referrers;
mod repeated_lines;
pub(crate) mod retry;
mod route;
mod scheme;
mod scope;
mod token;
mod token_server;
mod transport;
mod tries;

use std::sync::atomic::AtomicBool;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::HeaderMap;

use self::answer::Answer;
use self::scope::Scope;
use self::transport::Question;
pub(crate) use self::transport::Transport;
use crate::oci::descriptor::Promise;
use crate::oci::reference::{Reference, Repository};
use crate::walk::cause::Cause;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, Fault, FaultKind, Manifest, Referring, Source};

/// One repository of a registry.
pub(crate) struct RegistryRepository<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    depth: Depth,
    /// Whether something of it was delivered.
    delivers: AtomicBool,
}

impl<'a> RegistryRepository<'a> {
    /// A repository whose blobs are checked at `depth`.
    #[must_use]
    pub(crate) fn new(transport: &'a Transport, repository: &'a Repository, depth: Depth) -> Self {
        Self {
            transport,
            repository,
            depth,
            delivers: AtomicBool::new(false),
        }
    }

    fn question(&self, method: Method, path: String) -> Question<'_> {
        Question {
            repository: self.repository,
            scope: Scope::pull(self.repository),
            method,
            path: Some(path),
            may_be_absent: false,
            fresh: false,
            delivers: &self.delivers,
        }
    }

    /// Whether something answers at `/v2/` as a registry does, with a login or without.
    async fn is_there(&self) -> bool {
        let question = Question {
            path: None,
            may_be_absent: true,
            ..self.question(Method::GET, String::new())
        };
        let accept = presence::may_show_a_registry;
        let read = async |answer: &mut Answer<'_>| Ok(presence::shows_a_registry(answer).await);
        let asked = self
            .transport
            .ask(&question, HeaderMap::new, accept, read)
            .await;
        asked.answer.is_ok_and(|is_registry| is_registry)
    }

    /// The same, unless what was delivered has nothing of a registry and none answers at `/v2/`:
    /// then it says nothing about the content.
    async fn unless_foreign(
        &self,
        asked: Asked<Manifest>,
        wanted: Option<&Digest>,
    ) -> Asked<Manifest> {
        let delivered = asked.answer.as_ref().ok();
        match delivered.and_then(|manifest| presence::foreign(manifest, wanted)) {
            Some(why) if !self.is_there().await => Asked {
                answer: Err(no_registry(why)),
                ..asked
            },
            _ => asked,
        }
    }
}

fn no_registry(why: Cause) -> Fault {
    Fault {
        kind: FaultKind::Unavailable,
        cause: Cause::NoRegistry(Box::new(why)),
    }
}

impl Source for RegistryRepository<'_> {
    async fn resolve(&self, reference: &Reference) -> Asked<Manifest> {
        let name = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.as_ref(),
            (None, tag) => tag.as_deref().unwrap_or("latest"),
        };
        let asked = manifest::fetch(self, name, false).await;
        let mut asked = self.unless_foreign(asked, reference.digest.as_ref()).await;
        if let Err(fault) = &mut asked.answer
            && quirks::a_proxy_answers_404_in_the_registrys_place(fault)
            && !self.is_there().await
        {
            *fault = no_registry(std::mem::take(&mut fault.cause));
        }
        asked
    }

    async fn manifest(&self, digest: &Digest, may_be_absent: bool) -> Asked<Manifest> {
        let asked = manifest::fetch(self, digest.as_ref(), may_be_absent).await;
        self.unless_foreign(asked, Some(digest)).await
    }

    async fn blob(&self, promise: &Promise) -> Asked<Blob> {
        look::look(self, promise).await
    }

    async fn config(&self, promise: &Promise) -> Asked<Blob> {
        download::whole(self, promise, true).await
    }

    async fn referrers(&self, digest: &Digest) -> Asked<Vec<Referring>> {
        referrers::list(self, digest).await
    }
}
