//! The same answers in HTTP/2, where they can be cut short, reset and stalled stream by stream.

use std::future::{pending, poll_fn};
use std::io::{self, Cursor};
use std::net::TcpStream;
use std::sync::Arc;

use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::message::{Break, Place, Reply, Request};
use super::server::Shared;

type Data = Cursor<Vec<u8>>;

/// Serves one connection to its end.
///
/// # Errors
/// When the handshake fails or the connection breaks.
pub(super) fn serve(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    number: usize,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    stream.set_nonblocking(true)?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let stream = TlsAcceptor::from(tls).accept(stream).await?;
        let handshake = h2::server::Builder::new().handshake::<_, Data>(stream);
        let mut connection = handshake.await.map_err(io::Error::other)?;
        while let Some(asked) = connection.accept().await {
            let (request, respond) = asked.map_err(io::Error::other)?;
            let shared = Arc::clone(shared);
            tokio::spawn(async move {
                // A client may go at any time: only what was asked is of interest.
                let _ = answer(request, respond, number, &shared).await;
            });
        }
        Ok(())
    })
}

async fn answer(
    asked: http::Request<RecvStream>,
    mut respond: SendResponse<Data>,
    number: usize,
    shared: &Shared,
) -> Result<(), h2::Error> {
    let request = read(asked, number).await?;
    let (reply, _busy) = shared.decide(&request);
    tokio::time::sleep(reply.delay).await;
    let limit = match reply.broken {
        None => u64::MAX,
        Some((_, Place::Body(after))) => after as u64,
        Some((how, Place::Message(after))) => match after.checked_sub(reply.head().len()) {
            Some(after) => after as u64,
            None if how == Break::Stall => pending().await,
            None => {
                respond.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
        },
    };
    let mut response = http::Response::builder().status(reply.status);
    for (name, value) in reply.all_headers() {
        response = response.header(name.to_ascii_lowercase(), value);
    }
    let response = response
        .body(())
        .expect("tests write headers that are headers");
    // Go's server, which finds nothing to send after headers that promise something, ends the
    // stream with them.
    let promises = matches!(reply.broken, Some((Break::Close, Place::Message(after))) if after == reply.head().len());
    let nothing_follows =
        request.method == "HEAD" || promises || (reply.body.len() == 0 && reply.broken.is_none());
    let mut stream = respond.send_response(response, nothing_follows)?;
    if nothing_follows {
        return Ok(());
    }
    send_body(&mut stream, &reply, limit).await?;
    match reply.broken {
        Some((Break::Reset, _)) => {
            // A reset overtakes what is still waiting to be written; the connection has its turn
            // first.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        Some((Break::Stall, _)) => pending().await,
        Some((Break::Close, _)) | None => stream.send_data(Data::default(), true)?,
    }
    Ok(())
}

async fn read(asked: http::Request<RecvStream>, number: usize) -> Result<Request, h2::Error> {
    let (head, mut stream) = asked.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    if let Some(authority) = head.uri.authority() {
        headers.push(("host".to_owned(), authority.to_string()));
    }
    Ok(Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body,
        connection: number,
    })
}

/// Sends at most `limit` bytes of the body, as fast as the client takes them.
async fn send_body(
    stream: &mut SendStream<Data>,
    reply: &Reply,
    limit: u64,
) -> Result<(), h2::Error> {
    let length = reply.body.len().min(limit);
    let (most, pause) = reply.drip.unwrap_or((16 * 1024, std::time::Duration::ZERO));
    let mut sent = 0;
    while sent < length {
        let end = length.min(sent + most as u64);
        let mut piece = Vec::new();
        io::Read::read_to_end(&mut reply.body.slice(sent, end).reader(), &mut piece)
            .expect("it is in memory");
        stream.reserve_capacity(piece.len());
        while stream.capacity() < piece.len() {
            match poll_fn(|context| stream.poll_capacity(context)).await {
                Some(capacity) => capacity?,
                None => return Ok(()),
            };
        }
        tokio::time::sleep(pause).await;
        stream.send_data(Data::new(piece), false)?;
        sent = end;
    }
    Ok(())
}
