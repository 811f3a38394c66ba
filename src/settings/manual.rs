//! The manual page, made from the table.

use std::fmt::Write as _;

use super::command::CommandName;
use super::help::{self, OTHER_COMMANDS, range};
use super::table::{Setting, groups};

/// When what the table does not say was last changed here.
const DATE: &str = "2026-11-22";

/// How long a line of the source may be, in bytes.
const WIDTH: usize = 78;

const DESCRIPTION: &str = "\
pullproof resolves every reference, follows every index, manifest, config and layer, and asks the \
registry for each of them as a pull would. It changes nothing, and needs no privileges and no \
daemon.";

const REFERENCES: &str = "\
A reference is `name[:tag][@digest]`, with or without `docker://` before it. A name without a host \
is on Docker Hub. A single `-` reads references from standard input, separated by white space.";

const OPTIONS: &str = "\
Every option is a setting with the same name in a Woodpecker step, a GitHub workflow and the \
environment, where `--tags-file` is `PLUGIN_TAGS_FILE`. Options win over the environment. One that \
takes a list may be repeated. One that takes a bool may stand alone. Give secrets in the \
environment or in a file.";

const EXIT_CODES: [(&str, &str); 11] = [
    (
        "0",
        "Everything was verified, nothing was to be checked (`dry_run`), or the rebuild succeeded.",
    ),
    (
        "1",
        "An image cannot be pulled, or is not what was expected.",
    ),
    (
        "2",
        "The settings are wrong, or there was nothing to check.",
    ),
    ("3", "The registry refused access."),
    (
        "4",
        "Undecided: network, TLS, 5xx, 429, or the time was over.",
    ),
    ("5", "The rebuild was not started."),
    ("6", "The rebuild ran and failed."),
    ("7", "The rebuild was still running at `wait_timeout`."),
    ("8", "Some repairs failed, or did not take."),
    ("70", "A bug in pullproof."),
    ("130, 143", "Interrupted, terminated."),
];

const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "PLUGIN_NAME",
        "The setting NAME, where no CI system has a prefix of its own.",
    ),
    ("NO_COLOR", "No colours."),
    (
        "REGISTRY_AUTH_FILE",
        "A file with logins, as podman has it.",
    ),
    ("DOCKER_CONFIG", "The directory of docker's `config.json`."),
];

const FILES: [(&str, &str); 3] = [
    ("~/.docker/config.json", "Logins, as docker keeps them."),
    (
        "$XDG_RUNTIME_DIR/containers/auth.json",
        "Logins, as podman keeps them.",
    ),
    (
        "~/.config/containers/auth.json",
        "The same, where they outlive a session.",
    ),
];

const EXAMPLES: [(&str, &str); 3] = [
    (
        "Verify an image that was just pushed:",
        "pullproof verify registry.example/team/app:1.4",
    ),
    (
        "Would everything that runs in this cluster come up again?",
        "kubectl get pods -A -o jsonpath='{..image}' | pullproof verify -",
    ),
    (
        "Check every tag of a registry:",
        "pullproof audit registry.example",
    ),
];

/// The page, as the macros of man(7).
pub(super) fn manual() -> String {
    let mut text = format!(
        ".\\\" Made by \"pullproof man\".\n.TH PULLPROOF 1 {DATE} \"pullproof {}\" \"User Commands\"\n",
        env!("CARGO_PKG_VERSION")
    );
    section(&mut text, "NAME");
    text.push_str("pullproof \\- prove that container images can be pulled\n");
    section(&mut text, "SYNOPSIS");
    for (number, usage) in usages().enumerate() {
        if number > 0 {
            text.push_str(".br\n");
        }
        let _ = writeln!(text, "{}", escaped(usage));
    }
    section(&mut text, "DESCRIPTION");
    paragraph(&mut text, DESCRIPTION);
    text.push_str(".PP\n");
    paragraph(&mut text, REFERENCES);
    section(&mut text, "COMMANDS");
    let commands = CommandName::ALL.iter().map(|command| {
        let purpose = help::purpose(*command);
        (command.word(), purpose)
    });
    for (word, purpose) in commands.chain(OTHER_COMMANDS) {
        item(
            &mut text,
            &format!("\\fB{word}\\fR"),
            &format!("{purpose}."),
        );
    }
    section(&mut text, "OPTIONS");
    paragraph(&mut text, OPTIONS);
    for (heading, settings) in groups() {
        let _ = writeln!(text, ".SS {heading}");
        for setting in settings {
            option(&mut text, setting);
        }
    }
    list(&mut text, "EXIT STATUS", &EXIT_CODES);
    list(&mut text, "ENVIRONMENT", &ENVIRONMENT);
    list(&mut text, "FILES", &FILES);
    section(&mut text, "EXAMPLES");
    for (number, (purpose, command)) in EXAMPLES.iter().enumerate() {
        if number > 0 {
            text.push_str(".PP\n");
        }
        let _ = writeln!(
            text,
            "{}\n.PP\n.RS 4\n.EX\n{}\n.EE\n.RE",
            escaped(purpose),
            escaped(command)
        );
    }
    section(&mut text, "SEE ALSO");
    text.push_str(".BR skopeo (1),\n.BR docker\\-pull (1),\n.BR containers\\-auth.json (5)\n");
    text
}

fn usages() -> impl Iterator<Item = &'static str> {
    let commands = CommandName::ALL.iter().map(|command| help::usage(*command));
    commands.chain(["pullproof completions bash|zsh|fish", "pullproof man"])
}

fn section(text: &mut String, name: &str) {
    let quote = if name.contains(' ') { "\"" } else { "" };
    let _ = writeln!(text, ".SH {quote}{name}{quote}");
}

fn list(text: &mut String, name: &str, items: &[(&str, &str)]) {
    section(text, name);
    for (tag, body) in items {
        item(text, &format!("\\fB{}\\fR", escaped(tag)), body);
    }
}

fn option(text: &mut String, setting: &Setting) {
    let names: Vec<_> = setting
        .names()
        .map(|name| format!("\\fB\\-\\-{}\\fR", escaped(&name.replace('_', "-"))))
        .collect();
    let tag = format!(
        "{} \\fI{}\\fR",
        names.join(", "),
        escaped(&setting.kind.placeholder())
    );
    let mut body = setting.help.to_owned();
    body.push_str(&range(setting));
    if let Some(default) = setting.defaults(str::to_owned) {
        let _ = write!(body, " Default: {default}.");
    }
    let takers: Vec<_> = setting.commands.iter().map(|name| name.word()).collect();
    let _ = write!(body, " For {}.", crate::text::human::list(&takers));
    item(text, &tag, &body);
}

fn item(text: &mut String, tag: &str, body: &str) {
    let _ = writeln!(text, ".TP\n{tag}");
    paragraph(text, body);
}

/// Markdown as lines of roff: sentences begin lines, and what stands in backticks is bold.
fn paragraph(text: &mut String, markdown: &str) {
    for sentence in escaped(markdown).replace(". ", ".\n").lines() {
        let mut line = String::new();
        for word in sentence.split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                write_line(text, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        write_line(text, &line);
    }
}

/// A line that is no request, whatever it begins with.
fn write_line(text: &mut String, line: &str) {
    let guard = if line.starts_with('.') { "\\&" } else { "" };
    let _ = writeln!(text, "{guard}{line}");
}

/// A text that roff shows as it is, with what stands in backticks in bold.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    let mut is_bold = false;
    for letter in text.chars() {
        match letter {
            '`' => {
                is_bold = !is_bold;
                shown.push_str(if is_bold { "\\fB" } else { "\\fR" });
            }
            '\\' => shown.push_str("\\e"),
            '-' => shown.push_str("\\-"),
            '\'' => shown.push_str("\\(aq"),
            '^' => shown.push_str("\\(ha"),
            '~' => shown.push_str("\\(ti"),
            '…' => shown.push_str("..."),
            '×' => shown.push_str("\\(mu"),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::table::TABLE;
    use super::*;

    #[test]
    fn the_page_has_every_setting_and_no_line_that_roff_misreads() {
        let page = manual();
        for name in TABLE.iter().flat_map(Setting::names) {
            let flag = format!("\\fB\\-\\-{}\\fR", name.replace('_', "\\-"));
            assert!(page.contains(&flag), "{flag}");
        }
        for line in page.lines() {
            assert!(line.is_ascii() && !line.starts_with('\''), "{line}");
            assert_eq!(line, line.trim_end());
        }
    }

    #[test]
    fn what_roff_would_read_is_shown() {
        let mut text = String::new();
        paragraph(&mut text, "First `a-b`. .tags and \\n, it's");
        assert_eq!(text, "First \\fBa\\-b\\fR.\n\\&.tags and \\en, it\\(aqs\n");
    }
}
