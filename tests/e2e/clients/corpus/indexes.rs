//! Whole images in their usual shapes, and indexes that list more, less or something else.

use serde_json::{Value, json};

use super::{Case, Mark, case, refused, set, unset};
use crate::clients::draft::{At, Draft, Part};
use crate::support::http::Reply;

fn children(index: &mut Value) -> &mut Vec<Value> {
    index["manifests"].as_array_mut().expect("it has children")
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = whole();
    cases.extend(listed());
    cases.extend(platforms());
    cases.extend(unreachable());
    cases
}

fn whole() -> Vec<Case> {
    vec![
        case("whole-index", "an OCI index of two platforms", |draft| {
            draft
        }),
        case("whole-manifest", "one OCI manifest", Draft::single),
        case("whole-docker-list", "a docker manifest list", Draft::docker),
        case("whole-docker-manifest", "one docker manifest", |draft| {
            draft.docker().single()
        }),
        case(
            "whole-attested",
            "an index with an attestation",
            Draft::attested,
        ),
        case(
            "nested-1",
            "linux/amd64 only behind an index in the index, whose descriptor names no platform",
            |draft| draft.nested(1).described(Part::Nested, unset("platform")),
        ),
        case(
            "nested-1-platform",
            "the same, and the inner index's descriptor names linux/amd64",
            |draft| {
                draft.nested(1).described(
                    Part::Nested,
                    set("platform", json!({"os": "linux", "architecture": "amd64"})),
                )
            },
        ),
        case(
            "nested-2",
            "linux/amd64 only behind two indexes in the index",
            |draft| draft.nested(2),
        ),
        case("single-arm64", "one manifest, of linux/arm64", |draft| {
            draft.single().platform("linux", "arm64")
        }),
        case(
            "single-windows",
            "one manifest, of windows/amd64",
            |draft| draft.single().platform("windows", "amd64"),
        ),
        case(
            "single-no-platform",
            "one manifest, whose config names no platform",
            |draft| {
                draft
                    .single()
                    .written(Part::Config, unset("os"))
                    .written(Part::Config, unset("architecture"))
            },
        ),
    ]
}

fn listed() -> Vec<Case> {
    vec![
        case("index-no-match", "an index without linux/amd64", |draft| {
            draft.written(Part::Root, |index| {
                children(index).remove(0);
            })
        }),
        case("index-empty", "`manifests: []`", |draft| {
            draft.written(Part::Root, set("manifests", json!([])))
        }),
        case("index-null", "`manifests: null`", |draft| {
            draft.written(Part::Root, set("manifests", Value::Null))
        }),
        case("index-no-manifests", "no `manifests`", |draft| {
            draft.written(Part::Root, unset("manifests"))
        }),
        case("index-manifests-object", "`manifests` an object", |draft| {
            draft.written(Part::Root, set("manifests", json!({})))
        }),
        case(
            "index-two-amd64-second-gone",
            "linux/amd64 listed twice, the second one gone",
            |draft| {
                draft
                    .written(Part::Root, |index| {
                        children(index)[1]["platform"]["architecture"] = "amd64".into();
                    })
                    .gone(Part::Other)
            },
        ),
        case(
            "index-two-amd64-first-gone",
            "linux/amd64 listed twice, the first one gone",
            |draft| {
                draft
                    .written(Part::Root, |index| {
                        children(index)[1]["platform"]["architecture"] = "amd64".into();
                        children(index).swap(0, 1);
                    })
                    .gone(Part::Other)
            },
        ),
    ]
}

fn platforms() -> Vec<Case> {
    vec![
        case(
            "index-no-platforms",
            "an index whose descriptors name no platforms",
            |draft| {
                draft
                    .described(Part::Manifest, unset("platform"))
                    .described(Part::Other, unset("platform"))
            },
        ),
        case(
            "index-no-platform-amd64",
            "only the descriptor of linux/amd64 names no platform",
            |draft| draft.described(Part::Manifest, unset("platform")),
        ),
        case(
            "index-platform-null",
            "`platform: null` for linux/amd64",
            |draft| draft.described(Part::Manifest, set("platform", Value::Null)),
        ),
        case(
            "index-platform-empty",
            "`platform: {}` for linux/amd64",
            |draft| draft.described(Part::Manifest, set("platform", json!({}))),
        ),
        case("index-platform-variant", "linux/amd64/v3 only", |draft| {
            draft.described(Part::Manifest, |descriptor| {
                descriptor["platform"]["variant"] = "v3".into();
            })
        }),
        case("index-platform-x86-64", "`architecture: x86_64`", |draft| {
            draft.described(Part::Manifest, |descriptor| {
                descriptor["platform"]["architecture"] = "x86_64".into();
            })
        }),
        case("index-platform-upper-case", "`os: Linux`", |draft| {
            draft.described(Part::Manifest, |descriptor| {
                descriptor["platform"]["os"] = "Linux".into();
            })
        }),
        case(
            "index-platform-lies",
            "the index says linux/amd64, the config linux/arm64",
            |draft| draft.written(Part::Config, set("architecture", "arm64")),
        ),
        case(
            "index-os-version-number",
            "`os.version` a number",
            |draft| {
                draft.described(Part::Manifest, |descriptor| {
                    descriptor["platform"]["os.version"] = 10.into();
                })
            },
        ),
        case("index-os-features-text", "`os.features` a text", |draft| {
            draft.described(Part::Manifest, |descriptor| {
                descriptor["platform"]["os.features"] = "sse4".into();
            })
        }),
        case(
            "other-os-version-number",
            "`os.version` of another platform a number",
            |draft| {
                draft.described(Part::Other, |descriptor| {
                    descriptor["platform"]["os.version"] = 10.into();
                })
            },
        ),
    ]
}

fn unreachable() -> Vec<Case> {
    let mut cases = vec![
        case("other-gone", "another platform's manifest gone", |draft| {
            draft.gone(Part::Other)
        }),
        case(
            "other-bad-digest",
            "another platform's digest malformed",
            |draft| draft.described(Part::Other, set("digest", "sha256:short")),
        ),
        case("attestation-gone", "the attestation gone", |draft| {
            draft.attested().gone(Part::Attestation)
        }),
        case("child-gone", "the manifest gone", |draft| {
            draft.gone(Part::Manifest)
        }),
        case(
            "child-empty-body",
            "the manifest answered with an empty body",
            |draft| draft.answers(At::Digest(Part::Manifest), "*", |_, reply| reply.body("")),
        ),
        case(
            "child-other-bytes",
            "other bytes than the manifest's digest says",
            |draft| {
                draft.answers(At::Digest(Part::Manifest), "GET", |_, reply| {
                    let mut text = reply.body_bytes();
                    text.push(b'\n');
                    reply.body(text)
                })
            },
        ),
        case(
            "root-gone-by-digest",
            "the tag there, the same index by digest gone",
            |draft| draft.gone(Part::Root),
        ),
        case(
            "root-manifest-gone-by-digest",
            "the tag there, the same manifest by digest gone",
            |draft| draft.single().gone(Part::Root),
        ),
        case("tag-gone", "the tag gone", |draft| {
            draft.answers(At::Tag, "*", |_, _| {
                Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            })
        }),
    ];
    for status in [401, 403, 429, 500, 503] {
        cases.push(
            case(
                format!("child-{status}"),
                format!("the manifest answered with {status}"),
                move |draft| {
                    draft.answers(At::Digest(Part::Manifest), "*", move |_, _| refused(status))
                },
            )
            .mark(Mark::Temporary),
        );
    }
    cases
}
