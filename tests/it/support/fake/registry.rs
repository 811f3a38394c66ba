//! The fake registry: a server, what it holds, who may ask, and where it deviates.
//!
//! It is only ever read, unless a test makes it [`Registry::writable`]: a request by another method
//! than `GET` and `HEAD` for anything but a page that a test put there makes the test fail at its
//! end.

use std::sync::{Arc, Mutex, MutexGuard};

use super::content::Repositories;
use super::guard::Guard;
use super::rule::{Change, Rule, When};
use crate::support::authority::Identity;
use crate::support::http::{Reply, Request, Server};
use crate::support::image::Image;
use crate::support::recipe::Recipe;

/// A registry on loopback that holds images in memory. A request for something it does not know
/// makes the test fail at its end.
pub(crate) struct Registry {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    repositories: Repositories,
    rules: Vec<Rule>,
    guard: Option<Guard>,
    mounts: Vec<(String, Arc<Page>)>,
    unexpected: Vec<String>,
    strict: bool,
}

type Page = dyn Fn(&Request) -> Reply + Send + Sync;

impl Registry {
    /// An empty one, over plain HTTP.
    pub(crate) fn start() -> Self {
        let state = State::new();
        let answering = Arc::clone(&state);
        Self {
            server: Server::start(move |request| answer(&answering, request)),
            state,
        }
    }

    /// An empty one, over HTTPS.
    pub(crate) fn start_tls(identity: &Identity) -> Self {
        let state = State::new();
        let answering = Arc::clone(&state);
        Self {
            server: Server::start_tls(identity.server(), move |request| {
                answer(&answering, request)
            }),
            state,
        }
    }

    /// An empty one, over HTTPS in HTTP/2.
    pub(crate) fn start_two(identity: &Identity) -> Self {
        let state = State::new();
        let answering = Arc::clone(&state);
        Self {
            server: Server::start_two(identity.server_two(), move |request| {
                answer(&answering, request)
            }),
            state,
        }
    }

    /// The server below it: its address, and what it was asked.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        self.server.host()
    }

    /// The full reference of `name:tag` or `name@digest` here.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.server.host())
    }

    /// Makes an image and serves it as `name:tag`.
    pub(crate) fn image(&self, name: &str, recipe: &Recipe) -> Image {
        let image = recipe.make();
        self.serve(name, &image);
        image
    }

    /// Serves an image as `name:tag`, or as `name` alone, then by digest only.
    pub(crate) fn serve(&self, name: &str, image: &Image) {
        let (name, tag) = match name.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        self.state().repositories.store(name, tag, image);
    }

    /// Loses a digest, a tag or a repository: 404 from now on.
    pub(crate) fn lose(&self, what: &str) -> &Self {
        self.state().repositories.lose(what);
        self
    }

    /// Has it again.
    pub(crate) fn find(&self, what: &str) -> &Self {
        self.state().repositories.find(what);
        self
    }

    /// Can be written to: uploads, mounts, manifests, deletions. What it does not know is a plain
    /// 404, which fails no test.
    pub(crate) fn writable(&self) -> &Self {
        self.state().repositories.be_writable();
        self
    }

    /// Loses a digest or a tag in one repository of a writable registry, and not in the others.
    pub(crate) fn lose_in(&self, name: &str, what: &str) -> &Self {
        assert!(self.state().repositories.delete(name, what), "no {what}");
        self
    }

    /// Whether a repository has this digest.
    pub(crate) fn has(&self, name: &str, digest: &str) -> bool {
        self.state().repositories.has(name, digest).is_some()
    }

    /// The digest that a tag of a repository points to.
    pub(crate) fn tagged(&self, name: &str, tag: &str) -> Option<String> {
        self.state().repositories.tagged(name, tag)
    }

    /// How many uploads were begun, and neither completed nor cancelled.
    pub(crate) fn open_uploads(&self) -> usize {
        self.state().repositories.open_uploads()
    }

    /// Deviates for requests of this method (`*` for any) that open an upload or go to an open one.
    pub(crate) fn on_uploads(&self, method: &str) -> When<'_> {
        When::anywhere(self, method, "/blobs/uploads/")
    }

    /// Every request so far that would change something, as `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        let requests = self.requests().into_iter();
        let writing = requests.filter(|request| !is_reading(request));
        writing
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// Deviates for requests of this method (`*` for any) whose path ends so; a digest is an end,
    /// and so is nothing.
    pub(crate) fn on(&self, method: &str, path: &str) -> When<'_> {
        When::new(self, method, path)
    }

    /// Drops a repository with its rules, when it is not needed any more.
    pub(crate) fn drop_repository(&self, name: &str) {
        let mut state = self.state();
        state.repositories.drop(name);
        let path = format!("/v2/{name}/");
        state.rules.retain(|rule| !rule.path.starts_with(&path));
    }

    /// Is right again from now on.
    pub(crate) fn forget_rules(&self) {
        self.state().rules.clear();
    }

    /// Lets in only requests that the guard lets in.
    pub(crate) fn guarded(&self, guard: Guard) -> &Self {
        self.state().guard = Some(guard);
        self
    }

    /// Answers everything at a path with a function, before any guard: a token endpoint, a page.
    pub(crate) fn mount(
        &self,
        path: &str,
        page: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> &Self {
        self.state().mounts.push((path.to_owned(), Arc::new(page)));
        self
    }

    /// Answers 404 to what it does not know, without failing the test.
    pub(crate) fn lenient(&self) -> &Self {
        self.state().strict = false;
        self
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    /// `METHOD path` of every request so far whose path ends so.
    pub(crate) fn asked(&self, path: &str) -> Vec<String> {
        let requests = self
            .requests()
            .into_iter()
            .filter(|request| request.path.ends_with(path));
        requests
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    pub(super) fn add(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handler panics")
    }
}

impl State {
    fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            repositories: Repositories::default(),
            rules: Vec::new(),
            guard: None,
            mounts: Vec::new(),
            unexpected: Vec::new(),
            strict: true,
        }))
    }

    fn right_answer(&mut self, request: &Request) -> Reply {
        if let Some(refusal) = self.guard.as_ref().and_then(|guard| guard(request)) {
            return refusal;
        }
        self.repositories.answer(request).unwrap_or_else(|_| {
            if self.strict {
                self.unexpected
                    .push(format!("{} {}", request.method, request.path));
            }
            Reply::error(
                404,
                "UNEXPECTED",
                "the test did not say that this would be asked",
            )
        })
    }
}

fn answer(state: &Mutex<State>, request: &Request) -> Reply {
    let mut state = state.lock().expect("no handler panics");
    if let Some((_, page)) = state.mounts.iter().find(|(path, _)| *path == request.path) {
        let page = Arc::clone(page);
        drop(state);
        return page(request);
    }
    let rule = state
        .rules
        .iter_mut()
        .find_map(|rule| rule.takes(request).then(|| rule.change.clone()));
    match rule {
        None => state.right_answer(request),
        Some(Change::Answer(reply)) => reply,
        Some(Change::Pretend) => {
            let before = state.repositories.clone();
            let reply = state.right_answer(request);
            state.repositories = before;
            reply
        }
        Some(Change::Alter(question, alteration)) => {
            let mut other = request.clone();
            question(&mut other);
            alteration(request, state.right_answer(&other))
        }
    }
}

fn is_reading(request: &Request) -> bool {
    matches!(request.method.as_str(), "GET" | "HEAD")
}

impl Drop for Registry {
    fn drop(&mut self) {
        let is_writable = self.state().repositories.is_writable();
        let requests = self.server.requests();
        let is_page = |path: &str| self.state().mounts.iter().any(|(page, _)| page == path);
        let written: Vec<&Request> = requests
            .iter()
            .filter(|request| !is_writable && !is_reading(request))
            .filter(|request| !is_page(&request.path))
            .collect();
        if !std::thread::panicking() {
            assert!(
                written.is_empty(),
                "the registry was written to: {written:#?}"
            );
        }
        let unexpected = std::mem::take(&mut self.state().unexpected);
        if !std::thread::panicking() {
            assert!(
                unexpected.is_empty(),
                "the fake registry was asked for what it does not know: {unexpected:#?}"
            );
        }
    }
}
