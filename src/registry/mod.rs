//! A registry over HTTP, as a [`Source`]; see <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

mod answer;
mod auth;
pub mod challenge;
pub(crate) mod content_range;
pub(crate) mod credentials;
pub mod error;
mod failed;
mod gate;
mod hashing;
pub(crate) mod link;
pub mod logins;
mod look;
pub mod redirect;
mod referrers;
pub mod retry;
mod scheme;
mod telling;
mod transport;
mod tries;

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{
    ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};

use self::answer::Answer;
use self::failed::Unread;
use self::transport::Question;
pub use self::transport::Transport;
use crate::http::{Problem, ProblemKind};
use crate::oci::descriptor::Promise;
use crate::oci::reference::{Reference, Repository};
use crate::walk::rules::Depth;
use crate::walk::source::{
    Asked, Blob, Body, FaultKind, MANIFEST_LIMIT, Manifest, Obstacle, Referring, Source,
};

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
        Self {
            transport,
            repository,
            depth,
        }
    }

    fn question(&self, method: Method, path: String) -> Question<'a> {
        Question {
            repository: self.repository,
            method,
            path: Some(path),
            may_be_absent: false,
        }
    }

    /// Whether somebody answers at the registry's own address as a registry does, with a login or without.
    async fn is_there(&self) -> bool {
        let question = Question {
            repository: self.repository,
            method: Method::GET,
            path: None,
            may_be_absent: true,
        };
        let read = async |answer: &mut Answer<'_>| Ok(!answer.is_page());
        let asked = self.transport.ask(
            &question,
            HeaderMap::new,
            |status| matches!(status, 200 | 401 | 403),
            read,
        );
        asked.await.answer.is_ok_and(|is_registry| is_registry)
    }

    async fn fetch_manifest(&self, reference: &str, may_be_absent: bool) -> Asked<Manifest> {
        let question = Question {
            may_be_absent,
            ..self.question(Method::GET, format!("manifests/{reference}"))
        };
        self.transport
            .ask(
                &question,
                manifest_headers,
                |status| status == 200,
                read_manifest,
            )
            .await
    }
}

impl Source for RegistryRepository<'_> {
    async fn resolve(&self, reference: &Reference) -> Asked<Manifest> {
        let mut asked = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => self.fetch_manifest(digest.as_ref(), false).await,
            (None, tag) => {
                self.fetch_manifest(tag.as_deref().unwrap_or("latest"), false)
                    .await
            }
        };
        if let Err(fault) = &mut asked.answer
            && fault.kind == FaultKind::NotFound
            && fault.obstacle == Some(Obstacle::NoRegistry)
            && !self.is_there().await
        {
            // A 404 that no registry sent says nothing about what is in it.
            fault.kind = FaultKind::Unavailable;
            fault.detail.push_str(", and no registry answers at /v2/");
        }
        asked
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
    let content_type = answer.header(&CONTENT_TYPE).map(|value| {
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    if answer.is_page() {
        return Err(page("manifest").into());
    }
    let claimed = answer
        .header(&HeaderName::from_static("docker-content-digest"))
        .map(str::to_owned);
    let manifest = |body| Manifest {
        body,
        content_type: content_type.clone(),
        claimed: claimed.clone(),
    };
    let stated = content_length(answer);
    if stated.is_some_and(|length| length > MANIFEST_LIMIT as u64) {
        return match encoding(answer) {
            Some(encoding) => Err(encoded(&encoding).into()),
            None => Ok(manifest(Body::TooLarge)),
        };
    }
    let (bytes, ended) = match answer.body(MANIFEST_LIMIT).await {
        Ok((bytes, more)) => (bytes, Ok(more)),
        Err((problem, bytes)) => (bytes, Err(problem)),
    };
    // The bytes of the manifest itself are what was asked for, whatever they are called; nothing is decompressed.
    if let Some(encoding) = encoding(answer).filter(|_| bytes.first() != Some(&b'{')) {
        return Err(encoded(&encoding).into());
    }
    if looks_like_page(&bytes) {
        return Err(page("manifest").into());
    }
    match ended {
        Ok(true) => Ok(manifest(Body::TooLarge)),
        // Without a stated length a broken connection looks like the end,
        Ok(false) if stated.is_none() && !is_document(&bytes) => {
            let problem = Problem::new(ProblemKind::Cut, "the manifest ended too early");
            Err(Unread::ended(
                problem,
                bytes.len() as u64,
                manifest(Body::Whole(bytes)),
            ))
        }
        Ok(false) => Ok(manifest(Body::Whole(bytes))),
        // and a document that is complete is whole, however the connection ended.
        Err(problem)
            if problem.kind == ProblemKind::Cut && stated.is_none() && is_document(&bytes) =>
        {
            Ok(manifest(Body::Whole(bytes)))
        }
        Err(problem) if problem.kind == ProblemKind::Cut => {
            let received = bytes.len() as u64;
            Err(Unread::ended(
                problem,
                received,
                manifest(Body::Cut { received }),
            ))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn is_document(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(bytes)
        .is_ok_and(|text| text.get().starts_with('{'))
}

fn looks_like_page(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(100)])
        .trim_start()
        .to_ascii_lowercase();
    ["<!doctype html", "<html"]
        .iter()
        .any(|opening| start.starts_with(opening))
}

fn page(what: &str) -> Problem {
    let text = format!("answered a web page where a {what} belongs; is this a registry?");
    Problem::new(ProblemKind::WebPage, text)
}

/// Why an answer that does not fit says nothing about the content: it is another form of it, or somebody else's.
fn disguise(answer: &Answer<'_>) -> Option<Problem> {
    encoding(answer)
        .map(|encoding| encoded(&encoding))
        .or_else(|| answer.is_page().then(|| page("blob")))
}

/// The header, not what the client makes of it: the answer to a HEAD has a length and no body.
fn content_length(answer: &Answer<'_>) -> Option<u64> {
    answer
        .header(&CONTENT_LENGTH)
        .and_then(|value| value.trim().parse().ok())
}

fn encoding(answer: &Answer<'_>) -> Option<String> {
    let encoding = answer
        .header(&CONTENT_ENCODING)?
        .trim()
        .to_ascii_lowercase();
    Some(encoding).filter(|encoding| !encoding.is_empty() && encoding != "identity")
}

fn encoded(encoding: &str) -> Problem {
    let encoding: String = encoding.chars().take(20).collect();
    Problem::new(
        ProblemKind::Refused,
        format!(
            "the answer is encoded ({encoding}) although identity was asked for, so it cannot be checked"
        ),
    )
}
