//! `host/name[:tag][@digest]`, as docker reads it.

use std::fmt;
use std::str::FromStr;

use oci_spec::image::{Digest, DigestAlgorithm};

use super::digest::is_supported;
use crate::text::quote::quoted;

/// The host that a reference without one means.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// The hosts by which Docker Hub is known to docker's tools and in their credential files.
const DOCKER_HUB_HOSTS: [&str; 4] = [
    DOCKER_HUB,
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
];

/// What skopeo and podman write in front of an image in a registry.
const DOCKER_TRANSPORT: &str = "docker://";

/// The longest name of a repository, in bytes.
const LONGEST_NAME: usize = 255;

/// The longest host, with its port, in bytes: what DNS takes.
const LONGEST_HOST: usize = 255;

/// The longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// One repository on one registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// `host[:port]`; Docker Hub is `docker.io`, although its API has another host. An OCI image
    /// layout is `oci:DIR`.
    pub registry: String,
    /// The name below it: `library/alpine`; empty for a layout.
    pub name: String,
}

impl Repository {
    /// Its name without the registry; that of a layout is its directory.
    pub(crate) fn short(&self) -> &str {
        if self.name.is_empty() {
            &self.registry
        } else {
            &self.name
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            // A directory is the one repository in it.
            "" => f.write_str(&self.registry),
            name => write!(f, "{}/{name}", self.registry),
        }
    }
}

/// A full reference to one image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where it is.
    pub repository: Repository,
    /// The tag; `latest` when neither tag nor digest was given.
    pub tag: Option<String>,
    /// The digest; it wins over the tag, as in every tool that pulls.
    pub digest: Option<Digest>,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A text that is not a reference, with the reason as a fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidReference(String);

impl InvalidReference {
    /// With this reason.
    pub(super) fn because(reason: String) -> Self {
        Self(reason)
    }
}

/// Whether the first component of a name is a host, by docker's rule.
#[must_use]
pub(crate) fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost" || component.starts_with('[')
}

/// Whether a target is a directory: `/path`, `./path` or `../path`.
pub(crate) fn is_directory(text: &str) -> bool {
    text.starts_with('/') || matches!(text.split('/').next(), Some("." | ".."))
}

/// Whether this host is Docker Hub by one of its names, in any case.
#[must_use]
pub(crate) fn is_docker_hub(host: &str) -> bool {
    DOCKER_HUB_HOSTS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(host))
}

/// Whether a reference, well-formed or not, says neither a tag nor a digest.
#[must_use]
pub(crate) fn is_bare(text: &str) -> bool {
    // A colon before the last slash begins a port.
    let last = text.rsplit('/').next().unwrap_or(text);
    !text.contains('@') && !last.contains(':')
}

/// What is not a reference, for an error message: without what may be a user with a password, and
/// without a query.
pub(crate) fn presentable(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) if !text[..at].contains('@') => text.split_at(at + 3),
        _ => ("", text),
    };
    let (path, query) = match rest.find(['?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // A digest stands at the end, a user in front of the host.
    let user_ends = |path: &str| {
        path.rfind('@')
            .filter(|at| !scheme.is_empty() || path[at + 1..].contains('/'))
    };
    let (path, digest) = match path.rfind("@sha") {
        Some(at) if path[..at].contains('/') && !path[at..].contains('/') => path.split_at(at),
        _ => (path, ""),
    };
    match user_ends(path) {
        // Which of them ends the password is not known.
        _ if query.contains('@') => quoted(&format!("{scheme}…")),
        Some(at) => quoted(&format!("{scheme}{}{digest}", &path[at + 1..])),
        None => quoted(&format!("{scheme}{path}{digest}")),
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// Reads by docker's grammar, with or without `docker://` before it, see
    /// <https://github.com/distribution/reference/blob/main/reference.go>. It is read by hand
    /// because a regular expression that holds it takes longer to build than a small image takes to
    /// verify.
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |why: &str| {
            InvalidReference(format!(
                "{} is not an image reference: {why}",
                presentable(text)
            ))
        };
        let bare = text.strip_prefix(DOCKER_TRANSPORT).unwrap_or(text);
        if bare.contains("://") {
            return Err(invalid(
                "its scheme is not docker://, so leave out the part up to ://",
            ));
        }
        let (rest, digest) = match bare.split_once('@') {
            Some((rest, digest)) => {
                let parsed = digest
                    .parse::<Digest>()
                    .map_err(|_| invalid("expected a digest after '@'"))?;
                (rest, Some(parsed))
            }
            None => (bare, None),
        };
        if digest
            .as_ref()
            .is_some_and(|digest| matches!(digest.algorithm(), DigestAlgorithm::Other(_)))
        {
            return Err(invalid("expected a digest of sha256, sha384 or sha512"));
        }
        // A colon before the last slash begins a port.
        let slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (path, tag) = match rest[slash..].split_once(':') {
            Some((last, tag)) => (&rest[..slash + last.len()], Some(tag)),
            None => (rest, None),
        };
        if matches!(path, "sha256" | "sha512") && tag.is_some() {
            return Err(invalid(
                "a digest alone names no image, so write it behind a name and an @",
            ));
        }
        if !tag.is_none_or(is_tag) {
            return Err(invalid(
                "a tag has at most 128 letters, digits, '_', '.' and '-', and begins with none \
                 of the last two",
            ));
        }
        let (registry, name) = match path.split_once('/') {
            Some((host, name)) if is_host(host) => (read_host(host)?, name),
            _ => (DOCKER_HUB.to_owned(), path),
        };
        if !has_name_components(name) {
            return Err(invalid(
                "a name has lower-case letters and digits, with '.', '_', '__' or '-' between them",
            ));
        }
        let official = registry == DOCKER_HUB && !name.contains('/');
        let name = if official {
            format!("library/{name}")
        } else {
            name.to_owned()
        };
        if name.len() > LONGEST_NAME {
            return Err(invalid(&format!(
                "a name has at most {LONGEST_NAME} characters"
            )));
        }
        let latest = if digest.is_none() {
            Some("latest")
        } else {
            None
        };
        Ok(Self {
            repository: Repository { registry, name },
            tag: tag.or(latest).map(str::to_owned),
            digest,
        })
    }
}

/// Whether this is the name of a repository, without its registry.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && has_name_components(text)
}

fn has_name_components(name: &str) -> bool {
    name.split('/').all(is_name_component)
}

/// The tag that lists what refers to a digest, where a registry has no API for that; see
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>.
pub(crate) fn referrers_tag(digest: &Digest) -> String {
    digest.as_ref().replacen(':', "-", 1)
}

/// How the tags end under which cosign stores signatures, attestations and SBOMs.
const COSIGN_ENDS: [&str; 3] = [".sig", ".att", ".sbom"];

/// The tags under which cosign stores the signatures, attestations and SBOMs of a digest.
pub(crate) fn cosign_tags(digest: &Digest) -> [String; 3] {
    COSIGN_ENDS.map(|end| format!("{}{end}", referrers_tag(digest)))
}

/// The digest that a tag is made of: that of [`referrers_tag`], or one of [`cosign_tags`].
pub(crate) fn digest_in_tag(tag: &str) -> Option<Digest> {
    let mut ends = COSIGN_ENDS.iter();
    let name = ends.find_map(|end| tag.strip_suffix(end));
    let digest = name.unwrap_or(tag).replacen('-', ":", 1).parse().ok()?;
    is_supported(&digest).then_some(digest)
}

/// Whether this is a tag.
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.len() <= LONGEST_TAG
        && text.starts_with(word)
        && text
            .chars()
            .all(|character| word(character) || matches!(character, '.' | '-'))
}

/// Runs of lower-case letters and digits, separated by `.`, `_`, `__` or any number of `-`.
fn is_name_component(text: &str) -> bool {
    let alphanumeric =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.split(alphanumeric).all(separator)
}

/// A host name or an address, with a port or without.
fn read_host(text: &str) -> Result<String, InvalidReference> {
    if text.len() > LONGEST_HOST {
        return Err(InvalidReference(format!(
            "{} is longer than a host can be",
            quoted(text)
        )));
    }
    if text.starts_with('[') {
        return ipv6_host(text);
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '-')
    };
    if !name.split('.').all(label) || !port.is_none_or(is_port) {
        return Err(InvalidReference(format!(
            "{} is not a host with or without a port from 1 to 65535",
            quoted(text)
        )));
    }
    Ok(if is_docker_hub(text) {
        DOCKER_HUB.to_owned()
    } else {
        text.to_owned()
    })
}

/// A port that can be dialled.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok_and(|port| port != 0)
}

fn ipv6_host(text: &str) -> Result<String, InvalidReference> {
    let invalid = || {
        InvalidReference(format!(
            "{} is not [address] or [address]:port",
            quoted(text)
        ))
    };
    let (address, port) = text[1..].split_once(']').ok_or_else(invalid)?;
    address
        .parse::<std::net::Ipv6Addr>()
        .map_err(|_| invalid())?;
    match port.strip_prefix(':') {
        None if port.is_empty() => {}
        Some(port) if is_port(port) => {}
        _ => return Err(invalid()),
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    #[test]
    fn references_are_read_as_docker_reads_them() {
        for (text, full) in [
            ("alpine", "docker.io/library/alpine:latest".to_owned()),
            ("team/app:1", "docker.io/team/app:1".to_owned()),
            ("ghcr.io/team/app", "ghcr.io/team/app:latest".to_owned()),
            ("localhost/app:1", "localhost/app:1".to_owned()),
            (
                "127.0.0.1:5000/a/b/c:x_Y.1-2",
                "127.0.0.1:5000/a/b/c:x_Y.1-2".to_owned(),
            ),
            ("[::1]:5000/app:1", "[::1]:5000/app:1".to_owned()),
            (
                "test.com:5000",
                "docker.io/library/test.com:5000".to_owned(),
            ),
            (
                "foo/foo_bar.com:8080",
                "docker.io/foo/foo_bar.com:8080".to_owned(),
            ),
            (
                "index.docker.io/alpine",
                "docker.io/library/alpine:latest".to_owned(),
            ),
            (
                "registry-1.docker.io/team/app:1",
                "docker.io/team/app:1".to_owned(),
            ),
            (
                "registry.hub.docker.com/library/alpine",
                "docker.io/library/alpine:latest".to_owned(),
            ),
            (
                "Registry-1.Docker.io/alpine",
                "docker.io/library/alpine:latest".to_owned(),
            ),
            ("host:65535/sha256:1", "host:65535/sha256:1".to_owned()),
            (
                "sub-dom1.Foo.com/a__b/c---d.e_f:_",
                "sub-dom1.Foo.com/a__b/c---d.e_f:_".to_owned(),
            ),
            (
                &format!("host:5000/app@{DIGEST}"),
                format!("host:5000/app@{DIGEST}"),
            ),
            (
                &format!("host:5000/app:1@{DIGEST}"),
                format!("host:5000/app:1@{DIGEST}"),
            ),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_is_not_a_reference_is_refused() {
        for text in [
            "",
            ":",
            "app:",
            "app@",
            "App",
            "host/App:1",
            "https://host/app:1",
            "app:a b",
            "app@sha256:12",
            "[::1/app",
            "[xx]:1/app",
            "[::1]x/app",
            "[::1]:99999/app",
            "[::1]:+80/app",
            "a//b",
            "/app",
            "app:1:2",
            "app:.1",
            "app:-1",
            "a___b",
            "a..b",
            "a.-b",
            "-a",
            "a_",
            "a/b_/c",
            "ho_st.com/app",
            "-host.com/app",
            "host-:1/app",
            "host:/app",
            "host:x/app",
            "host.example:99999/app:1",
            "host:65536/app",
            "host:0/app",
            "host:+80/app",
            "[::1]:0/app",
            "[::1]:+80/app",
            DIGEST,
            "sha256:5e1b",
            &format!("sha512:{}", "a".repeat(128)),
            "host.com/",
            "app@md5:d41d8cd98f00b204e9800998ecf8427e",
            "app@sha256:6C3C624B58DBBCD3C0DD82B4C53F04194D1247C6EEBDAAB7C610CF7D66709B3B",
            &format!("app@{DIGEST}@{DIGEST}"),
            &format!("app@{DIGEST}:tag"),
            &format!("app:{}", "x".repeat(129)),
            &format!("host.com/{}", "x".repeat(256)),
            &format!("{}.com/app", "x".repeat(252)),
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_reason_is_short_and_shows_no_control_characters() {
        let long = "\u{1b}".repeat(100_000);
        for text in [
            long.clone(),
            format!("{long}.com/app"),
            format!("[{long}]/app"),
            format!("app@sha256:{long}"),
        ] {
            let reason = text.parse::<Reference>().unwrap_err().to_string();
            assert!(
                reason.len() < 2048 && !reason.contains('\u{1b}'),
                "{} bytes",
                reason.len()
            );
        }
    }

    #[test]
    fn a_host_is_recognised_by_its_dot_or_colon() {
        for host in ["ghcr.io", "registry:5000", "localhost", "[::1]"] {
            assert!(is_host(host), "{host}");
        }
        assert!(!is_host("team"));
    }

    #[test]
    fn the_transport_of_registries_may_stand_in_front() {
        for text in ["r.example/app:1", "app", "r.example:5000/a@sha256:"] {
            let text = text.replace("sha256:", &format!("sha256:{}", "a".repeat(64)));
            let with: Reference = format!("docker://{text}").parse().unwrap();
            assert_eq!(Ok(with), text.parse());
        }
        for text in ["docker://docker://app", "docker://", "Docker://app"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_shown_without_what_may_be_secret() {
        let error = |text: &str| text.parse::<Reference>().unwrap_err().to_string();
        assert_eq!(
            error("https://registry.example/team/app"),
            r#""https://registry.example/team/app" is not an image reference: its scheme is not docker://, so leave out the part up to ://"#
        );
        for text in [
            "https://me:hunter2@host/app",
            "https://me:hun/hunter2@host/app:1",
            "https://me:hunter2?@host/app",
            "https://hunter2?x@host/app",
            "https://host/app?token=hunter2",
            "https://host/app?token=x@hunter2",
            "https://host/app#hunter2",
            "https://me:hunter2@host/app@sha256:1",
            "me:hunter2@host/app",
            "me:x@hunter2@host/app",
            "me:hunter2@https://host/app",
            "me:hunter2@host/app@sha256:12",
            "host/App?token=hunter2",
        ] {
            assert!(!error(text).contains("hunter2"), "{}", error(text));
        }
        assert!(error("https://me:p@host/app").starts_with(r#""https://host/app" is not"#));
        assert!(error("app@sha256:12").starts_with(r#""app@sha256:12" is not"#));
    }

    #[test]
    fn a_bare_reference_has_no_tag_and_no_digest() {
        for text in ["app", "team/app", "host:5000/app", "[::1]:5000/app"] {
            assert!(is_bare(text), "{text}");
        }
        for text in [
            "app:1",
            "host:5000/app:1",
            "app@sha256:1",
            "host:5000/a/b:1@sha256:1",
        ] {
            assert!(!is_bare(text), "{text}");
        }
    }
}
