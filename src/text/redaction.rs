//! What servers were told in confidence, so that nothing of it comes back out of their mouths: some repeat a header, a form
//! or a token in the text of an error.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::form_urlencoded::byte_serialize;

/// The shortest secret that is looked for, in bytes: a shorter one stands in every other word.
const SHORTEST: usize = 4;

/// What stands in its place.
const HIDDEN: &str = "[secret]";

/// The most secrets that are remembered; tokens come and go with every few requests.
const MOST: usize = 64;

/// Secrets in every form in which they were sent, those that were told last at the end.
#[derive(Clone, Default)]
pub struct Told(VecDeque<[String; 4]>);

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.0.len())
    }
}

impl Told {
    /// Remembers a secret: as it is, in base64, and as a form or a URL holds it.
    pub fn add(&mut self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        self.0.retain(|[known, ..]| known != secret);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let form = byte_serialize(secret.as_bytes()).collect();
        let encoded = BASE64_STANDARD.encode(secret);
        self.0.push_back([
            secret.to_owned(),
            form,
            encoded.trim_end_matches('=').to_owned(),
            encoded,
        ]);
    }

    /// Whether there is nothing to hide.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text, with every secret in it made unreadable.
    #[must_use]
    pub fn hidden(&self, text: &str) -> String {
        let mut places: Vec<(usize, usize)> = Vec::new();
        for form in self.0.iter().flatten() {
            places.extend(
                text.match_indices(form.as_str())
                    .map(|(start, _)| (start, start + form.len())),
            );
        }
        places.sort_unstable_by_key(|(start, end)| (*start, Reverse(*end)));
        let mut hidden = String::new();
        let mut done = 0;
        for (start, end) in places {
            if start >= done {
                hidden.push_str(&text[done..start]);
                hidden.push_str(HIDDEN);
            }
            // Where two overlap, both are hidden behind one sign.
            done = done.max(end);
        }
        hidden + &text[done..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(secrets: &[&str]) -> Told {
        let mut told = Told::default();
        for secret in secrets {
            told.add(secret);
        }
        told
    }

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_was_sent() {
        let told = told(&["p@ss word", "me:p@ss word"]);
        for (said, hidden) in [
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
            assert_eq!(told.hidden(said), hidden);
        }
    }

    #[test]
    fn the_longer_secret_is_hidden_as_a_whole() {
        assert_eq!(
            told(&["secret", "secret-and-more"]).hidden("secret-and-more, secret"),
            "[secret], [secret]"
        );
    }

    #[test]
    fn what_was_told_last_is_remembered_best() {
        let mut told = told(&["the password"]);
        for number in 0..1000 {
            told.add(&format!("token {number}"));
            told.add("the password");
        }
        assert_eq!(
            told.hidden("the password, token 999, token 3"),
            "[secret], [secret], token 3"
        );
        assert!(told.0.len() <= MOST);
    }

    #[test]
    fn what_is_too_short_to_be_told_apart_stays() {
        assert_eq!(told(&["", "a", "abc"]).hidden("a b c abc"), "a b c abc");
        assert!(!format!("{:?}", told(&["hunter2"])).contains("hunter2"));
    }
}
