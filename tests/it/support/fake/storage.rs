//! The store behind a registry, to which it redirects for blobs: signed for one method, and
//! refusing any request with credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Registry;
use super::content::ranged;
use crate::support::http::message::Body;
use crate::support::http::{Reply, Request, Server};
use crate::support::image::Image;

/// What every URL carries in its query, and no output may show.
pub(crate) const SIGNATURE: &str = "X-Signature=c2lnbmVkLWJ5LXRlc3Rz";

/// A server that has blobs and knows nothing of registries.
pub(crate) struct Storage {
    server: Server,
    digests: Vec<String>,
}

impl Storage {
    /// With every blob of an image.
    pub(crate) fn of(image: &Image) -> Self {
        let blobs: BTreeMap<String, Arc<[u8]>> = image
            .contents()
            .filter(|(_, content)| !content.manifest)
            .map(|(digest, content)| (digest.to_owned(), Arc::clone(&content.bytes)))
            .collect();
        let digests = blobs.keys().cloned().collect();
        Self {
            server: Server::start(move |request| answer(&blobs, request)),
            digests,
        }
    }

    /// The server below it.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The signed URL of a blob.
    pub(crate) fn url(&self, digest: &str) -> String {
        self.server.url(&format!("/store/{digest}?{SIGNATURE}"))
    }

    /// Lets the registry redirect here for every blob, by any method.
    pub(crate) fn is_behind(&self, registry: &Registry) {
        for digest in &self.digests {
            registry
                .on("*", &format!("/blobs/{digest}"))
                .redirects_to(&self.url(digest));
        }
    }
}

fn answer(blobs: &BTreeMap<String, Arc<[u8]>>, request: &Request) -> Reply {
    let digest = request.path.strip_prefix("/store/").unwrap_or_default();
    if request.header("Authorization").is_some() {
        return Reply::ok(
            "application/xml",
            "<Error>Only one auth mechanism allowed</Error>",
        )
        .but_status(400);
    }
    if request.method != "GET" || request.query != SIGNATURE {
        return Reply::ok("application/xml", "<Error>SignatureDoesNotMatch</Error>")
            .but_status(403);
    }
    match blobs.get(digest) {
        Some(bytes) => ranged(request, &Body::Bytes(Arc::clone(bytes))),
        None => Reply::ok("application/xml", "<Error>NoSuchKey</Error>").but_status(404),
    }
}
