//! Text from elsewhere, made harmless for where it goes.
//!
//! A registry may say anything: an error body, a media type, a platform. Everything in here shortens, cuts the queries
//! of URLs (they may be signed) and makes visible what would not be seen, before it does what its own destination needs.

use std::fmt::Write as _;

/// The longest piece of foreign text that is shown, in characters.
pub const LONGEST: usize = 500;

/// For a line on a terminal or in a CI's log.
///
/// GitHub's runner obeys a line that starts with `::` after trimming, and `##[` anywhere; others obey `##vso[` and
/// `##teamcity[`. So no `::` starts the text and no two `#` follow each other.
#[must_use]
pub fn line(text: &str) -> String {
    let text = visible(text);
    let mut harmless = String::with_capacity(text.len());
    if text.trim_start().starts_with("::") {
        harmless.push('.');
    }
    for character in text.chars() {
        if character == '#' && harmless.ends_with('#') {
            harmless.push(' ');
        }
        harmless.push(character);
    }
    harmless
}

/// For the message of a workflow command: the characters that end it; line breaks of our own stay line breaks.
#[must_use]
pub fn command_message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// For a property of a workflow command, such as `title`.
#[must_use]
pub fn command_property(text: &str) -> String {
    command_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// For a cell of a markdown table: no markup, no HTML, no end of the cell.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for character in visible(text).chars() {
        match character {
            character if character.is_ascii_alphanumeric() || " ./-,;".contains(character) => escaped.push(character),
            character if character.is_ascii() => {
                let _ = write!(escaped, "&#{};", character as u32);
            }
            character => escaped.push(character),
        }
    }
    escaped
}

/// For XML, as an attribute or as text.
#[must_use]
pub fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for character in visible(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// The beginning of the text, without the queries of URLs.
#[must_use]
pub fn shortened(text: &str) -> String {
    // Cutting first keeps the work in bounds however long the text is; what is cut off has no query to hide.
    let short: String = without_queries(text.char_indices().nth(4 * LONGEST).map_or(text, |(end, _)| &text[..end]));
    match short.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &short[..end]),
        None => short,
    }
}

/// Whether a character would not be seen, or would change how others are seen.
#[must_use]
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One line of text, shortened, in which everything can be seen.
fn visible(text: &str) -> String {
    let mut shown = String::new();
    for character in shortened(text).chars() {
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            character if is_hidden(character) => shown.extend(character.escape_unicode()),
            character => shown.push(character),
        }
    }
    shown
}

/// Cuts what follows the `?` of everything that looks like a URL or its path: signatures and tokens travel there.
fn without_queries(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for word in text.split_inclusive(|end: char| end.is_whitespace() || "\"'<>`|\\^{}".contains(end)) {
        let (word, end) = match word.char_indices().last() {
            Some((place, last)) if last.is_whitespace() || "\"'<>`|\\^{}".contains(last) => word.split_at(place),
            _ => (word, ""),
        };
        match word.split_once('?') {
            Some((path, query)) if path.contains('/') && !query.is_empty() => {
                kept.push_str(path);
                kept.push_str("?…");
            }
            _ => kept.push_str(word),
        }
        kept.push_str(end);
    }
    kept
}
