//! Every source of foreign text, with every payload, in every format.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::payloads::{PAYLOADS, SHORT, for_header, megabyte};
use super::reader::obeys_nothing;
use crate::secrets::plant::{FACES, Face, run, set, verify};
use crate::support::command::Pullproof;
use crate::support::digest::sha256;
use crate::support::fake::guard::refusal;
use crate::support::fake::{Registry, Tokens};
use crate::support::http::{Reply, Server};
use crate::support::image::{CONFIG, Descriptor, Image, LAYER, MANIFEST, manifest_of};
use crate::support::recipe::single;

/// Runs it with every face; each run ends with this exit code, and no reader of any output obeys
/// anything in it.
#[track_caller]
fn comes_out_harmless(exit: i32, make: impl Fn(Face) -> Pullproof) {
    for face in FACES {
        obeys_nothing(&make(face).run().exits(exit));
    }
}

/// A descriptor of content that does not exist.
fn lost(name: &str, media_type: &str) -> Descriptor {
    Descriptor::promising(media_type, &sha256(name.as_bytes()), 7)
}

/// What a document can say of one child, and of what is below it, with the payload in it.
fn children(image: &mut Image, registry: &Registry, payload: &str) -> Vec<Value> {
    let config = image.blob(
        CONFIG,
        json!({"os": payload, "architecture": payload}).to_string(),
    );
    let odd = |mut document: Value, key: &str| {
        document[key] = payload.into();
        document
    };
    let layer = lost(&format!("layer {payload}"), payload);
    let answered = lost(&format!("answered {payload}"), MANIFEST);
    let plain = lost(&format!("plain {payload}"), MANIFEST);
    let header = image.document(&manifest_of(&config, &[])).with("size", 1);
    registry
        .on("GET", layer.digest())
        .answers(Reply::error(404, payload, payload));
    registry
        .on("GET", answered.digest())
        .answers(Reply::error(503, payload, payload));
    registry
        .on("GET", plain.digest())
        .answers(Reply::ok("text/plain", payload).but_status(429));
    let text = for_header(payload);
    registry.on("GET", header.digest()).alters(move |_, reply| {
        reply
            .but_header("Content-Type", &*text)
            .but_header("Docker-Content-Digest", &*text)
            .header("Retry-After", &*text)
    });
    let whole = image.document(&manifest_of(&config, &[]));
    vec![
        image
            .document(&manifest_of(&config, std::slice::from_ref(&layer)))
            .json(),
        answered.json(),
        plain.json(),
        header.json(),
        whole
            .clone()
            .with(
                "platform",
                json!({"os": payload, "architecture": payload, "variant": payload}),
            )
            .json(),
        whole.clone().with("mediaType", payload).json(),
        whole.clone().with("digest", payload).json(),
        whole
            .clone()
            .with("digest", format!("sha256:{payload}"))
            .json(),
        whole.clone().with("size", payload).json(),
        whole.clone().with("platform", payload).json(),
        whole.clone().with("urls", payload).json(),
        whole.clone().with("data", payload).json(),
        whole
            .annotated(payload, payload)
            .annotated("vnd.docker.reference.type", payload)
            .json(),
        image
            .document(&odd(manifest_of(&config, &[]), "mediaType"))
            .json(),
        image
            .document(&odd(manifest_of(&config, &[]), "artifactType"))
            .json(),
        image
            .document(&odd(manifest_of(&config, &[]), "schemaVersion"))
            .json(),
        image
            .document(&odd(manifest_of(&config, &[]), "layers"))
            .json(),
        image
            .document(&odd(json!({"mediaType": MANIFEST}), "config"))
            .json(),
        image.document_bytes(MANIFEST, payload).json(),
    ]
}

/// A registry with one image that says all of it.
fn hostile_registry(payloads: &[&str]) -> Registry {
    let registry = Registry::start();
    registry.lenient();
    let mut image = Image::empty();
    let children: Vec<Value> = payloads
        .iter()
        .flat_map(|payload| children(&mut image, &registry, payload))
        .collect();
    let root = image.document(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": children,
        "annotations": {payloads[0]: payloads[0]},
    }));
    registry.serve("app:1", &image.begins_with(&root));
    registry
}

#[test]
fn texts_in_documents_and_responses_inject_nothing() {
    let registry = hostile_registry(&PAYLOADS);
    for extra in [
        &["--log-level", "trace"][..],
        &[
            "--log-level",
            "info",
            "--referrers",
            "warn",
            "--depth",
            "full",
        ],
    ] {
        comes_out_harmless(1, |face| {
            let level = extra[1];
            let run = verify(face, level).arguments(extra[2..].iter().copied());
            set(run, face, "platforms", "linux/none").argument(registry.reference("app:1"))
        });
    }
}

#[test]
fn a_megabyte_of_text_is_cut_wherever_it_appears() {
    let long = megabyte();
    let registry = Registry::start();
    registry.lenient();
    let mut image = Image::empty();
    // Each child is a document of its own, for one may not be larger than 4 MiB.
    let roots: Vec<Descriptor> = children(&mut image, &registry, &long)
        .into_iter()
        .map(|child| {
            image.document(&json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [child],
            }))
        })
        .collect();
    let root = image.document(&crate::support::image::index_of(&roots).clone());
    registry.serve("app:1", &image.begins_with(&root));
    comes_out_harmless(1, |face| {
        verify(face, "trace").argument(registry.reference("app:1"))
    });
}

/// Answers to the very first question, and to the login that follows.
#[test]
fn texts_in_a_refusal_inject_nothing() {
    let long = megabyte();
    for payload in SHORT.into_iter().chain([long.as_str()]) {
        let header = for_header(payload).chars().take(3000).collect::<String>();
        let answers: [(i32, Reply); 9] = [
            (1, Reply::error(404, payload, payload)),
            (3, Reply::ok("text/plain", payload).but_status(403)),
            (
                4,
                Reply::ok(
                    "application/json",
                    json!({"error": payload, "error_description": payload}).to_string(),
                )
                .but_status(500),
            ),
            (4, Reply::ok("text/html", payload)),
            (
                4,
                Reply::ok("application/json", payload).header("Content-Encoding", &*header),
            ),
            (
                4,
                Reply::status(307).header("Location", format!("x{header}")),
            ),
            (
                4,
                Reply::status(307).header("Location", format!("https://{header}/")),
            ),
            (
                3,
                refusal(&[format!(
                    "Bearer realm=\"{}\"",
                    header.replace(['"', '\\'], "")
                )]),
            ),
            (4, Reply::raw(format!("HTTP/1.1 {payload}\r\n\r\n"))),
        ];
        for (place, (exit, answer)) in answers.into_iter().enumerate() {
            let server = Server::start(move |_| answer.clone());
            println!("{place}");
            for face in [Face::Text, Face::GitHub] {
                let finished = verify(face, "trace")
                    .argument(format!("{}/app:1", server.host()))
                    .run();
                assert!(
                    finished.code.is_some_and(|code| [1, 3, 4].contains(&code)),
                    "{exit}: {finished}"
                );
                obeys_nothing(&finished);
            }
        }
        let said = payload.to_owned();
        let token_server = Server::start(move |_| Reply::error(403, &said, &said));
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.guarded(Tokens::new().guard(&token_server.url("/token")));
        // What is too long to be an answer at all is a fault, and no refusal.
        let exit = if payload.len() > 64 * 1024 { 4 } else { 3 };
        comes_out_harmless(exit, |face| {
            verify(face, "trace").argument(registry.reference("app:1"))
        });
    }
}

type Source = fn(Pullproof, Face, &str) -> Pullproof;

/// Where a person, or a build step before this one, writes what we read.
const SETTINGS: [(&str, Source); 14] = [
    ("images", |run, face, text| {
        set(run, face, "images", json!([text]).to_string())
    }),
    ("repo", |run, face, text| {
        set(run, face, "repo", json!([text]).to_string())
    }),
    ("tags", |run, face, text| {
        set(
            set(run, face, "repo", "127.0.0.1:1/app"),
            face,
            "tags",
            json!([text]).to_string(),
        )
    }),
    ("a file of tags", |run, face, text| {
        set(run.file(".tags", text), face, "repo", "127.0.0.1:1/app")
    }),
    ("the name of a file", |run, face, text| {
        set(run, face, "tags_file", text.replace('\0', ""))
    }),
    ("metadata as a name", |run, face, text| {
        let metadata = json!({"image.name": text, "containerimage.digest": text}).to_string();
        set(
            run.file("metadata.json", metadata),
            face,
            "metadata_file",
            "metadata.json",
        )
    }),
    ("metadata as it is", |run, face, text| {
        set(run.file("built", text), face, "metadata_file", "built")
    }),
    ("digest", |run, face, text| set(run, face, "digest", text)),
    ("platforms", |run, face, text| {
        set(run, face, "platforms", json!([text]).to_string())
    }),
    ("depth", |run, face, text| set(run, face, "depth", text)),
    ("timeout", |run, face, text| set(run, face, "timeout", text)),
    ("format", |run, _, text| {
        run.argument(format!("--form={text}"))
    }),
    ("a flag", |run, _, text| run.argument(format!("--{text}"))),
    ("an argument", |run, _, text| run.argument(text)),
];

#[test]
fn texts_in_settings_and_files_inject_nothing() {
    for (name, source) in SETTINGS {
        for (payload, face) in SHORT
            .into_iter()
            .flat_map(|payload| [(payload, Face::Text), (payload, Face::GitHub)])
        {
            println!("{name}");
            let finished = source(verify(face, "trace"), face, payload).run();
            // A file with nothing but a comment leaves its setting's default, and no registry
            // answers.
            assert!([Some(2), Some(4)].contains(&finished.code), "{finished}");
            obeys_nothing(&finished);
        }
    }
    for payload in SHORT {
        let run = set(
            crate::support::command::pullproof().argument("verify"),
            Face::Text,
            "format",
            payload,
        );
        obeys_nothing(&run.run().exits(2));
        let run = verify(Face::GitHub, "trace")
            .variable(&format!("INPUT_{}", payload.replace('=', "")), "x");
        obeys_nothing(&run.argument("127.0.0.1:1/app:1").run().exits(4));
    }
}

#[test]
fn texts_from_woodpecker_inject_nothing() {
    let long = megabyte();
    let payloads: Vec<&str> = PAYLOADS.into_iter().chain([&long[..100_000]]).collect();
    for refused in [None, Some("POST"), Some("GET")] {
        let pipeline = hostile_pipeline(&payloads);
        let entries: Vec<Value> = payloads
            .iter()
            .map(|payload| json!({"type": 0, "data": STANDARD.encode(payload)}))
            .collect();
        let turn = AtomicUsize::new(0);
        let bodies: Vec<String> = payloads
            .iter()
            .map(|payload| (*payload).to_owned())
            .collect();
        let server = Server::start(move |request| {
            let path = request
                .path
                .strip_prefix("/api/repos/7")
                .unwrap_or_default();
            if refused == Some(&*request.method) && (path.is_empty() || request.method == "POST") {
                let body = bodies[turn.fetch_add(1, Ordering::SeqCst) % bodies.len()].clone();
                return Reply::ok("text/plain", body).but_status(422);
            }
            match path {
                "" => Reply::json(
                    &json!({"id": 7, "full_name": "me/app", "default_branch": "main", "active": true}),
                ),
                "/pipelines" | "/pipelines/12" => Reply::json(&pipeline),
                _ => Reply::json(&Value::Array(entries.clone())),
            }
        });
        for _ in 0..if refused.is_some() { 5 } else { 1 } {
            comes_out_harmless(if refused.is_some() { 5 } else { 6 }, |face| {
                let run = run("rebuild", face, "trace").arguments([
                    "--poll-interval",
                    "100ms",
                    "--wait-timeout",
                    "5s",
                ]);
                let run = set(
                    set(run, face, "woodpecker_url", server.url("")),
                    face,
                    "woodpecker_token",
                    "t",
                );
                set(run, face, "woodpecker_repo", "7@main")
            });
        }
    }
}

/// A pipeline that failed, and says so in these words.
fn hostile_pipeline(payloads: &[&str]) -> Value {
    let steps: Vec<Value> = payloads
        .iter()
        .zip(1..)
        .map(|(payload, id)| {
            json!({"id": id, "name": payload, "state": "failure", "error": payload, "exit_code": 1, "started": 5})
        })
        .collect();
    let workflows: Vec<Value> = payloads
        .iter()
        .map(|payload| json!({"name": payload, "state": payload, "error": payload, "children": steps}))
        .collect();
    let errors: Vec<Value> = payloads
        .iter()
        .map(|payload| json!({"message": payload}))
        .collect();
    json!({
        "id": 112, "number": 12, "event": "manual", "status": payloads[0], "finished": 5, "branch": payloads[0],
        "commit": payloads[0], "errors": errors, "workflows": workflows,
    })
}

#[test]
fn texts_in_layers_and_configs_inject_nothing() {
    let registry = Registry::start();
    let mut image = Image::empty();
    for payload in PAYLOADS {
        let config = image.blob(
            payload,
            json!({"os": payload, "architecture": payload}).to_string(),
        );
        let layer = image.blob(LAYER, payload).with("mediaType", payload);
        let root = image.manifest(&config, std::slice::from_ref(&layer));
        registry.serve("app:1", &image.clone().begins_with(&root));
        registry.lose(layer.digest());
        comes_out_harmless(1, |face| {
            verify(face, "debug").argument(registry.reference("app:1"))
        });
        registry.find(layer.digest());
    }
}
