//! Where the fake deviates from what is right: whose requests, how often, and how.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::support::http::{Break, Reply, Request};

/// One deviation.
pub(super) struct Rule {
    method: String,
    pub(super) path: String,
    /// Whether the path may be anywhere in that of a request, and not only its end.
    is_anywhere: bool,
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
    /// It is the right one, and nothing changes.
    Pretend,
}

type Question = dyn Fn(&mut Request) + Send + Sync;
type Alteration = dyn Fn(&Request, Reply) -> Reply + Send + Sync;

impl Rule {
    /// Whether it is about this request; uses it up by one if so.
    pub(super) fn takes(&mut self, request: &Request) -> bool {
        let is_there = if self.is_anywhere {
            request.path.contains(&self.path)
        } else {
            request.path.ends_with(&self.path)
        };
        let matches = (self.method == "*" || self.method == request.method) && is_there;
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
            is_anywhere: false,
            skip: 0,
            times: usize::MAX,
            change,
        };
        Self { registry, rule }
    }

    pub(super) fn anywhere(registry: &'a Registry, method: &str, path: &str) -> Self {
        let mut when = Self::new(registry, method, path);
        when.rule.is_anywhere = true;
        when
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

    /// This status, in a registry's own words.
    pub(crate) fn refuses(self, status: u16, code: &str) {
        self.answers(Reply::error(status, code, "refused by the test").but_status(status));
    }

    /// 404 for an upload session, as after a restart.
    pub(crate) fn forgets_session(self) {
        self.refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }

    /// The right answer, and nothing of what it says is done: 201, and not kept.
    pub(crate) fn keeps_nothing(mut self) {
        self.rule.change = Change::Pretend;
        self.registry.add(self.rule);
    }

    /// The right answer with its `Location` as a whole URL here.
    pub(crate) fn has_absolute_location(self) {
        let here = self.registry.server().url("");
        self.alters(move |_, reply| {
            let location = reply.get_header("Location").unwrap_or_default();
            let location = format!("{here}{location}");
            reply.but_header("Location", location)
        });
    }

    /// The right answer with this `Location`.
    pub(crate) fn has_location(self, url: &str) {
        let url = url.to_owned();
        self.alters(move |_, reply| reply.but_header("Location", &url));
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
