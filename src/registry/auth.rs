//! The header that authorizes a request, and its renewal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use url::Url;

use super::challenge::{self, Challenge};
use super::credentials::Credential;
use super::failed::Failed;
use super::lookup::Lookup;
use super::scope::Scope;
use super::token::{Token, TokenRequest, token_url};
use super::transport::{Question, Transport};
use crate::oci::reference::Repository;
use crate::registry::logins::Logins;
use crate::text::redaction::Secrets;
use crate::text::secret::Secret;
use crate::walk::cause::Denial;
use crate::walk::known::Access;

/// How long a token is valid when its server does not say, see
/// <https://distribution.github.io/distribution/spec/auth/token/>.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The passes of a run, and the secrets that were sent for them.
pub(super) struct Auth {
    lookup: Lookup,
    passes: Mutex<HashMap<PassKey, Arc<AsyncMutex<Option<Pass>>>>>,
    sent: Mutex<Sent>,
}

/// The secrets that were sent.
#[derive(Default)]
struct Sent {
    /// Those of logins.
    logins: Secrets,
    /// The tokens that were fetched, by what they are good for.
    tokens: HashMap<PassKey, Vec<Secret>>,
    /// All of them.
    all: Secrets,
}

impl Sent {
    fn add_login(&mut self, secret: &str) {
        self.logins.add(secret);
        self.all.add(secret);
    }

    fn add_token(&mut self, key: PassKey, token: &str) {
        self.tokens.entry(key).or_default().push(Secret::new(token));
        self.all.add(token);
    }

    fn forget_tokens(&mut self, repository: &Repository) {
        let before = self.tokens.len();
        self.tokens.retain(|key, _| !key.is_of(repository));
        if self.tokens.len() < before {
            self.all = self.logins.clone();
            for token in self.tokens.values().flatten() {
                self.all.add(token.expose());
            }
        }
    }
}

/// What a pass is good for.
#[derive(PartialEq, Eq, Hash)]
struct PassKey {
    registry: String,
    scope: Scope,
}

impl PassKey {
    fn of(question: &Question<'_>) -> Self {
        Self {
            registry: question.repository.registry.clone(),
            scope: question.scope.clone(),
        }
    }

    fn is_of(&self, repository: &Repository) -> bool {
        self.registry == repository.registry && self.scope.is_of(&repository.name)
    }
}

/// A question that was answered with challenges.
pub(super) struct Challenged<'a> {
    pub(super) transport: &'a Transport,
    pub(super) lane: usize,
    pub(super) question: &'a Question<'a>,
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
    fn basic(username: &str, password: &Secret) -> Self {
        Self {
            header: basic(username, password),
            bearer: false,
            expires: None,
            generation: 0,
        }
    }

    pub(super) fn bearer(token: &str, expires: Option<Instant>) -> Result<Self, Refused> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            let why = "the token has characters that no header may contain";
            Refused::Denied(Denial::Unsafe(why.into()), None)
        })?;
        header.set_sensitive(true);
        Ok(Self {
            header,
            bearer: true,
            expires,
            generation: 0,
        })
    }

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

/// Why there is no pass.
pub(super) enum Refused {
    /// The login is wrong or missing, with the words of the answer that says so.
    Denied(Denial, Option<Box<str>>),
    /// The token server could not be asked.
    Failed(Failed),
}

/// How a challenge is answered.
#[derive(Debug, PartialEq, Eq)]
enum AuthMethod<'a> {
    /// With a user and password.
    Basic(&'a str, &'a Secret),
    /// With a token that the user has.
    Stored(&'a Secret),
    /// With a token from a token server.
    Fetched {
        realm: &'a str,
        service: Option<&'a str>,
        scope: Option<&'a str>,
    },
}

/// How a challenge is answered; `None` when nothing is left that was not refused.
fn method<'a>(
    challenge: Option<&'a Challenge>,
    credential: Option<&'a Credential>,
    used: Option<&Pass>,
) -> Option<AuthMethod<'a>> {
    match (challenge?, credential) {
        (Challenge::Basic, _) if used.is_some_and(|used| !used.bearer) => None,
        (Challenge::Basic, Some(Credential::Password { username, password })) => {
            Some(AuthMethod::Basic(username, password))
        }
        (Challenge::Basic, Some(Credential::Token(token))) => Some(AuthMethod::Stored(token)),
        (Challenge::Basic, Some(Credential::Identity(_)) | None) => None,
        (Challenge::Bearer { .. }, Some(Credential::Token(token))) if used.is_none() => {
            Some(AuthMethod::Stored(token))
        }
        (
            Challenge::Bearer {
                realm,
                service,
                scope,
            },
            _,
        ) => Some(AuthMethod::Fetched {
            realm,
            service: service.as_deref(),
            scope: scope.as_deref(),
        }),
    }
}

impl Auth {
    pub(super) fn new(logins: Logins) -> Self {
        Self {
            lookup: Lookup::new(logins),
            passes: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    fn pass_for(&self, question: &Question<'_>) -> Arc<AsyncMutex<Option<Pass>>> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(passes.entry(PassKey::of(question)).or_default())
    }

    /// Forgets the passes of a repository that is not asked about any more, and its tokens: a large
    /// registry has more of them than memory should hold.
    pub(super) fn forget(&self, repository: &Repository) {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.retain(|key, _| !key.is_of(repository));
        drop(passes);
        self.sent().forget_tokens(repository);
    }

    /// The secrets that were sent to any server so far, but for tokens that are forgotten.
    pub(super) fn secrets(&self) -> Secrets {
        self.sent().all.clone()
    }

    /// A text without those secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.sent().all.redacted(text)
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pass for a question, unless it has expired; waits while a new one is fetched.
    pub(super) async fn current(&self, question: &Question<'_>) -> Option<Pass> {
        let pass = self.pass_for(question).lock().await.clone();
        pass.filter(Pass::is_fresh)
    }

    /// The login of a repository, and the setting that it is from.
    pub(super) async fn access(&self, repository: &Repository) -> Access {
        self.lookup.access(repository).await
    }

    /// The pass that a repository was last read with.
    pub(super) async fn pass(&self, repository: &Repository) -> Option<Pass> {
        let key = PassKey {
            registry: repository.registry.clone(),
            scope: Scope::pull(repository),
        };
        let pass = {
            let passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
            passes.get(&key).cloned()
        };
        pass?.lock().await.clone()
    }

    /// The user and password for a question, before anybody asks for them.
    pub(super) async fn unasked(&self, question: &Question<'_>) -> Option<Pass> {
        let credential = self.lookup.find(question.repository).await?;
        let Credential::Password { username, password } = &credential else {
            return None;
        };
        for secret in credential.secrets() {
            self.sent().add_login(&secret);
        }
        Some(Pass::basic(username, password))
    }

    /// The login of a repository for another API than the registry's own; a password is a
    /// `bearer` token there, or goes with its user.
    pub(super) async fn login(
        &self,
        repository: &Repository,
        bearer: bool,
    ) -> Result<Option<Pass>, Refused> {
        let Some(credential) = self.lookup.find(repository).await else {
            return Ok(None);
        };
        for secret in credential.secrets() {
            self.sent().add_login(&secret);
        }
        match &credential {
            Credential::Password { username, password } if !bearer => {
                Ok(Some(Pass::basic(username, password)))
            }
            Credential::Password {
                password: token, ..
            }
            | Credential::Token(token) => Pass::bearer(token.expose(), None).map(Some),
            Credential::Identity(_) => Ok(None),
        }
    }

    /// Answers a 401 to a request that carried `used`.
    ///
    /// One question obtains the new pass, the others wait and share it, and the answer is `None`. A
    /// pass that is obtained `alone` is for one question and not shared.
    ///
    /// # Errors
    /// When the login is refused or missing, or the token server could not be asked.
    pub(super) async fn renew(
        &self,
        challenged: &Challenged<'_>,
        used: Option<&Pass>,
        alone: bool,
    ) -> Result<Option<Pass>, Refused> {
        if alone {
            return self.obtain(challenged, used).await.map(Some);
        }
        let slot = self.pass_for(challenged.question);
        let mut pass = slot.lock().await;
        let generation = pass.as_ref().map_or(0, |pass| pass.generation);
        if pass.as_ref().is_some_and(Pass::is_fresh)
            && used.map_or(0, |used| used.generation) != generation
        {
            return Ok(None);
        }
        let new = self.obtain(challenged, used).await?;
        *pass = Some(Pass {
            generation: generation + 1,
            ..new
        });
        Ok(None)
    }

    async fn obtain(
        &self,
        challenged: &Challenged<'_>,
        used: Option<&Pass>,
    ) -> Result<Pass, Refused> {
        let repository = challenged.question.repository;
        let credential = self.lookup.find(repository).await;
        for secret in credential.iter().flat_map(Credential::secrets) {
            self.sent().add_login(&secret);
        }
        let challenge = challenge::choose(challenged.challenges);
        match method(challenge, credential.as_ref(), used) {
            None => {
                let denial = self.denial(&repository.registry, credential.as_ref());
                Err(Refused::Denied(denial, None))
            }
            Some(AuthMethod::Basic(username, password)) => Ok(Pass::basic(username, password)),
            Some(AuthMethod::Stored(token)) => Pass::bearer(token.expose(), None),
            Some(AuthMethod::Fetched {
                realm,
                service,
                scope,
            }) => {
                let network = challenged.transport.network();
                let realm = token_url(challenged.base, realm, network, credential.is_some())
                    .map_err(|why| Refused::Denied(Denial::Unsafe(why.into()), None))?;
                let scope = challenged.question.scope.with(scope);
                let request = TokenRequest {
                    realm: &realm,
                    service,
                    scope: &scope,
                    lane: challenged.lane,
                };
                let token = request
                    .fetch(challenged.transport, challenged.base, credential.as_ref())
                    .await?;
                let key = PassKey::of(challenged.question);
                self.sent().add_token(key, &token.value);
                Pass::bearer(&token.value, Some(expiry(&token)))
            }
        }
    }

    fn denial(&self, registry: &str, credential: Option<&Credential>) -> Denial {
        let registry = registry.into();
        match credential {
            Some(Credential::Password { username, .. }) => Denial::Login {
                registry,
                username: username.as_str().into(),
            },
            Some(_) => Denial::StoredToken { registry },
            None if self.lookup.is_anonymous() => Denial::Anonymous { registry },
            None => Denial::NoCredentials { registry },
        }
    }
}

/// When a token is renewed: shortly before its end, because the registry's clock is another one.
fn expiry(token: &Token) -> Instant {
    let lifetime = token
        .expires_in
        .map_or(DEFAULT_LIFETIME, Duration::from_secs_f64);
    let margin = (lifetime / 10).min(Duration::from_secs(10));
    Instant::now() + lifetime.saturating_sub(margin)
}

/// The header of a user and password.
pub(super) fn basic(username: &str, password: &Secret) -> HeaderValue {
    let encoded = BASE64_STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut header =
        HeaderValue::from_str(&format!("Basic {encoded}")).expect("base64 fits a header");
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_answers_the_challenges_it_fits() {
        let secret = || Secret::new("s");
        let password = Credential::Password {
            username: "me".into(),
            password: secret(),
        };
        let (identity, token) = (Credential::Identity(secret()), Credential::Token(secret()));
        let bearer = Challenge::Bearer {
            realm: "/token".into(),
            service: None,
            scope: Some("s".into()),
        };
        let basic_pass = Pass::basic("me", &secret());
        let bearer_pass = Pass::bearer("t", None).ok().unwrap();
        let (basic, bearer) = (Some(&Challenge::Basic), Some(&bearer));
        let (none, used) = (None, Some(&bearer_pass));
        for (challenge, credential, used, expected) in [
            (None, Some(&password), none, "None"),
            (basic, Some(&password), none, "Some(Basic"),
            (basic, Some(&password), Some(&basic_pass), "None"),
            (basic, Some(&password), used, "Some(Basic"),
            (basic, Some(&token), none, "Some(Stored"),
            (basic, Some(&identity), none, "None"),
            (basic, None, none, "None"),
            (bearer, Some(&token), none, "Some(Stored"),
            (bearer, Some(&token), used, "Some(Fetched"),
            (bearer, Some(&password), used, "Some(Fetched"),
            (bearer, Some(&identity), none, "Some(Fetched"),
            (bearer, None, none, "Some(Fetched"),
        ] {
            let found = format!("{:?}", method(challenge, credential, used));
            assert!(
                found.starts_with(expected),
                "{challenge:?} {credential:?}: {found}"
            );
        }
    }

    #[test]
    fn a_token_is_renewed_shortly_before_its_end() {
        let left = |expires_in| {
            let token = Token {
                value: "t".into(),
                expires_in,
            };
            let left = expiry(&token).duration_since(Instant::now());
            (left + Duration::from_millis(500)).as_secs()
        };
        assert_eq!(left(None), 54);
        assert_eq!(left(Some(20.0)), 18);
        assert_eq!(left(Some(3600.0)), 3590);
    }
}
