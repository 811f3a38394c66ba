//! What is known of the first image that a hint is for, and what to say where that is known: the
//! host, the user, the setting, the tag, the date.

use std::time::SystemTime;

use super::hint::Hint;
use super::sentence;
use super::timestamp;
use crate::http::is_loopback;
use crate::oci::in_layout;
use crate::oci::kind::Kind;
use crate::oci::reference::{DOCKER_HUB, Reference};
use crate::text::{escape, human};
use crate::walk::cause::{Cause, Denial};
use crate::walk::checked::Finding;
use crate::walk::known::{Access, GivenBy, Known, Listed};
use crate::walk::verdict::Verdict;

/// How many repositories or tags a hint names.
const NAMED: usize = 3;

/// What is known of the first image that a hint is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// The image.
    pub reference: Reference,
    /// The names of the first repositories that the hint is for.
    pub repositories: Vec<String>,
    /// What is known of the first one beside its content.
    pub known: Known,
    /// The digest in question.
    pub node: Option<Evidence>,
    /// What is wrong with the image itself.
    pub findings: Vec<Finding>,
    /// When the image was built.
    pub created: Option<SystemTime>,
    /// When the run began.
    pub now: SystemTime,
    /// The first references that are not there.
    pub missing: Vec<(Reference, Option<Listed>)>,
}

/// What was found out about one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub kind: Kind,
    /// Its media type.
    pub media_type: String,
    /// The judgement.
    pub verdict: Verdict,
    /// Why.
    pub cause: Cause,
}

impl Scene {
    /// Adds what another repository has.
    pub(super) fn add(&mut self, other: Self) {
        for name in other.repositories {
            if self.repositories.len() < NAMED && !self.repositories.contains(&name) {
                self.repositories.push(name);
            }
        }
        self.missing.extend(other.missing);
        self.missing.truncate(NAMED);
    }

    fn host(&self) -> &str {
        &self.reference.repository.registry
    }

    fn is_in_layout(&self) -> bool {
        in_layout::directory(&self.reference.repository).is_some()
    }

    /// What a hint says where this much is known; `None` where that does not matter.
    pub(super) fn text(&self, hint: &Hint) -> Option<String> {
        let of_layout = self.is_in_layout().then(|| self.text_in_layout(hint));
        if let Some(text) = of_layout.flatten() {
            return Some(text);
        }
        let host = self.host();
        Some(match hint {
            Hint::ReferenceMissing => self.missing(),
            Hint::WrongDigest => self.wrong_digest(
                "another pipeline moved the tag, the push went elsewhere, or the expected digest \
                 is from an older build. Compare it with what the build step printed",
            )?,
            Hint::PlatformMissing => format!(
                "{} was not built for {}, or a later push of one platform alone replaced the tag. \
                 Build all platforms in one push, or join them with `docker buildx imagetools \
                 create`",
                name(&self.reference),
                self.missing_platforms()?
            ),
            Hint::Denied => self.denied()?,
            Hint::ServerError => self.server_error()?,
            Hint::ProxyError => self.proxy_error()?,
            Hint::RateLimit => format!(
                "{host} limits how often it is asked (429): lower `concurrency`, raise \
                 `attempts`, or wait and run again"
            ),
            Hint::SpeaksPlainHttp => format!(
                "{host} does not speak TLS. If it is meant to be reached over plain HTTP, add \
                 `insecure: {host}`"
            ),
            Hint::SpeaksTls => format!(
                "over plain HTTP {host} does not answer as a plain HTTP server would, so it \
                 probably speaks TLS: remove its host from `insecure`"
            ),
            Hint::UnknownAuthority => format!(
                "the certificate of {host} is signed by an unknown authority, your own or that of \
                 a proxy that opens TLS connections: set `ca` to its certificate. Where docker \
                 trusts it already, that is `ca: /etc/docker/certs.d/{host}/ca.crt`"
            ),
            Hint::ConnectionRefused => {
                let inside = if is_loopback(without_port(host)) {
                    ". In a container, localhost is the container itself"
                } else {
                    ""
                };
                format!(
                    "connection refused: nothing is listening at {host}. Check host and port, and \
                     that the registry runs{inside}"
                )
            }
            Hint::UnknownHost => format!(
                "{host} could not be resolved from here: check its spelling and this machine's \
                 DNS, or give its address in `resolve`"
            ),
            Hint::NoAnswer => format!(
                "nothing came back from {host}. A firewall that drops packets looks like this; so \
                 does a server that speaks something else on this port, or one that has too much \
                 to do. If it is only slow, raise `request_timeout`"
            ),
            Hint::NetworkUnreachable => format!(
                "there is no way from here to {host}: this machine has no network, or none of \
                 this kind (IPv6, a VPN, a proxy that is needed)"
            ),
            _ => return None,
        })
    }

    /// What is different where nothing was pushed yet.
    fn text_in_layout(&self, hint: &Hint) -> Option<String> {
        Some(match hint {
            Hint::WrongDigest => self.wrong_digest(
                "the directory has an older build or another image, or the expected digest is from \
                 another build. Compare it with what the build step printed",
            )?,
            Hint::PlatformMissing => format!(
                "{} was not built for {}. Build all platforms at once",
                name(&self.reference),
                self.missing_platforms()?
            ),
            Hint::TagsDiffer => "names that should stand for one image do not: export them from \
                                 one build into an empty directory, or set `same_digest: false` if \
                                 they may differ"
                .to_owned(),
            Hint::ContentType => "index.json states another media type than the manifest has, and \
                                  what pushes the image goes by it: export it again by another \
                                  tool"
                .to_owned(),
            Hint::Timeout => "the run was stopped at `timeout`; whatever it had not read by then \
                              counts as not checked: raise `timeout`"
                .to_owned(),
            _ => return None,
        })
    }

    fn missing(&self) -> String {
        const PUSHED: &str =
            "Compare it with what the build step pushed, and run this check after the push";
        const EXPORTED: &str = "Compare it with the name that the build was exported under";
        let compare = if self.is_in_layout() {
            EXPORTED
        } else {
            PUSHED
        };
        let one = |(reference, listed): &(Reference, Option<Listed>)| {
            let repository = reference.repository.short();
            match (&reference.tag, listed) {
                (Some(tag), Some(Listed::Others(near))) => format!(
                    "{repository} has no tag {tag}; nearest: {}. {compare}",
                    near.join(", ")
                ),
                (Some(_), Some(Listed::NoTag)) => {
                    format!("{repository} has no tag at all. {compare}")
                }
                (_, Some(Listed::NoRepository)) => format!(
                    "there is no repository {repository} on {}. {compare}. Some registries answer \
                     so to a login that may not see it",
                    reference.repository.registry
                ),
                _ if self.is_in_layout() => format!("{repository} has no such image. {compare}"),
                (Some(tag), Some(Listed::ItToo)) => format!(
                    "{repository} still lists the tag {tag}, but the manifest that it leads to is \
                     gone: a clean-up or a garbage collection deleted it. Build and push the \
                     image again"
                ),
                _ => format!(
                    "the registry does not know {reference} at all. {compare}. Some registries \
                     answer so to a login that may not see it"
                ),
            }
        };
        let mut parts: Vec<String> = self.missing.iter().map(one).collect();
        parts.dedup();
        let last = parts.len().saturating_sub(1);
        for part in &mut parts[..last] {
            *part = part.replace(&format!(". {compare}"), "");
        }
        parts.join(". ")
    }

    fn wrong_digest(&self, why: &str) -> Option<String> {
        let name = name(&self.reference);
        let built = self.built();
        self.findings.iter().find_map(|finding| match finding {
            Finding::WrongDigest { expected, actual } => Some(format!(
                "{name} is {}{built}, and not {}: {why}",
                short(actual.as_ref()),
                short(expected.as_ref())
            )),
            Finding::StillWrong(digest) => Some(format!(
                "{name} is still {}{built}: {why}",
                short(digest.as_ref())
            )),
            _ => None,
        })
    }

    /// `, built 3 days ago (2026-11-19 14:02 UTC)`.
    fn built(&self) -> String {
        let Some(created) = self.created else {
            return String::new();
        };
        let date = timestamp::utc(created);
        let (day, time) = (&date[..10], &date[11..16]);
        match self.now.duration_since(created) {
            Ok(age) => format!(", built {} ago ({day} {time} UTC)", human::age(age)),
            Err(_) => format!(", built on {day} at {time} UTC"),
        }
    }

    fn missing_platforms(&self) -> Option<String> {
        let missing = self.findings.iter().filter_map(|finding| match finding {
            Finding::PlatformMissing { expected, .. } => Some(expected.to_string()),
            _ => None,
        });
        let missing: Vec<String> = missing.collect();
        (!missing.is_empty()).then(|| escape::line(&human::list(&missing)))
    }

    fn denied(&self) -> Option<String> {
        let host = self.host();
        let what = human::list(&self.repositories);
        let may_not_pull = |who: &str| {
            format!(
                "{who} is logged in, and may not pull {what}. Compare the name, and give {who} \
                 read access: many registries answer the same for a repository that does not \
                 exist"
            )
        };
        let no_login = || match &self.known.access {
            Access::Elsewhere {
                host: other,
                given_by,
            } => elsewhere(*given_by, other, host),
            _ => format!(
                "{host} wants a login for {what}, and there is none here: set `registry: {host}`, \
                 `username` and `password`"
            ),
        };
        let Cause::Denied { denial, .. } = &self.node.as_ref()?.cause else {
            return Some(match &self.known.access {
                Access::Login { username, .. } => match username {
                    Some(username) => may_not_pull(&escape::line(username)),
                    None => may_not_pull(&format!("the user of {}", self.given_by()?)),
                },
                _ => no_login(),
            });
        };
        Some(match denial {
            Denial::Login { username, .. } => format!(
                "{host} refuses the login of {}, which {}: the user or the password is wrong, or \
                 it has expired",
                escape::line(username),
                self.comes_from()
            ),
            Denial::TokenServer {
                server,
                username: Some(username),
                ..
            } => format!(
                "{}, where {host} sends its logins, refuses the login of {}, which {}: the user \
                 or the password is wrong, or it has expired",
                escape::line(server),
                escape::line(username),
                self.comes_from()
            ),
            Denial::StoredToken { .. } | Denial::TokenServer { identity: true, .. } => format!(
                "{host} refuses the token that `docker_config` has for it, which has probably \
                 expired: run `docker login {host}` again"
            ),
            Denial::Anonymous { .. } => format!(
                "{host} wants a login for {what}, and `anonymous` forbids one: remove `anonymous`"
            ),
            Denial::NoCredentials { .. } | Denial::TokenServer { .. } => no_login(),
            Denial::EveryToken => match &self.known.access {
                Access::Login {
                    username: Some(username),
                    ..
                } => may_not_pull(&escape::line(username)),
                _ => return None,
            },
            Denial::NoToken { .. } | Denial::Unsafe(_) => return None,
        })
    }

    fn given_by(&self) -> Option<&'static str> {
        match &self.known.access {
            Access::Login { given_by, .. } => Some(setting(*given_by)),
            _ => None,
        }
    }

    /// Which setting a login comes from, as the end of a sentence.
    fn comes_from(&self) -> String {
        match self.given_by() {
            Some(setting) => format!("comes from {setting}"),
            None => "was sent".to_owned(),
        }
    }

    fn server_error(&self) -> Option<String> {
        Some(format!(
            "{} has an error of its own: {}. Its log says more. Run again when that is repaired",
            self.host(),
            escape::line(&sentence::cause(&self.node.as_ref()?.cause))
        ))
    }

    fn proxy_error(&self) -> Option<String> {
        let Cause::Status { status, .. } = &self.node.as_ref()?.cause else {
            return None;
        };
        Some(format!(
            "the {status} is that of a proxy in front of {}: the proxy runs, and the registry \
             behind it does not answer it. Look whether the registry runs, and into the proxy's \
             log",
            self.host()
        ))
    }

    /// A command that shows the fault, where everything in it is known.
    pub(super) fn command(&self, hint: &Hint, digest: Option<&str>) -> Option<String> {
        let base = self
            .known
            .base
            .as_deref()
            .filter(|base| !base.contains('['))?;
        let repository = &self.reference.repository;
        let manifest = |what: &str| format!("{base}/v2/{}/manifests/{what}", repository.name);
        match hint {
            Hint::WrongDigest | Hint::TagsDiffer | Hint::PlatformMissing => Some(format!(
                "docker buildx imagetools inspect {}",
                self.reference
            )),
            Hint::Denied if self.known.needs_token => None,
            Hint::Denied => match (&self.known.access, &self.reference.tag) {
                (
                    Access::Login {
                        username: Some(username),
                        ..
                    },
                    Some(tag),
                ) if is_plain(username) => {
                    Some(format!("curl -sSI -u {username} {}", manifest(tag)))
                }
                _ => None,
            },
            Hint::ConnectionRefused
            | Hint::NoAnswer
            | Hint::NetworkUnreachable
            | Hint::UnknownAuthority
            | Hint::BadCertificate
            | Hint::ProxyError
            | Hint::WebPage
            | Hint::NotARegistry => Some(format!("curl -v {base}/v2/")),
            Hint::ServerError => match (&self.reference.digest, &self.reference.tag) {
                (None, Some(tag)) if !self.known.needs_token => {
                    Some(format!("curl -sS{} {}", self.user()?, manifest(tag)))
                }
                _ => None,
            },
            Hint::SpeaksPlainHttp => Some(format!("curl -v http://{}/v2/", self.host())),
            Hint::SpeaksTls => Some(format!("curl -v https://{}/v2/", self.host())),
            Hint::UnknownHost => Some(format!("getent hosts {}", without_port(self.host()))),
            hint if hint.is_about_content() => self.fetch(base, digest?),
            _ => None,
        }
    }

    /// ` -u ci` where a password is asked for; `None` where that does not help.
    fn user(&self) -> Option<String> {
        match &self.known.access {
            Access::Login {
                username: Some(username),
                ..
            } => is_plain(username).then(|| format!(" -u {username}")),
            Access::Login { username: None, .. } => None,
            Access::Anonymous | Access::Elsewhere { .. } => Some(String::new()),
        }
    }

    /// A command that shows what is wrong with a digest.
    fn fetch(&self, base: &str, digest: &str) -> Option<String> {
        let node = self.node.as_ref()?;
        let name = &self.reference.repository.name;
        if self.known.needs_token || !is_plain(&node.media_type) {
            return None;
        }
        let user = self.user()?;
        // distribution answers 404 for a type that is not accepted.
        let (path, accept) = if node.kind.is_manifest() {
            ("manifests", format!(" -H 'Accept: {}'", node.media_type))
        } else {
            ("blobs", String::new())
        };
        let url = format!("{base}/v2/{name}/{path}/{digest}");
        let shows = |flags: &str, filter: &str| format!("curl {flags}{user}{accept} {url}{filter}");
        Some(match node.verdict {
            Verdict::Missing => shows("-sSI", ""),
            Verdict::Empty | Verdict::Truncated | Verdict::SizeMismatch => {
                shows("-sSL", " | wc -c")
            }
            Verdict::DigestMismatch => shows("-sSL", " | sha256sum"),
            _ => shows("-sSi", ""),
        })
    }
}

/// What to add where a login is for another host.
fn elsewhere(given_by: GivenBy, other: &str, host: &str) -> String {
    let other = escape::line(other);
    match given_by {
        GivenBy::Username if other == DOCKER_HUB && host != DOCKER_HUB => format!(
            "`username` is for {other}, because `registry` is not set, so it is not sent to \
             {host}. Add `registry: {host}`"
        ),
        GivenBy::Username => format!(
            "`username` is for {other}, which `registry` names, so it is not sent to {host}. Set \
             `registry: {host}`, or give both in `logins`"
        ),
        _ => format!(
            "no entry of `logins` is for {host}; the first is for {other}. Add one with \
             `registry: {host}`"
        ),
    }
}

/// The settings that a login is from.
fn setting(given_by: GivenBy) -> &'static str {
    match given_by {
        GivenBy::Username => "`username` and `password`",
        GivenBy::Logins => "`logins`",
        GivenBy::DockerConfig => "docker's configuration (`docker_config`)",
        GivenBy::GithubToken => "`github_token`",
    }
}

/// `team/app:1.4`: what an image is called where its host does not matter.
pub(crate) fn name(reference: &Reference) -> String {
    let name = reference.repository.short();
    match (&reference.tag, &reference.digest) {
        (Some(tag), None) => format!("{name}:{tag}"),
        (_, Some(digest)) => format!("{name}@{}", short(digest.as_ref())),
        (None, None) => name.to_owned(),
    }
}

/// A digest with as much of its hash as people need.
fn short(digest: &str) -> String {
    const DIGITS: usize = 12;
    let Some((algorithm, hash)) = digest.split_once(':') else {
        return digest.to_owned();
    };
    format!("{algorithm}:{}", hash.get(..DIGITS).unwrap_or(hash))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            name.trim_matches(['[', ']'])
        }
        _ => host,
    }
}

/// Whether a text means nothing to a shell.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+/@".contains(&byte);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain)
}
