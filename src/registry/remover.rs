//! Deletes from a repository of a registry; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#content-management>.

use std::sync::atomic::AtomicBool;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::HeaderMap;

use super::payload::Payload;
use super::quirks::some_answer_200_202_or_204_for_what_they_took as is_taken;
use super::scope::Scope;
use super::transport::{Question, Transport};
use crate::oci::reference::Repository;
use crate::prune::remover::{Remover, Taken};
use crate::settings::Deletion;
use crate::walk::source::Asked;

/// One repository of a registry, to be deleted from.
pub(crate) struct RegistryRemover<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
}

impl<'a> RegistryRemover<'a> {
    /// Somebody who may delete from `repository`.
    #[must_use]
    pub(crate) fn new(
        transport: &'a Transport,
        repository: &'a Repository,
        _permission: Deletion,
    ) -> Self {
        Self {
            transport,
            repository,
        }
    }

    async fn delete(&self, name: &str, tried: u32) -> Asked<Taken> {
        let delivers = AtomicBool::new(false);
        let path = format!("manifests/{name}");
        let question = Question {
            repository: self.repository,
            scope: Scope::delete(self.repository),
            method: Method::DELETE,
            path: Some(path.clone()),
            payload: Payload::Nothing,
            with_login: false,
            may_be_absent: true,
            fresh: false,
            once: false,
            delivers: &delivers,
        };
        let attempt = async |lane| {
            let mut attempt = self.transport.attempt(&question, lane)?;
            let answer = attempt.run(&HeaderMap::new, &is_taken).await?;
            Ok(answer.status())
        };
        let what = format!("deletion of {path}");
        let asked = self.transport.delete_once(&question, &what, tried, attempt);
        asked.await
    }
}

impl Remover for RegistryRemover<'_> {
    async fn delete_tag(&self, tag: &str, tried: u32) -> Asked<Taken> {
        self.delete(tag, tried).await
    }

    async fn delete_manifest(&self, digest: &Digest, tried: u32) -> Asked<Taken> {
        self.delete(digest.as_ref(), tried).await
    }
}
