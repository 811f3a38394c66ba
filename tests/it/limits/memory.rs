//! Peak memory, as the kernel counts it (`VmHWM`), for what is largest and for what is meant to swell.
//!
//! Here a tenth of the largest graph is measured, on the program as the tests build it, beyond what that takes for an image of
//! a few nodes. `make limits` measures the largest graph itself on the release build: `PULLPROOF_LIMITS` is its path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::command::binary;
use crate::support::digest::sha256;
use crate::support::http::{Reply, Server};
use crate::support::image::{INDEX, MANIFEST};
use crate::support::scratch::Scratch;

/// The most that the release build may take, in kB.
const RELEASE: u64 = 40_000;

/// A registry with one image: indexes of so many children each, all of which are missing.
fn wide(indexes: usize, children: usize, distinct: bool) -> Server {
    let documents = (0..indexes).map(|place| index(place * children, children, distinct));
    let mut documents: BTreeMap<String, String> = documents.map(|text| (sha256(text.as_bytes()), text)).collect();
    let listed: Vec<String> = documents
        .iter()
        .map(|(digest, text)| format!(r#"{{"mediaType":"{INDEX}","digest":"{digest}","size":{}}}"#, text.len()))
        .collect();
    documents.insert("1".to_owned(), document(&listed.join(",")));
    Server::start(move |request| {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        match documents.get(last) {
            Some(text) => Reply::ok(INDEX, text.clone()),
            None if distinct => Reply::error(404, "MANIFEST_UNKNOWN", &format!("{last} is unknown")),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    })
}

fn document(list: &str) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{list}]}}"#)
}

fn index(first: usize, children: usize, distinct: bool) -> String {
    let mut list = String::new();
    for number in first..first + children {
        let digest = sha256(&number.to_le_bytes());
        let name = if distinct { number.to_string() } else { String::new() };
        let comma = if number > first { "," } else { "" };
        let platform = format!(r#"{{"os":"linux{name}","architecture":"amd64"}}"#);
        let _ =
            write!(list, r#"{comma}{{"mediaType":"{MANIFEST}","digest":"{digest}","size":7,"platform":{platform}}}"#);
    }
    document(&list)
}

/// Verifies with every report that there is; the peak in kB and the exit code.
fn peak(program: &PathBuf, server: &Server, arguments: &[&str]) -> (u64, Option<i32>) {
    let directory = Scratch::new("peak");
    let mut child = Command::new(program)
        .args(["verify", &format!("{}/app:1", server.host()), "--settle", "0s", "--attempts", "1"])
        .args(["--report", "report.json", "--junit", "junit.xml", "--format", "github", "--timeout", "5m"])
        .args(arguments)
        .env_clear()
        .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", "output.txt"), ("GITHUB_STEP_SUMMARY", "summary.md")])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (began, mut peak) = (Instant::now(), 0);
    loop {
        // The kernel keeps the peak, so that it does not matter when somebody looks.
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            return (peak, status.code());
        }
        assert!(began.elapsed() < Duration::from_secs(300), "it is still running");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_largest_graph_fits_into_forty_megabytes() {
    let release = std::env::var_os("PULLPROOF_LIMITS").map(PathBuf::from);
    let (program, part) = release.clone().map_or_else(|| (binary(), 10_u64), |program| (program, 1));
    let (usual, _) = peak(&program, &wide(1, 20, false), &[]);
    // A tenth of the graph may take a tenth of what the whole one may beyond a usual image, and some pages of the allocator's.
    let most = if release.is_some() { RELEASE } else { usual + RELEASE / part + 2_000 };
    // Platforms and refusals of which no two are alike are the worst case.
    for (what, distinct, extra) in
        [("alike", false, &[][..]), ("all told", false, &["--log-level", "debug"]), ("distinct", true, &[])]
    {
        let children = usize::try_from(19_998 / part).unwrap();
        let server = wide(5, children, distinct);
        let began = Instant::now();
        let (peak, code) = peak(&program, &server, extra);
        println!("{} nodes, {what}: {peak} kB in {:.1} s", 5 * children + 6, began.elapsed().as_secs_f64());
        assert_eq!(code, Some(1));
        assert!(peak < most, "{what}: {peak} kB, {usual} kB for 20 nodes");
    }
}

#[test]
fn documents_that_are_meant_to_swell_do_not() {
    let (program, small) = (binary(), wide(1, 20, false));
    let (usual, _) = peak(&program, &small, &[]);
    let child = |more: &str| format!(r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":7{more}}}"#, sha256(b"x"));
    let much = |text: &str| text.repeat(3_900_000 / text.len());
    for (what, list) in [
        ("empty entries", format!("{}{{}}", much("{},"))),
        ("annotations", child(&format!(r#","annotations":{{"a":[{}0]}}"#, much("0,")))),
        ("urls", child(&format!(r#","urls":[{}""]"#, much(r#""","#)))),
        ("unknown fields", child(&format!(r#","x":[{}{{}}]"#, much("{},")))),
        ("a media type", format!(r#"{{"mediaType":"{}","digest":"{}","size":7}}"#, much("x"), sha256(b"x"))),
        ("data", child(&format!(r#","data":"{}""#, much("AAAA")))),
    ] {
        let text = document(&list);
        let server = Server::start(move |request| match request.path.rsplit('/').next() {
            Some("1") => Reply::ok(INDEX, text.clone()),
            _ => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        });
        let (peak, code) = peak(&program, &server, &[]);
        assert!(matches!(code, Some(1 | 4)), "{what}: {code:?}");
        // The document itself, its text or its content once more, and the list of its entries.
        assert!(peak < usual + 16_000, "{what}: {peak} kB, {usual} kB without");
    }
}

#[test]
fn many_large_documents_at_once_are_held_one_after_the_other() {
    let (program, small) = (binary(), wide(1, 20, false));
    let (usual, _) = peak(&program, &small, &[]);
    let padded = |number: usize| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","n":"{number}{}"}}"#, "x".repeat(4_000_000))
    };
    let documents: Vec<String> = (0..16).map(padded).collect();
    let digests: Vec<String> = documents.iter().map(|text| sha256(text.as_bytes())).collect();
    let listed: Vec<String> = digests
        .iter()
        .zip(&documents)
        .map(|(digest, text)| format!(r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{}}}"#, text.len()))
        .collect();
    let root = document(&listed.join(","));
    let server = Server::start(move |request| {
        let wanted = request.path.rsplit('/').next().unwrap_or_default();
        match digests.iter().position(|digest| digest == wanted) {
            Some(place) => Reply::ok(MANIFEST, documents[place].clone()),
            None => Reply::ok(INDEX, root.clone()),
        }
    });
    let (peak, code) = peak(&program, &server, &[]);
    assert_eq!(code, Some(1));
    assert!(peak < usual + 16_000, "{peak} kB for sixteen documents of 4 MB, {usual} kB without");
}
