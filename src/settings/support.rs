//! Surroundings for tests: variables, arguments and files that exist nowhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{
    AuditSettings, Command, Environment, Error, PruneSettings, RepairSettings, Stream,
    VerifySettings, read, read_output,
};
use crate::rebuild::Plan;
use crate::terminal::output::Output;

/// What the process under test finds around itself.
#[derive(Clone, Default)]
pub(super) struct Surroundings {
    environment: Environment,
    files: BTreeMap<PathBuf, Result<String, i32>>,
}

/// Surroundings with these variables, in `/workspace`.
pub(super) fn given(variables: &[(&str, &str)]) -> Surroundings {
    let variables = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let environment = Environment {
        variables,
        directory: "/workspace".into(),
        ..Environment::default()
    };
    Surroundings {
        environment,
        files: BTreeMap::new(),
    }
}

/// Surroundings with these arguments.
pub(super) fn typed(arguments: &[&str]) -> Surroundings {
    given(&[]).and_arguments(arguments)
}

/// Texts made of what parsers misread: quotes, brackets, separators, letters of several bytes.
pub(crate) fn scrambled_texts(count: usize) -> impl Iterator<Item = String> {
    const PIECES: [&str; 24] = [
        "[", "]", "{", "}", "\"", ",", "\\", "\n", "#", "=", ":", "1", "h", "ms", "é", "💥", " ",
        "::1", "+", "\0", "/", "@", "sha256:", "-",
    ];
    let mut seed = 7_u64;
    (0..count).map(move |_| {
        let mut text = String::new();
        for _ in 0..8 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PIECES[usize::try_from(seed >> 33).unwrap() % PIECES.len()]);
        }
        text
    })
}

impl Surroundings {
    pub(super) fn and_arguments(mut self, arguments: &[&str]) -> Self {
        self.environment.arguments = arguments.iter().map(Into::into).collect();
        self
    }

    pub(super) fn and_file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), Ok(text.to_owned()));
        self
    }

    /// A file whose reading fails with this error number of the operating system.
    pub(super) fn and_broken_file(mut self, path: &str, code: i32) -> Self {
        self.files.insert(path.into(), Err(code));
        self
    }

    pub(super) fn at_a_terminal(mut self) -> Self {
        let terminal = Stream {
            is_terminal: true,
            columns: Some(80),
        };
        self.environment.stdout = terminal;
        self.environment.stderr = terminal;
        self
    }

    fn read(&self) -> Result<(Command, Vec<String>), Error> {
        read(
            &self.environment,
            &|path: &Path| match self.files.get(path) {
                Some(Ok(text)) => Ok(text.clone()),
                Some(Err(code)) => Err(io::Error::from_raw_os_error(*code)),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
        )
    }

    pub(super) fn command(&self) -> Result<Command, Error> {
        self.read().map(|(command, _)| command)
    }

    /// The settings and warnings of a verification.
    pub(super) fn run(&self) -> (VerifySettings, Vec<String>) {
        match self.read() {
            Ok((Command::Verify(settings), warnings)) => (*settings, warnings),
            other => panic!("expected a verification, got {other:?}"),
        }
    }

    pub(super) fn settings(&self) -> VerifySettings {
        self.run().0
    }

    /// The settings of an audit.
    pub(super) fn audit(&self) -> AuditSettings {
        match self.read() {
            Ok((Command::Audit(settings), _)) => *settings,
            other => panic!("expected an audit, got {other:?}"),
        }
    }

    /// The settings of a repair.
    pub(super) fn repair(&self) -> RepairSettings {
        match self.read() {
            Ok((Command::Repair(settings), _)) => *settings,
            other => panic!("expected a repair, got {other:?}"),
        }
    }

    /// The settings of a prune.
    pub(super) fn prune(&self) -> PruneSettings {
        match self.read() {
            Ok((Command::Prune(settings), _)) => *settings,
            other => panic!("expected a prune, got {other:?}"),
        }
    }

    /// How to rebuild, when that is what the settings ask for.
    pub(super) fn plan(mut self) -> Plan {
        let mode = ("PLUGIN_MODE".to_owned(), "rebuild".to_owned());
        self.environment.variables.extend([mode]);
        match self.command() {
            Ok(Command::Rebuild(settings)) => settings.plan,
            other => panic!("expected a rebuild, got {other:?}"),
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.read().expect("expected no error").1
    }

    /// Where the result goes when the settings are wrong.
    pub(super) fn output(&self) -> Output {
        read_output(&self.environment)
    }

    pub(super) fn error(&self) -> String {
        self.command().expect_err("expected an error").to_string()
    }
}
