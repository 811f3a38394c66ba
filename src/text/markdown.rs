//! Markdown for GitHub's step summaries, in which everything foreign is text and can be wrapped.

use std::fmt::Write as _;

use crate::text::escape;

/// A word of up to so many characters is never broken.
const WHOLE: usize = 16;

/// How many characters of a longer word stand together at most.
const TOGETHER: usize = 18;

/// How many hexadecimal digits of a digest are shown.
const DIGITS: usize = 12;

/// Foreign text: no markup, no HTML, no end of a table's cell, and no word that is wider than a
/// page.
#[must_use]
pub(crate) fn text(foreign: &str) -> String {
    let escaped = escape::markdown(foreign);
    let words: Vec<String> = escaped.split(' ').map(breakable).collect();
    words.join(" ")
}

/// An escaped word, which may be broken where it is long.
fn breakable(word: &str) -> String {
    let letters = letters(word);
    let mut text = String::with_capacity(word.len());
    let mut run = 0;
    for (place, letter) in letters.iter().enumerate() {
        text.push_str(letter);
        run += 1;
        // An address in digits stays in one piece.
        let least = match *letter {
            "/" => 4,
            "-" | "&#58;" | "&#64;" | "&#95;" => 6,
            "." | "&#46;" => 10,
            _ => TOGETHER,
        };
        let is_due = run >= least;
        if is_due && letters.len() > WHOLE && place + 1 < letters.len() {
            text.push_str("<wbr>");
            run = 0;
        }
    }
    text
}

/// The characters of an escaped word, or the entities that stand for them.
fn letters(word: &str) -> Vec<&str> {
    let mut letters = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '&' => rest.find(';').map_or(1, |end| end + 1),
            other => other.len_utf8(),
        };
        let (letter, after) = rest.split_at(end);
        letters.push(letter);
        rest = after;
    }
    letters
}

/// Foreign text as code.
#[must_use]
pub(crate) fn code(foreign: &str) -> String {
    format!("<code>{}</code>", text(foreign))
}

/// The beginning of a digest's hash, as code.
#[must_use]
pub(crate) fn short_digest(digest: &str) -> String {
    let hash = digest.split_once(':').map_or(digest, |(_, hash)| hash);
    let end = hash.char_indices().nth(DIGITS).map(|(end, _)| end);
    let start = &hash[..end.unwrap_or(hash.len())];
    format!("<code>{}</code>", escape::markdown(start))
}

/// Sentences of our own, which may quote foreign text: what stands between two backticks is code,
/// and a line break stays one.
#[must_use]
pub(crate) fn prose(sentences: &str) -> String {
    let parts: Vec<&str> = sentences.split('`').collect();
    let is_balanced = parts.len() % 2 == 1;
    if !is_balanced {
        return words(sentences);
    }
    let mut text = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        let part = words(part);
        let _ = match place % 2 {
            0 => write!(text, "{part}"),
            _ => write!(text, "<code>{part}</code>"),
        };
    }
    text
}

/// Each word by itself, so that a long sentence is not cut.
fn words(sentences: &str) -> String {
    let line = |line: &str| line.split(' ').map(text).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = sentences.split('\n').map(line).collect();
    lines.join("<br>")
}

/// A link to a page, if its address has nothing unusual in it; else the text and the address.
#[must_use]
pub(crate) fn link(words: &str, address: &str) -> String {
    let is_usual = |letter: char| letter.is_ascii_alphanumeric() || "-._~/:%".contains(letter);
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    if is_web && address.chars().all(is_usual) {
        format!("[{}]({address})", text(words))
    } else {
        format!("{} ({})", text(words), text(address))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_word_can_be_broken_where_it_has_an_end() {
        assert_eq!(
            text("example.org/a:12 on linux/amd64/v8"),
            "example.org/a&#58;12 on linux/amd64/v8"
        );
        assert_eq!(
            text("registry.example:5000/infra/ci:latest"),
            "registry.example&#58;<wbr>5000/<wbr>infra/<wbr>ci&#58;latest"
        );
        assert_eq!(
            text("127.0.0.1:5000/app:1"),
            "127.0.0.1&#58;<wbr>5000/<wbr>app&#58;1"
        );
        assert_eq!(
            text(&"a".repeat(60)),
            format!("{0}<wbr>{0}<wbr>{0}<wbr>{1}", "a".repeat(18), "a".repeat(6))
        );
        assert_eq!(text("<b>"), "&#60;b&#62;");
    }

    #[test]
    fn a_digest_is_short_code() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        assert_eq!(short_digest(&digest), "<code>0123456789ab</code>");
        assert_eq!(short_digest("odd:<b>"), "<code>&#60;b&#62;</code>");
    }

    #[test]
    fn a_sentence_keeps_its_code_and_nothing_else() {
        assert_eq!(
            prose("set `ca` to <it>:\nthen *push*"),
            "set <code>ca</code> to &#60;it&#62;&#58;<br>then &#42;push&#42;"
        );
        assert_eq!(prose("an `open end"), "an &#96;open end");
        let long = "word ".repeat(400);
        assert_eq!(prose(&long), long);
    }

    #[test]
    fn only_a_usual_address_is_a_link() {
        assert_eq!(
            link("pipeline 7", "https://ci.example:8000/repos/1/pipeline/7"),
            "[pipeline 7](https://ci.example:8000/repos/1/pipeline/7)"
        );
        for odd in [
            "https://ci.example/a)b",
            "https://me@ci.example/",
            "https://ci.example/?token=1",
            "javascript:alert",
            "https://ci.example/a b",
        ] {
            assert!(!link("pipeline 7", odd).contains("]("), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn foreign_text_is_never_markup(foreign in any::<String>()) {
            for written in [text(&foreign), code(&foreign), prose(&foreign), link("x", &foreign)] {
                let own = ["<wbr>", "<br>", "<code>", "</code>"];
                let rest = own.iter().fold(written, |rest, own| rest.replace(own, ""));
                let is_link = rest.starts_with("[x](http");
                prop_assert!(is_link || !rest.contains(['<', '>', '`', '|', '[', '*', '\n']), "{rest}");
            }
        }
    }
}
