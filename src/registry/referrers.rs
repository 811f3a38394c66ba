//! Lists what refers to a manifest: by the Referrers API, the fallback tag and cosign's tags; see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>.

use oci_spec::image::Digest;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LINK};

use super::answer::Answer;
use super::failed::Unread;
use super::link::next_page;
use super::{RegistryRepository, manifest, quirks};
use crate::oci::media_type::OCI_INDEX;
use crate::oci::reference::{cosign_tags, referrers_tag};
use crate::walk::source::{Asked, FaultKind, Manifest, Referring};

/// How many pages of one list are read.
const MAX_PAGES: usize = 100;

/// Lists everything that refers to `digest`.
pub(super) async fn list(
    repository: &RegistryRepository<'_>,
    digest: &Digest,
) -> Asked<Vec<Referring>> {
    let repository = &RegistryRepository {
        may_be_absent: true,
        ..repository.clone()
    };
    let mut total = api(repository, digest).await;
    let is_unknown = total
        .answer
        .as_ref()
        .is_err_and(|fault| fault.kind == FaultKind::NotFound);
    if is_unknown || quirks::some_answer_400_or_406_without_the_referrers_api(total.status) {
        total.answer = Ok(Vec::new());
        add(
            &mut total,
            manifest::fetch(repository, &referrers_tag(digest)).await,
            Referring::List,
        );
    }
    for tag in cosign_tags(digest) {
        add(
            &mut total,
            manifest::fetch(repository, &tag).await,
            Referring::Tagged,
        );
    }
    total
}

/// Adds what a tag leads to. A tag that does not exist adds nothing, and the first fault stays.
fn add(total: &mut Asked<Vec<Referring>>, asked: Asked<Manifest>, what: fn(Manifest) -> Referring) {
    total.attempts += asked.attempts;
    total.duration += asked.duration;
    match (&mut total.answer, asked.answer) {
        (Ok(found), Ok(manifest)) => found.push(what(manifest)),
        (Ok(_), Err(fault)) if fault.kind != FaultKind::NotFound => total.answer = Err(fault),
        _ => return,
    }
    total.status = asked.status;
}

async fn api(repository: &RegistryRepository<'_>, digest: &Digest) -> Asked<Vec<Referring>> {
    let mut path = format!("referrers/{digest}");
    let mut pages = Vec::new();
    loop {
        let question = repository.question(Method::GET, path);
        let headers = || HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(OCI_INDEX))]);
        let read =
            async |answer: &mut Answer<'_>| -> Result<(Manifest, Option<String>), Unread<_>> {
                let next = answer.header(&LINK).and_then(next_page);
                let manifest = manifest::read(answer)
                    .await
                    .map_err(|unread| Unread::from(unread.problem))?;
                Ok((manifest, next))
            };
        let asked = repository
            .transport
            .ask(&question, headers, |status| status == 200, read)
            .await;
        let (status, attempts, duration) = (asked.status, asked.attempts, asked.duration);
        let done = |answer| Asked {
            answer,
            status,
            attempts,
            duration,
            appeared_after: None,
        };
        match asked.answer {
            Err(fault) => return done(Err(fault)),
            Ok((manifest, next)) => {
                pages.push(Referring::List(manifest));
                match next.filter(|_| pages.len() < MAX_PAGES) {
                    // Only the query is used, so that no registry can send us elsewhere.
                    Some(query) => path = format!("referrers/{digest}?{query}"),
                    None => return done(Ok(pages)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::walk::cause::Cause;
    use crate::walk::source::{Body, Fault};

    #[test]
    fn tags_add_up_and_the_first_fault_stays() {
        let asked = |answer: Result<Manifest, FaultKind>, status| {
            let answer = answer.map_err(|kind| Fault {
                kind,
                cause: Cause::Plain,
            });
            Asked {
                answer,
                status: Some(status),
                attempts: 2,
                duration: Duration::from_secs(3),
                appeared_after: None,
            }
        };
        let manifest = Manifest {
            body: Body::TooLarge,
            content_type: None,
            claimed: None,
        };
        let tags = [
            asked(Err(FaultKind::NotFound), 404),
            asked(Ok(manifest.clone()), 200),
            asked(Err(FaultKind::NotFound), 404),
            asked(Err(FaultKind::Denied), 403),
            asked(Err(FaultKind::Unavailable), 500),
            asked(Ok(manifest), 200),
        ];
        let mut total = Asked {
            answer: Ok(vec![]),
            status: None,
            attempts: 0,
            duration: Duration::ZERO,
            appeared_after: None,
        };
        let mut seen = Vec::new();
        for tag in tags {
            add(&mut total, tag, Referring::Tagged);
            seen.push((
                total
                    .answer
                    .as_ref()
                    .map(Vec::len)
                    .map_err(|fault| fault.kind),
                total.status,
            ));
        }
        let (found, denied) = ((Ok(1), Some(200)), (Err(FaultKind::Denied), Some(403)));
        assert_eq!(seen, [(Ok(0), None), found, found, denied, denied, denied]);
        assert_eq!((total.attempts, total.duration.as_secs()), (12, 18));
    }
}
