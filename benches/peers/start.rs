//! How long it takes from the start of the program to the first byte of its first request.

use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::support::scratch::Scratch;

/// The times of several starts, shortest first; over TLS the first byte is the handshake's, after the system's
/// certificates were read.
pub(crate) fn first_request(pullproof: &str, tls: bool, rounds: usize) -> Vec<Duration> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let home = Scratch::new("start");
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let mut command = Command::new(pullproof);
            if tls {
                // No name of this machine, so that TLS is spoken.
                let pin = format!("registry.example:{port}:127.0.0.1");
                command.args([
                    "verify",
                    &format!("registry.example:{port}/app:1"),
                    "--resolve",
                    &pin,
                ]);
            } else {
                command.args(["verify", &format!("127.0.0.1:{port}/app:1")]);
            }
            command.env_clear().env("HOME", home.path());
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let started = Instant::now();
            let mut child = command.spawn().expect("pullproof can be started");
            let (mut stream, _) = listener.accept().expect("it asks");
            stream.read_exact(&mut [0]).expect("it says something");
            let took = started.elapsed();
            child.kill().expect("the child is ours");
            child.wait().expect("the child is ours");
            took
        })
        .collect();
    times.sort_unstable();
    times
}
