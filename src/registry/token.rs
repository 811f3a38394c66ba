//! Obtains a token from the token server that a registry names.

use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::auth::{Refused, basic};
use super::credentials::Credential;
use super::redirect::{same_origin, shown};
use super::token_server::TokenCall;
use super::transport::Transport;
use super::{error, quirks};
use crate::http::network::Network;
use crate::http::{ChosenBy, forbidden_literal, is_loopback};
use crate::text::secret::Secret;
use crate::walk::cause::{Denial, Place};

/// A token to ask for.
pub(super) struct TokenRequest<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a str,
    pub(super) lane: usize,
}

/// A token server's answer.
#[derive(Deserialize)]
struct WireToken {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<serde_json::Value>,
}

/// A token, and for how many seconds it is valid.
pub(super) struct Token {
    pub(super) value: String,
    pub(super) expires_in: Option<f64>,
}

impl TokenRequest<'_> {
    /// Fetches the token.
    ///
    /// # Errors
    /// When the login is refused, or no usable answer comes.
    pub(super) async fn fetch(
        &self,
        transport: &Transport,
        base: &Url,
        credential: Option<&Credential>,
    ) -> Result<Token, Refused> {
        let chosen_by = if same_origin(base, self.realm) {
            ChosenBy::User
        } else {
            ChosenBy::Server
        };
        let mut refused = None;
        for call in self.calls(credential) {
            let called = transport.call(&call, chosen_by).await;
            let (status, body) = called.map_err(|failed| {
                let place = Place::TokenServer(shown(self.realm).into());
                Refused::Failed(failed.at(place))
            })?;
            if (200..300).contains(&status) {
                return self.read(&body);
            }
            refused = Some((status, body));
            if !quirks::gcr_and_acr_refuse_one_method_for_tokens(status) {
                break;
            }
        }
        let (status, body) = refused.expect("there is a call at least");
        let denial = self.denial(credential, status);
        Err(Refused::Denied(denial, error::read(&body)))
    }

    /// GET first, or with a refresh token POST; then the other one.
    /// <https://distribution.github.io/distribution/spec/auth/oauth/>
    fn calls(&self, credential: Option<&Credential>) -> Vec<TokenCall> {
        match credential {
            None | Some(Credential::Token(_)) => vec![self.get(None)],
            Some(Credential::Password { username, password }) => {
                let login = Some((username.as_str(), password));
                vec![self.get(login), self.post_password(username, password)]
            }
            Some(Credential::Identity(token)) => {
                vec![self.post_refresh(token), self.get(Some(("<token>", token)))]
            }
        }
    }

    fn denial(&self, credential: Option<&Credential>, status: u16) -> Denial {
        let username = match credential {
            Some(Credential::Password { username, .. }) => Some(username.as_str().into()),
            _ => None,
        };
        Denial::TokenServer {
            server: shown(self.realm).into(),
            identity: credential.is_some() && username.is_none(),
            username,
            status,
        }
    }

    fn read(&self, body: &[u8]) -> Result<Token, Refused> {
        let no_token = || {
            let server = shown(self.realm).into();
            Refused::Denied(Denial::NoToken { server }, None)
        };
        let wire: WireToken = serde_json::from_slice(body).map_err(|_| no_token())?;
        let is_given = |token: &String| !token.is_empty();
        let token = wire.token.filter(is_given);
        let value = token
            .or(wire.access_token.filter(is_given))
            .ok_or_else(no_token)?;
        let seconds = wire
            .expires_in
            .as_ref()
            .and_then(quirks::some_write_expires_in_as_text)
            .filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        Ok(Token {
            value,
            expires_in: seconds.map(|seconds| seconds.min(1e9)),
        })
    }

    fn get(&self, login: Option<(&str, &Secret)>) -> TokenCall {
        let mut url = self.realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = self.service {
                query.append_pair("service", service);
            }
            // As docker does: each of several scopes is a parameter of its own.
            for scope in self.scope.split_ascii_whitespace() {
                query.append_pair("scope", scope);
            }
            if let Some((username, _)) = login.filter(|(username, _)| *username != "<token>") {
                query.append_pair("account", username);
            }
        }
        let authorization = login.map(|(username, password)| basic(username, password));
        TokenCall {
            url,
            authorization,
            form: None,
            lane: self.lane,
        }
    }

    fn post_password(&self, username: &str, password: &Secret) -> TokenCall {
        self.post(&[
            ("grant_type", "password"),
            ("username", username),
            ("password", password.expose()),
        ])
    }

    fn post_refresh(&self, token: &Secret) -> TokenCall {
        self.post(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
        ])
    }

    fn post(&self, grant: &[(&str, &str)]) -> TokenCall {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(grant)
            .append_pair("client_id", "pullproof")
            .append_pair("scope", self.scope);
        if let Some(service) = self.service {
            form.append_pair("service", service);
        }
        TokenCall {
            url: self.realm.clone(),
            authorization: None,
            form: Some(Secret::new(form.finish())),
            lane: self.lane,
        }
    }
}

/// The URL of the token server that `realm` names.
///
/// # Errors
/// Why it is not asked: only https is, or http for a registry that is itself asked in http; without
/// a user in the URL, and never at a link-local address. Credentials go over plain HTTP only where
/// the user allows it.
pub(super) fn token_url(
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
                    "the token server {} is not encrypted, so no credentials are sent to it \
                     (insecure can name it)",
                    shown(&url)
                ));
            }
        }
        scheme => {
            return Err(format!(
                "the token server {} uses {scheme}, which is not safe; expected https",
                shown(&url)
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "the realm {} contains a user, which no registry should send",
            shown(&url)
        ));
    }
    if forbidden_literal(&url) {
        return Err(format!(
            "the token server {} is a link-local or metadata address, so it is not contacted",
            shown(&url)
        ));
    }
    Ok(url)
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
    fn credentials_go_over_plain_http_only_where_the_user_allows_it() {
        let base = "http://registry.example:5000/v2/";
        let there = "http://auth.example/token";
        assert!(realm(base, there, Hosts::None, true).is_err());
        assert!(realm(base, there, Hosts::None, false).is_ok());
        assert!(realm(base, there, Hosts::Only(vec!["auth.example".into()]), true).is_ok());
        assert!(realm(base, "http://127.0.0.1:9/token", Hosts::None, true).is_ok());
    }
}
