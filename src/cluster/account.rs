//! The service account of a pod: a folder with an authority, a token that is renewed, a namespace.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::HeaderValue;
use url::Url;

use crate::http::network::{Network, Pin};

/// The name that the certificate of every API server has.
const SERVER: &str = "kubernetes.default.svc";

/// The longest file of an account, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// A service account, and where its API server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Where `ca.crt`, `token` and `namespace` are.
    pub directory: PathBuf,
    /// `KUBERNETES_SERVICE_HOST`: where to dial; by DNS where it is no address.
    pub host: Option<String>,
    /// `KUBERNETES_SERVICE_PORT`.
    pub port: Option<u16>,
}

impl Account {
    /// The address of the API server, and how it is reached: it is trusted by the account's
    /// authority alone, and by its own name.
    ///
    /// # Errors
    /// When the authority cannot be read.
    pub(super) fn server(&self, request_timeout: Duration) -> Result<(Url, Network), String> {
        let ca = self.read("ca.crt")?;
        let address = self.host.as_deref().map(|host| {
            let host = host.trim_matches(['[', ']']);
            host.parse::<IpAddr>()
        });
        let pinned = match (address, self.port) {
            (Some(Ok(address)), port) => Some((address, port.unwrap_or(443))),
            _ => None,
        };
        let port = pinned.map_or(443, |(_, port)| port);
        let server = Url::parse(&format!("https://{SERVER}:{port}/")).expect("it is an address");
        let network = Network {
            ca: vec![ca],
            // Instead of the system's authorities.
            ssl_cert_file: Some(self.directory.join("ca.crt")),
            resolve: pinned
                .map(|(address, port)| Pin {
                    host: SERVER.to_owned(),
                    port,
                    addresses: vec![address],
                })
                .into_iter()
                .collect(),
            request_timeout,
            ..Network::default()
        };
        Ok((server, network))
    }

    /// The header with the token, read anew: it is renewed while we run.
    ///
    /// # Errors
    /// When it cannot be read, or is no header.
    pub(super) fn bearer(&self) -> Result<HeaderValue, String> {
        let token = self.read("token")?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| format!("{} is not a token", self.directory.join("token").display()))?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    /// The namespace of the pod.
    pub(super) fn namespace(&self) -> String {
        let is_one = |name: &String| {
            let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
            !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain)
        };
        let read = self.read("namespace").map(|name| name.trim().to_owned());
        read.ok()
            .filter(is_one)
            .unwrap_or_else(|| "default".to_owned())
    }

    fn read(&self, name: &str) -> Result<String, String> {
        let path = self.directory.join(name);
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(&path)?.take(LONGEST).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(host: Option<&str>, port: Option<u16>) -> Account {
        let number = std::process::id();
        let directory = std::env::temp_dir().join(format!("pullproof-account-{number}"));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("ca.crt"), "pem").unwrap();
        Account {
            directory,
            host: host.map(str::to_owned),
            port,
        }
    }

    #[test]
    fn the_server_has_one_name_and_the_environment_only_says_where_to_dial() {
        for (host, port, server, dialled) in [
            (None, None, "https://kubernetes.default.svc/", None),
            (
                Some("10.0.0.1"),
                Some(6443),
                "https://kubernetes.default.svc:6443/",
                Some(("10.0.0.1", 6443)),
            ),
            (
                Some("[fd00::1]"),
                None,
                "https://kubernetes.default.svc/",
                Some(("fd00::1", 443)),
            ),
            (
                Some("api.attacker.example"),
                Some(6443),
                "https://kubernetes.default.svc/",
                None,
            ),
        ] {
            let account = account(host, port);
            let (url, network) = account.server(Duration::from_secs(1)).unwrap();
            assert_eq!(url.as_str(), server);
            let pins = network.resolve.iter();
            let pins: Vec<_> = pins
                .map(|pin| (pin.addresses[0].to_string(), pin.port))
                .collect();
            let dialled = dialled.map(|(address, port)| (address.to_owned(), port));
            assert_eq!(pins, dialled.into_iter().collect::<Vec<_>>());
            assert!(network.ssl_cert_file.is_some() && network.https_proxy.is_none());
        }
    }
}
