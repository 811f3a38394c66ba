//! Completions for fish.

use std::fmt::Write as _;

use super::super::command::CommandName;
use super::super::table::{Setting, TABLE};
use super::{Value, commands, description, operands};

const BEGINNING: &str = "# Completions of pullproof for fish, made by `pullproof completions fish`.

complete -c pullproof -f
complete -c pullproof -s h -l help -d 'Show help'
complete -c pullproof -n __fish_use_subcommand -s V -l version -d 'Show the version'
";

pub(super) fn script() -> String {
    let mut text = BEGINNING.to_owned();
    for (word, purpose) in commands() {
        let _ = writeln!(
            text,
            "complete -c pullproof -n __fish_use_subcommand -a {word} -d {}",
            quoted(purpose)
        );
        let operands = operands(word);
        if !operands.is_empty() {
            let _ = writeln!(
                text,
                "complete -c pullproof -n '__fish_seen_subcommand_from {word}' -a {}",
                quoted(&operands.join(" "))
            );
        }
    }
    for setting in TABLE.iter().filter(|setting| setting.name != "mode") {
        flag(&mut text, setting);
    }
    text
}

fn flag(text: &mut String, setting: &Setting) {
    let commands: Vec<_> = setting
        .commands
        .iter()
        .map(|name| CommandName::word(*name))
        .collect();
    let value = match Value::of(setting) {
        // What may stand alone takes a value behind a `=`, which fish cannot say.
        Value::Boolean | Value::Hosts => String::new(),
        Value::Words(words) => format!(" -x -a {}", quoted(&words.join(" "))),
        Value::File => " -r -F".to_owned(),
        Value::Other => " -x".to_owned(),
    };
    let _ = writeln!(
        text,
        "complete -c pullproof -n '__fish_seen_subcommand_from {}' -l {}{value} -d {}",
        commands.join(" "),
        setting.kebab(),
        quoted(&description(setting))
    );
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
