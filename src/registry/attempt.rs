//! One try of a question: sends its requests, as [`Route`] decides, until there is an answer.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use url::Url;

use super::answer::Answer;
use super::auth::{Auth, Challenged, Pass, Refused};
use super::challenge::{self, Challenge};
use super::error;
use super::failed::{Failed, final_failure};
use super::payload::Payload;
use super::presence;
use super::redirect;
use super::route::{Event, Rejection, Route, Step};
use super::scope::Scope;
use super::transport::{Aim, Question, Transport};
use crate::http::{ChosenBy, Problem, ProblemKind, Version};

/// One try of a question, by the lane of its permit.
pub(super) struct Attempt<'a> {
    transport: &'a Transport,
    auth: &'a Auth,
    question: &'a Question<'a>,
    lane: usize,
    route: Route,
    /// A pass that is not shared with other questions.
    own_pass: Option<Pass>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        transport: &'a Transport,
        auth: &'a Auth,
        question: &'a Question<'a>,
        lane: usize,
    ) -> Result<Self, Failed> {
        let scheme = transport.scheme_of(&question.repository.registry);
        Ok(Self {
            transport,
            auth,
            question,
            lane,
            route: Route::new(scheme, question.path_below_v2())?,
            own_pass: None,
        })
    }

    /// A try of another question, at the upload session that an answer to this one has opened.
    pub(super) fn at_session<'b>(&self, question: &'b Question<'b>, session: &Url) -> Attempt<'b>
    where
        'a: 'b,
    {
        Attempt {
            transport: self.transport,
            auth: self.auth,
            question,
            lane: self.lane,
            route: self.route.to_named(session.clone()),
            own_pass: self.own_pass.clone(),
        }
    }

    /// The URL of the upload session that an answer has opened.
    ///
    /// # Errors
    /// When nothing may be sent there.
    pub(super) fn session(&self, answer: &Answer<'_>) -> Result<Url, Failed> {
        redirect::session(&self.route.url, answer.header(&LOCATION))
            .map_err(|why| Problem::new(ProblemKind::Refused, why).into())
    }

    /// What it is permitted to do.
    pub(super) fn scope(&self) -> Scope {
        self.question.scope.clone()
    }

    /// Whether the next request goes to the registry itself.
    pub(super) fn is_at_registry(&self) -> bool {
        self.route.is_at_registry()
    }

    /// Asks until there is an answer with a status that `accept` takes.
    pub(super) async fn run(
        &mut self,
        headers: &impl Fn() -> HeaderMap,
        accept: &impl Fn(u16) -> bool,
    ) -> Result<Answer<'a>, Failed> {
        loop {
            let pass = self.pass().await;
            let mut headers = headers();
            if let Some(pass) = &pass {
                headers.insert(AUTHORIZATION, pass.header());
            }
            let sent = self.send(headers, self.question.payload).await;
            if let Ok(answer) = &sent
                && self.route.is_at_registry()
            {
                let (status, headers) = (answer.status(), answer.headers());
                self.transport
                    .products()
                    .note(self.registry(), status, headers);
            }
            let seen = match sent {
                Err(problem) => Event::Problem(problem),
                Ok(answer) if redirect::is_redirect(answer.status()) => {
                    let location = answer.header(&LOCATION).map(str::to_owned);
                    if self.question.writes() {
                        Event::RedirectedWrite(answer.status(), location)
                    } else {
                        Event::Redirect(location)
                    }
                }
                Ok(answer) => {
                    let status = answer.status();
                    if self.route.is_at_registry() && status != 400 {
                        self.route.scheme.settle(&self.route.base);
                    }
                    if accept(status) {
                        return Ok(answer);
                    }
                    Event::Rejection(self.read_rejection(answer, pass).await)
                }
            };
            let step = self.route.next(seen);
            self.apply(step).await?;
        }
    }

    fn registry(&self) -> &'a str {
        &self.question.repository.registry
    }

    async fn pass(&self) -> Option<Pass> {
        match &self.own_pass {
            _ if !self.route.is_at_registry() => None,
            Some(own) => Some(own.clone()),
            None => match self.auth.current(self.question).await {
                None if self.question.with_login => self.auth.unasked(self.question).await,
                current => current,
            },
        }
    }

    async fn send(&self, headers: HeaderMap, payload: Payload<'_>) -> Result<Answer<'a>, Problem> {
        let chosen_by = if self.route.is_at_registry() {
            ChosenBy::User
        } else {
            ChosenBy::Server
        };
        let aim = Aim {
            method: self.question.method.clone(),
            url: &self.route.url,
            chosen_by,
            version: self.route.version,
            lane: self.lane,
            fresh: self.question.fresh,
        };
        self.transport.send(aim, headers, payload).await
    }

    async fn read_rejection(&self, mut answer: Answer<'a>, pass: Option<Pass>) -> Rejection {
        let challenges = if self.route.is_at_registry() {
            answer.all(&WWW_AUTHENTICATE)
        } else {
            Vec::new()
        };
        let (body, broken) = answer.error_body().await;
        if self.route.is_at_registry() {
            self.transport.products().note_error(self.registry(), &body);
        }
        Rejection {
            status: answer.status(),
            retry_after: answer.retry_after(),
            body,
            broken,
            challenges,
            pass,
            names_api: presence::names_version(&answer),
            is_for_head: self.question.method == Method::HEAD,
        }
    }

    async fn apply(&mut self, step: Step) -> Result<(), Failed> {
        match step {
            Step::SettledScheme => self.route.take_settled_scheme(),
            Step::OtherScheme(why) => self.route.take_other_scheme(why),
            Step::FirstScheme => Err(self.route.back_to_first_scheme()),
            Step::OlderVersion(why) => {
                self.route.version = Version::One;
                self.route.first_version = Some(why);
                Ok(())
            }
            Step::Redirect(url) => {
                self.route.redirects += 1;
                self.route.url = url;
                Ok(())
            }
            Step::Renew(rejection) => self.renew(&rejection).await,
            Step::GiveUp(failed) => Err(failed),
        }
    }

    async fn renew(&mut self, rejection: &Rejection) -> Result<(), Failed> {
        self.route.renewals += 1;
        let mut offered = challenge::read(rejection.challenges.iter().map(String::as_str));
        if offered.is_empty() && rejection.is_expiry_with_400() {
            offered = self.challenges_without_a_pass(rejection).await?;
        }
        let challenged = Challenged {
            transport: self.transport,
            lane: self.lane,
            question: self.question,
            base: &self.route.base,
            challenges: &offered,
        };
        // Other questions may use up a shared pass as fast as it is obtained.
        let alone = self.route.renewals > 1;
        let renewed = self
            .auth
            .renew(&challenged, rejection.pass.as_ref(), alone)
            .await;
        self.own_pass = renewed.map_err(|refused| match refused {
            Refused::Denied(denial, words) => {
                let words = words.or_else(|| error::read(&rejection.body));
                Failed::denied(denial, rejection.status, words)
            }
            Refused::Failed(failed) => final_failure(failed),
        })?;
        Ok(())
    }

    async fn challenges_without_a_pass(
        &self,
        rejection: &Rejection,
    ) -> Result<Vec<Challenge>, Failed> {
        let answer = self.send(HeaderMap::new(), Payload::Nothing).await?;
        let status = answer.status();
        if status != 401 && rejection.is_for_head {
            // It was no word about the token.
            return Err(rejection.failed(self.route.place()));
        }
        if status != 401 {
            let why = format!("refuses its token with 400, and answers {status} without a token");
            return Err(Problem::new(ProblemKind::NotHttp, why).into());
        }
        let challenges = answer.all(&WWW_AUTHENTICATE);
        Ok(challenge::read(challenges.iter().map(String::as_str)))
    }
}
