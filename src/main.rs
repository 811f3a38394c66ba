//! The command line: gathers the process's surroundings, runs, and returns the exit code.

use std::process::ExitCode;

use console::Term;
use pullproof::report::exit::Exit;
use pullproof::settings::{Environment, Stream};
use pullproof::terminal::panic::panic_message;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        #[expect(
            clippy::print_stderr,
            reason = "a panic message belongs on standard error"
        )]
        {
            eprintln!("{}", panic_message(panic));
        }
        // With panic=abort nothing else sets the exit code.
        std::process::exit(Exit::Bug.code().into());
    }));
    let environment = Environment {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        arguments: std::env::args_os().skip(1).collect(),
        stdout: stream(&Term::stdout()),
        stderr: stream(&Term::stderr()),
        directory: std::env::current_dir().unwrap_or_default(),
    };
    pullproof::run(&environment).into()
}

fn stream(term: &Term) -> Stream {
    Stream {
        is_terminal: term.is_term(),
        columns: term.size_checked().map(|(_, columns)| columns.into()),
    }
}
