//! A plain HTTP server on loopback for unit tests.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::answer::Answer;
use super::logins::Logins;
use super::payload::Payload;
use super::scope::Scope;
use super::transport::{Question, Transport};
use crate::http::Clients;
use crate::http::network::{Hosts, Network, Pin};
use crate::http::patience::Patience;
use crate::oci::reference::Repository;
use crate::walk::source::Asked;

/// A TLS connection begins with this byte.
pub(super) const TLS_HANDSHAKE: u8 = 0x16;

/// A server that answers every request with 200 and `{}`.
pub(super) struct Loopback {
    port: u16,
    seen: Arc<Mutex<Vec<usize>>>,
}

/// How long the server takes for each connection: for a TLS handshake, which it refuses with 400,
/// and for an answer; `None` for ever.
pub(super) type Delays = fn(usize) -> (Option<Duration>, Option<Duration>);

impl Loopback {
    pub(super) fn start(delays: Delays) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::default());
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                let notes = Arc::clone(&notes);
                std::thread::spawn(move || serve(stream, connection, delays(connection), &notes));
            }
        });
        Self { port, seen }
    }

    /// One that something else serves.
    pub(super) fn at(port: u16) -> Self {
        let seen = Arc::default();
        Self { port, seen }
    }

    /// On which connections requests came.
    pub(super) fn seen(&self) -> Vec<usize> {
        self.seen.lock().unwrap().clone()
    }

    /// A transport to it under a name that is not this machine's, in TLS or in plain HTTP.
    pub(super) fn transport(&self, request_timeout: Duration) -> Transport {
        self.transport_with(request_timeout, Logins::default())
    }

    /// The same with logins.
    pub(super) fn transport_with(&self, request_timeout: Duration, logins: Logins) -> Transport {
        let network = Network {
            request_timeout,
            insecure: Hosts::All,
            resolve: vec![Pin {
                host: "registry.test".into(),
                port: self.port,
                addresses: vec![[127, 0, 0, 1].into()],
            }],
            ..Network::default()
        };
        let patience = Patience {
            backoff: Duration::from_millis(1),
            settle: Duration::ZERO,
            ..Patience::default()
        };
        let describe = |_: &_| String::new();
        Transport::new(Arc::new(Clients::new(network)), patience, logins, describe)
    }

    pub(super) fn repository(&self, name: &str) -> Repository {
        Repository {
            registry: format!("registry.test:{}", self.port),
            name: name.into(),
        }
    }
}

/// Asks for a manifest, over a fresh connection or any.
pub(super) async fn ask(
    transport: &Transport,
    repository: &Repository,
    fresh: bool,
) -> Asked<Vec<u8>> {
    let question = Question {
        with_login: false,
        repository,
        scope: Scope::pull(repository),
        method: Method::GET,
        path: Some("manifests/1".into()),
        payload: Payload::Nothing,
        may_be_absent: false,
        fresh,
        once: false,
        delivers: &AtomicBool::new(false),
    };
    let read = async |answer: &mut Answer<'_>| match answer.body(1024).await {
        Ok((body, _)) => Ok(body),
        Err((problem, _)) => Err(problem.into()),
    };
    let accept = |status| status == 200;
    transport.ask(&question, HeaderMap::new, accept, read).await
}

fn serve(
    mut stream: TcpStream,
    connection: usize,
    (handshake, answer): (Option<Duration>, Option<Duration>),
    notes: &Mutex<Vec<usize>>,
) {
    let mut buffer = [0; 8192];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
        let (delay, text) = if buffer[0] == TLS_HANDSHAKE {
            (
                handshake,
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            )
        } else {
            notes.lock().unwrap().push(connection);
            (answer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        };
        match delay {
            Some(delay) => std::thread::sleep(delay),
            None => continue,
        }
        if stream.write_all(text.as_bytes()).is_err() || buffer[0] == TLS_HANDSHAKE {
            return;
        }
    }
}
