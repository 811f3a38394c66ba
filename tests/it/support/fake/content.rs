//! The right answer to a question about repositories, by
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>, as distribution gives
//! it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::uploads::{self, Uploads};
use crate::support::http::message::Body;
use crate::support::http::{Reply, Request};
use crate::support::image::{Content, DOCKER_LIST, DOCKER_MANIFEST, INDEX, Image, MANIFEST};

/// What a registry holds.
#[derive(Clone, Default)]
pub(crate) struct Repositories {
    held: BTreeMap<String, Repository>,
    /// Digests, tags and whole repositories that are known, and not there.
    absent: BTreeSet<String>,
    /// Where it can be written to.
    uploads: Option<Uploads>,
}

#[derive(Clone, Default)]
struct Repository {
    contents: BTreeMap<String, Content>,
    tags: BTreeMap<String, String>,
}

/// A request that no test expected.
pub(super) struct Unexpected;

impl Repositories {
    /// Stores everything of an image; a tag points to its root.
    pub(super) fn store(&mut self, name: &str, tag: Option<&str>, image: &Image) {
        let repository = self.held.entry(name.to_owned()).or_default();
        let contents = image
            .contents()
            .map(|(digest, content)| (digest.to_owned(), content.clone()));
        repository.contents.extend(contents);
        if let Some(tag) = tag {
            repository
                .tags
                .insert(tag.to_owned(), image.root().to_owned());
        }
    }

    /// Drops everything of a repository.
    pub(super) fn drop(&mut self, name: &str) {
        self.held.remove(name);
    }

    /// Forgets a digest, a tag or a repository: from now on the answer is 404.
    pub(super) fn lose(&mut self, what: &str) {
        self.absent.insert(what.to_owned());
    }

    /// Has it again.
    pub(super) fn find(&mut self, what: &str) {
        self.absent.remove(what);
    }

    /// Can be written to from now on; what it does not know is a plain 404.
    pub(super) fn be_writable(&mut self) {
        self.uploads.get_or_insert_default();
    }

    pub(super) fn is_writable(&self) -> bool {
        self.uploads.is_some()
    }

    /// How many uploads are open.
    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.as_ref().map_or(0, Uploads::open)
    }

    /// What a repository has under a digest.
    pub(super) fn has(&self, name: &str, digest: &str) -> Option<Content> {
        let is_absent = |what: &str| self.absent.contains(what);
        let held = self.held.get(name)?.contents.get(digest);
        held.filter(|_| !is_absent(name) && !is_absent(digest))
            .cloned()
    }

    /// The digest that a tag points to.
    pub(super) fn tagged(&self, name: &str, tag: &str) -> Option<String> {
        let held = self.held.get(name)?.tags.get(tag);
        held.filter(|_| !self.absent.contains(tag)).cloned()
    }

    /// Keeps content in a repository, and has it again wherever it was lost.
    pub(super) fn keep(&mut self, name: &str, digest: &str, content: Content) {
        let repository = self.held.entry(name.to_owned()).or_default();
        repository.contents.insert(digest.to_owned(), content);
        self.absent.remove(name);
        self.absent.remove(digest);
    }

    /// Points a tag to a digest.
    pub(super) fn tag(&mut self, name: &str, tag: &str, digest: &str) {
        let repository = self.held.entry(name.to_owned()).or_default();
        repository.tags.insert(tag.to_owned(), digest.to_owned());
        self.absent.remove(tag);
    }

    /// Drops a tag, or a digest with its tags, of a repository; whether it was there.
    pub(super) fn delete(&mut self, name: &str, what: &str) -> bool {
        let Some(repository) = self.held.get_mut(name) else {
            return false;
        };
        repository.tags.retain(|_, digest| digest != what);
        repository.tags.remove(what).is_some() || repository.contents.remove(what).is_some()
    }

    /// The right answer.
    pub(super) fn answer(&mut self, request: &Request) -> Result<Reply, Unexpected> {
        let is_reading = matches!(request.method.as_str(), "GET" | "HEAD");
        let reply = match self.uploads.take() {
            Some(mut uploads) if !is_reading => {
                let reply = uploads::answer(&mut uploads, self, request);
                self.uploads = Some(uploads);
                reply?
            }
            uploads => {
                self.uploads = uploads;
                self.route(request)?
            }
        };
        let reply = reply.header("Docker-Distribution-Api-Version", "registry/2.0");
        Ok(reply)
    }

    fn route(&self, request: &Request) -> Result<Reply, Unexpected> {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Err(Unexpected);
        }
        let path = request.path.strip_prefix("/v2/").ok_or(Unexpected)?;
        match path {
            "" => return Ok(Reply::json(&json!({}))),
            "_catalog" => {
                let names: Vec<&str> = self.held.keys().map(String::as_str).collect();
                return Ok(page(request, json!({}), "repositories", &names));
            }
            _ => {}
        }
        let (name, endpoint, last) = split(path).ok_or(Unexpected)?;
        let is_unknown = self.is_writable() && !self.held.contains_key(name);
        if self.absent.contains(name) || is_unknown {
            return Ok(Reply::error(
                404,
                "NAME_UNKNOWN",
                "repository name not known to registry",
            ));
        }
        let repository = self.held.get(name).ok_or(Unexpected)?;
        match endpoint {
            "manifests" => self.manifest(repository, request, last),
            "blobs" => self.blob(repository, request, last),
            "referrers" => Ok(referrers(
                repository,
                last,
                request.parameter("artifactType").as_deref(),
            )),
            "tags" if last == "list" => {
                let tags: Vec<&str> = repository.tags.keys().map(String::as_str).collect();
                Ok(page(request, json!({"name": name}), "tags", &tags))
            }
            _ => Err(Unexpected),
        }
    }

    /// The answer to a question for what was never there: a test that only reads says what it is.
    fn not_held(&self, unknown: Reply) -> Result<Reply, Unexpected> {
        if self.is_writable() {
            Ok(unknown)
        } else {
            Err(Unexpected)
        }
    }

    fn manifest(
        &self,
        repository: &Repository,
        request: &Request,
        wanted: &str,
    ) -> Result<Reply, Unexpected> {
        let unknown = || Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        let digest = repository.tags.get(wanted).map_or(wanted, String::as_str);
        if [wanted, digest]
            .iter()
            .any(|what| self.absent.contains(*what))
            || (is_referrers_tag(wanted) && !repository.tags.contains_key(wanted))
        {
            return Ok(unknown());
        }
        let Some(content) = repository.contents.get(digest) else {
            return self.not_held(unknown());
        };
        if !content.manifest {
            return Ok(unknown());
        }
        let known =
            [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].contains(&content.media_type.as_str());
        if known && !accepts(request, &content.media_type) {
            // So does distribution: a client that does not name the type gets a 404.
            return Ok(unknown());
        }
        let reply = Reply::ok(&content.media_type, content.bytes.to_vec())
            .header("Docker-Content-Digest", digest);
        Ok(reply)
    }

    fn blob(
        &self,
        repository: &Repository,
        request: &Request,
        digest: &str,
    ) -> Result<Reply, Unexpected> {
        let unknown = || Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
        if self.absent.contains(digest) {
            return Ok(unknown());
        }
        let Some(content) = repository.contents.get(digest) else {
            return self.not_held(unknown());
        };
        if content.manifest {
            return Ok(unknown());
        }
        Ok(ranged(request, &Body::Bytes(content.bytes.clone()))
            .header("Docker-Content-Digest", digest))
    }
}

/// `name/manifests/reference` in its parts; the name may have slashes of its own.
pub(super) fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (rest, last) = path.rsplit_once('/')?;
    let (name, endpoint) = rest.rsplit_once('/')?;
    Some((name, endpoint, last))
}

/// The tag under which a registry without the Referrers API keeps referrers: well known, and mostly
/// absent.
fn is_referrers_tag(tag: &str) -> bool {
    tag.starts_with("sha256-") || tag.starts_with("sha512-")
}

fn accepts(request: &Request, media_type: &str) -> bool {
    let accepted = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("accept"));
    accepted
        .flat_map(|(_, value)| value.split(','))
        .any(|item| {
            let item = item.split(';').next().unwrap_or_default().trim();
            item == media_type || item == "*/*"
        })
}

/// A body, or the part of it that the request wants
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-14>).
pub(crate) fn ranged(request: &Request, body: &Body) -> Reply {
    let whole = || {
        Reply::ok("application/octet-stream", "")
            .header("Accept-Ranges", "bytes")
            .content(body.clone())
    };
    let Some(range) = request
        .header("Range")
        .and_then(|range| range.strip_prefix("bytes="))
    else {
        return whole();
    };
    let Some((first, last)) = range.split_once('-') else {
        return whole();
    };
    let length = body.len();
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => (first, length.min(last + 1)),
        (Ok(first), Err(_)) => (first, length),
        (Err(_), Ok(count)) => (length.saturating_sub(count), length),
        (Err(_), Err(_)) => return whole(),
    };
    if start >= end {
        return Reply::error(416, "RANGE_INVALID", "no such range")
            .header("Content-Range", format!("bytes */{length}"));
    }
    whole()
        .but_status(206)
        .content(body.slice(start, end))
        .header(
            "Content-Range",
            format!("bytes {start}-{}/{length}", end - 1),
        )
}

fn referrers(repository: &Repository, subject: &str, artifact_type: Option<&str>) -> Reply {
    let manifests: Vec<Value> = repository
        .contents
        .iter()
        .filter(|(_, content)| content.manifest)
        .filter_map(|(digest, content)| {
            let document: Value = serde_json::from_slice(&content.bytes).ok()?;
            let kind = document["artifactType"]
                .as_str()
                .or(document["config"]["mediaType"].as_str());
            (document["subject"]["digest"] == subject
                && artifact_type.is_none_or(|wanted| kind == Some(wanted)))
            .then(|| {
                json!({
                    "mediaType": content.media_type,
                    "digest": digest,
                    "size": content.bytes.len(),
                    "artifactType": kind,
                })
            })
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    let reply = Reply::ok(INDEX, index.to_string());
    if artifact_type.is_some() {
        reply.header("OCI-Filters-Applied", "artifactType")
    } else {
        reply
    }
}

/// One page of a list, with a `Link` to the next; `n` and `last` as the client asked.
fn page(request: &Request, mut json: Value, key: &str, all: &[&str]) -> Reply {
    let last = request.parameter("last");
    let size = request
        .parameter("n")
        .and_then(|n| n.parse().ok())
        .unwrap_or(all.len());
    let rest: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| last.as_deref().is_none_or(|last| *name > last))
        .collect();
    let shown = &rest[..size.min(rest.len())];
    json[key] = shown.into();
    let reply = Reply::json(&json);
    match shown.last().filter(|_| shown.len() < rest.len()) {
        Some(last) => reply.header(
            "Link",
            format!("<{}?last={last}&n={size}>; rel=\"next\"", request.path),
        ),
        None => reply,
    }
}
