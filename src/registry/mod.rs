//! A registry over HTTP, as a [`Source`] and a [`Catalog`](crate::walk::source::Catalog); see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

mod answer;
mod attempt;
mod auth;
mod catalog;
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
pub(crate) mod packages;
mod payload;
mod presence;
mod product;
mod quirks;
pub(crate) mod redirect;
mod referrers;
mod remover;
mod repeats;
pub(crate) mod retry;
mod route;
mod save;
mod scheme;
mod scope;
#[cfg(test)]
mod scripted;
mod token;
mod token_server;
mod transport;
mod tries;
pub(crate) mod writer;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::HeaderMap;

use self::answer::Answer;
pub(crate) use self::catalog::RegistryCatalog;
use self::payload::Payload;
pub(crate) use self::remover::RegistryRemover;
use self::scope::Scope;
use self::transport::Question;
pub(crate) use self::transport::Transport;
pub(crate) use self::writer::RegistryWriter;
use crate::oci::descriptor::Promise;
use crate::oci::reference::{Reference, Repository};
use crate::walk::cause::Cause;
use crate::walk::product::Product;
use crate::walk::rules::Depth;
use crate::walk::source::{Asked, Blob, Fault, FaultKind, Head, Look, Manifest, Referring, Source};

/// One repository of a registry.
#[derive(Clone)]
pub(crate) struct RegistryRepository<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    depth: Depth,
    /// Whether a first 404 is believed.
    may_be_absent: bool,
    /// Whether questions go over connections of their own.
    fresh: bool,
    /// Whether something of it was delivered.
    delivers: Arc<AtomicBool>,
}

impl<'a> RegistryRepository<'a> {
    /// A repository whose blobs are checked at `depth`.
    #[must_use]
    pub(crate) fn new(transport: &'a Transport, repository: &'a Repository, depth: Depth) -> Self {
        Self {
            transport,
            repository,
            depth,
            may_be_absent: false,
            fresh: false,
            delivers: Arc::default(),
        }
    }

    /// The same with blobs checked at this depth.
    #[must_use]
    pub(crate) fn at(&self, depth: Depth) -> Self {
        Self {
            depth,
            ..self.clone()
        }
    }

    /// Fetches a blob into an empty file; whether it is what was promised.
    pub(crate) async fn save(&self, promise: &Promise, file: &File) -> Asked<bool> {
        save::save(self, promise, file).await
    }

    /// The reference of a digest.
    pub(crate) fn by_digest(&self, digest: &Digest) -> Reference {
        Reference {
            repository: self.repository.clone(),
            tag: None,
            digest: Some(digest.clone()),
        }
    }

    /// The same for questions that are put in this way, when it is time for them.
    async fn for_a(&self, look: Look) -> Self {
        if let Look::Again(since) = look {
            tokio::time::sleep_until(since + self.transport.patience().backoff).await;
        }
        Self {
            may_be_absent: matches!(look, Look::MayBeAbsent | Look::Witness),
            fresh: look.is_again(),
            ..self.clone()
        }
    }

    fn question(&self, method: Method, path: String) -> Question<'_> {
        Question {
            repository: self.repository,
            scope: Scope::pull(self.repository),
            method,
            path: Some(path),
            payload: Payload::Nothing,
            with_login: false,
            may_be_absent: self.may_be_absent,
            fresh: self.fresh,
            once: false,
            delivers: &self.delivers,
        }
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
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        let asked = manifest::fetch(&self.for_a(look).await, name_of(reference)).await;
        let mut asked = self.unless_foreign(asked, reference.digest.as_ref()).await;
        if let Err(fault) = &mut asked.answer
            && quirks::a_proxy_answers_404_in_the_registrys_place(fault)
            && !self.is_there().await
        {
            *fault = no_registry(std::mem::take(&mut fault.cause));
        }
        asked
    }

    async fn head(&self, reference: &Reference, look: Look) -> Head {
        manifest::head(&self.for_a(look).await, name_of(reference)).await
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        let asked = manifest::fetch(&self.for_a(look).await, digest.as_ref()).await;
        self.unless_foreign(asked, Some(digest)).await
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        look::look(&self.for_a(look).await, promise).await
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        download::whole(&self.for_a(look).await, promise, true).await
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        referrers::list(&self.for_a(look).await, digest).await
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

    fn product(&self) -> Product {
        self.transport.product_of(&self.repository.registry)
    }
}

/// What a reference is asked for as: its digest, else its tag.
fn name_of(reference: &Reference) -> &str {
    match (&reference.digest, &reference.tag) {
        (Some(digest), _) => digest.as_ref(),
        (None, tag) => tag.as_deref().unwrap_or("latest"),
    }
}
