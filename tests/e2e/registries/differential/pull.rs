//! Downloads everything of an image and hashes it. This decides what is right.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::digest::sha256;
use crate::support::distribution::Door;
use crate::support::http::client::Answer;
use crate::support::image::{Content, DOCKER_LIST, DOCKER_MANIFEST, INDEX, Image, MANIFEST};

/// What a download of one digest gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulled {
    /// Every byte of it.
    Whole,
    /// Every byte of a manifest, with another `Content-Type` than it was pushed with.
    Mistyped,
    /// 404.
    Absent,
    /// So many bytes as it should have, but others.
    Changed,
    /// Fewer bytes or more.
    Other,
    /// Another status, or no answer (0).
    Failing(u16),
}

/// What downloads give at one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Truth {
    /// Of the reference itself.
    pub(super) reference: Pulled,
    /// Of each digest of the image.
    pub(super) digests: BTreeMap<String, Pulled>,
    /// The blobs whose headers promise what they should.
    pub(super) promised: BTreeSet<String>,
}

/// Downloads the image that a tag or a digest names, and each digest that was pushed with it.
pub(super) fn everything(door: &Door, repository: &str, reference: &str, image: &Image) -> Truth {
    let mut truth = Truth {
        reference: resolved(door, repository, reference, image),
        digests: BTreeMap::new(),
        promised: BTreeSet::new(),
    };
    for digest in image.reachable() {
        let content = image.content(&digest).expect("it is in the image");
        let kind = if content.manifest {
            "manifests"
        } else {
            "blobs"
        };
        let path = format!("/v2/{repository}/{kind}/{digest}");
        let pulled = match ask(door, "GET", &path) {
            None => Pulled::Failing(0),
            Some(answer) => match judge(&answer, &digest, content.bytes.len()) {
                Pulled::Whole if content.manifest && !is_typed(&answer, content) => {
                    Pulled::Mistyped
                }
                pulled => pulled,
            },
        };
        let length = content.bytes.len().to_string();
        let fits = |answer: Answer| {
            answer.status == 200 && answer.header("Content-Length") == Some(&length)
        };
        if !content.manifest && ask(door, "HEAD", &path).is_some_and(fits) {
            truth.promised.insert(digest.clone());
        }
        truth.digests.insert(digest, pulled);
    }
    truth
}

/// As a client resolves it: by `HEAD`, whose type has to be a manifest's; the bytes have to be
/// those that the header names.
fn resolved(door: &Door, repository: &str, reference: &str, image: &Image) -> Pulled {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let (Some(head), Some(answer)) = (ask(door, "HEAD", &path), ask(door, "GET", &path)) else {
        return Pulled::Failing(0);
    };
    let root = image.content(image.root()).expect("an image has its root");
    let pulled = judge(&answer, image.root(), root.bytes.len());
    let claims = |answer: &Answer| {
        let claimed = answer.header("Docker-Content-Digest");
        claimed.is_none_or(|claimed| claimed == image.root()) && is_typed(answer, root)
    };
    match pulled {
        Pulled::Whole if head.status == 404 => Pulled::Absent,
        Pulled::Whole if head.status != 200 => Pulled::Failing(head.status),
        Pulled::Whole if !claims(&head) || !claims(&answer) => Pulled::Other,
        pulled => pulled,
    }
}

fn ask(door: &Door, method: &str, path: &str) -> Option<Answer> {
    let types = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
    let accept = types.map(|name| ("Accept", name));
    door.ask(method, path, &accept, &[]).ok()
}

fn is_typed(answer: &Answer, content: &Content) -> bool {
    answer.header("Content-Type") == Some(&content.media_type)
}

fn judge(answer: &Answer, digest: &str, length: usize) -> Pulled {
    match answer.status {
        200 if answer.cut => Pulled::Other,
        200 if sha256(&answer.body) == digest => Pulled::Whole,
        200 if answer.body.len() == length => Pulled::Changed,
        200 => Pulled::Other,
        404 => Pulled::Absent,
        status => Pulled::Failing(status),
    }
}
