//! Quoted messages: what a page has as a heading in code is in the program's source.

use std::path::Path;

use super::page::quoted_headings;
use super::text;

#[test]
fn every_quoted_message_is_one_of_the_program() {
    let mut sources = String::new();
    read_sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut sources,
    );
    let messages = without_placeholders(&sources);
    for (page, section, at_least) in [
        ("docs/troubleshooting.md", "## Other messages", 9),
        ("docs/rebuild.md", "## Errors", 1),
    ] {
        let quoted = quoted_headings(&text(page), section);
        assert!(quoted.len() >= at_least, "{quoted:?}");
        for message in quoted {
            assert!(
                messages.contains(&message),
                "{page}: the program has no message with: {message}"
            );
        }
    }
}

/// The program's source without its unit tests.
fn read_sources(folder: &Path, into: &mut String) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, into);
        } else {
            let source = std::fs::read_to_string(&path).unwrap();
            into.push_str(
                source
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or_default(),
            );
        }
    }
}

/// Texts as they are printed: continued lines are joined, and `…` replaces every placeholder.
fn without_placeholders(sources: &str) -> String {
    let mut lines = sources.lines();
    let mut text = String::new();
    while let Some(line) = lines.next() {
        let mut line = line.to_owned();
        while let Some(start) = line.strip_suffix('\\') {
            line = format!("{start}{}", lines.next().unwrap_or_default().trim_start());
        }
        text.push_str(&line);
        text.push('\n');
    }
    let mut messages = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        messages.push_str(before);
        match after.split_once('}') {
            Some((inside, behind)) if !inside.contains(['{', '\n']) => {
                messages.push('…');
                rest = behind;
            }
            _ => {
                messages.push('{');
                rest = after;
            }
        }
    }
    messages.push_str(rest);
    messages
}
