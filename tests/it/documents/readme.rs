//! The README and the pages behind it: their pipelines work, their tables and output are current.

use std::process::{Command, Output};

use super::page::{blocks, is_current};
use super::text;
use super::uses::{calls, uses};
use crate::support::authority::Authority;
use crate::support::command::{binary, ends, pullproof};
use crate::support::distribution::{Damage, Distribution, PASSWORD, USERNAME};
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;

/// Reads every use in a page's YAML and counts them, so that none is missed.
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
fn the_readme_has_at_most_ten_kilobytes() {
    let bytes = text("README.md").len();
    assert!(bytes <= 10_000, "{bytes}");
}

#[test]
fn every_pipeline_in_the_documents_is_understood() {
    for (page, expected) in [
        ("README.md", 3),
        ("docs/ci/woodpecker.md", 1),
        ("docs/ci/github.md", 3),
        ("docs/ci/gitlab.md", 1),
        ("docs/repair.md", 2),
        ("plugin/docs.md", 5),
    ] {
        all_uses(page, expected);
    }
}

#[test]
fn the_commands_in_the_readme_check_with_and_without_a_login_and_audit() {
    let run: Vec<_> = blocks(&text("README.md"), "sh")
        .iter()
        .flat_map(|block| calls(block))
        .collect();
    assert_eq!(run.len(), 4);
    assert!(run[0].settings().login.anonymous);
    for private in &run[1..3] {
        assert_eq!(private.settings().login.given.len(), 1);
    }
    assert_eq!(run[3].audit().extent.targets[0].name(), None);
}

/// The command of the section on private registries that has this word, pasted into a shell on a
/// machine with the files that it names, where `registry.example` is the registry of the test.
#[track_caller]
fn pasted(word: &str, registry: &Distribution, authority: Option<&str>) -> Output {
    let page = text("README.md");
    let (_, section) = page.split_once("\n## A private registry\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut blocks = blocks(section, "sh");
    assert_eq!(blocks.len(), 2);
    blocks.retain(|block| block.contains(word));
    let name = format!("registry.example:{}", registry.port());
    let command = blocks[0]
        .replace("registry.example:5000", &name)
        .replace("--username ci", &format!("--username {USERNAME}"));
    let machine = Scratch::new("pasted");
    let file = |name: &str, content: &str| {
        std::fs::write(machine.path().join(name), content).unwrap();
    };
    file("registry-password", &format!("{PASSWORD}\n"));
    if let Some(authority) = authority {
        file("registry-ca.pem", authority);
    }
    let directory = binary().parent().unwrap().display().to_string();
    Command::new("/bin/sh")
        .args(["-c", &command])
        .current_dir(machine.path())
        .env_clear()
        .env("PATH", directory)
        .env("PLUGIN_RESOLVE", format!("{name}:127.0.0.1"))
        .env("PLUGIN_ATTEMPTS", "1")
        .output()
        .unwrap()
}

/// The same as [`ends`], and the password is nowhere.
#[track_caller]
fn prints(output: &Output, code: i32, words: &str) {
    let said = ends(output, code, words);
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn the_command_for_a_private_authority_works_pasted() {
    let registry = Distribution::private("registry.example");
    registry.image("team/app:latest", &platforms(2));
    let pem = registry.authority().pem();
    prints(&pasted("--ca", &registry, Some(&pem)), 0, "PASSED: 1 image");
    let other = Authority::new().pem();
    prints(&pasted("--ca", &registry, Some(&other)), 4, "unknown");
}

#[test]
fn the_command_for_plain_http_works_pasted() {
    let registry = Distribution::htpasswd();
    registry.image("team/app:latest", &platforms(2));
    prints(&pasted("--insecure", &registry, None), 0, "PASSED: 1 image");
}

#[test]
fn the_commands_in_the_page_on_audits_are_understood() {
    let found: Vec<_> = blocks(&text("docs/audit.md"), "sh")
        .iter()
        .flat_map(|block| calls(block))
        .collect();
    assert_eq!(found.len(), 6);
    assert!(
        found
            .iter()
            .all(|found| !found.audit().extent.targets.is_empty())
    );
}

#[test]
fn the_commands_in_the_page_on_repairs_are_understood() {
    let blocks = blocks(&text("docs/repair.md"), "sh");
    let found: Vec<_> = blocks.iter().flat_map(|block| calls(block)).collect();
    let writes: Vec<bool> = found
        .iter()
        .map(|found| found.repair().sources.permission.is_some())
        .collect();
    assert_eq!(writes, [false, true, true, true, true, true]);
}

#[test]
fn every_pipeline_in_the_readme_has_six_lines() {
    let blocks = blocks(&text("README.md"), "yaml");
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        assert_eq!(block.lines().count(), 6, "{block}");
    }
}

#[test]
fn the_table_of_outputs_is_that_of_the_action() {
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
    is_current("docs/ci/github.md", "outputs", &table, str::to_owned);
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
    let of_the_help = numbers(codes);
    assert_eq!(of_the_help.len(), 12);
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
    let mut sorted = of_the_help;
    sorted.sort_unstable();
    assert_eq!(rows(&readme), sorted);
    assert_eq!(rows(&plugin), sorted[..9]);
}

#[test]
fn the_output_in_the_readme_is_that_of_the_program() {
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
    is_current("README.md", "output", &block, timeless);
}

/// Replaces what differs from run to run: times and sizes.
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
