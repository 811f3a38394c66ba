//! Serves `/metrics` and `/healthz` to whoever asks: numbers alone, and nothing can be changed.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// How many connections are served at a time; others wait.
const MOST_CONNECTIONS: usize = 32;

/// How long a connection may take, from its start to its end.
const LONGEST: Duration = Duration::from_secs(10);

/// How long nobody is let in when the system refuses a connection, for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What `/metrics` shows; empty before the first run has ended.
pub(crate) type Page = RefCell<String>;

/// A port that is taken, and on which nobody is answered yet.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes the first of these addresses that the system gives.
    ///
    /// # Errors
    /// When it gives none of them.
    pub(crate) async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let socket = TcpListener::bind(addresses).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, page: &Page, content_type: &'static str) -> Infallible {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if open.len() < MOST_CONNECTIONS => {
                    match accepted {
                        Ok((stream, _)) => open.push(connection(stream, page, content_type)),
                        Err(_) => tokio::time::sleep(PAUSE).await,
                    }
                }
                Some(()) = open.next() => {}
            }
        }
    }
}

/// Answers one request.
async fn connection(stream: TcpStream, page: &Page, content_type: &'static str) {
    let service = service_fn(async |request: Request<_>| {
        let (method, path) = (request.method(), request.uri().path());
        Ok::<_, Infallible>(answer(method, path, page, content_type))
    });
    let served = http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who breaks off, or asks nothing, gets nothing.
    let _ = tokio::time::timeout(LONGEST, served).await;
}

fn answer(
    method: &Method,
    path: &str,
    page: &Page,
    content_type: &'static str,
) -> Response<String> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let is_reading = [Method::GET, Method::HEAD].contains(method);
    let (status, content_type, body) = match path {
        _ if !is_reading => (StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET it\n".to_owned()),
        "/metrics" => (StatusCode::OK, content_type, page.borrow().clone()),
        "/healthz" => (StatusCode::OK, TEXT, "alive\n".to_owned()),
        _ => (
            StatusCode::NOT_FOUND,
            TEXT,
            "here are /metrics and /healthz\n".to_owned(),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if !is_reading {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_pages_to_read_and_nothing_to_write() {
        let page = Page::new("up 1\n".to_owned());
        let asked = |method: Method, path| {
            let response = answer(&method, path, &page, "text/x");
            let kind = response.headers()[CONTENT_TYPE]
                .to_str()
                .unwrap()
                .to_owned();
            (response.status().as_u16(), kind, response.into_body())
        };
        let metrics = (200, "text/x".to_owned(), "up 1\n".to_owned());
        assert_eq!(asked(Method::GET, "/metrics"), metrics);
        assert_eq!(asked(Method::HEAD, "/metrics"), metrics);
        assert_eq!(asked(Method::GET, "/healthz").0, 200);
        for path in ["/", "/metrics/", "/healthz/x", "//metrics"] {
            assert_eq!(asked(Method::GET, path).0, 404, "{path}");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            assert_eq!(asked(method, "/metrics").0, 405);
        }
    }
}
