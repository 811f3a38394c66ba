//! A registry over HTTP, as a [`Source`]; see <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

mod auth;
pub mod challenge;
mod credentials;
pub mod error;
mod gate;
mod hashing;
mod look;
pub mod redirect;
mod referrers;
pub mod retry;
mod telling;
mod transport;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

pub use self::transport::Transport;
use self::transport::{Answer, Question, Unread};
use crate::http::{Problem, ProblemKind};
use crate::reference::{Reference, Repository};
use crate::settings::Depth;
use crate::source::{Asked, Blob, Body, MANIFEST_LIMIT, Manifest, Referring, Source};
use crate::verdict::Promise;

/// The manifests we understand; without them distribution answers 404, or silently one platform's manifest.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, */*";

/// One repository of a registry.
pub struct RegistryRepository<'a> {
    transport: &'a Transport,
    repository: &'a Repository,
    depth: Depth,
}

impl<'a> RegistryRepository<'a> {
    /// A repository whose blobs are looked at as deep as `depth` says.
    #[must_use]
    pub fn new(transport: &'a Transport, repository: &'a Repository, depth: Depth) -> Self {
        Self { transport, repository, depth }
    }

    fn question(&self, method: Method, path: String) -> Question<'a> {
        Question { repository: self.repository, method, path, may_be_absent: false }
    }

    async fn fetch_manifest(&self, reference: &str, may_be_absent: bool) -> Asked<Manifest> {
        let question = Question { may_be_absent, ..self.question(Method::GET, format!("manifests/{reference}")) };
        self.transport.ask(&question, manifest_headers, |status| status == 200, read_manifest).await
    }
}

impl Source for RegistryRepository<'_> {
    async fn resolve(&self, reference: &Reference) -> Asked<Manifest> {
        match (&reference.digest, &reference.tag) {
            (Some(digest), _) => self.fetch_manifest(digest.as_ref(), false).await,
            (None, tag) => self.fetch_manifest(tag.as_deref().unwrap_or("latest"), false).await,
        }
    }

    async fn manifest(&self, digest: &Digest, may_be_absent: bool) -> Asked<Manifest> {
        self.fetch_manifest(digest.as_ref(), may_be_absent).await
    }

    async fn blob(&self, promise: &Promise) -> Asked<Blob> {
        look::look(self, promise).await
    }

    async fn config(&self, promise: &Promise) -> Asked<Blob> {
        look::whole(self, promise, true).await
    }

    async fn referrers(&self, digest: &Digest) -> Asked<Vec<Referring>> {
        referrers::list(self, digest).await
    }
}

fn manifest_headers() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES))])
}

async fn read_manifest(answer: &mut Answer<'_>) -> Result<Manifest, Unread<Manifest>> {
    let content_type = answer
        .header(&CONTENT_TYPE)
        .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if content_type.as_deref() == Some("text/html") {
        let why = "answered a web page where a manifest belongs; is this a registry?";
        return Err(Problem::new(ProblemKind::NotHttp, why).into());
    }
    let claimed = answer.header(&HeaderName::from_static("docker-content-digest")).map(str::to_owned);
    let manifest = |body| Manifest { body, content_type: content_type.clone(), claimed: claimed.clone() };
    if content_length(answer).is_some_and(|length| length > MANIFEST_LIMIT as u64) {
        return Ok(manifest(Body::TooLarge));
    }
    match answer.body(MANIFEST_LIMIT).await {
        Ok((_, true)) => Ok(manifest(Body::TooLarge)),
        Ok((bytes, false)) => match encoding(answer) {
            // The bytes of the manifest itself are what was asked for; nothing is decompressed.
            Some(encoding) if bytes.first() != Some(&b'{') => Err(encoded(&encoding).into()),
            _ => Ok(manifest(Body::Whole(bytes))),
        },
        Err((problem, received)) => {
            let otherwise = (problem.kind == ProblemKind::Cut).then(|| manifest(Body::Cut { received }));
            Err(Unread { problem, otherwise })
        }
    }
}

/// The header, not what the client makes of it: the answer to a HEAD has a length and no body.
fn content_length(answer: &Answer<'_>) -> Option<u64> {
    answer.header(&CONTENT_LENGTH).and_then(|value| value.trim().parse().ok())
}

fn encoding(answer: &Answer<'_>) -> Option<String> {
    let encoding = answer.header(&CONTENT_ENCODING)?.trim().to_ascii_lowercase();
    Some(encoding).filter(|encoding| !encoding.is_empty() && encoding != "identity")
}

fn encoded(encoding: &str) -> Problem {
    let encoding: String = encoding.chars().take(20).collect();
    Problem::new(
        ProblemKind::Refused,
        format!("the answer is encoded ({encoding}) although identity was asked for, so it cannot be checked"),
    )
}
