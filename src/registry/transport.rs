//! Asks registries: a permit for each question, and retries where they may help.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Method, Request};
use url::Url;

use super::answer::Answer;
use super::attempt::Attempt;
use super::auth::Auth;
use super::failed::{Failed, Unread};
use super::gate::Gate;
use super::payload::{self, Payload};
use super::product::Products;
use super::scheme::{Scheme, Schemes};
use super::scope::Scope;
use super::tries::{EarlyEnds, SharedTries, Tries};
use crate::http::network::Network;
use crate::http::patience::Patience;
use crate::http::{ChosenBy, Clients, Problem, ProblemKind, Version};
use crate::oci::reference::Repository;
use crate::prune::remover::Taken;
use crate::registry::logins::Logins;
use crate::text::redaction::Secrets;
use crate::walk::cause::Cause;
use crate::walk::known::{Access, Known};
use crate::walk::product::Product;
use crate::walk::source::Asked;

/// Asks registries and their token servers; one for a whole run, which shares permits, waits and
/// tokens.
pub(crate) struct Transport {
    clients: Arc<Clients>,
    shared_tries: SharedTries,
    auth: Auth,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    schemes: Schemes,
    products: Products,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// A question to a registry.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own"
)]
pub(super) struct Question<'a> {
    /// One without a name is the registry itself.
    pub(super) repository: &'a Repository,
    pub(super) scope: Scope,
    pub(super) method: Method,
    /// Below `/v2/<name>/`; `None` for `/v2/` itself.
    pub(super) path: Option<String>,
    pub(super) payload: Payload<'a>,
    /// Whether a login goes along without a challenge: some registries show strangers a part.
    pub(super) with_login: bool,
    /// Whether a first 404 is believed; else it is "not yet" until the settle window closes.
    pub(super) may_be_absent: bool,
    /// Whether it goes over a connection that no earlier request used.
    pub(super) fresh: bool,
    /// Whether its first answer stands, whatever it is.
    pub(super) once: bool,
    /// Whether something of the repository was delivered.
    pub(super) delivers: &'a AtomicBool,
}

impl Question<'_> {
    /// Whether it changes something.
    pub(super) fn writes(&self) -> bool {
        !payload::is_reading(&self.method)
    }

    pub(super) fn path_below_v2(&self) -> String {
        match (&self.path, &*self.repository.name) {
            (None, _) => String::new(),
            (Some(path), "") => path.clone(),
            (Some(path), name) => format!("{name}/{path}"),
        }
    }
}

/// Where a request goes.
pub(super) struct Aim<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) chosen_by: ChosenBy,
    pub(super) version: Version,
    pub(super) lane: usize,
    /// Whether it goes over a connection that no earlier request used.
    pub(super) fresh: bool,
}

impl Transport {
    /// A transport whose settle window and time limit begin now; `describe` says how a cause reads
    /// in a log line.
    #[must_use]
    pub(crate) fn new(
        clients: Arc<Clients>,
        patience: Patience,
        logins: Logins,
        describe: fn(&Cause) -> String,
    ) -> Self {
        Self {
            clients,
            shared_tries: SharedTries::new(patience, describe),
            auth: Auth::new(logins),
            gates: Mutex::default(),
            schemes: Schemes::default(),
            products: Products::default(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// How many requests were sent.
    #[must_use]
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many bytes of bodies were received.
    #[must_use]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Forgets the tokens of a repository that is not asked about any more.
    pub(crate) fn forget(&self, repository: &Repository) {
        self.auth.forget(repository);
    }

    /// The secrets that were sent to any server so far, but for tokens that are forgotten.
    #[must_use]
    pub(crate) fn secrets(&self) -> Secrets {
        self.auth.secrets()
    }

    /// Which registry this host is, as far as its answers have shown by now.
    #[must_use]
    pub(crate) fn product_of(&self, registry: &str) -> Product {
        self.products.of(registry)
    }

    /// What else is known of a repository, for hints: where its API is, and the login that is sent.
    /// A registry that has not asked for a login has no use for one, unless it `is_denied`.
    pub(crate) async fn known(&self, repository: &Repository, is_denied: bool) -> Known {
        let base = self.scheme_of(&repository.registry).base().ok();
        let origin = base.map(|url| url.origin().ascii_serialization());
        let pass = self.auth.pass(repository).await;
        let access = if pass.is_some() || is_denied {
            self.auth.access(repository).await
        } else {
            Access::Anonymous
        };
        Known {
            base: origin.map(String::into_boxed_str),
            access,
            needs_token: pass.is_some_and(|pass| pass.is_bearer()),
            ..Known::default()
        }
    }

    pub(super) fn products(&self) -> &Products {
        &self.products
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.auth
    }

    pub(super) fn redacted(&self, text: &str) -> String {
        self.auth.redacted(text)
    }

    pub(super) fn network(&self) -> &Network {
        self.clients.network()
    }

    /// How much is left of the window in which a push may not be visible yet.
    #[must_use]
    pub(crate) fn settle_left(&self) -> Duration {
        self.shared_tries.settle_left()
    }

    /// How long and how often to ask.
    pub(super) fn patience(&self) -> &Patience {
        self.shared_tries.patience()
    }

    pub(super) fn shared_tries(&self) -> &SharedTries {
        &self.shared_tries
    }

    pub(super) fn scheme_of(&self, registry: &str) -> Arc<Scheme> {
        self.schemes.of(registry, self.network())
    }

    pub(super) fn gate(&self, host: &str) -> Arc<Gate> {
        /// How many hosts are remembered before the gates of idle token servers are dropped.
        const MOST: usize = 1024;
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MOST {
            gates.retain(|host, gate| !host.starts_with("token ") || Arc::strong_count(gate) > 1);
        }
        let gate = gates.entry(host.to_owned()).or_insert_with(|| {
            let patience = self.patience();
            Arc::new(Gate::new(patience.concurrency, patience.rate))
        });
        Arc::clone(gate)
    }

    /// Asks until the answer stands. `headers` are rebuilt for each try; `accept` says which
    /// statuses `read` understands.
    pub(super) async fn ask<T>(
        &self,
        question: &Question<'_>,
        headers: impl Fn() -> HeaderMap,
        accept: impl Fn(u16) -> bool,
        read: impl AsyncFn(&mut Answer<'_>) -> Result<T, Unread<T>>,
    ) -> Asked<T> {
        let gate = self.gate(&question.repository.registry);
        let path = question.path.as_deref().unwrap_or("/v2/");
        let attempt = async |lane| {
            let mut attempt = self.attempt(question, lane)?;
            let mut answer = attempt.run(&headers, &accept).await?.at(&gate);
            let status = answer.status();
            Ok((status, read(&mut answer).await))
        };
        self.repeat(question, path, attempt).await
    }

    /// A try of a question by the lane of a permit.
    pub(super) fn attempt<'a>(
        &'a self,
        question: &'a Question<'a>,
        lane: usize,
    ) -> Result<Attempt<'a>, Failed> {
        Attempt::new(self, &self.auth, question, lane)
    }

    /// Repeats an attempt, which may be several requests, until its answer stands; `what` is how
    /// log lines call it.
    pub(super) async fn repeat<T>(
        &self,
        question: &Question<'_>,
        what: &str,
        attempt: impl AsyncFn(usize) -> Result<(u16, Result<T, Unread<T>>), Failed>,
    ) -> Asked<T> {
        let tries = Tries::new(&self.shared_tries, question.may_be_absent);
        self.go_on(question, what, tries, attempt).await
    }

    /// Deletes: asks once, and waits if it may be asked again. `before` is how often it was asked before.
    pub(super) async fn delete_once(
        &self,
        question: &Question<'_>,
        what: &str,
        before: u32,
        attempt: impl AsyncFn(usize) -> Result<u16, Failed>,
    ) -> Asked<Taken> {
        let mut tries = Tries::new(&self.shared_tries, question.may_be_absent);
        tries.count(before);
        let is_asked = Cell::new(false);
        let once = async |lane| {
            if is_asked.replace(true) {
                return Ok((202, Ok(Taken::AskAgain)));
            }
            Ok((attempt(lane).await?, Ok(Taken::Deleted)))
        };
        self.go_on(question, what, tries, once).await
    }

    async fn go_on<T>(
        &self,
        question: &Question<'_>,
        what: &str,
        mut tries: Tries<'_>,
        attempt: impl AsyncFn(usize) -> Result<(u16, Result<T, Unread<T>>), Failed>,
    ) -> Asked<T> {
        let registry = &question.repository.registry;
        let gate = self.gate(registry);
        let mut ends = EarlyEnds::default();
        loop {
            let permit = gate.pass().await;
            tries.begin();
            // Boxed, so that a question that waits for its permit is small.
            let outcome = Box::pin(attempt(permit.lane())).await;
            drop(permit);
            let (failed, otherwise) = match outcome {
                Ok((status, Ok(content))) => {
                    if (200..300).contains(&status) && question.path.is_some() {
                        question.delivers.store(true, Ordering::Relaxed);
                    }
                    return tries.end(Ok(content), Some(status));
                }
                Ok((status, Err(unread))) => {
                    if unread.farther {
                        tries.reset();
                    }
                    ends.note(&unread);
                    let otherwise = unread.otherwise.map(|(_, content)| content);
                    (Failed::from(unread.problem).with_status(status), otherwise)
                }
                Err(failed) => {
                    ends.note_failure(&failed);
                    let delivers = question.delivers.load(Ordering::Relaxed);
                    (failed.where_others_are_delivered(delivers), None)
                }
            };
            let redact = &|text: &str| self.redacted(text);
            let again = if question.once {
                None
            } else {
                tries.again(&failed, registry, what, redact)
            };
            match again {
                Some((wait, true)) => gate.close_for(wait),
                Some((wait, false)) => tokio::time::sleep(wait).await,
                None => {
                    let is_proven = ends.prove(self.patience().attempts);
                    let answer = otherwise.filter(|_| is_proven).ok_or(failed.fault);
                    return tries.end(answer, failed.status);
                }
            }
        }
    }

    /// Sends one request, and waits for the headers of its answer.
    pub(super) async fn send(
        &self,
        aim: Aim<'_>,
        mut headers: HeaderMap,
        payload: Payload<'_>,
    ) -> Result<Answer<'_>, Problem> {
        let lanes = self
            .clients
            .lanes(aim.url, aim.chosen_by, aim.version)
            .map_err(|error| Problem::new(ProblemKind::Refused, format!("{error:#}")))?;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = Request::new(aim.method, aim.url.clone());
        *request.headers_mut() = headers;
        let outgoing = payload.put_into(&mut request);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let limit = self.network().request_timeout;
        let sent = if aim.fresh {
            lanes.send_alone(request, limit).await
        } else {
            let outgoing = outgoing.as_ref();
            lanes.send_body(aim.lane, request, limit, outgoing).await
        };
        Ok(Answer::new(sent?, &self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::loopback::{Loopback, ask};
    use super::*;
    use crate::walk::cause::Trouble;
    use crate::walk::source::FaultKind;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_fresh_question_has_a_connection_of_its_own() {
        let server = Loopback::start(|_| (AT_ONCE, AT_ONCE));
        let transport = server.transport(LONG);
        let repository = server.repository("app");
        for fresh in [false, false, true, true, false] {
            let asked = ask(&transport, &repository, fresh).await;
            assert_eq!(asked.answer.unwrap(), b"{}");
        }
        // The first connection was for the handshake.
        assert_eq!(server.seen(), [1, 1, 2, 3, 1]);
    }

    #[tokio::test]
    async fn many_questions_at_once_agree_on_plain_http() {
        /// Every connection takes another time, so that handshakes fail before and after the first
        /// answer.
        fn delays(connection: usize) -> (Option<Duration>, Option<Duration>) {
            let after = |step| Some(Duration::from_millis((connection * step % 19) as u64));
            (after(7), after(5))
        }
        let server = Loopback::start(delays);
        let names: Vec<_> = (0..8)
            .map(|number| server.repository(&format!("app{number}")))
            .collect();
        for _ in 0..30 {
            let runs: Vec<_> = (0..10).map(|_| server.transport(LONG)).collect();
            let questions = runs.iter().flat_map(|transport| {
                let names = names.iter();
                names.map(move |name| ask(transport, name, false))
            });
            for asked in futures_util::future::join_all(questions).await {
                assert_eq!(asked.answer.unwrap(), b"{}");
                assert_eq!(asked.attempts, 1);
            }
        }
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_a_timeout_in_either_scheme() {
        const SHORT: Duration = Duration::from_millis(50);
        for server in [
            Loopback::start(|_| (None, None)),
            Loopback::start(|_| (AT_ONCE, None)),
        ] {
            let transport = server.transport(SHORT);
            let asked = ask(&transport, &server.repository("app"), false).await;
            let fault = asked.answer.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Unavailable);
            let Cause::Unreached { trouble, .. } = fault.cause else {
                panic!("{:?}", fault.cause);
            };
            assert_eq!(trouble, Trouble::Timeout);
            assert_eq!(asked.attempts, Patience::default().attempts);
        }
        // The first is the handshake, the second the request that is not answered.
        let slow = Loopback::start(|connection| (AT_ONCE, AT_ONCE.filter(|_| connection > 1)));
        let transport = slow.transport(Duration::from_secs(1));
        let asked = ask(&transport, &slow.repository("app"), false).await;
        assert_eq!((asked.answer.unwrap(), asked.attempts), (b"{}".to_vec(), 2));
    }
}
