//! Fetches a manifest, and decides whether all of it came.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::answer::Answer;
use super::failed::Unread;
use super::form::{content_length, encoded, encoding, looks_like_page, page};
use super::retry::is_transient;
use super::{RegistryRepository, quirks};
use crate::http::{Problem, ProblemKind};
use crate::walk::source::{Asked, Body, Head, MANIFEST_LIMIT, Manifest};

/// Fetches the manifest of a tag or digest.
pub(super) async fn fetch(repository: &RegistryRepository<'_>, reference: &str) -> Asked<Manifest> {
    let question = repository.question(Method::GET, format!("manifests/{reference}"));
    let accept = |status| status == 200;
    repository
        .transport
        .ask(&question, accepted_types, accept, read)
        .await
}

/// Asks for the headers of the manifest of a tag or digest.
pub(super) async fn head(repository: &RegistryRepository<'_>, reference: &str) -> Head {
    let question = repository.question(Method::HEAD, format!("manifests/{reference}"));
    let read = async |answer: &mut Answer<'_>| {
        Ok(Head::Stated {
            content_type: answer.header(&CONTENT_TYPE).map(media_type),
            claimed: answer.header(&CONTENT_DIGEST).map(str::to_owned),
            length: content_length(answer),
        })
    };
    let accept = |status| status == 200;
    let asked = repository
        .transport
        .ask(&question, accepted_types, accept, read)
        .await;
    match (asked.answer, asked.status) {
        (Ok(head), _) => head,
        (Err(_), Some(405)) => Head::Unsaid,
        (Err(_), Some(status @ 400..=499)) if !is_transient(status) => Head::Refused(status),
        (Err(fault), _) => Head::Unanswered(fault.cause),
    }
}

fn accepted_types() -> HeaderMap {
    let types = quirks::distribution_answers_404_for_types_not_accepted();
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(types))])
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Reads a manifest from an answer.
pub(super) async fn read(answer: &mut Answer<'_>) -> Result<Manifest, Unread<Manifest>> {
    if answer.is_page() {
        return Err(page("manifest").into());
    }
    let content_type = answer.header(&CONTENT_TYPE).map(media_type);
    let claimed = answer.header(&CONTENT_DIGEST).map(str::to_owned);
    let body = read_body(answer).await;
    let manifest = |body| Manifest {
        body,
        content_type,
        claimed,
    };
    match body {
        Ok(body) => Ok(manifest(body)),
        Err(Unread {
            problem,
            otherwise,
            farther,
        }) => Err(Unread {
            problem,
            otherwise: otherwise.map(|(at, body)| (at, manifest(body))),
            farther,
        }),
    }
}

/// A media type without its parameters.
fn media_type(content_type: &str) -> String {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

async fn read_body(answer: &mut Answer<'_>) -> Result<Body, Unread<Body>> {
    let stated = content_length(answer);
    if stated.is_some_and(|length| length > MANIFEST_LIMIT as u64) {
        return match encoding(answer) {
            Some(encoding) => Err(encoded(&encoding).into()),
            None => Ok(Body::TooLarge),
        };
    }
    let (bytes, ended) = match answer.body(MANIFEST_LIMIT).await {
        Ok((bytes, more)) => (bytes, Ok(more)),
        Err((problem, bytes)) => (bytes, Err(problem)),
    };
    if let Some(encoding) = encoding(answer) {
        return Err(encoded(&encoding).into());
    }
    if looks_like_page(&bytes) {
        return Err(page("manifest").into());
    }
    judge(bytes, ended, stated.is_some())
}

/// Whether the bytes of a manifest are all of it. `ended` says whether there are more than were
/// read, or how the connection broke.
fn judge(
    bytes: Vec<u8>,
    ended: Result<bool, Problem>,
    has_stated_length: bool,
) -> Result<Body, Unread<Body>> {
    let received = bytes.len() as u64;
    // Without a stated length a broken connection looks like the end, so the document itself shows
    // whether it is complete.
    let is_whole = |bytes: &[u8]| !has_stated_length && is_document(bytes);
    match ended {
        Ok(true) => Ok(Body::TooLarge),
        Ok(false) if has_stated_length || is_document(&bytes) => Ok(Body::Whole(bytes)),
        Ok(false) => {
            let problem = Problem::new(ProblemKind::Cut, "the manifest ended too early");
            Err(Unread::ended(problem, received, Body::Whole(bytes)))
        }
        Err(problem) if problem.kind != ProblemKind::Cut => Err(problem.into()),
        Err(_) if is_whole(&bytes) => Ok(Body::Whole(bytes)),
        Err(problem) => Err(Unread::ended(problem, received, Body::Cut { received })),
    }
}

fn is_document(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&serde_json::value::RawValue>(bytes)
        .is_ok_and(|text| text.get().starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_whole_when_its_length_or_its_json_says_so() {
        let cut = || Err(Problem::new(ProblemKind::Cut, "cut"));
        let lost = || Err(Problem::new(ProblemKind::Connection, "lost"));
        let (whole, part) = (r#"{"a":1}"#, r#"{"a":"#);
        for (text, ended, has_stated_length, expected) in [
            (whole, Ok(false), true, "Ok(Whole"),
            (part, Ok(false), true, "Ok(Whole"),
            (whole, Ok(false), false, "Ok(Whole"),
            (part, Ok(false), false, "Err(Some((5, Whole"),
            (whole, Ok(true), false, "Ok(TooLarge"),
            (whole, cut(), false, "Ok(Whole"),
            (whole, cut(), true, "Err(Some((7, Cut { received: 7 }"),
            (part, cut(), false, "Err(Some((5, Cut { received: 5 }"),
            (whole, lost(), false, "Err(None"),
        ] {
            let judged = judge(text.as_bytes().to_vec(), ended, has_stated_length);
            let judged = format!("{:?}", judged.map_err(|unread| unread.otherwise));
            assert!(judged.starts_with(expected), "{text}: {judged}");
        }
    }

    #[test]
    fn a_media_type_loses_its_parameters() {
        assert_eq!(media_type(" Text/JSON ; charset=utf-8"), "text/json");
    }
}
