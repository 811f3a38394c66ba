//! Completions for bash, 3.2 and later: without the package bash-completion.

use std::fmt::Write as _;

use super::super::command::CommandName;
use super::super::table::{Setting, TABLE};
use super::{Value, commands, flags, operands};

const BEGINNING: &str = r#"# Completions of pullproof for bash, made by `pullproof completions bash`.

_pullproof() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command= flag= joined= words= word
    # bash takes --flag=value for three words.
    if [[ $current == = ]]; then
        joined=1 flag=$before current=
    elif [[ $before == = ]]; then
        joined=1 flag=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $before == --* ]]; then
        flag=$before
    fi
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
"#;

const FILES: &str = r#"            compopt -o filenames 2>/dev/null
            local IFS=$'\n'
            COMPREPLY=($(compgen -f -- "$current"))
            return
            ;;
"#;

const END: &str = r#"    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _pullproof pullproof
"#;

pub(super) fn script() -> String {
    let mut text = BEGINNING.to_owned();
    let words: Vec<_> = commands().map(|(word, _)| word).collect();
    let _ = writeln!(
        text,
        "            {}) command=$word; break ;;\n        esac\n    done",
        words.join(" | ")
    );
    values(&mut text);
    text.push_str("    case $command in\n");
    for (word, _) in commands() {
        let (flags, operands) = match CommandName::of(word) {
            Some(command) => (names(flags(command), " "), String::new()),
            None => (String::new(), operands(word).join(" ")),
        };
        let _ = writeln!(
            text,
            "        {word})\n            words=\"{operands}\"\n            \
             [[ $current == -* ]] && words=\"{}\"\n            ;;",
            format!("{flags} --help").trim_start()
        );
    }
    let _ = writeln!(
        text,
        "        *)\n            words=\"{}\"\n            \
         [[ $current == -* ]] && words=\"--help --version\"\n            ;;",
        words.join(" ")
    );
    text.push_str(END);
    text
}

/// The flag before the word decides what the word can be.
fn values(text: &mut String) {
    text.push_str("    case $flag in\n");
    let of = |value: fn(Value) -> bool| {
        TABLE
            .iter()
            .filter(move |setting| value(Value::of(setting)))
    };
    for setting in of(|value| matches!(value, Value::Words(_))) {
        if let Value::Words(words) = Value::of(setting) {
            let _ = writeln!(
                text,
                "        --{})\n            \
                 COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))\n            \
                 return\n            ;;",
                setting.kebab(),
                words.join(" ")
            );
        }
    }
    let alone = "            [[ $joined ]] && {\n                COMPREPLY=($(compgen -W \"true \
                 false\" -- \"$current\"))\n                return\n            }\n            ;;\n";
    let rows = [
        (of(|value| value == Value::Boolean), alone),
        (
            of(|value| value == Value::Hosts),
            "            [[ $joined ]] && return\n            ;;\n",
        ),
        (of(|value| value == Value::File), FILES),
        (
            of(|value| value == Value::Other),
            "            return\n            ;;\n",
        ),
    ];
    for (settings, action) in rows {
        let _ = write!(text, "        {})\n{action}", names(settings, " | "));
    }
    text.push_str("    esac\n");
}

/// The flags of some settings.
fn names(settings: impl Iterator<Item = &'static Setting>, between: &str) -> String {
    let names: Vec<_> = settings
        .map(|setting| format!("--{}", setting.kebab()))
        .collect();
    names.join(between)
}
