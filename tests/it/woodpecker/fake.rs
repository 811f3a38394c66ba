//! A Woodpecker server with scripted answers, over real HTTP on loopback.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use url::Url;

/// The token that the fake accepts.
pub(crate) const TOKEN: &str = "t0p-s3cret-t0ken";

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Says that more bytes come than do.
    CutShort(String),
    /// Closes the connection without a word.
    Close,
    /// Waits until the client has had enough.
    Hang,
}

impl Reply {
    pub(crate) fn json(value: &Value) -> Self {
        Self::status(200)
            .header("content-type", "application/json")
            .body(value.to_string())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// What the real server answers to every path that it does not know.
    pub(crate) fn web_page() -> Self {
        Self::status(200)
            .header("content-type", "text/html; charset=utf-8")
            .body("<!doctype html><title>Woodpecker</title>")
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    pub(crate) fn body(mut self, text: impl Into<String>) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = text.into();
        }
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET /api/…`, without the query.
    pub(crate) route: String,
    /// The query, decoded.
    pub(crate) query: BTreeMap<String, String>,
    /// Header names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

#[derive(Debug, Default)]
struct State {
    routes: HashMap<String, VecDeque<Reply>>,
    requests: Vec<Request>,
    unexpected: Vec<String>,
}

/// A running server; a request that no test expects fails the test.
#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    closed: Arc<AtomicBool>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (state, closed) = (
            Arc::new(Mutex::new(State::default())),
            Arc::new(AtomicBool::new(false)),
        );
        let (shared, stop) = (Arc::clone(&state), Arc::clone(&closed));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(&stream.unwrap(), &state));
            }
        });
        Self {
            address,
            state,
            closed,
        }
    }

    /// The server's address with this path.
    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    /// Scripts the answers to a route, `GET /api/…`; the last one is given again and again.
    pub(crate) fn on(&self, route: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        self.state
            .lock()
            .unwrap()
            .routes
            .insert(route.to_owned(), replies.into_iter().collect());
        self
    }

    /// What came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The requests of one route.
    pub(crate) fn requests_to(&self, route: &str) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.route == route)
            .collect()
    }

    /// How many requests asked for a pipeline to be started.
    pub(crate) fn starts(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.route.starts_with("POST "))
            .count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; when that fails it is gone already.
        drop(TcpStream::connect(self.address));
        if !thread::panicking() {
            assert_eq!(
                self.state.lock().unwrap().unexpected,
                Vec::<String>::new(),
                "unexpected requests"
            );
        }
    }
}

fn serve(mut stream: &TcpStream, state: &Mutex<State>) {
    let Some(request) = read(stream) else { return };
    // Not within the `match`, whose arms would hold the lock.
    let reply = answer(&request, &mut state.lock().unwrap());
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let headers: Vec<String> = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let headers = headers.concat();
            let length = if status == 204 {
                String::new()
            } else {
                format!("content-length: {}\r\n", body.len())
            };
            let text =
                format!("HTTP/1.1 {status} x\r\n{headers}{length}connection: close\r\n\r\n{body}");
            // A client that was interrupted is gone.
            drop(stream.write_all(text.as_bytes()));
        }
        Reply::CutShort(body) => {
            let text = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len() + 9
            );
            drop(stream.write_all(text.as_bytes()));
        }
        Reply::Close => {}
        Reply::Hang => drop(stream.read(&mut [0])),
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader
        .read_line(&mut first)
        .ok()
        .filter(|&length| length > 0)?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length: &String| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let target: Url = format!("http://fake{target}").parse().unwrap();
    Some(Request {
        route: format!("{method} {}", target.path()),
        query: target.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

fn answer(request: &Request, state: &mut State) -> Reply {
    state.requests.push(request.clone());
    if request.headers.get("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Reply::status(401);
    }
    match state.routes.get_mut(&request.route) {
        Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
        Some(replies) => replies[0].clone(),
        None => {
            state.unexpected.push(request.route.clone());
            Reply::web_page()
        }
    }
}
