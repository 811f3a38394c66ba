//! A registry of another program, with a directory of its own.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Case, NAME, pushed, reports};
use crate::support::distribution::Damage;
use crate::support::http::client::ask;
use crate::support::image::Image;
use crate::support::port;
use crate::support::scratch::Scratch;
use crate::until;

/// A registry that runs as long as this value lives.
pub(super) struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
    host: String,
    scratch: Scratch,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts the program that a variable names; `arguments` gets its directory and its port.
    pub(super) fn start_as(
        variable: &str,
        arguments: impl FnOnce(&Path, u16) -> Vec<String>,
    ) -> Self {
        let program = std::env::var(variable).expect("`make e2e` says where it is");
        let scratch = Scratch::new("registry");
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = std::iter::repeat_with(port::next).take(100).find(is_free);
        let port = port.expect("there is a free port");
        let mut server = Self {
            program: program.into(),
            arguments: arguments(scratch.path(), port),
            process: None,
            host: format!("127.0.0.1:{port}"),
            scratch,
        };
        server.start();
        server
    }

    /// Starts it, on the same port as before.
    pub(super) fn start(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("the directory is ours");
        let process = Command::new(&self.program)
            .args(&self.arguments)
            .env("HOME", self.scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let mut process = Process(process);
        let url = format!("http://{}/v2/", self.host);
        until("the registry answers", || {
            let ended = process.0.try_wait().expect("the child is ours");
            assert!(
                ended.is_none(),
                "{}: {ended:?}\n{}",
                self.program.display(),
                self.log()
            );
            ask("GET", &url, &[], &[]).is_ok_and(|answer| matches!(answer.status, 200 | 401))
        });
        self.process = Some(process);
    }

    /// Kills it.
    pub(super) fn stop(&mut self) {
        self.process = None;
    }

    fn log_file(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    /// What it has printed.
    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("the directory is ours")
    }

    /// Its directory.
    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// `127.0.0.1:port`.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The reference of the image.
    pub(super) fn reference(&self) -> String {
        format!("{}/{NAME}", self.host)
    }

    /// The directory of a repository, where it is an OCI layout, as with zot and olareg.
    pub(super) fn layout(&self, repository: &str) -> PathBuf {
        self.path().join("store").join(repository)
    }

    /// Runs a command in its root directory, as a hint says.
    #[track_caller]
    pub(super) fn run_in_root(&self, command: &str) {
        let root = self.path().join("store");
        let status = Command::new("sh")
            .args(["-ec", command])
            .current_dir(root)
            .status();
        assert!(status.expect("there is a shell").success(), "{command}");
    }

    /// Damages the file of a digest in the image's repository.
    pub(super) fn damage(&self, digest: &str, damage: Damage) {
        let repository = NAME.split(':').next().unwrap_or(NAME);
        let blobs = self.layout(repository).join("blobs");
        damage.apply(&blobs.join(digest.replace(':', "/")));
    }
}

/// Fails unless each case, on a registry of its own, is reported about the digest that is chosen.
#[track_caller]
pub(super) fn each_is_reported(start: fn() -> Server, choose: fn(&Image) -> &str, cases: &[Case]) {
    for case in cases {
        let registry = start();
        let image = pushed(registry.host());
        let digest = choose(&image);
        registry.damage(digest, case.damage);
        reports(&registry.reference(), digest, case);
    }
}
