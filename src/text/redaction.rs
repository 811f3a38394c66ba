//! Secrets that were sent to servers, so that no output shows them: some servers repeat a header, a
//! form or a token in an error.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;

use aho_corasick::Input;
use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::noncontiguous::NFA;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;

use super::decoding::View;

/// The shortest secret that is looked for, in bytes: a shorter one would be found in ordinary
/// words.
const SHORTEST: usize = 4;

/// From this length on, in bytes, a form is a long one.
const LONG: usize = 200;

/// How often an encoding within an encoding is undone.
const LAYERS: usize = 3;

/// From this length on, in bytes, a text may have been cut, and end within a secret: its end, which
/// nobody needs, is not shown.
const MAY_BE_CUT: usize = 16 * 1024;

/// The most bytes of an escape for one byte: `\\u0041`.
const LONGEST_ESCAPE: usize = 6;

/// What our own sentences add behind a foreign text at most, in bytes.
const AFTER: usize = 100;

/// What stands in its place.
const REDACTED: &str = "[secret]";

/// Secrets in every form in which they are sent.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Those that most texts could hold.
    short: Forms,
    /// Those that hardly any text could: most tokens.
    long: Forms,
    /// The length of the longest secret, in bytes.
    longest: usize,
}

/// Forms that are looked for together.
#[derive(Clone, Default)]
struct Forms {
    all: BTreeSet<String>,
    /// Finds all of them at once, which is expensive to make: it is made when it is first needed
    /// after the last change.
    finder: OnceLock<Option<NFA>>,
}

impl Forms {
    fn add(&mut self, form: String) {
        self.all.insert(form);
        self.finder = OnceLock::new();
    }

    /// The finder; `None` when there is no memory for it.
    fn finder(&self) -> Option<&NFA> {
        let make = || {
            let mut builder = NFA::builder();
            builder.ascii_case_insensitive(true).build(&self.all).ok()
        };
        self.finder.get_or_init(make).as_ref()
    }

    /// Whether a text is long enough for any of them, in whatever encoding: none makes it shorter.
    fn may_be_in(&self, text: &str) -> bool {
        self.all.iter().any(|form| form.len() <= text.len())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.short.all.len() + self.long.all.len())
    }
}

impl Secrets {
    /// Remembers a secret: as it is, in base64, in hexadecimal, as a form holds it, and with what
    /// looks like an encoding in it undone, as it will be in a text.
    pub(crate) fn add(&mut self, secret: &str) {
        let is_known = self.short.all.contains(secret) || self.long.all.contains(secret);
        if secret.len() < SHORTEST || is_known {
            return;
        }
        self.longest = self.longest.max(secret.len());
        let encoded = BASE64_STANDARD.encode(secret);
        let url_safe = BASE64_URL_SAFE_NO_PAD.encode(secret);
        let mut forms = vec![
            secret.to_owned(),
            byte_serialize(secret.as_bytes()).collect(),
            secret.replace(' ', "+"),
            secret.split_whitespace().collect::<Vec<_>>().join(" "),
            encoded.trim_end_matches('=').to_owned(),
            url_safe,
            encoded,
            hexadecimal(secret),
        ];
        let layers = std::iter::successors(Some(View::of(secret)), View::decoded);
        let undone = layers.skip(1).take(LAYERS);
        forms.extend(undone.filter_map(|view| String::from_utf8(view.bytes).ok()));
        for form in forms.into_iter().filter(|form| form.len() >= SHORTEST) {
            let forms = if form.len() < LONG {
                &mut self.short
            } else {
                &mut self.long
            };
            forms.add(form);
        }
    }

    /// The same text with every secret redacted, in any case and also where it is encoded. The
    /// text must not be cut before: a part of a secret is not found.
    #[must_use]
    pub(crate) fn redacted(&self, text: &str) -> String {
        if self.longest == 0 {
            return text.to_owned();
        }
        // Only a lack of memory can make this fail, and then nothing can be printed safely.
        let Some(mut places) = self.places(text) else {
            return REDACTED.to_owned();
        };
        places.sort_unstable_by_key(|(start, end)| (*start, Reverse(*end)));
        let mut redacted = String::new();
        let mut done = 0;
        for (start, end) in places {
            if start >= done {
                redacted.push_str(&text[done..start]);
                redacted.push_str(REDACTED);
            }
            // Where two overlap, one sign stands for both.
            done = done.max(end);
        }
        redacted + &text[done..]
    }

    /// Where there are secrets.
    fn places(&self, text: &str) -> Option<Vec<(usize, usize)>> {
        let forms = [&self.short, &self.long];
        let finders = forms.into_iter().filter(|forms| forms.may_be_in(text));
        let finders: Vec<&NFA> = finders.map(Forms::finder).collect::<Option<_>>()?;
        let mut places = Vec::new();
        let layers = std::iter::successors(Some(View::of(text)), View::decoded);
        for view in layers.take(1 + LAYERS) {
            for finder in &finders {
                let found = finder
                    .try_find_overlapping_iter(Input::new(&view.bytes))
                    .ok()?;
                places.extend(found.map(|one| view.origin(text, one.start(), one.end())));
            }
        }
        if text.len() >= MAY_BE_CUT {
            let hidden = self.longest * LONGEST_ESCAPE + AFTER;
            let start = text.len().saturating_sub(hidden);
            places.push(View::of(text).origin(text, start, text.len()));
        }
        Some(places)
    }
}

fn hexadecimal(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        for secret in all {
            secrets.add(secret);
        }
        secrets
    }

    #[test]
    fn a_secret_is_redacted_in_every_form_in_which_it_was_sent() {
        let secrets = secrets(&["p@ss word", "me:p@ss word"]);
        for (said, redacted) in [
            (
                "wrong password p@ss word for me",
                "wrong password [secret] for me",
            ),
            (
                "username=me&password=p%40ss+word",
                "username=me&password=[secret]",
            ),
            (
                "Authorization: Basic bWU6cEBzcyB3b3Jk",
                "Authorization: Basic [secret]",
            ),
            ("me:p@ss word", "[secret]"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(secrets.redacted(said), redacted);
        }
    }

    #[test]
    fn a_secret_is_redacted_in_every_encoding() {
        let secrets = secrets(&["p@ss/w\"o<r>d&'é", "ab%41/cd", "Tab\tand  blanks"]);
        for said in [
            // Percent-encoding, as much of it as anybody likes, in any case.
            "p%40ss%2fw%22o%3cr%3ed%26%27%c3%a9",
            "p%40ss%2Fw%22o%3Cr%3Ed%26'%C3%A9",
            "%70@ss/w%22o<r>d&'é",
            "p%2540ss%252fw%2522o%253cr%253ed%2526%2527%25c3%25a9",
            // HTML.
            "p@ss/w&quot;o&lt;r&gt;d&amp;&#39;é",
            "p&#64;ss&#x2F;w&#34;o&#x3c;r&#X3E;d&AMP;&apos;&#233;",
            "p&commat;ss&sol;w&QUOT;o&lt;r&gt;d&amp;&#0039;&#xe9;",
            "p@ss/w&amp;quot;o&amp;lt;r&amp;gt;d&amp;amp;&amp;#39;é",
            // JSON, and what programs print.
            r#"p@ss\/w\"o<r>d&'é"#,
            r#"p@ss\/w\"o\u003cr\u003ed\u0026\u0027\u00e9"#,
            r#"p@ss\\\/w\\\"o<r>d&'é"#,
            r#"p@ss/w\"o<r>d&\'\u{e9}"#,
            r"p@ss/w\x22o<r>d&'\xc3\xa9",
            // Two at once.
            r"p%40ss\/w&quot;o\u003cr&gt;d&amp;'%C3%a9",
            // Another case: some servers change it in headers and hosts.
            "P@SS/W\"O<R>D&'é",
            // What looks like an encoding belongs to the secret.
            "ab%41/cd",
            r"ab%41\/cd",
            "ab%2541%2fcd",
            "Tab\tand  blanks",
            "Tab and blanks",
            "Tab%09and++blanks",
            // Hexadecimal and the alphabets of base64.
            "70407373",
        ] {
            let hidden = secrets.redacted(&format!("before {said} after"));
            if said == "70407373" {
                assert_eq!(hidden, "before 70407373 after");
            } else {
                assert_eq!(hidden, "before [secret] after", "{said}");
            }
        }
        let digits = hexadecimal("p@ss/w\"o<r>d&'é").to_ascii_uppercase();
        assert_eq!(secrets.redacted(&digits), "[secret]");
        let encoded = BASE64_URL_SAFE_NO_PAD.encode("p@ss/w\"o<r>d&'é");
        assert_eq!(secrets.redacted(&encoded), "[secret]");
    }

    #[test]
    fn what_is_no_secret_stays_as_it_was_written() {
        let secrets = secrets(&["hunter2"]);
        for text in [
            "100%",
            "%zz %4",
            "a &amp b &; &#; &#x; &unknown; &#99999999;",
            r"C:\new\u12 \x4 \u{110000} \ud83d \",
            "%41%42 &lt;b&gt; \\n",
            "é💥 %c3 %a9",
        ] {
            assert_eq!(secrets.redacted(text), text);
            assert_eq!(
                secrets.redacted(&format!("{text} %68unter2 {text}")),
                format!("{text} [secret] {text}")
            );
        }
    }

    #[test]
    fn no_part_of_a_secret_stays_at_the_end_of_a_text_that_may_be_cut() {
        let secret = format!("begin-{}", "0123456789".repeat(60));
        let secrets = secrets(&[&secret]);
        for shown in (1..secret.len()).step_by(97) {
            let mut text = secret.repeat(41);
            text.truncate(40 * secret.len() + shown);
            for after in ["", ")", "; retrying in 30 s (attempt 1 of 5)"] {
                let hidden = secrets.redacted(&format!("before {text}{after}"));
                assert!(hidden.starts_with("before [secret]"), "{hidden}");
                assert!(!hidden.contains("begin") && hidden.len() < 400, "{hidden}");
            }
        }
        let harmless = "é".repeat(20_000);
        assert!(secrets.redacted(&harmless).starts_with(&harmless[..10_000]));
    }

    #[test]
    fn the_longer_secret_is_redacted_as_a_whole() {
        assert_eq!(
            secrets(&["secret", "secret-and-more"]).redacted("secret-and-more, secret"),
            "[secret], [secret]"
        );
        assert_eq!(
            secrets(&["abcdef", "defghi"]).redacted("xabcdefghix"),
            "x[secret]x"
        );
    }

    #[test]
    fn every_secret_is_known_however_many_there_are() {
        let mut secrets = secrets(&["the password"]);
        for number in 0..10_000 {
            secrets.add(&format!("token {number}!"));
        }
        assert_eq!(
            secrets.redacted("the password, token 9999!, token 3!, token 10000!"),
            "[secret], [secret], [secret], token 10000!"
        );
    }

    #[test]
    fn a_secret_too_short_to_recognise_stays() {
        assert_eq!(
            secrets(&["", "a", "abc"]).redacted("a b c abc"),
            "a b c abc"
        );
        assert!(!format!("{:?}", secrets(&["hunter2"])).contains("hunter2"));
    }
}
