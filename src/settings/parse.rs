//! Texts that people type, read strictly: what is unclear is refused.

mod duration;
mod host;
mod list;

use oci_spec::image::{Digest, DigestAlgorithm};

pub(crate) use duration::duration;
pub(crate) use host::{hosts, pins};
pub(crate) use list::{list, map};

/// `true`, `1`, `yes`, `on` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A digest that can be checked: sha256 or sha512.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let digest: Digest = text.parse().ok()?;
    matches!(
        digest.algorithm(),
        DigestAlgorithm::Sha256 | DigestAlgorithm::Sha512
    )
    .then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::super::support::scrambled_texts;
    use super::*;

    #[test]
    fn booleans_are_words_in_any_case() {
        for text in ["true", "TRUE", "1", "yes", "On"] {
            assert_eq!(boolean(text), Some(true), "{text}");
        }
        for text in ["false", "False", "0", "no", "OFF"] {
            assert_eq!(boolean(text), Some(false), "{text}");
        }
        for text in ["", "t", "2", "ja", "truee", "yes "] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn only_digests_that_can_be_checked_are_taken() {
        assert!(digest(&format!("sha256:{}", "a".repeat(64))).is_some());
        assert!(digest(&format!("sha512:{}", "a".repeat(128))).is_some());
        for text in [
            "",
            "sha256:",
            "sha256:abc",
            &"a".repeat(64),
            &format!("sha256:{}", "A".repeat(64)),
            "md5:abc",
            &format!("sha384:{}", "a".repeat(96)),
        ] {
            assert_eq!(digest(text), None, "{text}");
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic() {
        for text in scrambled_texts(20_000) {
            let _ = (
                boolean(&text),
                duration(&text),
                list(&text),
                map(&text),
                hosts(&text),
                pins(&text),
                digest(&text),
            );
        }
    }
}
