//! A zot on this machine, if `ZOT_BIN` says where its program is.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::support::http::client::ask;
use super::support::port;
use super::support::scratch::Scratch;

/// A registry that runs as long as this value lives.
pub(crate) struct Zot {
    process: Child,
    host: String,
    directory: Scratch,
}

impl Zot {
    /// Starts an empty one with anonymous access.
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var_os("ZOT_BIN")?;
        let directory = Scratch::new("zot");
        let port = port::next();
        let configuration = directory.path().join("zot.json");
        let json = json!({
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": directory.path().join("store"), "gc": false},
            "http": {"address": "127.0.0.1", "port": port.to_string(), "compat": ["docker2s2"]},
            "log": {"level": "error"},
        });
        std::fs::write(&configuration, json.to_string()).expect("the directory is ours");
        let process = Command::new(program)
            .arg("serve")
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ZOT_BIN is a program");
        let zot = Self {
            process,
            host: format!("127.0.0.1:{port}"),
            directory,
        };
        let url = format!("http://{}/v2/", zot.host);
        for _ in 0..300 {
            if ask("GET", &url, &[], &[]).is_ok_and(|answer| answer.status == 200) {
                return Some(zot);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("zot does not answer");
    }

    /// `127.0.0.1:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The number of its process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The directory of a repository.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.directory.path().join("store").join(name)
    }
}

impl Drop for Zot {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
