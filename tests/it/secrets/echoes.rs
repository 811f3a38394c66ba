//! A registry that repeats a login: in every encoding, in every place that a report shows, and where
//! a text is cut.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::plant::{FACES, Face, Planted, left, received, set, verify};
use crate::support::fake::{Registry, guard};
use crate::support::http::Reply;
use crate::support::recipe::single;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Everything but letters and digits as a function writes it.
fn escaped(text: &str, escape: impl Fn(u8) -> String) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        if byte.is_ascii_alphanumeric() {
            all.push(char::from(byte));
        } else {
            all.push_str(&escape(byte));
        }
        all
    })
}

fn html(text: &str) -> String {
    let mut written = text.replace('&', "&amp;");
    for (sign, name) in [
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&#34;"),
        ("'", "&#39;"),
    ] {
        written = written.replace(sign, name);
    }
    written
}

type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 13] = [
    ("as it is", str::to_owned),
    ("in upper case", str::to_ascii_uppercase),
    ("as a form", |text| {
        byte_serialize(text.as_bytes()).collect()
    }),
    ("percent", |text| {
        escaped(text, |byte| format!("%{byte:02X}"))
    }),
    ("percent in lower case", |text| {
        escaped(text, |byte| format!("%{byte:02x}"))
    }),
    ("percent twice", |text| {
        escaped(text, |byte| format!("%25{byte:02x}"))
    }),
    ("HTML by name", html),
    ("HTML by number", |text| {
        escaped(text, |byte| format!("&#{byte};"))
    }),
    ("HTML in hexadecimal", |text| {
        escaped(text, |byte| format!("&#x{byte:02x};"))
    }),
    ("JSON", |text| {
        let text = json!(text).to_string().replace('/', r"\/");
        text.trim_matches('"').to_owned()
    }),
    ("JSON by number", |text| {
        escaped(text, |byte| format!("\\u{byte:04x}"))
    }),
    ("base64 for URLs", |text| URL_SAFE_NO_PAD.encode(text)),
    ("hexadecimal", |text| {
        text.bytes().fold(String::new(), |mut all, byte| {
            let _ = write!(all, "{byte:02x}");
            all
        })
    }),
];

/// The answer of a registry that says something in one place.
type Place = (&'static str, fn(&str) -> Reply);

fn document(document: &Value) -> Reply {
    Reply::json(document).but_header("Content-Type", INDEX)
}

fn child(digest: &str) -> Value {
    json!({"mediaType": MANIFEST, "digest": digest, "size": 7})
}

fn nowhere() -> String {
    format!("sha256:{}", "0".repeat(64))
}

fn with_platform(os: &str, architecture: &str, variant: &str) -> Reply {
    let mut child = child(&nowhere());
    child["platform"] = json!({"os": os, "architecture": architecture, "variant": variant});
    document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}))
}

const PLACES: [Place; 15] = [
    ("an error of a registry", |said| {
        Reply::error(400, "DENIED", said)
    }),
    ("the code of an error", |said| Reply::error(400, said, "no")),
    ("a refused login", |said| Reply::error(403, "DENIED", said)),
    ("an error in JSON", |said| {
        Reply::json(&json!({"error": said, "error_description": said})).but_status(500)
    }),
    ("an error in plain text", |said| {
        Reply::ok("text/plain", said).but_status(500)
    }),
    ("Content-Encoding", |said| {
        Reply::json(&json!({})).header("Content-Encoding", said)
    }),
    ("Content-Type", |said| {
        let type_ = format!("application/{said}");
        Reply::json(&json!({"schemaVersion": 2})).but_header("Content-Type", &type_)
    }),
    ("the type of a document", |said| {
        document(&json!({"schemaVersion": 2, "mediaType": said, "manifests": []}))
    }),
    ("the type of a child", |said| {
        let mut child = child(&nowhere());
        child["mediaType"] = json!(said);
        document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}))
    }),
    ("a digest", |said| {
        let children = [child(said), child(&format!("sha256:{said}"))];
        document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))
    }),
    ("a digest by another algorithm", |said| {
        let children = [child(&format!("x:{said}")), child(&format!("{said}:x"))];
        document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))
    }),
    ("an operating system", |said| {
        with_platform(said, "amd64", "v1")
    }),
    ("an architecture", |said| with_platform("linux", said, "v1")),
    ("a variant", |said| with_platform("linux", "arm", said)),
    ("a size", |said| {
        let mut child = child(&nowhere());
        child["size"] = json!(said);
        document(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}))
    }),
];

/// Verifies an image of a registry that lets this login in and then gives one answer to everything;
/// nothing of the secrets is left in any output.
#[track_caller]
fn hides(secrets: &[&Planted], login: (&str, &str), what: &str, faces: &[Face], answer: &Reply) {
    let registry = Registry::start();
    registry.image("app:1", &single());
    registry.lenient().guarded(guard::basic(login.0, login.1));
    let answer = answer.clone();
    registry.on("GET", "").alters(
        move |request, reply| match request.header("Authorization") {
            Some(_) => answer.clone(),
            None => reply,
        },
    );
    for face in faces {
        let run = verify(*face, "trace").argument(registry.reference("app:1"));
        let run = set(run, *face, "registry", registry.host());
        let run = set(
            set(run, *face, "username", login.0),
            *face,
            "password",
            login.1,
        );
        let finished = run.run();
        let code = finished.code;
        assert!(matches!(code, Some(1 | 3 | 4)), "{what}: {finished}");
        for (place, text) in left(&finished) {
            let found = secrets.iter().find(|secret| secret.is_in(&text));
            assert!(
                found.is_none(),
                "{what}: it is in {place} ({face:?}):\n{text}"
            );
        }
    }
    let sent = received(&registry.requests());
    assert!(
        secrets.iter().all(|secret| secret.is_in(&sent)),
        "{what}: it was never sent"
    );
}

#[test]
fn a_login_is_redacted_in_every_encoding_and_in_every_place() {
    let planted = Planted::password("echo");
    for (encoding, encode) in ENCODINGS {
        for (place, answer) in PLACES {
            let said = encode(&planted.value);
            let what = format!("{encoding}, in {place}");
            hides(
                &[&planted],
                ("me", &planted.value),
                &what,
                &[Face::Text],
                &answer(&said),
            );
        }
    }
    // The three faces share what they show.
    for (place, answer) in PLACES {
        let said = STANDARD.encode(format!("me:{}", planted.value));
        hides(
            &[&planted],
            ("me", &planted.value),
            place,
            &FACES,
            &answer(&said),
        );
    }
}

#[test]
fn a_login_is_redacted_before_a_text_is_cut() {
    let planted = Planted::password("cut");
    let length = planted.value.len();
    for limit in [20, 100, 300, 500, 4096] {
        for (place, answer) in PLACES {
            // Platforms of more than 1,024 bytes are none, and headers have limits of their own.
            for shown in [6, length / 2].map(|shown| shown.min(limit)) {
                let said = format!("{}{}", "x".repeat(limit - shown), planted.value);
                let what = format!("{shown} before {limit}, in {place}");
                hides(
                    &[&planted],
                    ("me", &planted.value),
                    &what,
                    &[Face::Json],
                    &answer(&said),
                );
            }
        }
    }
}

#[test]
fn a_long_error_that_repeats_a_login_again_and_again_shows_none_of_it() {
    let core = Planted::token("again");
    let token = core.value.repeat(100);
    let said = token.repeat(40);
    for answer in [
        Reply::ok("text/plain", said.clone()).but_status(500),
        Reply::ok("text/plain", said).but_status(403),
    ] {
        hides(
            &[&core],
            ("me", &token),
            "an endless error",
            &FACES,
            &answer,
        );
    }
}

#[test]
fn a_secret_of_hexadecimal_digits_is_redacted_in_a_digest() {
    let planted = Planted::digits();
    let digest = format!(
        "sha256:{}{}",
        planted.value,
        "0".repeat(64 - planted.value.len())
    );
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child(&digest)]});
    let claim = document(&index).header("Docker-Content-Digest", &digest);
    for answer in [document(&index), claim] {
        hides(
            &[&planted],
            ("me", &planted.value),
            "a digest",
            &FACES,
            &answer,
        );
    }
}

#[test]
fn a_secret_in_the_host_of_a_redirect_is_redacted() {
    let planted = Planted::personal_token("host");
    let location = format!("http://{}.invalid:1/x", planted.value);
    let answer = Reply::status(307).header("Location", &location);
    hides(
        &[&planted],
        ("me", &planted.value),
        "a host",
        &FACES,
        &answer,
    );
}

#[test]
fn a_user_that_is_a_token_is_redacted_in_every_output() {
    let (known, plain) = (Planted::personal_token("user"), Planted::token("user"));
    for (place, answer) in PLACES {
        let login = (known.value.as_str(), "hunter2-hunter2");
        hides(&[&known], login, place, &FACES, &answer(&known.value));
        let login = (plain.value.as_str(), "x-oauth-basic");
        hides(&[&plain], login, place, &FACES, &answer(&plain.value));
    }
    // Without a word of the registry: the report names the user of a login that is refused.
    for (user, shown) in [("ci", true), (&known.value, false)] {
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.guarded(guard::refusal_of_all());
        for face in FACES {
            let run = verify(face, "trace").argument(registry.reference("app:1"));
            let run = set(run, face, "registry", registry.host());
            let run = set(
                set(run, face, "username", user),
                face,
                "password",
                "hunter2-hunter2",
            );
            let finished = run.run().exits(3);
            for (place, text) in left(&finished) {
                assert!(!known.is_in(&text), "{place} ({face:?}):\n{text}");
            }
            let names = if shown {
                "the login of ci"
            } else {
                "the login of [secret]"
            };
            let report = finished.read("report.json");
            assert!(report.contains(names), "{report}");
        }
    }
}
