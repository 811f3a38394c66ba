//! Calls a token server until its answer stands.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::Url;

use super::failed::{Failed, failure};
use super::payload::Payload;
use super::redirect::{is_redirect, shown};
use super::transport::{Aim, Transport};
use super::tries::Tries;
use super::{error, retry};
use crate::http::{ChosenBy, Problem, ProblemKind, Version};
use crate::text::secret::Secret;
use crate::walk::cause::Place;

/// A call to a token server.
pub(super) struct TokenCall {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    /// The body of a POST; without it the call is a GET.
    pub(super) form: Option<Secret>,
    /// The lane of the question that needs the token: its connection is idle meanwhile.
    pub(super) lane: usize,
}

impl Transport {
    /// Calls a token server; every status below 500 but 429 is an answer.
    pub(super) async fn call(
        &self,
        call: &TokenCall,
        chosen_by: ChosenBy,
    ) -> Result<(u16, Vec<u8>), Failed> {
        let host = shown(&call.url);
        let gate = self.gate(&format!("token {host}"));
        let mut tries = Tries::new(self.shared_tries(), true);
        loop {
            gate.open().await;
            tries.begin();
            let failed = match Box::pin(self.call_once(call, chosen_by)).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let redact = &|text: &str| self.redacted(text);
            match tries.again(&failed, &host, "token", redact) {
                Some((wait, true)) => gate.close_for(wait),
                Some((wait, false)) => tokio::time::sleep(wait).await,
                None => return Err(failed),
            }
        }
    }

    async fn call_once(
        &self,
        call: &TokenCall,
        chosen_by: ChosenBy,
    ) -> Result<(u16, Vec<u8>), Failed> {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &call.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let (method, payload) = match &call.form {
            Some(form) => (Method::POST, Payload::Form(form)),
            None => (Method::GET, Payload::Nothing),
        };
        let aim = Aim {
            method,
            url: &call.url,
            chosen_by,
            version: Version::Best,
            lane: call.lane,
            fresh: false,
        };
        let mut answer = self.send(aim, headers, payload).await?;
        let status = answer.status();
        let refused = |why| Failed::from(Problem::new(ProblemKind::Refused, why));
        if is_redirect(status) {
            return Err(refused(
                "it redirects, and a login never follows a redirect",
            ));
        }
        if retry::is_transient(status) {
            let retry_after = answer.retry_after();
            let (body, _) = answer.error_body().await;
            return Err(failure(status, retry_after, &body, Place::Registry));
        }
        match answer.body(error::ERROR_LIMIT).await {
            Ok((_, true)) => Err(refused("its answer is longer than 64 KiB")),
            Ok((body, false)) => Ok((status, body)),
            Err((problem, _)) => Err(problem.into()),
        }
    }
}
