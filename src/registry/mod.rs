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
mod manifest;
mod product;
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
use crate::walk::product::Product;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, FaultKind, Manifest, Referring, Source};

/// One repository of a registry.
pub(crate) struct RegistryRepository<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    depth: Depth,
}

impl<'a> RegistryRepository<'a> {
    /// A repository whose blobs are checked at `depth`.
    #[must_use]
    pub(crate) fn new(transport: &'a Transport, repository: &'a Repository, depth: Depth) -> Self {
        Self {
            transport,
            repository,
            depth,
        }
    }

    fn question(&self, method: Method, path: String) -> Question<'a> {
        Question {
            repository: self.repository,
            scope: Scope::pull(self.repository),
            method,
            path: Some(path),
            may_be_absent: false,
        }
    }

    /// Whether something answers at `/v2/` as a registry does, with a login or without.
    async fn is_there(&self) -> bool {
        let question = Question {
            path: None,
            may_be_absent: true,
            ..self.question(Method::GET, String::new())
        };
        let accept = |status| matches!(status, 200 | 401 | 403);
        let read = async |answer: &mut Answer<'_>| Ok(!answer.is_page());
        let asked = self
            .transport
            .ask(&question, HeaderMap::new, accept, read)
            .await;
        asked.answer.is_ok_and(|is_registry| is_registry)
    }
}

impl Source for RegistryRepository<'_> {
    async fn resolve(&self, reference: &Reference) -> Asked<Manifest> {
        let name = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.as_ref(),
            (None, tag) => tag.as_deref().unwrap_or("latest"),
        };
        let mut asked = manifest::fetch(self, name, false).await;
        if let Err(fault) = &mut asked.answer
            && quirks::a_proxy_answers_404_in_the_registrys_place(fault)
            && !self.is_there().await
        {
            fault.kind = FaultKind::Unavailable;
            fault.cause = Cause::NoRegistry(Box::new(std::mem::take(&mut fault.cause)));
        }
        asked
    }

    async fn manifest(&self, digest: &Digest, may_be_absent: bool) -> Asked<Manifest> {
        manifest::fetch(self, digest.as_ref(), may_be_absent).await
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

    fn product(&self) -> Product {
        self.transport.product_of(&self.repository.registry)
    }
}
