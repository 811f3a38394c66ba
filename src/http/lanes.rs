//! The connections to one origin: in HTTP/1.1 one for each request in flight, in HTTP/2 one for
//! all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Request};
use tokio::sync::OnceCell;

use super::outgoing::{Outgoing, within};
use super::{Problem, ProblemKind, Reply};

/// The lanes to one origin: each carries one request at a time and has a client of its own.
///
/// Clients that share a pool also share their connections. A request that waits for a new
/// connection then takes an old one that another request gives back, a third finds none and makes
/// another, and in the end there are more connections than were ever used at once.
pub struct Lanes {
    make: Box<dyn Fn() -> anyhow::Result<Client> + Send + Sync>,
    clients: Mutex<HashMap<usize, Client>>,
    /// The lane that all requests use because it speaks HTTP/2; known once the first request over
    /// TLS was answered, or failed.
    shared: OnceCell<Option<usize>>,
}

impl Lanes {
    /// Lanes whose clients are made by `make`; only where they are `encrypted` can there be HTTP/2.
    pub(super) fn new(
        encrypted: bool,
        make: impl Fn() -> anyhow::Result<Client> + Send + Sync + 'static,
    ) -> Self {
        let shared = OnceCell::new_with((!encrypted).then_some(None));
        Self {
            make: Box::new(make),
            clients: Mutex::default(),
            shared,
        }
    }

    /// The client of a lane.
    pub(super) fn client(&self, lane: usize) -> anyhow::Result<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&lane) {
            return Ok(client.clone());
        }
        let client = (self.make)()?;
        clients.insert(lane, client.clone());
        Ok(client)
    }

    /// Sends a request, and waits at most `limit` for the headers of its answer.
    ///
    /// Over TLS the first one goes alone: only its answer shows whether the others can share its
    /// connection.
    ///
    /// # Errors
    /// Why no answer came.
    pub async fn send(
        &self,
        lane: usize,
        request: Request,
        limit: Duration,
    ) -> Result<Reply, Problem> {
        self.send_body(lane, request, limit, None).await
    }

    /// Sends a request with a body that is read meanwhile, and waits at most `limit` for each piece
    /// of it to be sent, and for the headers of the answer.
    ///
    /// # Errors
    /// As for [`Lanes::send`].
    pub async fn send_body(
        &self,
        lane: usize,
        request: Request,
        limit: Duration,
        outgoing: Option<&Outgoing>,
    ) -> Result<Reply, Problem> {
        let (mut request, mut first) = (Some(request), None);
        let shared = self.shared.get_or_init(|| async {
            let sent = self.send_on(lane, request.take()?, limit, outgoing).await;
            let in_two = sent.as_ref().is_ok_and(Reply::is_http2);
            first = Some(sent);
            in_two.then_some(lane)
        });
        let lane = shared.await.unwrap_or(lane);
        match (first, request) {
            (Some(sent), _) => sent,
            (None, Some(request)) => self.send_on(lane, request, limit, outgoing).await,
            (None, None) => unreachable!("a request that is gone was sent"),
        }
    }

    /// Sends a request over a connection that no other request uses, before or after it.
    ///
    /// # Errors
    /// As for [`Lanes::send`].
    pub async fn send_alone(&self, request: Request, limit: Duration) -> Result<Reply, Problem> {
        execute((self.make)(), request, limit, None).await
    }

    async fn send_on(
        &self,
        lane: usize,
        request: Request,
        limit: Duration,
        outgoing: Option<&Outgoing>,
    ) -> Result<Reply, Problem> {
        execute(self.client(lane), request, limit, outgoing).await
    }
}

async fn execute(
    client: anyhow::Result<Client>,
    request: Request,
    limit: Duration,
    outgoing: Option<&Outgoing>,
) -> Result<Reply, Problem> {
    let client =
        client.map_err(|error| Problem::unsent(ProblemKind::Refused, format!("{error:#}")))?;
    let encrypted = request.url().scheme() == "https";
    match within(limit, outgoing, client.execute(request)).await {
        None => {
            let text = format!("no answer within {:.1} s", limit.as_secs_f64());
            Err(Problem::new(ProblemKind::Timeout, text))
        }
        Some(Err(error)) => match outgoing.and_then(Outgoing::failure) {
            Some(why) => Err(Problem::new(ProblemKind::Unreadable, why)),
            None => Err(Problem::with_request(error, encrypted)),
        },
        Some(Ok(response)) => Ok(Reply::new(response, limit)),
    }
}
