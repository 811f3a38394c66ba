//! A Pushgateway: replaces a group of metrics, and reads back what it has.
//!
//! It gets its own login and no other. Redirects are not followed.
//! <https://github.com/prometheus/pushgateway#api>

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use super::{ChosenBy, Clients, Version};
use crate::http::patience::Patience;
use crate::text::escape;
use crate::text::redaction::Secrets;
use crate::text::secret::Secret;

/// The longest page that is read, in bytes: it has the metrics of everybody.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// How much of an error is read, in bytes, and how much is shown, in letters.
const ERROR_LIMIT: usize = 64 * 1024;
const ERROR_SHOWN: usize = 200;

/// Where metrics are pushed.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// `pushgateway`; it may have a path.
    pub url: Url,
    /// `pushgateway_job`.
    pub job: String,
    /// `pushgateway_username` and `pushgateway_password`.
    pub login: Option<(String, Secret)>,
}

/// A Pushgateway, and how to ask it.
pub(crate) struct Pushgateway<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) clients: &'a Clients,
    pub(crate) patience: &'a Patience,
}

/// Why a try failed, and whether another one may not.
struct Failure {
    why: String,
    is_transient: bool,
}

impl Pushgateway<'_> {
    /// Replaces the group of metrics with these labels beside the job's.
    ///
    /// # Errors
    /// Why it was not replaced, as a fragment.
    pub(crate) async fn put(
        &self,
        labels: &[(&str, &str)],
        content_type: &'static str,
        page: &str,
    ) -> Result<(), String> {
        let url = group(self.gateway, labels);
        let request = || {
            let mut request = Request::new(Method::PUT, url.clone());
            let kind = HeaderValue::from_static(content_type);
            request.headers_mut().insert(CONTENT_TYPE, kind);
            *request.body_mut() = Some(page.to_owned().into());
            request
        };
        self.ask(request, ERROR_LIMIT).await.map(drop)
    }

    /// Everything that it has, as it shows it to Prometheus.
    ///
    /// # Errors
    /// Why it cannot be read, as a fragment.
    pub(crate) async fn page(&self) -> Result<String, String> {
        let url = below(&self.gateway.url, ["metrics"]);
        self.ask(|| Request::new(Method::GET, url.clone()), PAGE_LIMIT)
            .await
    }

    /// Asks, as often as `attempts` says.
    async fn ask(&self, request: impl Fn() -> Request, limit: usize) -> Result<String, String> {
        let mut wait = self.patience.backoff;
        let mut attempt = 1;
        loop {
            let failure = match self.try_once(request(), limit).await {
                Ok(body) => return Ok(body),
                Err(failure) => failure,
            };
            if !failure.is_transient || attempt >= self.patience.attempts {
                return Err(failure.why);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(self.patience.max_backoff.max(Duration::from_millis(1)));
            attempt += 1;
        }
    }

    async fn try_once(&self, mut request: Request, limit: usize) -> Result<String, Failure> {
        if let Some(login) = &self.gateway.login {
            request.headers_mut().insert(AUTHORIZATION, basic(login));
        }
        let lanes = self
            .clients
            .lanes(&self.gateway.url, ChosenBy::User, Version::Best)
            .map_err(|error| Failure {
                why: format!("{error:#}"),
                is_transient: false,
            })?;
        let broken = |problem: super::Problem| Failure {
            is_transient: problem.kind.is_transient(),
            why: problem.text,
        };
        let patience = self.clients.network().request_timeout;
        let mut reply = lanes.send(0, request, patience).await.map_err(broken)?;
        let status = reply.status();
        let is_success = (200..300).contains(&status);
        let limit = if is_success { limit } else { ERROR_LIMIT };
        let (body, is_cut) = reply.body(limit).await.map_err(broken)?;
        if is_success && !is_cut {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        let why = match status {
            _ if is_success => format!("its answer is longer than {limit} bytes"),
            300..=399 => format!("it redirects ({status}), and a login never follows a redirect"),
            401 | 403 => format!("it refuses the login ({status})"),
            // A page of a proxy says nothing that helps.
            _ if is_cut || reply.is_page() => format!("status {status}"),
            _ => self.refusal(status, &body),
        };
        Err(Failure {
            why,
            is_transient: status == 429 || status >= 500,
        })
    }

    /// Its own words about what is wrong, without what it may repeat of the login.
    fn refusal(&self, status: u16, body: &[u8]) -> String {
        let mut secrets = Secrets::default();
        if let Some((_, password)) = &self.gateway.login {
            secrets.add(password.expose());
        }
        let words = secrets.redacted(&String::from_utf8_lossy(body));
        let words: String = escape::line(words.trim())
            .chars()
            .take(ERROR_SHOWN)
            .collect();
        if words.is_empty() {
            format!("status {status}")
        } else {
            format!("status {status}: {words}")
        }
    }
}

fn basic((username, password): &(String, Secret)) -> HeaderValue {
    let pair = format!("{username}:{}", password.expose());
    let text = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let mut value = HeaderValue::from_str(&text).expect("base64 fits into a header");
    value.set_sensitive(true);
    value
}

/// The address of a group: `…/metrics/job/<job>/<label>/<value>`.
fn group(gateway: &Gateway, labels: &[(&str, &str)]) -> Url {
    let job = ("job", &*gateway.job);
    let pairs = std::iter::once(&job).chain(labels);
    let parts = pairs.flat_map(|(name, value)| pair(name, value));
    below(
        &gateway.url,
        std::iter::once("metrics".to_owned()).chain(parts),
    )
}

/// A label and its value as two parts of a path: in base64 where the value cannot be one as it is.
fn pair(name: &str, value: &str) -> [String; 2] {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if value.bytes().all(is_plain) && !value.bytes().all(|byte| byte == b'.') {
        [name.to_owned(), value.to_owned()]
    } else {
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(value);
        [format!("{name}@base64"), encoded]
    }
}

fn below<T: AsRef<str>>(url: &Url, parts: impl IntoIterator<Item = T>) -> Url {
    let mut url = url.clone();
    url.path_segments_mut()
        .expect("an address with a host has a path; the settings were checked")
        .pop_if_empty()
        .extend(parts);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, job: &str, labels: &[(&str, &str)]) -> String {
        let gateway = Gateway {
            url: url.parse().unwrap(),
            job: job.to_owned(),
            login: None,
        };
        group(&gateway, labels).into()
    }

    #[test]
    fn a_group_is_addressed_by_job_registry_and_shard() {
        let registry = ("registry", "registry.example:5000");
        for (url, labels, expected) in [
            (
                "http://push:9091",
                &[registry][..],
                "http://push:9091/metrics/job/pullproof/registry/registry.example:5000",
            ),
            (
                "https://ops.example/push/",
                &[registry, ("shard", "3/8")],
                "https://ops.example/push/metrics/job/pullproof/registry/registry.example:5000\
                 /shard@base64/My84",
            ),
            (
                "http://push:9091",
                &[("registry", "[::1]:5000")],
                "http://push:9091/metrics/job/pullproof/registry@base64/Wzo6MV06NTAwMA",
            ),
        ] {
            assert_eq!(address(url, "pullproof", labels), expected);
        }
        for (job, part) in [
            ("..", "job@base64/Li4"),
            ("a b", "job@base64/YSBi"),
            ("ä/?#%", "job@base64/w6QvPyMl"),
        ] {
            let expected = format!("http://push/metrics/{part}");
            assert_eq!(address("http://push", job, &[]), expected);
        }
    }
}
