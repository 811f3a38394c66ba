//! The words of an error answer of a registry or token server, see
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>.

use serde::Deserialize;

/// The longest error body that is read, in bytes.
pub(crate) const ERROR_LIMIT: usize = 64 * 1024;

#[derive(Deserialize)]
struct WireError {
    #[serde(default, rename = "errors")]
    list: Vec<serde_json::Value>,
    /// What OAuth2 token servers send instead, see
    /// <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.
    error: Option<serde_json::Value>,
    error_description: Option<String>,
    details: Option<String>,
}

/// The server's own message, as a fragment, uncut and unredacted; `None` when there is none. A body
/// that fills its limit may be cut within a secret, so nothing of it is quoted.
#[must_use]
pub(crate) fn read(body: &[u8]) -> Option<Box<str>> {
    if body.len() >= ERROR_LIMIT {
        return Some("a body of 64 KiB or more".into());
    }
    let said = if let Ok(wire) = serde_json::from_slice::<WireError>(body) {
        let mut parts: Vec<String> = wire.list.iter().take(3).filter_map(one).collect();
        let error = wire.error.as_ref().and_then(serde_json::Value::as_str);
        parts.extend(error.map(str::to_owned));
        parts.extend(wire.error_description.or(wire.details));
        parts.join("; ")
    } else {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if is_page(body) {
            of_storage(text).unwrap_or_else(|| "a web page".to_owned())
        } else {
            text.lines().next().unwrap_or_default().to_owned()
        }
    };
    (!said.is_empty()).then(|| said.into())
}

/// Whether it is a web page, or XML, and no text or JSON.
#[must_use]
pub(crate) fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// What S3 and its like write: `<Error><Code>NoSuchKey</Code><Message>…</Message></Error>`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn of_storage(text: &str) -> Option<String> {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (inside, _) = rest.split_once(&format!("</{name}>"))?;
        let line = inside.lines().next()?.trim();
        (!line.is_empty() && !line.contains('<')).then_some(line)
    };
    let code = element("Code")?;
    Some(match element("Message") {
        Some(message) => format!("{code}: {message}"),
        None => code.to_owned(),
    })
}

fn one(error: &serde_json::Value) -> Option<String> {
    let text = |name: &str| {
        error
            .get(name)
            .and_then(serde_json::Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let said = [text("code"), text("message")].map(|text| text.map(str::to_owned));
    let behind = error
        .get("detail")
        .and_then(|detail| behind(detail, DEEPEST).or_else(|| of_a_full_disk(detail)));
    let parts: Vec<String> = said.into_iter().chain([behind]).flatten().collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// How deep the reason of a failure is looked for.
const DEEPEST: usize = 4;

/// What a failure of distribution's storage is about, as its `detail` says: an operation, a path and
/// the number of the system's error, one or two objects deep.
///
/// <https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/driver/storagedriver.go>
fn behind(detail: &serde_json::Value, deepest: usize) -> Option<String> {
    let object = detail.as_object()?;
    let text = |name: &str| object.get(name).and_then(serde_json::Value::as_str);
    let why = match object.get("Err") {
        Some(serde_json::Value::Number(number)) => number.as_u64().map(system_error),
        Some(serde_json::Value::String(words)) => Some(words.clone()),
        _ => None,
    };
    match (why, text("Op")) {
        (Some(why), Some(operation)) => {
            let path = text("Path").map(|path| format!(" {path}"));
            Some(format!("{operation}{}: {why}", path.unwrap_or_default()))
        }
        _ if deepest == 0 => None,
        _ => object.values().find_map(|value| behind(value, deepest - 1)),
    }
}

/// What distribution says, in one text, when an upload has filled its disk.
fn of_a_full_disk(detail: &serde_json::Value) -> Option<String> {
    let words = detail.as_str()?;
    names_a_full_disk(words).then(|| words.to_owned())
}

/// Whether the words of an error say that a disk is full, as the system writes it.
#[must_use]
pub(crate) fn names_a_full_disk(words: &str) -> bool {
    [28, 122]
        .map(system_error)
        .iter()
        .any(|full| words.contains(full))
}

/// The words of an error of the system that the registry runs on, which is Linux.
fn system_error(number: u64) -> String {
    let words = match number {
        1 => "operation not permitted",
        2 => "no such file or directory",
        5 => "input/output error: the disk may be failing",
        12 => "out of memory",
        13 => "permission denied",
        20 => "not a directory",
        21 => "is a directory",
        23 | 24 => "too many open files",
        28 => "no space left on device",
        30 => "read-only file system",
        107 => "transport endpoint is not connected",
        110 => "connection timed out",
        116 => "stale file handle",
        117 => "structure needs cleaning: the file system is damaged",
        122 => "disk quota exceeded",
        other => return format!("error {other}"),
    };
    words.to_owned()
}

/// Whether an error has the form that the specification gives to a registry's: a list whose entries
/// have codes of upper-case letters and underscores. The words may be missing, and so may the type
/// of the answer.
#[must_use]
pub(crate) fn is_registry_error(body: &[u8]) -> bool {
    let is_code = |code: &str| {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
        !code.is_empty() && code.bytes().all(fits)
    };
    let has_code = |error: &serde_json::Value| {
        let code = error.get("code").and_then(serde_json::Value::as_str);
        code.is_some_and(is_code)
    };
    serde_json::from_slice::<WireError>(body)
        .is_ok_and(|wire| !wire.list.is_empty() && wire.list.iter().all(has_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Option<String> {
        read(body.as_bytes()).map(String::from)
    }

    #[test]
    fn code_and_message_are_passed_on() {
        let body = r#"{"errors":[
            {"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"x":1}},
            {"code":"DENIED"}
        ]}"#;
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
    fn what_is_behind_a_failure_of_the_storage_is_passed_on() {
        let of = |detail: &str| {
            said(&format!(
                r#"{{"errors":[{{"code":"UNKNOWN","message":"unknown error","detail":{detail}}}]}}"#
            ))
            .unwrap()
        };
        let path = "/var/lib/registry/x";
        for (detail, expected) in [
            (
                format!(
                    r#"{{"DriverName":"filesystem","Enclosed":{{"Op":"open","Path":"{path}","Err":28}}}}"#
                ),
                format!("UNKNOWN: unknown error: open {path}: no space left on device"),
            ),
            (
                format!(r#"{{"Op":"mkdir","Path":"{path}","Err":999}}"#),
                format!("UNKNOWN: unknown error: mkdir {path}: error 999"),
            ),
            (
                r#"{"Op":"read","Err":"unexpected EOF"}"#.to_owned(),
                "UNKNOWN: unknown error: read: unexpected EOF".to_owned(),
            ),
            // distribution 2.8.2, of an upload.
            (
                format!(r#""write {path}/data: no space left on device""#),
                format!("UNKNOWN: unknown error: write {path}/data: no space left on device"),
            ),
        ] {
            assert_eq!(of(&detail), expected);
        }
        let deep = format!(
            r#"{}{{"Op":"a","Err":1}}{}"#,
            r#"{"a":"#.repeat(99),
            "}".repeat(99)
        );
        for other in [
            "{}",
            "null",
            "[28]",
            r#"{"Err":28}"#,
            r#""client disconnected""#,
            r#"{"name":"x"}"#,
            &deep,
        ] {
            assert_eq!(of(other), "UNKNOWN: unknown error", "{other}");
        }
    }

    #[test]
    fn other_text_is_cut_to_a_line_or_called_a_web_page() {
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
    fn a_storages_code_and_message_are_passed_on() {
        let expired = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>\
                       <Message>Request has expired</Message><HostId>x</HostId></Error>";
        assert_eq!(said(expired).unwrap(), "AccessDenied: Request has expired");
        let short = "<Error><Code>NoSuchKey</Code></Error>";
        assert_eq!(said(short).unwrap(), "NoSuchKey");
        for page in [
            "<Error/>",
            "<Code></Code>",
            "<Code><b>x</b></Code>",
            "<Code>x",
        ] {
            assert_eq!(said(page).unwrap(), "a web page");
        }
    }

    #[test]
    fn the_error_of_a_registry_differs_from_other_errors() {
        for own in [
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#,
            // Gitea, zot and distribution.
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":""}]}"#,
            r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"","description":"","detail":{}}]}"#,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"","detail":{"name":"app"}}]}"#,
        ] {
            assert!(is_registry_error(own.as_bytes()), "{own}");
        }
        for other in [
            "",
            "404 page not found\n",
            "<html></html>",
            "{}",
            r#"{"errors":[]}"#,
            r#"{"error":"x"}"#,
            r#"{"errors":["not found"]}"#,
            r#"{"errors":[{"status":404,"message":"File not found."}]}"#,
            r#"{"errors":[{"status":"404","code":"not_found","title":"Not Found"}]}"#,
            r#"{"errors":[{"code":404}]}"#,
            "<Error><Code>NoSuchKey</Code></Error>",
        ] {
            assert!(!is_registry_error(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_body_that_may_be_cut_is_not_quoted() {
        let blanks = format!("{}hunter2", " ".repeat(ERROR_LIMIT));
        let cut = &blanks.as_bytes()[3..ERROR_LIMIT + 3];
        assert_eq!(read(cut).as_deref(), Some("a body of 64 KiB or more"));
        assert_eq!(read(&cut[1..]).as_deref(), Some("hun"));
    }

    #[test]
    fn a_long_text_stays_whole_until_the_walk_ends() {
        let long = format!("{}hunter2-hunter2", "x".repeat(60_000));
        assert_eq!(said(&long).unwrap(), long);
    }
}
