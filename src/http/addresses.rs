//! From names to addresses: the user's pins, then DNS, then the check for forbidden addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::ChosenBy;
use crate::http::network::Pin;

/// Why there are no addresses; it reappears in the chain of causes.
type LookupError = Box<dyn std::error::Error + Send + Sync>;

/// The name service of a run.
pub(super) struct Addresses {
    pins: Vec<Pin>,
    dns: OnceCell<TokioResolver>,
}

impl Addresses {
    pub(super) fn new(pins: Vec<Pin>) -> Self {
        Self {
            pins,
            dns: OnceCell::new(),
        }
    }

    /// The resolver for connections to `port`: pins are for one port, as in curl.
    pub(super) fn for_port(self: &Arc<Self>, port: u16, chosen_by: ChosenBy) -> Arc<ForPort> {
        Arc::new(ForPort {
            addresses: Arc::clone(self),
            port,
            chosen_by,
        })
    }

    async fn look_up(&self, name: &str, port: u16) -> Result<Vec<IpAddr>, LookupError> {
        let lower = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(pin) = self
            .pins
            .iter()
            .find(|pin| pin.port == port && pin.host == lower)
        {
            return Ok(pin.addresses.clone());
        }
        if lower == "localhost" || lower.ends_with(".localhost") {
            // https://www.rfc-editor.org/rfc/rfc6761#section-6.3
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let dns = self
            .dns
            .get_or_try_init(|| async {
                TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build)
            })
            .await
            .map_err(|error| format!("the DNS configuration cannot be read: {error}"))?;
        let found = dns.lookup_ip(name).await.map_err(|error| {
            let name = name.to_owned();
            if error.is_nx_domain() || error.is_no_records_found() {
                UnknownHost::NotFound { name }
            } else {
                UnknownHost::Unanswered {
                    name,
                    why: error.to_string(),
                }
            }
        })?;
        Ok(found.iter().collect())
    }
}

/// Looks names up for connections to one port.
pub(super) struct ForPort {
    addresses: Arc<Addresses>,
    port: u16,
    chosen_by: ChosenBy,
}

impl Resolve for ForPort {
    fn resolve(&self, name: Name) -> Resolving {
        let (addresses, port, chosen_by) = (Arc::clone(&self.addresses), self.port, self.chosen_by);
        Box::pin(async move {
            let mut found = addresses.look_up(name.as_str(), port).await?;
            if chosen_by == ChosenBy::Server
                && let Some(bad) = found.iter().copied().find(|address| forbidden(*address))
            {
                return Err(Forbidden {
                    host: name.as_str().to_owned(),
                    address: bad,
                }
                .into());
            }
            // IPv4 first: a container often has an IPv6 address that leads nowhere.
            found.sort_by_key(IpAddr::is_ipv6);
            let addresses: Addrs =
                Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

/// A host name that does not resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnknownHost {
    #[error("there is no host named {name}")]
    NotFound { name: String },
    #[error("the host name {name} cannot be resolved: {why}")]
    Unanswered { name: String, why: String },
}

/// A server named an address that no server may send us to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, a link-local or metadata address, which no server may send us to")]
pub(super) struct Forbidden {
    host: String,
    address: IpAddr,
}

/// Whether `address` is link-local, unspecified, multicast, or a cloud's metadata service.
#[must_use]
pub fn forbidden(address: IpAddr) -> bool {
    /// The metadata services outside the link-local ranges: AWS over IPv6, Alibaba Cloud, Azure's
    /// host agent.
    const METADATA: [IpAddr; 3] = [
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    ];
    let address = match address {
        IpAddr::V6(six) => embedded_v4(six).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    METADATA.contains(&address)
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(four) => four.is_link_local() || four.is_broadcast(),
            IpAddr::V6(six) => six.is_unicast_link_local(),
        }
}

/// The IPv4 address inside a mapped, compatible, NAT64 or 6to4 address.
fn embedded_v4(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = six.segments();
    let v4 = |high: usize| {
        let bytes = (u32::from(segments[high]) << 16) | u32::from(segments[high + 1]);
        Some(Ipv4Addr::from_bits(bytes))
    };
    match segments {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(6),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => v4(6),
        [0x2002, ..] => v4(1),
        _ => None,
    }
}

/// Whether the host of `url` is written as an address that is [`forbidden`]; such a host never
/// reaches a resolver.
#[must_use]
pub fn forbidden_literal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(four)) => forbidden(four.into()),
        Some(Host::Ipv6(six)) => forbidden(six.into()),
        Some(Host::Domain(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_forbidden_in_every_spelling() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(forbidden(address.parse().unwrap()), "{address} was allowed");
        }
        for address in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "192.168.1.1",
            "8.8.8.8",
            "2001:4860:4860::8888",
            "64:ff9b::808:808",
        ] {
            assert!(
                !forbidden(address.parse().unwrap()),
                "{address} was refused"
            );
        }
    }

    #[test]
    fn a_forbidden_address_written_into_a_url_is_seen() {
        for url in [
            "https://169.254.169.254/token",
            "https://[fe80::1]/",
            "https://0xa9fea9fe/",
            "https://2852039166/",
        ] {
            assert!(
                forbidden_literal(&url.parse().unwrap()),
                "{url} was allowed"
            );
        }
        assert!(!forbidden_literal(
            &"https://auth.example/token".parse().unwrap()
        ));
        assert!(!forbidden_literal(
            &"https://10.1.2.3/token".parse().unwrap()
        ));
    }

    #[tokio::test]
    async fn a_pin_holds_for_one_port_and_is_guarded() {
        let pin = Pin {
            host: "auth.example".into(),
            port: 443,
            addresses: vec!["169.254.169.254".parse().unwrap()],
        };
        let addresses = Arc::new(Addresses::new(vec![pin]));
        let found = addresses.look_up("AUTH.example", 443).await.unwrap();
        assert_eq!(found, ["169.254.169.254".parse::<IpAddr>().unwrap()]);
        let name = || "auth.example".parse::<Name>().unwrap();
        assert!(
            addresses
                .for_port(443, ChosenBy::User)
                .resolve(name())
                .await
                .is_ok()
        );
        let refused = addresses
            .for_port(443, ChosenBy::Server)
            .resolve(name())
            .await
            .err()
            .unwrap();
        assert!(refused.to_string().contains("169.254.169.254"), "{refused}");
    }
}
