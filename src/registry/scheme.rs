//! Whether a registry speaks TLS or plain HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use url::Url;

use super::failed::Failed;
use super::quirks;
use crate::http::network::{Hosts, Network};
use crate::http::{Problem, ProblemKind, is_loopback};

/// The scheme of each registry of a run.
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

/// The scheme that a registry speaks, as far as it is known.
pub(super) struct Scheme {
    /// The API's host, with the port if there is one.
    host: String,
    may_be_plain: bool,
    /// Whether the next question begins in plain HTTP.
    plain: AtomicBool,
    /// Whether it has answered in plain HTTP, or over TLS: that scheme stays.
    settled: OnceLock<bool>,
}

impl Scheme {
    /// Begins with plain HTTP where the user named the registry, or it is this machine.
    pub(super) fn new(registry: &str, network: &Network) -> Self {
        let may_be_plain = plain_allowed(registry, network);
        let named = !matches!(network.insecure, Hosts::All);
        let plain = may_be_plain && (named || is_loopback(split_port(registry).0));
        Self {
            host: quirks::docker_hub_has_another_host_for_its_api(registry).to_owned(),
            may_be_plain,
            plain: plain.into(),
            settled: OnceLock::new(),
        }
    }

    /// Where the API is, as far as it is known.
    pub(super) fn base(&self) -> Result<Url, Failed> {
        let guess = || self.plain.load(Ordering::Relaxed);
        self.base_in(self.settled.get().copied().unwrap_or_else(guess))
    }

    fn base_in(&self, plain: bool) -> Result<Url, Failed> {
        let scheme = if plain { "http" } else { "https" };
        format!("{scheme}://{}/v2/", self.host)
            .parse()
            .map_err(|error| {
                Failed::from(Problem::new(
                    ProblemKind::Refused,
                    format!("{} is not a host ({error})", self.host),
                ))
            })
    }

    /// Begins in the other scheme than `base` from now on; gives the API's URL in it.
    pub(super) fn turn(&self, base: &Url) -> Result<Url, Failed> {
        let plain = base.scheme() == "https";
        self.plain.store(plain, Ordering::Relaxed);
        self.base_in(plain)
    }

    /// Notes that the registry has answered in the scheme of `base`.
    pub(super) fn settle(&self, base: &Url) {
        self.settled.get_or_init(|| base.scheme() == "http");
    }

    /// Whether the registry has answered in the other scheme than `base`, to another question.
    pub(super) fn has_settled_otherwise(&self, base: &Url) -> bool {
        (self.settled.get()).is_some_and(|plain| *plain != (base.scheme() == "http"))
    }

    /// Whether a problem may mean that the registry speaks the other scheme, if that is allowed.
    pub(super) fn is_doubted_by(&self, problem: &Problem, base: &Url) -> bool {
        if !self.may_be_plain || self.settled.get().is_some() {
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

/// Whether plain HTTP is allowed for a registry.
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
