//! The proxies of the environment, and the hosts that go around them.

use anyhow::Context as _;
use reqwest::{NoProxy, Proxy};

use crate::http::network::Network;
use crate::text::secret::Secret;

/// The proxy for requests to `host` at `port`, if there is one.
///
/// As curl and Go do it: `http_proxy` for http, `https_proxy` for https, `no_proxy` names
/// exceptions; loopback never goes through a proxy.
///
/// # Errors
/// When the proxy's URL cannot be read.
pub(super) fn for_host(
    network: &Network,
    scheme: &str,
    host: &str,
    port: u16,
) -> anyhow::Result<Option<Proxy>> {
    let (name, address) = match scheme {
        "https" => ("https_proxy", network.https_proxy.as_ref()),
        _ => ("http_proxy", network.http_proxy.as_ref()),
    };
    let Some(address) = address
        .map(Secret::expose)
        .filter(|address| !address.is_empty())
    else {
        return Ok(None);
    };
    if super::is_loopback(host) {
        return Ok(None);
    }
    // The URL may hold a password, so the error does not repeat it.
    let proxy = Proxy::all(address).map_err(reqwest::Error::without_url);
    let proxy = proxy.with_context(|| format!("{name} is not the URL of a proxy"))?;
    let exceptions = network
        .no_proxy
        .as_deref()
        .map(|list| exceptions_at(list, port));
    Ok(Some(proxy.no_proxy(
        exceptions.and_then(|list| NoProxy::from_string(&list)),
    )))
}

/// The entries of `no_proxy` that hold for a port, without their ports: `host:port` is an exception
/// for that port alone.
fn exceptions_at(list: &str, port: u16) -> String {
    let at_port = |entry: &str| match entry.rsplit_once(':') {
        // More colons are an IPv6 address.
        Some((host, only)) if !host.contains(':') || host.ends_with(']') => {
            (only.parse() == Ok(port)).then(|| host.trim_matches(['[', ']']).to_owned())
        }
        _ => Some(entry.to_owned()),
    };
    list.split(',')
        .map(str::trim)
        .filter_map(at_port)
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_loopback_has_none() {
        let network = Network {
            http_proxy: Some(Secret::new("http://proxy.example:3128")),
            ..Network::default()
        };
        assert!(
            for_host(&network, "http", "registry.example", 80)
                .unwrap()
                .is_some()
        );
        assert!(
            for_host(&network, "https", "registry.example", 443)
                .unwrap()
                .is_none()
        );
        for host in ["127.0.0.1", "localhost", "::1", "127.8.8.8"] {
            assert!(
                for_host(&network, "http", host, 80).unwrap().is_none(),
                "{host}"
            );
        }
    }

    #[test]
    fn a_bad_proxy_is_named_without_its_password() {
        let network = Network {
            https_proxy: Some(Secret::new("http://user:hunter2@[bad")),
            ..Network::default()
        };
        let error = format!(
            "{:#}",
            for_host(&network, "https", "registry.example", 443).unwrap_err()
        );
        assert!(error.contains("https_proxy"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_exception_with_a_port_holds_for_that_port_alone() {
        let list = "a.example, b.example:443,.c.example:5000,10.0.0.0/8,fd00::1,[fd00::2]:443,\
                    [fd00::3]:80,*";
        assert_eq!(
            exceptions_at(list, 443),
            "a.example,b.example,10.0.0.0/8,fd00::1,fd00::2,*"
        );
        assert_eq!(
            exceptions_at("b.example:nonsense, c.example:5000", 5000),
            "c.example"
        );
    }
}
