//! What is no image, at an image's tag.

use serde_json::{Value, json};

use super::documents::typed;
use super::{Case, Mark, case, set};
use crate::clients::draft::{Draft, Part};
use crate::support::image::{EMPTY_CONFIG, IN_TOTO, MANIFEST};

const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

/// A manifest whose config and layers are of other types.
fn artifact(
    draft: Draft,
    config: &'static str,
    layer: &'static str,
    content: &'static str,
) -> Draft {
    draft
        .single()
        .described(Part::Config, set("mediaType", config))
        .rewritten(Part::Config, move |_| content.as_bytes().to_vec())
        .written(Part::Manifest, move |manifest| {
            for listed in manifest["layers"].as_array_mut().expect("it has layers") {
                listed["mediaType"] = layer.into();
            }
        })
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = [artifacts(), tools()]
        .concat()
        .into_iter()
        .map(|case| case.mark(Mark::Artifact))
        .collect();
    cases.extend([
        case(
            "in-toto-beside-layers",
            "an in-toto layer beside a real one, both with diff ids",
            |draft| {
                draft
                    .single()
                    .described(Part::Layer, set("mediaType", IN_TOTO))
            },
        ),
        case(
            "image-with-artifact-type",
            "an image's config and layers, with `artifactType`",
            |draft| {
                draft
                    .single()
                    .written(Part::Manifest, set("artifactType", "application/x-thing"))
            },
        ),
        case(
            "signature-with-subject",
            "an image with a `subject` that is gone, at the tag",
            |draft| {
                let subject = json!({
                    "mediaType": MANIFEST, "digest": format!("sha256:{}", "3".repeat(64)), "size": 3
                });
                draft
                    .single()
                    .written(Part::Manifest, set("subject", subject))
            },
        ),
    ]);
    cases
}

fn artifacts() -> Vec<Case> {
    let unusual = "application/x-thing";
    vec![
        case("helm-chart", "a Helm chart", |draft| {
            artifact(
                draft,
                "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                r#"{"name":"chart","version":"1.0.0","apiVersion":"v2"}"#,
            )
        }),
        case(
            "artifact-empty-config",
            "an artifact as ORAS pushes it",
            move |draft| {
                artifact(draft, EMPTY_CONFIG, unusual, "{}")
                    .written(Part::Manifest, set("artifactType", unusual))
            },
        ),
        case(
            "artifact-custom-config",
            "an artifact with a config type of its own",
            move |draft| artifact(draft, "application/x-thing.config", unusual, "{}"),
        ),
        case(
            "artifact-no-layers",
            "an artifact without layers",
            move |draft| {
                artifact(draft, EMPTY_CONFIG, unusual, "{}")
                    .written(Part::Manifest, set("artifactType", unusual))
                    .written(Part::Manifest, set("layers", json!([])))
            },
        ),
    ]
}

fn tools() -> Vec<Case> {
    vec![
        case("wasm", "a WebAssembly module", |draft| {
            artifact(
                draft,
                "application/vnd.wasm.config.v0+json",
                "application/wasm",
                r#"{"os":"wasip1","architecture":"wasm"}"#,
            )
        }),
        case("cosign-signature", "a cosign signature", |draft| {
            draft.single().written(Part::Manifest, |manifest| {
                for listed in manifest["layers"].as_array_mut().expect("it has layers") {
                    listed["mediaType"] = "application/vnd.dev.cosign.simplesigning.v1+json".into();
                }
            })
        }),
        case("attestation-at-tag", "an attestation manifest", |draft| {
            draft
                .single()
                .rewritten(Part::Config, |bytes| {
                    let mut config: Value = serde_json::from_slice(&bytes).expect("it is JSON");
                    config["os"] = "unknown".into();
                    config["architecture"] = "unknown".into();
                    config.to_string().into_bytes()
                })
                .written(Part::Manifest, |manifest| {
                    for listed in manifest["layers"].as_array_mut().expect("it has layers") {
                        listed["mediaType"] = IN_TOTO.into();
                    }
                })
        }),
        case(
            "cache-image-manifest",
            "a build cache as an image manifest",
            |draft| {
                artifact(
                    draft,
                    CACHE_CONFIG,
                    crate::support::image::LAYER,
                    r#"{"layers":[],"records":[]}"#,
                )
            },
        ),
        case(
            "cache-index",
            "a build cache as an index of layers",
            |draft| {
                draft.written(Part::Root, |index| {
                    let layer = index["manifests"][0].clone();
                    index["manifests"] = json!([layer]);
                    index["manifests"][0]["mediaType"] = CACHE_CONFIG.into();
                    index["manifests"][0]
                        .as_object_mut()
                        .expect("it is one")
                        .remove("platform");
                })
            },
        ),
        case(
            "oci-artifact-manifest",
            "an OCI artifact manifest",
            |draft| {
                let media_type = "application/vnd.oci.artifact.manifest.v1+json";
                let draft = draft.single().written(Part::Manifest, move |manifest| {
                    *manifest = json!({
                        "mediaType": media_type,
                        "artifactType": "application/x-thing",
                        "blobs": manifest["layers"],
                    });
                });
                typed(draft, media_type)
            },
        ),
    ]
}
