//! How hosts are reached, and how long we wait for them.

use std::time::Duration;

use super::ci::Facts;
use super::files::Disk;
use super::raw::{Typed, Value};
use super::{Error, parse};
use crate::http::network::{Hosts, Network};
use crate::http::patience::Patience;
use crate::text::secret::Secret;

/// What a duration is, for error messages.
const DURATION: &str = "a duration (30 for seconds, 500ms, 30s, 5m, 1h30m; a year at most)";

/// A duration, if it was given.
pub(super) fn duration(value: Option<Value<'_>>, default: Duration) -> Result<Duration, Error> {
    value.map_or(Ok(default), |value| value.read(DURATION, parse::duration))
}

/// A duration that is at least `least`.
pub(super) fn duration_from(
    value: Option<Value<'_>>,
    least: Duration,
    default: Duration,
) -> Result<Duration, Error> {
    let Some(value) = value else {
        return Ok(default);
    };
    let time = value.read(DURATION, parse::duration)?;
    if time < least {
        return Err(value.error(format!(
            "{} is too short: at least {least:?}",
            crate::text::quote::quoted(value.text)
        )));
    }
    Ok(time)
}

/// A whole number within a range.
pub(super) fn number(
    value: Option<Value<'_>>,
    least: u32,
    most: u32,
    default: u32,
) -> Result<u32, Error> {
    let Some(value) = value else {
        return Ok(default);
    };
    value.read(&format!("a whole number from {least} to {most}"), |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|number| digits && (least..=most).contains(number))
    })
}

/// Reads how hosts are reached.
///
/// # Errors
///
/// When a value is not what its setting takes, or the file with certificates cannot be read.
pub(super) fn network(typed: &Typed, facts: &Facts<'_>, disk: &Disk<'_>) -> Result<Network, Error> {
    let hosts = |value: Option<Value<'_>>| -> Result<Hosts, Error> {
        let expected = "true, false, or a list of hosts as host or host:port";
        value.map_or(Ok(Hosts::None), |value| value.read(expected, parse::hosts))
    };
    let resolve = match typed.resolve() {
        None => Vec::new(),
        Some(value) => parse::pins(value.text).map_err(|entry| {
            value.error(format!(
                "{} is not host:port:address[,address], with numeric addresses",
                crate::text::quote::quoted(&entry)
            ))
        })?,
    };
    Ok(Network {
        ca: typed
            .ca()
            .map(|value| certificates(&value, disk))
            .transpose()?
            .into_iter()
            .collect(),
        skip_tls_verify: hosts(typed.skip_tls_verify())?,
        insecure: hosts(typed.insecure())?,
        resolve,
        request_timeout: duration_from(
            typed.request_timeout(),
            Duration::from_millis(1),
            Duration::from_secs(30),
        )?,
        http_proxy: facts.first(&["http_proxy", "HTTP_PROXY"]).map(Secret::new),
        https_proxy: facts
            .first(&["https_proxy", "HTTPS_PROXY"])
            .map(Secret::new),
        no_proxy: facts.first(&["no_proxy", "NO_PROXY"]).map(str::to_owned),
        ssl_cert_file: facts.path("SSL_CERT_FILE"),
        ssl_cert_dir: facts.path("SSL_CERT_DIR"),
    })
}

/// The PEM text that the setting holds or names.
fn certificates(value: &Value<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let inline = value.text.contains("-----BEGIN ");
    // A PEM text on one line has its line breaks written as `\n`.
    let text = if inline {
        value.text.replace("\\n", "\n")
    } else {
        disk.named(value)?
    };
    if text.contains(BEGIN) {
        Ok(text)
    } else if inline {
        Err(value.error("the text has no certificate in it (-----BEGIN CERTIFICATE-----)"))
    } else {
        Err(value.error(format!(
            "the file {} has no certificate in it (-----BEGIN CERTIFICATE-----)",
            crate::text::quote::quoted(value.text)
        )))
    }
}

/// Reads how long and how often to ask.
///
/// # Errors
///
/// When a value is not what its setting takes, or the longest wait is shorter than the first.
pub(super) fn patience(typed: &Typed) -> Result<Patience, Error> {
    let default = Patience::default();
    let backoff = duration(typed.backoff(), default.backoff)?;
    let max_backoff = duration(typed.max_backoff(), default.max_backoff.max(backoff))?;
    if let Some(value) = typed.max_backoff().filter(|_| max_backoff < backoff) {
        // One that is shorter than the default first wait shortens that, too.
        if typed.backoff().is_some() {
            return Err(value.error(format!(
                "{} is shorter than backoff",
                crate::text::quote::quoted(value.text)
            )));
        }
    }
    Ok(Patience {
        attempts: number(typed.attempts(), 1, 100, default.attempts)?,
        backoff: backoff.min(max_backoff),
        max_backoff,
        settle: duration(typed.settle(), default.settle)?,
        timeout: duration_from(typed.timeout(), Duration::from_millis(1), default.timeout)?,
        concurrency: number(typed.concurrency(), 1, 256, 16)? as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::*;

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
    fn what_is_no_certificate_is_refused() {
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
            r#"ca_file: the file "key.pem" has no certificate in it (-----BEGIN CERTIFICATE-----)"#
        );
        assert_eq!(
            error("-----BEGIN PRIVATE KEY-----\nhunter2"),
            "ca_file: the text has no certificate in it (-----BEGIN CERTIFICATE-----)"
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
                r#"--settle: "-1" is not a duration (30 for seconds, 500ms, 30s, 5m, 1h30m; a year at most)"#,
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
