//! How hosts are reached: certificates, plain HTTP, pinned addresses, proxies.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::text::secret::Secret;

/// How hosts are reached.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// `ca`: more root certificates, as PEM text.
    pub ca: Vec<String>,
    /// `skip_tls_verify`.
    pub skip_tls_verify: Hosts,
    /// `insecure`: plain HTTP; loopback is always allowed.
    pub insecure: Hosts,
    /// `resolve`.
    pub resolve: Vec<Pin>,
    /// `request_timeout`: until headers, and between two pieces of a body.
    pub request_timeout: Duration,
    /// `http_proxy`, `HTTP_PROXY`; it may hold a user and a password.
    pub http_proxy: Option<Secret>,
    /// `https_proxy`, `HTTPS_PROXY`; it may hold a user and a password.
    pub https_proxy: Option<Secret>,
    /// `no_proxy`, `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// `SSL_CERT_FILE`: instead of the system's roots.
    pub ssl_cert_file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: instead of the system's roots.
    pub ssl_cert_dir: Option<PathBuf>,
}

/// A boolean for all hosts or for some: `skip_tls_verify`, `insecure`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hosts {
    /// `false`.
    #[default]
    None,
    /// `true`.
    All,
    /// These, as `host` or `host:port`, in lower case.
    Only(Vec<String>),
}

impl Hosts {
    /// Whether `host` (without brackets for IPv6) at `port` is meant.
    #[must_use]
    pub fn contain(&self, host: &str, port: u16) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Only(hosts) => hosts.iter().any(|entry| {
                entry.eq_ignore_ascii_case(host)
                    || entry.eq_ignore_ascii_case(&format!("{host}:{port}"))
                    || entry.eq_ignore_ascii_case(&format!("[{host}]"))
                    || entry.eq_ignore_ascii_case(&format!("[{host}]:{port}"))
            }),
        }
    }
}

/// `resolve`: dial `address` for `host:port`, keep the name for TLS and `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where to dial instead.
    pub addresses: Vec<IpAddr>,
}
