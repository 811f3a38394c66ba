//! Hosts, and addresses to connect to instead.

use std::net::{IpAddr, Ipv6Addr};

use super::{boolean, list};
use crate::http::network::{Hosts, Pin};

/// A boolean, or a list of `host` or `host:port`.
pub(crate) fn hosts(text: &str) -> Option<Hosts> {
    match boolean(text) {
        Some(true) => return Some(Hosts::All),
        Some(false) => return Some(Hosts::None),
        None => {}
    }
    let hosts: Vec<String> = list(text)?
        .iter()
        .map(|host| host.to_ascii_lowercase())
        .collect();
    match hosts.as_slice() {
        [] => Some(Hosts::None),
        _ if hosts.iter().all(|host| is_host(host)) => Some(Hosts::Only(hosts)),
        _ => None,
    }
}

/// `host`, `host:port`, `[address]`, `[address]:port` or an address.
fn is_host(text: &str) -> bool {
    if address(text).is_some() {
        return true;
    }
    let (host, number) = match text.rsplit_once(':') {
        Some((host, number)) => (host, Some(number)),
        None => (text, None),
    };
    is_name(host) && boolean(host).is_none() && number.is_none_or(|number| port(number).is_some())
}

/// A port, in digits alone: parsing a number would accept a sign.
fn port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn is_name(host: &str) -> bool {
    let is_address =
        host.starts_with('[') && address(host).is_some_and(|address| address.is_ipv6());
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    is_address || (!host.is_empty() && host.bytes().all(letters))
}

/// Pins as curl's `--resolve` writes them: `[+]host:port:address[,address]…`; `Err` is the first
/// entry that is not one.
pub(crate) fn pins(text: &str) -> Result<Vec<Pin>, String> {
    let mut pins: Vec<Pin> = Vec::new();
    for item in list(text).ok_or_else(|| text.to_owned())? {
        // The commas between addresses have separated them from their pin.
        match (address(&item), pins.last_mut()) {
            (Some(address), Some(pin)) => pin.addresses.push(address),
            _ => pins.push(pin(&item).ok_or(item)?),
        }
    }
    Ok(pins)
}

fn pin(text: &str) -> Option<Pin> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())?,
        None => text.split_once(':')?,
    };
    let (number, addresses) = rest.split_once(':')?;
    let port = port(number).filter(|port| *port != 0)?;
    let addresses: Vec<IpAddr> = addresses.split(',').map(address).collect::<Option<_>>()?;
    (is_name(host) || address(host).is_some()).then(|| Pin {
        host: host.to_ascii_lowercase(),
        port,
        addresses,
    })
}

/// An address, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_all_none_or_some() {
        assert_eq!(hosts("yes"), Some(Hosts::All));
        assert_eq!(hosts("off"), Some(Hosts::None));
        assert_eq!(hosts("[]"), Some(Hosts::None));
        assert_eq!(
            hosts("Registry:5000, [::1]:80"),
            Some(Hosts::Only(vec!["registry:5000".into(), "[::1]:80".into()]))
        );
        for text in [
            "https://registry",
            "host/path",
            "true,host",
            "a b",
            "*.example.org",
            r#"["a""#,
            "host:",
            "host:x",
            "host:+1",
            ":1",
            "[::1",
            "[a]:1",
        ] {
            assert_eq!(hosts(text), None, "{text:?}");
        }
    }

    #[test]
    fn pins_are_written_as_curl_writes_them() {
        let pin = |host: &str, port, addresses: &[&str]| Pin {
            host: host.into(),
            port,
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        };
        assert_eq!(
            pins("Registry.test:443:127.0.0.1").unwrap(),
            [pin("registry.test", 443, &["127.0.0.1"])]
        );
        assert_eq!(pins("+a:80:[::1]").unwrap(), [pin("a", 80, &["::1"])]);
        assert_eq!(pins("a:80:::1").unwrap(), [pin("a", 80, &["::1"])]);
        assert_eq!(
            pins("a:80:127.0.0.1,[::1],b:81:10.0.0.1, 10.0.0.2").unwrap(),
            [
                pin("a", 80, &["127.0.0.1", "::1"]),
                pin("b", 81, &["10.0.0.1", "10.0.0.2"])
            ]
        );
        assert_eq!(
            pins(r#"["a:80:127.0.0.1,10.0.0.1"]"#).unwrap(),
            [pin("a", 80, &["127.0.0.1", "10.0.0.1"])]
        );
        assert_eq!(
            pins("[::1]:443:127.0.0.1").unwrap(),
            [pin("::1", 443, &["127.0.0.1"])]
        );
    }

    #[test]
    fn what_is_not_a_pin_is_named() {
        for text in [
            "a",
            "a:80",
            "a:80:",
            "a:80:b",
            ":80:1.1.1.1",
            "a:0:1.1.1.1",
            "a:+1:1.1.1.1",
            "a:99999:1.1.1.1",
            "*:80:1.1.1.1",
            "-a:80",
            "1.1.1.1",
            "a:80:[::1",
        ] {
            assert_eq!(pins(text), Err(text.to_owned()));
        }
        assert_eq!(pins("a:80:1.1.1.1,b"), Err("b".to_owned()));
    }
}
