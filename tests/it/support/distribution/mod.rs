//! The real distribution with a directory of its own on a free port: Debian's 2.8.2, or another
//! one.

mod configuration;
mod disk;
mod push;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use self::configuration::Port;
use super::authority::Authority;
use super::http::Server;
use super::http::client::ask;
use super::image::Image;
use super::port;
use super::recipe::Recipe;
use super::scratch::Scratch;
use super::skopeo;

pub(crate) use configuration::{PASSWORD, READER, USERNAME};
pub(crate) use disk::Damage;
#[allow(
    unused_imports,
    reason = "shared helpers: not every test binary uses all of them"
)]
pub(crate) use push::{Door, push, push_below_root, put_root, write_layout};

/// Which access it allows.
pub(crate) enum Form {
    /// Anonymous access, over plain HTTP.
    Open,
    /// [`USERNAME`] with [`PASSWORD`], over plain HTTP.
    Htpasswd,
    /// Anonymous access, over HTTPS with a certificate of a private authority.
    Tls(Box<Authority>),
    /// Both: [`USERNAME`] with [`PASSWORD`], over HTTPS with such a certificate.
    Private(Box<Authority>),
    /// Bearers of a token, over plain HTTP; the token server wants [`USERNAME`] with [`PASSWORD`].
    Token(Server),
}

/// A registry that runs as long as this value lives.
pub(crate) struct Distribution {
    program: PathBuf,
    directory: Scratch,
    form: Form,
    port: u16,
    /// How many names a page of its catalog has at most, if not as many as by default.
    catalog: Option<usize>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

/// Held by whoever collects garbage; a repair refuses to write to any disk meanwhile.
static COLLECTION: RwLock<()> = RwLock::new(());

/// Keeps garbage from being collected, of any registry, as long as the value lives.
pub(crate) fn without_collections() -> RwLockReadGuard<'static, ()> {
    COLLECTION.read().unwrap_or_else(PoisonError::into_inner)
}

/// Runs alone, as a collection does.
pub(crate) fn as_a_collection<T>(work: impl FnOnce() -> T) -> T {
    let _alone = COLLECTION.write().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Debian's program.
const DEBIAN: &str = "docker-registry";

impl Distribution {
    /// An empty one with anonymous access.
    pub(crate) fn open() -> Self {
        Self::open_by(DEBIAN)
    }

    /// An empty one with anonymous access, of this program instead of Debian's.
    pub(crate) fn open_by(program: impl Into<PathBuf>) -> Self {
        Self::start_as(program, Form::Open, |_| {})
    }

    /// An empty one with htpasswd.
    pub(crate) fn htpasswd() -> Self {
        Self::start_as(DEBIAN, Form::Htpasswd, |directory| {
            configuration::write_htpasswd(directory.path());
        })
    }

    /// An empty one over HTTPS.
    pub(crate) fn tls() -> Self {
        let authority = Authority::new();
        let identity = authority.issue(&["127.0.0.1", "localhost"]);
        Self::start_as(DEBIAN, Form::Tls(Box::new(authority)), |directory| {
            configuration::write_identity(directory.path(), &identity);
        })
    }

    /// An empty one over HTTPS under this name, with htpasswd.
    pub(crate) fn private(name: &str) -> Self {
        let authority = Authority::new();
        let identity = authority.issue(&[name]);
        Self::start_as(DEBIAN, Form::Private(Box::new(authority)), |directory| {
            configuration::write_identity(directory.path(), &identity);
            configuration::write_htpasswd(directory.path());
        })
    }

    /// An empty one with a token server.
    pub(crate) fn token() -> Self {
        let identity = Authority::new().issue(&["tokens.test"]);
        let certificate = identity.pem();
        let server = configuration::token_server(identity);
        Self::start_as(DEBIAN, Form::Token(server), |directory| {
            configuration::write_token_root(directory.path(), &certificate);
        })
    }

    fn start_as(program: impl Into<PathBuf>, form: Form, prepare: impl FnOnce(&Scratch)) -> Self {
        let directory = Scratch::new("registry");
        prepare(&directory);
        let mut registry = Self {
            program: program.into(),
            directory,
            form,
            port: 0,
            catalog: None,
            process: None,
        };
        let mut log = String::new();
        for _ in 0..100 {
            registry.port = port::next();
            match registry.try_start(Port::Own) {
                Ok(()) => return registry,
                Err(error) => log = error,
            }
        }
        panic!("docker-registry does not start: {log}");
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The same with at most so many names in a page of its catalog; started again.
    pub(crate) fn with_catalog_of(mut self, names: usize) -> Self {
        self.catalog = Some(names);
        self.restart();
        self
    }

    /// The full reference of `name:tag` or `name@digest` here.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// The authority that vouches for it.
    pub(crate) fn authority(&self) -> &Authority {
        match &self.form {
            Form::Tls(authority) | Form::Private(authority) => authority,
            _ => panic!("only a form over HTTPS has an authority"),
        }
    }

    /// The token server that its challenge names.
    pub(crate) fn token_server(&self) -> &Server {
        match &self.form {
            Form::Token(server) => server,
            _ => panic!("only the token form has a token server"),
        }
    }

    /// Stops it.
    pub(crate) fn stop(&mut self) -> &mut Self {
        self.process = None;
        self
    }

    /// Starts it again, on the same port, with nothing in its memory.
    pub(crate) fn start(&mut self) -> &mut Self {
        if let Err(log) = self.try_start(Port::Own) {
            panic!("docker-registry did not start again: {log}");
        }
        self
    }

    /// Stops and starts it: afterwards it is cold.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.stop().start()
    }

    /// `garbage-collect -m`, which deletes what no tag points to. A registry that runs meanwhile
    /// remembers what is gone.
    pub(crate) fn garbage_collect_untagged(&mut self) -> &mut Self {
        self.collect(&["-m"])
    }

    /// `garbage-collect`, which deletes what nothing refers to. A registry that runs meanwhile
    /// remembers what is gone.
    pub(crate) fn garbage_collect(&mut self) -> &mut Self {
        self.collect(&[])
    }

    fn collect(&mut self, arguments: &[&str]) -> &mut Self {
        let mut command = self.command("garbage-collect", Port::Own);
        let output = as_a_collection(|| command.args(arguments).output());
        require_success(
            &output.expect("docker-registry was there a moment ago"),
            "garbage-collect",
        );
        self
    }

    /// Deletes a manifest as its API does.
    pub(crate) fn delete(&self, name: &str, digest: &str) -> &Self {
        let answer = ask(
            "DELETE",
            &format!("http://{}/v2/{name}/manifests/{digest}", self.host()),
            &[],
            &[],
        );
        assert_eq!(
            answer.expect("it runs").status,
            202,
            "DELETE {digest}: {}",
            self.log()
        );
        self
    }

    /// Makes an image and pushes it as `name:tag`.
    pub(crate) fn image(&self, name: &str, recipe: &Recipe) -> Image {
        let image = recipe.make();
        self.push(name, &image);
        image
    }

    /// Pushes an image as `name:tag`. A form that wants credentials is not asked for them: a second
    /// process on the same directory takes the image.
    pub(crate) fn push(&self, name: &str, image: &Image) {
        self.with_open_door(|host| push::push(&Door::open(host), name, image));
    }

    /// Pushes an image as `name:tag` with skopeo, which decides by itself how.
    pub(crate) fn push_by_skopeo(&self, name: &str, image: &Image) {
        self.with_open_door(|host| skopeo::push(host, name, image));
    }

    fn with_open_door(&self, push: impl FnOnce(&str)) {
        if matches!(self.form, Form::Open) {
            return push(&self.host());
        }
        let (process, port) = self
            .launch(Port::Any)
            .unwrap_or_else(|log| panic!("docker-registry: {log}"));
        push(&format!("127.0.0.1:{port}"));
        drop(process);
    }

    fn try_start(&mut self, port: Port) -> Result<(), String> {
        self.process = Some(self.launch(port)?.0);
        Ok(())
    }

    /// Where its configuration is.
    pub(crate) fn configuration(&self) -> PathBuf {
        configuration::write(self.directory.path(), &self.form, self.port, Port::Own)
    }

    fn command(&self, verb: &str, port: Port) -> Command {
        let path = configuration::write(self.directory.path(), &self.form, self.port, port);
        let mut command = Command::new(&self.program);
        command
            .arg(verb)
            .arg(path)
            .env_remove("REGISTRY_HTTP_ADDR")
            // Version 3 sends traces to a collector by default.
            .env("OTEL_TRACES_EXPORTER", "none")
            .envs(
                self.catalog
                    .map(|names| ("REGISTRY_CATALOG_MAXENTRIES", names.to_string())),
            )
            .stdin(Stdio::null());
        command
    }

    /// Starts a process and waits until it listens; gives its log when it ends instead.
    fn launch(&self, port: Port) -> Result<(Process, u16), String> {
        let spawned = self
            .command("serve", port)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child =
            spawned.unwrap_or_else(|error| missing(&self.program.to_string_lossy(), &error));
        let stderr = child.stderr.take().expect("it is piped");
        let log = Arc::new(Mutex::new(String::new()));
        let listening = read_log(stderr, Arc::clone(&log));
        let process = Process { child, log };
        match listening.recv_timeout(Duration::from_secs(30)) {
            Ok(port) => Ok((process, port)),
            Err(_) => Err(process
                .log
                .lock()
                .expect("reading a log does not panic")
                .clone()),
        }
    }

    /// The number of its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.as_ref().expect("it runs").child.id()
    }

    /// What it wrote to its log since it was started.
    pub(crate) fn log(&self) -> String {
        let process = self.process.as_ref().expect("it runs");
        process
            .log
            .lock()
            .expect("reading a log does not panic")
            .clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps a log, and sends the port once the log says that it listens.
fn read_log(stderr: impl std::io::Read + Send + 'static, log: Arc<Mutex<String>>) -> Receiver<u16> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let port = line.split("listening on 127.0.0.1:").nth(1);
            let port = port.map(|rest| {
                rest.chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
            });
            let mut log = log.lock().expect("reading a log does not panic");
            log.push_str(&line);
            log.push('\n');
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                // Nothing waits after the first time.
                let _ = sender.send(port);
            }
        }
    });
    receiver
}

/// Ends a test that lacks a program: never a silent skip.
pub(crate) fn missing(program: &str, error: &std::io::Error) -> ! {
    panic!("cannot run {program}: {error}\nhint: `make test` installs it, or says why it cannot")
}

/// Ends a test whose helper failed, with all that it said.
#[track_caller]
pub(crate) fn require_success(output: &Output, what: &str) {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{what}: {}\n{stdout}\n{stderr}",
        output.status
    );
}
