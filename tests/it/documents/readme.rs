//! The README and the plugin's page: what they show works, and what they quote is what the program says.

use std::path::Path;

use super::page::{blocks, holds, quoted_headings};
use super::text;
use super::uses::{calls, uses};
use crate::support::command::pullproof;
use crate::support::distribution::{Damage, Distribution};
use crate::support::recipe::platforms;

/// Every use in the pages' YAML, and how many there are, so that none is overlooked.
#[track_caller]
fn all_uses(page: &str, expected: usize) {
    let page = text(page);
    let found: Vec<_> = blocks(&page, "yaml")
        .iter()
        .flat_map(|block| uses(block))
        .collect();
    assert_eq!(found.len(), expected);
    assert!(found.iter().all(|found| !found.targets.is_empty()));
}

#[test]
fn the_pipelines_in_the_readme_are_understood() {
    all_uses("README.md", 6);
    let run: Vec<_> = blocks(&text("README.md"), "sh")
        .iter()
        .flat_map(|block| calls(block))
        .collect();
    assert_eq!(run.len(), 1);
    assert!(run[0].settings().login.anonymous);
}

#[test]
fn the_pipelines_on_the_plugins_page_are_understood() {
    all_uses("plugin/docs.md", 5);
}

#[test]
fn what_is_promised_in_six_lines_has_six_lines() {
    for block in &blocks(&text("README.md"), "yaml")[..2] {
        assert_eq!(block.lines().count(), 6, "{block}");
    }
}

#[test]
fn troubleshooting_is_keyed_by_what_the_program_says() {
    let mut sources = String::new();
    read_sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut sources,
    );
    let said = without_placeholders(&sources);
    let headings = quoted_headings(&text("README.md"), "## Troubleshooting");
    assert!(headings.len() > 20, "{headings:?}");
    for heading in headings {
        assert!(
            said.contains(&heading),
            "the program does not say: {heading}"
        );
    }
}

/// The program's own lines, without those of its unit tests.
fn read_sources(folder: &Path, into: &mut String) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, into);
        } else {
            let source = std::fs::read_to_string(&path).unwrap();
            into.push_str(
                source
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or_default(),
            );
        }
    }
}

/// Texts as they are printed: lines that are continued are one, and `…` stands for everything that is put in.
fn without_placeholders(sources: &str) -> String {
    let mut lines = sources.lines();
    let mut text = String::new();
    while let Some(line) = lines.next() {
        let mut line = line.to_owned();
        while let Some(start) = line.strip_suffix('\\') {
            line = format!("{start}{}", lines.next().unwrap_or_default().trim_start());
        }
        text.push_str(&line);
        text.push('\n');
    }
    let mut said = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        said.push_str(before);
        match after.split_once('}') {
            Some((inside, behind)) if !inside.contains(['{', '\n']) => {
                said.push('…');
                rest = behind;
            }
            _ => {
                said.push('{');
                rest = after;
            }
        }
    }
    said.push_str(rest);
    said
}

#[test]
fn the_outputs_are_those_of_the_action() {
    let action: serde_norway::Value = serde_norway::from_str(&text("action.yml")).unwrap();
    let outputs = action["outputs"].as_mapping().unwrap();
    let rows = outputs.iter().map(|(name, output)| {
        format!(
            "| `{}` | {} |\n",
            name.as_str().unwrap(),
            output["description"].as_str().unwrap()
        )
    });
    let table = format!(
        "\n| output | what it is |\n|---|---|\n{}\n",
        rows.collect::<String>()
    );
    holds("README.md", "outputs", &table, str::to_owned);
}

#[test]
fn the_exit_codes_on_both_pages_are_those_of_the_help() {
    let help = pullproof().argument("help").run().exits(0).stdout;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let numbers = |text: &str| -> Vec<u8> {
        text.split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let told = numbers(codes);
    assert_eq!(told.len(), 11);
    let (readme, plugin) = (text("README.md"), text("plugin/docs.md"));
    let rows = |page: &str| -> Vec<u8> {
        let (_, section) = page.split_once("# Exit codes\n").unwrap();
        let section = section.split("\n#").next().unwrap();
        section
            .lines()
            .filter_map(|line| line.strip_prefix("| "))
            .flat_map(|row| numbers(row.split('|').next().unwrap()))
            .collect()
    };
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(rows(&readme), sorted);
    assert_eq!(rows(&plugin), sorted[..8]);
}

#[test]
fn the_output_in_the_readme_is_what_the_program_says() {
    let registry = Distribution::open();
    let image = registry.image(
        "team/app:1.4",
        &platforms(2)
            .attested()
            .layers(4)
            .layer_size(1_500_000)
            .seed(14),
    );
    let arguments = [
        "verify",
        &registry.reference("team/app:1.4"),
        "--settle",
        "0s",
        "--backoff",
        "1ms",
    ];
    // The registry remembers what it has served.
    pullproof().arguments(arguments).run().exits(0);
    registry.damage("team/app", image.layer(1, 2), Damage::Emptied);
    let finished = pullproof().arguments(arguments).run().exits(1);
    let output = finished
        .stdout
        .replace(&registry.host(), "registry.example");
    let block =
        format!("\n```console\n$ pullproof verify registry.example/team/app:1.4\n{output}```\n\n");
    holds("README.md", "output", &block, timeless);
}

/// Without what differs from run to run: how long it took, and how much came before an answer broke off.
fn timeless(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for place in 1..words.len() {
        let unit = words[place]
            .trim_end_matches([',', '\n', ';'])
            .split('\n')
            .next()
            .unwrap_or_default();
        if ["ms", "s", "B", "kB", "MB"].contains(&unit.trim_end_matches(',')) {
            words[place - 1] = "#";
            words[place] = "#";
        }
    }
    words.join(" ")
}
