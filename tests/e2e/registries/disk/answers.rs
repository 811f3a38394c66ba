//! What a registry delivers that was started anew, asked with plain requests.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::digest::sha256;
use crate::support::distribution::Distribution;
use crate::support::http::client::ask;
use crate::support::image::{DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Manifest,
    Blob,
}

/// What the digests of a repository are answered with that tags lead to: the bytes, where they are
/// the right ones, or the status.
pub(super) type Answers = BTreeMap<(Kind, String), Result<Vec<u8>, u16>>;

/// One answer.
pub(super) fn to(
    registry: &Distribution,
    repository: &str,
    kind: Kind,
    digest: &str,
) -> Result<Vec<u8>, u16> {
    let kind = match kind {
        Kind::Manifest => "manifests",
        Kind::Blob => "blobs",
    };
    let (status, body) = get(registry, &format!("{repository}/{kind}/{digest}"));
    if status == 200 && sha256(&body) == digest {
        Ok(body)
    } else {
        Err(status)
    }
}

/// The digest of what a tag is answered with.
pub(super) fn to_tag(registry: &Distribution, repository: &str, tag: &str) -> Result<String, u16> {
    match get(registry, &format!("{repository}/manifests/{tag}")) {
        (200, body) => Ok(sha256(&body)),
        (status, _) => Err(status),
    }
}

/// Asks for these manifests, and for everything that is found below them.
pub(super) fn below(registry: &Distribution, repository: &str, roots: &[String]) -> Answers {
    let mut answers = Answers::new();
    let mut next: Vec<_> = roots
        .iter()
        .map(|root| (Kind::Manifest, root.clone()))
        .collect();
    while let Some((kind, digest)) = next.pop() {
        if answers.contains_key(&(kind, digest.clone())) {
            continue;
        }
        let answer = to(registry, repository, kind, &digest);
        if let (Kind::Manifest, Ok(bytes)) = (kind, &answer) {
            next.extend(children(bytes));
        }
        answers.insert((kind, digest), answer);
    }
    answers
}

pub(super) fn children(bytes: &[u8]) -> Vec<(Kind, String)> {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let listed = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let digest = |value: &Value| value["digest"].as_str().map(str::to_owned);
    let manifests = listed("manifests");
    let manifests = manifests.iter().filter_map(digest);
    let blobs = listed("layers")
        .into_iter()
        .chain([document["config"].clone()]);
    let blobs: Vec<String> = blobs.filter_map(|blob| digest(&blob)).collect();
    manifests
        .map(|digest| (Kind::Manifest, digest))
        .chain(blobs.into_iter().map(|digest| (Kind::Blob, digest)))
        .collect()
}

fn get(registry: &Distribution, path: &str) -> (u16, Vec<u8>) {
    let types = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
    let accept = types.map(|name| ("Accept", name));
    let url = format!("http://{}/v2/{path}", registry.host());
    match ask("GET", &url, &accept, &[]) {
        Ok(answer) if !answer.cut => (answer.status, answer.body),
        _ => (0, Vec::new()),
    }
}
