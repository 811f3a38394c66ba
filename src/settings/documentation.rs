//! The tables of the documents, made from the table of settings.

use std::fmt::Write as _;

use super::CommandName;
use super::help::range;
use super::kind::ValueKind;
use super::table::{Setting, TABLE, groups};

/// Which document a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Face {
    /// The reference: every name, type and default, and the commands that take it.
    Reference,
    /// The Woodpecker plugin's page, in the form the plugin index knows.
    Plugin,
}

/// One table per group of settings, as markdown.
fn markdown(face: Face) -> String {
    let mut text = String::new();
    let is_there = |settings: &[Setting]| face == Face::Reference || !settings[0].is_flag_only();
    for (heading, settings) in groups().filter(|(_, settings)| is_there(settings)) {
        let _ = write!(text, "### {heading}\n\n");
        text.push_str(match face {
            Face::Reference => {
                "| Setting | Also | Commands | Type | Default | What it does |\n\
                 |---|---|---|---|---|---|\n"
            }
            Face::Plugin => "| Settings Name | Default | Description |\n|---|---|---|\n",
        });
        for setting in settings {
            row(&mut text, face, setting);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Which settings each command takes, by group, as markdown.
fn by_command() -> String {
    let mut text = String::new();
    for command in CommandName::ALL {
        let _ = write!(text, "### Settings of {command}\n\n");
        for (heading, settings) in groups() {
            let taken: Vec<_> = settings
                .iter()
                .filter(|setting| setting.is_for(*command))
                .map(|setting| format!("`{}`", setting.name))
                .collect();
            if !taken.is_empty() {
                let _ = writeln!(
                    text,
                    "- [{heading}](#{}): {}",
                    heading.to_lowercase().replace(' ', "-"),
                    taken.join(", ")
                );
            }
        }
        text.push('\n');
    }
    text
}

fn row(text: &mut String, face: Face, setting: &Setting) {
    let name = setting.name;
    let aliases: Vec<_> = setting
        .aliases
        .iter()
        .map(|alias| format!("`{alias}`"))
        .collect();
    let default = setting.defaults(|value| format!("`{value}`"));
    let default = default.unwrap_or_default();
    let _ = match face {
        Face::Reference => {
            let commands: Vec<_> = setting.commands.iter().map(|name| name.word()).collect();
            writeln!(
                text,
                "| `{name}` | {} | {} | {} | {default} | {} |",
                aliases.join(", "),
                commands.join(", "),
                setting.kind.describe(),
                setting.help
            )
        }
        Face::Plugin => {
            let names = std::iter::once(format!("`{name}`"))
                .chain(aliases)
                .collect::<Vec<_>>()
                .join(" / ");
            let none = if default.is_empty() {
                "*none*"
            } else {
                &default
            };
            writeln!(
                text,
                "| {names} | {none} | {}{}{} |",
                setting.help,
                words(setting),
                range(setting)
            )
        }
    };
}

/// The accepted words as a sentence, where the help text does not have them all.
fn words(setting: &Setting) -> String {
    match setting.kind {
        ValueKind::Words(words)
            if words
                .iter()
                .any(|word| !setting.help.contains(&format!("`{word}`"))) =>
        {
            format!(" One of {}.", words.join(", "))
        }
        _ => String::new(),
    }
}

/// The settings that the action has as inputs.
fn inputs() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| !setting.is_flag_only())
}

/// The entries below `inputs:` of `action.yml`, indented by two blanks, with names in kebab-case.
fn action_inputs() -> String {
    let mut text = String::new();
    for setting in inputs() {
        let mut description = setting.help.to_owned();
        for other in TABLE.iter().filter(|other| other.name.contains('_')) {
            description = description.replace(
                &format!("`{}`", other.name),
                &format!("`{}`", other.kebab()),
            );
        }
        description.push_str(&words(setting));
        match setting.kind {
            ValueKind::Words(_) | ValueKind::Text | ValueKind::Secret => {}
            kind => {
                let _ = write!(description, " Type: {}.", kind.describe());
            }
        }
        if let Some(default) = setting.defaults(str::to_owned)
            && !setting.comes_with_the_action()
        {
            let _ = write!(description, " Default: {default}.");
        }
        let _ = write!(
            text,
            "  {}:\n    description: '{}'\n",
            setting.kebab(),
            description.replace('\'', "''")
        );
        if setting.comes_with_the_action() {
            text.push_str("    default: ${{ github.token }}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::{env, fs};

    use super::*;

    /// The tables between the marks of each document; `PULLPROOF_UPDATE_DOCS=1 cargo test` rewrites
    /// them.
    #[test]
    fn the_documents_agree_with_the_table() {
        let markdown_marks = ("<!-- settings:begin -->\n", "<!-- settings:end -->");
        for (document, marks, table) in [
            (
                "docs/settings.md",
                markdown_marks,
                format!("\n{}\n", markdown(Face::Reference)),
            ),
            (
                "docs/settings.md",
                ("<!-- commands:begin -->\n", "<!-- commands:end -->"),
                format!("\n{}", by_command()),
            ),
            (
                "plugin/docs.md",
                markdown_marks,
                format!("\n{}\n", markdown(Face::Plugin)),
            ),
            (
                "action.yml",
                ("  # settings:begin\n", "  # settings:end"),
                action_inputs(),
            ),
        ] {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(document);
            let text = fs::read_to_string(&path).unwrap();
            let (before, rest) = text
                .split_once(marks.0)
                .unwrap_or_else(|| panic!("{document} has no {:?}", marks.0));
            let (between, after) = rest
                .split_once(marks.1)
                .unwrap_or_else(|| panic!("{document} has no {:?}", marks.1));
            if env::var_os("PULLPROOF_UPDATE_DOCS").is_some_and(|value| !value.is_empty()) {
                fs::write(
                    &path,
                    format!("{before}{}{table}{}{after}", marks.0, marks.1),
                )
                .unwrap();
            } else {
                assert!(
                    between == table,
                    "{document} differs from the table of settings; PULLPROOF_UPDATE_DOCS=1 cargo test \
                     rewrites it"
                );
            }
        }
    }

    #[test]
    fn every_setting_is_in_every_table() {
        let inputs: serde_norway::Value = serde_norway::from_str(&action_inputs()).unwrap();
        let settings: Vec<_> = super::inputs().collect();
        assert_eq!(inputs.as_mapping().unwrap().len(), settings.len());
        assert!(settings.len() < TABLE.len());
        for setting in settings {
            let input = inputs
                .get(setting.kebab())
                .unwrap_or_else(|| panic!("{}", setting.name));
            assert!(
                input
                    .get("description")
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .ends_with('.'),
                "{}",
                setting.name
            );
            assert_eq!(
                input.get("default").is_some(),
                setting.comes_with_the_action()
            );
            for face in [Face::Reference, Face::Plugin] {
                assert_eq!(
                    markdown(face)
                        .matches(&format!("\n| `{}` ", setting.name))
                        .count(),
                    1,
                    "{}",
                    setting.name
                );
            }
        }
    }

    #[test]
    fn the_action_is_what_runners_expect() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("action.yml");
        let action: serde_norway::Value =
            serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let names = |part: &str| -> Vec<String> {
            action[part]
                .as_mapping()
                .unwrap()
                .keys()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            names("inputs"),
            inputs().map(Setting::kebab).collect::<Vec<_>>()
        );
        assert_eq!(
            names("outputs"),
            [
                "result",
                "exit-code",
                "digest",
                "digests",
                "images",
                "platforms",
                "checked",
                "bytes",
                "failures",
                "duration-ms",
                "report",
                "pipeline-number",
                "pipeline-url",
                "pipeline-status",
            ]
        );
        for output in action["outputs"].as_mapping().unwrap().values() {
            assert!(output["description"].as_str().unwrap().ends_with('.'));
        }
        assert_eq!(action["runs"]["using"].as_str(), Some("docker"));
        assert_eq!(action["runs"]["entrypoint"].as_str(), Some("/pullproof"));
        assert!(action["branding"]["icon"].is_string() && action["branding"]["color"].is_string());
    }

    #[test]
    fn the_plugin_page_starts_with_what_the_index_reads() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("plugin/docs.md");
        let text = fs::read_to_string(path).unwrap();
        let front = text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"))
            .unwrap()
            .0;
        let front: serde_norway::Value = serde_norway::from_str(front).unwrap();
        for name in [
            "name",
            "icon",
            "description",
            "author",
            "containerImage",
            "containerImageUrl",
            "url",
        ] {
            assert!(front[name].is_string(), "{name}");
        }
        assert!(front["tags"].is_sequence());
        assert_eq!(
            front["containerImage"].as_str(),
            Some("ghcr.io/pullproof/pullproof")
        );
    }
}
