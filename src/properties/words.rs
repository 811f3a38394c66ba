//! Platforms and digests: what is shown reads back as the same.

use oci_spec::image::Digest;

use super::text;
use crate::oci::digest::is_supported;
use crate::oci::platform::Platform;
use crate::settings::parse_digest;

/// Time is linear; a word is no longer than its text.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(platform) = text.parse::<Platform>() {
        let shown = platform.to_string();
        assert_eq!(shown, text.to_ascii_lowercase());
        assert_eq!(shown.parse().as_ref(), Ok(&platform), "{shown}");
        assert!(platform.satisfies(&platform), "{shown}");
    }
    if let Some(digest) = parse_digest(text) {
        assert_eq!(digest.as_ref(), text);
        assert!(is_supported(&digest), "{text}");
        assert!(matches!(text.len(), 71 | 135), "{text}");
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_platform_that_is_shown_is_read(
            os in "[a-z0-9._-]{1,8}",
            architecture in "[a-z0-9._-]{1,8}",
            variant in proptest::option::of("[a-z0-9._-]{1,8}"),
        ) {
            let [os, architecture] = [os, architecture].map(String::into_boxed_str);
            let platform = Platform { os, architecture, variant: variant.map(String::into_boxed_str) };
            prop_assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }

        #[test]
        fn a_digest_is_of_one_case_and_one_length(hash in "[0-9a-f]{64}", place in 0..64_usize) {
            let digest = format!("sha256:{hash}");
            prop_assert_eq!(parse_digest(&digest).unwrap().to_string(), digest.clone());
            let longer = format!("{digest}0");
            prop_assert_eq!((parse_digest(&digest[..70]), parse_digest(&longer)), (None, None));
            let mut other = digest.into_bytes();
            other[7 + place] = b'G';
            prop_assert!(parse_digest(str::from_utf8(&other).unwrap()).is_none());
        }
    }
}
