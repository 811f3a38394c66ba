//! Pulls by real clients: each from a cold store, for linux/amd64, over plain HTTP on loopback.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::daemons::{Daemon, Restarted, absolute, in_own_mounts};
use crate::support::command::wait_until;
use crate::support::scratch::Scratch;

/// Longer than any of them tries again.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client, as the table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    /// containerd 2 as a kubelet asks it.
    Cri2,
    /// containerd 2 by its own command line.
    Ctr2,
    /// containerd 1.6 as a kubelet asks it.
    Cri1,
    /// containerd 1.6 by its own command line.
    Ctr1,
    /// docker with its classic store.
    Docker,
    /// podman.
    Podman,
    /// skopeo, which copies and does not unpack.
    Skopeo,
}

/// Every client, in the table's order.
pub(super) const ALL: [Client; 7] = [
    Client::Cri2,
    Client::Ctr2,
    Client::Cri1,
    Client::Ctr1,
    Client::Docker,
    Client::Podman,
    Client::Skopeo,
];

impl Client {
    /// Its column's title.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Cri2 => "containerd 2 (CRI)",
            Self::Ctr2 => "ctr 2",
            Self::Cri1 => "containerd 1.6 (CRI)",
            Self::Ctr1 => "ctr 1.6",
            Self::Docker => "docker 20.10",
            Self::Podman => "podman 4.3",
            Self::Skopeo => "skopeo 1.9",
        }
    }

    /// A word for a repository's name.
    pub(super) fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Whether a dockerd of another version than the table's is asked, by `DOCKERD_BIN`.
pub(super) fn another_docker() -> bool {
    given("DOCKERD_BIN").is_some_and(|program| !program.is_empty())
}

/// The programs and the daemons that are there.
pub(super) struct Engines {
    containerd2: Option<Containerd>,
    containerd1: Option<Containerd>,
    docker: Option<Restarted>,
    podman: Option<String>,
    skopeo: Option<String>,
}

struct Containerd {
    daemon: Restarted,
    ctr: String,
    cripull: String,
    metadata: &'static [&'static str],
}

/// What `make e2e` says about a program.
fn given(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Engines {
    /// Starts the daemons of every client that `make e2e` has.
    pub(super) fn start() -> Self {
        let containerd = |program: Option<String>, ctr: Option<String>, metadata| {
            let (program, ctr, cripull) = (program?, ctr?, given("E2E_CRIPULL")?);
            let daemon = Restarted::new(move || Daemon::containerd(&program));
            Some(Containerd {
                daemon,
                ctr,
                cripull,
                metadata,
            })
        };
        let second: &[&str] = &["--skip-metadata"];
        Self {
            containerd2: containerd(given("E2E_CONTAINERD2"), given("E2E_CTR2"), second),
            containerd1: containerd(given("E2E_CONTAINERD"), Some("ctr".to_owned()), &[]),
            docker: given("E2E_DOCKER20")
                .map(|program| Restarted::new(move || Daemon::docker(&program))),
            podman: given("E2E_PODMAN"),
            skopeo: given("E2E_SKOPEO"),
        }
    }

    /// The clients that are there.
    pub(super) fn clients(&self) -> Vec<Client> {
        let there = |client: &Client| match client {
            Client::Cri2 | Client::Ctr2 => self.containerd2.is_some(),
            Client::Cri1 | Client::Ctr1 => self.containerd1.is_some(),
            Client::Docker => self.docker.is_some(),
            Client::Podman => self.podman.is_some(),
            Client::Skopeo => self.skopeo.is_some(),
        };
        ALL.into_iter().filter(there).collect()
    }

    /// Has a client pull a reference.
    ///
    /// # Errors
    /// What it printed, when it did not pull.
    pub(super) fn pull(&self, client: Client, reference: &str) -> Result<(), String> {
        let there = "only clients that are there are asked";
        match client {
            Client::Cri2 => self.containerd2.as_ref().expect(there).cri(reference),
            Client::Ctr2 => self.containerd2.as_ref().expect(there).ctr(reference),
            Client::Cri1 => self.containerd1.as_ref().expect(there).cri(reference),
            Client::Ctr1 => self.containerd1.as_ref().expect(there).ctr(reference),
            Client::Docker => {
                let docker_there = self.docker.as_ref().expect(there);
                docker_there.ask(|daemon| docker(daemon, reference))
            }
            Client::Podman => podman(self.podman.as_ref().expect(there), reference),
            Client::Skopeo => skopeo(self.skopeo.as_ref().expect(there), reference),
        }
    }
}

impl Containerd {
    fn cri(&self, reference: &str) -> Result<(), String> {
        self.daemon.ask(|daemon| {
            let mut command = Command::new(&self.cripull);
            command.arg(&daemon.socket).arg(reference);
            run(command)
        })
    }

    fn ctr(&self, reference: &str) -> Result<(), String> {
        static NAMESPACE: AtomicUsize = AtomicUsize::new(0);
        self.daemon.ask(|daemon| {
            let namespace = NAMESPACE.fetch_add(1, Ordering::Relaxed);
            let mut command = Command::new(&self.ctr);
            command.arg("--address").arg(&daemon.socket);
            command.args(["-n", &format!("pull-{namespace}"), "images", "pull"]);
            command.args(["--plain-http", "--platform", "linux/amd64"]);
            command.args(self.metadata);
            command.args(["--snapshotter", "native", reference]);
            run(command)
        })
    }
}

fn docker(daemon: &Daemon, reference: &str) -> Result<(), String> {
    let client = || {
        let mut command = Command::new("/usr/bin/docker");
        command.arg("-H");
        command.arg(format!("unix://{}", daemon.socket.display()));
        command
    };
    let mut pull = client();
    pull.args(["pull", "--quiet", "--platform", "linux/amd64", reference]);
    run(pull)?;
    let mut remove = client();
    remove.args(["rmi", reference]);
    run(remove).unwrap_or_else(|error| panic!("{reference} was pulled and is not there: {error}"));
    Ok(())
}

fn podman(program: &str, reference: &str) -> Result<(), String> {
    let scratch = Scratch::new("podman");
    let directory = absolute(&scratch);
    let mut command = in_own_mounts(program, &directory);
    command.env("TMPDIR", "/mnt");
    command.args(["--root", "/mnt/root", "--runroot", "/mnt/run"]);
    command.args(["--tmpdir", "/mnt/tmp", "--network-config-dir", "/mnt/net"]);
    command.args(["--events-backend", "none", "--storage-driver", "vfs"]);
    command.args(["pull", "--quiet", "--tls-verify=false"]);
    command.args(["--platform", "linux/amd64", reference]);
    run(command)
}

fn skopeo(program: &str, reference: &str) -> Result<(), String> {
    let scratch = Scratch::new("skopeo");
    let directory = absolute(&scratch);
    let mut command = Command::new(program);
    command.env("TMPDIR", &directory);
    command.args([
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
    ]);
    command.args(["--override-os", "linux", "--override-arch", "amd64"]);
    command.arg(format!("docker://{reference}"));
    command.arg(format!("dir:{}", directory.join("out").display()));
    run(command)
}

/// Runs a command to its end; what it printed is the error when that is not 0.
fn run(mut command: Command) -> Result<(), String> {
    let scratch = Scratch::new("output");
    let printed = scratch.path().join("printed");
    let file = std::fs::File::create(&printed).expect("the directory is ours");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a file can be shared"))
        .stderr(file)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let status = wait_until(&mut child, Instant::now() + PATIENCE);
    let printed = std::fs::read(&printed).expect("the directory is ours");
    let printed = String::from_utf8_lossy(&printed).into_owned();
    let status = status.unwrap_or_else(|| panic!("{command:?} ran {PATIENCE:?}: {printed}"));
    if status.success() {
        Ok(())
    } else {
        Err(printed)
    }
}
