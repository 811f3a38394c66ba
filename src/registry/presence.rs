//! Whether it is a registry that answers, or a web server that answers everything.

use oci_spec::image::Digest;
use reqwest::header::{HeaderName, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::Answer;
use super::{challenge, error, retry};
use crate::oci::digest;
use crate::walk::cause::{Cause, Place, Trouble};
use crate::walk::source::{Body, Manifest};

/// Whether the body of an answer at `/v2/` with this status may show a registry.
pub(super) fn may_show_a_registry(status: u16) -> bool {
    status == 200 || ((400..500).contains(&status) && !retry::is_transient(status))
}

/// Whether an answer at `/v2/` is one that registries give: it names the API's version, asks for a
/// login, is an empty JSON object, or an error in a registry's own words.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support>
pub(super) async fn shows_a_registry(answer: &mut Answer<'_>) -> bool {
    let challenges = answer.all(&WWW_AUTHENTICATE);
    let challenges = challenge::read(challenges.iter().map(String::as_str));
    if names_version(answer) || (answer.status() == 401 && !challenges.is_empty()) {
        return true;
    }
    let status = answer.status();
    let (body, broken) = answer.error_body().await;
    broken.is_none()
        && match status {
            200 => is_empty_object(&body),
            _ => error::is_registry_error(&body),
        }
}

/// Whether an answer names the version of the API, as a registry does.
pub(super) fn names_version(answer: &Answer<'_>) -> bool {
    let version = HeaderName::from_static("docker-distribution-api-version");
    let named = answer.header(&version);
    named.is_some_and(|version| version.contains("registry/2"))
}

fn is_empty_object(body: &[u8]) -> bool {
    let object = serde_json::from_slice::<serde_json::Map<_, _>>(body);
    object.is_ok_and(|object| object.is_empty())
}

/// Why what came as a manifest may come from something else than a registry, if nothing about it is
/// a registry's: no header, no field, and not the bytes that were wanted.
pub(super) fn foreign(manifest: &Manifest, wanted: Option<&Digest>) -> Option<Cause> {
    let Body::Whole(bytes) = &manifest.body else {
        return None;
    };
    let is_manifests = |media_type: &str| {
        ["application/vnd.oci.", "application/vnd.docker."]
            .iter()
            .any(|start| media_type.starts_with(start))
    };
    let is_wanted = |wanted: &Digest| digest::of_bytes(bytes, wanted).as_ref() == Some(wanted);
    let is_a_registrys = manifest.claimed.is_some()
        || manifest.content_type.as_deref().is_some_and(is_manifests)
        || has_a_manifests_field(bytes)
        || wanted.is_some_and(is_wanted);
    (!is_a_registrys).then(|| Cause::Unreached {
        trouble: Trouble::Garbled,
        place: Place::Registry,
        words: "the answer is not a manifest".into(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    schema_version: Option<IgnoredAny>,
    media_type: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

fn has_a_manifests_field(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Fields>(bytes).is_ok_and(|fields| {
        [
            fields.schema_version,
            fields.media_type,
            fields.manifests,
            fields.config,
            fields.layers,
        ]
        .iter()
        .any(Option::is_some)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::digest::sha256;

    const STATUS: &str = r#"{"status":"ok"}"#;

    fn manifest(bytes: &str) -> Manifest {
        Manifest {
            body: Body::Whole(bytes.into()),
            content_type: Some("application/json".into()),
            claimed: None,
        }
    }

    #[test]
    fn what_has_nothing_of_a_registry_is_foreign() {
        for bytes in [
            STATUS,
            "",
            "ok\n",
            "[]",
            "{}",
            "null",
            r#"{"schemaVersion""#,
        ] {
            assert!(foreign(&manifest(bytes), None).is_some(), "{bytes}");
        }
        for bytes in [
            r#"{"schemaVersion":2}"#,
            r#"{"mediaType":"text/plain"}"#,
            r#"{"manifests":[]}"#,
            r#"{"layers":[],"status":"ok"}"#,
        ] {
            assert!(foreign(&manifest(bytes), None).is_none(), "{bytes}");
        }
    }

    #[test]
    fn a_registrys_header_or_the_wanted_bytes_are_not_foreign() {
        let of_type = |content_type: &str| Manifest {
            content_type: Some(content_type.into()),
            ..manifest(STATUS)
        };
        let oci = "application/vnd.oci.image.manifest.v1+json";
        assert!(foreign(&of_type(oci), None).is_none());
        assert!(foreign(&of_type("text/plain"), None).is_some());
        let claims = Manifest {
            claimed: Some("sha256:1".into()),
            ..manifest(STATUS)
        };
        assert!(foreign(&claims, None).is_none());
        let (right, other) = (sha256(STATUS.as_bytes()), sha256(b"other"));
        assert!(foreign(&manifest(STATUS), Some(&right)).is_none());
        assert!(foreign(&manifest(STATUS), Some(&other)).is_some());
        let cut = Manifest {
            body: Body::Cut { received: 5 },
            ..manifest("")
        };
        assert!(foreign(&cut, None).is_none());
    }

    #[test]
    fn an_empty_object_has_no_entries() {
        assert!(is_empty_object(b" {}\n"));
        for other in [&b""[..], b"[]", b"true", STATUS.as_bytes()] {
            assert!(!is_empty_object(other));
        }
    }
}
