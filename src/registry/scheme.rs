//! Whether a registry speaks TLS or plain HTTP.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    plain: AtomicBool,
    /// Whether it has answered: then the scheme stays.
    settled: AtomicBool,
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

    /// Speaks the other scheme than `base` from now on; gives the API's URL in it.
    pub(super) fn turn(&self, base: &Url) -> Result<Url, Failed> {
        self.plain
            .store(base.scheme() == "https", Ordering::Relaxed);
        self.base()
    }

    /// Notes that the registry has answered in this scheme.
    pub(super) fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Whether a problem may mean that the registry speaks the other scheme, if that is allowed.
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
