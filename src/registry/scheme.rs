//! Whether a registry is spoken to in TLS or in plain HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use super::failed::Failed;
use crate::http::network::{Hosts, Network};
use crate::http::{Problem, ProblemKind, is_loopback};
use crate::oci::reference::DOCKER_HUB;

/// What is spoken to each registry of a run.
#[derive(Default)]
pub(super) struct Schemes(Mutex<HashMap<String, Arc<Scheme>>>);

impl Schemes {
    pub(super) fn of(&self, registry: &str, network: &Network) -> Arc<Scheme> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            known
                .entry(registry.to_owned())
                .or_insert_with(|| Arc::new(Scheme::new(registry, network))),
        )
    }
}

/// How a registry is spoken to.
pub(super) struct Scheme {
    /// Where it is, with the port if there is one.
    host: String,
    may_be_plain: bool,
    plain: AtomicBool,
    /// Whether it has answered so: then it will not change its mind.
    settled: AtomicBool,
}

impl Scheme {
    /// To begin with plain HTTP where the user named the registry or it is this machine.
    fn new(registry: &str, network: &Network) -> Self {
        let may_be_plain = plain_allowed(registry, network);
        let named = !matches!(network.insecure, Hosts::All);
        let plain = may_be_plain && (named || is_loopback(split_port(registry).0));
        let host = if registry == DOCKER_HUB {
            "registry-1.docker.io"
        } else {
            registry
        };
        Self {
            host: host.to_owned(),
            may_be_plain,
            plain: plain.into(),
            settled: false.into(),
        }
    }

    /// Where the API is.
    pub(super) fn base(&self) -> Result<Url, Failed> {
        let scheme = if self.plain.load(Ordering::Relaxed) {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{}/v2/", self.host)
            .parse()
            .map_err(|error| {
                Failed::from(Problem::new(
                    ProblemKind::Refused,
                    format!("{} is not a host ({error})", self.host),
                ))
            })
    }

    /// Speaks the other one than `base` does from now on; where the API is then.
    pub(super) fn turn(&self, base: &Url) -> Result<Url, Failed> {
        self.plain
            .store(base.scheme() == "https", Ordering::Relaxed);
        self.base()
    }

    /// It has answered as it is spoken to.
    pub(super) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Whether a problem shows that the registry speaks the other one, where both are allowed.
    pub(super) fn is_doubted_by(&self, problem: &Problem, base: &Url) -> bool {
        if !self.may_be_plain || self.settled.load(Ordering::Relaxed) {
            return false;
        }
        let unreachable = problem.kind.is_connection() && split_port(&self.host).1.is_none();
        match base.scheme() {
            // A TLS server answers an HTTP request with an alert.
            "http" => problem.kind == ProblemKind::WithoutPlainHttp || unreachable,
            _ => problem.kind == ProblemKind::WithoutTls || unreachable,
        }
    }
}

/// Whether a 400 is how a TLS server says, in plain HTTP, that it is one: Go's and nginx's words.
pub(super) fn asks_for_https(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTPS server") || text.contains("HTTPS port")
}

/// Whether plain HTTP may be spoken to a registry at all.
fn plain_allowed(registry: &str, network: &Network) -> bool {
    let (host, port) = split_port(registry);
    let insecure = |port| network.insecure.contain(host, port);
    is_loopback(host) || port.map_or_else(|| insecure(80) || insecure(443), insecure)
}

/// `host[:port]` in its parts, without the brackets of an IPv6 address.
fn split_port(registry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = registry.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host,
            port.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match registry.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (registry, None),
    }
}
