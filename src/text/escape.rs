//! Foreign text, escaped for where it goes.
//!
//! A registry controls many texts: error bodies, media types, platforms. Every function here
//! shortens them, removes what may be secret in URLs and makes invisible characters visible, before
//! it escapes for its own destination.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest piece of foreign text that is shown, in characters.
pub(crate) const LONGEST: usize = 500;

/// For a line on a terminal or in a CI's log.
///
/// GitHub's runner obeys a line that starts with `::` after trimming, and `##[` anywhere; others
/// obey `##vso[` and
/// `##teamcity[`. So no `::` starts the text and no two `#` follow each other.
#[must_use]
pub(crate) fn line(text: &str) -> String {
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

/// For the message of a workflow command: the characters that end it; line breaks of our own stay
/// line breaks.
#[must_use]
pub(crate) fn command_message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// For a property of a workflow command, such as `title`.
#[must_use]
pub(crate) fn command_property(text: &str) -> String {
    command_message(text)
        .replace(':', "%3A")
        .replace(',', "%2C")
}

/// For a cell of a markdown table: no markup, no HTML, no end of the cell.
#[must_use]
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for character in visible(text).chars() {
        match character {
            // GitHub makes a link of any text that begins with `www.`.
            '.' if escaped.ends_with(['w', 'W']) => escaped.push_str("&#46;"),
            character if character.is_ascii_alphanumeric() || " ./-,;".contains(character) => {
                escaped.push(character);
            }
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
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for character in line(text).chars() {
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

/// The beginning of the text, without what may be secret in URLs.
#[must_use]
pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= LONGEST && !text.contains(['?', '@']) {
        return text.to_owned();
    }
    // Cutting first keeps the work in bounds however long the text is; what is cut off hides
    // nothing.
    let short = without_url_secrets(
        text.char_indices()
            .nth(4 * LONGEST)
            .map_or(text, |(end, _)| &text[..end]),
    );
    match short.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &short[..end]),
        None => short,
    }
}

/// Whether a character would not be seen, or would change how others are seen.
#[must_use]
pub(crate) fn is_hidden(character: char) -> bool {
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

/// Cuts what may be secret in everything that looks like a URL or its path: the query, and a user
/// with a password.
fn without_url_secrets(text: &str) -> String {
    let is_end = |end: char| end.is_whitespace() || "\"<>".contains(end);
    let mut kept = String::with_capacity(text.len());
    for word in text.split_inclusive(is_end) {
        let (url, end) = match word.char_indices().last() {
            Some((place, last)) if is_end(last) => word.split_at(place),
            _ => (word, ""),
        };
        let query = url
            .find('/')
            .and_then(|slash| url[slash..].find('?').map(|mark| slash + mark));
        let query = query.filter(|mark| mark + 1 < url.len());
        let (path, query) = query.map_or((url, ""), |mark| (&url[..mark], "?…"));
        kept.push_str(&without_user(path));
        kept.push_str(query);
        kept.push_str(end);
    }
    kept
}

/// Cuts the user behind every `//`: some messages lose the scheme before it, some write the slashes
/// as `\/`, and some name several URLs without a blank between them.
fn without_user(url: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = url;
    while let Some(start) = end_of_slashes(rest) {
        let authority = rest[start..].split(['/', '\\']).next().unwrap_or_default();
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(at) = authority.rfind('@') {
            kept.push('…');
            rest = &rest[at..];
        }
    }
    if kept.is_empty() {
        Cow::Borrowed(url)
    } else {
        Cow::Owned(kept + rest)
    }
}

/// The place behind the first two slashes and all that follow at once, escaped or not.
fn end_of_slashes(text: &str) -> Option<usize> {
    let first = [text.find("//"), text.find(r"/\/")]
        .into_iter()
        .flatten()
        .min()?;
    Some(text.len() - text[first..].trim_start_matches(['/', '\\']).len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_has_no_commands() {
        for (foreign, harmless) in [
            ("plain text, ünïcode and #1", "plain text, ünïcode and #1"),
            ("::error::x", ".::error::x"),
            (" \u{3000}\t::error::x", ". \u{3000} ::error::x"),
            ("a::b", "a::b"),
            ("x ##[error]y", "x # #[error]y"),
            ("####[", "# # # #["),
            ("##vso[task.x]", "# #vso[task.x]"),
            ("a\nb\r\nc\td", "a b  c d"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}31m", "\\u{9b}31m"),
            (
                "\u{202e}evil\u{200b}\u{feff}",
                "\\u{202e}evil\\u{200b}\\u{feff}",
            ),
            ("\u{85}\u{2028}", "\\u{85}\\u{2028}"),
        ] {
            assert_eq!(line(foreign), harmless, "{foreign:?}");
        }
    }

    #[test]
    fn a_megabyte_is_cut() {
        let long = "é".repeat(1_000_000);
        assert_eq!(line(&long), format!("{}…", "é".repeat(LONGEST)));
        assert_eq!(line(&"x".repeat(LONGEST)).len(), LONGEST);
    }

    #[test]
    fn secrets_in_urls_are_cut() {
        for (text, cut) in [
            (
                "GET https://host/a?X-Amz-Signature=1&b=2 failed",
                "GET https://host/a?… failed",
            ),
            (
                r#"{"url":"https://host/a?sig=1","b":"?c=1"}"#,
                r#"{"url":"https://host/a?…","b":"?c=1"}"#,
            ),
            ("/v2/app/blobs/x?token=1)", "/v2/app/blobs/x?…"),
            (
                r"https://host/a?b=1\u0026signature=x y",
                "https://host/a?… y",
            ),
            ("?https://host/a?b", "?https://host/a?…"),
            ("https://me:secret@host/a?b", "https://…@host/a?…"),
            (
                "not a digest: //me:secret@host/a",
                "not a digest: //…@host/a",
            ),
            (
                "https://a,https://me:secret@b;http://me:secret@c",
                "https://a,https://…@b;http://…@c",
            ),
            (
                r#"{"url":"https:\/\/me:secret@host\/a?b"}"#,
                r#"{"url":"https:\/\/…@host\/a?…"}"#,
            ),
            ("///me:secret@host", "///…@host"),
            ("a//b///", "a//b///"),
            ("me@host and a://b", "me@host and a://b"),
            ("is it there? yes/no", "is it there? yes/no"),
            ("really/truly? yes", "really/truly? yes"),
        ] {
            assert_eq!(line(text), cut);
        }
    }

    #[test]
    fn every_destination_has_its_own_rules() {
        assert_eq!(command_message("50%: a,b\r\nc"), "50%25: a,b%0D%0Ac");
        assert_eq!(command_property("50%: a,b\n"), "50%25%3A a%2Cb%0A");
        assert_eq!(
            markdown("a|b <i> `c` [d](e) _f_ &amp;"),
            "a&#124;b &#60;i&#62; &#96;c&#96; &#91;d&#93;&#40;e&#41; &#95;f&#95; &#38;amp;"
        );
        assert_eq!(
            markdown("www.evil.example, 1.2"),
            "www&#46;evil.example, 1.2"
        );
        assert_eq!(
            xml("<a b=\"c\" d='e'>&\u{0}\u{ffff}"),
            "&lt;a b=&quot;c&quot; d=&apos;e&apos;&gt;&amp;\\u{0}\\u{ffff}"
        );
    }

    /// Text made of dangerous and harmless parts.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("::".to_owned()),
            Just("##[".to_owned()),
            Just("#".to_owned()),
            Just("\n".to_owned()),
            Just("|`<>&\"'".to_owned()),
            Just("https://h/p?s=SECRET".to_owned()),
            Just(" ftp://me:SECRET@h".to_owned()),
            Just("//me:SECRET@h".to_owned()),
            any::<String>(),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_hidden_character_and_no_command_comes_out(text in hostile()) {
            let line = line(&text);
            prop_assert!(!line.chars().any(is_hidden), "{line:?}");
            prop_assert!(!line.trim_start().starts_with("::"), "{line:?}");
            prop_assert!(!line.contains("##"), "{line:?}");
            prop_assert!(!line.contains("SECRET"), "{line:?}");
        }

        #[test]
        fn markup_stays_text(text in hostile()) {
            let cell = markdown(&text);
            prop_assert!(!cell.contains(['|', '`', '<', '>', '*', '_', '[', '\\', '\n']), "{cell:?}");
            let attribute = xml(&text);
            prop_assert!(!attribute.contains(['<', '>', '"', '\'']), "{attribute:?}");
        }
    }
}
