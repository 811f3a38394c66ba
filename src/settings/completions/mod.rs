//! Shell completions, made from the table.

mod bash;
mod fish;
mod zsh;

use super::command::CommandName;
use super::help::{self, OTHER_COMMANDS};
use super::kind::ValueKind;
use super::table::{Setting, TABLE};

/// A shell with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shell {
    /// GNU bash, 3.2 and later.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// Their words.
    pub(super) const WORDS: [&str; 3] = ["bash", "zsh", "fish"];

    /// The shell with this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }

    /// The script that it reads.
    pub(super) fn script(self) -> String {
        let text = match self {
            Self::Bash => bash::script(),
            Self::Zsh => zsh::script(),
            Self::Fish => fish::script(),
        };
        text.trim_end().to_owned()
    }
}

/// What can stand behind a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// `true` or `false` behind a `=`; the flag may stand alone.
    Boolean,
    /// Hosts behind a `=`; the flag may stand alone.
    Hosts,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A path.
    File,
    /// Something that only the user knows.
    Other,
}

impl Value {
    fn of(setting: &Setting) -> Self {
        match setting.kind {
            ValueKind::Boolean => Self::Boolean,
            ValueKind::Hosts => Self::Hosts,
            ValueKind::Words(words) | ValueKind::WordList(words) => Self::Words(words),
            ValueKind::Path
            | ValueKind::PathOrJson
            | ValueKind::PathOrPem
            | ValueKind::Credentials => Self::File,
            _ => Self::Other,
        }
    }
}

/// Every command's word, and what it is for.
fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    let with_settings = CommandName::ALL
        .iter()
        .map(|command| (command.word(), help::purpose(*command)));
    with_settings.chain(OTHER_COMMANDS)
}

/// What follows a command that takes no settings.
fn operands(command: &str) -> Vec<&'static str> {
    match command {
        "help" => CommandName::WORDS.to_vec(),
        "completions" => Shell::WORDS.to_vec(),
        _ => Vec::new(),
    }
}

/// The flags of a command; the command itself is named already.
fn flags(command: CommandName) -> impl Iterator<Item = &'static Setting> {
    TABLE
        .iter()
        .filter(move |setting| setting.is_for(command) && setting.name != "mode")
}

/// What a flag is for, in a few words.
fn description(setting: &Setting) -> String {
    setting.summary().trim_end_matches('.').replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_has_every_command_and_flag() {
        for word in Shell::WORDS {
            let script = Shell::of(word).unwrap().script();
            for (command, _) in commands() {
                assert!(script.contains(command), "{word}: {command}");
            }
            for setting in CommandName::ALL.iter().flat_map(|name| flags(*name)) {
                let flag = match word {
                    "fish" => format!(" -l {} ", setting.kebab()),
                    _ => format!("--{}", setting.kebab()),
                };
                assert!(script.contains(&flag), "{word}: {flag}");
            }
        }
    }

    #[test]
    fn what_follows_a_command_is_understood_by_it() {
        use super::super::support::typed;
        for (command, _) in commands() {
            for operand in operands(command) {
                let read = typed(&[command, operand]).command();
                assert!(read.is_ok(), "{command} {operand}: {read:?}");
            }
        }
    }
}
