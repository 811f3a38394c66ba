//! How hosts are reached, and how long we wait for them.

use std::time::Duration;

use super::Error;
use super::ci::Facts;
use super::command::CommandName;
use super::files::Disk;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::http::network::Network;
use crate::http::patience::Patience;
use crate::text::quote::quoted;
use crate::text::secret::Secret;

/// Reads how hosts are reached.
///
/// # Errors
///
/// When a value is not what its setting takes, or the file with certificates cannot be read.
pub(super) fn network(typed: &Typed, facts: &Facts<'_>, disk: &Disk<'_>) -> Result<Network, Error> {
    let proxy = |names: &[&str]| facts.first(names).map(Secret::new);
    Ok(Network {
        ca: typed
            .ca()
            .map(|value| certificates(&value, disk))
            .transpose()?
            .into_iter()
            .collect(),
        skip_tls_verify: typed.skip_tls_verify().hosts()?,
        insecure: typed.insecure().hosts()?,
        resolve: or_empty(typed.resolve(), SettingText::pins)?,
        request_timeout: typed.request_timeout().duration()?,
        http_proxy: proxy(&["http_proxy", "HTTP_PROXY"]),
        https_proxy: proxy(&["https_proxy", "HTTPS_PROXY"]),
        no_proxy: facts.first(&["no_proxy", "NO_PROXY"]).map(str::to_owned),
        ssl_cert_file: facts.path("SSL_CERT_FILE"),
        ssl_cert_dir: facts.path("SSL_CERT_DIR"),
    })
}

/// The PEM text that the setting holds or names.
fn certificates(value: &SettingText<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let inline = value.text.contains("-----BEGIN ");
    // A PEM text on one line has its line breaks written as `\n`.
    let text = if inline {
        value.text.replace("\\n", "\n")
    } else {
        disk.named(value)?
    };
    if text.contains(BEGIN) {
        return Ok(text);
    }
    let holder = if inline {
        "the text".to_owned()
    } else {
        format!("the file {}", quoted(value.text))
    };
    Err(value.error(format!("{holder} contains no certificate ({BEGIN})")))
}

/// Reads how long and how often to ask.
///
/// # Errors
///
/// When a value is not what its setting takes, or the longest wait is shorter than the first.
pub(super) fn patience(typed: &Typed, command: CommandName) -> Result<Patience, Error> {
    let (first, longest) = (typed.backoff(), typed.max_backoff());
    let (backoff, max_backoff) = (first.duration()?, longest.duration()?);
    if first.is_given && longest.is_given && max_backoff < backoff {
        return Err(longest.error(format!("{} is shorter than backoff", quoted(longest.text))));
    }
    // An audit has defaults of its own.
    let is_unsaid = |value: &SettingText<'_>| command == CommandName::Audit && !value.is_given;
    // A wait that was given bounds the other one's default.
    let max_backoff = if longest.is_given {
        max_backoff
    } else {
        max_backoff.max(backoff)
    };
    Ok(Patience {
        attempts: typed.attempts().number()?,
        backoff: backoff.min(max_backoff),
        max_backoff,
        settle: match typed.settle() {
            value if is_unsaid(&value) => Duration::ZERO,
            value => value.duration()?,
        },
        timeout: match typed.timeout() {
            value if is_unsaid(&value) => Patience::NO_TIMEOUT,
            value => value.duration()?,
        },
        concurrency: match typed.concurrency() {
            value if is_unsaid(&value) => 4,
            value => value.number()? as usize,
        },
        rate: typed.rate().map(|value| value.number()).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::*;
    use crate::http::network::Hosts;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

    #[test]
    fn certificates_are_a_file_or_the_text_itself() {
        let ca = |text: &str| {
            given(&[("PLUGIN_CA", text)])
                .and_file("/workspace/ca.pem", PEM)
                .settings()
                .network
                .ca
        };
        assert_eq!(ca("ca.pem"), [PEM]);
        assert_eq!(ca("/workspace/ca.pem"), [PEM]);
        assert_eq!(ca(PEM), [PEM.trim()]);
        assert_eq!(ca(&PEM.replace('\n', "\\n")), [PEM]);
        assert!(typed(&[]).settings().network.ca.is_empty());
    }

    #[test]
    fn a_text_without_a_certificate_is_refused() {
        let error = |text: &str| {
            given(&[("CI", "woodpecker"), ("PLUGIN_CA_FILE", text)])
                .and_file("/workspace/key.pem", "-----BEGIN PRIVATE KEY-----")
                .error()
        };
        assert_eq!(
            error("none.pem"),
            r#"ca_file: cannot read "/workspace/none.pem": entity not found"#
        );
        assert_eq!(
            error("key.pem"),
            r#"ca_file: the file "key.pem" contains no certificate (-----BEGIN CERTIFICATE-----)"#
        );
        assert_eq!(
            error("-----BEGIN PRIVATE KEY-----\nhunter2"),
            "ca_file: the text contains no certificate (-----BEGIN CERTIFICATE-----)"
        );
    }

    #[test]
    fn hosts_and_pins_are_read() {
        let network = typed(&[
            "--insecure=localhost:5000",
            "--skip-verify",
            "--connect-to",
            "a:443:127.0.0.1",
        ])
        .settings()
        .network;
        assert_eq!(network.insecure, Hosts::Only(vec!["localhost:5000".into()]));
        assert_eq!(network.skip_tls_verify, Hosts::All);
        assert_eq!(network.resolve.len(), 1);
        assert_eq!(
            typed(&["--resolve", "a:443:127.0.0.1,b"]).error(),
            r#"--resolve: "b" is not host:port:address[,address], with numeric addresses"#
        );
        assert_eq!(
            typed(&["--insecure=https://a"]).error(),
            r#"--insecure: "https://a" is not true, false, or a list of hosts as host or host:port"#
        );
    }

    #[test]
    fn proxies_and_roots_come_from_the_usual_variables() {
        let network = given(&[
            ("HTTP_PROXY", "http://upper"),
            ("http_proxy", "http://lower"),
            ("HTTPS_PROXY", "http://secure"),
            ("no_proxy", "localhost"),
            ("SSL_CERT_FILE", "/a"),
            ("SSL_CERT_DIR", ""),
        ])
        .settings()
        .network;
        assert_eq!(network.http_proxy, Some(Secret::new("http://lower")));
        assert_eq!(network.https_proxy, Some(Secret::new("http://secure")));
        assert_eq!(network.no_proxy.as_deref(), Some("localhost"));
        assert_eq!(
            (network.ssl_cert_file, network.ssl_cert_dir),
            (Some("/a".into()), None)
        );
    }

    #[test]
    fn patience_has_ranges() {
        for (flag, message) in [
            (
                "--attempts=0",
                r#"--attempts: "0" is not a whole number from 1 to 100"#,
            ),
            (
                "--attempts=+5",
                r#"--attempts: "+5" is not a whole number from 1 to 100"#,
            ),
            (
                "--attempts=101",
                r#"--attempts: "101" is not a whole number from 1 to 100"#,
            ),
            (
                "--retries=many",
                r#"--retries: "many" is not a whole number from 1 to 100"#,
            ),
            (
                "--concurrency=0",
                r#"--concurrency: "0" is not a whole number from 1 to 256"#,
            ),
            (
                "--concurrency=257",
                r#"--concurrency: "257" is not a whole number from 1 to 256"#,
            ),
            (
                "--timeout=0",
                r#"--timeout: "0" is too short: at least 1ms"#,
            ),
            (
                "--request-timeout=0s",
                r#"--request-timeout: "0s" is too short: at least 1ms"#,
            ),
            (
                "--settle=-1",
                r#"--settle: "-1" is not a duration (30 for seconds, 500ms, 30s, 5m, 1h30m, 14d; a year at most)"#,
            ),
        ] {
            assert_eq!(typed(&[flag]).error(), message);
        }
        let patience = typed(&[
            "--attempts=1",
            "--concurrency=256",
            "--settle=0",
            "--timeout=1h",
            "--request-timeout=1",
        ])
        .settings();
        assert_eq!(
            (patience.patience.attempts, patience.patience.concurrency),
            (1, 256)
        );
        assert_eq!(
            (patience.patience.settle, patience.patience.timeout),
            (Duration::ZERO, Duration::from_secs(3600))
        );
        assert_eq!(patience.network.request_timeout, Duration::from_secs(1));
    }

    #[test]
    fn the_longest_wait_is_never_shorter_than_the_first() {
        let waits = |flags: &[&str]| {
            let patience = typed(flags).settings().patience;
            (
                patience.backoff.as_millis(),
                patience.max_backoff.as_millis(),
            )
        };
        assert_eq!(waits(&["--backoff=1m"]), (60_000, 60_000));
        assert_eq!(waits(&["--max-backoff=100ms"]), (100, 100));
        assert_eq!(waits(&["--backoff=1s", "--max-backoff=2s"]), (1_000, 2_000));
        assert_eq!(
            typed(&["--backoff=2s", "--retry-max-wait=1s"]).error(),
            r#"--retry-max-wait: "1s" is shorter than backoff"#
        );
    }
}
