//! The help texts, made from the table.

use std::fmt::Write as _;

use super::command::CommandName;
use super::kind::ValueKind;
use super::table::{DefaultValue, Setting, groups};

/// How wide a text is.
const WIDTH: usize = 100;

/// What help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// The program and its commands.
    Overview,
    /// One command and its settings, a line each.
    Command(CommandName),
    /// All settings of all commands, explained.
    Everything,
}

/// What `pullproof --version` prints.
pub(super) fn version() -> String {
    format!("pullproof {}", env!("CARGO_PKG_VERSION"))
}

/// The help about a topic.
pub(super) fn help(topic: Topic) -> String {
    let text = match topic {
        Topic::Overview => overview(),
        Topic::Command(command) => short(command),
        Topic::Everything => long(),
    };
    text.trim_end().to_owned()
}

const PURPOSE: &str = "pullproof proves that the container image you just pushed can be pulled";

const EXIT_CODES: &str = "
Exit codes:
  0 verified, skipped, or rebuilt   1 an image cannot be pulled   2 wrong settings, nothing checked
  3 authentication refused          4 undecided                   5 rebuild not started
  6 rebuild failed                  7 rebuild still running       8 a repair or prune failed
  70 a bug                          130, 143 interrupted
";

/// A command's usage, what it does, and two examples.
struct Page {
    usage: &'static str,
    purpose: &'static str,
    examples: [&'static str; 2],
}

const fn page(command: CommandName) -> Page {
    match command {
        CommandName::Verify => Page {
            usage: "pullproof verify [REF...] [FLAGS]",
            purpose: "check that images can be pulled; REF is name[:tag][@digest]",
            examples: [
                "pullproof verify ghcr.io/example/app:1.2 --platforms linux/amd64,linux/arm64",
                "kubectl get pods -A -o jsonpath='{..image}' | pullproof verify -",
            ],
        },
        CommandName::Audit => Page {
            usage: "pullproof audit TARGET... [FLAGS]",
            purpose: "check every tag of a registry; TARGET is host or host/pattern",
            examples: [
                "pullproof audit registry.example --exclude cache/* --report audit.json",
                "pullproof audit registry.example/infra/* --tags v*,latest --depth head",
            ],
        },
        CommandName::Repair => Page {
            usage: "pullproof repair REF|TARGET... [FLAGS]",
            purpose: "put back what is missing; plans only, unless --apply",
            examples: [
                "pullproof repair registry.example/team/app:1.2 --from mirror.example --apply",
                "pullproof repair registry.example --state /var/lib/pullproof --plan plan.json",
            ],
        },
        CommandName::Prune => Page {
            usage: "pullproof prune TARGET... [FLAGS]",
            purpose: "delete the tags that no rule keeps; plans only, unless --apply",
            examples: [
                "pullproof prune registry.example/team/app --keep-newest 10 --keep v*,latest",
                "pullproof prune registry.example --keep-newest 10 --keep-younger 14d --apply --backup dir",
            ],
        },
        CommandName::Rebuild => Page {
            usage: "pullproof rebuild [FLAGS]",
            purpose: "start a Woodpecker pipeline and follow it to its end",
            examples: [
                "pullproof rebuild --woodpecker-url https://ci.example --woodpecker-repo team/app",
                "pullproof rebuild --woodpecker-repo team/app@main --workflow build --logs all",
            ],
        },
    }
}

/// Commands that take no settings, and what each is for.
pub(super) const OTHER_COMMANDS: [(&str, &str); 4] = [
    (
        "help",
        "show the commands; help COMMAND lists a command's settings",
    ),
    ("version", "show the version"),
    ("completions", "print completions for bash, zsh or fish"),
    ("man", "print the manual page"),
];

/// What a command is for.
pub(super) const fn purpose(command: CommandName) -> &'static str {
    page(command).purpose
}

/// How a command is called.
pub(super) const fn usage(command: CommandName) -> &'static str {
    page(command).usage
}

fn overview() -> String {
    let mut text = format!("{PURPOSE}\n\nCommands:\n");
    for command in CommandName::ALL {
        let _ = writeln!(text, "  {:<13}{}", command.word(), purpose(*command));
    }
    for (word, purpose) in OTHER_COMMANDS {
        let _ = writeln!(text, "  {word:<13}{purpose}");
    }
    text.push_str("\nExamples:\n");
    for command in &CommandName::ALL[..3] {
        let _ = writeln!(text, "  {}", page(*command).examples[0]);
    }
    text.push_str(EXIT_CODES);
    text.push_str("pullproof --help explains every flag.\n");
    text
}

fn short(command: CommandName) -> String {
    let Page {
        usage,
        purpose,
        examples,
    } = page(command);
    let mut text = format!("{usage}\n{purpose}\n");
    for (heading, settings) in groups() {
        let mut taken = settings
            .iter()
            // Here the command is named already.
            .filter(|setting| setting.is_for(command) && setting.name != "mode")
            .peekable();
        if taken.peek().is_some() {
            let _ = writeln!(text, "\n{heading}:");
        }
        for setting in taken {
            line(&mut text, setting, command);
        }
    }
    let _ = writeln!(text, "\nExamples:\n  {}\n  {}", examples[0], examples[1]);
    if command == CommandName::Rebuild {
        text.push_str("Pass the token in the variable PLUGIN_WOODPECKER_TOKEN.\n");
    }
    text.push_str("\npullproof --help says more about each flag.\n");
    text
}

/// One setting on one line, with the words that the command takes and its default.
fn line(text: &mut String, setting: &Setting, command: CommandName) {
    let summary = setting.summary().trim_end_matches('.').replace('`', "");
    let mut notes = Vec::new();
    if let ValueKind::Words(words) | ValueKind::WordList(words) = setting.kind {
        let taken = words.iter().filter(|word| setting.has_word(command, word));
        notes.push(taken.copied().collect::<Vec<_>>().join("|"));
    }
    match setting.default_for(command) {
        DefaultValue::Value(value) if value != "false" => notes.push(format!("default {value}")),
        _ => {}
    }
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    let _ = writeln!(text, "  --{:<17} {summary}{notes}", setting.kebab());
}

fn long() -> String {
    let mut text = format!("{PURPOSE}\n\nUsage:\n");
    for command in CommandName::ALL {
        let Page { usage, purpose, .. } = page(*command);
        let mut start = format!("  {usage}");
        if start.len() >= 38 {
            let _ = writeln!(text, "{start}");
            start.clear();
        }
        let _ = writeln!(text, "{start:<38}{purpose}");
    }
    text.push_str(
        "  pullproof help [COMMAND]            show a command's settings, one line each
  pullproof version                   show the version
  pullproof completions SHELL         print completions for bash, zsh or fish
  pullproof man                       print the manual page

Every setting is a flag. In Woodpecker it is also PLUGIN_<NAME>, in a GitHub action INPUT_<NAME>;
flags win. Give secrets through the environment or a file rather than as a flag. A bool flag may
stand alone, and takes the next word as its value if that is a bool. Flags that take a list may be
repeated.
",
    );
    for (heading, settings) in groups() {
        let _ = writeln!(text, "\n{heading}:");
        for setting in settings {
            flag(&mut text, setting);
        }
    }
    text.push_str(EXIT_CODES);
    text
}

fn flag(text: &mut String, setting: &Setting) {
    let names: Vec<_> = setting
        .names()
        .map(|name| format!("--{}", name.replace('_', "-")))
        .collect();
    let _ = writeln!(
        text,
        "  {} {}",
        names.join(", "),
        setting.kind.placeholder()
    );
    let mut explanation = setting.help.to_owned();
    explanation.push_str(&range(setting));
    if let Some(default) = setting.defaults(str::to_owned) {
        let _ = write!(explanation, " Default: {default}.");
    }
    if let [command] = setting.commands {
        let _ = write!(explanation, " Only for {command}.");
    }
    let mut line = String::new();
    for word in explanation.replace('`', "").split(' ') {
        if !line.is_empty() && 6 + line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "      {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(text, "      {line}");
}

/// The bounds of a value as a sentence, with a blank before it.
pub(super) fn range(setting: &Setting) -> String {
    match setting.kind {
        ValueKind::Number { least, most } => format!(" From {least} to {most}."),
        ValueKind::Duration { least } if !least.is_zero() => format!(" At least {least:?}."),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::super::support::typed;
    use super::super::table::TABLE;
    use super::*;

    fn said(arguments: &[&str]) -> String {
        match typed(arguments).command() {
            Ok(Command::Help(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn flags(text: &str) -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.strip_prefix("  --")?.split(' ').next())
            .collect()
    }

    #[test]
    fn every_flag_is_explained_in_the_long_form() {
        let text = said(&["--help"]);
        for setting in TABLE {
            for name in setting.names() {
                let flag = format!("--{}", name.replace('_', "-"));
                assert!(text.contains(&flag), "{name}");
            }
        }
        for command in CommandName::ALL {
            let Page { usage, purpose, .. } = page(*command);
            let rest = text.split_once(&format!("\n  {usage}")).unwrap().1;
            let purpose = format!("{purpose}\n");
            assert!(rest.starts_with(char::is_whitespace), "{text}");
            assert!(rest.trim_start().starts_with(&purpose), "{text}");
        }
        assert_eq!(text, said(&["verify", "--help"]));
        assert_eq!(text, said(&["rebuild", "--help"]));
    }

    #[test]
    fn a_commands_help_has_its_settings_a_line_each_and_two_examples() {
        for command in CommandName::ALL {
            let text = said(&["help", command.word()]);
            assert_eq!(text, said(&[command.word(), "-h"]));
            let taken: Vec<_> = TABLE
                .iter()
                .filter(|setting| setting.is_for(*command) && setting.name != "mode")
                .map(Setting::kebab)
                .collect();
            assert_eq!(flags(&text), taken, "{command}");
            for example in page(*command).examples {
                assert!(example.contains(&format!("pullproof {command} ")));
                assert!(text.contains(&format!("\n  {example}\n")), "{text}");
            }
        }
        let verify = said(&["help", "verify"]);
        for line in [
            "  --depth             What is asked of every blob (head|tail|full, default tail)",
            "  --repo              Repositories to check, each combined with every tag",
            "  --attempts          How often a request is tried (default 5)",
        ] {
            assert!(verify.lines().any(|other| other == line), "{verify}");
        }
        assert!(!said(&["help", "rebuild"]).contains("--depth"));
        for command in CommandName::ALL {
            let is_offered = said(&["help", command.word()]).contains("full|manifests");
            assert_eq!(is_offered, *command == CommandName::Audit, "{command}");
        }
    }

    #[test]
    fn a_commands_help_has_its_own_defaults() {
        for command in ["audit", "prune"] {
            let text = said(&["help", command]);
            let line = |flag: &str| {
                let flag = format!("  --{flag} ");
                text.lines().find(|line| line.starts_with(&flag)).unwrap()
            };
            assert!(line("concurrency").ends_with("(default 4)"), "{text}");
            assert!(line("settle").ends_with("(default 0)"), "{text}");
            for flag in ["registry", "timeout"] {
                assert!(!line(flag).contains("default"), "{text}");
            }
        }
        let repair = said(&["help", "repair"]);
        assert!(repair.contains("(default docker.io)"), "{repair}");
        let long = said(&["--help"]).replace("\n      ", " ");
        let both = "Default: 16; 4 in audit, prune and the repair of whole repositories.";
        assert!(long.contains(both), "{long}");
    }

    #[test]
    fn the_overview_fits_on_a_screen_and_names_every_command() {
        let text = said(&["help"]);
        assert_eq!(text, said(&["-h"]));
        assert_eq!(text, said(&["help", "help"]));
        assert!(text.lines().count() <= 24, "{text}");
        for command in CommandName::ALL {
            assert!(text.contains(&format!("\n  {command} ")), "{text}");
        }
        assert!(flags(&text).is_empty(), "{text}");
    }

    #[test]
    fn no_line_of_help_is_too_wide() {
        for arguments in [
            &["--help"][..],
            &["help"],
            &["help", "verify"],
            &["help", "audit"],
            &["help", "rebuild"],
        ] {
            for line in said(arguments).lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn the_examples_are_understood() {
        for command in CommandName::ALL {
            for example in page(*command).examples {
                let program = example.rsplit(" | ").next().unwrap();
                let words: Vec<_> = program.split(' ').skip(1).collect();
                let surroundings = super::super::support::given(&[
                    ("CI", "woodpecker"),
                    ("CI_SYSTEM_URL", "https://ci.example"),
                    ("PLUGIN_WOODPECKER_TOKEN", "t"),
                ]);
                let read = surroundings.and_arguments(&words).command();
                assert!(read.is_ok(), "{example}: {read:?}");
            }
        }
    }
}
