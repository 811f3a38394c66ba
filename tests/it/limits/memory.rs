//! Peak memory, as the kernel counts it (`VmHWM`), for the largest inputs and for hostile ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use crate::support::command::binary;
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::fake::content::ranged;
use crate::support::http::message::Body;
use crate::support::http::{Reply, Server};
use crate::support::image::{
    CONFIG, Descriptor, INDEX, Image, LAYER, MANIFEST, config_of, manifest_of,
};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// The most that is promised, in kB.
const MOST: u64 = 40_000;

/// The program as it is shipped: a debug build takes more than that. `make test` has built it
/// before.
fn shipped() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // The build scripts of dependencies run again where cargo's own variables differ.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--bin",
            "pullproof",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the release build failed");
    binary()
        .ancestors()
        .nth(2)
        .unwrap()
        .join("release/pullproof")
}

/// A registry with one image: indexes of so many children each, all of which are missing.
fn wide(indexes: usize, children: usize, distinct: bool) -> Server {
    let documents = (0..indexes).map(|place| index(place * children, children, distinct));
    let mut documents: BTreeMap<String, String> = documents
        .map(|text| (sha256(text.as_bytes()), text))
        .collect();
    let listed: Vec<String> = documents
        .iter()
        .map(|(digest, text)| {
            format!(
                r#"{{"mediaType":"{INDEX}","digest":"{digest}","size":{}}}"#,
                text.len()
            )
        })
        .collect();
    documents.insert("1".to_owned(), document(&listed.join(",")));
    Server::start(move |request| {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        match documents.get(last) {
            Some(text) => Reply::ok(INDEX, text.clone()),
            None if distinct => {
                Reply::error(404, "MANIFEST_UNKNOWN", &format!("{last} is unknown"))
            }
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    })
}

fn document(list: &str) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{list}]}}"#)
}

/// As many platforms as a graph takes are distinct: one in four.
fn index(first: usize, children: usize, distinct: bool) -> String {
    let mut list = String::new();
    for number in first..first + children {
        let digest = sha256(&number.to_le_bytes());
        let name = if distinct && number % 4 == 0 {
            number.to_string()
        } else {
            String::new()
        };
        let comma = if number > first { "," } else { "" };
        let platform = format!(r#"{{"os":"linux{name}","architecture":"amd64"}}"#);
        let _ = write!(
            list,
            r#"{comma}{{"mediaType":"{MANIFEST}","digest":"{digest}","size":7,"platform":{platform}}}"#
        );
    }
    document(&list)
}

/// What a run took and found.
struct Run {
    /// The most memory it had at once, in kB.
    peak: u64,
    code: Option<i32>,
    /// How many nodes its JSON report counts.
    nodes: usize,
}

/// The one part of a large report that is read.
#[derive(Deserialize)]
struct Report {
    counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    nodes: usize,
}

/// Verifies with every report that there is.
fn run(program: &PathBuf, host: &str, arguments: &[&str]) -> Run {
    let image = format!("{host}/app:1");
    let verify = ["verify", &image, "--settle", "0s", "--attempts", "1"];
    run_any(program, &[&verify[..], arguments].concat())
}

/// Runs a command with every report that there is.
fn run_any(program: &PathBuf, arguments: &[&str]) -> Run {
    let directory = Scratch::new("peak");
    let mut child = Command::new(program)
        .args(arguments)
        .args([
            "--report",
            "report.json",
            "--junit",
            "junit.xml",
            "--format",
            "github",
            "--timeout",
            "5m",
        ])
        .env_clear()
        .envs([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_OUTPUT", "output.txt"),
            ("GITHUB_STEP_SUMMARY", "summary.md"),
        ])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (began, mut peak) = (Instant::now(), 0);
    loop {
        // The kernel keeps the peak, so it does not matter when it is read.
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line
            .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
            .unwrap_or(peak)
            .max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            let report = std::fs::read(directory.path().join("report.json")).unwrap();
            let report: Report = serde_json::from_slice(&report).unwrap();
            return Run {
                peak,
                code: status.code(),
                nodes: report.counts.nodes,
            };
        }
        assert!(
            began.elapsed() < Duration::from_secs(300),
            "it is still running"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_largest_graph_fits_into_forty_megabytes() {
    let program = shipped();
    // Platforms and refusals of which no two are alike are the worst case.
    for (what, distinct, extra) in [
        ("alike", false, &[][..]),
        ("all logged", false, &["--log-level", "debug"]),
        ("distinct", true, &[]),
    ] {
        let server = wide(5, 19_998, distinct);
        let began = Instant::now();
        let Run { peak, code, nodes } = run(&program, &server.host(), extra);
        println!(
            "{nodes} nodes, {what}: {peak} kB in {:.1} s",
            began.elapsed().as_secs_f64()
        );
        assert_eq!((code, nodes), (Some(1), 99_996));
        assert!(peak < MOST, "{what}: {peak} kB");
    }
}

#[test]
fn ten_thousand_blobs_fit_into_thirty_megabytes() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(5).layers(2_000).layer_size(16));
    let Run { peak, code, nodes } = run(&shipped(), &registry.host(), &[]);
    assert_eq!((code, nodes), (Some(0), 1 + 5 * (1 + 1 + 2_000)));
    assert!(peak < 30_000, "{peak} kB");
}

#[test]
fn memory_does_not_grow_with_the_size_of_a_layer() {
    let program = shipped();
    let peaks = [4, 400].map(|megabytes: usize| {
        let content = vec![0; megabytes * 1_000_000];
        let mut image = Image::empty();
        let layer = Descriptor::of(LAYER, &content);
        let config = config_of("linux/amd64", std::slice::from_ref(&layer));
        let config = image.blob(CONFIG, config.to_string());
        let root = image.document(&manifest_of(&config, std::slice::from_ref(&layer)));
        let registry = Registry::start();
        registry.lenient().serve("app:1", &image.begins_with(&root));
        let body = Body::Zeros(layer.size());
        registry
            .on("GET", layer.digest())
            .answers(Reply::ok("application/octet-stream", "").content(body));
        let Run { peak, code, .. } = run(&program, &registry.host(), &["--depth", "full"]);
        assert_eq!(code, Some(0), "{megabytes} MB");
        peak
    });
    assert!(peaks[1] < peaks[0] + 4_000, "{peaks:?} kB for 4 and 400 MB");
}

#[test]
fn hostile_documents_stay_within_their_memory() {
    let (program, small) = (binary(), wide(1, 20, false));
    let usual = run(&program, &small.host(), &[]).peak;
    let child = |more: &str| {
        format!(
            r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":7{more}}}"#,
            sha256(b"x")
        )
    };
    let much = |text: &str| text.repeat(3_900_000 / text.len());
    for (what, list) in [
        ("empty entries", format!("{}{{}}", much("{},"))),
        (
            "annotations",
            child(&format!(r#","annotations":{{"a":[{}0]}}"#, much("0,"))),
        ),
        ("urls", child(&format!(r#","urls":[{}""]"#, much(r#""","#)))),
        (
            "unknown fields",
            child(&format!(r#","x":[{}{{}}]"#, much("{},"))),
        ),
        (
            "a media type",
            format!(
                r#"{{"mediaType":"{}","digest":"{}","size":7}}"#,
                much("x"),
                sha256(b"x")
            ),
        ),
        ("data", child(&format!(r#","data":"{}""#, much("AAAA")))),
    ] {
        let text = document(&list);
        let server = Server::start(move |request| match request.path.rsplit('/').next() {
            Some("1") => Reply::ok(INDEX, text.clone()),
            _ => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        });
        let Run { peak, code, .. } = run(&program, &server.host(), &[]);
        assert!(matches!(code, Some(1 | 4)), "{what}: {code:?}");
        // The document itself, its text or its content once more, and the list of its entries.
        assert!(
            peak < usual + 16_000,
            "{what}: {peak} kB, {usual} kB without"
        );
    }
}

#[test]
fn many_large_documents_are_held_one_at_a_time() {
    let (program, small) = (binary(), wide(1, 20, false));
    let usual = run(&program, &small.host(), &[]).peak;
    let padded = |number: usize| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","n":"{number}{}"}}"#,
            "x".repeat(4_000_000)
        )
    };
    let documents: Vec<String> = (0..16).map(padded).collect();
    let digests: Vec<String> = documents
        .iter()
        .map(|text| sha256(text.as_bytes()))
        .collect();
    let listed: Vec<String> = digests
        .iter()
        .zip(&documents)
        .map(|(digest, text)| {
            format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{}}}"#,
                text.len()
            )
        })
        .collect();
    let root = document(&listed.join(","));
    let server = Server::start(move |request| {
        let wanted = request.path.rsplit('/').next().unwrap_or_default();
        match digests.iter().position(|digest| digest == wanted) {
            Some(place) => Reply::ok(MANIFEST, documents[place].clone()),
            None => Reply::ok(INDEX, root.clone()),
        }
    });
    let Run { peak, code, .. } = run(&program, &server.host(), &[]);
    assert_eq!(code, Some(1));
    assert!(
        peak < usual + 16_000,
        "{peak} kB for sixteen documents of 4 MB, {usual} kB without"
    );
}

/// A registry of so many repositories, all with the same image; with `tokens`, each repository wants
/// one of its own.
fn many(repositories: usize, tokens: bool) -> Server {
    let image = platforms(2).layers(2).attested().make();
    let names: Vec<String> = (0..repositories)
        .map(|number| format!("team-{}/application-{number}", number % 10))
        .collect();
    Server::start(move |request| {
        let path = &*request.path;
        let (name, endpoint) = match path.strip_prefix("/v2/").unwrap_or_default() {
            "_catalog" => ("", "_catalog"),
            below => {
                let end = ["/tags/", "/manifests/", "/blobs/"];
                let at = end.iter().find_map(|end| below.find(end)).unwrap_or(0);
                below.split_at(at)
            }
        };
        let scope = format!("repository:{name}:pull");
        if path == "/token" {
            let scope = request.parameter("scope").unwrap_or_default();
            let token = format!(
                "{}.{}",
                scope.replace([':', '/', '*'], "-"),
                "x".repeat(1_000)
            );
            return Reply::json(&json!({"token": token, "expires_in": 300}));
        }
        let is_allowed = request.header("Authorization").is_some_and(|it| {
            !name.is_empty() && it.contains(&scope.replace([':', '/'], "-")) || name.is_empty()
        });
        if tokens && !is_allowed {
            let host = request.header("Host").unwrap_or_default();
            let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"tests\"");
            return Reply::status(401).header("WWW-Authenticate", challenge);
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        match endpoint {
            "_catalog" => {
                let after = request.parameter("last").unwrap_or_default();
                let start = names
                    .iter()
                    .position(|name| *name == after)
                    .map_or(0, |at| at + 1);
                let page = &names[start..names.len().min(start + 100)];
                let reply = Reply::json(&json!({"repositories": page}));
                match page.last().filter(|_| page.len() == 100) {
                    Some(last) => reply.header("Link", format!("<?n=100&last={last}>; rel=next")),
                    None => reply,
                }
            }
            "/tags/list" => Reply::json(&json!({"name": name, "tags": ["1"]})),
            _ => {
                let digest = if last == "1" { image.root() } else { last };
                let content = image.content(digest).unwrap();
                if content.manifest {
                    Reply::ok(&content.media_type, content.bytes.to_vec())
                        .header("Docker-Content-Digest", digest)
                } else {
                    ranged(request, &Body::Bytes(content.bytes.clone()))
                }
            }
        }
    })
}

#[test]
fn memory_does_not_grow_with_the_number_of_repositories() {
    let program = shipped();
    for tokens in [false, true] {
        let peaks = [100, 3_000].map(|repositories| {
            let server = many(repositories, tokens);
            let host = server.host();
            let began = Instant::now();
            let audit = ["audit", &host, "--concurrency", "8", "--log-level", "warn"];
            let Run { peak, code, nodes } = run_any(&program, &audit);
            println!(
                "{repositories} repositories, tokens: {tokens}: {peak} kB in {:.1} s",
                began.elapsed().as_secs_f64()
            );
            // The index; two platforms of a manifest, a config and two layers; two attestations of
            // a manifest, a config and a statement.
            assert_eq!((code, nodes), (Some(0), repositories * (1 + 2 * 4 + 2 * 3)));
            peak
        });
        assert!(
            peaks[1] < peaks[0] + peaks[0] / 10,
            "{peaks:?} kB for 100 and 3,000 repositories, tokens: {tokens}"
        );
    }
}
