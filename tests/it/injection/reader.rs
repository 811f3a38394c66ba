//! The readers of each output and what they obey: a terminal, GitHub's runner, a browser, a parser.

use std::collections::BTreeMap;

use crate::support::command::Finished;

/// More than any readable line needs; GitHub cuts a message at 4096 characters.
const LONGEST_LINE: usize = 8 * 1024;

/// Checks everything that a run left.
#[track_caller]
pub(super) fn obeys_nothing(finished: &Finished) {
    let read = |name: &str| std::fs::read_to_string(finished.path().join(name)).ok();
    for (place, text) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        if place == "stdout" && text.starts_with('{') {
            json(place, text);
        } else {
            log(place, text);
        }
    }
    if let Some(text) = read("report.json") {
        json("report.json", &text);
    }
    if let Some(text) = read("junit.xml") {
        xml(&text);
    }
    if let Some(text) = read("summary.md") {
        markdown(&text);
    }
    if let Some(text) = read("output.txt") {
        outputs(&text, finished.code);
    }
}

/// Nothing that a terminal obeys, and nothing that is there and not seen.
#[track_caller]
fn visible(place: &str, text: &str) {
    let hidden = |letter: &char| {
        let number = *letter as u32;
        (letter.is_control() && *letter != '\n')
            || [0xad, 0x61c, 0x180e, 0x2028, 0x2029, 0xfeff].contains(&number)
            || [
                (0x200b, 0x200f),
                (0x202a, 0x202e),
                (0x2060, 0x206f),
                (0xe0000, 0xe007f),
            ]
            .iter()
            .any(|(first, last)| (first..=last).contains(&&number))
    };
    let found = text.chars().find(hidden);
    assert_eq!(found, None, "in {place}: {text}");
    assert!(
        !text.contains("PASSWORD") && !text.contains("SIGNATURE"),
        "a URL's secrets are in {place}: {text}"
    );
}

/// A log that a person reads on a terminal and GitHub's runner line by line.
#[track_caller]
fn log(place: &str, text: &str) {
    visible(place, text);
    for line in text.lines() {
        let trimmed = line.trim_start();
        let own = [
            "::group::",
            "::endgroup::",
            "::error title=",
            "::error::",
            "::warning title=",
            "::warning::",
            "::debug::",
        ];
        if trimmed.starts_with("::") {
            assert!(
                own.iter().any(|own| line.starts_with(own)),
                "a command in {place}: {line}"
            );
            assert!(
                !trimmed.starts_with("::error::OWNED"),
                "a command in {place}: {line}"
            );
        }
        assert!(!line.contains("##"), "a command in {place}: {line}");
        assert!(
            !trimmed.starts_with("INJECTED"),
            "a line of its own in {place}: {line}"
        );
        assert!(
            line.len() < LONGEST_LINE,
            "a line of {} bytes in {place}",
            line.len()
        );
    }
}

#[track_caller]
fn json(place: &str, text: &str) {
    visible(place, text);
    assert_eq!(text.lines().count(), 1, "{place} is one line: {text}");
    assert!(!text.contains("##"), "a command in {place}: {text}");
    let parsed: serde_json::Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}: {text}"));
    let hidden = parsed.to_string();
    assert!(
        hidden.len() < 10 * LONGEST_LINE * 10,
        "{place} has {} bytes",
        hidden.len()
    );
}

/// Well-formed as far as it matters: known elements alone, attributes in quotes, no bare ampersand.
#[track_caller]
fn xml(text: &str) {
    visible("junit.xml", text);
    assert!(!text.contains("##"), "a command: {text}");
    let known = [
        "?xml ",
        "testsuites",
        "/testsuites>",
        "testsuite ",
        "/testsuite>",
        "testcase ",
        "/testcase>",
    ];
    let known = [
        &known[..],
        &["failure ", "/failure>", "error ", "/error>", "skipped "],
    ]
    .concat();
    for element in text.split('<').skip(1) {
        assert!(
            known.iter().any(|name| element.starts_with(name)),
            "an element: <{element}"
        );
        let tag = element.split('>').next().unwrap();
        assert_eq!(
            tag.matches('"').count() % 2,
            0,
            "an open attribute: <{element}"
        );
    }
    for entity in text.split('&').skip(1) {
        assert!(
            ["amp;", "lt;", "gt;", "quot;", "apos;"]
                .iter()
                .any(|name| entity.starts_with(name)),
            "&{entity}"
        );
    }
}

/// GitHub's markdown: our own headings, boxes, tables and folds, and nothing else.
#[track_caller]
fn markdown(text: &str) {
    visible("summary.md", text);
    assert!(text.len() < 1_000_000, "it has {} bytes", text.len());
    let mut columns = 0;
    for line in text.lines() {
        let foreign = without_own_markup(line);
        assert!(
            !foreign.contains(['<', '`', '[', ']', '*', '_', '~', '\\', '#', '>', '@', '!']),
            "markup: {line}"
        );
        assert!(
            !foreign.contains("://") && !foreign.to_ascii_lowercase().contains("www."),
            "a link: {line}"
        );
        if line.starts_with('|') {
            let pipes = line.matches('|').count();
            columns = if columns == 0 { pipes } else { columns };
            assert_eq!(pipes, columns, "a cell more: {line}");
        } else {
            assert!(!line.contains('|'), "a table: {line}");
            columns = 0;
        }
    }
}

/// What is left of a line of a summary without its own markup.
fn without_own_markup(line: &str) -> String {
    let alerts = ["TIP", "NOTE", "WARNING", "CAUTION"].map(|word| format!("> [!{word}]"));
    if alerts.contains(&line.to_owned()) {
        return String::new();
    }
    let mut rest = line.to_owned();
    for heading in ["✅", "⏭️", "⚠️", "❌"].map(|mark| format!("### {mark} pullproof: "))
    {
        rest = rest.strip_prefix(&heading).unwrap_or(&rest).to_owned();
    }
    if let Some(boxed) = line.strip_prefix('>') {
        // A pipeline's page is the only link.
        let page = boxed
            .strip_prefix(" [Pipeline ")
            .and_then(|link| link.split_once("): "));
        let text = page.map_or(boxed, |(_, status)| status);
        // What is bold: at most one verdict for each image, or the word hint.
        let lines = text.split("<br>").map(|line| line.replacen("**", "", 2));
        rest = lines.collect::<Vec<_>>().concat();
    }
    for own in [
        "<details open>",
        "<details>",
        "<summary>",
        "</summary>",
        "</details>",
        "<code>",
        "</code>",
        "<wbr>",
        "&nbsp;",
        "&#",
    ] {
        rest = rest.replace(own, "");
    }
    rest
}

/// The file behind `GITHUB_OUTPUT`, read as the runner reads it.
#[track_caller]
fn outputs(text: &str, code: Option<i32>) {
    let mut lines = text.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line
            .split_once("<<")
            .unwrap_or_else(|| panic!("not an output: {line}: {text}"));
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        assert_eq!(value.len(), 1, "{name} has {} lines: {text}", value.len());
        visible(name, value[0]);
        assert_eq!(found.insert(name, value[0]), None, "{name} twice: {text}");
    }
    let names = "bytes checked digest digests duration-ms exit-code failures images pipeline-number pipeline-status \
                 pipeline-url platforms report result";
    assert_eq!(found.keys().copied().collect::<Vec<_>>().join(" "), names);
    assert_eq!(found["exit-code"].parse().ok(), code);
    assert!(
        ["failed", "error", "passed"].contains(&found["result"]) && found["result"] != "OWNED",
        "{text}"
    );
}
