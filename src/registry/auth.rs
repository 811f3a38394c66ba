//! The way in: which header each repository's requests carry, and how it is come by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;

use super::challenge::{self, Challenge};
use super::credentials::{self, Credential};
use super::error;
use super::failed::Failed;
use super::redirect::shown;
use super::transport::{Call, Transport};
use crate::http::network::Network;
use crate::http::{ChosenBy, forbidden_literal, is_loopback};
use crate::oci::reference::Repository;
use crate::registry::logins::Logins;
use crate::text::redaction::Secrets;
use crate::text::secret::Secret;
use crate::walk::cause::{Denial, Place};

/// How long a token is good for when its server does not say, see
/// <https://distribution.github.io/distribution/spec/auth/token/>.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// What we show to each repository.
pub(super) struct Auth {
    logins: Logins,
    passes: Mutex<HashMap<Repository, Arc<AsyncMutex<Option<Pass>>>>>,
    shown: Mutex<Secrets>,
}

/// Who asks for a way in, and what the registry said.
pub(super) struct Asking<'a> {
    pub(super) transport: &'a Transport,
    pub(super) lane: usize,
    pub(super) repository: &'a Repository,
    pub(super) base: &'a Url,
    pub(super) challenges: &'a [Challenge],
}

/// A header that a registry asked for.
#[derive(Clone)]
pub(super) struct Pass {
    header: HeaderValue,
    bearer: bool,
    expires: Option<Instant>,
    generation: u32,
}

impl Pass {
    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    pub(super) fn is_bearer(&self) -> bool {
        self.bearer
    }

    fn is_fresh(&self) -> bool {
        self.expires.is_none_or(|expires| expires > Instant::now())
    }
}

/// Why there is no way in.
pub(super) enum Refused {
    /// The login is wrong or missing, with the words of the answer that says so.
    Denied(Denial, Option<Box<str>>),
    /// The token server could not be asked.
    Failed(Failed),
}

impl Auth {
    pub(super) fn new(logins: Logins) -> Self {
        Self {
            logins,
            passes: Mutex::default(),
            shown: Mutex::default(),
        }
    }

    fn pass_of(&self, repository: &Repository) -> Arc<AsyncMutex<Option<Pass>>> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(passes.entry(repository.clone()).or_default())
    }

    /// What was shown to any server so far.
    pub(super) fn secrets(&self) -> Secrets {
        self.shown().clone()
    }

    /// A text without what was shown to any server so far.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.shown().redacted(text)
    }

    /// Remembers what is about to be shown to a server.
    fn show(&self, secrets: &[&str]) {
        let mut shown = self.shown();
        for secret in secrets {
            shown.add(secret);
        }
    }

    fn shown(&self) -> MutexGuard<'_, Secrets> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What requests for `repository` carry now; waits while somebody fetches a new token.
    pub(super) async fn current(&self, repository: &Repository) -> Option<Pass> {
        self.pass_of(repository)
            .lock()
            .await
            .clone()
            .filter(Pass::is_fresh)
    }

    /// Answers a 401 to a request that carried `used`. One asks, the others wait and share; or it is for one `alone`, and given
    /// to nobody else.
    ///
    /// # Errors
    /// When the login is refused or there is none, or the token server could not be asked.
    pub(super) async fn renew(
        &self,
        asking: &Asking<'_>,
        used: Option<&Pass>,
        alone: bool,
    ) -> Result<Option<Pass>, Refused> {
        if alone {
            return self.make(asking, used).await.map(Some);
        }
        let slot = self.pass_of(asking.repository);
        let mut pass = slot.lock().await;
        let generation = pass.as_ref().map_or(0, |pass| pass.generation);
        if pass.as_ref().is_some_and(Pass::is_fresh)
            && used.map_or(0, |used| used.generation) != generation
        {
            return Ok(None);
        }
        let made = self.make(asking, used).await?;
        *pass = Some(Pass {
            generation: generation + 1,
            ..made
        });
        Ok(None)
    }

    async fn make(&self, asking: &Asking<'_>, used: Option<&Pass>) -> Result<Pass, Refused> {
        let Asking {
            transport,
            lane,
            repository,
            base,
            challenges,
        } = *asking;
        let credential = match credentials::find(&self.logins, repository).await {
            Ok(credential) => credential,
            Err(why) => {
                log::warn!("{why}; going on without it");
                None
            }
        };
        match &credential {
            Some(Credential::Password { username, password }) => {
                self.show(&[
                    password.expose(),
                    &format!("{username}:{}", password.expose()),
                ]);
            }
            Some(Credential::Identity(token)) => {
                self.show(&[token.expose(), &format!("<token>:{}", token.expose())]);
            }
            Some(Credential::Token(token)) => self.show(&[token.expose()]),
            None => {}
        }
        let (header, bearer, expires) = match challenge::choose(challenges) {
            None => {
                return Err(Refused::Denied(
                    self.no_way_in(repository, credential.as_ref()),
                    None,
                ));
            }
            Some(Challenge::Basic) => {
                if used.is_some_and(|used| !used.bearer) {
                    return Err(Refused::Denied(
                        self.no_way_in(repository, credential.as_ref()),
                        None,
                    ));
                }
                match &credential {
                    Some(Credential::Password { username, password }) => {
                        (basic(username, password), false, None)
                    }
                    Some(Credential::Token(token)) => (bearer_header(token.expose())?, true, None),
                    Some(Credential::Identity(_)) | None => {
                        return Err(Refused::Denied(
                            self.no_way_in(repository, credential.as_ref()),
                            None,
                        ));
                    }
                }
            }
            Some(Challenge::Bearer { .. })
                if matches!(credential, Some(Credential::Token(_))) && used.is_none() =>
            {
                let Some(Credential::Token(token)) = &credential else {
                    unreachable!("the guard says so")
                };
                (bearer_header(token.expose())?, true, None)
            }
            Some(Challenge::Bearer {
                realm,
                service,
                scope,
            }) => {
                let realm = token_url(base, realm, transport.network(), credential.is_some())
                    .map_err(not_safe)?;
                let scope = scope
                    .clone()
                    .unwrap_or_else(|| format!("repository:{}:pull", repository.name));
                let wish = Wish {
                    realm: &realm,
                    service: service.as_deref(),
                    scope: &scope,
                    lane,
                };
                let token = wish.fetch(transport, base, credential.as_ref()).await?;
                self.show(&[&token.value]);
                let lifetime = token
                    .expires_in
                    .map_or(DEFAULT_LIFETIME, Duration::from_secs_f64);
                // A token is not used in its last moments: the clock of the registry is another one.
                let margin = (lifetime / 10).min(Duration::from_secs(10));
                (
                    bearer_header(&token.value)?,
                    true,
                    Some(Instant::now() + lifetime.saturating_sub(margin)),
                )
            }
        };
        Ok(Pass {
            header,
            bearer,
            expires,
            generation: 0,
        })
    }

    fn no_way_in(&self, repository: &Repository, credential: Option<&Credential>) -> Denial {
        let registry = repository.registry.as_str().into();
        match credential {
            Some(Credential::Password { username, .. }) => Denial::Login {
                registry,
                username: username.as_str().into(),
            },
            Some(_) => Denial::StoredToken { registry },
            None if self.logins.anonymous => Denial::Anonymous { registry },
            None => Denial::NoCredentials { registry },
        }
    }
}

fn not_safe(why: String) -> Refused {
    Refused::Denied(Denial::Unsafe(why.into()), None)
}

fn basic(username: &str, password: &Secret) -> HeaderValue {
    let mut header =
        HeaderValue::from_str(&basic_text(username, password)).expect("base64 fits a header");
    header.set_sensitive(true);
    header
}

fn basic_text(username: &str, password: &Secret) -> String {
    format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{username}:{}", password.expose()))
    )
}

fn bearer_header(token: &str) -> Result<HeaderValue, Refused> {
    let mut header = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| not_safe("the token holds characters that fit no header".into()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Where the token is to be had.
///
/// # Errors
/// Why we do not go there: https alone, http only from a registry that is itself http, no userinfo, no link-local address; and
/// credentials go over plain HTTP only where the user allows it.
fn token_url(
    base: &Url,
    realm: &str,
    network: &Network,
    with_credentials: bool,
) -> Result<Url, String> {
    let url = base
        .join(realm)
        .map_err(|error| format!("the realm of the token server is not a URL ({error})"))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if host.is_empty() {
        return Err("the realm of the token server has no host".into());
    }
    match url.scheme() {
        "https" => {}
        "http" if base.scheme() == "http" => {
            let port = url.port_or_known_default().unwrap_or(80);
            let name = host.trim_start_matches('[').trim_end_matches(']');
            if with_credentials && !is_loopback(name) && !network.insecure.contain(name, port) {
                return Err(format!(
                    "the token server {} is not encrypted, so no credentials go there (insecure can name it)",
                    shown(&url)
                ));
            }
        }
        scheme => {
            return Err(format!(
                "the token server {} is asked over {scheme}, which is not safe; expected https",
                shown(&url)
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "the realm {} holds a user, which no registry should send",
            shown(&url)
        ));
    }
    if forbidden_literal(&url) {
        return Err(format!(
            "the token server {} is a link-local or metadata address, not asked",
            shown(&url)
        ));
    }
    Ok(url)
}

/// A token to ask for.
struct Wish<'a> {
    realm: &'a Url,
    service: Option<&'a str>,
    scope: &'a str,
    lane: usize,
}

#[derive(Deserialize)]
struct WireToken {
    token: Option<String>,
    access_token: Option<String>,
    /// A number; some servers write it as a text.
    expires_in: Option<serde_json::Value>,
}

struct Token {
    value: String,
    expires_in: Option<f64>,
}

impl Wish<'_> {
    /// Fetches the token: with GET, or where a refresh token is held with POST; each falls back on the other where it is refused
    /// as a method. <https://distribution.github.io/distribution/spec/auth/oauth/>
    async fn fetch(
        &self,
        transport: &Transport,
        base: &Url,
        credential: Option<&Credential>,
    ) -> Result<Token, Refused> {
        let calls = match credential {
            None | Some(Credential::Token(_)) => vec![self.get(None)],
            Some(Credential::Password { username, password }) => {
                vec![
                    self.get(Some((username, password))),
                    self.post_password(username, password),
                ]
            }
            Some(Credential::Identity(token)) => {
                vec![self.post_refresh(token), self.get(Some(("<token>", token)))]
            }
        };
        let chosen_by = if super::redirect::same_origin(base, self.realm) {
            ChosenBy::User
        } else {
            ChosenBy::Server
        };
        let mut last = None;
        for call in calls {
            let (status, body) = transport.call(&call, chosen_by).await.map_err(|failed| {
                let place = Place::TokenServer(shown(self.realm).into());
                Refused::Failed(failed.at(place))
            })?;
            match status {
                200..=299 => return self.read(&body),
                400 | 404 | 405 | 501 => last = Some((status, body)),
                _ => {
                    last = Some((status, body));
                    break;
                }
            }
        }
        let (status, body) = last.expect("there is a call at least");
        let username = match credential {
            Some(Credential::Password { username, .. }) => Some(username.as_str().into()),
            _ => None,
        };
        let denial = Denial::TokenServer {
            server: shown(self.realm).into(),
            identity: credential.is_some() && username.is_none(),
            username,
            status,
        };
        Err(Refused::Denied(denial, error::read(&body)))
    }

    fn read(&self, body: &[u8]) -> Result<Token, Refused> {
        let no_token = || {
            let server = shown(self.realm).into();
            Refused::Denied(Denial::NoToken { server }, None)
        };
        let wire: WireToken = serde_json::from_slice(body).map_err(|_| no_token())?;
        let value = wire
            .token
            .filter(|token| !token.is_empty())
            .or(wire.access_token)
            .unwrap_or_default();
        if value.is_empty() {
            return Err(no_token());
        }
        let sound = |seconds: &f64| seconds.is_finite() && *seconds > 0.0;
        let seconds = wire
            .expires_in
            .and_then(|wire| wire.as_f64().or_else(|| wire.as_str()?.trim().parse().ok()));
        Ok(Token {
            value,
            expires_in: seconds.filter(sound).map(|seconds| seconds.min(1e9)),
        })
    }

    fn get(&self, login: Option<(&str, &Secret)>) -> Call {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = self.service {
                query.append_pair("service", service);
            }
            // Some servers hand out several scopes at once, and docker sends each as a parameter of its own.
            for scope in self.scope.split_ascii_whitespace() {
                query.append_pair("scope", scope);
            }
            if let Some((username, _)) = login.filter(|(username, _)| *username != "<token>") {
                query.append_pair("account", username);
            }
        }
        let authorization = login.map(|(username, password)| basic(username, password));
        Call {
            url,
            authorization,
            form: None,
            lane: self.lane,
        }
    }

    fn post_password(&self, username: &str, password: &Secret) -> Call {
        self.post(&[
            ("grant_type", "password"),
            ("username", username),
            ("password", password.expose()),
        ])
    }

    fn post_refresh(&self, token: &Secret) -> Call {
        self.post(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
        ])
    }

    fn post(&self, grant: &[(&str, &str)]) -> Call {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(grant)
            .append_pair("client_id", "pullproof")
            .append_pair("scope", self.scope);
        if let Some(service) = self.service {
            form.append_pair("service", service);
        }
        Call {
            url: self.realm.clone(),
            authorization: None,
            form: Some(Secret::new(form.finish())),
            lane: self.lane,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::network::Hosts;

    fn realm(
        base: &str,
        realm: &str,
        insecure: Hosts,
        with_credentials: bool,
    ) -> Result<String, String> {
        let network = Network {
            insecure,
            ..Network::default()
        };
        token_url(&base.parse().unwrap(), realm, &network, with_credentials).map(String::from)
    }

    #[test]
    fn a_realm_may_be_relative_or_elsewhere_over_https() {
        let base = "https://registry.example/v2/";
        assert_eq!(
            realm(base, "/token", Hosts::None, true).unwrap(),
            "https://registry.example/token"
        );
        assert_eq!(
            realm(base, "https://auth.example/t?x=1", Hosts::None, true).unwrap(),
            "https://auth.example/t?x=1"
        );
    }

    #[test]
    fn an_unsafe_realm_is_refused() {
        let base = "https://registry.example/v2/";
        for bad in [
            "http://auth.example/token",
            "ftp://auth.example/",
            "https://user:hunter2@auth.example/",
            "https://user@auth.example/",
            "https://169.254.169.254/token",
            "https://[fe80::1]/token",
            "https://[bad",
            "data:x",
        ] {
            let why = realm(base, bad, Hosts::All, true).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn credentials_go_over_plain_http_only_where_the_user_says_so() {
        let base = "http://registry.example:5000/v2/";
        let there = "http://auth.example/token";
        assert!(realm(base, there, Hosts::None, true).is_err());
        assert!(realm(base, there, Hosts::None, false).is_ok());
        assert!(realm(base, there, Hosts::Only(vec!["auth.example".into()]), true).is_ok());
        assert!(realm(base, "http://127.0.0.1:9/token", Hosts::None, true).is_ok());
    }
}
