//! Containers of the built images, on the host's network, where the tests' registries are.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The program alone.
pub(crate) const PROGRAM: &str = "pullproof:e2e";
/// The program alone, as a user that is not root.
pub(crate) const NONROOT: &str = "pullproof:e2e-nonroot";
/// The program, and a shell.
pub(crate) const SHELL: &str = "pullproof:e2e-shell";

/// What a command left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Fails, and shows everything, unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The last line of standard output.
    pub(crate) fn last_line(&self) -> &str {
        self.stdout.trim_end().lines().last().unwrap_or_default()
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// The Docker client that `make e2e` found, with arguments.
pub(crate) fn docker<T: AsRef<str>>(arguments: impl IntoIterator<Item = T>) -> Finished {
    let client = std::env::var("E2E_DOCKER").expect("`make e2e` says which Docker client to use");
    let mut command = Command::new(&client);
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    let output = command.stdin(Stdio::null()).output();
    output
        .unwrap_or_else(|error| panic!("cannot run {client}: {error}"))
        .into()
}

/// A container that was not started yet.
pub(crate) struct Container {
    image: String,
    flags: Vec<String>,
}

/// A container of an image, which is never pulled, on the host's network.
pub(crate) fn container(image: &str) -> Container {
    Container {
        image: image.to_owned(),
        flags: Vec::new(),
    }
    .flags(["--pull", "never", "--network", "host"])
}

impl Container {
    /// Adds flags for `docker run`.
    pub(crate) fn flags<T: Into<String>>(mut self, flags: impl IntoIterator<Item = T>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// Sets one variable.
    pub(crate) fn variable(self, name: &str, value: &str) -> Self {
        self.flags(["--env".to_owned(), format!("{name}={value}")])
    }

    /// Shows it a directory of the host.
    pub(crate) fn mount(self, source: &Path, target: &str) -> Self {
        self.flags([
            "--volume".to_owned(),
            format!("{}:{target}", source.display()),
        ])
    }

    /// Starts it with arguments, waits for its end and removes it.
    pub(crate) fn run(self, arguments: &[&str]) -> Finished {
        docker(self.flags(["--rm"]).command(arguments))
    }

    /// Starts it with arguments and gives its name.
    pub(crate) fn start(self, arguments: &[&str]) -> Running {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pullproof-e2e-{}-{number}", std::process::id());
        docker(self.flags(["--detach", "--name", &name]).command(arguments)).exits(0);
        Running { name }
    }

    fn command(self, arguments: &[&str]) -> Vec<String> {
        let words = std::iter::once("run".to_owned())
            .chain(self.flags)
            .chain([self.image]);
        words
            .chain(arguments.iter().map(|argument| (*argument).to_owned()))
            .collect()
    }
}

/// A container under way; removed with this value.
pub(crate) struct Running {
    /// Its name.
    pub(crate) name: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        docker(["rm", "--force", &self.name]);
    }
}
