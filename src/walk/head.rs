//! Whether a reference and its manifest are answered as clients need it: `HEAD` for containerd, and
//! the `Content-Type` that each of them reads.
//!
//! <https://github.com/containerd/containerd/blob/main/core/remotes/docker/resolver.go>

use oci_spec::image::Digest;

use crate::oci::client::{Client, Clients};
use crate::oci::kind::Kind;
use crate::oci::media_type;
use crate::oci::refusal;
use crate::walk::checked::Finding;
use crate::walk::source::Head;

pub(super) const PODMAN: Clients = Clients::of(&[Client::Podman]);
pub(super) const DOCKER: Clients = Clients::of(&[Client::Docker]);

/// What a reference was answered with.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    /// `Content-Type` without parameters.
    pub(super) content_type: Option<String>,
    /// What its bytes hash to, by each algorithm that a header may name.
    pub(super) digests: Vec<Digest>,
    /// `Docker-Content-Digest`.
    pub(super) claimed: Option<String>,
    /// In bytes.
    pub(super) length: u64,
    /// What it turned out to be.
    pub(super) kind: Kind,
    /// Its own `mediaType`; empty for none.
    pub(super) stated: String,
}

/// What is wrong with the answers to `HEAD` and `GET` of a reference.
pub(super) fn findings(delivered: &Delivered, head: &Head) -> Vec<Finding> {
    let fits = |content_type: Option<&str>| {
        let content_type = content_type.unwrap_or_default();
        match delivered.kind {
            Kind::Index => media_type::is_index(content_type),
            _ => media_type::is_image_manifest(content_type),
        }
    };
    let by_get = delivered.content_type.as_deref();
    let mut findings = Vec::new();
    let of_podman = refusal::of_delivery(delivered.kind, &delivered.stated, by_get, PODMAN);
    let mut refusing = if of_podman.is_empty() {
        Clients::NONE
    } else {
        PODMAN
    };
    match head {
        Head::Refused(status) => findings.push(Finding::HeadRefused(*status)),
        Head::Unanswered(cause) => {
            findings.push(Finding::HeadUnanswered(Box::new(cause.clone())));
        }
        Head::Stated {
            content_type,
            claimed: Some(claimed),
            length: Some(length),
        } => {
            let by_head = content_type.as_deref();
            findings.extend(other_digest(claimed, &delivered.digests));
            findings.extend(other_length(*length, delivered.length));
            match fits(by_head) {
                true => {}
                false if by_head == by_get => refusing = refusing.and(Clients::CONTAINERD),
                false => findings.push(Finding::HeadDisagrees {
                    header: "Content-Type",
                    head: by_head.unwrap_or("absent").into(),
                    get: by_get.unwrap_or("absent").into(),
                    stops: Clients::CONTAINERD,
                }),
            }
        }
        // Without `HEAD` the digest in the answer to `GET` counts.
        Head::Unsaid if is_claimed_otherwise(delivered) => {
            let claimed = delivered.claimed.as_deref().unwrap_or_default();
            findings.extend(other_digest(claimed, &delivered.digests));
        }
        // Without digest and length in the answer to `HEAD`, containerd goes by that to `GET`.
        Head::Unsaid | Head::Stated { .. } if !fits(by_get) => {
            refusing = refusing.and(Clients::CONTAINERD);
        }
        Head::Unsaid | Head::Stated { .. } => {}
    }
    findings.extend(lacking(head).map(Finding::HeadLacks));
    if !refusing.is_empty() {
        findings.push(Finding::ContentType {
            media_type: by_get.unwrap_or_default().into(),
            stops: refusing,
        });
    }
    findings
}

fn is_claimed_otherwise(delivered: &Delivered) -> bool {
    let is_other = |claimed: &String| {
        let is_it = |digest: &Digest| digest.as_ref() == claimed;
        !delivered.digests.iter().any(is_it)
    };
    delivered.claimed.as_ref().is_some_and(is_other)
}

/// A header that docker does not do without.
fn lacking(head: &Head) -> Option<&'static str> {
    match head {
        Head::Stated {
            content_type: None, ..
        } => Some("Content-Type"),
        Head::Stated {
            claimed: Some(_),
            length: None,
            ..
        } => Some("Content-Length"),
        _ => None,
    }
}

fn other_digest(claimed: &str, digests: &[Digest]) -> Option<Finding> {
    let is_right = digests.iter().any(|digest| digest.as_ref() == claimed);
    let actual = digests.first()?;
    (!is_right).then(|| Finding::HeadDisagrees {
        header: "Docker-Content-Digest",
        head: claimed.into(),
        get: actual.as_ref().into(),
        stops: DOCKER.and(Clients::CONTAINERD),
    })
}

fn other_length(length: u64, actual: u64) -> Option<Finding> {
    (length != actual).then(|| Finding::HeadDisagrees {
        header: "Content-Length",
        head: length.to_string().into(),
        get: actual.to_string().into(),
        stops: Clients::CONTAINERD,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest;
    use crate::oci::media_type::{DOCKER_LIST, OCI_INDEX, OCI_MANIFEST};
    use crate::walk::cause::Cause;

    const BYTES: &[u8] = b"{}";

    fn stated(content_type: &str) -> Head {
        Head::Stated {
            content_type: Some(content_type.into()),
            claimed: Some(digest::sha256(BYTES).to_string()),
            length: Some(BYTES.len() as u64),
        }
    }

    fn found(get: &str, head: &Head) -> Vec<(&'static str, Clients)> {
        let delivered = Delivered {
            content_type: Some(get.into()).filter(|text: &String| !text.is_empty()),
            digests: vec![digest::sha256(BYTES), digest::sha512(BYTES)],
            claimed: None,
            length: BYTES.len() as u64,
            kind: Kind::Index,
            stated: String::new(),
        };
        let found = findings(&delivered, head);
        found
            .iter()
            .map(|one| (one.as_str(), one.stops()))
            .collect()
    }

    #[test]
    fn heads_word_counts_where_it_is_complete() {
        let containerd = Clients::CONTAINERD;
        assert_eq!(found(OCI_INDEX, &stated(OCI_INDEX)), []);
        assert_eq!(found(OCI_INDEX, &stated(DOCKER_LIST)), []);
        assert_eq!(
            found("text/plain", &stated(OCI_INDEX)),
            [("content_type", PODMAN)]
        );
        assert_eq!(
            found("text/plain", &stated("text/plain")),
            [("content_type", PODMAN.and(containerd))]
        );
        for wrong in ["text/plain", OCI_MANIFEST] {
            assert_eq!(
                found(OCI_INDEX, &stated(wrong)),
                [("head_disagrees", containerd)]
            );
        }
        let incomplete = Head::Stated {
            content_type: None,
            claimed: None,
            length: Some(2),
        };
        for (unsaid, lacks) in [
            (Head::Unsaid, vec![]),
            (incomplete, vec![("head_lacks", DOCKER)]),
        ] {
            assert_eq!(found(OCI_INDEX, &unsaid), lacks);
            let refused = ("content_type", PODMAN.and(containerd));
            assert_eq!(found("", &unsaid).pop(), Some(refused));
        }
    }

    #[test]
    fn a_refused_or_contradicting_head_stops_containerd() {
        let contradicting = |claimed: &str, length| Head::Stated {
            content_type: Some(OCI_INDEX.into()),
            claimed: Some(claimed.into()),
            length: Some(length),
        };
        let right = digest::sha256(BYTES);
        assert_eq!(
            found(OCI_INDEX, &contradicting(digest::sha512(BYTES).as_ref(), 2)),
            []
        );
        let other = digest::sha256(b"other");
        let both = DOCKER.and(Clients::CONTAINERD);
        for (head, word, stops) in [
            (Head::Refused(403), "head_refused", Clients::CONTAINERD),
            (
                Head::Unanswered(Cause::Plain),
                "head_unanswered",
                Clients::CONTAINERD,
            ),
            (contradicting(other.as_ref(), 2), "head_disagrees", both),
            (contradicting("nonsense", 2), "head_disagrees", both),
            (
                contradicting(right.as_ref(), 3),
                "head_disagrees",
                Clients::CONTAINERD,
            ),
        ] {
            assert_eq!(found(OCI_INDEX, &head), [(word, stops)]);
        }
    }
}
