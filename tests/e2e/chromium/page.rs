//! Markdown as a page: GitHub's own renderer, a style close to GitHub's, and headless Chromium.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::support::scratch::Scratch;

/// How wide a job's summary is shown on a small screen, in pixels.
const WIDTH: u64 = 1000;

/// What there is on a page, as the browser sees it.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    window: u64,
    width: u64,
    pub(super) height: u64,
    outside: Vec<String>,
    elements: Vec<String>,
    links: Vec<String>,
    pub(super) alerts: Vec<String>,
    pub(super) details: usize,
    pub(super) open_details: usize,
    pub(super) text: String,
}

/// The elements of a summary, with the names of their attributes.
const ELEMENTS: &[&str] = &[
    "a href",
    "blockquote",
    "br",
    "code",
    "details",
    "details open",
    "div class",
    "h3",
    "p",
    "p class",
    "strong",
    "summary",
    "table",
    "tbody",
    "td",
    "td align",
    "th",
    "th align",
    "thead",
    "tr",
    "wbr",
];

/// Shows a summary, and checks what holds for each: all of it is on the screen, and nothing in it is
/// an element that is not ours.
#[track_caller]
pub(super) fn shown(name: &str, markdown: &str) -> Page {
    let scratch = Scratch::new("page");
    let file = scratch.path().join("page.html");
    std::fs::write(&file, html(markdown)).unwrap();
    let page = measured(&scratch, &file);
    assert_eq!(page.window, WIDTH, "{name}: the window is as wide as asked");
    assert!(page.width <= WIDTH, "{name} is {} pixels wide", page.width);
    assert_eq!(page.outside, [""; 0], "{name}: off the screen, or scrolled");
    for element in &page.elements {
        assert!(ELEMENTS.contains(&&**element), "{name}: <{element}>");
    }
    assert!(page.links.is_empty(), "{name}: {:?}", page.links);
    assert!(!page.text.contains("[!"), "{name}: {}", page.text);
    let picture = picture(&scratch, &file, name, page.height);
    assert_eq!(width_of(&picture), WIDTH, "{name}: the picture's width");
    page
}

/// The page, as GitHub makes it: its own renderer, and boxes for alerts, which that does not know.
fn html(markdown: &str) -> String {
    let renderer = std::env::var("E2E_CMARK").expect("`make e2e` says where cmark-gfm is");
    let mut child = Command::new(renderer)
        .args(["--unsafe", "--to", "html"])
        .args([
            "-e",
            "table",
            "-e",
            "autolink",
            "-e",
            "strikethrough",
            "-e",
            "tagfilter",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(markdown.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut body = String::from_utf8(output.stdout).unwrap();
    for word in ["note", "tip", "important", "warning", "caution"] {
        let quote = format!("<blockquote>\n<p>[!{}]\n", word.to_uppercase());
        while let Some(start) = body.find(&quote) {
            let title = format!("<div class=\"alert {word}\">\n<p class=\"title\">{word}</p>\n<p>");
            body.replace_range(start..start + quote.len(), &title);
            let end = start + body[start..].find("</blockquote>").unwrap();
            body.replace_range(end..end + "</blockquote>".len(), "</div>");
        }
    }
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<style>{}</style>\n<script>{}</script>\n\
         <body>\n{body}</body>\n",
        include_str!("page.css"),
        include_str!("measure.js")
    )
}

/// A browser that shows this file in a window of this height.
fn chromium(scratch: &Scratch, height: u64) -> Command {
    let program = std::env::var("E2E_CHROMIUM").expect("`make e2e` says where chromium is");
    let mut command = Command::new(program);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--disable-dev-shm-usage", "--disable-background-networking"])
        .arg(format!("--window-size={WIDTH},{height}"))
        .arg(format!(
            "--user-data-dir={}",
            scratch.path().join("profile").display()
        ))
        .env("HOME", scratch.path())
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn measured(scratch: &Scratch, file: &Path) -> Page {
    let output = chromium(scratch, 800)
        .arg("--dump-dom")
        .arg(file)
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout);
    let title = dom
        .split("<title>")
        .nth(1)
        .and_then(|rest| rest.split("</title>").next());
    let title = title.unwrap_or_else(|| panic!("nothing was measured: {output:?}"));
    let encoded = format!("title={title}");
    let (_, json) = url::form_urlencoded::parse(encoded.as_bytes())
        .next()
        .unwrap();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// A picture of the whole page.
#[track_caller]
fn picture(scratch: &Scratch, file: &Path, name: &str, height: u64) -> Vec<u8> {
    let path = scratch.path().join("page.png");
    let output = chromium(scratch, height)
        .arg(format!("--screenshot={}", path.display()))
        .arg(file)
        .output()
        .unwrap();
    let png = std::fs::read(&path).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    if let Some(directory) = std::env::var_os("PULLPROOF_SHOTS") {
        std::fs::write(Path::new(&directory).join(format!("{name}.png")), &png).unwrap();
    }
    png
}

/// What a PNG states (<https://www.w3.org/TR/png-3/#11IHDR>).
fn width_of(png: &[u8]) -> u64 {
    let bytes: [u8; 4] = png[16..20].try_into().unwrap();
    u32::from_be_bytes(bytes).into()
}
