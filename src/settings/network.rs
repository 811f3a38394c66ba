//! How hosts are reached, and how long we wait for them.

use std::time::Duration;

use super::ci::Facts;
use super::files::Disk;
use super::raw::{Typed, Value};
use super::{Error, Hosts, Network, Patience, parse};

/// What a duration is, for error messages.
const DURATION: &str = "a duration (30 for seconds, 500ms, 30s, 5m, 1h30m; a year at most)";

/// A duration, if it was given.
pub(super) fn duration(value: Option<Value<'_>>, default: Duration) -> Result<Duration, Error> {
    value.map_or(Ok(default), |value| value.read(DURATION, parse::duration))
}

/// A duration that is at least `least`.
pub(super) fn duration_from(value: Option<Value<'_>>, least: Duration, default: Duration) -> Result<Duration, Error> {
    let Some(value) = value else { return Ok(default) };
    let time = value.read(DURATION, parse::duration)?;
    if time < least {
        return Err(value.error(format!("{} is too short: at least {least:?}", super::quoted(value.text))));
    }
    Ok(time)
}

/// A whole number within a range.
pub(super) fn number(value: Option<Value<'_>>, least: u32, most: u32, default: u32) -> Result<u32, Error> {
    let Some(value) = value else { return Ok(default) };
    value.read(&format!("a whole number from {least} to {most}"), |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && (least..=most).contains(number))
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
            value.error(format!("{} is not host:port:address[,address], with numeric addresses", super::quoted(&entry)))
        })?,
    };
    Ok(Network {
        ca: typed.ca().map(|value| certificates(&value, disk)).transpose()?.into_iter().collect(),
        skip_tls_verify: hosts(typed.skip_tls_verify())?,
        insecure: hosts(typed.insecure())?,
        resolve,
        request_timeout: duration_from(typed.request_timeout(), Duration::from_millis(1), Duration::from_secs(30))?,
        http_proxy: facts.first(&["http_proxy", "HTTP_PROXY"]).map(str::to_owned),
        https_proxy: facts.first(&["https_proxy", "HTTPS_PROXY"]).map(str::to_owned),
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
    let text = if inline { value.text.replace("\\n", "\n") } else { disk.named(value)? };
    if text.contains(BEGIN) {
        Ok(text)
    } else if inline {
        Err(value.error("the text has no certificate in it (-----BEGIN CERTIFICATE-----)"))
    } else {
        Err(value.error(format!(
            "the file {} has no certificate in it (-----BEGIN CERTIFICATE-----)",
            super::quoted(value.text)
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
            return Err(value.error(format!("{} is shorter than backoff", super::quoted(value.text))));
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
