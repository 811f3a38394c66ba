//! Reads lists from the API server, page by page; see
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks>.

use std::sync::Arc;
use std::time::Duration;

use log::debug;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request};
use serde::de::DeserializeOwned;
use url::Url;

use super::Account;
use super::kind::Kind;
use super::model::{Page, Resources, Workload};
use crate::http::patience::Patience;
use crate::http::{ChosenBy, Clients, Lanes, Version};

/// How many objects a page is asked for.
const PAGE: &str = "500";

/// The largest page that is read, in bytes.
const LARGEST_PAGE: usize = 64 * 1024 * 1024;

/// How many pages of one list are read.
const MOST_PAGES: usize = 10_000;

/// How often a list that expires is begun again.
const MOST_BEGINNINGS: usize = 5;

/// The API server of the cluster that this runs in.
pub(crate) struct Client {
    account: Account,
    server: Url,
    lanes: Arc<Lanes>,
    patience: Patience,
    request_timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// 404: it does not know such objects.
    NotFound,
    /// 403.
    Forbidden,
    /// 410: the rest of a list is not there any more.
    Expired,
    /// The answer is of no use, as a fragment.
    Useless(String),
    /// 401, with a token that was read anew.
    Unauthorized,
    /// There is no answer, whatever is asked, as a fragment.
    Unreachable(String),
}

/// One answer that is no content.
enum Answer {
    Refused(Refused),
    /// 401: the token may have been renewed meanwhile.
    Unauthorized,
    /// It may be another one when asked again, after this wait where the server says so.
    Transient(String, Option<Duration>),
}

impl Client {
    /// A client for the API server; its authority and a token are read, and nothing is asked.
    ///
    /// # Errors
    /// When there is no usable service account.
    pub(crate) fn open(
        account: Account,
        patience: Patience,
        request_timeout: Duration,
    ) -> Result<Self, String> {
        account.bearer()?;
        let (server, network) = account.server(request_timeout)?;
        let lanes = Clients::new(network)
            .lanes(&server, ChosenBy::User, Version::Best)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            account,
            server,
            lanes,
            patience,
            request_timeout,
        })
    }

    /// The namespace of the pod.
    pub(crate) fn namespace(&self) -> String {
        self.account.namespace()
    }

    /// Gives every object of a kind, of all namespaces or of one. A list that expires is begun again,
    /// so that an object may be given twice.
    pub(super) async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        each: &mut dyn FnMut(Workload),
    ) -> Result<(), Refused> {
        for _ in 0..MOST_BEGINNINGS {
            match self.list_once(kind, namespace, each).await {
                Err(Refused::Expired) => {
                    debug!("the list of {} expired, reading it again", kind.in_a_role());
                }
                end => return end,
            }
        }
        Err(Refused::Expired)
    }

    async fn list_once(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        each: &mut dyn FnMut(Workload),
    ) -> Result<(), Refused> {
        let mut address = self.address(&kind.path(namespace));
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            address.query_pairs_mut().clear().append_pair("limit", PAGE);
            if let Some(next) = &next {
                address.query_pairs_mut().append_pair("continue", next);
            }
            let page: Page = self.get(&address).await?;
            let Some(items) = page.items else {
                return Err(Refused::Useless("the answer is not a list".to_owned()));
            };
            items.into_iter().for_each(&mut *each);
            let following = page.metadata.next.filter(|next| !next.is_empty());
            if following.is_none() {
                return Ok(());
            }
            if following == next {
                break;
            }
            next = following;
        }
        Err(Refused::Useless("the list does not end".to_owned()))
    }

    /// Whether the API server knows this kind; for one that may not be listed, because the right is
    /// looked at first. Yes where that cannot be found out.
    pub(super) async fn has(&self, kind: &Kind) -> bool {
        match self.get::<Resources>(&self.address(&kind.base())).await {
            Ok(known) => known.resources.iter().any(|one| one.name == kind.plural),
            Err(refused) => refused != Refused::NotFound,
        }
    }

    fn address(&self, path: &str) -> Url {
        let mut address = self.server.clone();
        address.set_path(path);
        address
    }

    /// Asks until the answer stands.
    async fn get<T: DeserializeOwned>(&self, address: &Url) -> Result<T, Refused> {
        let longest = self.patience.max_backoff;
        let mut wait = self.patience.backoff;
        let mut tries = 0;
        let mut is_renewed = false;
        loop {
            let (why, asked) = match self.ask(address).await {
                Ok(content) => return Ok(content),
                Err(Answer::Refused(refused)) => return Err(refused),
                Err(Answer::Unauthorized) if is_renewed => return Err(Refused::Unauthorized),
                Err(Answer::Unauthorized) => {
                    is_renewed = true;
                    continue;
                }
                Err(Answer::Transient(why, asked)) => (why, asked),
            };
            tries += 1;
            if tries >= self.patience.attempts {
                return Err(Refused::Unreachable(why));
            }
            debug!("{}: {why}, asking again", address.path());
            tokio::time::sleep(asked.unwrap_or(wait).min(longest)).await;
            wait = wait.saturating_mul(2).min(longest);
        }
    }

    /// Asks once.
    async fn ask<T: DeserializeOwned>(&self, address: &Url) -> Result<T, Answer> {
        let useless = |why: &str| Answer::Refused(Refused::Useless(why.to_owned()));
        let unreachable = |why| Answer::Refused(Refused::Unreachable(why));
        let mut request = Request::new(Method::GET, address.clone());
        let bearer = self.account.bearer().map_err(unreachable)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let sent = self.lanes.send(0, request, self.request_timeout).await;
        let mut reply = sent.map_err(|problem| {
            let why = problem.text.clone();
            if problem.kind.is_transient() {
                Answer::Transient(why, None)
            } else {
                unreachable(why)
            }
        })?;
        match reply.status() {
            200 => {}
            401 => return Err(Answer::Unauthorized),
            403 => return Err(Answer::Refused(Refused::Forbidden)),
            404 => return Err(Answer::Refused(Refused::NotFound)),
            410 => return Err(Answer::Refused(Refused::Expired)),
            status @ (429 | 500..=599) => {
                let why = format!("the API server answers {status}");
                return Err(Answer::Transient(why, reply.retry_after()));
            }
            status => return Err(useless(&format!("the API server answers {status}"))),
        }
        let (body, is_longer) = reply
            .body(LARGEST_PAGE)
            .await
            .map_err(|problem| Answer::Transient(problem.text, None))?;
        if is_longer {
            return Err(useless(&format!(
                "a page is longer than {LARGEST_PAGE} bytes"
            )));
        }
        serde_json::from_slice(&body).map_err(|_| useless("the answer is not a list"))
    }
}
