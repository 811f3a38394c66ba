//! What a registry asks for in `WWW-Authenticate`, see
//! <https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1>.

/// The longest header that is read, in bytes.
const LIMIT: usize = 8 * 1024;

/// A challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The user and password, as they are.
    Basic,
    /// A token from a token server, see
    /// <https://distribution.github.io/distribution/spec/auth/token/>.
    Bearer {
        /// The URL of the token server; perhaps relative to the registry.
        realm: String,
        /// The service that the token is for.
        service: Option<String>,
        /// What it allows; `None` when the registry does not say.
        scope: Option<String>,
    },
}

/// The challenges of all `WWW-Authenticate` headers of an answer, in their order, without unknown
/// schemes and invalid text.
#[must_use]
pub(crate) fn read<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    headers
        .into_iter()
        .filter(|header| header.len() <= LIMIT)
        .flat_map(parse)
        .filter_map(|written| known(&written))
        .collect()
}

/// A scheme with its parameters, as they were written.
struct Written {
    scheme: String,
    parameters: Vec<(String, String)>,
}

/// Reads a list of challenges leniently: any number of commas and blanks may stand between words,
/// and a scheme's single value (`Negotiate abc=`) is skipped.
fn parse(header: &str) -> Vec<Written> {
    let mut found: Vec<Written> = Vec::new();
    let mut rest = header;
    loop {
        let separated = rest.trim_start_matches([' ', '\t', ',']);
        let after_comma = rest[..rest.len() - separated.len()].contains(',');
        let word_end = separated
            .find(|letter| !is_of_word(letter))
            .unwrap_or(separated.len());
        let (word, after) = separated.split_at(word_end);
        let Some(first) = separated.chars().next() else {
            return found;
        };
        if word.is_empty() {
            rest = &separated[first.len_utf8()..];
            continue;
        }
        let blanks = after.trim_start_matches([' ', '\t']);
        rest = blanks;
        let last = found.last_mut();
        match (blanks.strip_prefix('='), last) {
            (Some(value), Some(last)) => {
                let Some((value, after)) = parameter_value(value.trim_start_matches([' ', '\t']))
                else {
                    return found;
                };
                last.parameters.push((word.to_owned(), value));
                rest = after;
            }
            // A value without a scheme, and a scheme's single value.
            (Some(after), None) => rest = after,
            (None, Some(last)) if !after_comma && last.parameters.is_empty() => {}
            (None, _) => found.push(Written {
                scheme: word.to_owned(),
                parameters: Vec::new(),
            }),
        }
    }
}

/// Whether a letter may be in a scheme, a name, or a scheme's single value.
fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(letter)
}

/// A value and what follows it; `None` when its quotes do not end.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn known(challenge: &Written) -> Option<Challenge> {
    let parameter = |name: &str| {
        let found = challenge
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    if challenge.scheme.eq_ignore_ascii_case("basic") {
        Some(Challenge::Basic)
    } else if challenge.scheme.eq_ignore_ascii_case("bearer") {
        Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope"),
        })
    } else {
        None
    }
}

/// The challenge to answer: a token before a password, so that the password goes to as few servers
/// as possible.
#[must_use]
pub(crate) fn choose(challenges: &[Challenge]) -> Option<&Challenge> {
    challenges
        .iter()
        .find(|challenge| matches!(challenge, Challenge::Bearer { .. }))
        .or_else(|| challenges.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        }
    }

    #[test]
    fn the_usual_challenge_is_read() {
        let header = "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",\
                      scope=\"repository:a/b:pull,push\"";
        let expected = bearer(
            "https://auth.example/token",
            Some("registry.example"),
            Some("repository:a/b:pull,push"),
        );
        assert_eq!(read([header]), [expected]);
    }

    #[test]
    fn names_and_schemes_are_in_any_case_and_order() {
        assert_eq!(
            read([r#"bEARER Scope="s", SERVICE=x , ReAlM="r""#]),
            [bearer("r", Some("x"), Some("s"))]
        );
        assert_eq!(read([r#"BASIC realm="r""#]), [Challenge::Basic]);
    }

    #[test]
    fn several_challenges_come_in_one_header_or_in_many() {
        let expected = [Challenge::Basic, bearer("r", None, None)];
        assert_eq!(read([r#"Basic realm="x", Bearer realm="r""#]), expected);
        assert_eq!(
            read([r#"Basic realm="x""#, r#"Bearer realm="r""#]),
            expected
        );
        assert_eq!(
            read(["Negotiate", r#"Basic realm="x""#, r#"Bearer realm="r""#]),
            expected
        );
    }

    #[test]
    fn escapes_and_commas_inside_quotes_belong_to_the_value() {
        assert_eq!(
            read([r#"Bearer realm="a\"b,c",service="d\\e""#]),
            [bearer("a\"b,c", Some("d\\e"), None)]
        );
    }

    #[test]
    fn blanks_commas_and_single_values_of_other_schemes_do_not_matter() {
        let token = [bearer("r", Some("x"), None)];
        for header in [
            r#"Bearer   realm="r"  ,  service="x""#,
            r#",, Bearer realm = "r",, service =x ,"#,
            "Bearer\trealm=r,service=x",
            r#"Negotiate YIIabc==, Bearer realm="r", service="x""#,
            r#"NTLM TlRM/+=,Bearer realm="r",service="x""#,
            r#"Negotiate, Bearer realm="r", service="x""#,
            r#"x=y, Bearer realm="r", service="x""#,
        ] {
            assert_eq!(read([header]), token, "{header}");
        }
    }

    #[test]
    fn invalid_text_is_not_a_challenge() {
        for header in [
            "",
            "Bearer",
            "Bearer realm=",
            r#"Bearer realm="""#,
            "=,=",
            r#"Bearer realm="x"#,
            "\u{1b}[31m",
        ] {
            assert_eq!(read([header]), [], "{header:?}");
        }
        assert_eq!(
            read([format!("Bearer realm=\"{}\"", "x".repeat(LIMIT)).as_str()]),
            []
        );
        assert_eq!(
            read(["nonsense=", r#"Basic realm="x""#]),
            [Challenge::Basic]
        );
        // The single value of a scheme is not a scheme.
        assert_eq!(read(["Negotiate Basic"]), []);
    }

    #[test]
    fn a_header_is_read_up_to_its_limit() {
        let long = |length: usize| {
            format!(
                "Bearer realm=\"{}\"",
                "x".repeat(length - "Bearer realm=\"\"".len())
            )
        };
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
