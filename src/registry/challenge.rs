//! What a registry asks for in `WWW-Authenticate`, see <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>.

use http_auth::{ChallengeRef, parse_challenges};

/// The longest header that is read, in bytes.
const LIMIT: usize = 8 * 1024;

/// A way in that we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The user and password, as they are.
    Basic,
    /// A token from a token server, see <https://distribution.github.io/distribution/spec/auth/token/>.
    Bearer {
        /// Where the token is to be had; perhaps relative to the registry.
        realm: String,
        /// For whom it is.
        service: Option<String>,
        /// What it allows; `None` when the registry does not say.
        scope: Option<String>,
    },
}

/// The challenges of all `WWW-Authenticate` headers of an answer, in their order; unknown schemes and unreadable headers are left out.
#[must_use]
pub fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    headers
        .into_iter()
        .filter(|header| header.len() <= LIMIT)
        .filter_map(|header| parse_challenges(header).ok())
        .flatten()
        .filter_map(|challenge| known(&challenge))
        .collect()
}

fn known(challenge: &ChallengeRef<'_>) -> Option<Challenge> {
    let parameter = |name: &str| {
        challenge
            .params
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_unescaped())
            .filter(|value| !value.is_empty())
    };
    if challenge.scheme.eq_ignore_ascii_case("basic") {
        Some(Challenge::Basic)
    } else if challenge.scheme.eq_ignore_ascii_case("bearer") {
        Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service"), scope: parameter("scope") })
    } else {
        None
    }
}

/// The challenge to answer: a token before a password, so that the password is shown to as few as possible.
#[must_use]
pub fn choose(challenges: &[Challenge]) -> Option<&Challenge> {
    challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. })).or_else(|| challenges.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned), scope: scope.map(str::to_owned) }
    }

    #[test]
    fn the_usual_challenge_is_read() {
        let header =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push""#;
        let expected = bearer("https://auth.example/token", Some("registry.example"), Some("repository:a/b:pull,push"));
        assert_eq!(read([header]), [expected]);
    }

    #[test]
    fn names_and_schemes_are_in_any_case_and_order() {
        assert_eq!(read([r#"bEARER Scope="s", SERVICE=x , ReAlM="r""#]), [bearer("r", Some("x"), Some("s"))]);
        assert_eq!(read([r#"BASIC realm="r""#]), [Challenge::Basic]);
    }

    #[test]
    fn several_challenges_come_in_one_header_or_in_many() {
        let expected = [Challenge::Basic, bearer("r", None, None)];
        assert_eq!(read([r#"Basic realm="x", Bearer realm="r""#]), expected);
        assert_eq!(read([r#"Basic realm="x""#, r#"Bearer realm="r""#]), expected);
        assert_eq!(read(["Negotiate", r#"Basic realm="x""#, r#"Bearer realm="r""#]), expected);
    }

    #[test]
    fn escapes_and_commas_inside_quotes_belong_to_the_value() {
        assert_eq!(read([r#"Bearer realm="a\"b,c",service="d\\e""#]), [bearer("a\"b,c", Some("d\\e"), None)]);
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for header in ["", "Bearer", "Bearer realm=", r#"Bearer realm="""#, "=,=", r#"Bearer realm="x"#, "\u{1b}[31m"] {
            assert_eq!(read([header]), [], "{header:?}");
        }
        assert_eq!(read([format!("Bearer realm=\"{}\"", "x".repeat(LIMIT)).as_str()]), []);
        assert_eq!(read(["nonsense=", r#"Basic realm="x""#]), [Challenge::Basic]);
    }

    #[test]
    fn a_header_is_read_up_to_its_limit() {
        let long = |length: usize| format!("Bearer realm=\"{}\"", "x".repeat(length - "Bearer realm=\"\"".len()));
        assert_eq!(read([long(8192).as_str()]).len(), 1);
        assert_eq!(read([long(8193).as_str()]), []);
    }

    #[test]
    fn a_token_is_preferred_to_a_password() {
        let token = bearer("r", None, None);
        assert_eq!(choose(&[Challenge::Basic, token.clone()]), Some(&token));
        assert_eq!(choose(&[Challenge::Basic]), Some(&Challenge::Basic));
        assert_eq!(choose(&[]), None);
    }
}
