//! Runs the built program as a CI system would: with the environment it is given, and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::scratch::Scratch;

/// Longer than any test should need; a run that takes longer is killed, and the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program under test is: the one this test was built with, or the one beside a
/// development program.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_pullproof") {
        return path.into();
    }
    let own = std::env::current_exe().expect("a running program has a path");
    own.ancestors()
        .nth(2)
        .expect("cargo puts examples one below the binaries")
        .join("pullproof")
}

/// A run that was not started yet.
pub(crate) struct Pullproof {
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    directory: Scratch,
    /// The file that is its standard input; nothing by default.
    input: Option<PathBuf>,
    patience: Duration,
}

/// `pullproof` without arguments, in an empty directory that is also its home, and with an environment
/// that asks for no colours and is empty otherwise.
pub(crate) fn pullproof() -> Pullproof {
    let directory = Scratch::new("run");
    let mut environment =
        BTreeMap::from([("HOME".to_owned(), directory.path().display().to_string())]);
    environment.insert("NO_COLOR".to_owned(), "1".to_owned());
    // Not a setting: where coverage goes when it is measured.
    if let Ok(profile) = std::env::var("LLVM_PROFILE_FILE") {
        environment.insert("LLVM_PROFILE_FILE".to_owned(), profile);
    }
    Pullproof {
        arguments: Vec::new(),
        environment,
        directory,
        input: None,
        patience: PATIENCE,
    }
}

/// `pullproof verify REFERENCE`, with waits as short as a test wants them and the JSON report on
/// standard output.
pub(crate) fn verify(reference: &str) -> Pullproof {
    pullproof().arguments([
        "verify",
        reference,
        "--format",
        "json",
        "--settle",
        "0s",
        "--backoff",
        "10ms",
    ])
}

impl Pullproof {
    /// Adds one argument.
    pub(crate) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    pub(crate) fn arguments<T: Into<String>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets one variable of the environment.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Writes a file below the working directory, which is also the home.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it is below the directory"))
            .expect("the directory is ours");
        std::fs::write(path, content).expect("the directory is ours");
        self
    }

    /// Gives it this on standard input.
    pub(crate) fn input(self, text: impl AsRef<[u8]>) -> Self {
        let mut run = self.file("standard-input", text);
        run.input = Some(run.path("standard-input"));
        run
    }

    /// Where a file of that name below the working directory is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Kills it, and fails, after this time instead of a minute.
    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it, waits for its end, and gives what it left.
    pub(crate) fn run(self) -> Finished {
        self.start().wait()
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let input = self.input.as_ref().map_or_else(Stdio::null, |path| {
            std::fs::File::open(path).expect("it was written").into()
        });
        let mut child = Command::new(binary())
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.directory.path())
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary().display()));
        let stdout = collect(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        let started = Instant::now();
        Running {
            child,
            stdout,
            stderr,
            directory: self.directory,
            deadline: started + self.patience,
            started,
        }
    }
}

/// What came out of a pipe so far, and the thread that reads it to its end.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

fn collect(mut pipe: impl Read + Send + 'static) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            let length = pipe.read(&mut piece).expect("a pipe can be read");
            if length == 0 {
                break;
            }
            shared
                .lock()
                .expect("the lock is never poisoned")
                .extend_from_slice(&piece[..length]);
        }
    });
    Collected { bytes, reader }
}

impl Collected {
    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("the lock is never poisoned"))
            .into_owned()
    }

    fn all(self) -> String {
        let Self { bytes, reader } = self;
        reader.join().expect("reading a pipe does not panic");
        let bytes = bytes.lock().expect("the lock is never poisoned");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A run under way.
pub(crate) struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    directory: Scratch,
    started: Instant,
    deadline: Instant,
}

impl Running {
    /// Sends a signal by its name, `TERM` or `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "cannot send SIG{name}"
        );
    }

    /// Whether it has written this to standard error already.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        self.stderr.so_far().contains(words)
    }

    /// What it has written to standard error so far.
    pub(crate) fn said(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Finished {
        let status = wait_until(&mut self.child, self.deadline);
        let took = self.started.elapsed();
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let Some(status) = status else {
            panic!(
                "still running after {took:?}, killed\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
            );
        };
        Finished {
            code: status.code(),
            status,
            stdout,
            stderr,
            took,
            directory: self.directory,
        }
    }
}

/// Waits for a child's end; kills it at the deadline and gives `None`.
pub(crate) fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How long it ran.
    pub(crate) took: Duration,
    status: ExitStatus,
    directory: Scratch,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

impl Finished {
    /// Fails, and shows everything, unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails, and shows everything, unless something was checked and all of it was found to be
    /// whole.
    #[track_caller]
    pub(crate) fn passes(self) -> Report {
        let report = self.exits(0).report();
        assert_eq!(report.result(), "passed");
        assert!(
            report.count("ok") > 0,
            "it passed without a look: {:#}",
            report.0
        );
        report
    }

    /// The JSON report on standard output.
    #[track_caller]
    pub(crate) fn report(&self) -> Report {
        Report(
            serde_json::from_str(&self.stdout)
                .unwrap_or_else(|error| panic!("no JSON report: {error}: {self}")),
        )
    }

    /// The JSON report in a file below the working directory.
    #[track_caller]
    pub(crate) fn report_in(&self, name: &str) -> Report {
        let text = self.read(name);
        Report(
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("no JSON in {name}: {error}: {text}")),
        )
    }

    /// A file that it left below its working directory.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}: {self}"))
    }

    /// Its working directory, there as long as this value.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// A JSON report, with the questions that tests ask of it.
#[derive(Clone, Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// `passed`, `failed`, `error`, `skipped`.
    pub(crate) fn result(&self) -> &str {
        self.0["result"].as_str().expect("a report has a result")
    }

    /// Why the result is not that of the images.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let error = self.0["error"].as_str();
        error.unwrap_or_else(|| panic!("no error: {:#}", self.0))
    }

    /// Every image, repository by repository.
    pub(crate) fn images(&self) -> Vec<&Value> {
        self.in_repositories("images")
    }

    /// Every node of every repository.
    pub(crate) fn nodes(&self) -> Vec<&Value> {
        self.in_repositories("nodes")
    }

    fn in_repositories(&self, name: &str) -> Vec<&Value> {
        let repositories = self.0["repositories"].as_array();
        let repositories = repositories.expect("a report has repositories").iter();
        let lists = repositories.map(|repository| repository[name].as_array());
        lists.flat_map(|list| list.expect("it is a list")).collect()
    }

    /// The verdict on every digest that is not `ok` and was not skipped.
    pub(crate) fn faults(&self) -> BTreeMap<String, String> {
        let text = |node: &Value, key: &str| node[key].as_str().unwrap_or_default().to_owned();
        self.nodes()
            .into_iter()
            .map(|node| (text(node, "digest"), text(node, "verdict")))
            .filter(|(_, verdict)| verdict != "ok" && verdict != "skipped")
            .collect()
    }

    /// The verdict on one digest.
    #[track_caller]
    pub(crate) fn verdict(&self, digest: &str) -> &str {
        let node = self
            .nodes()
            .into_iter()
            .find(|node| node["digest"] == digest);
        node.unwrap_or_else(|| panic!("{digest} is not in the report: {:#}", self.0))["verdict"]
            .as_str()
            .expect("a node has a verdict")
    }

    /// One of the `counts`.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        self.0["counts"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no count {name}: {:#}", self.0["counts"]))
    }
}

/// Fails unless a program ended with this exit code and printed these words; gives all that it
/// printed.
#[track_caller]
pub(crate) fn ends(output: &Output, code: i32, words: &str) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
    said
}
