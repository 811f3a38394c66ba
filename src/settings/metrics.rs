//! Where an audit's metrics go, and how often it is repeated.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::Error;
use super::raw::Typed;
use crate::http::is_loopback;
use crate::http::network::Hosts;
use crate::http::pushgateway::Gateway;
use crate::text::secret::Secret;

/// Where an audit's metrics go, and how often it is repeated.
#[derive(Clone, Debug, Default)]
pub struct MetricsSettings {
    /// `metrics_file`.
    pub file: Option<PathBuf>,
    /// `pushgateway` and its like.
    pub gateway: Option<Gateway>,
    /// `interval`: from the start of a run to the start of the next one.
    pub interval: Option<Duration>,
    /// `listen`: where `/metrics` is served; the first address that the system gives.
    pub listen: Vec<SocketAddr>,
}

impl MetricsSettings {
    /// The host that metrics are pushed to.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let url = &self.gateway.as_ref()?.url;
        let host = url.host_str()?;
        let port = url.port().map(|port| format!(":{port}"));
        Some(format!("{host}{}", port.unwrap_or_default()))
    }
}

/// Reads where an audit's metrics go; `insecure` are the hosts that may be sent a login over plain
/// HTTP.
///
/// # Errors
///
/// When a value is not what its setting takes, or one needs another.
pub(super) fn metrics(typed: &Typed, insecure: &Hosts) -> Result<MetricsSettings, Error> {
    let interval = typed.interval();
    let listen = typed.listen();
    if let (Some(value), None) = (&listen, &interval) {
        return Err(value
            .error("without interval the run ends, and its page with it")
            .with_hint("set interval, too, such as 15m; metrics_file and pushgateway need none"));
    }
    Ok(MetricsSettings {
        file: typed.metrics_file().map(|value| value.path()),
        gateway: gateway(typed, insecure)?,
        interval: interval.map(|value| value.duration()).transpose()?,
        listen: listen
            .map(|value| {
                value.read(addresses).map_err(|_| {
                    value.not("an address to listen at, such as 127.0.0.1:9464 or :9464")
                })
            })
            .transpose()?
            .unwrap_or_default(),
    })
}

fn gateway(typed: &Typed, insecure: &Hosts) -> Result<Option<Gateway>, Error> {
    let (username, password) = (typed.pushgateway_username(), typed.pushgateway_password());
    let login = match (&username, &password) {
        (Some(username), Some(password)) => {
            Some((username.text.to_owned(), Secret::new(password.text)))
        }
        (None, None) => None,
        (Some(given), None) => return Err(given.error("there is no password for this user")),
        (None, Some(given)) => return Err(given.error("there is no pushgateway_username for it")),
    };
    if let Some(given) = username.filter(|given| given.text.contains(':')) {
        return Err(given.error("a user cannot have a colon"));
    }
    let Some(value) = typed.pushgateway() else {
        return match username {
            Some(given) => Err(given.error("there is no pushgateway that it is for")),
            None => Ok(None),
        };
    };
    let url = value.url("pushgateway_username and pushgateway_password")?;
    if login.is_some() && is_plain(&url, insecure) {
        return Err(value
            .error(format!("the login would be sent over plain HTTP to {url}"))
            .with_hint("use https, or name the host in the setting insecure"));
    }
    Ok(Some(Gateway {
        url,
        job: typed.pushgateway_job().text.to_owned(),
        login,
    }))
}

/// Whether others may read along.
pub(super) fn is_plain(url: &Url, insecure: &Hosts) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or_default();
    url.scheme() == "http" && !is_loopback(bare) && !insecure.contain(bare, port)
}

/// Reads `address:port`, `localhost:port`, or `:port` for every address of the machine.
fn addresses(text: &str) -> Option<Vec<SocketAddr>> {
    if let Ok(address) = text.parse() {
        return Some(vec![address]);
    }
    let (host, port) = text.rsplit_once(':')?;
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|_| is_number)?;
    match host {
        // The first takes IPv4, too, but is not there on a machine without IPv6.
        "" => Some(vec![
            (Ipv6Addr::UNSPECIFIED, port).into(),
            (Ipv4Addr::UNSPECIFIED, port).into(),
        ]),
        "localhost" => Some(vec![(Ipv4Addr::LOCALHOST, port).into()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given, typed};

    fn audit(flags: &[&str]) -> Surroundings {
        typed(&[&["audit", "r.example"], flags].concat())
    }

    #[test]
    fn metrics_go_where_the_settings_say() {
        let nothing = audit(&[]).audit().metrics;
        assert!(nothing.file.is_none() && nothing.gateway.is_none());
        assert!(nothing.interval.is_none() && nothing.listen.is_empty());
        let mode = [
            ("PLUGIN_MODE", "audit"),
            ("PLUGIN_REGISTRY", "r.example"),
            ("PLUGIN_METRICS_FILE", "audit.prom"),
            ("PLUGIN_PUSHGATEWAY", "https://push.example/x"),
            ("PLUGIN_PUSHGATEWAY_USERNAME", "me"),
            ("PLUGIN_PUSHGATEWAY_PASSWORD_FILE", "/run/secrets/one"),
        ];
        let settings = given(&mode)
            .and_file("/run/secrets/one", "hunter2\n")
            .audit();
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert_eq!(settings.metrics.host().as_deref(), Some("push.example"));
        let gateway = settings.metrics.gateway.unwrap();
        assert_eq!(gateway.job, "pullproof");
        let (username, password) = gateway.login.unwrap();
        assert_eq!((&*username, password.expose()), ("me", "hunter2"));
    }

    #[test]
    fn a_page_is_served_at_an_address_with_a_port() {
        let at = |text: &str| {
            let flags = ["--interval=15m", &format!("--listen={text}")];
            audit(&flags).audit().metrics.listen
        };
        for (text, expected) in [
            ("127.0.0.1:9464", &["127.0.0.1:9464"][..]),
            ("[::1]:0", &["[::1]:0"]),
            ("localhost:9464", &["127.0.0.1:9464"]),
            (":9464", &["[::]:9464", "0.0.0.0:9464"]),
        ] {
            let found: Vec<String> = at(text).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{text}");
        }
        for text in [
            "9464",
            "r.example:9464",
            ":",
            ":x",
            ":+1",
            ":65536",
            "http://:1",
        ] {
            let flags = ["--interval=15m", &format!("--listen={text}")];
            let error = audit(&flags).error();
            assert!(error.contains("is not an address to listen at"), "{error}");
        }
    }

    #[test]
    fn settings_that_need_another_say_so() {
        let push = "--pushgateway=https://push.example";
        for (flags, message) in [
            (
                &["--listen=:9464"][..],
                "--listen: without interval the run ends, and its page with it",
            ),
            (
                &["--interval=0"],
                "--interval: \"0\" is too short: at least 1s",
            ),
            (
                &["--pushgateway-username=me"],
                "--pushgateway-username: there is no password for this user",
            ),
            (
                &[push, "--pushgateway-password=hunter2"],
                "--pushgateway-password: there is no pushgateway_username for it",
            ),
            (
                &["--pushgateway-username=me", "--pushgateway-password=x"],
                "--pushgateway-username: there is no pushgateway that it is for",
            ),
            (
                &[
                    push,
                    "--pushgateway-username=a:b",
                    "--pushgateway-password=x",
                ],
                "--pushgateway-username: a user cannot have a colon",
            ),
            (
                &["--pushgateway=push:9091"],
                "--pushgateway: the value is not a URL such as https://ci.example.org",
            ),
            (
                &["--pushgateway=https://me:hunter2@push.example"],
                "--pushgateway: the URL must not hold a user or password; use \
                 pushgateway_username and pushgateway_password",
            ),
            (
                &["--metrics-file=a", "--report=a"],
                "--metrics-file: it cannot be the same file as a report",
            ),
        ] {
            assert_eq!(audit(flags).error(), message);
        }
    }

    #[test]
    fn a_login_is_not_sent_over_plain_http() {
        let login = ["--pushgateway-username=me", "--pushgateway-password=x"];
        let of = |url: &str, more: &[&str]| {
            let url = format!("--pushgateway={url}");
            audit(&[&[&*url][..], more].concat())
        };
        assert!(
            of("http://push:9091", &[])
                .audit()
                .metrics
                .gateway
                .is_some()
        );
        assert_eq!(
            of("http://push:9091", &login).error(),
            "--pushgateway: the login would be sent over plain HTTP to http://push:9091/"
        );
        let allowed = [&login[..], &["--insecure=push:9091"]].concat();
        for (url, more) in [
            ("http://push:9091", &allowed[..]),
            ("http://localhost:9091", &login),
            ("https://push", &login),
        ] {
            assert!(of(url, more).audit().metrics.gateway.is_some(), "{url}");
        }
    }
}
