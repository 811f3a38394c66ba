//! The clients' daemons, each with its own directory and mounts, ended with its value.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::support::scratch::Scratch;
use crate::until;

/// A daemon that answers on a socket.
pub(super) struct Daemon {
    process: Mutex<Child>,
    /// Where it listens.
    pub(super) socket: PathBuf,
    scratch: Scratch,
}

impl Daemon {
    /// containerd with the native snapshotter, which needs nothing of the machine's file system.
    pub(super) fn containerd(program: &str) -> Self {
        let scratch = Scratch::new("containerd");
        let directory = absolute(&scratch);
        let version = Command::new(program).arg("--version").output();
        let version = version.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        let second = String::from_utf8_lossy(&version.stdout).contains("containerd/v2 ");
        let configuration = if second { SECOND } else { FIRST };
        let configuration = configuration.replace("$D", &directory.display().to_string());
        let file = directory.join("config.toml");
        fs::create_dir(directory.join("cni")).expect("the directory is ours");
        fs::write(&file, configuration).expect("the directory is ours");
        let socket = directory.join("c.sock");
        let arguments = ["--config".to_owned(), file.display().to_string()];
        Self::start(scratch, program, &arguments, socket)
    }

    /// dockerd with its classic store, without networks.
    pub(super) fn docker(program: &str) -> Self {
        let scratch = Scratch::new("docker");
        let directory = absolute(&scratch);
        let path = |name: &str| directory.join(name).display().to_string();
        fs::write(directory.join("daemon.json"), "{}").expect("the directory is ours");
        let socket = directory.join("d.sock");
        let words = "--bridge none --iptables=false --ip-forward=false --ip-masq=false \
            --storage-driver vfs --max-download-attempts 1 --log-level warn";
        let arguments = [
            ["--config-file".to_owned(), path("daemon.json")],
            ["--data-root".to_owned(), path("data")],
            ["--exec-root".to_owned(), path("x")],
            ["--pidfile".to_owned(), path("docker.pid")],
            ["--host".to_owned(), format!("unix://{}", socket.display())],
        ];
        let words = words.split_whitespace().map(str::to_owned);
        let arguments: Vec<_> = arguments.into_iter().flatten().chain(words).collect();
        Self::start(scratch, program, &arguments, socket)
    }

    fn start(scratch: Scratch, program: &str, arguments: &[String], socket: PathBuf) -> Self {
        let log = File::create(scratch.path().join("log")).expect("the directory is ours");
        let process = in_own_mounts(program, &absolute(&scratch))
            .args(arguments)
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        let daemon = Self {
            process: Mutex::new(process),
            socket,
            scratch,
        };
        until("the daemon listens", || {
            assert!(daemon.lives(), "{program} ended:\n{}", daemon.log());
            daemon.socket.exists()
        });
        daemon
    }

    /// Whether it has not ended by itself.
    pub(super) fn lives(&self) -> bool {
        let mut process = self.process.lock().expect("no thread panics");
        process.try_wait().expect("the child is ours").is_none()
    }

    /// What it has printed.
    fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).expect("the directory is ours")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It ends its own children when it is asked to end, and not when it is killed.
        let Ok(process) = self.process.get_mut() else {
            return;
        };
        if !matches!(process.try_wait(), Ok(None)) {
            return;
        }
        let asked = Command::new("kill").arg(process.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(15);
        while asked.is_ok() && Instant::now() < deadline {
            if matches!(process.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// A daemon that is started again when an image makes it crash.
pub(super) struct Restarted {
    start: Box<dyn Fn() -> Daemon + Send + Sync>,
    daemon: RwLock<Daemon>,
}

impl Restarted {
    /// A first one.
    pub(super) fn new(start: impl Fn() -> Daemon + Send + Sync + 'static) -> Self {
        let daemon = RwLock::new(start());
        Self {
            start: Box::new(start),
            daemon,
        }
    }

    /// Asks it. When it ends meanwhile, several may have been asking: each asks again, alone.
    ///
    /// # Errors
    /// As the question's, or that it crashed.
    pub(super) fn ask(
        &self,
        question: impl Fn(&Daemon) -> Result<(), String>,
    ) -> Result<(), String> {
        let daemon = self.daemon.read().unwrap_or_else(PoisonError::into_inner);
        let answer = question(&daemon);
        if answer.is_ok() || daemon.lives() {
            return answer;
        }
        drop(daemon);
        let mut daemon = self.daemon.write().unwrap_or_else(PoisonError::into_inner);
        if !daemon.lives() {
            *daemon = (self.start)();
        }
        let answer = question(&daemon);
        if answer.is_ok() || daemon.lives() {
            return answer;
        }
        *daemon = (self.start)();
        Err("the daemon crashes".to_owned())
    }
}

/// A command whose mounts nobody else sees, and which end with it: cgroups, which dockerd needs and
/// a container may not have, and the directory as `/mnt`, because podman's paths have to be short.
pub(super) fn in_own_mounts(program: &str, directory: &Path) -> Command {
    let script = "grep -q ' /sys/fs/cgroup' /proc/mounts \
        || mount -t cgroup2 none /sys/fs/cgroup; mount --bind \"$OWN\" /mnt; exec \"$@\"";
    let mut command = Command::new("nice");
    command
        .args(["unshare", "--mount", "--propagation", "private"])
        .args(["sh", "-c", script, "own", program])
        .env("OWN", directory)
        .stdin(Stdio::null());
    command
}

/// The clients refuse relative paths.
pub(super) fn absolute(scratch: &Scratch) -> PathBuf {
    let path: &Path = scratch.path();
    fs::canonicalize(path).expect("the directory is ours")
}

/// Each namespace of a daemon has to fetch what another one has: a pull in a new one is cold.
const FIRST: &str = r#"
version = 2
root = "$D/root"
state = "$D/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "$D/c.sock"
[ttrpc]
  address = "$D/c.ttrpc.sock"
[plugins."io.containerd.metadata.v1.bolt"]
  content_sharing_policy = "isolated"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "$D/cni"
  conf_dir = "$D/cni"
"#;

/// Version 3 and not 4: there the `[grpc]` table is ignored, and the socket is the machine's own.
const SECOND: &str = r#"
version = 3
root = "$D/root"
state = "$D/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
]
[grpc]
  address = "$D/c.sock"
[ttrpc]
  address = "$D/c.ttrpc.sock"
[plugins."io.containerd.metadata.v1.bolt"]
  content_sharing_policy = "isolated"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "native"
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["$D/cni"]
  conf_dir = "$D/cni"
[plugins."io.containerd.transfer.v1.local"]
  [[plugins."io.containerd.transfer.v1.local".unpack_config]]
    platform = "linux/amd64"
    snapshotter = "native"
    differ = "walking"
"#;
