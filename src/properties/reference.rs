//! References: what is shown reads back as the same, and neither it nor a reason is ever long.

use super::text;
use crate::oci::reference::Reference;

/// The longest reference, in bytes: host, name, tag and digest, with what separates them.
const LONGEST: usize = 255 + 1 + 255 + 1 + 128 + 1 + 7 + 128;

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 2048;

/// Time is linear; a reference has at most 776 bytes, a reason 2 KiB.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let reference = match text.parse::<Reference>() {
        Ok(reference) => reference,
        Err(reason) => {
            let reason = reason.to_string();
            assert!(
                reason.len() <= LONGEST_REASON,
                "a reason of {} bytes",
                reason.len()
            );
            assert!(!reason.contains(char::is_control), "{reason:?}");
            return;
        }
    };
    let shown = reference.to_string();
    assert_eq!(shown.parse().as_ref(), Ok(&reference), "{shown}");
    assert!(shown.len() <= LONGEST, "{shown}");
    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown}");
    assert!(
        reference.tag.is_some() || reference.digest.is_some(),
        "{shown} names nothing"
    );
    let repository = &reference.repository;
    assert!(
        !repository.registry.is_empty() && !repository.name.is_empty(),
        "{shown}"
    );
    assert!(
        !repository
            .registry
            .contains(['/', '@', '?', '#', '\\', '+']),
        "{shown}"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?\\.[a-z]{2,5}",
            "localhost",
            ("[a-z]{1,5}", 1..=u16::MAX).prop_map(|(name, port)| format!("{name}:{port}")),
            Just("[::1]".to_owned()),
            Just("[2001:db8::1]:5000".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn what_dockers_grammar_makes_is_read_part_by_part(
            host in host(),
            name in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}){0,3}",
            tag in proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}"),
            digest in proptest::option::of(prop_oneof!["sha256:[0-9a-f]{64}", "sha512:[0-9a-f]{128}"]),
        ) {
            let mut text = format!("{host}/{name}");
            text.extend(tag.iter().flat_map(|tag| [":", tag]));
            text.extend(digest.iter().flat_map(|digest| ["@", digest]));
            let read: Reference = text.parse().unwrap();
            prop_assert_eq!(&read.repository.registry, &host);
            prop_assert_eq!(&read.repository.name, &name);
            let latest = digest.is_none().then(|| "latest".to_owned());
            prop_assert_eq!(&read.tag, &tag.or(latest));
            prop_assert_eq!(read.digest.as_ref().map(ToString::to_string), digest);
            check(text.as_bytes());
        }
    }
}
