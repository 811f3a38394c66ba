//! A typical company proxy: a tunnel for HTTPS, whole addresses for HTTP, and nothing else.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A proxy that runs as long as this value lives.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// `host:port`, and the port of 127.0.0.1 that it leads to.
    routes: BTreeMap<String, u16>,
    heads: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Proxy {
    /// One that leads these `host:port` to ports of 127.0.0.1, and refuses all others.
    pub(crate) fn to(routes: &[(&str, u16)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let routes = routes
            .iter()
            .map(|(host, port)| ((*host).to_owned(), *port))
            .collect();
        let shared = Arc::new(Shared {
            routes,
            heads: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // Either side may go at any time: only what was asked is of interest.
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, shared }
    }

    /// Where it is, as the variables take it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The first line of every request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        let heads = self.shared.heads.lock().expect("no thread panics");
        heads
            .iter()
            .map(|head| head.lines().next().unwrap_or_default().to_owned())
            .collect()
    }

    /// Everything that it could read so far.
    pub(crate) fn headers(&self) -> String {
        self.shared
            .heads
            .lock()
            .expect("no thread panics")
            .join("\n")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes up the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    shared
        .heads
        .lock()
        .expect("no thread panics")
        .push(head.clone());
    let (line, rest) = head.split_once("\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let (method, target) = line.split_once(' ').ok_or(io::ErrorKind::InvalidData)?;
    let whole = target.strip_prefix("http://");
    let host = whole
        .unwrap_or(target)
        .split(['/', ' '])
        .next()
        .unwrap_or_default();
    let Some(port) = shared.routes.get(host) else {
        return client.write_all(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    };
    let mut server = TcpStream::connect(("127.0.0.1", *port))?;
    match whole {
        None => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
        // One request for each connection, so that no other one has to be found in what follows.
        Some(whole) => write!(
            server,
            "{method} {}\r\nConnection: close\r\n{rest}",
            &whole[host.len()..]
        )?,
    }
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        // The end of the answer is the end for the client too.
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    io::copy(&mut reader, &mut server)?;
    server.shutdown(Shutdown::Write)
}
