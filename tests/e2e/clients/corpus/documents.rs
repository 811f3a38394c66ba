//! Manifests and indexes as JSON: types, versions, sizes and stray keys.

use serde_json::{Value, json};

use super::{Case, case, rows, set, unset};
use crate::clients::draft::{Draft, Part};
use crate::support::image::{DOCKER_LIST, DOCKER_MANIFEST, INDEX, MANIFEST};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (word, part) in [("index", Part::Root), ("manifest", Part::Manifest)] {
        cases.extend(types(word, part));
        cases.extend(values(word, part));
        cases.extend(texts(word, part));
        cases.extend(sizes(word, part));
    }
    cases.extend(parts());
    cases.extend(subjects());
    cases.push(case(
        "both-index-and-manifest",
        "a manifest that also lists `manifests`",
        |draft| draft.written(Part::Manifest, set("manifests", json!([]))),
    ));
    cases.push(case(
        "both-manifest-and-index",
        "an index that also has `config` and `layers`",
        |draft| {
            draft.written(Part::Root, |index| {
                index["config"] = index["manifests"][0].clone();
                index["layers"] = json!([]);
            })
        },
    ));
    cases.push(case(
        "both-single",
        "at the tag, a manifest that also lists `manifests`",
        |draft| {
            draft
                .single()
                .written(Part::Manifest, set("manifests", json!([])))
        },
    ));
    cases.push(case(
        "single-no-media-type",
        "at the tag, a manifest without `mediaType`",
        |draft| draft.single().written(Part::Manifest, unset("mediaType")),
    ));
    cases.push(case("schema-1", "a schema 1 manifest", |draft| {
        let draft = draft.single().written(Part::Manifest, |manifest| {
            let history = r#"{"id":"0","architecture":"amd64","os":"linux"}"#;
            *manifest = json!({"schemaVersion": 1, "name": "x", "tag": "v", "architecture": "amd64",
                "fsLayers": [{"blobSum": manifest["layers"][0]["digest"]}],
                "history": [{"v1Compatibility": history}]});
        });
        typed(
            draft,
            "application/vnd.docker.distribution.manifest.v1+json",
        )
    }));
    cases
}

/// With a `Content-Type` for the root.
pub(super) fn typed(draft: Draft, stated: &'static str) -> Draft {
    use crate::clients::draft::At;
    draft
        .answers(At::Tag, "*", move |_, reply| {
            reply.but_header("Content-Type", stated)
        })
        .answers(At::Digest(Part::Root), "*", move |_, reply| {
            reply.but_header("Content-Type", stated)
        })
}

fn types(word: &str, part: Part) -> Vec<Case> {
    let index = part == Part::Root;
    let docker = if index { DOCKER_LIST } else { DOCKER_MANIFEST };
    let wrong = if index { MANIFEST } else { INDEX };
    let named = |name: &str, what: &str, value: Value| {
        case(
            format!("{word}-media-type-{name}"),
            format!("the {word}'s `mediaType` {what}"),
            move |draft| draft.written(part, set("mediaType", value.clone())),
        )
    };
    vec![
        case(
            format!("{word}-media-type-absent"),
            format!("the {word} without `mediaType`"),
            move |draft| draft.written(part, unset("mediaType")),
        ),
        named("empty", "empty", "".into()),
        named("null", "null", Value::Null),
        named("number", "a number", 2.into()),
        named("docker", "docker's, everything else OCI's", docker.into()),
        named("class", "of the other class", wrong.into()),
        named("unknown", "unknown", "application/x-unknown".into()),
    ]
}

/// Keys of an index or a manifest and their values, as [`rows`] reads them.
const VALUES: &str = r#"
schema-1 | `schemaVersion: 1` | schemaVersion | 1
schema-3 | `schemaVersion: 3` | schemaVersion | 3
schema-text | `schemaVersion: "2"` | schemaVersion | "2"
schema-fraction | `schemaVersion: 2.0` | schemaVersion | 2.0
annotation-number | an annotation that is a number | annotations | {"a": 1}
annotation-null | an annotation that is null | annotations | {"a": null}
annotations-list | `annotations` a list | annotations | []
annotations-null | `annotations: null` | annotations | null
annotation-odd-keys | annotations with odd keys | annotations | {"": "x", "ä/😀": "y", "a b": "z"}
artifact-type | `artifactType` set | artifactType | "application/x-thing"
artifact-type-number | `artifactType` a number | artifactType | 1
unknown-key | an unknown key | somethingElse | {"a": [1]}
"#;

/// Keys of a manifest alone.
const MANIFEST_VALUES: &str = "
layers-null | `layers: null` | layers | null
layers-empty | `layers: []` and no diff ids | layers | []
layers-object | `layers` an object | layers | {}
config-null | `config: null` | config | null
config-object-empty | `config: {}` | config | {}
";

fn values(word: &str, part: Part) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, key, value) in rows(VALUES) {
        cases.push(case(
            format!("{word}-{name}"),
            format!("the {word} with {what}"),
            move |draft| draft.written(part, set(key, value.clone())),
        ));
    }
    cases.push(case(
        format!("{word}-schema-absent"),
        format!("the {word} without `schemaVersion`"),
        move |draft| draft.written(part, unset("schemaVersion")),
    ));
    cases
}

/// Where a manifest names no layers, its config has none either.
fn parts() -> Vec<Case> {
    let matching = |draft: Draft, key: &str| match key {
        "layers" => draft.written(Part::Config, |config| {
            config["rootfs"]["diff_ids"] = json!([]);
            config["history"] = json!([]);
        }),
        _ => draft,
    };
    let mut cases = Vec::new();
    for (name, what, key, value) in rows(MANIFEST_VALUES) {
        cases.push(case(
            format!("manifest-{name}"),
            format!("the manifest with {what}"),
            move |draft| matching(draft.written(Part::Manifest, set(key, value.clone())), key),
        ));
    }
    for key in ["layers", "config"] {
        cases.push(case(
            format!("manifest-{key}-absent"),
            format!("the manifest without `{key}`"),
            move |draft| matching(draft.written(Part::Manifest, unset(key)), key),
        ));
    }
    cases
}

fn subjects() -> Vec<Case> {
    let nothing = json!({
        "mediaType": MANIFEST, "digest": format!("sha256:{}", "1".repeat(64)), "size": 500
    });
    let mut cases = Vec::new();
    for (name, what, value) in [
        ("nothing", "`subject` that points to nothing", nothing),
        ("text", "`subject` a text", json!("x")),
        ("null", "`subject: null`", Value::Null),
        ("empty", "`subject: {}`", json!({})),
        (
            "size-text",
            "`subject` with a size in quotes",
            json!({"mediaType": MANIFEST, "digest": "sha256:1", "size": "1"}),
        ),
    ] {
        for (word, part) in [("index", Part::Root), ("manifest", Part::Manifest)] {
            let value = value.clone();
            cases.push(case(
                format!("{word}-subject-{name}"),
                format!("the {word} with {what}"),
                move |draft| draft.written(part, set("subject", value.clone())),
            ));
        }
    }
    cases
}

fn texts(word: &str, part: Part) -> Vec<Case> {
    type Rewrite = fn(Vec<u8>) -> Vec<u8>;
    let rewrites: [(&str, &str, Rewrite); 13] = [
        ("bom", "that begins with a byte order mark", |bytes| {
            [b"\xef\xbb\xbf", &bytes[..]].concat()
        }),
        ("newline", "that ends with a line break", |bytes| {
            [&bytes[..], b"\n"].concat()
        }),
        ("space-before", "with white space before", |bytes| {
            [b" \n\t", &bytes[..]].concat()
        }),
        ("trailing-text", "followed by other text", |bytes| {
            [&bytes[..], b"more"].concat()
        }),
        ("trailing-object", "followed by another object", |bytes| {
            [&bytes[..], b"{}"].concat()
        }),
        ("trailing-nul", "followed by a zero byte", |bytes| {
            [&bytes[..], b"\0"].concat()
        }),
        (
            "duplicate-key-first",
            "with a key twice, the last one right",
            |bytes| [br#"{"mediaType":"application/x-first","#, &bytes[1..]].concat(),
        ),
        (
            "duplicate-key-last",
            "with a key twice, the last one wrong",
            |bytes| {
                [
                    &bytes[..bytes.len() - 1],
                    br#","mediaType":"application/x-last"}"#,
                ]
                .concat()
            },
        ),
        ("key-case", "with `MediaType` beside `mediaType`", |bytes| {
            [
                &bytes[..bytes.len() - 1],
                br#","MediaType":"application/x-case"}"#,
            ]
            .concat()
        }),
        (
            "schema-key-case",
            "with `SCHEMAVERSION` for `schemaVersion`",
            |bytes| {
                let text = String::from_utf8(bytes).expect("it is JSON");
                text.replace("schemaVersion", "SCHEMAVERSION").into_bytes()
            },
        ),
        (
            "not-utf-8",
            "with an annotation that is not UTF-8",
            |bytes| {
                [
                    br#"{"annotations":{"a":""#,
                    &b"\xff"[..],
                    br#""},"#,
                    &bytes[1..],
                ]
                .concat()
            },
        ),
        ("cut", "that is not complete", |bytes| {
            bytes[..bytes.len() - 10].to_vec()
        }),
        ("not-json", "that is text", |_| {
            b"this is no document".to_vec()
        }),
    ];
    let mut cases = Vec::new();
    for (name, what, rewrite) in rewrites {
        cases.push(case(
            format!("{word}-{name}"),
            format!("the {word} {what}"),
            move |draft| draft.rewritten(part, rewrite),
        ));
    }
    cases
}

fn sizes(word: &str, part: Part) -> Vec<Case> {
    let mib = 1024 * 1024;
    let mut sizes = vec![
        ("4-mib", "4 MiB", 4 * mib),
        ("4.1-mib", "4.1 MiB", 4 * mib + mib / 10),
        ("4.2-mib", "4.2 MiB", 4 * mib + mib / 5),
        ("4.4-mib", "4.4 MiB", 4 * mib + mib * 2 / 5),
    ];
    if part == Part::Manifest {
        sizes.extend([
            ("4-mib-1", "4 MiB and a byte", 4 * mib + 1),
            ("4393216", "4·1048·1048 bytes", 4 * 1048 * 1048),
            ("4393217", "4·1048·1048 bytes and one", 4 * 1048 * 1048 + 1),
        ]);
    }
    let mut cases = Vec::new();
    for (name, what, size) in sizes {
        cases.push(case(
            format!("{word}-{name}"),
            format!("the {word} of {what}"),
            move |draft| draft.rewritten(part, move |bytes| padded(&bytes, size)),
        ));
    }
    cases
}

/// The same with an annotation that makes it so long.
pub(super) fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    let (before, after) = (br#"{"annotations":{"pad":""#, br#""},"#);
    let pad = size - before.len() - after.len() - (bytes.len() - 1);
    [&before[..], &vec![b'x'; pad], after, &bytes[1..]].concat()
}
