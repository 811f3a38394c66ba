//! A program of Prometheus that runs as long as its value lives.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::http::client::ask;
use crate::support::port;
use crate::support::scratch::Scratch;
use crate::until;

/// A program that answers over HTTP, with a directory of its own.
pub(super) struct Program {
    child: Child,
    url: String,
    scratch: Scratch,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts the program that a variable names, with its address and what `arguments` makes of its
    /// directory; waits until it answers at a path.
    pub(super) fn start(
        variable: &str,
        path: &str,
        arguments: impl FnOnce(&Path) -> Vec<String>,
    ) -> Self {
        let program = std::env::var(variable).expect("`make e2e` says where it is");
        let scratch = Scratch::new("program");
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = std::iter::repeat_with(port::next).take(100).find(is_free);
        let address = format!("127.0.0.1:{}", port.expect("there is a free port"));
        let log = File::create(scratch.path().join("log")).expect("the directory is ours");
        let child = Command::new(&program)
            .arg(format!("--web.listen-address={address}"))
            .args(arguments(scratch.path()))
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let mut started = Self {
            child,
            url: format!("http://{address}"),
            scratch,
        };
        until("the program answers", || {
            let ended = started.child.try_wait().expect("the child is ours");
            assert!(ended.is_none(), "{program}: {ended:?}\n{}", started.log());
            ask("GET", &started.at(path), &[], &[])
                .is_ok_and(|answer| matches!(answer.status, 200 | 401))
        });
        started
    }

    /// The address of a path.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What it has printed.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("log")).expect("the directory is ours")
    }

    /// Its directory.
    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }
}
