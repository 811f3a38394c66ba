//! The writing half of a registry: uploads, mounts, manifests and deletions, by
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>, as distribution
//! answers them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::content::{Repositories, Unexpected, split};
use crate::support::digest::sha256;
use crate::support::http::{Reply, Request};
use crate::support::image::Content;

/// What is open, and what was taken.
#[derive(Clone, Default)]
pub(super) struct Uploads {
    /// By the path of the session.
    open: BTreeMap<String, Vec<u8>>,
    opened: usize,
}

impl Uploads {
    /// How many sessions are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }
}

/// Which repository a request is about, and what of it.
pub(super) fn written(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    match path.split_once("/blobs/uploads/") {
        Some((name, _)) => Some((name, "uploads")),
        None => split(path).map(|(name, endpoint, _)| (name, endpoint)),
    }
}

/// The answer to a request that writes.
pub(super) fn answer(
    uploads: &mut Uploads,
    held: &mut Repositories,
    request: &Request,
) -> Result<Reply, Unexpected> {
    let (name, endpoint) = written(&request.path).ok_or(Unexpected)?;
    let last = request.path.rsplit('/').next().unwrap_or_default();
    let reply = match (request.method.as_str(), endpoint) {
        ("POST", "uploads") => match mounted(held, name, request) {
            Some(reply) => reply,
            None => open(uploads, request),
        },
        ("PATCH", "uploads") => append(uploads, request),
        ("PUT", "uploads") => complete(uploads, held, name, request),
        ("DELETE", "uploads") => match uploads.open.remove(&request.path) {
            Some(_) => Reply::status(204),
            None => unknown_session(),
        },
        ("PUT", "manifests") => put(held, name, last, request),
        ("DELETE", "manifests" | "blobs") if held.delete(name, last) => Reply::status(202),
        ("DELETE", "manifests") => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        ("DELETE", "blobs") => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        _ => return Err(Unexpected),
    };
    Ok(reply)
}

fn unknown_session() -> Reply {
    Reply::error(
        404,
        "BLOB_UPLOAD_UNKNOWN",
        "blob upload unknown to registry",
    )
}

fn invalid_digest() -> Reply {
    let message = "provided digest did not match uploaded content";
    Reply::error(400, "DIGEST_INVALID", message)
}

fn created(place: &str, digest: &str) -> Reply {
    Reply::status(201)
        .header("Location", place)
        .header("Docker-Content-Digest", digest)
}

/// Takes a blob from the repository that the request names, if that has it.
fn mounted(held: &mut Repositories, name: &str, request: &Request) -> Option<Reply> {
    let (digest, from) = (request.parameter("mount")?, request.parameter("from")?);
    let content = held
        .has(&from, &digest)
        .filter(|content| !content.manifest)?;
    held.keep(name, &digest, content);
    Some(created(&format!("/v2/{name}/blobs/{digest}"), &digest))
}

fn open(uploads: &mut Uploads, request: &Request) -> Reply {
    uploads.opened += 1;
    let path = format!("{}{}", request.path, uploads.opened);
    uploads.open.insert(path.clone(), Vec::new());
    at(&path, 0)
}

/// 202 for a session that has so many bytes; the state in its query must come back.
fn at(path: &str, length: usize) -> Reply {
    Reply::status(202)
        .header("Location", format!("{path}?_state={}", state(path)))
        .header(
            "Docker-Upload-UUID",
            path.rsplit('/').next().unwrap_or_default(),
        )
        .header("Range", format!("0-{}", length.saturating_sub(1)))
}

fn state(path: &str) -> String {
    sha256(path.as_bytes()).replace("sha256:", "")
}

/// The bytes of the session that a request is about, with those that it brings.
fn received<'a>(uploads: &'a mut Uploads, request: &Request) -> Option<&'a mut Vec<u8>> {
    let has_state = request.parameter("_state") == Some(state(&request.path));
    let bytes = uploads.open.get_mut(&request.path).filter(|_| has_state)?;
    bytes.extend_from_slice(&request.body);
    Some(bytes)
}

fn append(uploads: &mut Uploads, request: &Request) -> Reply {
    match received(uploads, request) {
        Some(bytes) => at(&request.path, bytes.len()),
        None => unknown_session(),
    }
}

fn complete(
    uploads: &mut Uploads,
    held: &mut Repositories,
    name: &str,
    request: &Request,
) -> Reply {
    let Some(bytes) = received(uploads, request) else {
        return unknown_session();
    };
    let bytes = std::mem::take(bytes);
    let digest = sha256(&bytes);
    uploads.open.remove(&request.path);
    if request.parameter("digest").as_ref() != Some(&digest) {
        return invalid_digest();
    }
    let content = Content {
        media_type: "application/octet-stream".to_owned(),
        bytes: bytes.into(),
        manifest: false,
    };
    held.keep(name, &digest, content);
    created(&format!("/v2/{name}/blobs/{digest}"), &digest)
}

/// Keeps a manifest if all that it lists is there.
fn put(held: &mut Repositories, name: &str, place: &str, request: &Request) -> Reply {
    let digest = sha256(&request.body);
    let is_digest = place.contains(':');
    if is_digest && place != digest {
        return invalid_digest();
    }
    let Ok(document) = serde_json::from_slice::<Value>(&request.body) else {
        return Reply::error(400, "MANIFEST_INVALID", "manifest invalid");
    };
    let missing = children(&document)
        .into_iter()
        .find(|child| held.has(name, child).is_none());
    if let Some(child) = missing {
        let message = format!("blob unknown to registry: {child}");
        return Reply::error(400, "MANIFEST_BLOB_UNKNOWN", &message);
    }
    let content = Content {
        media_type: request
            .header("Content-Type")
            .unwrap_or_default()
            .to_owned(),
        bytes: request.body.clone().into(),
        manifest: true,
    };
    held.keep(name, &digest, content);
    if !is_digest {
        held.tag(name, place, &digest);
    }
    created(&format!("/v2/{name}/manifests/{digest}"), &digest)
}

fn children(document: &Value) -> Vec<String> {
    let lists = ["manifests", "layers"].map(|key| document[key].as_array());
    let listed = lists.into_iter().flatten().flatten();
    listed
        .chain(document.get("config"))
        .filter_map(|child| child["digest"].as_str().map(str::to_owned))
        .collect()
}
