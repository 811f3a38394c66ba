//! The help text, made from the table.

use std::fmt::Write as _;

use super::table::{Kind, Setting, TABLE};

/// How wide the text is.
const WIDTH: usize = 100;

/// What `pullproof --help` says.
pub(super) fn help() -> String {
    let mut text = String::from(
        "pullproof proves that the container image you just pushed can be pulled

Usage:
  pullproof verify [REF...] [FLAGS]   check images and report; REF is name[:tag][@digest]
  pullproof rebuild [FLAGS]           start a Woodpecker pipeline and follow it
  pullproof help | version            say this, or the version

Every setting is a flag. In Woodpecker it is also PLUGIN_<NAME>, in a GitHub action INPUT_<NAME>; flags win.
Give secrets through the environment or a file rather than as a flag. A bool flag may stand alone;
flags that take a list may be repeated. A bool flag takes the next word as its value if that is one.
",
    );
    let mut group = "";
    for setting in TABLE {
        if setting.group != group {
            group = setting.group;
            let _ = write!(text, "\n{group}:\n");
        }
        flag(&mut text, setting);
    }
    text.push_str(
        "
Exit codes:
  0 verified, skipped, or rebuilt    1 an image cannot be pulled    2 configuration error, nothing to check
  3 authentication refused           4 could not find out           5 rebuild not started
  6 rebuild failed                   7 rebuild still running        70 bug    130, 143 interrupted
",
    );
    text
}

fn flag(text: &mut String, setting: &Setting) {
    let _ = write!(text, "  --{}", setting.name.replace('_', "-"));
    for alias in setting.aliases {
        let _ = write!(text, ", --{}", alias.replace('_', "-"));
    }
    let kind = match setting.kind {
        Kind::Boolean => "[bool]".to_owned(),
        Kind::Hosts => "[bool or hosts]".to_owned(),
        Kind::Words(words) => format!("<{}>", words.join("|")),
        kind => format!("<{}>", kind.describe()),
    };
    let _ = writeln!(text, " {kind}");
    let mut explanation = setting.help.to_owned();
    if !setting.default.is_empty() {
        let _ = write!(explanation, " Default: {}.", setting.default);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_explained_within_the_width() {
        let text = help();
        for setting in TABLE {
            for name in setting.names() {
                assert!(
                    text.contains(&format!("--{}", name.replace('_', "-"))),
                    "{name}"
                );
            }
        }
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH + 20, "{line}");
            assert_eq!(line, line.trim_end());
        }
    }
}
