//! A registry that keeps its blobs in an OCI layout per repository, as zot and olareg do.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Case, NAME, pushed, reports};
use crate::support::distribution::Damage;
use crate::support::image::Image;
use crate::support::scratch::Scratch;
use crate::until;

/// A running registry with a directory of its own; ended and removed with this value.
pub(super) struct Server {
    process: Child,
    address: SocketAddr,
    scratch: Scratch,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is fine.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the program that a variable names; `arguments` gets its directory and its port.
    pub(super) fn start(variable: &str, arguments: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let program = std::env::var(variable).expect("`make e2e` says where it is");
        let scratch = Scratch::new("registry");
        // Free again when this listener is dropped; nothing else asks for it in that moment.
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("there is a free port");
        let log = File::create(scratch.path().join("log")).expect("the directory is ours");
        let arguments = arguments(scratch.path(), address.port());
        let process = Command::new(&program)
            .args(arguments)
            .env("HOME", scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let mut server = Self {
            process,
            address,
            scratch,
        };
        until("the registry accepts connections", || {
            let ended = server.process.try_wait().expect("the child is ours");
            assert!(ended.is_none(), "{program}: {ended:?}\n{}", server.log());
            TcpStream::connect(address).is_ok()
        });
        server
    }

    /// What it has printed.
    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).expect("the directory is ours")
    }

    /// `127.0.0.1:port`.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    /// The reference of the image.
    pub(super) fn reference(&self) -> String {
        format!("{}/{NAME}", self.address)
    }

    /// The file of a digest in the image's repository.
    fn file(&self, digest: &str) -> PathBuf {
        let repository = NAME.split(':').next().unwrap_or(NAME);
        let store = self.scratch.path().join("store").join(repository);
        store.join("blobs").join(digest.replace(':', "/"))
    }

    /// Runs a command in its root directory, as a hint says.
    #[track_caller]
    pub(super) fn run_in_root(&self, command: &str) {
        let root = self.scratch.path().join("store");
        let status = Command::new("sh")
            .args(["-ec", command])
            .current_dir(root)
            .status();
        assert!(status.expect("there is a shell").success(), "{command}");
    }

    /// Damages the file of a digest.
    pub(super) fn damage(&self, digest: &str, damage: Damage) {
        damage.apply(&self.file(digest));
    }
}

/// Fails unless each case, on a registry of its own, is reported about the digest that is chosen.
#[track_caller]
pub(super) fn each_is_reported(start: fn() -> Server, choose: fn(&Image) -> &str, cases: &[Case]) {
    for case in cases {
        let registry = start();
        let image = pushed(&registry.host());
        let digest = choose(&image);
        registry.damage(digest, case.damage);
        reports(&registry.reference(), digest, case);
    }
}
