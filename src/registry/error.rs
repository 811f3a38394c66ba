//! What a registry or token server says when it says no, see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.

use serde::Deserialize;

/// The longest error body that is read, in bytes.
pub const ERROR_LIMIT: usize = 64 * 1024;

#[derive(Deserialize)]
struct WireError {
    #[serde(default, rename = "errors")]
    list: Vec<serde_json::Value>,
    /// What OAuth2 token servers say instead, see <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.
    error: Option<serde_json::Value>,
    error_description: Option<String>,
    details: Option<String>,
}

/// The registry's own words on an error, as a fragment, uncut and unredacted; `None` when it has none that are for people.
#[must_use]
pub fn read(body: &[u8]) -> Option<Box<str>> {
    let said = if let Ok(wire) = serde_json::from_slice::<WireError>(body) {
        let mut parts: Vec<String> = wire.list.iter().take(3).filter_map(one).collect();
        let error = wire.error.as_ref().and_then(serde_json::Value::as_str);
        parts.extend(error.map(str::to_owned));
        parts.extend(wire.error_description.or(wire.details));
        parts.join("; ")
    } else {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if text.starts_with('<') {
            "a web page".to_owned()
        } else {
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    (!said.is_empty()).then(|| said.into())
}

fn one(error: &serde_json::Value) -> Option<String> {
    let text = |name: &str| {
        error
            .get(name)
            .and_then(serde_json::Value::as_str)
            .filter(|text| !text.is_empty())
    };
    match (text("code"), text("message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (Some(word), None) | (None, Some(word)) => Some(word.to_owned()),
        (None, None) => None,
    }
}

/// Whether an error is told as a registry tells one.
#[must_use]
pub fn is_registrys(body: &[u8]) -> bool {
    serde_json::from_slice::<WireError>(body).is_ok_and(|wire| !wire.list.is_empty())
}

/// Whether a 400 is public ECR's way to say that a token has expired: it answers 400 DENIED where others answer 401.
#[must_use]
pub fn tells_of_expired_token(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    text.contains("token")
        && ["expired", "invalid", "denied", "unauthorized"]
            .iter()
            .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Option<String> {
        read(body.as_bytes()).map(String::from)
    }

    #[test]
    fn code_and_message_are_passed_on() {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"x":1}},{"code":"DENIED"}]}"#;
        assert_eq!(
            said(body).unwrap(),
            "MANIFEST_UNKNOWN: manifest unknown; DENIED"
        );
        assert_eq!(
            said(r#"{"error":"invalid_grant","error_description":"bad login"}"#).unwrap(),
            "invalid_grant; bad login"
        );
        assert_eq!(
            said(r#"{"details":"incorrect username or password"}"#).unwrap(),
            "incorrect username or password"
        );
    }

    #[test]
    fn what_is_not_json_is_told_in_its_first_line_or_called_a_web_page() {
        assert_eq!(
            said("Too Many Requests (HAP429)\n\nmore").unwrap(),
            "Too Many Requests (HAP429)"
        );
        assert_eq!(said("<!DOCTYPE html><p>x").unwrap(), "a web page");
        for silent in [
            "",
            "  \n",
            "{}",
            "[]",
            r#"{"errors":[]}"#,
            r#"{"errors":[{}]}"#,
        ] {
            assert!(said(silent).is_none_or(|text| text == "[]"), "{silent:?}");
        }
    }

    #[test]
    fn an_error_of_a_registry_is_told_from_anybody_elses() {
        assert!(is_registrys(br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#));
        for other in [
            "",
            "404 page not found\n",
            "<html></html>",
            "{}",
            r#"{"errors":[]}"#,
            r#"{"error":"x"}"#,
        ] {
            assert!(!is_registrys(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_long_text_stays_whole_until_it_is_redacted() {
        assert_eq!(said(&"x".repeat(1_000_000)).unwrap().len(), 1_000_000);
    }

    #[test]
    fn an_expired_token_is_recognised_behind_a_400() {
        assert!(tells_of_expired_token(
            br#"{"errors":[{"code":"DENIED","message":"Your Authorization Token is invalid."}]}"#
        ));
        assert!(!tells_of_expired_token(
            br#"{"errors":[{"code":"NAME_INVALID","message":"invalid name"}]}"#
        ));
    }
}
