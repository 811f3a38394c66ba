//! Secrets that were sent to servers, so that no output shows them: some servers repeat a header, a
//! form or a token in an error.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use aho_corasick::Input;
use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::noncontiguous::NFA;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded::byte_serialize;

/// The shortest secret that is looked for, in bytes: a shorter one would be found in ordinary
/// words.
const SHORTEST: usize = 4;

/// What stands in its place.
const REDACTED: &str = "[secret]";

/// Secrets in every form in which they are sent.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    forms: BTreeSet<String>,
    /// Finds all forms at once; made when it is first needed after the last change.
    finder: OnceLock<Option<NFA>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.forms.len())
    }
}

impl Secrets {
    /// Remembers a secret: as it is, in base64, and as a form or a URL holds it.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() < SHORTEST || self.forms.contains(secret) {
            return;
        }
        let encoded = BASE64_STANDARD.encode(secret);
        self.forms.insert(secret.to_owned());
        self.forms
            .insert(byte_serialize(secret.as_bytes()).collect());
        self.forms.insert(encoded.trim_end_matches('=').to_owned());
        self.forms.insert(encoded);
        self.finder = OnceLock::new();
    }

    /// The same text with every secret redacted. The text must not be cut before: a part of a
    /// secret is not found.
    #[must_use]
    pub(crate) fn redacted(&self, text: &str) -> String {
        // Only a lack of memory can make this fail, and then nothing can be printed safely.
        let finder = self.finder.get_or_init(|| NFA::new(&self.forms).ok());
        let Some(finder) = finder else {
            return REDACTED.to_owned();
        };
        let Ok(found) = finder.try_find_overlapping_iter(Input::new(text)) else {
            return REDACTED.to_owned();
        };
        let mut places: Vec<(usize, usize)> = found.map(|one| (one.start(), one.end())).collect();
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
