//! Texts that people type, read strictly: what is not clearly meant is nothing.

mod duration;
mod host;
mod list;

use oci_spec::image::{Digest, DigestAlgorithm};

pub(super) use duration::duration;
pub(super) use host::{hosts, pins};
pub(crate) use list::list;
pub(super) use list::map;

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
    matches!(digest.algorithm(), DigestAlgorithm::Sha256 | DigestAlgorithm::Sha512).then_some(digest)
}

#[cfg(test)]
mod tests {
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
        // A small generator is enough: what matters are quotes, brackets, separators and letters of several bytes.
        const PIECES: [&str; 20] = [
            "[", "]", "{", "}", "\"", ",", "\\", "\n", "#", "=", ":", "1", "h", "ms", "é", "💥", " ", "::1", "+", "\0",
        ];
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PIECES[usize::try_from(seed >> 33).unwrap() % PIECES.len()]);
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
}
