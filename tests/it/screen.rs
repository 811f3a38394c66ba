//! What a terminal, a CI's log and a file are given: colours, and where lines are broken.

use std::process::{Command, Stdio};

use crate::support::command::{Finished, Pullproof, binary, pullproof};
use crate::support::fake::Registry;
use crate::support::fake::guard::basic;
use crate::support::http::Reply;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// A registry with an image whose second platform is gone, and the reference to it.
fn damaged() -> (Registry, String) {
    let registry = Registry::start();
    let image = registry.image("team/app:1.4", &platforms(2));
    registry.lose(image.child(1));
    let reference = registry.reference("team/app:1.4");
    (registry, reference)
}

fn verify(reference: &str) -> Pullproof {
    pullproof().arguments(["verify", reference, "--settle", "0s", "--backoff", "10ms"])
}

/// What stands before and behind a colour.
type Neighbours = (Option<char>, Option<char>);

/// A text as a person sees it, and its colours, each with the characters before and behind it.
fn colours(text: &str) -> (String, Vec<Neighbours>) {
    let mut parts = text.split("\u{1b}[");
    let mut seen = parts.next().unwrap_or_default().to_owned();
    let mut around = Vec::new();
    for part in parts {
        let (code, rest) = part.split_once('m').expect("a colour ends");
        assert!(
            ["0", "1;31", "1;32", "33"].contains(&code),
            "{code:?}: {text}"
        );
        around.push((seen.chars().last(), rest.chars().next()));
        seen.push_str(rest);
    }
    (seen, around)
}

/// A run without its times, which differ.
fn without_times(finished: &Finished) -> String {
    let (text, _) = colours(&finished.stdout);
    let is_timed = |line: &&str| !line.contains(" in ");
    text.lines().filter(is_timed).collect::<Vec<_>>().join("\n")
}

#[test]
fn ci_logs_are_coloured_unless_somebody_objects() {
    let (_registry, reference) = damaged();
    let run = |pairs: &[(&str, &str)], flags: &[&str]| {
        let run = verify(&reference)
            .variable("NO_COLOR", "")
            .arguments(flags.iter().copied());
        let set = |run: Pullproof, (name, value): &(&str, &str)| run.variable(name, *value);
        pairs.iter().fold(run, set).run().exits(1)
    };
    for system in [
        ("CI", "woodpecker"),
        ("GITHUB_ACTIONS", "true"),
        ("GITLAB_CI", "true"),
    ] {
        let coloured = run(&[system], &[]);
        assert!(
            coloured.stdout.contains("\u{1b}[1;31mpullproof: FAILED"),
            "{coloured}"
        );
        for (variables, flags) in [
            (&[system, ("NO_COLOR", "1")][..], &[][..]),
            (&[system], &["--color", "never"]),
            (&[system], &["--format", "json"]),
        ] {
            let plain = run(variables, flags);
            assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
        }
    }
    assert!(!run(&[], &[]).to_string().contains('\u{1b}'));
    for (variable, flags) in [
        (("FORCE_COLOR", "1"), &[][..]),
        (("CLICOLOR_FORCE", "1"), &[]),
        (("NO_COLOR", "1"), &["--color=always"]),
    ] {
        assert!(
            run(&[variable], flags).stdout.contains('\u{1b}'),
            "{variable:?}"
        );
    }
}

#[test]
fn a_colour_adds_nothing_and_stands_between_words() {
    let registry = Registry::start();
    registry.guarded(basic("ci", "open-sesame-0123"));
    let image = registry.image("team/app:1.4", &platforms(2));
    let reference = registry.reference("team/app:1.4");
    // What a registry says once it has the login, in a colour of its own.
    let said = "\u{1b}[31mopen-sesame-0123\u{1b}[0m ::error::x";
    registry
        .on("GET", image.child(1))
        .answers(Reply::error(403, said, said));
    for level in ["info", "trace"] {
        let run = || {
            verify(&reference)
                .arguments(["--log-level", level, "--username", "ci"])
                .arguments([
                    "--password",
                    "open-sesame-0123",
                    "--registry",
                    &registry.host(),
                ])
        };
        let plain = run().run().exits(3);
        let coloured = run().arguments(["--color", "always"]).run().exits(3);
        assert_eq!(without_times(&coloured), without_times(&plain));
        assert!(coloured.stdout.contains("\u{1b}["), "{coloured}");
        assert!(coloured.stdout.contains("::error::x"), "{coloured}");
        for text in [&coloured.stdout, &coloured.stderr] {
            let (seen, around) = colours(text);
            assert!(!seen.contains("sesame"), "{seen}");
            for (before, behind) in around {
                let is_word = |one: Option<char>| one.is_some_and(char::is_alphanumeric);
                assert!(!(is_word(before) && is_word(behind)), "{text}");
            }
        }
    }
}

/// What a terminal of so many columns is given, and the exit code.
fn at_a_terminal(columns: usize, term: &str, arguments: &[&str]) -> String {
    let scratch = Scratch::new("terminal");
    let quoted = |word: &&str| format!("'{word}'");
    let words = arguments.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let command = format!(
        "stty cols {columns} rows 40; '{}' {words}",
        binary().display()
    );
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scratch.path())
        .env("TERM", term)
        .env("SHELL", "/bin/sh")
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .output()
        .expect("script is part of every Debian");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n", "\n")
}

#[test]
fn a_terminal_breaks_no_word_and_a_dumb_one_shows_no_colour() {
    let (_registry, reference) = damaged();
    let run = ["verify", &reference, "--settle", "0s"];
    let dumb = at_a_terminal(60, "dumb", &run);
    assert!(!dumb.contains('\u{1b}'), "{dumb}");
    let (seen, _) = colours(&dumb);
    let wide: Vec<&str> = seen
        .lines()
        .filter(|line| line.chars().count() > 60)
        .collect();
    for line in &wide {
        assert_eq!(line.split_whitespace().count(), 1, "{line:?} in\n{seen}");
    }
    assert!(seen.lines().count() > 15, "{seen}");
    let coloured = at_a_terminal(1000, "xterm", &run);
    assert!(
        coloured.contains("\u{1b}[1;31mpullproof: FAILED"),
        "{coloured}"
    );
    let log = verify(&reference).run().exits(1);
    assert!(log.stdout.lines().any(|line| line.len() > 200), "{log}");
}
