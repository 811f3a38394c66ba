//! A client for the tests' own use: one request per connection, nothing followed, nothing retried.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use url::Url;

use super::wire::{Wire, read_head};

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Names as they came, and values.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub(crate) body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub(crate) cut: bool,
}

impl Answer {
    /// The value of the first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, for messages.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks over plain TCP.
///
/// # Errors
/// When the connection cannot be made, or breaks before the body.
pub(crate) fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    send(None, method, url, headers, body)
}

/// Asks over TLS.
///
/// # Errors
/// As [`ask`]; also when the certificate is not trusted.
pub(crate) fn ask_tls(
    tls: &Arc<ClientConfig>,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
) -> io::Result<Answer> {
    send(Some(tls), method, url, headers, &[])
}

/// `GET`, which must be answered.
pub(crate) fn get(url: &str) -> Answer {
    ask("GET", url, &[], &[]).unwrap_or_else(|error| panic!("GET {url}: {error}"))
}

fn send(
    tls: Option<&Arc<ClientConfig>>,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let url = Url::parse(url).map_err(io::Error::other)?;
    let host = url.host_str().ok_or_else(|| io::Error::other("no host"))?;
    let port = url
        .port_or_known_default()
        .ok_or_else(|| io::Error::other("no port"))?;
    let stream = TcpStream::connect((host, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut wire: Box<dyn Wire> = match tls {
        None => Box::new(stream),
        Some(config) => {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            let connection =
                ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            Box::new(StreamOwned::new(connection, stream))
        }
    };
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut message =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        message.extend([name, ": ", value, "\r\n"]);
    }
    message.extend(["Content-Length: ", &body.len().to_string(), "\r\n\r\n"]);
    let mut message = message.into_bytes();
    message.extend_from_slice(body);
    wire.write_all(&message)?;
    wire.flush()?;
    let mut wire = BufReader::new(wire);
    let head = read_head(&mut wire)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head
        .line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {:?}", head.line)))?;
    let mut body = Vec::new();
    let cut = method != "HEAD" && head.read_body(&mut wire, true, &mut body).is_err();
    Ok(Answer {
        status,
        headers: head.headers,
        body,
        cut,
    })
}
