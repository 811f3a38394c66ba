//! The connections to one origin: in HTTP/1.1 one for each request in flight, in HTTP/2 one for all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Request, Response, Version};
use tokio::sync::OnceCell;

use super::{Problem, ProblemKind};

/// A lane carries one request at a time, and each has a client of its own. Clients that share a pool also share their
/// connections, and then a request that waits for a new one takes over an old one that somebody else gives back, somebody
/// else finds none and makes another, and in the end there are more than were ever used at once.
pub struct Lanes {
    make: Box<dyn Fn() -> anyhow::Result<Client> + Send + Sync>,
    clients: Mutex<HashMap<usize, Client>>,
    /// The lane that everybody uses because it speaks HTTP/2; known once the first request over TLS was answered, or failed.
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
    /// Over TLS the first one goes alone: until it is answered nobody knows whether the others can share its connection.
    ///
    /// # Errors
    /// Why no answer came.
    pub async fn send(
        &self,
        lane: usize,
        request: Request,
        limit: Duration,
    ) -> Result<Response, Problem> {
        let (mut request, mut first) = (Some(request), None);
        let shared = self.shared.get_or_init(|| async {
            let sent = self.send_on(lane, request.take()?, limit).await;
            let in_two = sent
                .as_ref()
                .is_ok_and(|response| response.version() == Version::HTTP_2);
            first = Some(sent);
            in_two.then_some(lane)
        });
        let lane = shared.await.unwrap_or(lane);
        match (first, request) {
            (Some(sent), _) => sent,
            (None, Some(request)) => self.send_on(lane, request, limit).await,
            (None, None) => unreachable!("a request that is gone was sent"),
        }
    }

    async fn send_on(
        &self,
        lane: usize,
        request: Request,
        limit: Duration,
    ) -> Result<Response, Problem> {
        let client = self
            .client(lane)
            .map_err(|error| Problem::new(ProblemKind::Refused, format!("{error:#}")))?;
        match tokio::time::timeout(limit, client.execute(request)).await {
            Err(_) => {
                let seconds = limit.as_secs_f64();
                Err(Problem::new(
                    ProblemKind::Timeout,
                    format!("no answer within {seconds:.1} s"),
                ))
            }
            Ok(sent) => sent.map_err(Problem::from),
        }
    }
}
