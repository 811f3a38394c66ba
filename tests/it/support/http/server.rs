//! A server on loopback that sends exactly the bytes a function returns, and records every request.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::message::{Break, Place, Reply, Request};
use super::two;
use super::wire::{Head, Wire, read_head};

/// A TLS connection begins with this byte.
const TLS_HANDSHAKE: u8 = 0x16;

/// Decides what to answer.
pub(crate) type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A server that runs as long as this value lives.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What is spoken on a connection.
pub(super) enum Protocol {
    Plain,
    Tls(Arc<ServerConfig>),
    /// HTTP/2 over TLS.
    Two(Arc<ServerConfig>),
}

pub(super) struct Shared {
    handler: Box<Handler>,
    protocol: Protocol,
    stopped: AtomicBool,
    open: Mutex<HashMap<usize, TcpStream>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    busy: AtomicUsize,
    peak: AtomicUsize,
    /// How many more bodies are not read to their end, and how much of each is, in bytes.
    cuts: Mutex<(usize, usize)>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Protocol::Plain, Box::new(handler))
    }

    /// As [`Server::start`], with TLS.
    pub(crate) fn start_tls(
        tls: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Protocol::Tls(tls), Box::new(handler))
    }

    /// As [`Server::start_tls`], in HTTP/2. There a broken answer is a broken stream: the
    /// connection stays.
    pub(crate) fn start_two(
        tls: Arc<ServerConfig>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Protocol::Two(tls), Box::new(handler))
    }

    fn listen(protocol: Protocol, handler: Box<Handler>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let scheme = if matches!(protocol, Protocol::Plain) {
            "http"
        } else {
            "https"
        };
        let shared = Arc::new(Shared {
            handler,
            protocol,
            stopped: AtomicBool::new(false),
            open: Mutex::default(),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            cuts: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &accepting));
        Self {
            address,
            scheme,
            shared,
            thread: Some(thread),
        }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port alone, for a server that is reached under another name.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:port` and a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Every request so far, in the order in which their heads had come.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("no handler panics")
            .clone()
    }

    /// How many connections were made so far, whether anything was asked on them or not.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Closes the connection in the middle of the next so many requests whose bodies are longer
    /// than this, after so many bytes of each. They are not among the requests.
    pub(crate) fn closes_in_bodies(&self, times: usize, after: usize) {
        *self.shared.cuts.lock().expect("no handler panics") = (times, after);
    }

    /// How many requests were being answered at once, at most.
    pub(crate) fn peak(&self) -> usize {
        self.shared.peak.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes up the thread that accepts; when it cannot be reached, it is gone already.
        let _ = TcpStream::connect(self.address);
        if let Ok(open) = self.shared.open.lock() {
            for stream in open.values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// After how many bytes of the body of a request the connection is closed.
    fn cut(&self, head: &Head) -> Option<usize> {
        let length: usize = head.header("Content-Length")?.parse().ok()?;
        let mut cuts = self.cuts.lock().expect("no handler panics");
        let (times, after) = *cuts;
        if times == 0 || length <= after {
            return None;
        }
        cuts.0 -= 1;
        Some(after)
    }

    /// Remembers a request and decides what to answer; the answer is being given as long as the
    /// second value lives.
    pub(super) fn decide(&self, request: &Request) -> (Reply, Busy<'_>) {
        self.requests
            .lock()
            .expect("no handler panics")
            .push(request.clone());
        self.peak.fetch_max(
            self.busy.fetch_add(1, Ordering::SeqCst) + 1,
            Ordering::SeqCst,
        );
        let busy = Busy(&self.busy);
        ((self.handler)(request), busy)
    }
}

/// One answer under way.
pub(super) struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for (number, stream) in listener.incoming().enumerate() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client may go at any time, and some answers are meant to break: only what was asked
            // is of interest.
            let _ = serve(&stream, number, &shared);
            shared
                .open
                .lock()
                .expect("no handler panics")
                .remove(&number);
        });
    }
}

fn serve(stream: &TcpStream, number: usize, shared: &Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    shared
        .open
        .lock()
        .expect("no handler panics")
        .insert(number, stream.try_clone()?);
    let wire: Box<dyn Wire> = match &shared.protocol {
        Protocol::Plain => Box::new(stream.try_clone()?),
        Protocol::Two(config) => {
            return two::serve(stream.try_clone()?, Arc::clone(config), number, shared);
        }
        Protocol::Tls(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            Box::new(StreamOwned::new(connection, stream.try_clone()?))
        }
    };
    let mut wire = BufReader::new(wire);
    if matches!(shared.protocol, Protocol::Plain)
        && wire.fill_buf()?.first() == Some(&TLS_HANDSHAKE)
    {
        // So do other servers of plain HTTP.
        return wire
            .get_mut()
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request");
    }
    while let Some(head) = read_head(&mut wire)? {
        let mut words = head.line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut body = Vec::new();
        if let Some(after) = shared.cut(&head) {
            (&mut wire).take(after as u64).read_to_end(&mut body)?;
            return stream.shutdown(Shutdown::Both);
        }
        head.read_body(&mut wire, false, &mut body)?;
        let request = Request {
            method,
            path,
            query,
            headers: head.headers,
            body,
            connection: number,
        };
        let (reply, busy) = shared.decide(&request);
        send(&mut wire, &reply, &request)?;
        drop(busy);
        let asked_to_close = request
            .header("Connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        match reply.broken {
            Some((Break::Stall, _)) => {
                // Until the client goes, or the server does.
                io::copy(&mut wire, &mut io::sink())?;
            }
            Some((Break::Reset, _)) => {
                shared
                    .open
                    .lock()
                    .expect("no handler panics")
                    .remove(&number);
                return socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
            _ if reply.ends_by_itself() && !asked_to_close => continue,
            _ => {}
        }
        return Ok(());
    }
    Ok(())
}

fn send(wire: &mut BufReader<Box<dyn Wire>>, reply: &Reply, request: &Request) -> io::Result<()> {
    if !reply.delay.is_zero() {
        std::thread::sleep(reply.delay);
    }
    let wire = wire.get_mut();
    if let Some(raw) = &reply.raw {
        wire.write_all(raw)?;
        return wire.flush();
    }
    let head = reply.head();
    let limit = match reply.broken {
        None => u64::MAX,
        Some((_, Place::Message(after))) => after as u64,
        Some((_, Place::Body(after))) => (head.len() + after) as u64,
    };
    let body: Box<dyn Read> = match (request.method.as_str(), reply.chunked) {
        ("HEAD", _) => Box::new(io::empty()),
        (_, false) => reply.body.reader(),
        (_, true) => Box::new(io::Cursor::new(in_chunks(&reply.body)?)),
    };
    let mut message = (&head[..]).chain(body).take(limit);
    let (piece, pause) = reply.drip.unwrap_or((64 * 1024, Duration::ZERO));
    let mut buffer = vec![0; piece];
    loop {
        let mut filled = 0;
        while filled < piece {
            match message.read(&mut buffer[filled..])? {
                0 => break,
                came => filled += came,
            }
        }
        if filled == 0 {
            return wire.flush();
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        wire.write_all(&buffer[..filled])?;
        wire.flush()?;
    }
}

fn in_chunks(body: &super::message::Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    body.reader().read_to_end(&mut bytes)?;
    let mut chunks = Vec::new();
    for chunk in bytes.chunks(1000) {
        write!(chunks, "{:x}\r\n", chunk.len())?;
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    Ok(chunks)
}
