//! pullproof says of every image what each client does with it, as docs/clients.md has it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::corpus::{Case, Mark, selected};
use super::draft::TAG;
use super::measure::{in_parallel, measured};
use super::page::{PULLS, Row, written};
use super::pull::{Client, another_docker};
use crate::support::command::pullproof;
use crate::support::fake::Registry;

/// A client, and how `clients` names it.
struct Comparison {
    client: Client,
    name: &'static str,
    page: BTreeMap<String, Row>,
    registry: Registry,
}

impl Comparison {
    fn new(client: Client, name: &'static str) -> Self {
        let registry = Registry::start();
        registry.lenient();
        Self {
            client,
            name,
            page: written(),
            registry,
        }
    }

    /// Whether the client pulls, in the version that pullproof speaks of.
    fn pulls(&self, case: &Case) -> bool {
        if self.client == Client::Docker {
            if another_docker() {
                return measured().word(case, self.client).is_ok();
            }
            if case.newer_docker_pulls.is_some() {
                return true;
            }
        }
        let row = self.page.get(&case.name);
        let word = row.and_then(|row| row.words.get(&self.client));
        let word = word.unwrap_or_else(|| panic!("docs/clients.md has no word on {}", case.name));
        word.starts_with(PULLS)
    }

    /// Asks pullproof; gives its exit code, and what it printed.
    fn ask(&self, case: &Case, artifacts: &str) -> (Option<i32>, String) {
        let repository = format!("{}/{}-{artifacts}", case.name, self.name);
        case.draft(&repository).serve(&self.registry, &repository);
        let reference = self.registry.reference(&format!("{repository}:{TAG}"));
        let depth = if case.is(Mark::Full) { "full" } else { "tail" };
        let finished = pullproof()
            .arguments(["verify", &reference, "--clients", self.name])
            .arguments(["--only-platforms", "linux/amd64", "--artifacts", artifacts])
            .arguments(["--settle", "200ms", "--attempts", "2", "--backoff", "50ms"])
            .arguments(["--max-backoff", "100ms", "--depth", depth])
            .run();
        self.registry.drop_repository(&repository);
        (
            finished.code,
            format!("{}{}", finished.stdout, finished.stderr),
        )
    }

    /// What is no image fails by default, whatever a client does with it; where artifacts may
    /// pass, the client's word counts for it too.
    fn disagreement(&self, case: &Case) -> Option<String> {
        let pulls = self.pulls(case);
        let artifact = case.is(Mark::Artifact);
        let mut asked = vec![("fail", pulls && !artifact)];
        if artifact && pulls {
            asked.push(("pass", true));
        }
        asked.into_iter().find_map(|(artifacts, expected)| {
            let (code, printed) = self.ask(case, artifacts);
            let agrees = match code {
                Some(0) => expected,
                Some(1) => !expected,
                Some(3 | 4) => !expected && case.is(Mark::Temporary),
                _ => false,
            };
            let word = if pulls { "pulls" } else { "fails" };
            (!agrees).then(|| {
                let code = code.map_or("none".to_owned(), |code| code.to_string());
                format!(
                    "{}: {} {word}; pullproof, artifacts {artifacts}: exit code {code}\n{printed}",
                    case.name, self.name
                )
            })
        })
    }
}

/// Fails where pullproof and the client do not agree, and leaves a list.
#[track_caller]
fn agrees(client: Client, name: &'static str) {
    let comparison = Comparison::new(client, name);
    let (mut cases, _) = selected();
    cases.retain(|case| !case.is(Mark::Inside) && !case.is_apart(client));
    let found = in_parallel(&cases, |case| comparison.disagreement(case));
    let mut text = String::new();
    let found: Vec<_> = found.into_iter().flatten().collect();
    for line in &found {
        writeln!(text, "{line}").expect("text can be written");
    }
    let path = format!("{}/disagreements-{name}.txt", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(path, &text).expect("the target directory can be written");
    assert!(found.is_empty(), "{} disagreements:\n{text}", found.len());
}

#[test]
fn with_containerd_on_every_image() {
    agrees(Client::Cri2, "containerd");
}

#[test]
fn with_docker_on_every_image() {
    agrees(Client::Docker, "docker");
}

#[test]
fn with_podman_on_every_image() {
    agrees(Client::Podman, "podman");
}
