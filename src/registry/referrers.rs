//! Who refers to a manifest from outside: the Referrers API, the fallback tag, and cosign's tags; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>.

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LINK};

use super::link::next_page;
use super::transport::{Answer, Question, Unread};
use super::{RegistryRepository, read_manifest};
use crate::image::media_type::OCI_INDEX;
use crate::source::{Asked, FaultKind, Manifest, Referring};

/// How many pages of one list are read.
const MAX_PAGES: usize = 100;

/// The ends of the tags under which cosign keeps signatures, attestations and SBOMs.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

/// Lists everything that refers to `digest`.
pub(super) async fn list(repository: &RegistryRepository<'_>, digest: &Digest) -> Asked<Vec<Referring>> {
    let mut total = api(repository, digest).await;
    let fallback = digest.to_string().replacen(':', "-", 1);
    let no_api = match &total.answer {
        Ok(found) => found.is_empty(),
        Err(fault) => fault.kind == FaultKind::NotFound || matches!(total.status, Some(400 | 405 | 406 | 501)),
    };
    if no_api {
        add(&mut total, repository.fetch_manifest(&fallback, true).await, Referring::List);
    }
    for end in COSIGN {
        add(&mut total, repository.fetch_manifest(&format!("{fallback}.{end}"), true).await, Referring::Tagged);
    }
    total
}

/// Adds what a tag leads to; a tag that is not there adds nothing.
fn add(total: &mut Asked<Vec<Referring>>, asked: Asked<Manifest>, what: fn(Manifest) -> Referring) {
    total.attempts += asked.attempts;
    total.duration += asked.duration;
    match asked.answer {
        Ok(manifest) => {
            total.status = asked.status;
            match &mut total.answer {
                Ok(found) => found.push(what(manifest)),
                Err(_) => total.answer = Ok(vec![what(manifest)]),
            }
        }
        Err(fault) if fault.kind == FaultKind::NotFound => {
            if total.answer.as_ref().is_err_and(|before| before.kind == FaultKind::NotFound) {
                total.answer = Ok(Vec::new());
            }
        }
        Err(fault) => {
            total.status = asked.status;
            total.answer = Err(fault);
        }
    }
}

async fn api(repository: &RegistryRepository<'_>, digest: &Digest) -> Asked<Vec<Referring>> {
    let mut path = format!("referrers/{digest}");
    let mut pages = Vec::new();
    loop {
        let question = Question { may_be_absent: true, ..repository.question(Method::GET, path) };
        let headers = || HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(OCI_INDEX))]);
        let read = async |answer: &mut Answer<'_>| -> Result<(Manifest, Option<String>), Unread<_>> {
            let next = answer.header(&LINK).and_then(next_page);
            let manifest = read_manifest(answer).await.map_err(|unread| Unread::from(unread.problem))?;
            Ok((manifest, next))
        };
        let asked = repository.transport.ask(&question, headers, |status| status == 200, read).await;
        let (status, attempts, duration) = (asked.status, asked.attempts, asked.duration);
        let done = |answer| Asked { answer, status, attempts, duration, appeared_after: None };
        match asked.answer {
            Err(fault) => return done(Err(fault)),
            Ok((manifest, next)) => {
                pages.push(Referring::List(manifest));
                match next.filter(|_| pages.len() < MAX_PAGES) {
                    // Only the query is taken over: a next page is at the same place, so nobody can send us elsewhere.
                    Some(query) => path = format!("referrers/{digest}?{query}"),
                    None => return done(Ok(pages)),
                }
            }
        }
    }
}
