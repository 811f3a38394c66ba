//! `host/name[:tag][@digest]`, as docker reads it.

use std::fmt;
use std::str::FromStr;

use oci_spec::distribution::Reference as OciReference;
use oci_spec::image::Digest;

/// The host that a reference without one means.
pub const DOCKER_HUB: &str = "docker.io";

/// One repository on one registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// `host[:port]`; Docker Hub is `docker.io`, whatever its API's host is called.
    pub registry: String,
    /// The name below it: `library/alpine`.
    pub name: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
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

/// Whether the first component of a name is a host, by docker's rule.
#[must_use]
pub fn is_host(component: &str) -> bool {
    component.contains(['.', ':']) || component == "localhost" || component.starts_with('[')
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.contains("://") {
            return Err(InvalidReference("a reference has no scheme: leave out the part up to ://".into()));
        }
        // The grammar of `oci-spec` knows no IPv6 hosts: they are set aside, and the rest is read as usual.
        let (host, rest) = match text.split_once('/') {
            Some((first, rest)) if first.starts_with('[') => (Some(ipv6_host(first)?), format!("host.invalid/{rest}")),
            _ => (None, text.to_owned()),
        };
        let parsed: OciReference = rest.parse().map_err(|error| InvalidReference(format!("{error}")))?;
        let digest = match parsed.digest() {
            Some(digest) => Some(digest.parse().map_err(|error| InvalidReference(format!("{error}")))?),
            None => None,
        };
        // `oci-spec` fills in `latest` beside a digest too; what was not written is not meant.
        let written_tag = match &digest {
            None => true,
            Some(_) => rest
                .split('@')
                .next()
                .is_some_and(|name| name.rsplit('/').next().is_some_and(|last| last.contains(':'))),
        };
        Ok(Self {
            repository: Repository {
                registry: host.unwrap_or_else(|| parsed.registry().to_owned()),
                name: parsed.repository().to_owned(),
            },
            tag: parsed.tag().filter(|_| written_tag).map(str::to_owned),
            digest,
        })
    }
}

fn ipv6_host(text: &str) -> Result<String, InvalidReference> {
    let invalid = || InvalidReference(format!("{text} is not [address] or [address]:port"));
    let (address, port) = text[1..].split_once(']').ok_or_else(invalid)?;
    address.parse::<std::net::Ipv6Addr>().map_err(|_| invalid())?;
    match port.strip_prefix(':') {
        None if port.is_empty() => {}
        Some(port) if port.parse::<u16>().is_ok() => {}
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
            ("127.0.0.1:5000/a/b/c:x_Y.1-2", "127.0.0.1:5000/a/b/c:x_Y.1-2".to_owned()),
            ("[::1]:5000/app:1", "[::1]:5000/app:1".to_owned()),
            (&format!("host:5000/app@{DIGEST}"), format!("host:5000/app@{DIGEST}")),
            (&format!("host:5000/app:1@{DIGEST}"), format!("host:5000/app:1@{DIGEST}")),
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
            "a//b",
            "/app",
            "app:1:2",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn docker_tells_a_host_by_its_dot_or_colon() {
        for host in ["ghcr.io", "registry:5000", "localhost", "[::1]"] {
            assert!(is_host(host), "{host}");
        }
        assert!(!is_host("team"));
    }
}
