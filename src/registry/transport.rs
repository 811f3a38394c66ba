//! One way to ask a host: permit, authorization, redirects, another try when that may help.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Method, Request, Response};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use url::Url;

use super::auth::{Asking, Auth, Pass, Refused};
use super::gate::Gate;
use super::redirect::{self, MAX_REDIRECTS, same_origin, shown};
use super::retry::{self, Ended, Next, State};
use super::telling::{Tell, Telling};
use super::{challenge, error};
use crate::http::{ChosenBy, Clients, Problem, ProblemKind, Version, is_loopback};
use crate::reference::{DOCKER_HUB, Repository};
use crate::report::human;
use crate::settings::{Hosts, Logins, Network, Patience, Secret};
use crate::source::{Asked, Fault, FaultKind};

/// How often one try of a question gets another header: one that is shared with others, and one of its own.
const MOST_RENEWALS: u32 = 2;

/// Asks registries and their token servers; one for a whole run, so that permits, waits and tokens are shared.
pub struct Transport {
    clients: Arc<Clients>,
    patience: Patience,
    auth: Auth,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    /// What is spoken to each registry.
    schemes: Mutex<HashMap<String, Arc<Scheme>>>,
    started: Instant,
    requests: AtomicU64,
    bytes: AtomicU64,
    telling: Mutex<Telling>,
    told_of_absence: AtomicBool,
}

/// A question to a registry.
pub(super) struct Question<'a> {
    pub(super) repository: &'a Repository,
    pub(super) method: Method,
    /// Below `/v2/<name>/`.
    pub(super) path: String,
    /// Whether a first 404 is believed; else it is "not yet" until the settle window closes.
    pub(super) may_be_absent: bool,
}

/// A call to a token server.
pub(super) struct Call {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    /// The body of a POST; without it the call is a GET.
    pub(super) form: Option<Secret>,
    /// The lane of the question that needs the token: its connection has nothing to do meanwhile.
    pub(super) lane: usize,
}

/// Where a request goes.
struct Aim<'a> {
    method: Method,
    url: &'a Url,
    chosen_by: ChosenBy,
    version: Version,
    lane: usize,
}

/// Why a try brought nothing.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) status: Option<u16>,
    pub(super) ended: Ended,
}

impl Failed {
    fn new(kind: FaultKind, status: u16, detail: String) -> Self {
        let ended = Ended::Status { status, retry_after: None };
        Self { fault: Fault { kind, detail }, status: Some(status), ended }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        let fault = Fault { kind: FaultKind::Unavailable, detail: problem.text.clone() };
        Self { fault, status: None, ended: Ended::Problem(problem) }
    }
}

/// Why an answer could not be read to its end.
pub(super) struct Unread<T> {
    pub(super) problem: Problem,
    /// After which byte it ended, and what that amounts to when every further try ends there.
    pub(super) otherwise: Option<(u64, T)>,
    /// Whether this try went on where the one before it had ended, and came farther.
    pub(super) farther: bool,
}

impl<T> Unread<T> {
    /// An answer that ended after so many bytes.
    pub(super) fn ended(problem: Problem, at: u64, content: T) -> Self {
        Self { problem, otherwise: Some((at, content)), farther: false }
    }
}

impl<T> From<Problem> for Unread<T> {
    fn from(problem: Problem) -> Self {
        Self { problem, otherwise: None, farther: false }
    }
}

/// The largest body that may be held while others are, in bytes; for a larger one there is room once per registry.
const SMALL_BODY: usize = 64 * 1024;

/// Where the answers to one question ended too early, one after the other.
#[derive(Default)]
struct Ends {
    at: u64,
    count: u32,
}

impl Ends {
    /// So many of them at the same place prove that the content ends there: who cuts answers off on the way does so anywhere.
    const PROOF: u32 = 3;

    fn note(&mut self, at: u64) {
        self.count = if self.count > 0 && self.at == at { self.count + 1 } else { 1 };
        self.at = at;
    }

    /// Whether it is the content that ends there; fewer attempts than it takes have to do.
    fn prove(&self, attempts: u32) -> bool {
        self.count >= Self::PROOF.min(attempts)
    }
}

/// How a registry is spoken to.
struct Scheme {
    plain: AtomicBool,
    /// Whether it has answered so: then it will not change its mind.
    settled: AtomicBool,
}

/// An answer whose body is still to come.
pub(super) struct Answer<'a> {
    response: Response,
    transport: &'a Transport,
    gate: Option<&'a Gate>,
    room: Option<SemaphorePermit<'a>>,
}

impl Answer<'_> {
    pub(super) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// `Retry-After`, as a wait from now.
    fn retry_after(&self) -> Option<Duration> {
        retry::read_retry_after(self.header(&RETRY_AFTER)?, SystemTime::now())
    }

    /// The next piece of the body.
    pub(super) async fn piece(&mut self) -> Result<Option<impl AsRef<[u8]> + Send + 'static + use<>>, Problem> {
        let limit = self.transport.clients.network().request_timeout;
        match tokio::time::timeout(limit, self.response.chunk()).await {
            Err(_) => Err(Problem::new(ProblemKind::Timeout, format!("no byte came for {}", seconds(limit)))),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(piece)) => {
                let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                self.transport.bytes.fetch_add(length, Ordering::Relaxed);
                Ok(piece)
            }
        }
    }

    /// Makes room for another `piece` of a body that is kept; at most `limit` bytes are. What is large waits for its turn.
    pub(super) async fn make_room(&mut self, body: &mut Vec<u8>, piece: usize, limit: usize) {
        if body.len() + piece > SMALL_BODY && self.room.is_none() {
            if let Some(gate) = self.gate {
                self.room = Some(gate.hold().await);
            }
            let stated = self.header(&CONTENT_LENGTH).and_then(|length| length.trim().parse::<usize>().ok());
            body.reserve_exact(stated.unwrap_or(0).min(limit).saturating_sub(body.len()));
        }
    }

    /// The whole body, or its first `limit` bytes and whether there is more; or what came before it broke off.
    pub(super) async fn body(&mut self, limit: usize) -> Result<(Vec<u8>, bool), (Problem, Vec<u8>)> {
        let mut body = Vec::new();
        loop {
            match self.piece().await {
                Err(problem) => return Err((problem, body)),
                Ok(None) => return Ok((body, false)),
                Ok(Some(piece)) => {
                    let piece = piece.as_ref();
                    self.make_room(&mut body, piece.len(), limit).await;
                    if body.len() + piece.len() > limit {
                        body.extend_from_slice(&piece[..limit - body.len()]);
                        return Ok((body, true));
                    }
                    body.extend_from_slice(piece);
                }
            }
        }
    }

    /// What an error answer says, as far as it came, and why there is no more of it.
    async fn error_body(&mut self) -> (Vec<u8>, Option<Problem>) {
        match self.body(error::ERROR_LIMIT).await {
            Ok((body, _)) => (body, None),
            Err((problem, body)) => (body, Some(problem)),
        }
    }
}

impl Transport {
    /// A transport whose settle window and time limit begin now.
    #[must_use]
    pub fn new(clients: Arc<Clients>, patience: Patience, logins: Logins) -> Self {
        Self {
            clients,
            patience,
            auth: Auth::new(logins),
            gates: Mutex::default(),
            schemes: Mutex::default(),
            started: Instant::now(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            telling: Mutex::default(),
            told_of_absence: AtomicBool::new(false),
        }
    }

    /// How many requests were sent.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// How many bytes of bodies were received.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The words of an error answer, without what was shown to any server so far.
    pub(super) fn words(&self, body: &[u8]) -> Option<String> {
        self.auth.words(body)
    }

    pub(super) fn network(&self) -> &Network {
        self.clients.network()
    }

    fn gate(&self, host: &str) -> Arc<Gate> {
        /// How many hosts are remembered before the token servers that nobody waits for are forgotten.
        const MOST: usize = 1024;
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MOST {
            gates.retain(|host, gate| !host.starts_with("token ") || Arc::strong_count(gate) > 1);
        }
        let gate = gates.entry(host.to_owned()).or_insert_with(|| Arc::new(Gate::new(self.patience.concurrency)));
        Arc::clone(gate)
    }

    /// Asks until the answer stands. `headers` are made anew for each try; `accept` says which statuses `read` understands.
    pub(super) async fn ask<T>(
        &self,
        question: &Question<'_>,
        headers: impl Fn() -> HeaderMap,
        accept: impl Fn(u16) -> bool,
        read: impl AsyncFn(&mut Answer<'_>) -> Result<T, Unread<T>>,
    ) -> Asked<T> {
        let gate = self.gate(&question.repository.registry);
        let mut tries = Tries::new(self, question.may_be_absent);
        let mut ends = Ends::default();
        loop {
            let permit = gate.pass().await;
            tries.begin();
            // Boxed, so that a question that waits for its permit is small.
            let outcome = Box::pin(async {
                let mut answer = self.exchange(question, permit.lane(), &headers, &accept).await?;
                answer.gate = Some(&gate);
                let status = answer.status();
                Ok::<_, Failed>((status, read(&mut answer).await))
            })
            .await;
            drop(permit);
            let (failed, otherwise) = match outcome {
                Ok((status, Ok(content))) => return tries.end(Ok(content), Some(status)),
                Ok((status, Err(Unread { problem, otherwise, farther }))) => {
                    if farther {
                        tries.counted = 0;
                        ends = Ends::default();
                    }
                    match &otherwise {
                        Some((at, _)) => ends.note(*at),
                        None => ends = Ends::default(),
                    }
                    (Failed { status: Some(status), ..problem.into() }, otherwise.map(|(_, content)| content))
                }
                Err(failed) => {
                    // "Not yet" and "not so fast" say nothing about the way here.
                    if !matches!(failed.ended, Ended::Status { status: 404 | 429, .. }) {
                        ends = Ends::default();
                    }
                    (failed, None)
                }
            };
            if let Some((wait, everybody)) = tries.again(&failed, &question.repository.registry, &question.path) {
                if everybody {
                    gate.close_for(wait);
                } else {
                    tokio::time::sleep(wait).await;
                }
                continue;
            }
            return match otherwise.filter(|_| ends.prove(self.patience.attempts)) {
                Some(content) => tries.end(Ok(content), failed.status),
                None => tries.end(Err(failed.fault), failed.status),
            };
        }
    }

    /// One try: asks the registry, logs in where that is asked for, follows redirects.
    async fn exchange(
        &self,
        question: &Question<'_>,
        lane: usize,
        headers: &impl Fn() -> HeaderMap,
        accept: &impl Fn(u16) -> bool,
    ) -> Result<Answer<'_>, Failed> {
        let repository = question.repository;
        let scheme = self.scheme(&repository.registry);
        // Why the other scheme is being tried.
        let mut doubt: Option<Failed> = None;
        let mut base = Self::base(&repository.registry, &scheme)?;
        let mut url = question_url(&base, question)?;
        let mut version = Version::Best;
        // Why HTTP/1.1 is spoken instead.
        let mut headless = None;
        let (mut redirects, mut renewals, mut own) = (0, 0, None);
        loop {
            let at_registry = same_origin(&base, &url);
            let pass = match (&own, at_registry) {
                (_, false) => None,
                (Some(own), true) => Some(Pass::clone(own)),
                (None, true) => self.auth.current(repository).await,
            };
            let mut headers = headers();
            if let Some(pass) = &pass {
                headers.insert(AUTHORIZATION, pass.header());
            }
            let chosen_by = if at_registry { ChosenBy::User } else { ChosenBy::Server };
            let aim = Aim { method: question.method.clone(), url: &url, chosen_by, version, lane };
            let sent = self.send(aim, headers, None).await;
            let mut answer = match sent {
                Ok(answer) => answer,
                Err(problem)
                    if at_registry
                        && doubt.is_none()
                        && !scheme.settled.load(Ordering::Relaxed)
                        && self.speaks_otherwise(&repository.registry, &base, &problem) =>
                {
                    doubt = Some(problem.into());
                    (base, url) = Self::turn(&scheme, &base, question)?;
                    continue;
                }
                Err(problem) if problem.kind == ProblemKind::Headless && version == Version::Best => {
                    version = Version::One;
                    headless = Some(problem);
                    continue;
                }
                Err(problem) => {
                    // Only a certificate shows, without an answer, that TLS is spoken; else the first scheme was no worse.
                    if at_registry
                        && !problem.shows_tls()
                        && let Some(first) = doubt.take()
                    {
                        Self::turn(&scheme, &base, question)?;
                        return Err(first);
                    }
                    // Where HTTP/1.1 is not spoken at all, the first answer was the better one.
                    return Err(elsewhere(headless.unwrap_or(problem), at_registry, &url).into());
                }
            };
            let status = answer.status();
            if redirect::is_redirect(status) {
                redirects += 1;
                url = redirected(&url, &answer, redirects)?;
                continue;
            }
            if at_registry && status != 400 {
                scheme.settled.store(true, Ordering::Relaxed);
            }
            if accept(status) {
                return Ok(answer);
            }
            let challenges: Vec<String> = if at_registry { all(&answer, &WWW_AUTHENTICATE) } else { Vec::new() };
            let retry_after = answer.retry_after();
            let (body, broken) = answer.error_body().await;
            if at_registry && doubt.is_none() && base.scheme() == "http" && status == 400 && asks_for_https(&body) {
                doubt = Some(failure(status, retry_after, self.words(&body), at_registry, &url));
                (base, url) = Self::turn(&scheme, &base, question)?;
                continue;
            }
            let expired_with_400 =
                status == 400 && pass.as_ref().is_some_and(Pass::is_bearer) && error::tells_of_expired_token(&body);
            if at_registry && (status == 401 || expired_with_400) && renewals < MOST_RENEWALS {
                renewals += 1;
                let mut challenges = challenge::read(challenges.iter().map(String::as_str));
                if challenges.is_empty() && expired_with_400 {
                    // Public ECR does not repeat its challenge; the same question without a token brings it.
                    challenges = self.challenges_of(question, lane, &url).await?;
                }
                let asking = Asking { transport: self, lane, repository, base: &base, challenges: &challenges };
                // What is shared may be used up by others, as fast as it is had: the second is for this question alone.
                let renewed = self.auth.renew(&asking, pass.as_ref(), renewals > 1).await;
                own = renewed.map_err(|refused| match refused {
                    Refused::Denied(why) => Failed::new(FaultKind::Denied, status, with_words(&why, self.words(&body))),
                    Refused::Failed(failed) => final_failure(failed),
                })?;
                continue;
            }
            // What a 400 is about is in its words.
            if let Some(problem) = broken.filter(|_| status == 400) {
                return Err(elsewhere(problem, at_registry, &url).into());
            }
            if expired_with_400 {
                return Err(Failed::new(
                    FaultKind::Denied,
                    status,
                    with_words("refuses every token", self.words(&body)),
                ));
            }
            return Err(failure(status, retry_after, self.words(&body), at_registry, &url));
        }
    }

    async fn challenges_of(
        &self,
        question: &Question<'_>,
        lane: usize,
        url: &Url,
    ) -> Result<Vec<challenge::Challenge>, Failed> {
        let method = question.method.clone();
        let aim = Aim { method, url, chosen_by: ChosenBy::User, version: Version::Best, lane };
        let answer = self.send(aim, HeaderMap::new(), None).await?;
        if answer.status() != 401 {
            let why = format!("refuses its token with 400, and without a token answers {}", answer.status());
            return Err(Failed::from(Problem::new(ProblemKind::NotHttp, why)));
        }
        Ok(challenge::read(all(&answer, &WWW_AUTHENTICATE).iter().map(String::as_str)))
    }

    /// Calls a token server until its answer stands; every status below 500 but 429 is an answer.
    pub(super) async fn call(&self, call: &Call, chosen_by: ChosenBy) -> Result<(u16, Vec<u8>), Failed> {
        let host = shown(&call.url);
        let gate = self.gate(&format!("token {host}"));
        let mut tries = Tries::new(self, true);
        loop {
            gate.open().await;
            tries.begin();
            let failed = match Box::pin(self.call_once(call, chosen_by)).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            match tries.again(&failed, &host, "token") {
                Some((wait, true)) => gate.close_for(wait),
                Some((wait, false)) => tokio::time::sleep(wait).await,
                None => return Err(failed),
            }
        }
    }

    async fn call_once(&self, call: &Call, chosen_by: ChosenBy) -> Result<(u16, Vec<u8>), Failed> {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &call.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let method = if call.form.is_some() { Method::POST } else { Method::GET };
        let aim = Aim { method, url: &call.url, chosen_by, version: Version::Best, lane: call.lane };
        let mut answer = self.send(aim, headers, call.form.as_ref()).await?;
        let status = answer.status();
        if redirect::is_redirect(status) {
            let why = "it redirects, which is not followed with a login".to_owned();
            return Err(Failed::from(Problem::new(ProblemKind::Refused, why)));
        }
        if retry::is_transient(status) {
            let retry_after = answer.retry_after();
            let (body, _) = answer.error_body().await;
            return Err(failure(status, retry_after, self.words(&body), true, &call.url));
        }
        match answer.body(error::ERROR_LIMIT).await {
            Ok((_, true)) => Err(Failed::from(Problem::new(ProblemKind::Refused, "its answer is longer than 64 KiB"))),
            Ok((body, false)) => Ok((status, body)),
            Err((problem, _)) => Err(problem.into()),
        }
    }

    /// Sends one request, and waits for the headers of its answer.
    async fn send(&self, aim: Aim<'_>, mut headers: HeaderMap, form: Option<&Secret>) -> Result<Answer<'_>, Problem> {
        let lanes = self
            .clients
            .lanes(aim.url, aim.chosen_by, aim.version)
            .map_err(|error| Problem::new(ProblemKind::Refused, format!("{error:#}")))?;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = Request::new(aim.method, aim.url.clone());
        if let Some(form) = form {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            *request.body_mut() = Some(form.expose().to_owned().into());
        }
        *request.headers_mut() = headers;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let response = lanes.send(aim.lane, request, self.clients.network().request_timeout).await?;
        Ok(Answer { response, transport: self, gate: None, room: None })
    }

    /// Where the API of a registry is.
    fn base(registry: &str, scheme: &Scheme) -> Result<Url, Failed> {
        let host = if registry == DOCKER_HUB { "registry-1.docker.io" } else { registry };
        let scheme = if scheme.plain.load(Ordering::Relaxed) { "http" } else { "https" };
        format!("{scheme}://{host}/v2/").parse().map_err(|error| {
            Failed::from(Problem::new(ProblemKind::Refused, format!("{registry} is not a host ({error})")))
        })
    }

    /// Speaks to a registry in the other scheme from now on.
    fn turn(scheme: &Scheme, base: &Url, question: &Question<'_>) -> Result<(Url, Url), Failed> {
        scheme.plain.store(base.scheme() == "https", Ordering::Relaxed);
        let base = Self::base(&question.repository.registry, scheme)?;
        let url = question_url(&base, question)?;
        Ok((base, url))
    }

    /// How a registry is spoken to: to begin with in plain HTTP where the user named it or it is this machine.
    fn scheme(&self, registry: &str) -> Arc<Scheme> {
        let mut schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = schemes.entry(registry.to_owned()).or_insert_with(|| {
            let allowed = plain_allowed(registry, self.network());
            let named = !matches!(self.network().insecure, Hosts::All);
            let plain = allowed && (named || is_loopback(split_port(registry).0));
            Arc::new(Scheme { plain: plain.into(), settled: false.into() })
        });
        Arc::clone(known)
    }

    /// Whether a problem shows that the registry speaks the other scheme, where both are allowed.
    fn speaks_otherwise(&self, registry: &str, base: &Url, problem: &Problem) -> bool {
        if !plain_allowed(registry, self.network()) {
            return false;
        }
        let is_default_port = split_port(registry).1.is_none();
        let unreachable = problem.kind == ProblemKind::Connection && is_default_port;
        match base.scheme() {
            // A TLS server answers an HTTP request with an alert.
            "http" => problem.kind == ProblemKind::NotHttp || unreachable,
            _ => problem.is_without_tls() || unreachable,
        }
    }
}

/// Counts the tries of one question and decides on the next.
struct Tries<'a> {
    transport: &'a Transport,
    may_be_absent: bool,
    began: Instant,
    sent: u32,
    counted: u32,
    absences: u32,
    first_absence: Option<Instant>,
}

impl<'a> Tries<'a> {
    fn new(transport: &'a Transport, may_be_absent: bool) -> Self {
        Self { transport, may_be_absent, began: Instant::now(), sent: 0, counted: 0, absences: 0, first_absence: None }
    }

    fn begin(&mut self) {
        if self.sent == 0 {
            self.began = Instant::now();
        }
        self.sent += 1;
    }

    /// How long to wait before the next try, and whether everybody should; `None` when there is none.
    fn again(&mut self, failed: &Failed, host: &str, what: &str) -> Option<(Duration, bool)> {
        let patience = &self.transport.patience;
        let absent = matches!(failed.ended, Ended::Status { status: 404, .. });
        let since = self.transport.started.elapsed();
        let settle = if self.may_be_absent { Duration::ZERO } else { patience.settle };
        if !absent {
            self.counted += 1;
        }
        let state = State {
            tries: self.counted.max(1),
            absences: self.absences,
            settle_left: settle.min(patience.timeout).saturating_sub(since),
            run_left: patience.timeout.saturating_sub(since),
            jitter: chance(),
        };
        let Next::Again { wait, everybody } = retry::next(&failed.ended, state, patience) else { return None };
        let (what, detail, again) = (in_short(what), &failed.fault.detail, human::duration(wait));
        if absent {
            self.absences += 1;
            self.first_absence.get_or_insert_with(Instant::now);
            if !self.transport.told_of_absence.swap(true, Ordering::Relaxed) {
                let window = human::duration(patience.settle);
                log::info!("{host}: {what}: {detail}; what is not there yet may come within {window} (`settle`)");
            }
            log::debug!("{host}: {what}: not there yet, looking again in {again}");
        } else {
            let (tries, attempts) = (self.counted, patience.attempts);
            let line = format!("{host}: {what}: {detail}; asking again in {again} (attempt {tries} of {attempts})");
            match self.transport.telling.lock().unwrap_or_else(PoisonError::into_inner).next(Instant::now()) {
                Tell::Line => log::info!("{line}"),
                Tell::LastLine => log::info!("{line}; more such lines only at log level debug"),
                Tell::Quietly => log::debug!("{line}"),
            }
        }
        Some((wait, everybody))
    }

    fn end<T>(self, answer: Result<T, Fault>, status: Option<u16>) -> Asked<T> {
        let appeared_after = self.first_absence.filter(|_| answer.is_ok()).map(|first| first.elapsed());
        Asked { answer, status, attempts: self.sent, duration: self.began.elapsed(), appeared_after }
    }
}

/// `blobs/sha256:0123456789ab…`: as much of a digest as people need to find it in the report.
fn in_short(what: &str) -> String {
    const DIGITS: usize = 12;
    match what.rsplit_once(':').and_then(|(before, hash)| Some((before, hash.get(..DIGITS)?))) {
        Some((before, hash)) => format!("{before}:{hash}…"),
        None => what.to_owned(),
    }
}

/// Whether plain HTTP may be spoken to a registry at all.
fn plain_allowed(registry: &str, network: &Network) -> bool {
    let (host, port) = split_port(registry);
    let insecure = |port| network.insecure.contain(host, port);
    is_loopback(host) || port.map_or_else(|| insecure(80) || insecure(443), insecure)
}

/// `host[:port]` in its parts, without the brackets of an IPv6 address.
fn split_port(registry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = registry.strip_prefix('[') {
        let (host, port) = rest.split_once(']').unwrap_or((rest, ""));
        return (host, port.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match registry.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (registry, None),
    }
}

/// Whether a 400 is how a TLS server says, in plain HTTP, that it is one: Go's and nginx's words.
fn asks_for_https(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTPS server") || text.contains("HTTPS port")
}

fn question_url(base: &Url, question: &Question<'_>) -> Result<Url, Failed> {
    let path = format!("{}/{}", question.repository.name, question.path);
    base.join(&path)
        .map_err(|error| Failed::from(Problem::new(ProblemKind::Refused, format!("{path} fits no URL ({error})"))))
}

fn redirected(from: &Url, answer: &Answer<'_>, redirects: usize) -> Result<Url, Failed> {
    let refused = |why| Failed::from(Problem::new(ProblemKind::Refused, why));
    if redirects > MAX_REDIRECTS {
        return Err(refused(format!("more than {MAX_REDIRECTS} redirects")));
    }
    redirect::follow(from, answer.header(&LOCATION)).map_err(refused)
}

fn all(answer: &Answer<'_>, name: &HeaderName) -> Vec<String> {
    let values = answer.response.headers().get_all(name);
    values.iter().filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
}

/// Names the host when a question was led away from its registry: two legs, two networks.
fn elsewhere(problem: Problem, at_registry: bool, url: &Url) -> Problem {
    if at_registry {
        problem
    } else {
        Problem { text: format!("redirected to {}: {}", shown(url), problem.text), ..problem }
    }
}

/// A token server was asked with patience already: the question is not put again for its sake.
fn final_failure(failed: Failed) -> Failed {
    let text = failed.fault.detail.clone();
    Failed { ended: Ended::Problem(Problem::new(ProblemKind::Refused, text)), ..failed }
}

fn failure(status: u16, retry_after: Option<Duration>, words: Option<String>, at_registry: bool, url: &Url) -> Failed {
    let (kind, what) = match status {
        401 | 403 => (FaultKind::Denied, format!("refused with {status}")),
        404 | 410 => (FaultKind::NotFound, format!("answered {status}")),
        429 => (FaultKind::RateLimited, "too many requests (429)".to_owned()),
        _ => (FaultKind::Unavailable, format!("answered {status}")),
    };
    let what = with_words(&what, words);
    let detail = if at_registry { what } else { format!("redirected to {}: {what}", shown(url)) };
    Failed { fault: Fault { kind, detail }, status: Some(status), ended: Ended::Status { status, retry_after } }
}

fn with_words(what: &str, words: Option<String>) -> String {
    match words {
        Some(words) => format!("{what} ({words})"),
        None => what.to_owned(),
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 2];
    // Without a source of chance the waits are only less spread.
    let _ = ring::rand::SystemRandom::new().fill(&mut bytes);
    f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
