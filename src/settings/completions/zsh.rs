//! Completions for zsh.

use std::fmt::Write as _;

use super::super::command::CommandName;
use super::super::table::Setting;
use super::{Value, commands, description, flags, operands};

const BEGINNING: &str = r#"#compdef pullproof
# Completions of pullproof for zsh, made by `pullproof completions zsh`.

_pullproof() {
    local curcontext="$curcontext" state
    local -a commands
    _arguments -C -A '-*' \
        '(- *)'{-h,--help}'[show help]' \
        '(- *)'{-V,--version}'[show the version]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            commands=(
"#;

/// What stands for references, which only the user knows; a message would keep a flag from being
/// completed.
const NOTHING: &str = "*: :()";

const END: &str = r#"            esac
            ;;
    esac
}

if [[ $funcstack[1] == _pullproof ]]; then
    _pullproof "$@"
else
    compdef _pullproof pullproof
fi
"#;

pub(super) fn script() -> String {
    let mut text = BEGINNING.to_owned();
    for (word, purpose) in commands() {
        let _ = writeln!(
            text,
            "                {}",
            quoted(&format!("{word}:{purpose}"))
        );
    }
    text.push_str(
        "            )\n            _describe command commands\n            ;;\n        \
         argument)\n            case $words[1] in\n",
    );
    for (word, _) in commands() {
        let _ = writeln!(
            text,
            "                {word})\n                    _arguments \\"
        );
        let specs: Vec<String> = match CommandName::of(word) {
            Some(command) => {
                let references = (command != CommandName::Rebuild).then(|| NOTHING.to_owned());
                flags(command).map(spec).chain(references).collect()
            }
            None => match operands(word) {
                operands if operands.is_empty() => Vec::new(),
                operands => vec![format!("1:{word}:({})", operands.join(" "))],
            },
        };
        for spec in specs {
            let _ = writeln!(text, "                        {} \\", quoted(&spec));
        }
        text.push_str(
            "                        '(- *)'{-h,--help}'[show help]'\n                    ;;\n",
        );
    }
    text.push_str(END);
    text
}

/// A flag as `_arguments` takes it.
fn spec(setting: &Setting) -> String {
    let often = if setting.kind.holds_several() {
        "*"
    } else {
        ""
    };
    let name = setting.kebab();
    let says = escaped(&description(setting));
    let (joint, value) = match Value::of(setting) {
        // With `=-` the value is part of the same word, with `::` it may be left out.
        Value::Boolean => ("=-", ":: :(true false)".to_owned()),
        Value::Hosts => ("=-", ":: : ".to_owned()),
        Value::Words(words) => ("=", format!(": :({})", words.join(" "))),
        Value::File => ("=", ": :_files".to_owned()),
        Value::Other => ("=", ": : ".to_owned()),
    };
    format!("{often}--{name}{joint}[{says}]{value}")
}

/// A description in brackets.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('[', r"\[")
        .replace(']', r"\]")
        .replace(':', r"\:")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
