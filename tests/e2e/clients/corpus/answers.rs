//! What the registry answers about the tag and the manifests: statuses and headers.

use super::{Case, Mark, case, refused};
use crate::clients::draft::{At, Draft, Part};
use crate::support::digest::sha256;
use crate::support::http::Reply;
use crate::support::image::{DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(gets());
    cases.extend(types());
    cases
}

fn head(
    name: &str,
    what: &str,
    change: impl Fn(Reply) -> Reply + Send + Sync + Clone + 'static,
) -> Case {
    case(name, what, move |draft| {
        let change = change.clone();
        draft.answers(At::Tag, "HEAD", move |_, reply| change(reply))
    })
}

fn heads() -> Vec<Case> {
    let mut cases = Vec::new();
    for status in [400, 401, 403, 404, 405, 406, 410, 429, 500, 501, 503] {
        let what = format!("`HEAD` of the tag answers {status}, `GET` is fine");
        let case = head(&format!("head-{status}"), &what, move |_| refused(status));
        let temporary = status == 401 || status == 429 || status >= 500;
        cases.push(if temporary {
            case.mark(Mark::Temporary)
        } else {
            case
        });
    }
    cases.extend([
        head(
            "head-no-type",
            "`HEAD` of the tag without `Content-Type`",
            |reply| reply.without("Content-Type"),
        ),
        head(
            "head-no-digest",
            "`HEAD` of the tag without `Docker-Content-Digest`",
            |reply| reply.without("Docker-Content-Digest"),
        ),
        head(
            "head-no-length",
            "`HEAD` of the tag without `Content-Length`",
            |reply| reply.without("Content-Length"),
        ),
        head(
            "head-length-0",
            "`HEAD` of the tag with `Content-Length: 0`",
            |reply| reply.header("Content-Length", "0"),
        ),
        head(
            "head-length-too-large",
            "`HEAD` of the tag with a larger `Content-Length`",
            |reply| reply.header("Content-Length", "9999"),
        ),
        head(
            "head-no-length-no-digest",
            "`HEAD` of the tag without length and digest",
            |reply| {
                reply
                    .without("Content-Length")
                    .without("Docker-Content-Digest")
            },
        ),
        head(
            "head-other-digest",
            "`HEAD` of the tag with a digest that does not exist",
            |reply| {
                reply.but_header(
                    "Docker-Content-Digest",
                    format!("sha256:{}", "0".repeat(64)),
                )
            },
        ),
        head(
            "head-bad-digest",
            "`HEAD` of the tag with a malformed digest",
            |reply| reply.but_header("Docker-Content-Digest", "sha256:nothing"),
        ),
        head(
            "head-other-type",
            "`HEAD` of the tag with a manifest's type, `GET` with the index's",
            |reply| reply.but_header("Content-Type", MANIFEST),
        ),
        head(
            "head-docker-type",
            "`HEAD` of the tag with docker's type, `GET` with OCI's",
            |reply| reply.but_header("Content-Type", DOCKER_LIST),
        ),
        head(
            "head-text-type",
            "`HEAD` of the tag as text/plain, `GET` as an index",
            |reply| reply.but_header("Content-Type", "text/plain"),
        ),
    ]);
    cases
}

fn gets() -> Vec<Case> {
    let get = |name: &str, what: &str, change: fn(Reply) -> Reply| {
        case(name, what, move |draft| {
            draft.answers(At::Tag, "GET", move |_, reply| change(reply))
        })
    };
    let both = |name: &str, what: &str, change: fn(Reply) -> Reply| {
        case(name, what, move |draft| {
            draft
                .answers(At::Tag, "*", move |_, reply| change(reply))
                .answers(At::Digest(Part::Root), "*", move |_, reply| change(reply))
        })
    };
    vec![
        get(
            "get-tag-404",
            "`GET` of the tag answers 404, `HEAD` is fine",
            |_| Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        ),
        get(
            "get-tag-403",
            "`GET` of the tag answers 403, `HEAD` is fine",
            |_| Reply::error(403, "DENIED", "denied"),
        )
        .mark(Mark::Temporary),
        get(
            "get-tag-500",
            "`GET` of the tag answers 500, `HEAD` is fine",
            |_| Reply::status(500),
        )
        .mark(Mark::Temporary),
        get(
            "get-tag-other-digest",
            "`GET` of the tag with another `Docker-Content-Digest`",
            |reply| {
                reply.but_header(
                    "Docker-Content-Digest",
                    format!("sha256:{}", "0".repeat(64)),
                )
            },
        ),
        get(
            "get-tag-no-digest",
            "`GET` of the tag without `Docker-Content-Digest`",
            |reply| reply.without("Docker-Content-Digest"),
        ),
        both(
            "no-digest",
            "no `Docker-Content-Digest` anywhere",
            |reply| reply.without("Docker-Content-Digest"),
        ),
        both("no-length", "manifests without `Content-Length`", |reply| {
            reply.without("Content-Length")
        }),
        both("chunked", "manifests in chunks", Reply::chunked),
        case(
            "tag-moved",
            "`GET` of the tag answers a newer index than `HEAD`, in every respect",
            |draft| {
                draft.answers(At::Tag, "GET", |_, reply| {
                    let mut bytes = reply.body_bytes();
                    bytes.push(b'\n');
                    reply
                        .but_header("Docker-Content-Digest", sha256(&bytes))
                        .body(bytes)
                })
            },
        ),
    ]
}

/// A `Content-Type`, or none.
type Stated = (&'static str, &'static str, Option<&'static str>);

const TYPES: [Stated; 7] = [
    ("text", "`text/plain`", Some("text/plain")),
    (
        "octet-stream",
        "`application/octet-stream`",
        Some("application/octet-stream"),
    ),
    ("json", "`application/json`", Some("application/json")),
    ("none", "no `Content-Type`", None),
    (
        "parameters",
        "the right type with `; charset=utf-8`",
        Some("parameters"),
    ),
    ("docker", "docker's type", Some("docker")),
    (
        "class",
        "the type of the other class (manifest for index, index for manifest)",
        Some("class"),
    ),
];

fn typed(reply: Reply, stated: Option<&str>) -> Reply {
    let right = reply
        .get_header("Content-Type")
        .unwrap_or_default()
        .to_owned();
    match stated {
        None => reply.without("Content-Type"),
        Some("parameters") => reply.but_header("Content-Type", format!("{right}; charset=utf-8")),
        Some("docker") if right == INDEX => reply.but_header("Content-Type", DOCKER_LIST),
        Some("docker") => reply.but_header("Content-Type", DOCKER_MANIFEST),
        Some("class") if right == INDEX => reply.but_header("Content-Type", MANIFEST),
        Some("class") => reply.but_header("Content-Type", INDEX),
        Some(other) => reply.but_header("Content-Type", other),
    }
}

fn types() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, stated) in TYPES {
        let at = move |draft: Draft, places: &[At]| {
            places.iter().fold(draft, |draft, place| {
                draft.answers(*place, "*", move |_, reply| typed(reply, stated))
            })
        };
        let (tag, root) = (At::Tag, At::Digest(Part::Root));
        cases.extend([
            case(
                format!("type-tag-{name}"),
                format!("index by tag: {what}"),
                move |draft| at(draft, &[tag]),
            ),
            case(
                format!("type-digest-{name}"),
                format!("index by digest: {what}"),
                move |draft| at(draft, &[root]),
            ),
            case(
                format!("type-both-{name}"),
                format!("index by tag and digest: {what}"),
                move |draft| at(draft, &[tag, root]),
            ),
            case(
                format!("type-child-{name}"),
                format!("child manifest: {what}"),
                move |draft| at(draft, &[At::Digest(Part::Manifest)]),
            ),
            case(
                format!("type-single-{name}"),
                format!("one manifest by tag and digest: {what}"),
                move |draft| at(draft.single(), &[tag, root]),
            ),
        ]);
    }
    cases
}
