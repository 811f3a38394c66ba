//! The completions, tried in real shells, and the manual page, read by real readers.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::command::pullproof;
use crate::support::scratch::Scratch;

/// What `pullproof ARGUMENTS` prints.
fn printed(arguments: &[&str]) -> String {
    let finished = pullproof().arguments(arguments.iter().copied()).run();
    let finished = finished.exits(0);
    assert_eq!(finished.stderr, "");
    finished.stdout
}

/// Runs a program of Debian's in a directory with nothing but a terminal's usual variables.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Output {
    Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", directory)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env("MANWIDTH", "100")
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; scripts/prepare installs it"))
}

fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A directory with the completions in a file, and two other files.
fn with(script: &str, content: &str) -> Scratch {
    let directory = Scratch::new("completions");
    for (name, content) in [(script, content), ("report.json", "{}"), ("a b.txt", "")] {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// What is on the command line, and what the last word of it can become.
const CASES: [(&str, &[&str]); 12] = [
    ("pullproof ver", &["verify", "version"]),
    ("pullproof completions ", &["bash", "zsh", "fish"]),
    ("pullproof help re", &["rebuild", "repair"]),
    ("pullproof verify --dep", &["--depth"]),
    (
        "pullproof verify --depth ",
        &["head", "tail", "full", "manifests"],
    ),
    ("pullproof verify app:1 --attestations w", &["warn"]),
    (
        "pullproof verify --only",
        &["--only-platforms", "--only-failures"],
    ),
    ("pullproof audit --metrics", &["--metrics-file"]),
    ("pullproof verify --metrics", &[]),
    ("pullproof rebuild --username", &[]),
    ("pullproof verify --report rep", &["report.json"]),
    ("pullproof verify --username rep", &[]),
];

fn assert_complete(shell: &str, line: &str, found: &str, expected: &[&str]) {
    let mut found: Vec<&str> = found.lines().filter(|line| !line.is_empty()).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{shell}: {line:?}");
}

#[test]
fn bash_completes_commands_flags_words_and_files() {
    let directory = with("pullproof.bash", &printed(&["completions", "bash"]));
    // As readline does: `=` and `:` begin words of their own.
    let complete = |line: &str| {
        let words = line.replace('=', " = ").replace(':', " : ");
        let mut words: Vec<String> = words.split(' ').map(|word| format!("{word:?}")).collect();
        if line.ends_with('=') {
            words.pop();
        }
        let script = format!(
            "set -eu; . ./pullproof.bash; complete -p pullproof >/dev/null\n\
             set +e; COMP_WORDS=({}); COMP_CWORD={}; _pullproof\n\
             printf '%s\\n' \"${{COMPREPLY[@]+\"${{COMPREPLY[@]}}\"}}\"",
            words.join(" "),
            words.len() - 1
        );
        text(&run("bash", &["--norc", "-c", &script], directory.path()))
    };
    for (line, expected) in CASES {
        assert_complete("bash", line, &complete(line), expected);
    }
    for (line, expected) in [
        (
            "pullproof verify --depth=",
            &["head", "tail", "full", "manifests"][..],
        ),
        ("pullproof verify --depth=t", &["tail"]),
        ("pullproof verify --anonymous=f", &["false"]),
        ("pullproof verify --anonymous f", &[]),
        ("pullproof verify --report=a", &["a b.txt"]),
        ("pullproof --ver", &["--version"]),
    ] {
        assert_complete("bash", line, &complete(line), expected);
    }
}

#[test]
fn fish_completes_commands_flags_words_and_files() {
    let directory = with("pullproof.fish", &printed(&["completions", "fish"]));
    let complete = |line: &str| {
        let script = format!(". ./pullproof.fish; complete --do-complete '{line}'");
        let found = text(&run(
            "fish",
            &["--no-config", "-c", &script],
            directory.path(),
        ));
        let names = found.lines().map(|line| line.split('\t').next().unwrap());
        names.collect::<Vec<_>>().join("\n")
    };
    for (line, expected) in CASES {
        assert_complete("fish", line, &complete(line), expected);
    }
    assert_complete(
        "fish",
        "--depth=",
        &complete("pullproof verify --depth=t"),
        &["--depth=tail"],
    );
}

/// Presses a key in an interactive zsh, and writes what the line has become.
const ZSH: &str = r#"
zmodload zsh/zpty || exit 9
export PS1=
zpty shell "zsh -f -i"
zpty -w shell 'fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d ./dump; unsetopt beep
LISTMAX=1000; setopt no_auto_menu no_list_ambiguous
show() { print -r -- "$BUFFER" >> lines; BUFFER=; }; zle -N show; bindkey "^X" show
: > ready'
for try in {1..400}; do [[ -e ready ]] && break; sleep 0.05; done
while IFS= read -r line; do
    rm -f lines
    zpty -n -w shell "$line"$'\t'$'\x18'
    for try in {1..400}; do [[ -s lines ]] && break; sleep 0.05; done
    cat lines
done < input
zpty -d shell
"#;

#[test]
fn zsh_completes_commands_flags_words_and_files() {
    let directory = with("_pullproof", &printed(&["completions", "zsh"]));
    let cases = [
        ("pullproof reb", "pullproof rebuild "),
        ("pullproof ver", "pullproof ver"),
        ("pullproof veri", "pullproof verify "),
        ("pullproof completions f", "pullproof completions fish "),
        ("pullproof help reb", "pullproof help rebuild "),
        ("pullproof verify --dep", "pullproof verify --depth="),
        (
            "pullproof verify --depth t",
            "pullproof verify --depth tail ",
        ),
        (
            "pullproof verify --depth=t",
            "pullproof verify --depth=tail ",
        ),
        (
            "pullproof verify app:1 --attestations w",
            "pullproof verify app:1 --attestations warn ",
        ),
        (
            "pullproof verify --anonymous=f",
            "pullproof verify --anonymous=false ",
        ),
        (
            "pullproof audit --metrics",
            "pullproof audit --metrics-file=",
        ),
        ("pullproof verify --metrics", "pullproof verify --metrics"),
        (
            "pullproof verify --report rep",
            "pullproof verify --report report.json ",
        ),
        (
            "pullproof verify --username rep",
            "pullproof verify --username rep",
        ),
    ];
    let lines = cases.map(|(line, _)| line);
    std::fs::write(directory.path().join("input"), lines.join("\n") + "\n").unwrap();
    std::fs::write(directory.path().join("press"), ZSH).unwrap();
    let output = text(&run("zsh", &["-f", "press"], directory.path()));
    let found: Vec<&str> = output.lines().collect();
    let expected = cases.map(|(_, line)| line);
    assert_eq!(found, expected);
}

#[test]
fn the_manual_page_is_read_without_a_warning() {
    let page = printed(&["man"]);
    let directory = with("pullproof.1", &page);
    let shown = run(
        "man",
        &["--warnings", "-l", "pullproof.1"],
        directory.path(),
    );
    let shown = text(&shown);
    for words in [
        "PULLPROOF(1)",
        "--depth <head|tail|full|manifests>",
        "kubectl get pods -A -o jsonpath='{..image}' | pullproof verify -",
        "~/.docker/config.json",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let linted = run("mandoc", &["-Tlint", "pullproof.1"], directory.path());
    assert_eq!(text(&linted), "");
}
