//! `WWW-Authenticate`: what is read is in the header, and can be written and read again.

use super::text;
use crate::registry::challenge::{Challenge, choose, read};

/// One header on each line.
///
/// Time is linear; the texts that come out are together no longer than the headers.
pub fn check(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let found = read(text.split('\n'));
    let length: usize = found.iter().map(length).sum();
    assert!(length <= text.len(), "more came out than went in");
    assert!(
        found.len() <= text.len() / "basic".len(),
        "more challenges than fit"
    );
    let each: Vec<Challenge> = text.split('\n').flat_map(|header| read([header])).collect();
    assert_eq!(found, each, "headers depend on each other");
    for header in text.split('\n').filter(|header| header.len() > 8 * 1024) {
        assert_eq!(read([header]), [], "a header beyond the limit was read");
    }
    for challenge in &found {
        let header = written(challenge);
        if header.len() <= 8 * 1024 {
            assert_eq!(
                read([header.as_str()]),
                std::slice::from_ref(challenge),
                "{header:?}"
            );
        }
    }
    let has_token = found
        .iter()
        .any(|challenge| matches!(challenge, Challenge::Bearer { .. }));
    assert_eq!(
        has_token,
        matches!(choose(&found), Some(Challenge::Bearer { .. }))
    );
}

fn length(challenge: &Challenge) -> usize {
    match challenge {
        Challenge::Basic => 0,
        Challenge::Bearer {
            realm,
            service,
            scope,
        } => {
            realm.len()
                + service.as_ref().map_or(0, String::len)
                + scope.as_ref().map_or(0, String::len)
        }
    }
}

/// A challenge as a registry writes it.
fn written(challenge: &Challenge) -> String {
    let Challenge::Bearer {
        realm,
        service,
        scope,
    } = challenge
    else {
        return r#"Basic realm="x""#.to_owned();
    };
    let quoted = |value: &str| value.replace('\\', r"\\").replace('"', r#"\""#);
    let optional = |name: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| {
            format!(r#",{name}="{}""#, quoted(value))
        })
    };
    format!(
        r#"Bearer realm="{}"{}{}"#,
        quoted(realm),
        optional("service", service),
        optional("scope", scope)
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenge() -> impl Strategy<Value = Challenge> {
        let value = || "[ -~é]{1,20}";
        let bearer = (
            value(),
            proptest::option::of(value()),
            proptest::option::of(value()),
        )
            .prop_map(|(realm, service, scope)| Challenge::Bearer {
                realm,
                service,
                scope,
            });
        prop_oneof![Just(Challenge::Basic), bearer]
    }

    /// What other servers put between.
    fn other() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("Negotiate"),
            Just("Negotiate YIIabc=="),
            Just(r#"Digest realm="d,\"", qop="auth""#),
            Just("")
        ]
    }

    proptest! {
        #[test]
        fn what_a_registry_writes_is_read_whatever_stands_between(
            challenges in proptest::collection::vec((other(), challenge()), 0..6),
            blanks in "[ \t]{0,3}",
        ) {
            let header: Vec<String> = challenges
                .iter()
                .flat_map(|(other, challenge)| [(*other).to_owned(), written(challenge)])
                .collect();
            let expected: Vec<Challenge> =
                challenges.into_iter().map(|(_, challenge)| challenge).collect();
            let joined = header.join(&format!("{blanks},{blanks}"));
            prop_assert_eq!(read([joined.as_str()]), expected.clone());
            prop_assert_eq!(read(header.iter().map(String::as_str)), expected);
        }
    }
}
