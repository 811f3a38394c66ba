//! Descriptors: types, sizes, digests and everything else that they carry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Case, case, set, unset};
use crate::clients::draft::{Draft, Part};
use crate::support::digest::{sha384, sha512};
use crate::support::http::{Reply, Request, Server};
use crate::support::image::{DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, INDEX};

const PARTS: [(&str, Part); 3] = [
    ("child", Part::Manifest),
    ("config", Part::Config),
    ("layer", Part::Layer),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, part) in PARTS {
        cases.extend(types(word, part));
        cases.extend(sizes(word, part));
        cases.extend(digests(word, part));
        cases.extend(extras(word, part));
    }
    cases.extend(mixed());
    cases
}

fn described(
    name: String,
    what: String,
    part: Part,
    edit: impl Fn(&mut Value) + Send + Sync + Clone + 'static,
) -> Case {
    case(name, what, move |draft| draft.described(part, edit.clone()))
}

fn types(word: &str, part: Part) -> Vec<Case> {
    let docker = match part {
        Part::Config => DOCKER_CONFIG,
        Part::Layer => DOCKER_LAYER,
        _ => DOCKER_MANIFEST,
    };
    let named = |name: &str, what: &str, value: Value| {
        let what = format!("the {word}'s descriptor with {what}");
        described(
            format!("{word}-type-{name}"),
            what,
            part,
            set("mediaType", value),
        )
    };
    let mut cases = vec![
        described(
            format!("{word}-type-absent"),
            format!("the {word}'s descriptor without `mediaType`"),
            part,
            unset("mediaType"),
        ),
        named("empty", "an empty `mediaType`", "".into()),
        named(
            "docker",
            "docker's `mediaType`, everything else OCI's",
            docker.into(),
        ),
        named(
            "unknown",
            "an unknown `mediaType`",
            "application/x-unknown".into(),
        ),
        named(
            "octet-stream",
            "`application/octet-stream`",
            "application/octet-stream".into(),
        ),
        named("json", "`application/json`", "application/json".into()),
        named(
            "parameters",
            "a `mediaType` with parameters",
            format!("{docker}; a=b").into(),
        ),
    ];
    if part == Part::Manifest {
        cases.push(named("class", "an index's `mediaType`", INDEX.into()));
    }
    cases
}

fn sizes(word: &str, part: Part) -> Vec<Case> {
    let sized = |name: &str, what: &str, change: fn(u64) -> Value| {
        described(
            format!("{word}-size-{name}"),
            format!("the {word}'s descriptor with {what}"),
            part,
            move |descriptor| {
                let size = descriptor["size"].as_u64().expect("it has one");
                descriptor["size"] = change(size);
            },
        )
    };
    vec![
        described(
            format!("{word}-size-absent"),
            format!("the {word}'s descriptor without `size`"),
            part,
            unset("size"),
        ),
        sized("0", "`size: 0`", |_| 0.into()),
        sized("small", "a size that is one too small", |size| {
            (size - 1).into()
        }),
        sized("large", "a size that is one too large", |size| {
            (size + 1).into()
        }),
        sized("negative", "a negative size", |_| (-1).into()),
        sized("text", "the size in quotes", |size| size.to_string().into()),
        sized("fraction", "the size with a fraction", |size| {
            json!(f64::from(u32::try_from(size).unwrap()) + 0.5)
        }),
        sized("null", "`size: null`", |_| Value::Null),
    ]
}

fn digests(word: &str, part: Part) -> Vec<Case> {
    let digest = |name: &str, what: &str, change: fn(&str) -> Value| {
        described(
            format!("{word}-digest-{name}"),
            format!("the {word}'s descriptor with {what}"),
            part,
            move |descriptor| {
                descriptor["digest"] = change(descriptor["digest"].as_str().expect("it has one"));
            },
        )
    };
    let hashed = |name: &str, hash: fn(&[u8]) -> String| {
        case(
            format!("{word}-{name}"),
            format!("the {word} under its {name} digest"),
            move |draft| draft.hashed(part, hash),
        )
    };
    vec![
        hashed("sha512", sha512),
        hashed("sha384", sha384),
        digest("absent", "an empty digest", |_| "".into()),
        digest("upper-case", "the digest in upper case", |digest| {
            format!("sha256:{}", digest[7..].to_uppercase()).into()
        }),
        digest("short", "a digest that is too short", |digest| {
            digest[..40].into()
        }),
        digest("md5", "an md5 digest", |_| {
            format!("md5:{}", "0".repeat(32)).into()
        }),
        digest("number", "a digest that is a number", |_| 5.into()),
    ]
}

/// Puts the content of a blob or manifest into its descriptor.
fn inline(draft: Draft, part: Part, right: bool) -> Draft {
    draft.inline(part, move |bytes| {
        if right {
            STANDARD.encode(bytes)
        } else {
            STANDARD.encode("something else")
        }
    })
}

/// Sets `urls` to a server that answers so; it lives as long as the program.
fn elsewhere(
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> impl Fn(&mut Value) + Send + Sync + Clone {
    let server = Box::leak(Box::new(Server::start(answer)));
    set("urls", json!([server.url("/elsewhere")]))
}

fn extras(word: &str, part: Part) -> Vec<Case> {
    let with = |name: &str, what: &str, key: &'static str, value: Value| {
        let what = format!("the {word}'s descriptor with {what}");
        described(format!("{word}-{name}"), what, part, set(key, value))
    };
    let nobody = json!(["http://127.0.0.1:1/nothing"]);
    let (there, gone) = (set("urls", nobody.clone()), set("urls", nobody));
    vec![
        described(
            format!("{word}-urls"),
            format!("the {word} there, and nobody listens at its `urls`"),
            part,
            there,
        ),
        case(
            format!("{word}-urls-gone"),
            format!("the {word} gone, and nobody listens at its `urls`"),
            move |draft| draft.described(part, gone.clone()).gone(part),
        ),
        case(
            format!("{word}-urls-404"),
            format!("the {word} there, and its `urls` answer 404"),
            move |draft| draft.described(part, elsewhere(|_| Reply::status(404))),
        ),
        with(
            "urls-text",
            "`urls` a text",
            "urls",
            json!("http://127.0.0.1:1/nothing"),
        ),
        with(
            "descriptor-annotation-number",
            "an annotation that is a number",
            "annotations",
            json!({"a": 1}),
        ),
        with(
            "descriptor-annotation-odd",
            "odd annotation keys",
            "annotations",
            json!({"": "", "ä b": "x"}),
        ),
        with(
            "descriptor-artifact-type",
            "`artifactType`",
            "artifactType",
            json!("application/x-thing"),
        ),
        with(
            "data-not-base64",
            "`data` that is not base64",
            "data",
            json!("***"),
        ),
        with("data-number", "`data` a number", "data", json!(1)),
        case(
            format!("{word}-data-right"),
            format!("the {word} inline too"),
            move |draft| inline(draft, part, true),
        ),
        case(
            format!("{word}-data-right-gone"),
            format!("the {word} inline, and gone"),
            move |draft| inline(draft, part, true).gone(part),
        ),
        case(
            format!("{word}-data-wrong"),
            format!("other content inline than the {word}'s"),
            move |draft| inline(draft, part, false),
        ),
        case(
            format!("{word}-data-wrong-gone"),
            format!("other content inline, and the {word} gone"),
            move |draft| inline(draft, part, false).gone(part),
        ),
    ]
}

fn mixed() -> Vec<Case> {
    vec![
        case(
            "mixed-docker-child-in-oci-index",
            "a docker manifest in an OCI index",
            super::super::draft::Draft::docker_in_oci_index,
        ),
        case(
            "mixed-docker-layers-and-config",
            "an OCI manifest of docker's layers and config",
            |draft| {
                draft
                    .described(Part::Config, set("mediaType", DOCKER_CONFIG))
                    .described(Part::Layer, set("mediaType", DOCKER_LAYER))
            },
        ),
        case(
            "mixed-oci-config-in-docker",
            "a docker manifest with OCI's config type",
            |draft| {
                draft.docker().described(
                    Part::Config,
                    set("mediaType", crate::support::image::CONFIG),
                )
            },
        ),
        case(
            "mixed-oci-layer-in-docker",
            "a docker manifest with OCI's layer type",
            |draft| {
                draft
                    .docker()
                    .described(Part::Layer, set("mediaType", crate::support::image::LAYER))
            },
        ),
    ]
}
