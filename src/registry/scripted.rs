//! A plain HTTP server on loopback for unit tests, whose every answer a test writes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::loopback::{Loopback, TLS_HANDSHAKE};

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    /// `PUT /v2/app/blobs/uploads/1?digest=…`.
    pub(super) line: String,
    /// The lines of its headers.
    pub(super) headers: Vec<String>,
    /// As much of its body as was read.
    pub(super) body: Vec<u8>,
}

impl Heard {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|line| line.split_once(": "));
        headers
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// What the server does with a request.
pub(super) enum Act {
    /// It reads the body, and answers with a status, headers and a body.
    Answer(u16, String, String),
    /// It closes the connection after so many bytes of the body.
    Cut(usize),
    /// It answers with this status before the body, and closes its side.
    Early(u16),
    /// It reads the body with this pause before each 64 KiB, and answers 201.
    Slowly(Duration),
    /// It reads the body and never answers.
    Silence,
}

/// An answer with these headers.
pub(super) fn answer(status: u16, headers: &[&str]) -> Act {
    Act::Answer(status, headers.join("\r\n"), String::new())
}

/// An answer in a registry's own words.
pub(super) fn refusal(status: u16, code: &str) -> Act {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"no"}}]}}"#);
    Act::Answer(status, String::new(), body)
}

/// What is done with a request, and how many there were before it.
type Script = dyn Fn(&Heard, usize) -> Act + Send + Sync;

/// A server that follows a script.
pub(super) struct Scripted {
    /// Where it is.
    pub(super) place: Loopback,
    pub(super) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Scripted {
    pub(super) fn start(script: impl Fn(&Heard, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // What the system holds for us would hide how slowly we read.
        let socket = socket2::SockRef::from(&listener);
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::default());
        let (notes, script): (_, Arc<Script>) = (Arc::clone(&heard), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (notes, script) = (Arc::clone(&notes), Arc::clone(&script));
                // Connections are cut on purpose.
                std::thread::spawn(move || serve(stream, &*script, &notes));
            }
        });
        Self {
            place: Loopback::at(port),
            port,
            heard,
        }
    }

    /// Every request whose body is over, in order.
    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The first lines of the requests.
    pub(super) fn lines(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.line).collect()
    }
}

fn serve(stream: TcpStream, script: &Script, notes: &Mutex<Vec<Heard>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        if reader.fill_buf()?.first() == Some(&TLS_HANDSHAKE) {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
        let Some(mut heard) = head(&mut reader)? else {
            return Ok(());
        };
        let length = heard
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let count = notes.lock().unwrap().len();
        let act = script(&heard, count);
        let (most, pause) = match act {
            Act::Cut(after) => (after, Duration::ZERO),
            Act::Early(_) => (0, Duration::ZERO),
            Act::Slowly(pause) => (length, pause),
            _ => (length, Duration::ZERO),
        };
        while heard.body.len() < most {
            std::thread::sleep(pause);
            let piece = (most - heard.body.len()).min(64 * 1024);
            if (&mut reader)
                .take(piece as u64)
                .read_to_end(&mut heard.body)?
                == 0
            {
                break;
            }
        }
        notes.lock().unwrap().push(heard);
        let (status, headers, body) = match act {
            Act::Answer(status, headers, body) => (status, headers, body),
            Act::Slowly(_) => (201, String::new(), String::new()),
            Act::Cut(_) => return Ok(()),
            Act::Early(status) => {
                let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(text.as_bytes())?;
                stream.shutdown(Shutdown::Write)?;
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
            Act::Silence => {
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
        };
        let blank = if headers.is_empty() { "" } else { "\r\n" };
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}{blank}\r\n{body}"
        );
        stream.write_all(text.as_bytes())?;
    }
}

fn head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Heard>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let line = lines.remove(0);
    Ok(Some(Heard {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        headers: lines,
        body: Vec::new(),
    }))
}
