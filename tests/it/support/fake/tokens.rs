//! A token server: <https://distribution.github.io/distribution/spec/auth/token/> and its OAuth2
//! sibling.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::content::split;
use super::guard::{Guard, basic_credentials, refusal};
use super::uploads::written;
use crate::support::http::{Reply, Request};

/// Issues opaque tokens, and knows which it issued. Clones are the same token server.
#[derive(Clone)]
pub(crate) struct Tokens {
    rules: Rules,
    issued: Arc<Mutex<HashMap<String, Token>>>,
}

#[derive(Clone)]
struct Rules {
    login: Option<(String, String)>,
    identity: Option<String>,
    uses: usize,
    expired: u16,
    methods: &'static [&'static str],
    name: &'static str,
    expires_in: Option<u64>,
}

struct Token {
    scope: String,
    uses_left: usize,
}

impl Tokens {
    /// Tokens for any login, forever, by GET and POST.
    pub(crate) fn new() -> Self {
        let rules = Rules {
            login: None,
            identity: None,
            uses: usize::MAX,
            expired: 401,
            methods: &["GET", "POST"],
            name: "token",
            expires_in: Some(300),
        };
        Self {
            rules,
            issued: Arc::default(),
        }
    }

    /// Only for clients with this name and password.
    pub(crate) fn login(mut self, username: &str, password: &str) -> Self {
        self.rules.login = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// Only for clients with this identity token, by POST.
    pub(crate) fn identity(mut self, identity: &str) -> Self {
        self.rules.identity = Some(identity.to_owned());
        self
    }

    /// Each good for so many requests; then they are refused with this status.
    pub(crate) fn good_for(mut self, requests: usize, expired: u16) -> Self {
        self.rules.uses = requests;
        self.rules.expired = expired;
        self
    }

    /// By these methods; others are answered with 405.
    pub(crate) fn by(mut self, methods: &'static [&'static str]) -> Self {
        self.rules.methods = methods;
        self
    }

    /// Under this name in the answer: `token` or `access_token`.
    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.rules.name = name;
        self
    }

    /// With this `expires_in`, or without.
    pub(crate) fn expires_in(mut self, seconds: Option<u64>) -> Self {
        self.rules.expires_in = seconds;
        self
    }

    /// How many it issued.
    pub(crate) fn issued(&self) -> usize {
        self.issued.lock().expect("no handler panics").len()
    }

    /// The scopes for which it issued tokens, in order, each as often as it did.
    pub(crate) fn scopes(&self) -> Vec<String> {
        let issued = self.issued.lock().expect("no handler panics");
        let mut scopes: Vec<_> = issued.values().map(|token| token.scope.clone()).collect();
        scopes.sort();
        scopes
    }

    /// The token endpoint, to be mounted or started as a server.
    pub(crate) fn endpoint(&self) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
        let tokens = self.clone();
        move |request| tokens.answer(request)
    }

    fn answer(&self, request: &Request) -> Reply {
        if !self.rules.methods.contains(&request.method.as_str()) {
            return Reply::status(405);
        }
        let post = request.method == "POST";
        let refused =
            || Reply::error(401, "UNAUTHORIZED", "incorrect username or password").but_status(401);
        let admitted = match (&self.rules.identity, &self.rules.login) {
            (None, None) => true,
            (Some(identity), _) => {
                post && request.field("grant_type").as_deref() == Some("refresh_token")
                    && request.field("refresh_token").as_ref() == Some(identity)
            }
            (None, Some((username, password))) if post => {
                request.field("username").as_ref() == Some(username)
                    && request.field("password").as_ref() == Some(password)
            }
            (None, Some((username, password))) => {
                request.header("Authorization")
                    == Some(basic_credentials(username, password).as_str())
            }
        };
        if !admitted {
            return refused();
        }
        let scope = if post {
            request.field("scope")
        } else {
            Some(scopes(request))
        }
        .unwrap_or_default();
        let mut issued = self.issued.lock().expect("no handler panics");
        let token = format!("opaque-token-{}", issued.len());
        issued.insert(
            token.clone(),
            Token {
                scope,
                uses_left: self.rules.uses,
            },
        );
        let mut json = json!({self.rules.name: token});
        if let Some(seconds) = self.rules.expires_in {
            json["expires_in"] = seconds.into();
        }
        Reply::json(&json)
    }

    /// Wants one of these tokens, and names the realm where they are to be had.
    pub(crate) fn guard(&self, realm: &str) -> Guard {
        self.guard_with(realm, &[])
    }

    /// As [`Tokens::guard`], with other challenges in headers before this one.
    pub(crate) fn guard_with(&self, realm: &str, others: &[&str]) -> Guard {
        let (issued, expired) = (Arc::clone(&self.issued), self.rules.expired);
        let others: Vec<String> = others
            .iter()
            .map(|&challenge| challenge.to_owned())
            .collect();
        let realm = realm.to_owned();
        Box::new(move |request| {
            let scope = match request.path.strip_prefix("/v2/").unwrap_or_default() {
                "_catalog" => Some("registry:catalog:*".to_owned()),
                path => match written(&request.path) {
                    Some((name, _)) if !matches!(request.method.as_str(), "GET" | "HEAD") => {
                        let from = request.parameter("from");
                        let pull = from.map(|from| format!(" repository:{from}:pull"));
                        let push = format!("repository:{name}:pull,push");
                        Some(push + &pull.unwrap_or_default())
                    }
                    _ => split(path).map(|(name, ..)| format!("repository:{name}:pull")),
                },
            };
            let mut challenge = format!("Bearer realm=\"{realm}\",service=\"tests\"");
            if let Some(scope) = &scope {
                challenge = format!("{challenge},scope=\"{scope}\"");
            }
            let challenges: Vec<String> = others.iter().cloned().chain([challenge]).collect();
            let mut issued = issued.lock().expect("no handler panics");
            let token = request
                .header("Authorization")
                .and_then(|value| value.strip_prefix("Bearer "));
            let Some(token) = token.and_then(|token| issued.get_mut(token)) else {
                return Some(refusal(&challenges));
            };
            let is_granted = |wanted: &str| token.scope.split(' ').any(|scope| scope == wanted);
            if scope.is_some_and(|scope| !scope.split(' ').all(is_granted)) {
                return Some(refusal(&challenges));
            }
            if token.uses_left == 0 {
                // Some registries forget the challenge, and the right status, for a token that was
                // once good.
                return Some(match expired {
                    401 => refusal(&challenges),
                    other => Reply::error(other, "DENIED", "your authorization token has expired")
                        .but_status(other),
                });
            }
            token.uses_left = token
                .uses_left
                .saturating_sub(usize::from(token.uses_left != usize::MAX));
            None
        })
    }
}

/// All scopes of a request by GET, each of which is a parameter of its own.
fn scopes(request: &Request) -> String {
    let pairs = url::form_urlencoded::parse(request.query.as_bytes());
    let scopes = pairs.filter(|(key, _)| key == "scope");
    let scopes: Vec<_> = scopes.map(|(_, value)| value.into_owned()).collect();
    scopes.join(" ")
}
