//! Decides what follows a request of one try: another scheme, a redirect, a new pass or the end.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::auth::Pass;
use super::failed::{Failed, failure, place};
use super::redirect::{self, MAX_REDIRECTS, same_origin};
use super::retry::Ended;
use super::scheme::Scheme;
use super::{error, quirks};
use crate::http::{Problem, ProblemKind, Version};
use crate::walk::cause::{Denial, Place, Trouble};

/// How often one try gets a new pass: one that is shared with other questions, and one of its own.
const MOST_RENEWALS: u32 = 2;

/// Where the next request of a try goes, and what the requests before it showed.
pub(super) struct Route {
    pub(super) scheme: Arc<Scheme>,
    /// Below `base`.
    path: String,
    pub(super) base: Url,
    pub(super) url: Url,
    pub(super) version: Version,
    pub(super) redirects: usize,
    pub(super) renewals: u32,
    /// Why the scheme was changed.
    first_scheme: Option<Failed>,
    /// Why HTTP/1.1 is spoken.
    pub(super) first_version: Option<Problem>,
    /// Whether the registry has named the URL, so that its scheme is not ours to choose.
    is_named: bool,
}

/// The outcome of a request, other than the answer.
pub(super) enum Event {
    Problem(Problem),
    /// A redirect to this `Location`.
    Redirect(Option<String>),
    /// The same with its status, of a question that writes.
    RedirectedWrite(u16, Option<String>),
    Rejection(Rejection),
}

/// An answer with a status that is not one to read.
pub(super) struct Rejection {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
    /// Why there is no more of the body.
    pub(super) broken: Option<Problem>,
    /// The values of `WWW-Authenticate`, from the registry itself.
    pub(super) challenges: Vec<String>,
    /// The pass that was sent.
    pub(super) pass: Option<Pass>,
    /// Whether it names the version of the registry's API.
    pub(super) names_api: bool,
    /// Whether the question was `HEAD`, whose answer has no words.
    pub(super) is_for_head: bool,
}

impl Rejection {
    pub(super) fn is_expiry_with_400(&self) -> bool {
        let is_refused_with_a_token = self.pass.as_ref().is_some_and(Pass::is_bearer);
        let is_expired = if self.is_for_head {
            self.status == 400
        } else {
            quirks::public_ecr_answers_400_for_an_expired_token(self.status, &self.body)
        };
        is_refused_with_a_token && is_expired
    }

    pub(super) fn failed(&self, place: Place) -> Failed {
        let names_api = self.names_api && place == Place::Registry;
        failure(self.status, self.retry_after, &self.body, place).naming_the_api(names_api)
    }
}

/// What is done next.
pub(super) enum Step {
    /// The same in the scheme in which the registry has answered another question meanwhile.
    SettledScheme,
    /// The same in the other scheme, because this one failed so.
    OtherScheme(Failed),
    /// The other scheme was no better: the first one's failure counts.
    FirstScheme,
    /// The same in HTTP/1.1.
    OlderVersion(Problem),
    Redirect(Url),
    /// The same with a new pass.
    Renew(Rejection),
    GiveUp(Failed),
}

impl Route {
    pub(super) fn new(scheme: Arc<Scheme>, path: String) -> Result<Self, Failed> {
        let base = scheme.base()?;
        Ok(Self {
            url: join(&base, &path)?,
            scheme,
            path,
            base,
            version: Version::Best,
            redirects: 0,
            renewals: 0,
            first_scheme: None,
            first_version: None,
            is_named: false,
        })
    }

    /// The way to a URL that the registry has named in an answer on this one.
    pub(super) fn to_named(&self, url: Url) -> Self {
        Self {
            scheme: Arc::clone(&self.scheme),
            path: String::new(),
            base: self.base.clone(),
            url,
            version: self.version,
            redirects: 0,
            renewals: 0,
            first_scheme: None,
            first_version: None,
            is_named: true,
        }
    }

    pub(super) fn is_at_registry(&self) -> bool {
        same_origin(&self.base, &self.url)
    }

    pub(super) fn place(&self) -> Place {
        place(self.is_at_registry(), &self.url)
    }

    pub(super) fn next(&self, seen: Event) -> Step {
        match seen {
            Event::Problem(problem) => self.after_problem(problem),
            Event::Redirect(location) => {
                self.after_redirect(redirect::follow(&self.url, location.as_deref()))
            }
            Event::RedirectedWrite(status, location) => {
                let location = location.as_deref();
                self.after_redirect(redirect::follow_write(&self.url, status, location))
            }
            Event::Rejection(rejection) => self.after_rejection(rejection),
        }
    }

    fn after_problem(&self, problem: Problem) -> Step {
        if self.is_at_registry() && !self.is_named {
            if self.scheme.has_settled_otherwise(&self.base) {
                return Step::SettledScheme;
            }
            let is_doubted = self.scheme.is_doubted_by(&problem, &self.base);
            if is_doubted && self.first_scheme.is_none() {
                return Step::OtherScheme(problem.into());
            }
        }
        if problem.kind == ProblemKind::Headless && self.version == Version::Best {
            return Step::OlderVersion(problem);
        }
        if self.is_at_registry()
            && let Some(first) = &self.first_scheme
            && !says_more(&problem, first)
        {
            return Step::FirstScheme;
        }
        // Where HTTP/1.1 is not spoken at all, the first problem says more.
        let problem = self.first_version.clone().unwrap_or(problem);
        Step::GiveUp(Failed::from(problem).at(self.place()))
    }

    fn after_redirect(&self, next: Result<Url, String>) -> Step {
        let next = if self.redirects == MAX_REDIRECTS {
            Err(format!("more than {MAX_REDIRECTS} redirects"))
        } else {
            next
        };
        match next {
            Ok(url) => Step::Redirect(url),
            Err(why) => Step::GiveUp(Problem::new(ProblemKind::Refused, why).into()),
        }
    }

    fn after_rejection(&self, rejection: Rejection) -> Step {
        let is_at_registry = self.is_at_registry();
        let is_for_tls = is_at_registry
            && !self.is_named
            && self.base.scheme() == "http"
            && quirks::go_and_nginx_answer_400_for_plain_http(rejection.status, &rejection.body);
        if is_for_tls && self.scheme.has_settled_otherwise(&self.base) {
            return Step::SettledScheme;
        }
        if is_for_tls && self.first_scheme.is_none() {
            let failed = rejection.failed(self.place());
            return Step::OtherScheme(failed.because_of(Trouble::WithoutPlainHttp));
        }
        let is_expiry = rejection.is_expiry_with_400();
        let wants_a_pass = is_at_registry && (rejection.status == 401 || is_expiry);
        if wants_a_pass && self.renewals < MOST_RENEWALS {
            return Step::Renew(rejection);
        }
        Step::GiveUp(match rejection.broken {
            // What a 400 is about is in its words.
            Some(problem) if rejection.status == 400 => Failed::from(problem).at(self.place()),
            _ if is_expiry && !rejection.is_for_head => {
                let words = error::read(&rejection.body);
                Failed::denied(Denial::EveryToken, rejection.status, words)
            }
            _ => rejection.failed(self.place()),
        })
    }

    pub(super) fn take_settled_scheme(&mut self) -> Result<(), Failed> {
        let scheme = Arc::clone(&self.scheme);
        *self = Self::new(scheme, std::mem::take(&mut self.path))?;
        Ok(())
    }

    pub(super) fn take_other_scheme(&mut self, why: Failed) -> Result<(), Failed> {
        self.base = self.scheme.turn(&self.base)?;
        self.url = join(&self.base, &self.path)?;
        self.first_scheme = Some(why);
        Ok(())
    }

    /// Returns to the first scheme for later questions, and gives its failure.
    pub(super) fn back_to_first_scheme(&mut self) -> Failed {
        match (self.scheme.turn(&self.base), self.first_scheme.take()) {
            (Ok(_), Some(first)) => first,
            (Err(failed), _) => failed,
            (Ok(_), None) => unreachable!("the scheme was changed for a reason"),
        }
    }
}

/// Whether a problem in the second scheme says more than the failure in the first.
fn says_more(second: &Problem, first: &Failed) -> bool {
    // Without an answer only a certificate shows that TLS is spoken.
    if second.kind.shows_tls() {
        return true;
    }
    match &first.ended {
        // The peer asks for TLS, or speaks no TLS: what follows is about the peer.
        Ended::Status { .. } => second.kind.is_transient(),
        Ended::Problem(problem) if problem.kind == ProblemKind::WithoutTls => {
            second.kind.is_transient() && second.kind != ProblemKind::WithoutPlainHttp
        }
        Ended::Refusal { .. } => false,
        Ended::Problem(problem) => {
            !problem.kind.is_connection() && second.kind == ProblemKind::Timeout
        }
    }
}

fn join(base: &Url, path: &str) -> Result<Url, Failed> {
    base.join(path).map_err(|error| {
        let why = format!("{path} cannot be part of a URL ({error})");
        Problem::new(ProblemKind::Refused, why).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::network::Network;
    use crate::walk::cause::Cause;

    fn route(registry: &str) -> Route {
        let scheme = Arc::new(Scheme::new(registry, &Network::default()));
        Route::new(scheme, "app/manifests/1".into()).ok().unwrap()
    }

    fn problem(kind: ProblemKind) -> Event {
        Event::Problem(Problem::new(kind, "text"))
    }

    fn rejection(status: u16, body: &str, with_bearer: bool) -> Event {
        Event::Rejection(Rejection {
            status,
            retry_after: None,
            body: body.into(),
            broken: None,
            challenges: Vec::new(),
            names_api: false,
            pass: with_bearer.then(|| Pass::bearer("token", None).ok().unwrap()),
            is_for_head: false,
        })
    }

    fn name(step: &Step) -> &'static str {
        match step {
            Step::SettledScheme => "settled scheme",
            Step::OtherScheme(_) => "other scheme",
            Step::FirstScheme => "first scheme",
            Step::OlderVersion(_) => "older version",
            Step::Redirect(_) => "redirect",
            Step::Renew(_) => "renew",
            Step::GiveUp(_) => "give up",
        }
    }

    #[test]
    fn each_answer_of_a_registry_has_its_next_step() {
        let (https, plain) = ("registry.example", "127.0.0.1:5000");
        let expired = r#"{"errors":[{"message":"the token has expired"}]}"#;
        for (registry, seen, expected) in [
            (https, rejection(401, "", false), "renew"),
            (https, rejection(403, "", false), "give up"),
            (https, rejection(400, expired, true), "renew"),
            (https, rejection(400, expired, false), "give up"),
            (https, rejection(400, "HTTPS server", false), "give up"),
            (plain, rejection(400, "HTTPS server", false), "other scheme"),
            (
                plain,
                problem(ProblemKind::WithoutPlainHttp),
                "other scheme",
            ),
            (https, problem(ProblemKind::WithoutTls), "give up"),
            (https, problem(ProblemKind::NotHttp), "give up"),
            (https, problem(ProblemKind::Headless), "older version"),
            (https, Event::Redirect(Some("/there".into())), "redirect"),
            (https, Event::Redirect(None), "give up"),
        ] {
            let mut route = route(registry);
            assert_eq!(name(&route.next(seen)), expected, "{registry}");
            route.renewals = MOST_RENEWALS;
            route.version = Version::One;
            let exhausted = route.next(rejection(401, "", false));
            assert_eq!(name(&exhausted), "give up");
        }
    }

    #[test]
    fn a_redirect_targets_answer_is_not_the_registrys() {
        let mut route = route("127.0.0.1:5000");
        route.url = "https://cdn.example/blob?signature=1".parse().unwrap();
        for seen in [
            rejection(401, "", false),
            rejection(400, "HTTPS server", true),
            problem(ProblemKind::WithoutPlainHttp),
        ] {
            let Step::GiveUp(failed) = route.next(seen) else {
                panic!("it goes on");
            };
            let (Cause::Status { place, .. } | Cause::Unreached { place, .. }) = failed.fault.cause
            else {
                panic!("another cause");
            };
            assert_eq!(place, Place::Redirect("https://cdn.example".into()));
        }
    }

    #[test]
    fn the_first_failure_counts_where_the_other_scheme_is_no_better() {
        let mut route = route("127.0.0.1:5000");
        let without = problem(ProblemKind::WithoutPlainHttp);
        let Step::OtherScheme(why) = route.next(without) else {
            panic!("only one scheme is tried");
        };
        assert!(route.take_other_scheme(why).is_ok());
        assert_eq!(
            route.url.as_str(),
            "https://127.0.0.1:5000/v2/app/manifests/1"
        );
        assert_eq!(
            name(&route.next(problem(ProblemKind::Connection))),
            "first scheme"
        );
        let first = route.back_to_first_scheme();
        let Cause::Unreached { words, .. } = first.fault.cause else {
            panic!("another cause");
        };
        assert_eq!(&*words, "text");
        assert_eq!(route.scheme.base().ok().unwrap().scheme(), "http");
    }

    #[test]
    fn a_failure_in_another_scheme_than_the_settled_one_says_nothing() {
        for failure in [
            problem(ProblemKind::Timeout),
            problem(ProblemKind::WithoutPlainHttp),
            rejection(400, "HTTPS server", false),
        ] {
            let mut route = route("127.0.0.1:5000");
            let https = "https://127.0.0.1:5000/v2/";
            route.scheme.settle(&https.parse().unwrap());
            assert_eq!(name(&route.next(failure)), "settled scheme");
            assert!(route.take_settled_scheme().is_ok());
            assert_eq!(route.url.as_str(), format!("{https}app/manifests/1"));
            let without = route.next(problem(ProblemKind::WithoutTls));
            assert_eq!(name(&without), "give up");
        }
    }

    #[test]
    fn the_failure_that_says_more_about_the_peer_counts() {
        use ProblemKind as Kind;
        let failed = |kind| Failed::from(Problem::new(kind, ""));
        let asks_for_tls = || failure(400, None, b"", Place::Registry);
        for (first, second, expected) in [
            (failed(Kind::WithoutTls), Kind::Timeout, true),
            (failed(Kind::WithoutTls), Kind::Connection, true),
            (failed(Kind::WithoutTls), Kind::WithoutPlainHttp, false),
            (failed(Kind::WithoutPlainHttp), Kind::Timeout, true),
            (failed(Kind::WithoutPlainHttp), Kind::Connection, false),
            (failed(Kind::WithoutPlainHttp), Kind::WithoutTls, false),
            (failed(Kind::WithoutPlainHttp), Kind::UnknownIssuer, true),
            (failed(Kind::ConnectionRefused), Kind::Timeout, false),
            (failed(Kind::ConnectionRefused), Kind::BadCertificate, true),
            (asks_for_tls(), Kind::Connection, true),
            (asks_for_tls(), Kind::WithoutTls, false),
        ] {
            let kind = format!("{:?} {second:?}", first.ended);
            let second = Problem::new(second, "");
            assert_eq!(says_more(&second, &first), expected, "{kind}");
        }
    }

    #[test]
    fn five_redirects_are_followed_and_no_more() {
        let mut route = route("registry.example");
        let next = |route: &Route| route.next(Event::Redirect(Some("/there".into())));
        route.redirects = 4;
        assert_eq!(name(&next(&route)), "redirect");
        route.redirects = 5;
        assert_eq!(name(&next(&route)), "give up");
    }
}
