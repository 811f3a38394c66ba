//! How hosts are reached: certificates, plain HTTP, pinned addresses, proxies.

use std::collections::BTreeSet;
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

impl Network {
    /// The warning of `skip_tls_verify`, where it is set, as a fragment; `asked` are the hosts that
    /// the settings name.
    #[must_use]
    pub fn unverified(&self, asked: impl IntoIterator<Item = String>) -> Option<String> {
        let whose = match &self.skip_tls_verify {
            Hosts::None => return None,
            Hosts::Only(hosts) => hosts.join(", "),
            Hosts::All => {
                let asked: BTreeSet<String> = asked.into_iter().collect();
                let and_others = asked.into_iter().chain(["any other host".to_owned()]);
                and_others.collect::<Vec<_>>().join(", ")
            }
        };
        Some(format!(
            "skip_tls_verify: certificates are NOT checked (of {whose}), so anybody between here and \
             there can read the login and change what is verified; set ca to trust an authority of \
             your own"
        ))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_about_certificates_names_the_hosts() {
        let warning = |skip_tls_verify| {
            let network = Network {
                skip_tls_verify,
                ..Network::default()
            };
            network.unverified(["b:5000", "a", "b:5000"].map(str::to_owned))
        };
        assert_eq!(warning(Hosts::None), None);
        let all = warning(Hosts::All).unwrap();
        assert!(all.contains("(of a, b:5000, any other host)"), "{all}");
        let some = warning(Hosts::Only(vec!["c".into(), "d:1".into()])).unwrap();
        assert!(some.contains("(of c, d:1)"), "{some}");
    }
}
