//! The end of a step's log, out of a JSON array of any length: in memory are one entry and the
//! lines that are kept.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::model::LogEntry;

/// The longest entry that is kept, in bytes; Woodpecker cuts a line at 1 MiB, which base64 makes a
/// third longer.
const LONGEST_ENTRY: usize = 2 * 1024 * 1024;

/// The longest line that is kept, in characters: much more than is shown, because what is left of
/// it when its secrets are redacted may be much shorter.
const LONGEST_LINE: usize = 20_000;

/// Takes a log piece by piece and keeps its last lines.
#[derive(Debug)]
pub(crate) struct Tail {
    max: usize,
    lines: VecDeque<String>,
    entry: Vec<u8>,
    depth: u32,
    in_text: bool,
    escaped: bool,
    array: bool,
}

impl Tail {
    /// Keeps at most `max` lines.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            lines: VecDeque::new(),
            entry: Vec::new(),
            depth: 0,
            in_text: false,
            escaped: false,
            array: false,
        }
    }

    /// Takes the next bytes of the array.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        for &byte in piece {
            if !self.array {
                self.array = byte == b'[';
                continue;
            }
            if self.depth == 0 && byte != b'{' {
                continue;
            }
            if self.entry.len() <= LONGEST_ENTRY {
                self.entry.push(byte);
            }
            if self.in_text {
                self.in_text = byte != b'"' || self.escaped;
                self.escaped = byte == b'\\' && !self.escaped;
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                self.finish_entry();
            }
        }
    }

    /// Whether what came is an array at all.
    pub(crate) fn is_array(&self) -> bool {
        self.array
    }

    /// The last lines: text alone, without line ends.
    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }

    fn finish_entry(&mut self) {
        let read = serde_json::from_slice::<LogEntry>(&self.entry)
            .ok()
            .filter(|entry| (0..=1).contains(&entry.kind));
        self.entry.clear();
        if let Some(entry) = read {
            let text = text(&entry);
            self.lines.extend(tail(lines(&text), self.max));
            self.lines
                .drain(..self.lines.len().saturating_sub(self.max));
        }
    }
}

/// The last `max` of `lines`, in their order.
#[must_use]
pub fn tail<'a>(lines: impl IntoIterator<Item = &'a str>, max: usize) -> Vec<String> {
    let mut kept = VecDeque::new();
    for line in lines {
        kept.push_back(line);
        if kept.len() > max {
            kept.pop_front();
        }
    }
    kept.into_iter().map(shorten).collect()
}

fn text(entry: &LogEntry) -> String {
    let data = entry.data.as_deref().unwrap_or_default();
    // Other producers than the agent may write plain text: better shown than dropped.
    STANDARD.decode(data).map_or_else(
        |_| data.to_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// An entry's lines; a progress bar's carriage returns end lines, too.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end_matches(['\n', '\r']).split(['\n', '\r'])
}

fn shorten(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => line[..end].to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(line: &str) -> Value {
        json!({"id": 1, "line": 0, "data": STANDARD.encode(line), "type": 0})
    }

    fn read(log: &str, max: usize, step: usize) -> Vec<String> {
        let mut tail = Tail::new(max);
        for piece in log.as_bytes().chunks(step) {
            tail.push(piece);
        }
        tail.into_lines()
    }

    #[test]
    fn the_last_lines_are_kept_however_the_log_is_cut_into_pieces() {
        let lines: Vec<String> = (0..20)
            .map(|number| format!(r#"line {number} }}]"\"#))
            .collect();
        let log = lines
            .iter()
            .map(|line| entry(line))
            .collect::<Value>()
            .to_string();
        for step in [1, 7, 100_000] {
            assert_eq!(read(&log, 3, step), lines[17..], "{step}");
        }
    }

    #[test]
    fn brackets_and_quotes_within_a_text_do_not_end_an_entry() {
        let log = json!([{"note": "}] \" \\", "data": STANDARD.encode("first")}, entry("second")])
            .to_string();
        assert_eq!(read(&log, 9, 1), ["first", "second"]);
    }

    #[test]
    fn exit_codes_and_progress_are_no_lines() {
        let code = json!({"type": 2, "data": STANDARD.encode("1")});
        let log = json!([entry("text"), code, {"type": 1, "data": "not base64"}]);
        assert_eq!(read(&log.to_string(), 9, 5), ["text", "not base64"]);
    }

    #[test]
    fn an_empty_line_stays_one_and_carriage_returns_end_lines() {
        let log = json!([{"data": null, "type": 0}, entry("10%\r20%\r\n"), entry("")]).to_string();
        assert_eq!(read(&log, 9, 5), ["", "10%", "20%", ""]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let line = read(&json!([entry(&"ä".repeat(50_000))]).to_string(), 9, 5).remove(0);
        assert_eq!(line.chars().count(), LONGEST_LINE);
        let endless = json!([entry(&"x".repeat(3_000_000)), entry("after")]).to_string();
        assert_eq!(read(&endless, 9, 100_000), ["after"]);
    }

    #[test]
    fn an_unfinished_log_gives_what_came() {
        let log = json!([entry("one"), entry("two")]).to_string();
        assert_eq!(read(&log[..log.len() - 5], 9, 5), ["one"]);
        assert_eq!(read("null", 9, 5), Vec::<String>::new());
    }
}
