//! HTTP clients for each origin, with its own roots, pins and guard.

mod addresses;
mod exchange;
mod lanes;
pub(crate) mod listen;
pub mod network;
mod outgoing;
pub mod patience;
mod problem;
mod proxy;
pub mod pushgateway;
mod trust;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use url::Url;

use self::addresses::Addresses;
pub use self::addresses::{forbidden, forbidden_literal};
pub use self::exchange::{Reply, append, read_retry_after};
pub use self::lanes::Lanes;
pub use self::outgoing::Outgoing;
pub use self::problem::{Problem, ProblemKind};
use self::trust::Trust;
use crate::http::network::Network;

/// Whether the user or a server chose the host of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChosenBy {
    /// The user, in a setting or a reference: any address is accepted.
    User,
    /// A server, in a token realm or a redirect: link-local and metadata addresses are refused.
    Server,
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/2 where the server offers it, else HTTP/1.1.
    Best,
    /// HTTP/1.1, in which an answer whose body is missing can be read as far as it came.
    One,
}

type Origin = (String, String, u16, ChosenBy, Version);

/// How many origins are remembered before those that servers chose are forgotten.
const MOST_ORIGINS: usize = 64;

/// The HTTP clients of a run.
///
/// Every origin has clients of its own, because certificates, pins and the guard on addresses
/// depend on host and port. Redirects are never followed here and nothing is decompressed; see
/// `registry::redirect`.
pub struct Clients {
    network: Network,
    addresses: Arc<Addresses>,
    trust: OnceLock<Trust>,
    made: Mutex<HashMap<Origin, Arc<Lanes>>>,
}

impl Clients {
    /// Clients for the hosts of a run; nothing is read or sent yet.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self {
            addresses: Arc::new(Addresses::new(network.resolve.clone())),
            trust: OnceLock::new(),
            made: Mutex::new(HashMap::new()),
            network,
        }
    }

    /// How hosts are reached.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The lanes to the origin of `url`, for one request or many at once.
    ///
    /// # Errors
    /// When a certificate given in the settings or a proxy's URL cannot be read.
    pub fn lanes(
        &self,
        url: &Url,
        chosen_by: ChosenBy,
        version: Version,
    ) -> anyhow::Result<Arc<Lanes>> {
        let host = url
            .host_str()
            .context("the URL has no host")?
            .to_ascii_lowercase();
        let port = url.port_or_known_default().context("the URL has no port")?;
        let origin = (url.scheme().to_owned(), host, port, chosen_by, version);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = made.get(&origin) {
            return Ok(Arc::clone(lanes));
        }
        let lanes = Arc::new(self.make(&origin)?);
        if made.len() >= MOST_ORIGINS {
            // A server can lead us to another host with every answer. Lanes that are still in use
            // stay with those who use them.
            made.retain(|(_, _, _, chosen_by, _), _| *chosen_by == ChosenBy::User);
        }
        made.insert(origin, Arc::clone(&lanes));
        Ok(lanes)
    }

    fn make(&self, (scheme, host, port, chosen_by, version): &Origin) -> anyhow::Result<Lanes> {
        let bare_host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.addresses.for_port(*port, *chosen_by);
        let proxy = proxy::for_host(&self.network, scheme, bare_host, *port)?;
        // A client without TLS of its own would look for the platform's verifier, which a scratch
        // image does not have.
        let verify = !self.network.skip_tls_verify.contain(bare_host, *port);
        let encrypted = scheme == "https";
        let mut config = if encrypted {
            self.trust()?.config(bare_host, *port, verify)?
        } else {
            trust::no_roots()
        };
        // reqwest leaves the settings it is given alone, and without an offer there is no HTTP/2.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let only_one = *version == Version::One;
        if only_one {
            config.alpn_protocols.remove(0);
        }
        Ok(Lanes::new(encrypted && !only_one, move || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("pullproof/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .dns_resolver(Arc::clone(&addresses))
                .no_proxy();
            let builder = if only_one {
                builder.http1_only()
            } else {
                builder
            };
            let builder = if let Some(proxy) = &proxy {
                builder.proxy(proxy.clone())
            } else {
                builder
            };
            let builder = builder.tls_backend_preconfigured(config.clone());
            builder
                .build()
                .map_err(reqwest::Error::without_url)
                .context("failed to set up HTTP")
        }))
    }

    fn trust(&self) -> anyhow::Result<&Trust> {
        if let Some(trust) = self.trust.get() {
            return Ok(trust);
        }
        let trust = Trust::load(&self.network)?;
        Ok(self.trust.get_or_init(|| trust))
    }
}

/// Whether `host` (without brackets) is loopback.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
