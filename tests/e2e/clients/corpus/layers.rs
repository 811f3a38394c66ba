//! Layers: what they are said to be, what they are, and how they are served.

use serde_json::json;

use super::{Case, Mark, case, refused, set};
use crate::clients::draft::{At, Draft, Part};
use crate::clients::layer::Packing;
use crate::support::fake::content;
use crate::support::http::message::Body;
use crate::support::http::{Break, Reply, Request, Server};
use crate::support::image::{DOCKER_LAYER, FOREIGN_LAYER, IN_TOTO, LAYER};

const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const DOCKER_PLAIN: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
const FOREIGN_PLAIN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
const FOREIGN_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
const ENCRYPTED: &str = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
const BZIP2: &str = "application/vnd.oci.image.layer.v1.tar+bzip2";
const UPPER_CASE: &str = "APPLICATION/VND.OCI.IMAGE.LAYER.V1.TAR+GZIP";
const HELM: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = types();
    cases.extend(packed());
    cases.extend(served());
    cases.extend(encoded());
    cases.extend(headed());
    cases.extend(refusals());
    cases.extend(redirected());
    cases.extend(numbers());
    cases
}

/// Both layers of a type.
fn all(draft: Draft, media_type: &'static str) -> Draft {
    draft.written(Part::Manifest, move |manifest| {
        for layer in manifest["layers"].as_array_mut().expect("it has layers") {
            layer["mediaType"] = media_type.into();
        }
    })
}

fn types() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, media_type) in [
        ("helm", "of a Helm chart's type", HELM),
        ("in-toto", "of the in-toto type", IN_TOTO),
        ("encrypted", "of an encrypted type", ENCRYPTED),
        ("bzip2", "of `tar+bzip2`", BZIP2),
        ("upper-case", "of the right type in upper case", UPPER_CASE),
    ] {
        cases.push(case(
            format!("layer-{name}"),
            format!("a layer {what}"),
            move |draft| draft.described(Part::Layer, set("mediaType", media_type)),
        ));
    }
    for (name, what, media_type, packing, others) in [
        ("foreign", "", FOREIGN_LAYER, Packing::Gzip, LAYER),
        (
            "foreign-plain",
            ", not packed",
            FOREIGN_PLAIN,
            Packing::Plain,
            PLAIN,
        ),
        (
            "foreign-zstd",
            ", packed by zstd",
            FOREIGN_ZSTD,
            Packing::Zstd,
            ZSTD,
        ),
        (
            "docker-foreign",
            " in docker's way",
            DOCKER_FOREIGN,
            Packing::Gzip,
            LAYER,
        ),
    ] {
        let typed = move |draft: Draft| {
            all(draft.packed(packing), others).written(Part::Manifest, move |manifest| {
                manifest["layers"][1]["mediaType"] = media_type.into();
            })
        };
        let urls = set("urls", json!(["http://127.0.0.1:1/nothing"]));
        cases.extend([
            case(
                format!("layer-{name}"),
                format!("a foreign layer{what}"),
                typed,
            ),
            case(
                format!("layer-{name}-gone"),
                format!("a foreign layer{what}, gone, without `urls`"),
                move |draft| typed(draft).gone(Part::Layer),
            ),
            case(
                format!("layer-{name}-urls-gone"),
                format!("a foreign layer{what}, gone, and nobody listens at its `urls`"),
                move |draft| {
                    typed(draft)
                        .described(Part::Layer, urls.clone())
                        .gone(Part::Layer)
                },
            ),
        ]);
    }
    cases
}

fn packed() -> Vec<Case> {
    let packed = |name: &str, what: &str, packing: Packing, media_type: &'static str| {
        case(
            format!("layers-{name}"),
            format!("layers {what}"),
            move |draft| all(draft.packed(packing), media_type),
        )
    };
    vec![
        packed("plain", "that are not packed", Packing::Plain, PLAIN),
        packed("zstd", "packed by zstd", Packing::Zstd, ZSTD),
        packed(
            "docker-plain",
            "that are not packed, of docker's type",
            Packing::Plain,
            DOCKER_PLAIN,
        ),
        packed(
            "docker-zstd",
            "packed by zstd, of docker's type",
            Packing::Zstd,
            DOCKER_ZSTD,
        ),
        packed(
            "docker-gzip",
            "packed by gzip, of docker's type",
            Packing::Gzip,
            DOCKER_LAYER,
        ),
        packed(
            "gzip-said-plain",
            "packed by gzip, said not to be",
            Packing::Gzip,
            PLAIN,
        )
        .mark(Mark::Inside),
        packed(
            "gzip-said-zstd",
            "packed by gzip, said to be by zstd",
            Packing::Gzip,
            ZSTD,
        )
        .mark(Mark::Inside),
        packed(
            "plain-said-gzip",
            "that are not packed, said to be by gzip",
            Packing::Plain,
            LAYER,
        )
        .mark(Mark::Inside),
        packed(
            "zstd-said-gzip",
            "packed by zstd, said to be by gzip",
            Packing::Zstd,
            LAYER,
        )
        .mark(Mark::Inside),
    ]
}

fn layer(
    name: &str,
    what: &str,
    answer: impl Fn(&Request, Reply) -> Reply + Send + Sync + Clone + 'static,
) -> Case {
    case(
        format!("layer-{name}"),
        format!("a layer {what}"),
        move |draft| draft.answers(At::Digest(Part::Layer), "*", answer.clone()),
    )
}

fn ranged(request: &Request) -> bool {
    request.header("Range").is_some()
}

fn served() -> Vec<Case> {
    let cut = |request: &Request, reply: Reply| {
        if request.method == "HEAD" {
            return reply;
        }
        if ranged(request) {
            // What is not on the disk cannot be sent.
            return reply.breaks_in_body(Break::Close, 0);
        }
        let half = reply.body_bytes().len() / 2;
        reply.breaks_in_body(Break::Close, half)
    };
    vec![
        case("layer-gone", "a layer gone", |draft| {
            draft.gone(Part::Layer)
        }),
        layer("emptied", "whose body never comes", |request, reply| {
            if request.method == "HEAD" {
                reply
            } else {
                reply.breaks_in_body(Break::Close, 0)
            }
        }),
        layer("empty-200", "answered with an empty body", |_, reply| {
            reply.but_status(200).body("")
        }),
        layer("cut", "cut short, where the registry knows `Range`", cut),
        layer("flipped", "with one byte changed", |request, reply| {
            let mut bytes = reply.body_bytes();
            if !ranged(request) && bytes.len() > 100 {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            reply.body(bytes)
        })
        .mark(Mark::Full),
        layer(
            "short-200",
            "that is half of what it should be, with a length that says so",
            |_, reply| {
                let bytes = reply.body_bytes();
                reply.body(&bytes[..bytes.len() / 2])
            },
        ),
        layer(
            "longer",
            "with more bytes than it should have",
            |request, reply| {
                let bytes = reply.body_bytes();
                if ranged(request) {
                    reply
                } else {
                    reply.body([&bytes[..], b"more"].concat())
                }
            },
        )
        .mark(Mark::Full),
    ]
}

/// Content as it was pushed, with an answer that claims that it is encoded.
fn encoded() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, part) in [
        ("layer", Part::Layer),
        ("config", Part::Config),
        ("manifest", Part::Manifest),
    ] {
        for encoding in ["gzip", "identity", "br"] {
            let case = case(
                format!("{name}-{encoding}-encoded"),
                format!("a {name} that says `Content-Encoding: {encoding}`"),
                move |draft| {
                    draft.answers(At::Digest(part), "*", move |_, reply| {
                        reply.header("Content-Encoding", encoding)
                    })
                },
            );
            cases.push(case.mark(if name == "manifest" {
                Mark::Temporary
            } else {
                Mark::Full
            }));
        }
    }
    cases
}

fn headed() -> Vec<Case> {
    vec![
        layer(
            "range-refused",
            "whose ranges answer 416, and whole it is there",
            |request, reply| {
                if ranged(request) {
                    Reply::status(416)
                } else {
                    reply
                }
            },
        ),
        layer("no-length", "without `Content-Length`", |_, reply| {
            reply.without("Content-Length")
        }),
        layer("head-404", "whose `HEAD` answers 404", |request, reply| {
            if request.method == "HEAD" {
                Reply::status(404)
            } else {
                reply
            }
        }),
        layer("html", "answered with a page of HTML", |_, _| {
            Reply::ok("text/html", "<html>Sign in</html>")
        })
        .mark(Mark::Temporary),
        case(
            "layer-cut-no-ranges",
            "a layer cut short, where the registry ignores `Range`",
            |draft| {
                draft
                    .without_ranges()
                    .answers(At::Digest(Part::Layer), "GET", |_, reply| {
                        let half = reply.body_bytes().len() / 2;
                        reply.breaks_in_body(Break::Close, half)
                    })
            },
        ),
        case(
            "layer-no-ranges",
            "a whole layer, where the registry ignores `Range`",
            Draft::without_ranges,
        ),
    ]
}

fn refusals() -> Vec<Case> {
    let mut cases = Vec::new();
    for status in [401, 403, 429, 500, 503] {
        cases.push(
            layer(
                &status.to_string(),
                &format!("answered with {status}"),
                move |_, _| refused(status),
            )
            .mark(Mark::Temporary),
        );
    }
    for status in [403, 404, 500] {
        let refused = layer(
            &format!("whole-{status}"),
            &format!("whose last byte is there, and whole it answers {status}"),
            move |request, reply| {
                if ranged(request) {
                    reply
                } else {
                    refused(status)
                }
            },
        );
        cases.push(if status == 404 {
            refused.mark(Mark::Full)
        } else {
            refused.mark(Mark::Full).mark(Mark::Temporary)
        });
    }
    cases
}

fn redirected() -> Vec<Case> {
    type Store = fn(&Request, Vec<u8>) -> Reply;
    let to = |name: &str, what: &str, store: Store| {
        let answer = move |request: &Request, reply: Reply| {
            let bytes = reply.body_bytes();
            if request.method == "HEAD" {
                return reply;
            }
            // It lives as long as the program: the client comes back for more.
            let stored = move |request: &Request| store(request, bytes.clone());
            let server = Box::leak(Box::new(Server::start(stored)));
            Reply::status(307).header("Location", server.url("/stored"))
        };
        case(
            format!("layer-{name}"),
            format!("a layer {what}"),
            // The store gets all of it, and knows ranges itself.
            move |draft| {
                draft
                    .without_ranges()
                    .answers(At::Digest(Part::Layer), "*", answer)
            },
        )
    };
    vec![
        to("redirected", "behind a redirect", |request, bytes| {
            content::ranged(request, &Body::Bytes(bytes.into()))
        }),
        to(
            "redirected-gone",
            "behind a redirect, gone there",
            |_, _| Reply::status(404),
        ),
        to("redirected-403", "behind a redirect, 403 there", |_, _| {
            Reply::status(403)
        })
        .mark(Mark::Temporary),
        to(
            "redirected-html",
            "behind a redirect, HTML there",
            |_, _| Reply::ok("text/html", "<html>Sign in</html>"),
        )
        .mark(Mark::Temporary),
    ]
}

fn numbers() -> Vec<Case> {
    vec![
        case("layer-twice", "the same layer twice", |draft| {
            draft
                .written(Part::Manifest, |manifest| {
                    let layer = manifest["layers"][1].clone();
                    manifest["layers"]
                        .as_array_mut()
                        .expect("it has layers")
                        .push(layer);
                })
                .written(Part::Config, |config| {
                    let id = config["rootfs"]["diff_ids"][1].clone();
                    config["rootfs"]["diff_ids"]
                        .as_array_mut()
                        .expect("it has them")
                        .push(id);
                })
        }),
        case("layer-no-tar", "a layer that is text", |draft| {
            draft.rewritten(Part::Layer, |_| b"this is no archive".repeat(50))
        })
        .mark(Mark::Inside),
        case(
            "layer-empty",
            "a layer of no bytes, with its right digest and size",
            |draft| draft.rewritten(Part::Layer, |_| Vec::new()),
        ),
        case(
            "layer-gzip-cut",
            "a layer whose gzip is not complete, with its right digest",
            |draft| draft.rewritten(Part::Layer, |bytes| bytes[..bytes.len() / 2].to_vec()),
        )
        .mark(Mark::Inside),
        case(
            "layer-gzip-trailing",
            "a layer with text after its gzip, with its right digest",
            |draft| draft.rewritten(Part::Layer, |bytes| [&bytes[..], b"more"].concat()),
        )
        .mark(Mark::Inside),
        case(
            "layer-gzip-checksum",
            "a layer whose gzip checksum is wrong, with its right digest",
            |draft| {
                draft.rewritten(Part::Layer, |mut bytes| {
                    let place = bytes.len() - 8;
                    bytes[place] ^= 1;
                    bytes
                })
            },
        )
        .mark(Mark::Inside),
    ]
}
