//! Where the fake deviates from what is right: whose requests, how often, and how.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::support::http::{Break, Reply, Request};

/// One deviation.
pub(super) struct Rule {
    method: String,
    pub(super) path: String,
    skip: usize,
    times: usize,
    pub(super) change: Change,
}

/// How an answer deviates.
#[derive(Clone)]
pub(super) enum Change {
    /// It is this one, whatever would be right.
    Answer(Reply),
    /// It is the right one to another question, and then changed.
    Alter(Arc<Question>, Arc<Alteration>),
}

type Question = dyn Fn(&mut Request) + Send + Sync;
type Alteration = dyn Fn(&Request, Reply) -> Reply + Send + Sync;

impl Rule {
    /// Whether it is about this request; uses it up by one if so.
    pub(super) fn takes(&mut self, request: &Request) -> bool {
        let matches = (self.method == "*" || self.method == request.method)
            && request.path.ends_with(&self.path);
        if !matches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self
            .times
            .saturating_sub(usize::from(self.times != usize::MAX));
        true
    }
}

/// A deviation that is being described.
#[must_use = "it says when, and not yet what"]
pub(crate) struct When<'a> {
    registry: &'a Registry,
    rule: Rule,
}

impl<'a> When<'a> {
    pub(super) fn new(registry: &'a Registry, method: &str, path: &str) -> Self {
        let change = Change::Answer(Reply::status(500));
        let rule = Rule {
            method: method.to_owned(),
            path: path.to_owned(),
            skip: 0,
            times: usize::MAX,
            change,
        };
        Self { registry, rule }
    }

    /// Only so many times, then rightly.
    pub(crate) fn times(mut self, times: usize) -> Self {
        self.rule.times = times;
        self
    }

    /// Rightly so many times, and only then so.
    pub(crate) fn after(mut self, skip: usize) -> Self {
        self.rule.skip = skip;
        self
    }

    /// This answer.
    pub(crate) fn answers(mut self, reply: Reply) {
        self.rule.change = Change::Answer(reply);
        self.registry.add(self.rule);
    }

    /// This status, with an empty body.
    pub(crate) fn answers_status(self, status: u16) {
        self.answers(Reply::status(status));
    }

    /// 404, as for what was never there.
    pub(crate) fn loses(self) {
        self.answers(Reply::error(404, "UNKNOWN", "not here"));
    }

    /// 429, with this value of `Retry-After`.
    pub(crate) fn throttles(self, retry_after: &str) {
        self.answers(
            Reply::ok("text/plain", "slow down\n")
                .but_status(429)
                .header("Retry-After", retry_after),
        );
    }

    /// 307 to this URL.
    pub(crate) fn redirects_to(self, url: &str) {
        self.answers(Reply::status(307).header("Location", url));
    }

    /// The right answer, changed.
    pub(crate) fn alters(self, change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) {
        self.asks_for(|_| {}, change);
    }

    /// The right headers, and no body.
    pub(crate) fn empties(self) {
        self.alters(|_, reply| reply.emptied());
    }

    /// The right headers and so many bytes of the body, then one of the ways to break.
    pub(crate) fn breaks(self, how: Break, after: usize) {
        self.alters(move |_, reply| reply.breaks_in_body(how, after));
    }

    /// So many bytes of the whole answer, status line and headers included, then one of the ways to
    /// break.
    pub(crate) fn breaks_anywhere(self, how: Break, after: usize) {
        self.alters(move |_, reply| reply.breaks(how, after));
    }

    /// The right answer, after a while.
    pub(crate) fn delays(self, delay: Duration) {
        self.alters(move |_, reply| reply.delayed(delay));
    }

    /// The whole of what a part was wanted of.
    pub(crate) fn ignores_range(self) {
        let forget = |request: &mut Request| {
            request
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("range"));
        };
        self.asks_for(forget, |_, reply| reply);
    }

    /// The right answer to a changed question, and then changed.
    pub(crate) fn asks_for(
        mut self,
        question: impl Fn(&mut Request) + Send + Sync + 'static,
        change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
    ) {
        self.rule.change = Change::Alter(Arc::new(question), Arc::new(change));
        self.registry.add(self.rule);
    }
}
