//! The page has what every client does with every image.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;

use super::corpus::{Case, Mark};
use super::measure::{Measured, measured};
use super::page::{PULLS, Row, rewrite, written};
use super::pull::{ALL, Client, another_docker};

/// What goes before the list of docker's differences.
const LATER: &str = "\
[^1]: docker's classic store pulls it in version 28.5, and pullproof says so.

[^2]: pullproof does not follow this client here, for a reason below.

What docker's classic store has learned since 20.10:
";

/// What goes before the list of images that are not compared.
const APART: &str = "Where pullproof does not follow a client, and why:\n";

fn cell(measured: &Measured, case: &Case, client: Client) -> &'static str {
    match measured.word(case, client) {
        Ok(()) if case.is_apart(client) => "pulls[^2]",
        Err(_) if case.is_apart(client) => "**fails**[^2]",
        Ok(()) => PULLS,
        Err(_) if client == Client::Docker && case.newer_docker_pulls.is_some() => "**fails**[^1]",
        Err(_) => "**fails**",
    }
}

/// What the registry serves, with the marks that the page's introduction explains.
fn what(case: &Case) -> String {
    let marks = [
        (Mark::Full, " *(full)*"),
        (Mark::Temporary, " *(temporary)*"),
        (Mark::Artifact, " *(no image)*"),
        (Mark::Inside, " *(inside)*"),
    ];
    let marks = marks.into_iter().filter(|(mark, _)| case.is(*mark));
    let marks: String = marks.map(|(_, text)| text).collect();
    format!("{}{marks}", case.what)
}

/// What was measured of these clients, in the corpus' order.
fn rows(measured: &Measured, clients: &[Client]) -> Vec<(String, Row)> {
    let row = |case: &Case| {
        let words = clients
            .iter()
            .map(|client| (*client, cell(measured, case, *client).to_owned()));
        let row = Row {
            what: what(case),
            words: words.collect(),
        };
        (case.name.clone(), row)
    };
    measured.cases.iter().map(row).collect()
}

fn table(rows: &[(String, Row)]) -> String {
    let mut text = String::from("| image | what the registry serves |");
    let mut line = |cells: &[&str]| {
        for cell in cells {
            write!(text, " {cell} |").expect("text can be written");
        }
    };
    line(&ALL.map(Client::title));
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(ALL.len()));
    for (name, row) in rows {
        write!(text, "\n| `{name}` | {} |", row.what).expect("text can be written");
        for word in row.words.values() {
            write!(text, " {word} |").expect("text can be written");
        }
    }
    text.push('\n');
    text
}

/// The reasons of some images, with their names.
fn reasons(cases: &[Case], why: impl Fn(&Case) -> Option<&'static str>) -> String {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for case in cases {
        if let Some(why) = why(case) {
            let names = reasons.entry(why).or_default();
            names.push(format!("`{}`", case.name));
        }
    }
    let lines = reasons
        .iter()
        .map(|(why, names)| format!("- {why}: {}\n", names.join(", ")));
    lines.collect()
}

/// Where the page and the clients differ, a line each.
fn differences(page: &BTreeMap<String, Row>, measured: &[(String, Row)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, now) in measured {
        let Some(then) = page.get(name) else {
            found.push(format!("{name} is not in the table"));
            continue;
        };
        if then.what != now.what {
            found.push(format!("{name} is described differently"));
        }
        for (client, word) in &now.words {
            let then = then.words.get(client).map_or("nothing", String::as_str);
            if then != word {
                let title = client.title();
                found.push(format!("{name}: {title} {word}, and the table says {then}"));
            }
        }
    }
    found
}

/// `PULLPROOF_UPDATE_DOCS=1 make e2e` rewrites it.
#[test]
fn the_table_is_what_the_clients_do() {
    let measured = measured();
    let mut clients = measured.clients.clone();
    // Another version is not the one in the table.
    clients.retain(|client| *client != Client::Docker || !another_docker());
    let rows = rows(measured, &clients);
    if env::var_os("PULLPROOF_UPDATE_DOCS").is_some_and(|value| !value.is_empty()) {
        assert_eq!(clients, ALL, "the table needs every client");
        assert!(!measured.selected, "the table needs every image");
        rewrite(&format!(
            "{}\n{LATER}\n{}\n{APART}\n{}",
            table(&rows),
            reasons(&measured.cases, |case| case.newer_docker_pulls),
            reasons(&measured.cases, |case| case.apart.map(|(_, why)| why))
        ));
        return;
    }
    let page = written();
    let mut differences = differences(&page, &rows);
    if !measured.selected && page.len() != rows.len() {
        differences.push("the table has images that the corpus does not have".to_owned());
    }
    assert!(
        differences.is_empty(),
        "docs/clients.md is out of date; PULLPROOF_UPDATE_DOCS=1 make e2e rewrites it\n{}",
        differences.join("\n")
    );
}
