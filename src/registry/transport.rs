//! One way to ask a host: permit, authorization, redirects, another try when that may help.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION,
    WWW_AUTHENTICATE,
};
use reqwest::{Method, Request};
use url::Url;

use super::answer::Answer;
use super::auth::{Asking, Auth, Pass, Refused};
use super::failed::{Failed, Unread, elsewhere, failure, final_failure, with_words};
use super::gate::Gate;
use super::redirect::{self, MAX_REDIRECTS, same_origin, shown};
use super::retry::{self, Ended};
use super::scheme::{Schemes, asks_for_https};
use super::tries::{Course, Ends, Tries};
use super::{challenge, error};
use crate::http::network::Network;
use crate::http::patience::Patience;
use crate::http::{ChosenBy, Clients, Problem, ProblemKind, Version};
use crate::oci::reference::Repository;
use crate::registry::logins::Logins;
use crate::text::redaction::Told;
use crate::text::secret::Secret;
use crate::walk::source::{Asked, FaultKind, Obstacle};

/// How often one try of a question gets another header: one that is shared with others, and one of its own.
const MOST_RENEWALS: u32 = 2;

/// Asks registries and their token servers; one for a whole run, so that permits, waits and tokens are shared.
pub struct Transport {
    clients: Arc<Clients>,
    course: Course,
    auth: Auth,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    schemes: Schemes,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// A question to a registry.
pub(super) struct Question<'a> {
    pub(super) repository: &'a Repository,
    pub(super) method: Method,
    /// Below `/v2/<name>/`; `None` for `/v2/` itself.
    pub(super) path: Option<String>,
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

impl Transport {
    /// A transport whose settle window and time limit begin now.
    #[must_use]
    pub fn new(clients: Arc<Clients>, patience: Patience, logins: Logins) -> Self {
        Self {
            clients,
            course: Course::new(patience),
            auth: Auth::new(logins),
            gates: Mutex::default(),
            schemes: Schemes::default(),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
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

    /// What was shown to any server so far.
    #[must_use]
    pub fn told(&self) -> Told {
        self.auth.told()
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
        let gate = gates
            .entry(host.to_owned())
            .or_insert_with(|| Arc::new(Gate::new(self.course.patience().concurrency)));
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
        let mut tries = Tries::new(&self.course, question.may_be_absent);
        let mut ends = Ends::default();
        loop {
            let permit = gate.pass().await;
            tries.begin();
            // Boxed, so that a question that waits for its permit is small.
            let outcome = Box::pin(async {
                let mut answer = self
                    .exchange(question, permit.lane(), &headers, &accept)
                    .await?
                    .at(&gate);
                let status = answer.status();
                Ok::<_, Failed>((status, read(&mut answer).await))
            })
            .await;
            drop(permit);
            let (failed, otherwise) = match outcome {
                Ok((status, Ok(content))) => return tries.end(Ok(content), Some(status)),
                Ok((
                    status,
                    Err(Unread {
                        problem,
                        otherwise,
                        farther,
                    }),
                )) => {
                    if farther {
                        tries.forgive();
                        ends = Ends::default();
                    }
                    match &otherwise {
                        Some((at, _)) => ends.note(*at),
                        None => ends = Ends::default(),
                    }
                    (
                        Failed {
                            status: Some(status),
                            ..problem.into()
                        },
                        otherwise.map(|(_, content)| content),
                    )
                }
                Err(failed) => {
                    // "Not yet" and "not so fast" say nothing about the way here.
                    if !matches!(
                        failed.ended,
                        Ended::Status {
                            status: 404 | 429,
                            ..
                        }
                    ) {
                        ends = Ends::default();
                    }
                    (failed, None)
                }
            };
            let path = question.path.as_deref().unwrap_or("/v2/");
            if let Some((wait, everybody)) =
                tries.again(&failed, &question.repository.registry, path)
            {
                if everybody {
                    gate.close_for(wait);
                } else {
                    tokio::time::sleep(wait).await;
                }
                continue;
            }
            return match otherwise.filter(|_| ends.prove(self.course.patience().attempts)) {
                Some(content) => tries.end(Ok(content), failed.status),
                None => tries.end(Err(failed.fault), failed.status),
            };
        }
    }

    /// One try: asks the registry, logs in where that is asked for, follows redirects.
    #[expect(clippy::too_many_lines, reason = "taken apart next")]
    async fn exchange(
        &self,
        question: &Question<'_>,
        lane: usize,
        headers: &impl Fn() -> HeaderMap,
        accept: &impl Fn(u16) -> bool,
    ) -> Result<Answer<'_>, Failed> {
        let repository = question.repository;
        let scheme = self.schemes.of(&repository.registry, self.network());
        // Why the other scheme is being tried.
        let mut doubt: Option<Failed> = None;
        let mut base = scheme.base()?;
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
            let chosen_by = if at_registry {
                ChosenBy::User
            } else {
                ChosenBy::Server
            };
            let aim = Aim {
                method: question.method.clone(),
                url: &url,
                chosen_by,
                version,
                lane,
            };
            let sent = self.send(aim, headers, None).await;
            let mut answer = match sent {
                Ok(answer) => answer,
                Err(problem)
                    if at_registry && doubt.is_none() && scheme.is_doubted_by(&problem, &base) =>
                {
                    doubt = Some(problem.into());
                    base = scheme.turn(&base)?;
                    url = question_url(&base, question)?;
                    continue;
                }
                Err(problem)
                    if problem.kind == ProblemKind::Headless && version == Version::Best =>
                {
                    version = Version::One;
                    headless = Some(problem);
                    continue;
                }
                Err(problem) => {
                    // Only a certificate shows, without an answer, that TLS is spoken; else the first scheme was no worse.
                    if at_registry
                        && !problem.kind.shows_tls()
                        && let Some(first) = doubt.take()
                    {
                        scheme.turn(&base)?;
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
                scheme.settle();
            }
            if accept(status) {
                return Ok(answer);
            }
            let challenges: Vec<String> = if at_registry {
                answer.all(&WWW_AUTHENTICATE)
            } else {
                Vec::new()
            };
            let retry_after = answer.retry_after();
            let (body, broken) = answer.error_body().await;
            if at_registry
                && doubt.is_none()
                && base.scheme() == "http"
                && status == 400
                && asks_for_https(&body)
            {
                let mut failed = failure(status, retry_after, self.words(&body), at_registry, &url);
                failed.fault.obstacle = Some(Obstacle::WithoutPlainHttp);
                doubt = Some(failed);
                base = scheme.turn(&base)?;
                url = question_url(&base, question)?;
                continue;
            }
            let expired_with_400 = status == 400
                && pass.as_ref().is_some_and(Pass::is_bearer)
                && error::tells_of_expired_token(&body);
            if at_registry && (status == 401 || expired_with_400) && renewals < MOST_RENEWALS {
                renewals += 1;
                let mut challenges = challenge::read(challenges.iter().map(String::as_str));
                if challenges.is_empty() && expired_with_400 {
                    // Public ECR does not repeat its challenge; the same question without a token brings it.
                    challenges = self.challenges_of(question, lane, &url).await?;
                }
                let asking = Asking {
                    transport: self,
                    lane,
                    repository,
                    base: &base,
                    challenges: &challenges,
                };
                // What is shared may be used up by others, as fast as it is had: the second is for this question alone.
                let renewed = self.auth.renew(&asking, pass.as_ref(), renewals > 1).await;
                own = renewed.map_err(|refused| match refused {
                    Refused::Denied(why) => Failed::new(
                        FaultKind::Denied,
                        status,
                        with_words(&why, self.words(&body)),
                    ),
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
            return Err(
                failure(status, retry_after, self.words(&body), at_registry, &url)
                    .or_of_a_stranger(&body),
            );
        }
    }

    async fn challenges_of(
        &self,
        question: &Question<'_>,
        lane: usize,
        url: &Url,
    ) -> Result<Vec<challenge::Challenge>, Failed> {
        let method = question.method.clone();
        let aim = Aim {
            method,
            url,
            chosen_by: ChosenBy::User,
            version: Version::Best,
            lane,
        };
        let answer = self.send(aim, HeaderMap::new(), None).await?;
        if answer.status() != 401 {
            let why = format!(
                "refuses its token with 400, and without a token answers {}",
                answer.status()
            );
            return Err(Failed::from(Problem::new(ProblemKind::NotHttp, why)));
        }
        Ok(challenge::read(
            answer.all(&WWW_AUTHENTICATE).iter().map(String::as_str),
        ))
    }

    /// Calls a token server until its answer stands; every status below 500 but 429 is an answer.
    pub(super) async fn call(
        &self,
        call: &Call,
        chosen_by: ChosenBy,
    ) -> Result<(u16, Vec<u8>), Failed> {
        let host = shown(&call.url);
        let gate = self.gate(&format!("token {host}"));
        let mut tries = Tries::new(&self.course, true);
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
        let method = if call.form.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        let aim = Aim {
            method,
            url: &call.url,
            chosen_by,
            version: Version::Best,
            lane: call.lane,
        };
        let mut answer = self.send(aim, headers, call.form.as_ref()).await?;
        let status = answer.status();
        if redirect::is_redirect(status) {
            let why = "it redirects, which is not followed with a login".to_owned();
            return Err(Failed::from(Problem::new(ProblemKind::Refused, why)));
        }
        if retry::is_transient(status) {
            let retry_after = answer.retry_after();
            let (body, _) = answer.error_body().await;
            return Err(failure(
                status,
                retry_after,
                self.words(&body),
                true,
                &call.url,
            ));
        }
        match answer.body(error::ERROR_LIMIT).await {
            Ok((_, true)) => Err(Failed::from(Problem::new(
                ProblemKind::Refused,
                "its answer is longer than 64 KiB",
            ))),
            Ok((body, false)) => Ok((status, body)),
            Err((problem, _)) => Err(problem.into()),
        }
    }

    /// Sends one request, and waits for the headers of its answer.
    async fn send(
        &self,
        aim: Aim<'_>,
        mut headers: HeaderMap,
        form: Option<&Secret>,
    ) -> Result<Answer<'_>, Problem> {
        let lanes = self
            .clients
            .lanes(aim.url, aim.chosen_by, aim.version)
            .map_err(|error| Problem::new(ProblemKind::Refused, format!("{error:#}")))?;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut request = Request::new(aim.method, aim.url.clone());
        if let Some(form) = form {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            );
            *request.body_mut() = Some(form.expose().to_owned().into());
        }
        *request.headers_mut() = headers;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let sent = lanes
            .send(aim.lane, request, self.network().request_timeout)
            .await;
        Ok(Answer::new(sent?, &self.bytes))
    }
}

fn question_url(base: &Url, question: &Question<'_>) -> Result<Url, Failed> {
    let Some(path) = &question.path else {
        return Ok(base.clone());
    };
    let path = format!("{}/{path}", question.repository.name);
    base.join(&path).map_err(|error| {
        Failed::from(Problem::new(
            ProblemKind::Refused,
            format!("{path} fits no URL ({error})"),
        ))
    })
}

fn redirected(from: &Url, answer: &Answer<'_>, redirects: usize) -> Result<Url, Failed> {
    let refused = |why| Failed::from(Problem::new(ProblemKind::Refused, why));
    if redirects > MAX_REDIRECTS {
        return Err(refused(format!("more than {MAX_REDIRECTS} redirects")));
    }
    redirect::follow(from, answer.header(&LOCATION)).map_err(refused)
}
