//! Recognises a registry by what its answers show anyway; no request is sent for it.
//!
//! What a product alone says (a realm, a header, the words of an error) names it. distribution has
//! no such sign, because Harbor, GitLab and others pass its answers on or are built on it. So it is
//! recognised by exclusion: its own words or headers were seen, and nothing that it does not send.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, SERVER, WWW_AUTHENTICATE};
use serde::Deserialize;
use serde_json::Value;

use super::challenge::{self, Challenge};
use super::quirks;
use crate::walk::product::Product;

const API_VERSION: &str = "docker-distribution-api-version";

/// The headers that distribution sends, and those that web servers in front of it add.
const OF_DISTRIBUTION: [&str; 38] = [
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "alt-svc",
    "cache-control",
    "connection",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "docker-content-digest",
    API_VERSION,
    "docker-upload-uuid",
    "etag",
    "keep-alive",
    "link",
    "location",
    "oci-subject",
    "permissions-policy",
    "range",
    "referrer-policy",
    "retry-after",
    "server",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// The web servers that people put in front of a registry of their own.
const WEB_SERVERS: [&str; 7] = [
    "apache", "caddy", "envoy", "haproxy", "lighttpd", "nginx", "traefik",
];

/// What every registry of a run has shown.
#[derive(Default)]
pub(super) struct Products {
    signs: Mutex<HashMap<String, Signs>>,
}

impl Products {
    /// Notes the status and the headers of an answer of the registry itself.
    pub(super) fn note(&self, registry: &str, status: u16, headers: &HeaderMap) {
        self.change(registry, |signs| signs.note(status, headers));
    }

    /// Notes the body of an error of the registry itself.
    pub(super) fn note_error(&self, registry: &str, body: &[u8]) {
        self.change(registry, |signs| signs.note_error(body));
    }

    /// Which one it is, by its host or by what it has shown so far.
    pub(super) fn of(&self, registry: &str) -> Product {
        quirks::hosted_registries_are_known_by_their_hosts(registry).unwrap_or_else(|| {
            let signs = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
            signs.get(registry).map_or(Product::Unknown, Signs::product)
        })
    }

    fn change(&self, registry: &str, change: impl FnOnce(&mut Signs)) {
        let mut all = self.signs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signs) = all.get_mut(registry) {
            change(signs);
        } else {
            let mut signs = Signs::default();
            change(&mut signs);
            all.insert(registry.to_owned(), signs);
        }
    }
}

/// What one registry has shown of itself.
#[derive(Debug, Default)]
struct Signs {
    /// What only these products show.
    named: BTreeSet<Product>,
    /// What distribution shows, and what is built on it.
    is_like_distribution: bool,
    /// What distribution does not show.
    is_unlike_distribution: bool,
}

impl Signs {
    fn product(&self) -> Product {
        let mut named = self.named.iter();
        match (named.next(), named.next()) {
            (Some(only), None) => *only,
            (None, _) if self.is_like_distribution && !self.is_unlike_distribution => {
                Product::Distribution
            }
            _ => Product::Unknown,
        }
    }

    fn note(&mut self, status: u16, headers: &HeaderMap) {
        let challenges: Vec<&str> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        self.named.extend(named_by_headers(headers));
        self.named.extend(named_by_challenges(&challenges));
        let is_bearer = |challenge: &Challenge| matches!(challenge, Challenge::Bearer { .. });
        // Registries built on distribution that keep a database all use token servers.
        self.is_unlike_distribution |= challenge::read(challenges).iter().any(is_bearer);
        let speaks_as_distribution = headers.contains_key(API_VERSION);
        if speaks_as_distribution || !may_come_from_a_web_server(status) {
            self.is_unlike_distribution |= !speaks_as_distribution || has_foreign_header(headers);
            self.is_like_distribution |= matches!(status, 200 | 206) && is_its_blob(headers);
        }
    }

    fn note_error(&mut self, body: &[u8]) {
        let Ok(wire) = serde_json::from_slice::<Wire>(body) else {
            return;
        };
        for error in &wire.errors {
            match read(error) {
                Words::Of(Product::Distribution) => self.is_like_distribution = true,
                Words::Of(product) => {
                    self.named.insert(product);
                }
                Words::Common => {}
                Words::Foreign => self.is_unlike_distribution = true,
            }
        }
    }
}

/// A web server in front of a registry answers so for itself.
fn may_come_from_a_web_server(status: u16) -> bool {
    status == 429 || status >= 500
}

fn has_foreign_header(headers: &HeaderMap) -> bool {
    let is_foreign = |name: &str| !OF_DISTRIBUTION.contains(&name);
    let server = headers.get(SERVER).map(|value| {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let end = text.find(['/', ' ']).unwrap_or(text.len());
        text[..end].to_owned()
    });
    headers.keys().any(|name| is_foreign(name.as_str()))
        || server.is_some_and(|name| !WEB_SERVERS.contains(&name.as_str()))
}

/// <https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/blobserver.go>
fn is_its_blob(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let digest = headers
        .get("docker-content-digest")
        .and_then(|value| value.to_str().ok());
    text(CACHE_CONTROL) == Some("max-age=31536000")
        && digest.is_some_and(|digest| text(ETAG) == Some(&format!("\"{digest}\"")))
}

fn named_by_headers(headers: &HeaderMap) -> Option<Product> {
    let has = |name: &str| headers.contains_key(name);
    let begins = |start: &str| headers.keys().any(|name| name.as_str().starts_with(start));
    let says = |name: &str, word: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    if says("access-control-allow-headers", "x-zot-api-client") {
        Some(Product::Zot)
    } else if begins("gitlab-container-registry-") {
        Some(Product::GitLab)
    } else if has("x-harbor-csrf-token") {
        Some(Product::Harbor)
    } else if begins("x-artifactory-") || has("x-jfrog-version") {
        Some(Product::Artifactory)
    } else if says("server", "nexus/") {
        Some(Product::Nexus)
    } else {
        None
    }
}

fn named_by_challenges(written: &[&str]) -> BTreeSet<Product> {
    let basic = written.iter().filter_map(|text| {
        let text = text.to_ascii_lowercase();
        let has = |word: &str| text.contains(word);
        if has("realm=\"gitea container registry\"") || has("realm=\"forgejo container registry\"")
        {
            Some(Product::Gitea)
        } else if has("realm=\"sonatype nexus repository manager\"") {
            Some(Product::Nexus)
        } else if has("realm=\"artifactory realm\"") {
            Some(Product::Artifactory)
        } else {
            None
        }
    });
    let challenges = challenge::read(written.iter().copied());
    let bearer = challenges.iter().filter_map(|challenge| match challenge {
        Challenge::Bearer { realm, service, .. } => named_by_realm(realm, service.as_deref()?),
        Challenge::Basic => None,
    });
    basic.chain(bearer).collect()
}

/// The token servers that are parts of their products.
fn named_by_realm(realm: &str, service: &str) -> Option<Product> {
    let ends = |path: &str| realm.ends_with(path);
    match service {
        "harbor-registry" if ends("/service/token") => Some(Product::Harbor),
        "container_registry" if ends("/jwt/auth") => Some(Product::GitLab),
        "container_registry" if ends("/v2/token") => Some(Product::Gitea),
        host if realm.ends_with(&format!("://{host}/v2/auth")) => Some(Product::Quay),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    errors: Vec<Value>,
}

/// Whose words an error has.
enum Words {
    Of(Product),
    /// Those of distribution and of others.
    Common,
    /// Not those of distribution.
    Foreign,
}

/// Reads one error. The codes and messages are the same everywhere, the details are not.
///
/// <https://github.com/distribution/distribution/blob/v3.1.0/errors.go>,
/// <https://github.com/project-zot/zot/blob/v2.1.8/pkg/api/errors/errors.go>,
/// <https://github.com/olareg/olareg/blob/v0.1.2/manifest.go>
fn read(error: &Value) -> Words {
    let code = error["code"].as_str().unwrap_or_default();
    let message = error["message"].as_str().unwrap_or_default();
    let detail = &error["detail"];
    let has_only = |names: &[&str]| {
        let fields = detail.as_object();
        fields.is_some_and(|fields| fields.keys().map(String::as_str).eq(names.iter().copied()))
    };
    let is_described = detail["description"].as_str().is_some_and(|text| {
        text.starts_with("This error is returned when the manifest, identified by name and tag")
            || text.starts_with("blob unknown to registry \tThis error MAY be returned when")
            || text.starts_with("This is returned if the name used during an operation is unknown")
    });
    match (code, detail.as_str()) {
        (_, None) if is_described => Words::Of(Product::Zot),
        ("MANIFEST_UNKNOWN", Some("tag or digest was not found in repository"))
        | ("BLOB_UNKNOWN", Some("blob was not found")) => Words::Of(Product::Olareg),
        ("NOT_FOUND", _) if message.starts_with("artifact ") && message.ends_with(" not found") => {
            Words::Of(Product::Harbor)
        }
        ("MANIFEST_UNKNOWN", Some(text))
            if text.starts_with("unknown tag=") || text.starts_with("unknown manifest name=") =>
        {
            Words::Of(Product::Distribution)
        }
        ("MANIFEST_UNKNOWN", None) if has_only(&["Tag"]) || has_only(&["Name", "Revision"]) => {
            Words::Of(Product::Distribution)
        }
        ("BLOB_UNKNOWN", Some(digest)) if digest.contains(':') => Words::Common,
        ("NAME_UNKNOWN", None) if has_only(&["name"]) => Words::Common,
        (
            "UNKNOWN" | "UNSUPPORTED" | "UNAUTHORIZED" | "DENIED" | "UNAVAILABLE"
            | "TOOMANYREQUESTS" | "NAME_INVALID" | "DIGEST_INVALID" | "TAG_INVALID"
            | "MANIFEST_INVALID",
            _,
        ) => Words::Common,
        _ => Words::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const DIGEST: &str = "sha256:4006da33ad05576d71486bf7ceacd9a72bdc5e73f9b9ede9c9f1fde32615d85a";

    const BLOB: [&str; 5] = [
        "Accept-Ranges: bytes",
        "Cache-Control: max-age=31536000",
        concat!(
            "Docker-Content-Digest: ",
            "sha256:4006da33ad05576d71486bf7ceacd9a72bdc5e73f9b9ede9c9f1fde32615d85a"
        ),
        "Docker-Distribution-Api-Version: registry/2.0",
        "Etag: \"sha256:4006da33ad05576d71486bf7ceacd9a72bdc5e73f9b9ede9c9f1fde32615d85a\"",
    ];
    const ERROR: [&str; 2] = [
        "Content-Type: application/json",
        "Docker-Distribution-Api-Version: registry/2.0",
    ];

    fn headers(lines: &[&str]) -> HeaderMap {
        let parse = |line: &&str| {
            let (name, value) = line.split_once(": ").unwrap();
            (
                name.parse::<HeaderName>().unwrap(),
                value.parse::<HeaderValue>().unwrap(),
            )
        };
        lines.iter().map(parse).collect()
    }

    /// What a registry is taken for that sends these answers.
    fn product(answers: &[(u16, &[&str], &str)]) -> Product {
        let products = Products::default();
        for (status, lines, body) in answers {
            products.note("registry.example", *status, &headers(lines));
            products.note_error("registry.example", body.as_bytes());
        }
        products.of("registry.example")
    }

    fn error(code: &str, message: &str, detail: &str) -> String {
        format!(r#"{{"errors":[{{"code":"{code}","message":"{message}","detail":{detail}}}]}}"#)
    }

    fn unknown(detail: &str) -> String {
        error("MANIFEST_UNKNOWN", "manifest unknown", detail)
    }

    fn and(lines: &[&'static str], more: &'static str) -> Vec<&'static str> {
        lines.iter().copied().chain([more]).collect()
    }

    #[test]
    fn distribution_is_recognised_by_a_blob_or_by_an_unknown_manifest() {
        assert_eq!(product(&[(206, &BLOB, "")]), Product::Distribution);
        for detail in [
            r#"{"Tag":"nope"}"#,
            r#"{"Name":"team/app","Revision":"sha256:00"}"#,
            r#""unknown tag=nope""#,
            r#""unknown manifest name=team/app revision=sha256:00""#,
        ] {
            assert_eq!(
                product(&[(404, &ERROR, &unknown(detail))]),
                Product::Distribution,
                "{detail}"
            );
        }
    }

    #[test]
    fn a_web_server_in_front_does_not_hide_distribution() {
        let behind = and(&and(&BLOB, "Server: nginx/1.27.0"), "Via: 1.1 Caddy");
        let outage: &[&str] = &["Server: cloudflare", "Cf-Ray: 1", "Content-Type: text/html"];
        let refused = and(&ERROR, "WWW-Authenticate: Basic realm=\"Registry Realm\"");
        let words = error("UNAUTHORIZED", "authentication required", "null");
        assert_eq!(
            product(&[
                (401, &refused, &words),
                (200, &behind, ""),
                (502, outage, "<html>"),
                (429, outage, "slow down"),
            ]),
            Product::Distribution
        );
    }

    #[test]
    fn what_is_built_on_distribution_is_not_taken_for_it() {
        let challenge = "WWW-Authenticate: Bearer realm=\"https://auth.example/\",service=\"x\"";
        let unknown_tag = unknown(r#"{"Tag":"nope"}"#);
        for foreign in [
            "X-Request-Id: 912c4745c9a9f9346bfa51818a7d30ec",
            "Set-Cookie: sid=8c2c4714; Path=/; HttpOnly",
            "X-Registry-Supports-Signatures: 1",
            "X-Ms-Correlation-Request-Id: 1",
            "Gitlab-Lb: haproxy-main",
            "Cf-Ray: 1",
            "Server: openresty",
            "Server: AliyunContainerService",
            challenge,
        ] {
            let answers: [(u16, &[&str], &str); 3] = [
                (206, &BLOB, ""),
                (404, &ERROR, &unknown_tag),
                (200, &and(&ERROR, foreign), ""),
            ];
            assert_eq!(product(&answers), Product::Unknown, "{foreign}");
        }
    }

    #[test]
    fn one_answer_that_is_not_distributions_outweighs_all_that_are() {
        let json: &[&str] = &["Content-Type: application/json"];
        let cases: [(u16, &[&str], String); 6] = [
            (200, json, String::new()),
            (404, json, unknown(r#"{"Tag":"nope"}"#)),
            (404, &ERROR, unknown("{}")),
            (404, &ERROR, unknown(r#"{"Tag":"nope","Why":"no row"}"#)),
            (
                404,
                &ERROR,
                error("BLOB_UNKNOWN", "blob unknown to registry", "{}"),
            ),
            (404, &ERROR, error("NOT_FOUND", "no such thing", "null")),
        ];
        for (status, lines, body) in cases {
            let answers: [(u16, &[&str], &str); 2] = [(206, &BLOB, ""), (status, lines, &body)];
            assert_eq!(
                product(&answers),
                Product::Unknown,
                "{status} {lines:?} {body}"
            );
        }
    }

    #[test]
    fn what_distribution_has_in_common_with_others_proves_nothing() {
        let manifest = and(
            &and(&ERROR, "Docker-Content-Digest: sha256:00"),
            "Etag: \"sha256:00\"",
        );
        let no_etag = &BLOB[..4];
        let blob_unknown = error(
            "BLOB_UNKNOWN",
            "blob unknown to registry",
            &format!("\"{DIGEST}\""),
        );
        let failed = error("UNKNOWN", "unknown error", r#"{"Offset":0}"#);
        let cases: [(u16, &[&str], &str); 6] = [
            (200, &ERROR, "{}"),
            (200, &manifest, ""),
            (200, no_etag, ""),
            (404, &ERROR, &blob_unknown),
            (500, &ERROR, &failed),
            (307, &and(&ERROR, "Location: https://storage.example/"), ""),
        ];
        for answer in cases {
            assert_eq!(product(&[answer]), Product::Unknown, "{answer:?}");
        }
    }

    #[test]
    fn zot_is_recognised_by_its_header_or_by_its_words() {
        let allowed: &[&str] =
            &["Access-Control-Allow-Headers: Authorization,content-type,X-ZOT-API-CLIENT"];
        let json: &[&str] = &["Content-Type: application/json"];
        let described = |text: &str, more: &str| format!(r#"{{"description":"{text}",{more}}}"#);
        let manifest = described(
            "This error is returned when the manifest, identified by name and tag is unknown to \
             the repository.",
            r#""reference":"nope""#,
        );
        let blob = described(
            r"blob unknown to registry \tThis error MAY be returned when a blob is unknown",
            r#""digest":"sha256:00""#,
        );
        for answer in [
            (500, allowed, String::new()),
            (404, json, unknown(&manifest)),
            (
                404,
                json,
                error("BLOB_UNKNOWN", "blob unknown to registry", &blob),
            ),
        ] {
            let (status, lines, body) = &answer;
            assert_eq!(
                product(&[(*status, lines, body)]),
                Product::Zot,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_token_server_names_the_product_that_it_is_a_part_of() {
        for (challenge, expected) in [
            (
                r#"Bearer realm="https://h.example/service/token",service="harbor-registry""#,
                Product::Harbor,
            ),
            (
                r#"Bearer realm="https://g.example/jwt/auth",service="container_registry""#,
                Product::GitLab,
            ),
            (
                r#"Bearer realm="http://f/v2/token",service="container_registry",scope="*""#,
                Product::Gitea,
            ),
            (r#"Basic realm="Gitea Container Registry""#, Product::Gitea),
            (
                r#"Bearer realm="https://q.example/v2/auth",service="q.example""#,
                Product::Quay,
            ),
            (
                r#"BASIC realm="Sonatype Nexus Repository Manager""#,
                Product::Nexus,
            ),
            (r#"Basic realm="Artifactory Realm""#, Product::Artifactory),
            (
                r#"Bearer realm="https://a.example/v2/auth",service="another""#,
                Product::Unknown,
            ),
            (
                r#"Bearer realm="https://a.example/token",service="container_registry""#,
                Product::Unknown,
            ),
        ] {
            let line = format!("WWW-Authenticate: {challenge}");
            let lines: &[&str] = &[&line, ERROR[1]];
            assert_eq!(product(&[(401, lines, "")]), expected, "{challenge}");
        }
    }

    #[test]
    fn other_products_are_recognised_by_their_own_headers_and_words() {
        let olareg = unknown(r#""tag or digest was not found in repository""#);
        let harbor = error("NOT_FOUND", "artifact team/app:1 not found", "null");
        for (line, body, expected) in [
            (
                "Gitlab-Container-Registry-Version: 4.1",
                "",
                Product::GitLab,
            ),
            ("X-Harbor-Csrf-Token: x", "", Product::Harbor),
            ("X-JFrog-Version: Artifactory/7.9", "", Product::Artifactory),
            ("X-Artifactory-Node-Id: a", "", Product::Artifactory),
            ("Server: Nexus/3.70.1 (OSS)", "", Product::Nexus),
            (ERROR[1], &olareg, Product::Olareg),
            (ERROR[1], &harbor, Product::Harbor),
        ] {
            assert_eq!(product(&[(404, &[line], body)]), expected, "{line}");
        }
    }

    #[test]
    fn signs_of_two_products_name_neither() {
        let zot: &[&str] = &["Access-Control-Allow-Headers: X-ZOT-API-CLIENT"];
        let nexus: &[&str] = &["Server: Nexus/3.70.1"];
        assert_eq!(
            product(&[(200, zot, ""), (200, nexus, ""), (206, &BLOB, "")]),
            Product::Unknown
        );
    }

    #[test]
    fn each_registry_is_known_by_its_own_answers() {
        let products = Products::default();
        products.note("one.example", 200, &headers(&BLOB));
        assert_eq!(products.of("one.example"), Product::Distribution);
        assert_eq!(products.of("other.example"), Product::Unknown);
        assert_eq!(products.of("docker.io"), Product::DockerHub);
    }
}
