//! A scripted server says how content is sent, and what becomes of each of its answers.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::logins::{Login, Logins};
use super::super::scripted::{Act, Heard, Scripted, answer, refusal};
use super::*;
use crate::http::patience::Patience;
use crate::oci::digest::sha256;

const LONG: Duration = Duration::from_secs(30);
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Content of so many bytes, and its promise.
fn content(length: usize) -> (Promise, Content) {
    let bytes: Vec<u8> = (0_u32..)
        .map(|at| at.to_le_bytes()[0])
        .take(length)
        .collect();
    let promise = Promise {
        digest: sha256(&bytes),
        size: length as u64,
    };
    (promise, in_a_file(&bytes, length as u64))
}

/// The first bytes of a file that has no name any more.
fn in_a_file(bytes: &[u8], length: u64) -> Content {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("pullproof-writer-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    File::create(&path).unwrap().write_all(bytes).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    Content::part(Arc::new(file), 0, length)
}

/// What a registry does that takes uploads.
fn takes(heard: &Heard, location: &str) -> Act {
    match heard.line.split(' ').next().unwrap() {
        "POST" => answer(202, &[&format!("Location: {location}")]),
        "DELETE" => answer(204, &[]),
        _ => answer(201, &[]),
    }
}

async fn upload_to(server: &Scripted, length: usize) -> (Asked<()>, Vec<Heard>) {
    let transport = server.place.transport(LONG);
    let repository = server.place.repository("team/app");
    let (promise, content) = content(length);
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    let asked = writer.upload(&promise, &content).await;
    (asked, server.heard())
}

fn words(fault: &Fault) -> String {
    match &fault.cause {
        Cause::Status { words, .. } | Cause::Denied { words, .. } => {
            words.clone().unwrap_or_default().into()
        }
        Cause::Unreached { words, .. } | Cause::Unreadable { words, .. } => words.clone().into(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_upload_is_one_post_and_one_put_with_the_whole_body() {
    const SESSION: &str = "/v2/team/app/blobs/uploads/1?_state=a%2Bb%3D&x=y";
    for length in [0, 1, 1_000_000] {
        for absolute in [false, true] {
            let server = Scripted::start(move |heard, _| {
                let host = heard.header("host").unwrap();
                let before = if absolute {
                    format!("http://{host}")
                } else {
                    String::new()
                };
                takes(heard, &format!("{before}{SESSION}"))
            });
            let (asked, heard) = upload_to(&server, length).await;
            asked.answer.unwrap();
            assert_eq!((asked.attempts, asked.status), (1, Some(201)));
            let digest = content(length).0.digest.to_string().replace(':', "%3A");
            let put = format!("PUT {SESSION}&digest={digest}");
            assert_eq!(server.lines(), ["POST /v2/team/app/blobs/uploads/", &put]);
            assert_eq!(heard[0].header("content-length"), Some("0"));
            assert_eq!(
                heard[1].header("content-length"),
                Some(&*length.to_string())
            );
            assert_eq!(heard[1].header("transfer-encoding"), None);
            assert_eq!(sha256(&heard[1].body), content(length).0.digest);
        }
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_with_a_new_session_and_from_the_start() {
    type Failure = fn() -> Act;
    let failures: [(Failure, bool); 4] = [
        (|| refusal(404, "BLOB_UPLOAD_UNKNOWN"), false),
        (|| refusal(500, "UNKNOWN"), true),
        (|| answer(429, &["Retry-After: 0"]), true),
        (|| Act::Cut(300_000), true),
    ];
    for (failure, closes) in failures {
        let server = Scripted::start(move |heard, before| {
            if heard.line.starts_with("PUT") && before < 5 {
                return failure();
            }
            takes(heard, &format!("uploads/{before}?_state=x"))
        });
        let (asked, heard) = upload_to(&server, 900_000).await;
        asked.answer.unwrap();
        let methods: Vec<&str> = heard
            .iter()
            .map(|heard| heard.line.split(' ').next().unwrap())
            .collect();
        let (expected, attempts): (&[&str], u32) = if closes {
            (
                &[
                    "POST", "PUT", "DELETE", "POST", "PUT", "DELETE", "POST", "PUT",
                ],
                3,
            )
        } else {
            (&["POST", "PUT", "POST", "PUT", "POST", "PUT"], 3)
        };
        assert_eq!((&*methods, asked.attempts), (expected, attempts));
        let last = heard.last().unwrap();
        assert_eq!(sha256(&last.body), content(900_000).0.digest);
        assert!(
            !last.line.contains("uploads/0?"),
            "an old session: {}",
            last.line
        );
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_in_the_registrys_words() {
    for (status, code, kind) in [
        (401, "UNAUTHORIZED", FaultKind::Denied),
        (403, "DENIED", FaultKind::Denied),
        (404, "NAME_UNKNOWN", FaultKind::NotFound),
        (405, "UNSUPPORTED", FaultKind::Unavailable),
        (413, "TOO_LARGE", FaultKind::Unavailable),
    ] {
        let server = Scripted::start(move |_, _| refusal(status, code));
        let (asked, heard) = upload_to(&server, 10).await;
        let fault = asked.answer.unwrap_err();
        assert_eq!((fault.kind, asked.status), (kind, Some(status)));
        assert!(words(&fault).starts_with(code), "{fault:?}");
        assert_eq!((heard.len(), asked.attempts), (1, 1), "{status}");
    }
}

#[tokio::test]
async fn content_that_a_registry_refuses_is_not_sent_in_another_way() {
    for (status, code) in [
        (400, "DIGEST_INVALID"),
        (400, "BLOB_UPLOAD_INVALID"),
        (411, "SIZE_INVALID"),
        (413, "TOO_LARGE"),
    ] {
        let server = Scripted::start(move |heard, _| {
            if heard.line.starts_with("PUT") {
                return refusal(status, code);
            }
            takes(heard, "/v2/team/app/blobs/uploads/1?_state=x")
        });
        let (asked, _) = upload_to(&server, 10).await;
        assert!(words(&asked.answer.unwrap_err()).starts_with(code));
        let lines = server.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2], "DELETE /v2/team/app/blobs/uploads/1?_state=x");
    }
}

fn with_login(server: &Scripted) -> Transport {
    let logins = Logins {
        given: vec![Login {
            registry: server.place.repository("x").registry,
            username: "me".into(),
            password: crate::text::secret::Secret::new("hunter2-hunter2"),
        }],
        ..Logins::default()
    };
    server.place.transport_with(LONG, logins)
}

#[tokio::test]
async fn a_session_at_another_host_gets_no_credentials() {
    let elsewhere = Scripted::start(|_, _| answer(200, &[]));
    let there = elsewhere.port;
    let server = Scripted::start(move |heard, _| match heard.header("authorization") {
        None => answer(401, &["WWW-Authenticate: Basic realm=\"x\""]),
        Some(_) => takes(
            heard,
            &format!("http://127.0.0.1:{there}/up?signature=s3cret"),
        ),
    });
    let transport = with_login(&server);
    let repository = server.place.repository("app");
    let (promise, content) = content(10);
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    writer.upload(&promise, &content).await.answer.unwrap();
    let heard = elsewhere.heard();
    assert_eq!(heard.len(), 1);
    assert!(
        heard[0]
            .line
            .starts_with("PUT /up?signature=s3cret&digest=sha256%3A")
    );
    assert_eq!(heard[0].header("authorization"), None);
    assert_eq!(sha256(&heard[0].body), promise.digest);
}

#[tokio::test]
async fn a_refusal_at_another_host_names_no_query() {
    let elsewhere = Scripted::start(|_, _| answer(403, &[]));
    let there = elsewhere.port;
    let server = Scripted::start(move |heard, _| {
        takes(
            heard,
            &format!("http://127.0.0.1:{there}/up?signature=s3cret"),
        )
    });
    let (asked, _) = upload_to(&server, 10).await;
    let fault = asked.answer.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unavailable);
    assert!(!format!("{fault:?}").contains("s3cret"));
    assert_eq!(elsewhere.lines().len(), 5, "each time with a new session");
    assert!(server.lines().iter().all(|line| line.starts_with("POST")));
}

#[tokio::test]
async fn a_write_is_redirected_within_its_origin_alone() {
    let elsewhere = Scripted::start(|_, _| answer(201, &[]));
    let there = format!("http://127.0.0.1:{}/x?signature=s3cret", elsewhere.port);
    for (status, location, expected) in [
        (307, "/v2/there", ""),
        (308, "/v2/there", ""),
        (
            302,
            "/v2/there",
            "a redirect with 302, which an upload cannot follow",
        ),
        (
            307,
            &*there,
            "a redirect of an upload to another host (http://127.0.0.1:",
        ),
        (307, "ftp://x/", "a redirect to ftp, not followed"),
    ] {
        let location = location.to_owned();
        let server = Scripted::start(move |heard, _| match &*heard.line {
            "PUT /v2/there" => answer(201, &[]),
            _ => answer(status, &[&format!("Location: {location}")]),
        });
        let transport = server.place.transport(LONG);
        let repository = server.place.repository("app");
        let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
        let asked = writer.put(&tagged(&repository), MANIFEST, b"{}").await;
        match asked.answer {
            Ok(()) => {
                assert_eq!(expected, "");
                assert_eq!(server.heard()[1].body, b"{}");
                assert_eq!(server.heard()[1].header("content-type"), Some(MANIFEST));
            }
            Err(fault) => {
                let words = words(&fault);
                assert!(
                    words.starts_with(expected) && !expected.is_empty(),
                    "{words}"
                );
                assert!(!words.contains("s3cret"), "{words}");
                assert_eq!(server.lines().len(), 1);
            }
        }
    }
    assert_eq!(elsewhere.lines().len(), 0);
}

fn tagged(repository: &Repository) -> Reference {
    Reference {
        repository: repository.clone(),
        tag: Some("v1".into()),
        digest: None,
    }
}

#[tokio::test]
async fn a_mount_succeeds_or_its_session_is_closed() {
    let (promise, _) = content(10);
    let digest = promise.digest.to_string();
    let mount = format!("POST /v2/app/blobs/uploads/?mount={digest}&from=base/os");
    for (status, expected) in [(201, true), (202, false)] {
        let server = Scripted::start(move |heard, _| match &heard.line[..4] {
            "POST" => answer(status, &["Location: /v2/app/blobs/uploads/7?_state=x"]),
            _ => answer(204, &[]),
        });
        let transport = server.place.transport(LONG);
        let repository = server.place.repository("app");
        let from = server.place.repository("base/os");
        let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
        let asked = writer.mount(&promise, &from).await;
        assert_eq!(asked.answer.unwrap(), expected);
        let lines = server.lines();
        assert_eq!(lines[0], mount);
        let rest: &[&str] = if expected {
            &[]
        } else {
            &["DELETE /v2/app/blobs/uploads/7?_state=x"]
        };
        assert_eq!(lines[1..], *rest);
        let other = Repository {
            registry: "elsewhere.example".into(),
            ..from
        };
        let asked = writer.mount(&promise, &other).await;
        assert_eq!((asked.answer.unwrap(), asked.attempts), (false, 0));
    }
}

#[tokio::test]
async fn a_registry_that_states_another_digest_is_at_fault() {
    let bytes = b"{}";
    let (right, wrong) = (sha256(bytes).to_string(), sha256(b"x").to_string());
    for (stated, is_right) in [(&*right, true), (&*wrong, false), ("nonsense", false)] {
        let header = format!("Docker-Content-Digest: {stated}");
        let server = Scripted::start(move |heard, _| match &heard.line[..3] {
            "POS" => takes(heard, "/v2/app/blobs/uploads/1"),
            _ => answer(201, &[&header]),
        });
        let transport = server.place.transport(LONG);
        let repository = server.place.repository("app");
        let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
        let put = writer.put(&tagged(&repository), MANIFEST, bytes).await;
        let promise = Promise {
            digest: sha256(bytes),
            size: 2,
        };
        let uploaded = writer.upload(&promise, &in_a_file(bytes, 2)).await;
        for asked in [put, uploaded] {
            assert_eq!(asked.attempts, 1);
            assert_eq!(asked.answer.is_ok(), is_right, "{stated}");
            if let Err(fault) = asked.answer {
                let expected = format!("the registry says that it stored \"{stated}\"");
                assert_eq!(words(&fault), expected);
            }
        }
    }
}

#[tokio::test]
async fn a_manifest_is_put_under_its_digest_with_its_type() {
    let bytes = br#"{"schemaVersion":2}"#;
    for status in [200, 201, 202] {
        let server = Scripted::start(move |_, _| answer(status, &[]));
        let transport = server.place.transport(LONG);
        let repository = server.place.repository("team/app");
        let reference = Reference {
            tag: None,
            digest: Some(sha256(bytes)),
            ..tagged(&repository)
        };
        let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
        writer
            .put(&reference, MANIFEST, bytes)
            .await
            .answer
            .unwrap();
        let heard = &server.heard()[0];
        assert_eq!(
            heard.line,
            format!("PUT /v2/team/app/manifests/{}", sha256(bytes))
        );
        assert_eq!(heard.header("content-type"), Some(MANIFEST));
        assert_eq!(heard.body, bytes);
        let asked = writer.put(&reference, "a\nb", bytes).await;
        let expected = "its media type has characters that no header may contain";
        assert_eq!(words(&asked.answer.unwrap_err()), expected);
        assert_eq!(server.heard().len(), 1);
    }
    let missing = Scripted::start(|_, _| refusal(400, "MANIFEST_BLOB_UNKNOWN"));
    let transport = missing.place.transport(LONG);
    let repository = missing.place.repository("app");
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    let asked = writer.put(&tagged(&repository), MANIFEST, bytes).await;
    assert!(words(&asked.answer.unwrap_err()).starts_with("MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(asked.attempts, 1);
}

#[tokio::test]
async fn a_token_is_fetched_that_allows_to_write() {
    for challenged in ["repository:app:pull", "repository:app:pull,push", ""] {
        let server = Scripted::start(move |heard, _| {
            if heard.line.starts_with("GET /token") {
                let body = r#"{"token":"opaque-opaque"}"#;
                return Act::Answer(200, String::new(), body.into());
            }
            if heard.header("authorization") == Some("Bearer opaque-opaque") {
                return takes(heard, "/v2/app/blobs/uploads/1?_state=x");
            }
            let scope = match challenged {
                "" => String::new(),
                scope => format!(",scope=\"{scope}\""),
            };
            let bearer = format!("WWW-Authenticate: Bearer realm=\"/token\"{scope}");
            answer(401, &[&bearer])
        });
        let transport = with_login(&server);
        let repository = server.place.repository("app");
        let (promise, content) = content(10);
        let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
        writer.upload(&promise, &content).await.answer.unwrap();
        let from = server.place.repository("base");
        writer.mount(&promise, &from).await.answer.unwrap();
        let tokens: Vec<String> = server
            .lines()
            .into_iter()
            .filter_map(|line| line.strip_prefix("GET /token?").map(str::to_owned))
            .collect();
        let push = "scope=repository%3Aapp%3Apull%2Cpush";
        assert_eq!(tokens[0], format!("{push}&account=me"));
        let pull = "scope=repository%3Abase%3Apull";
        assert_eq!(tokens[1], format!("{push}&{pull}&account=me"));
        assert_eq!(tokens.len(), 2);
        assert!(!transport.redacted("opaque-opaque").contains("opaque"));
        transport.forget(&repository);
        assert!(transport.redacted("opaque-opaque").contains("opaque"));
    }
}

#[tokio::test]
async fn a_token_that_expires_before_the_body_is_renewed_for_the_same_session() {
    let server = Scripted::start(|heard, before| match &*heard.line {
        token if token.starts_with("GET /token") => Act::Answer(
            200,
            String::new(),
            format!(r#"{{"token":"opaque-{before}"}}"#),
        ),
        put if put.starts_with("PUT") && before == 3 => {
            answer(401, &["WWW-Authenticate: Bearer realm=\"/token\""])
        }
        _ if heard.header("authorization").is_none() => {
            answer(401, &["WWW-Authenticate: Bearer realm=\"/token\""])
        }
        _ => takes(heard, "/v2/team/app/blobs/uploads/1?_state=x"),
    });
    let (asked, heard) = upload_to(&server, 300_000).await;
    asked.answer.unwrap();
    assert_eq!(asked.attempts, 1);
    let puts: Vec<&Heard> = heard
        .iter()
        .filter(|heard| heard.line.starts_with("PUT"))
        .collect();
    assert_eq!(puts.len(), 2);
    assert_eq!(puts[0].line, puts[1].line);
    assert_eq!(puts[0].header("authorization"), Some("Bearer opaque-1"));
    assert_eq!(puts[1].header("authorization"), Some("Bearer opaque-4"));
    assert_eq!(sha256(&puts[1].body), content(300_000).0.digest);
}

#[tokio::test]
async fn a_disk_that_is_full_is_not_filled_further() {
    let full = r#"{"errors":[{"code":"UNKNOWN","detail":"write /x: no space left on device"}]}"#;
    for (status, body) in [(500, full), (507, "")] {
        let server = Scripted::start(move |heard, _| match &heard.line[..3] {
            "PUT" => Act::Answer(status, String::new(), body.to_owned()),
            _ => takes(heard, "/v2/team/app/blobs/uploads/1"),
        });
        let (asked, _) = upload_to(&server, 10).await;
        let fault = asked.answer.unwrap_err();
        assert_eq!((fault.kind, asked.attempts), (FaultKind::Unavailable, 1));
        assert_eq!(words(&fault).contains("no space left"), status == 500);
        assert_eq!(server.lines().len(), 3, "the session is closed");
    }
}

#[tokio::test]
async fn a_refusal_counts_before_the_whole_body_is_sent() {
    let server = Scripted::start(|heard, _| match &heard.line[..3] {
        "PUT" => Act::Early(413),
        _ => takes(heard, "/v2/team/app/blobs/uploads/1"),
    });
    let (asked, heard) = upload_to(&server, 64 * 1024 * 1024).await;
    let Cause::Status { status, .. } = asked.answer.unwrap_err().cause else {
        panic!("another cause");
    };
    assert_eq!((status, asked.attempts), (413, 1));
    assert_eq!(heard[1].body.len(), 0);
}

#[tokio::test]
async fn a_long_upload_may_take_longer_than_the_limit_as_long_as_it_moves() {
    // The system takes up to 4 MB from us before the server reads them.
    const LIMIT: Duration = Duration::from_secs(2);
    const LENGTH: usize = 16 * 1024 * 1024;
    let server = Scripted::start(|heard, _| match &heard.line[..3] {
        "PUT" => Act::Slowly(Duration::from_millis(15)),
        _ => takes(heard, "/v2/app/blobs/uploads/1"),
    });
    let transport = server.place.transport(LIMIT);
    let repository = server.place.repository("app");
    let (promise, content) = content(LENGTH);
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    let began = Instant::now();
    let asked = writer.upload(&promise, &content).await;
    asked.answer.unwrap();
    assert_eq!(asked.attempts, 1);
    assert!(began.elapsed() > LIMIT);
}

#[tokio::test]
async fn a_registry_that_does_not_answer_an_upload_is_a_timeout() {
    let server = Scripted::start(|heard, _| match &heard.line[..3] {
        "PUT" => Act::Silence,
        _ => takes(heard, "/v2/app/blobs/uploads/1"),
    });
    let transport = server.place.transport(Duration::from_millis(100));
    let repository = server.place.repository("app");
    let (promise, content) = content(10);
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    let asked = writer.upload(&promise, &content).await;
    let Cause::Unreached { trouble, .. } = asked.answer.unwrap_err().cause else {
        panic!("another cause");
    };
    assert_eq!(trouble, Trouble::Timeout);
    assert_eq!(asked.attempts, Patience::default().attempts);
    let lines = server.lines();
    assert!(
        !lines.iter().any(|line| line.starts_with("DELETE")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_the_registrys_fault() {
    let server = Scripted::start(|heard, _| takes(heard, "/v2/app/blobs/uploads/1"));
    let transport = server.place.transport(LONG);
    let repository = server.place.repository("app");
    let short = in_a_file(&vec![1; 400_000], 900_000);
    let promise = content(900_000).0;
    let writer = RegistryWriter::new(&transport, &repository, Permission::for_tests());
    let asked = writer.upload(&promise, &short).await;
    let fault = asked.answer.unwrap_err();
    assert!(matches!(fault.cause, Cause::Unreadable { .. }), "{fault:?}");
    assert_eq!(asked.attempts, 1);
}
