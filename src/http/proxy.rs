//! The proxies of the environment, and the hosts that go around them.

use anyhow::Context as _;
use reqwest::{NoProxy, Proxy};

use crate::settings::{Network, Secret};

/// The proxy for requests to `host`, if there is one.
///
/// As curl and Go do it: `http_proxy` for http, `https_proxy` for https, `no_proxy` names exceptions; loopback never goes through a proxy.
///
/// # Errors
/// When the proxy's URL cannot be read.
pub(super) fn for_host(network: &Network, scheme: &str, host: &str) -> anyhow::Result<Option<Proxy>> {
    let (name, address) = match scheme {
        "https" => ("https_proxy", network.https_proxy.as_ref()),
        _ => ("http_proxy", network.http_proxy.as_ref()),
    };
    let Some(address) = address.map(Secret::expose).filter(|address| !address.is_empty()) else {
        return Ok(None);
    };
    if super::is_loopback(host) {
        return Ok(None);
    }
    // The URL may hold a password, so the error does not repeat it.
    let proxy = Proxy::all(address).map_err(reqwest::Error::without_url);
    let proxy = proxy.with_context(|| format!("{name} is not the URL of a proxy"))?;
    Ok(Some(proxy.no_proxy(network.no_proxy.as_deref().and_then(NoProxy::from_string))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_loopback_has_none() {
        let network = Network { http_proxy: Some(Secret::new("http://proxy.example:3128")), ..Network::default() };
        assert!(for_host(&network, "http", "registry.example").unwrap().is_some());
        assert!(for_host(&network, "https", "registry.example").unwrap().is_none());
        for host in ["127.0.0.1", "localhost", "::1", "127.8.8.8"] {
            assert!(for_host(&network, "http", host).unwrap().is_none(), "{host}");
        }
    }

    #[test]
    fn a_bad_proxy_is_named_and_its_password_is_not() {
        let network = Network { https_proxy: Some(Secret::new("http://user:hunter2@[bad")), ..Network::default() };
        let error = format!("{:#}", for_host(&network, "https", "registry.example").unwrap_err());
        assert!(error.contains("https_proxy"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
