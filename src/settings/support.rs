//! Surroundings for tests: variables, arguments and files that exist nowhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Command, Environment, Error, Settings, read, read_output};
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

/// Texts made of what parsers stumble over: quotes, brackets, separators, letters of several bytes.
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

    /// A file that answers with this number of the operating system.
    pub(super) fn and_broken_file(mut self, path: &str, code: i32) -> Self {
        self.files.insert(path.into(), Err(code));
        self
    }

    pub(super) fn at_a_terminal(mut self) -> Self {
        self.environment.stdout_is_terminal = true;
        self.environment.stderr_is_terminal = true;
        self
    }

    pub(super) fn command(&self) -> Result<Command, Error> {
        read(
            &self.environment,
            &|path: &Path| match self.files.get(path) {
                Some(Ok(text)) => Ok(text.clone()),
                Some(Err(code)) => Err(io::Error::from_raw_os_error(*code)),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            },
        )
    }

    /// The settings and warnings of a run.
    pub(super) fn run(&self) -> (Settings, Vec<String>) {
        match self.command() {
            Ok(Command::Run { settings, warnings }) => (*settings, warnings),
            other => panic!("expected a run, got {other:?}"),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        self.run().0
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.run().1
    }

    /// Where the result goes when the settings are wrong.
    pub(super) fn output(&self) -> Output {
        read_output(&self.environment)
    }

    pub(super) fn error(&self) -> String {
        self.command().expect_err("expected an error").to_string()
    }
}
